//! What end-to-end tests share: the real binaries, their addresses, and waiting for conditions.
//!
//! Tests run against the release binaries beside the test executable; `tests/run` builds them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use ureq::RequestBuilder;
use ureq::typestate::WithBody;

/// Longest start of a gateway, recovery included: the bar is 3 s, a busy machine gets more.
const START: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Path of one of the project's binaries.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    let path = profile.join(name);
    assert!(path.exists(), "{} is missing: cargo build --release --workspace --bins", path.display());
    path
}

/// A running `gateway serve`.
pub struct Gateway {
    child: Child,
    state: PathBuf,
    /// What it said it listens on.
    listening: String,
    /// Where devices connect.
    pub mqtt: SocketAddr,
    /// REST.
    pub http: SocketAddr,
    /// gRPC.
    pub grpc: SocketAddr,
}

impl Gateway {
    /// Starts it on free ports and waits until it listens. `config` is TOML in addition.
    ///
    /// # Errors
    /// When it ends or says nothing.
    pub fn start(state: &Path, config: &str) -> anyhow::Result<Self> {
        let any: SocketAddr = "127.0.0.1:0".parse()?;
        Self::start_on(state, config, any)
    }

    /// As [`Gateway::start`], with the MQTT address given, so that devices find it again.
    ///
    /// # Errors
    /// When it ends or says nothing.
    pub fn start_on(state: &Path, config: &str, mqtt: SocketAddr) -> anyhow::Result<Self> {
        std::fs::create_dir_all(state)?;
        let file = state.join("gateway.toml");
        std::fs::write(&file, config)?;
        let mut child = Command::new(binary("gateway"))
            .arg("serve")
            .args(["--config".as_ref(), file.as_os_str()])
            .args(["--state".as_ref(), state.as_os_str()])
            .args(["--mqtt", &mqtt.to_string(), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("stdout is piped")?;
        let started = Instant::now();
        for line in BufReader::new(out).lines() {
            let line = line?;
            if let Some(addresses) = line.strip_prefix("listening: ") {
                return Self::listening(child, state, addresses);
            }
            ensure!(started.elapsed() < START, "the gateway does not listen after {START:?}");
        }
        bail!("the gateway ended before it listened: {:?}", child.wait()?)
    }

    fn listening(child: Child, state: &Path, addresses: &str) -> anyhow::Result<Self> {
        Ok(Self {
            mqtt: address_in(addresses, "mqtt")?,
            http: address_in(addresses, "http")?,
            grpc: address_in(addresses, "grpc")?,
            child,
            state: state.to_owned(),
            listening: addresses.to_owned(),
        })
    }

    /// Another address it listens on: `mqtts`, `ws` or `wss`.
    ///
    /// # Errors
    /// When it does not.
    pub fn address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        address_in(&self.listening, name)
    }

    /// The admin token of the first start.
    ///
    /// # Errors
    /// When there is none.
    pub fn admin_token(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(self.state.join("admin.token")).context("the admin token")
    }

    /// Reads from the API.
    ///
    /// # Errors
    /// When the answer is not 200 with JSON.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let text = self.get_text(path)?;
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// When the answer is not 200.
    pub fn get_text(&self, path: &str) -> anyhow::Result<String> {
        Ok(ureq::get(self.url(path)).call()?.body_mut().read_to_string()?)
    }

    /// Asks the API for something, as admin; returns status and answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.ask(agent().post(self.url(path)), body)
    }

    /// Puts something, as admin; returns status and answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn put(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.ask(agent().put(self.url(path)), body)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    fn ask(&self, request: RequestBuilder<WithBody>, body: &Value) -> anyhow::Result<(u16, Value)> {
        let token = format!("Bearer {}", self.admin_token()?);
        let mut answer = request.header("Authorization", token).send_json(body)?;
        let text = answer.body_mut().read_to_string()?;
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        Ok((answer.status().as_u16(), value))
    }

    /// Registers a device and returns its MQTT password.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub fn register(&self, device: &Value) -> anyhow::Result<String> {
        let (status, answer) = self.post("/api/v1/devices", device)?;
        let password = answer["password"].as_str().with_context(|| format!("{status}: {answer}"))?;
        Ok(password.to_owned())
    }

    /// A counter of `/metrics`, all its labels added up; 0 if it has not been counted yet.
    ///
    /// # Errors
    /// When metrics cannot be read.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.get_text("/metrics")?;
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        Ok(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Ends it as a crash would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_9(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it with SIGTERM and returns its exit code and how long that took.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn terminate(mut self) -> anyhow::Result<(Option<i32>, Duration)> {
        let asked = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill -TERM: {sent}");
        let status = self.child.wait()?;
        Ok((status.code(), asked.elapsed()))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address behind a name in the line that says what a gateway listens on.
fn address_in(line: &str, name: &str) -> anyhow::Result<SocketAddr> {
    let found = line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    found.with_context(|| format!("no {name} in {line:?}"))?.parse().map_err(Into::into)
}

/// Refusals are answers too.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// A child process that does not outlive its test.
pub struct Running(pub Child);

impl Running {
    /// Starts a command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks until something is so.
///
/// # Errors
/// When it is not so in time; `what` says what was waited for.
pub fn wait_for<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        let seen = look();
        if let Ok(Some(value)) = seen {
            return Ok(value);
        }
        if started.elapsed() > within {
            let last = seen.err().map_or_else(String::new, |error| format!("; last: {error:#}"));
            bail!("waited {within:?} for {what}{last}");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A folder of the recorded data: below `FETTLE_DATA`, or beside the project in `../shared/data`.
/// Where it is absent the test is skipped, says why, and fails under `CI=true`.
pub fn recorded_data(folder: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("FETTLE_DATA").map_or(beside, PathBuf::from);
    let dir = root.join(folder);
    if dir.is_dir() {
        return Some(dir);
    }
    skip(&format!("no recorded data in {}; FETTLE_DATA names another folder", dir.display()));
    None
}

/// Says that a test does not run here.
pub fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped under CI: {reason}");
    println!("skipped: {reason}");
    if let Some(list) = std::env::var_os("FETTLE_SKIPPED") {
        let list = std::fs::OpenOptions::new().append(true).create(true).open(list);
        // The list is for the closing line alone; the reason stands above.
        let _ = list.and_then(|mut list| writeln!(list, "{reason}"));
    }
}
