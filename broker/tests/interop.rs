//! The front with clients that others wrote: `mosquitto_pub` and `mosquitto_sub`, and Eclipse Paho for Python.
//!
//! `tests/run` puts Paho into `target/interop-venv`; `FETTLE_PYTHON` names another Python that has it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use broker::{DeviceMessage, Position, SendError, SessionEvent, TlsFiles, Transport};
use bytes::Bytes;
use firmware_proto::{CommandId, UplinkKind};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use support::mosquitto::skip;
use support::mqtt::{Running, SOON};
use support::{address, records, texts};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const TRANSPORTS: [Transport; 4] = [Transport::Tcp, Transport::Tls, Transport::WebSocket, Transport::SecureWebSocket];
const TLM: &str = "ag/v1/home/ac-1/tlm";
const DEATH: &str = "ag/v1/home/ac-1/death";
const COMMANDS: &str = "ag/v1/home/ac-1/cmd/req/+";
const COMMAND: &str = "ag/v1/home/ac-1/cmd/req/0190b6a4-0000-7000-8000-000000000001";
const ANSWER: &str = "ag/v1/home/ac-1/cmd/rsp/0190b6a4-0000-7000-8000-000000000001";

/// A front with all listeners, and what its clients need for TLS.
struct Site {
    run: Running,
    files: TempDir,
}

impl Site {
    async fn open() -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name);
        write_certificates(files.path());
        let tls = TlsFiles {
            certificate: path("server.pem"),
            key: path("server.key"),
            client_ca: Some(path("ca.pem")),
            crl: None,
            client_certificate_required: false,
        };
        Self { run: Running::over(&TRANSPORTS, Some(tls), |_| {}).await, files }
    }

    fn port(&self, transport: Transport) -> u16 {
        self.run.front.address(transport).unwrap().port()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn send(&self, payload: &str) -> Result<(), SendError> {
        self.run.downlinks.send(&address("ac-1").device, DeviceMessage::new(COMMAND, payload.to_owned()))
    }

    async fn comes_online(&mut self) {
        assert_eq!(self.run.event().await, SessionEvent::Online(address("ac-1")));
    }

    async fn goes_offline(&mut self) {
        assert_eq!(self.run.event().await, SessionEvent::Offline(address("ac-1")));
    }

    /// Texts of the journal from a position on, once so many are there.
    async fn texts(&self, from: u64, number: u64) -> Vec<String> {
        self.run.journalled(from + number).await;
        texts(&records(&self.run.journal, Position(from)).await)
    }
}

/// An authority, and what it issued to the server and to `ac-1`.
fn write_certificates(dir: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "interop authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(dir.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for (file, name) in [("server", "localhost"), ("ac-1", "ac-1")] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(dir.join(format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(dir.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
}

/// How a client gets in.
#[derive(Debug, Clone, Copy)]
enum By {
    Password,
    Certificate,
}

/// A Paho device in a process of its own; dropping it is its sudden death.
struct Paho {
    child: Child,
    orders: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl Paho {
    async fn start(python: &Path, site: &Site, version: u8, transport: Transport, by: By) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/paho_device.py");
        let mut command = Command::new(python);
        command.arg(script).args(["--version", &version.to_string(), "--port", &site.port(transport).to_string()]);
        if matches!(transport, Transport::WebSocket | Transport::SecureWebSocket) {
            command.arg("--websocket");
        }
        if matches!(transport, Transport::Tls | Transport::SecureWebSocket) {
            command.arg("--ca").arg(site.file("ca.pem"));
        }
        if matches!(by, By::Certificate) {
            command.arg("--cert").arg(site.file("ac-1.pem")).arg("--key").arg(site.file("ac-1.key"));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (orders, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, orders, events: BufReader::new(out).lines() }
    }

    /// Over plain TCP with a password.
    async fn plain(python: &Path, site: &Site, version: u8) -> Self {
        Self::start(python, site, version, Transport::Tcp, By::Password).await
    }

    async fn order(&mut self, order: Value) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    }

