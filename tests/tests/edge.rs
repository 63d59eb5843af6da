//! The MQTT edge as people meet it: `gateway certs`, TLS with Debian's clients, revocation without a restart, and a
//! gateway that is the client of a cluster.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use fettle_tests::{Gateway, Running, binary, skip, wait_for};
use rumqttc::{Client, ConnectReturnCode, Connection, ConnectionError, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(20);

fn certs(dir: &Path, line: &str) -> Output {
    Command::new(binary("gateway")).current_dir(dir).arg("certs").args(line.split(' ')).output().unwrap()
}

/// A gateway with TLS by the certificates of `gateway certs init`, as its printed lines say.
fn with_tls(dir: &Path) -> Gateway {
    let made = certs(dir, "init --name localhost");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = String::from_utf8(made.stdout).unwrap();
    let table = &said[said.find("[mqtt.tls]").expect("the lines for gateway.toml")..];
    let table: String =
        table.lines().take_while(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect();
    let table = table.replace("0.0.0.0:8883", "127.0.0.1:0");
    let at = dir.join("certs").display().to_string();
    let config = if table.contains(&at) { table } else { table.replace("\"certs", &format!("\"{at}")) };
    let gateway = Gateway::start(&dir.join("state"), &config).unwrap();
    for id in ["AC-1", "AC-2"] {
        gateway.register(&json!({"id": id, "tenant": "home", "type": "split-ac"})).unwrap();
    }
    gateway
}

fn publish(dir: &Path, to: SocketAddr, certificate: &str, id: &str, version: &str, seq: u32) -> Output {
    let message = json!({"boot_id": 1, "seq": seq, "readings": {"room_temp_c": 20.0 + f64::from(seq)}}).to_string();
    Command::new("mosquitto_pub")
        .current_dir(dir.join("certs"))
        .args(["-h", "localhost", "-p", &to.port().to_string(), "-V", version, "-i", id, "-q", "1"])
        .args(["--cafile", "ca.pem", "--cert", &format!("{certificate}.pem"), "--key", &format!("{certificate}.key")])
        .args(["-t", &format!("ag/v1/home/{id}/tlm"), "-m", &message])
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!("{} {}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn temperature(gateway: &Gateway, id: &str) -> anyhow::Result<Value> {
    Ok(gateway.get(&format!("/api/v1/devices/{id}"))?["readings"]["room_temp_c"]["value"].clone())
}

#[test]
fn mutual_tls_in_one_command_and_revocation_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = with_tls(dir.path());
    let mqtts = gateway.address("mqtts").unwrap();
    assert!(certs(dir.path(), "issue AC-1 AC-2").status.success());
    for (seq, version) in [(1, "mqttv311"), (2, "mqttv5")] {
        let sent = publish(dir.path(), mqtts, "AC-1", "AC-1", version, seq);
        assert!(sent.status.success(), "{}", text(&sent));
    }
    wait_for("the reading", WAIT, || Ok((temperature(&gateway, "AC-1")? == 22.0).then_some(()))).unwrap();
    // The client id must be whom the certificate names.
    for version in ["mqttv311", "mqttv5"] {
        let sent = publish(dir.path(), mqtts, "AC-1", "AC-2", version, 3);
        assert!(!sent.status.success(), "{}", text(&sent));
    }
    assert!(certs(dir.path(), "revoke AC-1").status.success());
    wait_for("the revoked certificate to be refused", WAIT, || {
        Ok((!publish(dir.path(), mqtts, "AC-1", "AC-1", "mqttv5", 4).status.success()).then_some(()))
    })
    .unwrap();
    let sent = publish(dir.path(), mqtts, "AC-2", "AC-2", "mqttv5", 5);
    assert!(sent.status.success(), "others are not affected: {}", text(&sent));
    // A certificate file that is nonsense is said, and does no harm.
    std::fs::write(dir.path().join("certs/server.pem"), "nonsense").unwrap();
    wait_for("health to say so", WAIT, || {
        // It answers 503 then.
        let mut answer =
            ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build())
                .get(format!("http://{}/api/v1/health", gateway.http))
                .call()?;
        Ok(answer.body_mut().read_to_string()?.contains("server.pem").then_some(()))
    })
    .unwrap();
    let sent = publish(dir.path(), mqtts, "AC-2", "AC-2", "mqttv5", 6);
    assert!(sent.status.success(), "{}", text(&sent));
}

/// The next packet that is wanted; `None` once the connection has ended.
fn next<T>(connection: &mut Connection, wanted: impl Fn(Packet) -> Option<T>) -> Option<T> {
    let incoming = connection.iter().map_while(Result::ok);
    incoming.filter_map(|event| if let Event::Incoming(packet) = event { wanted(packet) } else { None }).next()
}

#[test]
fn whoever_is_blocked_is_disconnected_and_a_dashboard_hears_what_was_said_last() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let password = gateway.register(&json!({"id": "AC-1", "tenant": "home", "type": "split-ac"})).unwrap();
    let mut options = MqttOptions::new("AC-1", "127.0.0.1", gateway.mqtt.port());
    options.set_credentials("AC-1", &password);
    let (client, mut connection) = Client::new(options.clone(), 16);
    let birth = json!({"boot_id": 7, "seq": 1, "model": "AC-35", "firmware": "2.1.0"}).to_string();
    client.publish("ag/v1/home/AC-1/birth", QoS::AtLeastOnce, false, birth).unwrap();
    assert!(next(&mut connection, |packet| matches!(packet, Packet::PubAck(_)).then_some(())).is_some());

    let filters = json!({"filters": ["ag/v1/home/#"]});
    let (_, login) = gateway.put("/api/v1/service-accounts/dashboard", &filters).unwrap();
    wait_for("the birth, retained", WAIT, || {
        let heard = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &gateway.mqtt.port().to_string(), "-u", "dashboard"])
            .args(["-P", login["password"].as_str().unwrap()])
            .args(["-t", "ag/v1/home/+/birth", "-C", "1", "-W", "2", "-F", "%r %t %p"])
            .output()?;
        let heard = String::from_utf8(heard.stdout)?;
        Ok((heard.starts_with("1 ag/v1/home/AC-1/birth") && heard.contains("2.1.0")).then_some(()))
    })
    .unwrap();

    assert_eq!(gateway.post("/api/v1/devices/AC-1/block", &json!({})).unwrap().0, 204);
    assert_eq!(next(&mut connection, Some), None, "it is disconnected");
    let (_client, mut connection) = Client::new(options, 16);
    let refused = connection.iter().next().unwrap();
    let refused = matches!(refused, Err(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized)));
    assert!(refused, "and refused when it comes back");
}

