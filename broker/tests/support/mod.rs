//! Shared by the tests of the broker.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod byhand;
pub mod disk;
pub mod forgetful;
pub mod mosquitto;
pub mod mqtt;
pub mod mqtt5;
pub mod packets;
pub mod siege;
pub mod tls;

use broker::{Entry, Journal, Position, Record};
use bytes::Bytes;
use firmware_proto::{DeviceAddress, ServerTime, UplinkKind};

pub fn address(device: &str) -> DeviceAddress {
    DeviceAddress { tenant: "home".parse().unwrap(), device: device.parse().unwrap() }
}

pub fn entry(device: &str, payload: impl Into<Bytes>) -> Entry {
    Entry {
        received: ServerTime(1_000),
        address: address(device),
        kind: UplinkKind::Telemetry,
        payload: payload.into(),
    }
}

/// All durable records from `from` on.
pub async fn records(journal: &Journal, from: Position) -> Vec<Record> {
    let end = journal.end();
    let mut reader = journal.reader(from).unwrap();
    let mut records = Vec::new();
    while reader.position() < end {
        records.extend(reader.next_batch(1_000).await.unwrap());
    }
    records
}

pub fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.payload).into_owned()).collect()
}