    /// What happens next, which must be this.
    async fn event(&mut self, name: &str) -> Value {
        let line = timeout(SOON, self.events.next_line()).await.expect("an event").unwrap().expect("Paho runs");
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["event"], name, "{event}");
        event
    }

    /// Connects as `ac-1` with what else there is to say, and is let in.
    async fn connect(&mut self, more: Value) -> Value {
        let mut order = json!({"do": "connect", "id": "ac-1", "user": "ac-1"});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.order(order).await;
        let connected = self.event("connected").await;
        assert_eq!(connected["code"], 0, "{connected}");
        connected
    }

    async fn subscribe(&mut self, filter: &str) -> Value {
        self.order(json!({"do": "subscribe", "filter": filter})).await;
        self.event("subscribed").await["codes"].take()
    }

    /// Publishes with QoS 1; the reason code of its PUBACK.
    async fn publish(&mut self, topic: &str, payload: &str, properties: Value) -> Value {
        self.order(json!({"do": "publish", "topic": topic, "payload": payload, "properties": properties})).await;
        self.event("published").await["code"].take()
    }

    async fn dies(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A Python that has Paho; without it the test is skipped.
async fn python() -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop-venv/bin/python");
    let python = std::env::var_os("FETTLE_PYTHON").map_or(installed, PathBuf::from);
    let tried = Command::new(&python).args(["-c", "import paho.mqtt.client"]).stderr(Stdio::null()).status().await;
    if tried.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    skip(&format!("{} has no paho-mqtt: tests/run installs it", python.display()));
    None
}

#[tokio::test]
async fn paho_speaks_both_versions_over_every_transport() {
    let Some(python) = python().await else { return };
    let mut site = Site::open().await;
    let mut journalled = 0;
    for version in [4, 5] {
        for (transport, by) in [
            (Transport::Tcp, By::Password),
            (Transport::Tls, By::Password),
            (Transport::Tls, By::Certificate),
            (Transport::WebSocket, By::Password),
            (Transport::SecureWebSocket, By::Certificate),
        ] {
            let what = format!("{version} {transport:?} {by:?}");
            println!("{what}");
            let mut paho = Paho::start(&python, &site, version, transport, by).await;
            paho.connect(if matches!(by, By::Certificate) { json!({"user": null}) } else { json!({}) }).await;
            assert_eq!(paho.publish(TLM, &what, json!(null)).await, 0);
            assert_eq!(paho.subscribe(COMMANDS).await, json!([1]));
            assert_eq!(
                paho.subscribe("ag/v1/home/ac-2/cmd/req/+").await,
                json!([if version == 5 { 0x87 } else { 0x80 }])
            );
            site.comes_online().await;
            let refused = site.run.event().await;
            assert!(matches!(refused, SessionEvent::Refused { reason: "filter", .. }), "{refused:?}");
            site.send("do").unwrap();
            let command = paho.event("message").await;
            assert_eq!(
                (&command["payload"], &command["qos"], &command["dup"]),
                (&json!("do"), &json!(1), &json!(false))
            );
            assert_eq!(paho.publish(ANSWER, "done", json!(null)).await, 0);
            paho.order(json!({"do": "unsubscribe", "filter": COMMANDS})).await;
            paho.event("unsubscribed").await;
            site.goes_offline().await;
            assert_eq!(site.send("x"), Err(SendError::NotSubscribed));
            paho.order(json!({"do": "disconnect"})).await;
            assert_eq!(paho.event("disconnected").await["code"], 0);
            assert_eq!(site.texts(journalled, 2).await, [what.as_str(), "done"]);
            journalled += 2;
        }
    }
    let id: CommandId = "0190b6a4-0000-7000-8000-000000000001".parse().unwrap();
    let found = records(&site.run.journal, Position(0)).await;
    assert_eq!(found.iter().filter(|record| record.kind == UplinkKind::Result(id)).count(), 10);
}

