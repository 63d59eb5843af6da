use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::id::CommandId;

const ID: &str = "0190b6a4-0000-7000-8000-000000000001";

fn a_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        // A whole number is read back from JSON as Int, so keep a fraction.
        (-1_000_000_i32..1_000_000).prop_map(|n| Value::Double(f64::from(n) + 0.5)),
        "[a-z ]{0,12}".prop_map(Value::Text),
    ]
}

fn a_stamp() -> impl Strategy<Value = Stamp> {
    (any::<u64>(), any::<Option<u64>>(), any::<Option<i64>>(), any::<u64>(), any::<bool>()).prop_map(
        |(boot, seq, time, uptime_ms, is_historical)| Stamp {
            boot_id: BootId(boot),
            seq: seq.map(Seq),
            device_time_ms: time.map(DeviceTime),
            uptime_ms,
            is_historical,
        },
    )
}

fn some_readings() -> impl Strategy<Value = Vec<Reading>> {
    let key = prop_oneof!["[a-z_]{1,12}".prop_map(ReadingKey::Name), any::<u32>().prop_map(ReadingKey::Alias)];
    vec((key, a_value()).prop_map(|(key, value)| Reading { key, value }), 0..12)
}

fn an_uplink() -> impl Strategy<Value = (UplinkKind, Uplink)> {
    let id: CommandId = ID.parse().unwrap();
    let values = || btree_map("[a-z_]{1,8}", a_value(), 0..5);
    prop_oneof![
        (a_stamp(), some_readings())
            .prop_map(|(stamp, readings)| (UplinkKind::Telemetry, Uplink::Telemetry(Telemetry { stamp, readings }))),
        (a_stamp(), "[A-Z][0-9]", some_readings()).prop_map(|(stamp, code, readings)| (
            UplinkKind::Event,
            Uplink::Event(Event { stamp, code, severity: Severity::Error, text: "text".into(), readings })
        )),
        (a_stamp(), any::<u64>(), values()).prop_map(|(stamp, config_version, reported)| (
            UplinkKind::State,
            Uplink::State(State { stamp, config_version, reported })
        )),
        (a_stamp(), btree_map("[a-z]{1,6}", any::<u32>(), 0..4), any::<u64>()).prop_map(|(stamp, aliases, fence)| (
            UplinkKind::Birth,
            Uplink::Birth(Birth { stamp, model: "M".into(), aliases, fence: Fence(fence), ..Birth::default() })
        )),
        (a_stamp(), values()).prop_map(move |(stamp, measurements)| (
            UplinkKind::Result(id),
            Uplink::Result(CommandResult {
                stamp,
                command_id: id,
                phase: Phase::Finished,
                outcome: Outcome::Refused,
                reason: "child lock".into(),
                measurements,
            })
        )),
    ]
}

proptest! {
    #[test]
    fn both_encodings_read_back((kind, uplink) in an_uplink()) {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let bytes = encode(&uplink, encoding);
            // An all-default protobuf message is empty; it still decodes as protobuf.
            prop_assert_eq!(decode(&kind, &bytes).unwrap(), uplink.clone(), "{:?}", encoding);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), kind in 0..5) {
        let id: CommandId = ID.parse().unwrap();
        let kinds = [UplinkKind::Telemetry, UplinkKind::Event, UplinkKind::State, UplinkKind::Birth, UplinkKind::Result(id)];
        let _ = decode(&kinds[kind as usize], &bytes);
        let _ = decode_command(&bytes);
    }

    #[test]
    fn damaged_messages_do_not_panic((kind, uplink) in an_uplink(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let mut bytes = encode(&uplink, encoding);
            if !bytes.is_empty() {
                let index = at.index(bytes.len());
                bytes[index] = byte;
                let _ = decode(&kind, &bytes);
                bytes.truncate(index);
                let _ = decode(&kind, &bytes);
            }
        }
    }
}

#[track_caller]
fn check_error(kind: UplinkKind, payload: &[u8], field: &str, reason_has: &str) {
    let error = decode(&kind, payload).unwrap_err();
    assert_eq!(error.field, field, "{error}");
    assert!(error.reason.contains(reason_has), "{error}");
}

#[test]
fn errors_name_the_field() {
    check_error(UplinkKind::Telemetry, b"{", "payload", "EOF");
    check_error(UplinkKind::Telemetry, b"{}", "payload", "missing field `readings`");
    check_error(UplinkKind::Telemetry, br#"{"readings": {}} x"#, "payload", "trailing");
    check_error(UplinkKind::Telemetry, br#"{"readings": {"power_w": null}}"#, "readings", "power_w: expected a number");
    check_error(UplinkKind::Telemetry, b"\xff\xff\xff", "payload", "neither JSON");
    check_error(UplinkKind::Event, br#"{"severity": "error"}"#, "payload", "missing field `code`");
}

#[test]
fn a_result_must_fit_its_topic() {
    let other: CommandId = "0190b6a4-0000-7000-8000-000000000002".parse().unwrap();
    let payload = format!(r#"{{"command_id": "{ID}", "phase": "finished", "outcome": "succeeded"}}"#);
    check_error(UplinkKind::Result(other), payload.as_bytes(), "command_id", "but the topic says");
}

#[test]
fn commands_read_back_and_hash_their_body() {
    let arguments = ValueMap::from([("offset_c".to_owned(), Value::Double(0.5))]);
    let command = Command {
        command_id: ID.parse().unwrap(),
        fence: Fence(7),
        not_after_ms: DeviceTime(1_000),
        body_hash: crate::body_hash("calibrate", &arguments),
        expected_config_version: Some(3),
        action: "calibrate".into(),
        arguments,
    };
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let bytes = encode(&Downlink::Command(command.clone()), encoding);
        assert_eq!(decode_command(&bytes).unwrap(), command);
    }
    let moved = ValueMap::from([("offset_".to_owned(), Value::Text("c".into()))]);
    assert_ne!(crate::body_hash("calibrate", &moved), command.body_hash);
}
