//! Who may connect, as a real client meets it: claims, service accounts, blocked devices, certificates made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use fettle_tests::{Gateway, binary, wait_for};
use rumqttc::{
    Client, ConnectReturnCode, Connection, ConnectionError, Event, MqttOptions, Packet, QoS, SubscribeReasonCode,
};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(20);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Somebody who is connected.
struct Connected {
    client: Client,
    connection: Connection,
}

/// Logs in with a user name that is the client id too; the inner error is the CONNACK's code.
fn connect(gateway: &Gateway, name: &str, password: &str) -> Result<Connected, ConnectReturnCode> {
    let mut options = MqttOptions::new(name, gateway.mqtt.ip().to_string(), gateway.mqtt.port());
    options.set_credentials(name, password);
    let (client, mut connection) = Client::new(options, 16);
    match connection.iter().next().unwrap() {
        Ok(Event::Incoming(Packet::ConnAck(_))) => Ok(Connected { client, connection }),
        Err(ConnectionError::ConnectionRefused(code)) => Err(code),
        other => panic!("neither in nor refused: {other:?}"),
    }
}

impl Connected {
    /// Reads packets until one is wanted.
    fn until<T>(&mut self, wanted: impl Fn(Packet) -> Option<T>) -> T {
        let mut incoming = self.connection.iter().filter_map(|event| match event.unwrap() {
            Event::Incoming(packet) => wanted(packet),
            Event::Outgoing(_) => None,
        });
        incoming.next().unwrap()
    }

    fn publish(&mut self, id: &str, seq: u32, room_temp_c: f64) {
        let message = json!({"boot_id": 1, "seq": seq, "readings": {"room_temp_c": room_temp_c}});
        let topic = format!("ag/v1/home/{id}/tlm");
        self.client.publish(topic, QoS::AtLeastOnce, false, message.to_string()).unwrap();
        self.until(|packet| matches!(packet, Packet::PubAck(_)).then_some(()));
    }

    /// Whether a subscription was granted.
    fn subscribe(&mut self, filter: &str) -> bool {
        self.client.subscribe(filter, QoS::AtMostOnce).unwrap();
        self.until(|packet| match packet {
            Packet::SubAck(answer) => Some(answer.return_codes != [SubscribeReasonCode::Failure]),
            _ => None,
        })
    }
}

fn claim(gateway: &Gateway) -> String {
    let (status, ticket) =
        gateway.post("/api/v1/claims", &json!({"tenant": "home", "type": "split-ac", "area": "north"})).unwrap();
    assert_eq!(status, 201, "{ticket}");
    ticket["claim"].as_str().unwrap().to_owned()
}

fn temperature(gateway: &Gateway, id: &str) -> anyhow::Result<Value> {
    Ok(gateway.get(&format!("/api/v1/devices/{id}"))?["readings"]["room_temp_c"]["value"].clone())
}