#[tokio::test]
async fn paho_reads_what_connack_offers_and_keeps_to_it() {
    let Some(python) = python().await else { return };
    let site = Site::open().await;
    let mut paho = Paho::plain(&python, &site, 5).await;
    let asks = json!({"SessionExpiryInterval": 0xffff_ffff_u32, "RequestResponseInformation": 1});
    let connected = paho.connect(json!({"id": "", "keepalive": 60_000, "window": 64, "properties": asks})).await;
    let offered = &connected["properties"];
    assert_eq!(offered["AssignedClientIdentifier"], "ac-1");
    assert_eq!(offered["ServerKeepAlive"], 2_400);
    assert_eq!(offered["ReceiveMaximum"], 64);
    assert_eq!(offered["MaximumPacketSize"], 65_536);
    assert_eq!(offered["TopicAliasMaximum"], 16);
    assert_eq!(offered["MaximumQoS"], 1);
    assert_eq!(offered["SessionExpiryInterval"], 86_400);
    assert_eq!(offered["ResponseInformation"], "ag/v1/home/ac-1/cmd/rsp/");
    // As many at once as are offered, while the disk is slow: none is refused.
    site.run.disk.hold();
    for number in 0..200 {
        paho.order(json!({"do": "publish", "topic": TLM, "payload": number.to_string()})).await;
    }
    site.run.disk.release();
    for _ in 0..200 {
        assert_eq!(paho.event("published").await["code"], 0);
    }
    let said: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(site.texts(0, 200).await, said);
    // An alias stands for its topic.
    assert_eq!(paho.publish(TLM, "named", json!({"TopicAlias": 3})).await, 0);
    assert_eq!(paho.publish("", "by alias", json!({"TopicAlias": 3})).await, 0);
    assert_eq!(site.texts(200, 2).await, ["named", "by alias"]);
}

#[tokio::test]
async fn paho_without_an_id() {
    let Some(python) = python().await else { return };
    let site = Site::open().await;
    for version in [4, 5] {
        let mut paho = Paho::plain(&python, &site, version).await;
        paho.connect(json!({"id": ""})).await;
        assert_eq!(paho.publish(TLM, "x", json!(null)).await, 0);
    }
}

#[tokio::test]
async fn paho_hears_why_it_is_refused() {
    let Some(python) = python().await else { return };
    let site = Site::open().await;
    let mut paho = Paho::plain(&python, &site, 5).await;
    paho.connect(json!({})).await;
    assert_eq!(paho.publish("ag/v1/home/ac-2/tlm", "x", json!(null)).await, 0x87);
    assert_eq!(paho.publish("elsewhere", "x", json!(null)).await, 0x90);
    assert_eq!(paho.publish(TLM, "no JSON", json!({"ContentType": "application/json"})).await, 0x99);
    assert_eq!(paho.publish(TLM, "taken", json!(null)).await, 0);
    // QoS 2, a retained message, one that is too large: these end the connection.
    let fatal = [
        (json!({"do": "publish", "topic": TLM, "payload": "x", "qos": 2}), 0x9b),
        (json!({"do": "publish", "topic": TLM, "payload": "x", "retain": true}), 0x9a),
        (json!({"do": "publish", "topic": TLM, "payload": "x".repeat(70_000)}), 0x95),
    ];
    for (order, code) in fatal {
        for version in [4, 5] {
            let mut paho = Paho::plain(&python, &site, version).await;
            paho.connect(json!({})).await;
            paho.order(order.clone()).await;
            let ended = paho.event("disconnected").await;
            assert!(version == 4 || ended["code"] == code, "{order:.99} {ended}");
        }
    }
    // The CONNECT itself; Paho puts the codes of MQTT 3.1.1 into words of MQTT 5.
    for version in [4, 5] {
        let mut paho = Paho::plain(&python, &site, version).await;
        paho.order(json!({"do": "connect", "id": "ac-1", "user": "stranger"})).await;
        assert_eq!(paho.event("connected").await["code"], 0x86);
    }
    assert_eq!(site.texts(0, 1).await, ["taken"]);
}

