//! Whatever a sender does wrong is told to it, counted and kept; others do not notice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use fettle_tests::{Gateway, wait_for};
use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(20);

/// A device that speaks through a real MQTT client.
struct Speaker {
    client: Client,
    connection: Connection,
    id: String,
}

impl Speaker {
    fn connect(gateway: &Gateway, id: &str, password: &str) -> anyhow::Result<Self> {
        let mut options = MqttOptions::new(id, gateway.mqtt.ip().to_string(), gateway.mqtt.port());
        options.set_credentials(id, password);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, connection) = Client::new(options, 16);
        let mut speaker = Self { client, connection, id: id.to_owned() };
        speaker.until(|packet| matches!(packet, Packet::ConnAck(_)).then_some(()))?;
        Ok(speaker)
    }

    fn registered(gateway: &Gateway, id: &str) -> Self {
        let password = gateway.register(&json!({"id": id, "tenant": "home", "type": "split-ac"})).unwrap();
        let mut speaker = Self::connect(gateway, id, &password).unwrap();
        speaker.client.subscribe(format!("ag/v1/home/{id}/err"), QoS::AtLeastOnce).unwrap();
        speaker.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).unwrap();
        speaker
    }

    /// Reads packets until one is wanted.
    fn until<T>(&mut self, wanted: impl Fn(&Packet) -> Option<T>) -> anyhow::Result<T> {
        for event in self.connection.iter() {
            if let Event::Incoming(packet) = event?
                && let Some(found) = wanted(&packet)
            {
                return Ok(found);
            }
        }
        anyhow::bail!("the connection ended")
    }

    /// Publishes and returns what comes on `err`.
    fn told(&mut self, channel: &str, payload: impl Into<Vec<u8>>) -> Value {
        self.client
            .publish(format!("ag/v1/home/{}/{channel}", self.id), QoS::AtLeastOnce, false, payload.into())
            .unwrap();
        let answer = self.until(|packet| match packet {
            Packet::Publish(publish) => Some(publish.payload.to_vec()),
            _ => None,
        });
        serde_json::from_slice(&answer.unwrap()).unwrap()
    }

    fn acknowledged(&mut self, channel: &str, payload: impl Into<Vec<u8>>) {
        self.client
            .publish(format!("ag/v1/home/{}/{channel}", self.id), QoS::AtLeastOnce, false, payload.into())
            .unwrap();
        self.until(|packet| matches!(packet, Packet::PubAck(_)).then_some(())).unwrap();
    }

    /// Publishes somewhere and expects to be thrown out for it.
    fn thrown_out(mut self, topic: &str, payload: Vec<u8>) {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).unwrap();
        let answer = self.until(|packet| matches!(packet, Packet::PubAck(_)).then_some(()));
        assert!(answer.is_err(), "{topic} was acknowledged");
    }
}

#[track_caller]
fn check(rejection: &Value, field: &str, reason_has: &str) {
    assert_eq!(rejection["field"], field, "{rejection}");
    assert!(rejection["reason"].as_str().unwrap().contains(reason_has), "{rejection}");
}

