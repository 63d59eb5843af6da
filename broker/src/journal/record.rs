//! Records to bytes and back.
//!
//! `received i64 · kind u8 · [command id, 16 bytes, for a result] · tenant (u8 length) · device (u8 length) ·
//! payload (u32 length)`, little endian. The position is not stored: a frame knows its first.

use bytes::{Buf, BufMut, Bytes};
use firmware_proto::{CommandId, DeviceAddress, ServerTime, UplinkKind};
use thiserror::Error;
use uuid::Uuid;

use super::{Entry, Position, Record};

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum RecordError {
    #[error("a record ends early")]
    Short,
    #[error("unknown message kind {0}")]
    Kind(u8),
    #[error("malformed {0} id")]
    Id(&'static str),
}

/// Bytes that [`encode`] writes.
pub(super) fn encoded_len(entry: &Entry) -> usize {
    let id = if matches!(entry.kind, UplinkKind::Result(_)) { 16 } else { 0 };
    8 + 1
        + id
        + 1
        + entry.address.tenant.as_str().len()
        + 1
        + entry.address.device.as_str().len()
        + 4
        + entry.payload.len()
}

/// Appends an entry to a batch. The payload must be shorter than 4 GiB, which the frame limit ensures.
pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    out.put_i64_le(entry.received.ms());
    match &entry.kind {
        UplinkKind::Telemetry => out.put_u8(1),
        UplinkKind::Event => out.put_u8(2),
        UplinkKind::State => out.put_u8(3),
        UplinkKind::Birth => out.put_u8(4),
        UplinkKind::Death => out.put_u8(5),
        UplinkKind::Result(id) => {
            out.put_u8(6);
            out.put_slice(id.0.as_bytes());
        }
    }
    // Ids have at most 64 bytes.
    for id in [entry.address.tenant.as_str(), entry.address.device.as_str()] {
        out.put_u8(id.len() as u8);
        out.put_slice(id.as_bytes());
    }
    out.put_u32_le(entry.payload.len() as u32);
    out.put_slice(&entry.payload);
}

/// Takes one record off the front of a batch. The payload shares its memory.
pub(super) fn decode(position: Position, batch: &mut Bytes) -> Result<Record, RecordError> {
    let received = ServerTime(batch.try_get_i64_le().map_err(|_| RecordError::Short)?);
    let kind = kind(batch)?;
    let tenant = id(batch, "tenant")?;
    let device = id(batch, "device")?;
    let length = batch.try_get_u32_le().map_err(|_| RecordError::Short)? as usize;
    let payload = take(batch, length)?;
    Ok(Record { position, received, address: DeviceAddress { tenant, device }, kind, payload })
}

/// How many records a batch holds.
pub(super) fn count(batch: &[u8]) -> Result<u64, RecordError> {
    let mut rest = batch;
    let mut records = 0;
    while !rest.is_empty() {
        skip(&mut rest, 8)?;
        if rest.try_get_u8().map_err(|_| RecordError::Short)? == 6 {
            skip(&mut rest, 16)?;
        }
        for _ in 0..2 {
            let length = rest.try_get_u8().map_err(|_| RecordError::Short)?;
            skip(&mut rest, usize::from(length))?;
        }
        let length = rest.try_get_u32_le().map_err(|_| RecordError::Short)?;
        skip(&mut rest, length as usize)?;
        records += 1;
    }
    Ok(records)
}

fn kind(batch: &mut Bytes) -> Result<UplinkKind, RecordError> {
    Ok(match batch.try_get_u8().map_err(|_| RecordError::Short)? {
        1 => UplinkKind::Telemetry,
        2 => UplinkKind::Event,
        3 => UplinkKind::State,
        4 => UplinkKind::Birth,
        5 => UplinkKind::Death,
        6 => {
            let mut id = [0; 16];
            batch.try_copy_to_slice(&mut id).map_err(|_| RecordError::Short)?;
            UplinkKind::Result(CommandId(Uuid::from_bytes(id)))
        }
        other => return Err(RecordError::Kind(other)),
    })
}

fn id<T: std::str::FromStr>(batch: &mut Bytes, what: &'static str) -> Result<T, RecordError> {
    let length = batch.try_get_u8().map_err(|_| RecordError::Short)?;
    let bytes = take(batch, usize::from(length))?;
    std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).ok_or(RecordError::Id(what))
}

fn take(batch: &mut Bytes, length: usize) -> Result<Bytes, RecordError> {
    if batch.len() < length {
        return Err(RecordError::Short);
    }
    Ok(batch.split_to(length))
}

fn skip(rest: &mut &[u8], length: usize) -> Result<(), RecordError> {
    *rest = rest.get(length..).ok_or(RecordError::Short)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds() -> impl Strategy<Value = UplinkKind> {
        prop_oneof![
            Just(UplinkKind::Telemetry),
            Just(UplinkKind::Event),
            Just(UplinkKind::State),
            Just(UplinkKind::Birth),
            Just(UplinkKind::Death),
            any::<[u8; 16]>().prop_map(|id| UplinkKind::Result(CommandId(Uuid::from_bytes(id)))),
        ]
    }

    fn entries() -> impl Strategy<Value = Entry> {
        let id = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}";
        (any::<i64>(), id, id, kinds(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(
            |(received, tenant, device, kind, payload)| Entry {
                received: ServerTime(received),
                address: DeviceAddress { tenant: tenant.parse().unwrap(), device: device.parse().unwrap() },
                kind,
                payload: payload.into(),
            },
        )
    }

    proptest! {
        #[test]
        fn a_batch_reads_back(entries in prop::collection::vec(entries(), 0..20)) {
            let mut batch = Vec::new();
            for entry in &entries {
                let before = batch.len();
                encode(entry, &mut batch);
                prop_assert_eq!(batch.len() - before, encoded_len(entry));
            }
            prop_assert_eq!(count(&batch), Ok(entries.len() as u64));
            let mut batch = Bytes::from(batch);
            for (index, entry) in entries.into_iter().enumerate() {
                let position = Position(index as u64);
                let Entry { received, address, kind, payload } = entry;
                prop_assert_eq!(decode(position, &mut batch), Ok(Record { position, received, address, kind, payload }));
            }
            prop_assert!(batch.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = count(&bytes);
            let mut batch = Bytes::from(bytes);
            while !batch.is_empty() && decode(Position(0), &mut batch).is_ok() {}
        }

        #[test]
        fn a_cut_batch_is_an_error(entry in entries(), cut in 0.0..1.0_f64) {
            let mut batch = Vec::new();
            encode(&entry, &mut batch);
            let length = ((batch.len() as f64) * cut) as usize;
            prop_assert!(decode(Position(0), &mut Bytes::copy_from_slice(&batch[..length])).is_err());
            prop_assert!(length == 0 || count(&batch[..length]).is_err());
        }
    }
}