#[test]
fn a_device_with_a_claim_registers_itself_once() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let claim = claim(&gateway);
    let first = format!("claim:{claim}:{TOKEN}");
    connect(&gateway, "AC-1", &first).unwrap().publish("AC-1", 1, 21.5);
    wait_for("its reading", WAIT, || Ok((temperature(&gateway, "AC-1")? == 21.5).then_some(()))).unwrap();
    assert_eq!(gateway.get("/api/v1/devices/AC-1").unwrap()["area"], "north");

    // Somebody else comes too late; the device itself may come again, also after a crash.
    assert!(connect(&gateway, "AC-2", &first).is_err());
    wait_for("the refusal on record", WAIT, || {
        Ok(gateway.get("/api/v1/rejects")?.to_string().contains("used by AC-1").then_some(()))
    })
    .unwrap();
    let other_token = format!("claim:{claim}:{}", TOKEN.replace('0', "1"));
    assert!(connect(&gateway, "AC-1", &other_token).is_err());
    gateway.kill_9().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    connect(&gateway, "AC-1", &first).unwrap();
    connect(&gateway, "AC-1", TOKEN).unwrap().publish("AC-1", 2, 22.5);
    assert_eq!(gateway.get("/api/v1/devices").unwrap()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_service_account_hears_what_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let filters = json!({"filters": ["ag/v1/home/AC-1/#"]});
    let (status, login) = gateway.put("/api/v1/service-accounts/dashboard", &filters).unwrap();
    assert_eq!(status, 200, "{login}");
    let mut dashboard = connect(&gateway, "dashboard", login["password"].as_str().unwrap()).unwrap();
    assert!(dashboard.subscribe("ag/v1/home/AC-1/tlm"));
    assert!(!dashboard.subscribe("ag/v1/home/#"));
    assert!(!dashboard.subscribe("fettle/v1/#"));
    for (seq, id) in [(1, "AC-2"), (2, "AC-1")] {
        let password = gateway.register(&json!({"id": id, "tenant": "home", "type": "split-ac"})).unwrap();
        connect(&gateway, id, &password).unwrap().publish(id, seq, 20.0);
    }
    let heard = dashboard.until(|packet| match packet {
        Packet::Publish(publish) => Some(publish.topic),
        _ => None,
    });
    assert_eq!(heard, "ag/v1/home/AC-1/tlm");
    // A token of the API is no login for MQTT.
    assert!(connect(&gateway, "admin", &gateway.admin_token().unwrap()).is_err());
}

#[test]
fn a_blocked_device_is_refused_until_it_is_unblocked() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let device = json!({"id": "AC-1", "tenant": "home", "type": "split-ac", "password": "correct horse"});
    assert_eq!(gateway.post("/api/v1/devices", &device).unwrap().0, 201);
    connect(&gateway, "AC-1", "correct horse").unwrap();
    assert_eq!(connect(&gateway, "AC-1", "wrong horse!").err(), Some(ConnectReturnCode::BadUserNamePassword));
    assert_eq!(gateway.post("/api/v1/devices/AC-1/block", &json!({})).unwrap().0, 204);
    assert_eq!(connect(&gateway, "AC-1", "correct horse").err(), Some(ConnectReturnCode::NotAuthorized));
    assert_eq!(gateway.post("/api/v1/devices/AC-1/unblock", &json!({})).unwrap().0, 204);
    connect(&gateway, "AC-1", "correct horse").unwrap();
    let (_, login) = gateway.post("/api/v1/devices/AC-1/credentials", &json!({})).unwrap();
    assert!(connect(&gateway, "AC-1", "correct horse").is_err());
    connect(&gateway, "AC-1", login["password"].as_str().unwrap()).unwrap();
}

#[test]
fn openssl_agrees_with_our_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let out = Command::new(program).current_dir(dir.path()).args(arguments).output().unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let gateway = binary("gateway");
    let certs = |line: &str| {
        let words: Vec<&str> = ["certs"].into_iter().chain(line.split(' ')).collect();
        run(gateway.to_str().unwrap(), &words)
    };
    assert!(certs("init --name gateway.example.org").0);
    assert!(certs("issue AC-1 AC-2").0);
    assert!(certs("revoke AC-2").0);
    let verify = |purpose: &str, file: &str| {
        run(
            "openssl",
            &[
                "verify",
                "-crl_check",
                "-CAfile",
                "certs/ca.pem",
                "-CRLfile",
                "certs/crl.pem",
                "-purpose",
                purpose,
                file,
            ],
        )
    };
    assert!(verify("sslserver", "certs/server.pem").0);
    let (ok, text) = verify("sslclient", "certs/AC-1.pem");
    assert!(ok, "{text}");
    let (ok, text) = verify("sslclient", "certs/AC-2.pem");
    assert!(!ok && text.contains("revoked"), "{text}");
    assert!(!verify("sslserver", "certs/AC-1.pem").0);
    let (ok, text) = certs("init");
    assert!(!ok && text.contains("ca.pem exists"), "{text}");
}
