//! A block: rows of one appliance type, sorted by device and time, column by column.
//!
//! Layout: `[length u32, column]…`, each column compressed by pco. First the row
//! headers (time, received, boot, seq, position), then for each datapoint that occurs
//! its presence and its values; texts are numbered in order of first use.

use std::collections::HashMap;
use std::ops::Range;

use firmware_proto::{BootId, DeviceTime, MessageOrder, Seq, ServerTime, Value};
use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Readings of one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// By the device's clock, or the receive time where it has none.
    pub time: DeviceTime,
    /// By the gateway's clock.
    pub received: ServerTime,
    /// The device's numbering; none if the message had no seq.
    pub order: Option<MessageOrder>,
    /// Of the message in the journal; never twice.
    pub position: u64,
    /// Datapoint names and values.
    pub readings: Vec<(String, Value)>,
}

/// A block that does not read back.
#[derive(Debug, Error)]
#[error("history block is damaged: {0}")]
pub struct DamagedBlock(pub(super) String);

/// What kind of values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Double,
    Int,
    Flag,
    Text,
}

/// One datapoint's column in the header.
#[derive(Debug, Serialize, Deserialize)]
struct Column {
    name: String,
    kind: Kind,
    texts: Vec<String>,
}

/// Compresses rows in the order given.
pub fn encode(rows: &[&Row]) -> Vec<u8> {
    let columns = collect(rows);
    let header: Vec<&Column> = columns.iter().map(|filled| &filled.column).collect();
    let mut block = Vec::new();
    section(&mut block, &serde_json::to_vec(&header).expect("a header has text keys only"));
    numbers(&mut block, &rows.iter().map(|row| row.time.ms()).collect::<Vec<_>>());
    numbers(&mut block, &rows.iter().map(|row| row.received.ms()).collect::<Vec<_>>());
    numbers(&mut block, &rows.iter().map(|row| u64::from(row.order.is_some())).collect::<Vec<_>>());
    numbers(&mut block, &rows.iter().map(|row| row.order.unwrap_or_default().boot_id.0).collect::<Vec<_>>());
    numbers(&mut block, &rows.iter().map(|row| row.order.unwrap_or_default().seq.0).collect::<Vec<_>>());
    numbers(&mut block, &rows.iter().map(|row| row.position).collect::<Vec<_>>());
    for filled in &columns {
        numbers(&mut block, &filled.rows);
        match filled.column.kind {
            Kind::Double => numbers(&mut block, &filled.doubles),
            Kind::Int | Kind::Flag | Kind::Text => numbers(&mut block, &filled.wholes),
        }
    }
    block
}

/// Decompresses what [`encode`] made.
///
/// # Errors
/// When the bytes are not a block.
pub fn decode(block: &[u8]) -> Result<Vec<Row>, DamagedBlock> {
    decode_part(block, 0..usize::MAX, None)
}

/// Decompresses some rows, with the readings of one datapoint only if it is named: the
/// columns of the others are passed over.
///
/// # Errors
/// When the bytes are not a block.
pub fn decode_part(block: &[u8], part: Range<usize>, only: Option<&str>) -> Result<Vec<Row>, DamagedBlock> {
    let mut sections = Sections(block);
    let header: Vec<Column> =
        serde_json::from_slice(sections.next()?).map_err(|error| DamagedBlock(error.to_string()))?;
    let times: Vec<i64> = sections.numbers()?;
    let received: Vec<i64> = sections.numbers()?;
    let numbered: Vec<u64> = sections.numbers()?;
    let boots: Vec<u64> = sections.numbers()?;
    let seqs: Vec<u64> = sections.numbers()?;
    let positions: Vec<u64> = sections.numbers()?;
    let count = times.len();
    if [received.len(), numbered.len(), boots.len(), seqs.len(), positions.len()].iter().any(|&len| len != count) {
        return Err(DamagedBlock("its columns differ in length".into()));
    }
    let (first, end) = (part.start.min(count), part.end.min(count));
    let mut rows: Vec<Row> = (first..end)
        .map(|n| Row {
            time: DeviceTime(times[n]),
            received: ServerTime(received[n]),
            order: (numbered[n] == 1).then(|| MessageOrder { boot_id: BootId(boots[n]), seq: Seq(seqs[n]) }),
            position: positions[n],
            readings: Vec::new(),
        })
        .collect();
    for column in header {
        if only.is_some_and(|only| only != column.name) {
            sections.next()?;
            sections.next()?;
            continue;
        }
        let present: Vec<u32> = sections.numbers()?;
        let values = column_values(&column, &mut sections)?;
        for (row, value) in present.into_iter().zip(values) {
            if row as usize >= count {
                return Err(DamagedBlock("a value has no row".into()));
            }
            if let Some(row) = (row as usize).checked_sub(first).and_then(|row| rows.get_mut(row)) {
                row.readings.push((column.name.clone(), value));
            }
        }
    }
    Ok(rows)
}