#[tokio::test]
async fn a_paho_that_dies_with_a_command_gets_it_again() {
    let Some(python) = python().await else { return };
    for version in [4, 5] {
        let mut site = Site::open().await;
        let lasting = json!({
            "clean": false, "manual_ack": true,
            "properties": if version == 5 { json!({"SessionExpiryInterval": 600}) } else { json!(null) },
        });
        let mut paho = Paho::plain(&python, &site, version).await;
        assert_eq!(paho.connect(lasting.clone()).await["present"], false);
        paho.subscribe(COMMANDS).await;
        site.comes_online().await;
        site.send("do").unwrap();
        let first = paho.event("message").await;
        assert_eq!(first["dup"], false);
        paho.dies().await;
        site.goes_offline().await;

        let mut paho = Paho::plain(&python, &site, version).await;
        assert_eq!(paho.connect(lasting.clone()).await["present"], true);
        site.comes_online().await;
        let again = paho.event("message").await;
        assert_eq!((&again["dup"], &again["mid"], &again["payload"]), (&json!(true), &first["mid"], &first["payload"]));
        paho.order(json!({"do": "ack", "mid": again["mid"]})).await;
        // Behind its acknowledgement, in order.
        assert_eq!(paho.publish(ANSWER, "done", json!(null)).await, 0);
        paho.dies().await;
        site.goes_offline().await;

        let mut paho = Paho::plain(&python, &site, version).await;
        assert_eq!(paho.connect(lasting).await["present"], true);
        site.comes_online().await;
        site.send("next").unwrap();
        assert_eq!(paho.event("message").await["payload"], "next", "and not what was acknowledged");
    }
}

#[tokio::test]
async fn paho_is_told_where_the_answer_goes_and_how_long_a_command_holds() {
    let Some(python) = python().await else { return };
    let mut site = Site::open().await;
    let device = address("ac-1").device;
    for version in [4, 5] {
        let mut paho = Paho::plain(&python, &site, version).await;
        paho.connect(json!({})).await;
        paho.subscribe(COMMANDS).await;
        site.comes_online().await;
        let message = |payload: &'static str, seconds| DeviceMessage {
            expires: Some(Instant::now() + Duration::from_secs(seconds)),
            answer: Some((ANSWER.to_owned(), Bytes::from("no. 7"))),
            ..DeviceMessage::new(COMMAND, payload)
        };
        site.run.downlinks.send(&device, message("over", 0)).unwrap();
        site.run.downlinks.send(&device, message("holds", 90)).unwrap();
        let command = paho.event("message").await;
        assert_eq!(command["payload"], "holds");
        let told = &command["properties"];
        if version == 5 {
            let left = told["MessageExpiryInterval"].as_u64().unwrap();
            assert!((60..=90).contains(&left), "{left}");
            assert_eq!(told["ResponseTopic"], ANSWER);
            assert_eq!(told["CorrelationData"], "6e6f2e2037", "in hexadecimal");
        }
        assert_eq!(paho.publish(ANSWER, "done", json!(null)).await, 0);
        paho.dies().await;
        site.goes_offline().await;
    }
}

#[tokio::test]
async fn the_limits_that_paho_sets_are_kept() {
    let Some(python) = python().await else { return };
    let mut site = Site::open().await;
    let mut paho = Paho::plain(&python, &site, 5).await;
    let limits = json!({"ReceiveMaximum": 2, "MaximumPacketSize": 300});
    paho.connect(json!({"manual_ack": true, "properties": limits})).await;
    paho.subscribe(COMMANDS).await;
    site.comes_online().await;
    assert_eq!(site.send(&"x".repeat(300)), Err(SendError::TooLarge));
    for number in 0..4 {
        site.send(&number.to_string()).unwrap();
    }
    let (first, second) = (paho.event("message").await, paho.event("message").await);
    assert_eq!((&first["payload"], &second["payload"]), (&json!("0"), &json!("1")));
    // The answer to a message of its own comes before a third command.
    assert_eq!(paho.publish(TLM, "x", json!(null)).await, 0);
    paho.order(json!({"do": "ack", "mid": first["mid"]})).await;
    assert_eq!(paho.event("message").await["payload"], "2");
}

#[tokio::test]
async fn a_paho_that_pings_is_kept_and_one_that_dies_leaves_its_will() {
    let Some(python) = python().await else { return };
    for version in [4, 5] {
        let site = Site::open().await;
        let will = json!({"topic": DEATH, "payload": "gone"});
        let mut paho = Paho::plain(&python, &site, version).await;
        paho.connect(json!({"keepalive": 1, "will": will})).await;
        // Three times as long as the front would wait without a ping.
        let silent = timeout(Duration::from_millis(4_500), paho.events.next_line()).await;
        assert!(silent.is_err(), "{silent:?}");
        assert_eq!(paho.publish(TLM, "alive", json!(null)).await, 0);
        paho.dies().await;
        assert_eq!(site.texts(0, 2).await, ["alive", "gone"]);
    }
}

