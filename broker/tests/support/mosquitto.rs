//! A real MQTT broker.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::MqttOptions;
use tempfile::TempDir;

use super::mqtt::{Client, SOON};

/// From one look to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A mosquitto of one test.
pub struct Mosquitto {
    program: PathBuf,
    dir: TempDir,
    pub port: u16,
    child: Child,
}

impl Mosquitto {
    /// Starts one that lets everybody in; `None`, with a line in the list of skipped tests, if it is not installed.
    pub fn start() -> Option<Self> {
        Self::with("allow_anonymous true\n")
    }

    /// Starts one with further settings; `{dir}` in them is its directory.
    pub fn with(settings: &str) -> Option<Self> {
        let Some(program) = installed() else {
            skip("mosquitto is not installed: apt-get install mosquitto");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = dir.path().display().to_string();
        // Without a user of its own, so that it may write here.
        let config = format!(
            "listener {port} 127.0.0.1\nuser root\npersistence true\npersistence_location {path}/\nlog_dest file {path}/log\n\
             log_type all\nmax_queued_messages 0\n{}",
            settings.replace("{dir}", &path)
        );
        std::fs::write(dir.path().join("conf"), config).unwrap();
        // Nobody's password is in it.
        std::fs::write(dir.path().join("passwords"), "").unwrap();
        let child = run(&program, &dir);
        let mosquitto = Self { program, dir, port, child };
        mosquitto.wait_until_it_listens();
        Some(mosquitto)
    }

    fn wait_until_it_listens(&self) {
        self.wait("it listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Ends it without a chance to save anything.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again at the same port.
    pub fn restart(&mut self) {
        self.child = run(&self.program, &self.dir);
        self.wait_until_it_listens();
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Lines of its log that contain a text.
    pub fn logged(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until its log has so many lines that contain a text.
    pub async fn wait_for_log(&self, text: &str, lines: usize) {
        let began = Instant::now();
        while self.logged(text) < lines {
            assert!(began.elapsed() < SOON, "{lines} times {text:?} not in:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub fn options(&self, client_id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, "127.0.0.1", self.port);
        options.set_keep_alive(Duration::from_secs(60)).set_max_packet_size(1 << 20, 1 << 20);
        options
    }

    pub async fn client(&self, client_id: &str) -> Client {
        let mut client = Client::open(self.options(client_id));
        client.connected().await;
        client
    }

    fn wait(&self, what: &str, so: impl Fn() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(began.elapsed() < SOON, "mosquitto: {what} not; its log:\n{}", self.log());
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port below those that systems give to clients: a client that looks for a broker at its old port can otherwise get
/// that very port for itself.
fn free_port() -> u16 {
    let first = std::process::id() as u16 % 10_000;
    let ports = (0..10_000).map(|step| 20_000 + (first + step) % 10_000);
    ports.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn run(program: &PathBuf, dir: &TempDir) -> Child {
    let conf = dir.path().join("conf");
    Command::new(program).arg("-c").arg(conf).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Debian keeps it where only root looks.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    dirs.map(|dir| dir.join("mosquitto")).find(|program| program.is_file())
}

/// Says that a test does not run here; under CI it must.
pub fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped under CI: {reason}");
    println!("skipped: {reason}");
    if let Some(list) = std::env::var_os("FETTLE_SKIPPED") {
        let list = std::fs::OpenOptions::new().append(true).create(true).open(list);
        // The list is for the closing line alone; the reason stands above.
        let _ = list.and_then(|mut list| writeln!(list, "{reason}"));
    }
}