fn column_values(column: &Column, sections: &mut Sections<'_>) -> Result<Vec<Value>, DamagedBlock> {
    if column.kind == Kind::Double {
        return Ok(sections.numbers::<f64>()?.into_iter().map(Value::Double).collect());
    }
    let wholes = sections.numbers::<i64>()?;
    let value = |whole: i64| match column.kind {
        Kind::Text => column.texts.get(whole as usize).cloned().map(Value::Text),
        Kind::Flag => Some(Value::Bool(whole == 1)),
        Kind::Int | Kind::Double => Some(Value::Int(whole)),
    };
    wholes.into_iter().map(|whole| value(whole).ok_or_else(|| DamagedBlock("a text is missing".into()))).collect()
}

/// A column being filled.
struct Filled {
    column: Column,
    rows: Vec<u32>,
    doubles: Vec<f64>,
    wholes: Vec<i64>,
}

fn collect(rows: &[&Row]) -> Vec<Filled> {
    let mut columns: Vec<Filled> = Vec::new();
    let mut index: HashMap<(&str, Kind), usize> = HashMap::new();
    for (n, row) in (0_u32..).zip(rows) {
        for (name, value) in &row.readings {
            let kind = kind_of(value);
            let at = *index.entry((name, kind)).or_insert_with(|| {
                let column = Column { name: name.clone(), kind, texts: Vec::new() };
                columns.push(Filled { column, rows: Vec::new(), doubles: Vec::new(), wholes: Vec::new() });
                columns.len() - 1
            });
            columns[at].push(n, value);
        }
    }
    columns
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Double(_) => Kind::Double,
        Value::Int(_) => Kind::Int,
        Value::Bool(_) => Kind::Flag,
        Value::Text(_) => Kind::Text,
    }
}

impl std::hash::Hash for Kind {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (*self as u8).hash(state);
    }
}

impl Filled {
    fn push(&mut self, row: u32, value: &Value) {
        self.rows.push(row);
        match value {
            Value::Double(number) => self.doubles.push(*number),
            Value::Int(number) => self.wholes.push(*number),
            Value::Bool(flag) => self.wholes.push(i64::from(*flag)),
            Value::Text(text) => {
                let texts = &mut self.column.texts;
                let known = texts.iter().position(|known| known == text);
                let number = known.unwrap_or_else(|| {
                    texts.push(text.clone());
                    texts.len() - 1
                });
                self.wholes.push(number as i64);
            }
        }
    }
}

fn section(block: &mut Vec<u8>, bytes: &[u8]) {
    block.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    block.extend_from_slice(bytes);
}

fn numbers<T: pco::data_types::Number>(block: &mut Vec<u8>, numbers: &[T]) {
    let bytes = simple_compress(numbers, &ChunkConfig::default()).expect("the default configuration is valid");
    section(block, &bytes);
}

struct Sections<'a>(&'a [u8]);

impl<'a> Sections<'a> {
    fn next(&mut self) -> Result<&'a [u8], DamagedBlock> {
        let short = || DamagedBlock("it ends too early".into());
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or_else(short)?;
        let (section, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(short)?;
        self.0 = rest;
        Ok(section)
    }

    fn numbers<T: pco::data_types::Number>(&mut self) -> Result<Vec<T>, DamagedBlock> {
        simple_decompress(self.next()?).map_err(|error| DamagedBlock(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn a_row() -> impl Strategy<Value = Row> {
        let value = prop_oneof![
            any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::Double),
            any::<i64>().prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            "[a-c]{0,2}".prop_map(Value::Text),
        ];
        let order = any::<Option<(u64, u64)>>();
        (any::<i64>(), any::<i64>(), order, any::<u64>(), proptest::collection::btree_map("[a-e]", value, 0..5))
            .prop_map(|(time, received, order, position, readings)| Row {
                time: DeviceTime(time),
                received: ServerTime(received),
                order: order.map(|(boot, seq)| MessageOrder { boot_id: BootId(boot), seq: Seq(seq) }),
                position,
                readings: readings.into_iter().collect(),
            })
    }

    proptest! {
        #[test]
        fn blocks_read_back(rows in proptest::collection::vec(a_row(), 0..60)) {
            let mut read = decode(&encode(&rows.iter().collect::<Vec<_>>())).unwrap();
            for row in &mut read {
                row.readings.sort_by(|a, b| a.0.cmp(&b.0));
            }
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn damage_is_an_error(rows in proptest::collection::vec(a_row(), 1..9), cut in any::<prop::sample::Index>()) {
            let block = encode(&rows.iter().collect::<Vec<_>>());
            prop_assert!(decode(&block[..cut.index(block.len())]).is_err());
        }
    }
}