#[test]
fn a_gateway_can_be_the_client_of_a_cluster() {
    let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let Some(program) = program.into_iter().find(|path| Path::new(path).exists()) else {
        return skip("mosquitto is not installed: apt-get install mosquitto");
    };
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = dir.path().join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")).unwrap();
    let _cluster = Running::start(Command::new(program).arg("-c").arg(&config)).unwrap();
    wait_for("the cluster", WAIT, || Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))).unwrap();
    let config = format!(
        "[mqtt.external]\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"fettle-1\"\nfilters = [\"ag/v1/home/#\", \"ag/v1/office/#\"]\n"
    );
    let gateway = Gateway::start(&dir.path().join("state"), &config).unwrap();
    gateway.register(&json!({"id": "AC-1", "tenant": "home", "type": "split-ac"})).unwrap();
    let message = json!({"boot_id": 1, "seq": 1, "readings": {"room_temp_c": 23.5}}).to_string();
    wait_for("the reading", WAIT, || {
        // Until the gateway has subscribed, the cluster has nobody to give it to.
        let sent = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1"])
            .args(["-t", "ag/v1/home/AC-1/tlm", "-m", &message])
            .status()?;
        anyhow::ensure!(sent.success(), "{sent}");
        Ok((temperature(&gateway, "AC-1")? == 23.5).then_some(()))
    })
    .unwrap();
    // A device of one tenant does not speak for another, whatever the cluster lets it publish.
    let sent = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", "ag/v1/office/AC-1/tlm", "-m"])
        .arg(json!({"boot_id": 1, "seq": 2, "readings": {"room_temp_c": 99.5}}).to_string())
        .status()
        .unwrap();
    assert!(sent.success(), "{sent}");
    wait_for("the refusal", WAIT, || {
        Ok(gateway.get("/api/v1/rejects")?.to_string().contains("AC-1 is not of office").then_some(()))
    })
    .unwrap();
    assert_eq!(temperature(&gateway, "AC-1").unwrap(), 23.5);
    let health = gateway.get("/api/v1/health").unwrap();
    assert!(health.to_string().contains("\"cluster\""), "{health}");
}