#[test]
fn a_sender_hears_what_was_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let mut ac = Speaker::registered(&gateway, "AC-1");
    check(&ac.told("tlm", "{\"readings\": "), "readings", "EOF");
    check(
        &ac.told("tlm", r#"{"seq": 1, "readings": {"room_tmp_c": 20.0}}"#),
        "readings.room_tmp_c",
        "no such datapoint",
    );
    check(&ac.told("tlm", r#"{"seq": 2, "readings": {"room_temp_c": 2000.0}}"#), "readings.room_temp_c", "2000");
    check(&ac.told("tlm", r#"{"seq": 3, "readings": {"mode": 7}}"#), "readings.mode", "");
    check(
        &ac.told("tlm", r#"{"seq": 4, "device_time_ms": 9999999999999, "readings": {"mode": "cool"}}"#),
        "device_time_ms",
        "ahead",
    );
    check(&ac.told("tlm", r##"{"seq": 5, "readings": {"#7": 1.0}}"##), "readings.#7", "birth");
    let mixed = ac.told("tlm", r#"{"seq": 6, "readings": {"room_temp_c": 21.5, "nonsense": 1}}"#);
    check(&mixed, "readings.nonsense", "datapoint");
    assert_eq!(mixed["seq"], 6);
    ac.acknowledged("tlm", vec![0xff, 0xff, 0xff]);

    // The good reading beside the bad one was taken; the rejects are kept and counted.
    let device = wait_for("the good reading", WAIT, || {
        let device = gateway.get("/api/v1/devices/AC-1")?;
        Ok(device.to_string().contains("21.5").then_some(device))
    })
    .unwrap();
    assert!(!device["readings"].to_string().contains("2000"), "{device}");
    let rejects = wait_for("eight rejects", WAIT, || {
        let rejects = gateway.get("/api/v1/rejects")?;
        Ok((rejects.to_string().matches("AC-1").count() >= 8).then_some(rejects))
    })
    .unwrap();
    assert!(rejects.to_string().contains("room_tmp_c"), "{rejects}");
    assert!(gateway.metric("messages_rejected_total").unwrap() >= 8.0);
}

#[test]
fn nan_is_refused_by_name() {
    use firmware_proto::{Encoding, Reading, Stamp, Telemetry, Uplink, encode};
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let mut ac = Speaker::registered(&gateway, "AC-1");
    let readings = vec![Reading::named("room_temp_c", f64::NAN)];
    ac.acknowledged(
        "tlm",
        encode(&Uplink::Telemetry(Telemetry { stamp: Stamp::default(), readings }), Encoding::Protobuf),
    );
    let rejects = wait_for("the reject", WAIT, || {
        let rejects = gateway.get("/api/v1/rejects")?;
        Ok(rejects.to_string().contains("room_temp_c").then_some(rejects))
    });
    assert!(rejects.unwrap().to_string().contains("NaN"));
}

#[test]
fn who_does_not_belong_stays_out_and_others_do_not_notice() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let mut good = Speaker::registered(&gateway, "AC-1");
    assert!(Speaker::connect(&gateway, "AC-9", "whatever").is_err(), "an unknown device came in");
    assert!(Speaker::connect(&gateway, "AC-1", "wrong").is_err(), "a wrong password came in");
    Speaker::registered(&gateway, "AC-2").thrown_out("ag/v1/home/AC-1/tlm", b"{\"readings\": {}}".to_vec());
    Speaker::registered(&gateway, "AC-3").thrown_out("somewhere/else", b"{}".to_vec());
    Speaker::registered(&gateway, "AC-4").thrown_out("ag/v1/home/AC-4/tlm", vec![b' '; 200_000]);
    good.acknowledged("tlm", r#"{"seq": 1, "readings": {"room_temp_c": 22.0}}"#);
    assert!(gateway.metric("mqtt_refused_total").unwrap() >= 4.0);
    wait_for("the refusals on record", WAIT, || {
        let rejects = gateway.get("/api/v1/rejects")?.to_string();
        Ok(["AC-9", "credentials", "topic", "too_large"].iter().all(|part| rejects.contains(part)).then_some(()))
    })
    .unwrap();
}

#[test]
fn the_readmes_mosquitto_pub_works() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    let password = gateway.register(&json!({"id": "AC-1", "tenant": "home", "type": "split-ac"})).unwrap();
    let port = gateway.mqtt.port().to_string();
    let message =
        r#"{"boot_id": 1, "seq": 1, "readings": {"mode": "cool", "room_temp_c": 26.5, "compressor_hz": 45.0}}"#;
    for _ in 0..2 {
        let out = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &port, "-i", "AC-1", "-u", "AC-1", "-P", &password, "-q", "1"])
            .args(["-t", "ag/v1/home/AC-1/tlm", "-m", message])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    wait_for("the reading", WAIT, || {
        Ok(gateway.get("/api/v1/devices/AC-1")?.to_string().contains("26.5").then_some(()))
    })
    .unwrap();
    // Sent twice with one seq: stored once.
    let history = gateway.get("/api/v1/devices/AC-1/history?metric=room_temp_c&from_ms=0").unwrap();
    assert_eq!(history.to_string().matches("26.5").count(), 1, "{history}");
}