#[tokio::test]
async fn the_will_of_paho_waits_for_its_delay() {
    let Some(python) = python().await else { return };
    let mut site = Site::open().await;
    let with_delay = |seconds: u32| {
        let will =
            json!({"topic": DEATH, "payload": seconds.to_string(), "properties": {"WillDelayInterval": seconds}});
        json!({"clean": false, "will": will, "properties": {"SessionExpiryInterval": 600}})
    };
    // Back in time: nobody died.
    let mut paho = Paho::plain(&python, &site, 5).await;
    paho.connect(with_delay(300)).await;
    paho.subscribe(COMMANDS).await;
    site.comes_online().await;
    paho.dies().await;
    site.goes_offline().await;
    let mut paho = Paho::plain(&python, &site, 5).await;
    assert_eq!(paho.connect(with_delay(1)).await["present"], true);
    site.comes_online().await;
    let began = Instant::now();
    paho.dies().await;
    assert_eq!(site.texts(0, 1).await, ["1"]);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

/// A mosquitto client of `ac-1`; `None` if it is not installed.
fn mosquitto(name: &str, site: &Site, version: &str, transport: Transport, by: By) -> Option<Command> {
    let installed = std::process::Command::new(name).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if installed.is_err() {
        skip(&format!("{name} is not installed: apt-get install mosquitto-clients"));
        return None;
    }
    let mut command = Command::new(name);
    command.args(["-h", "localhost", "-V", version, "-i", "ac-1", "-q", "1"]);
    command.args(["-p", &site.port(transport).to_string()]);
    if transport == Transport::Tls {
        command.arg("--cafile").arg(site.file("ca.pem"));
    }
    match by {
        By::Password => command.args(["-u", "ac-1", "-P", "secret"]),
        By::Certificate => command.arg("--cert").arg(site.file("ac-1.pem")).arg("--key").arg(site.file("ac-1.key")),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Some(command)
}

const VERSIONS: [&str; 2] = ["mqttv311", "mqttv5"];

/// mosquitto's clients speak no WebSocket.
const MOSQUITTO: [(Transport, By); 3] =
    [(Transport::Tcp, By::Password), (Transport::Tls, By::Password), (Transport::Tls, By::Certificate)];

/// What a client said before it ended by itself: its standard output, its complaints, and whether it was content.
async fn finished(child: Child) -> (String, String, bool) {
    let output = timeout(SOON, child.wait_with_output()).await.expect("it ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.success())
}

#[tokio::test]
async fn mosquitto_publishes() {
    let site = Site::open().await;
    let mut before = 0;
    for version in VERSIONS {
        for (transport, by) in MOSQUITTO {
            let Some(mut command) = mosquitto("mosquitto_pub", &site, version, transport, by) else { return };
            let mut child = command.args(["-t", TLM, "-l"]).stdin(Stdio::piped()).spawn().unwrap();
            let said: Vec<_> = (0..100).map(|number| format!("{version} {transport:?} {by:?} {number}")).collect();
            let mut lines = child.stdin.take().unwrap();
            lines.write_all(format!("{}\n", said.join("\n")).as_bytes()).await.unwrap();
            drop(lines);
            let (_, complaints, content) = finished(child).await;
            assert!(content, "{complaints}");
            assert_eq!(site.texts(before, 100).await, said);
            before += 100;
        }
    }
}

#[tokio::test]
async fn mosquitto_hears_why_it_is_refused() {
    let site = Site::open().await;
    for (more, complaint) in [
        (["-t", "ag/v1/home/ac-2/tlm", "-m", "x"], "Not authorized"),
        (["-t", "elsewhere", "-m", "x"], "Topic Name invalid"),
    ] {
        let Some(mut command) = mosquitto("mosquitto_pub", &site, "mqttv5", Transport::Tcp, By::Password) else {
            return;
        };
        let (_, complaints, _) = finished(command.args(more).spawn().unwrap()).await;
        assert!(complaints.contains(complaint), "{complaints}");
    }
    for version in VERSIONS {
        let Some(mut command) = mosquitto("mosquitto_pub", &site, version, Transport::Tcp, By::Password) else {
            return;
        };
        let (_, complaints, content) =
            finished(command.args(["-u", "stranger", "-t", TLM, "-m", "x"]).spawn().unwrap()).await;
        assert!(!content && !complaints.is_empty(), "{complaints}");
        let Some(mut command) = mosquitto("mosquitto_sub", &site, version, Transport::Tcp, By::Password) else {
            return;
        };
        let (_, complaints, _) = finished(command.args(["-t", "ag/v1/home/ac-2/err"]).spawn().unwrap()).await;
        assert!(complaints.contains("denied"), "{complaints}");
    }
    assert_eq!(site.run.journal.end(), Position(0));
}

#[tokio::test]
async fn mosquitto_takes_commands_and_leaves_its_will() {
    let mut site = Site::open().await;
    let mut before = 0;
    for version in VERSIONS {
        for (transport, by) in MOSQUITTO {
            let Some(mut command) = mosquitto("mosquitto_sub", &site, version, transport, by) else { return };
            command.args(["-t", COMMANDS, "-C", "2", "-F", "%t %q %p %R %D"]);
            let child = command.spawn().unwrap();
            site.comes_online().await;
            let answer = Some((ANSWER.to_owned(), Bytes::from("7")));
            let message = DeviceMessage { answer, ..DeviceMessage::new(COMMAND, "one") };
            site.run.downlinks.send(&address("ac-1").device, message).unwrap();
            site.send("two").unwrap();
            let (heard, complaints, content) = finished(child).await;
            assert!(content, "{complaints}");
            let told = if version == "mqttv5" { format!("{ANSWER} 7") } else { " ".to_owned() };
            assert_eq!(heard, format!("{COMMAND} 1 one {told}\n{COMMAND} 1 two  \n"));
            site.goes_offline().await;

            let Some(mut command) = mosquitto("mosquitto_sub", &site, version, transport, by) else { return };
            command.args(["-t", COMMANDS, "--will-topic", DEATH, "--will-payload", "gone", "--will-qos", "1"]);
            let mut child = command.spawn().unwrap();
            site.comes_online().await;
            child.kill().await.unwrap();
            site.goes_offline().await;
            assert_eq!(site.texts(before, 1).await, ["gone"]);
            before += 1;
        }
    }
}

#[tokio::test]
async fn a_session_of_mosquitto_keeps_its_command() {
    for version in VERSIONS {
        let mut site = Site::open().await;
        let Some(mut command) = mosquitto("mosquitto_sub", &site, version, Transport::Tcp, By::Password) else {
            return;
        };
        let lasting = ["-c", "-t", COMMANDS, "-F", "%p"];
        let mut child = command.args(lasting).spawn().unwrap();
        site.comes_online().await;
        // Stopped, it acknowledges nothing.
        let pid = child.id().unwrap().to_string();
        let stopped = Command::new("kill").args(["-STOP", &pid]).status().await.unwrap();
        assert!(stopped.success());
        site.send("do").unwrap();
        // While another device is served, the command is written.
        site.run.still_serves().await;
        child.kill().await.unwrap();
        site.goes_offline().await;
        let Some(mut command) = mosquitto("mosquitto_sub", &site, version, Transport::Tcp, By::Password) else {
            return;
        };
        let (heard, complaints, content) = finished(command.args(lasting).args(["-C", "1"]).spawn().unwrap()).await;
        assert!(content, "{complaints}");
        assert_eq!(heard, "do\n");
    }
}

#[tokio::test]
async fn a_dashboard_made_of_mosquitto_hears_what_is_retained() {
    let site = Site::open().await;
    for version in VERSIONS {
        let Some(mut command) = mosquitto("mosquitto_sub", &site, version, Transport::Tls, By::Password) else {
            return;
        };
        command.args(["-u", "svc", "-t", "ag/v1/home/+/birth", "-C", "2", "-F", "%t %r %p"]);
        let (heard, complaints, content) = finished(command.spawn().unwrap()).await;
        assert!(content, "{complaints}");
        assert_eq!(heard, "ag/v1/home/ac-1/birth 1 ac-1\nag/v1/home/ac-2/birth 1 ac-2\n");
    }
}
