//! `gateway serve`: from a configuration file to a running gateway and down again.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use broker::Transport;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::auth::Role;
use crate::config::{Config, Log, LogFormat};

/// Open files besides connections: journal, databases, HTTP. 1,000 is ample.
const SPARE_FILES: u64 = 1_000;

/// Settings that the command line may change.
#[derive(Debug, Clone, Default, Args)]
pub struct Overrides {
    /// Directory for journal, state and history.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where appliances connect; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub mqtt: Option<SocketAddr>,
    /// REST, status page, metrics.
    #[arg(long, value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// gRPC.
    #[arg(long, value_name = "ADDRESS")]
    pub grpc: Option<SocketAddr>,
}

impl Overrides {
    fn apply(&self, config: &mut Config) {
        let set = |listen: &mut SocketAddr, given: Option<SocketAddr>| *listen = given.unwrap_or(*listen);
        set(&mut config.mqtt.listen, self.mqtt);
        set(&mut config.http.listen, self.http);
        set(&mut config.grpc.listen, self.grpc);
        if let Some(state) = &self.state {
            config.state.clone_from(state);
        }
    }
}

/// Runs until Ctrl-C, SIGTERM, or something breaks.
///
/// # Errors
/// What is wrong with the configuration, what could not be opened, or what broke.
pub async fn run(file: Option<&Path>, overrides: &Overrides) -> anyhow::Result<()> {
    let mut config = file.map_or_else(|| Ok(Config::default()), Config::load)?;
    overrides.apply(&mut config);
    config.check("command line")?;
    log(&config.log)?;
    let state = config.state.clone();
    raise_file_limit(config.mqtt.limits.connections);
    let cluster = config.mqtt.external.as_ref().map(|cluster| format!("{}:{}", cluster.host, cluster.port));
    let mut app = App::start(config).await?;
    admin_token(&app, &state).await?;
    let mqtt = app.mqtt.map(|address| address.to_string()).or(cluster).unwrap_or_default();
    println!("listening: mqtt={mqtt} http={} grpc={}{}", app.http, app.grpc, more_listeners(&app));
    let broken = tokio::select! {
        () = stop_signal()? => None,
        error = app.failed() => Some(error),
    };
    tracing::info!("stopping");
    let stopped = app.stop().await;
    match broken {
        Some(error) => Err(error),
        None => stopped,
    }
}

/// The listeners besides plain MQTT, as ` mqtts=… ws=… wss=…`.
fn more_listeners(app: &App) -> String {
    let named = app.listeners().iter().filter_map(|listener| {
        let name = match listener.transport {
            Transport::Tcp => return None,
            Transport::Tls => "mqtts",
            Transport::WebSocket => "ws",
            Transport::SecureWebSocket => "wss",
        };
        Some(format!(" {name}={}", listener.address))
    });
    named.collect()
}

/// Opens as many files as the system lets this process: each connection takes one.
fn raise_file_limit(connections: usize) {
    let wanted = connections as u64 + SPARE_FILES;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => {
            tracing::warn!(limit, wanted, "fewer files may be open than connections are allowed (ulimit -n)");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// Resolves at Ctrl-C or SIGTERM.
///
/// # Errors
/// When signals cannot be watched.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Sets up logging to standard error.
///
/// # Errors
/// When it was set up before.
pub fn log(config: &Log) -> anyhow::Result<()> {
    let filter = config.filter.parse::<EnvFilter>().context("log.filter")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let done = match config.format {
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    done.map_err(|error| anyhow::anyhow!("logging: {error}"))
}

/// On the first start, an admin token in a file that only its owner reads.
async fn admin_token(app: &App, state: &Path) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM token WHERE role = 'admin'")
        .fetch_one(app.house().store.read())
        .await?;
    if known > 0 {
        return Ok(());
    }
    let token = app.control.new_token("admin", Role::Admin).await?;
    let file = state.join("admin.token");
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut out| out.write_all(token.as_bytes()))
        .with_context(|| format!("the admin token cannot be written to {}", file.display()))?;
    println!("admin token: {}", file.display());
    Ok(())
}
