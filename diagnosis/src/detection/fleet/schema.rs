//! What a model watches, by name.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most channels of one schema; an appliance with more is watched by several.
pub const MAX_CHANNELS: usize = 8;
/// Most inputs of one schema.
pub const MAX_INPUTS: usize = 8;
/// Most operating modes of one schema; rare ones are better merged than watched by themselves.
pub const MAX_MODES: usize = 8;

/// Names and order of the numbers in a [`Row`](super::Row).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// What is watched: 1 to [`MAX_CHANNELS`] names.
    pub channels: Vec<String>,
    /// What explains it and is not watched itself, such as ambient temperature, setpoint, load: up
    /// to [`MAX_INPUTS`] names.
    pub inputs: Vec<String>,
    /// Operating modes: 1 to [`MAX_MODES`] names.
    pub modes: Vec<String>,
}

/// A schema that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Too many or too few of something.
    #[error("schema.{field} has {count} names; {least} to {most} are possible")]
    Count {
        /// Which list.
        field: &'static str,
        /// How many it has.
        count: usize,
        /// How many it needs.
        least: usize,
        /// How many it can have.
        most: usize,
    },
    /// A name twice, or an empty one.
    #[error("schema.{field}[{at}] = {name:?} is empty or there twice; names must differ")]
    Name {
        /// Which list.
        field: &'static str,
        /// Its place.
        at: usize,
        /// The name.
        name: String,
    },
}

impl Schema {
    /// Checks counts and names.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SchemaError> {
        for (field, names, least, most) in [
            ("channels", &self.channels, 1, MAX_CHANNELS),
            ("inputs", &self.inputs, 0, MAX_INPUTS),
            ("modes", &self.modes, 1, MAX_MODES),
        ] {
            if !(least..=most).contains(&names.len()) {
                return Err(SchemaError::Count { field, count: names.len(), least, most });
            }
            if let Some(at) = (0..names.len()).find(|&at| names[at].is_empty() || names[..at].contains(&names[at])) {
                return Err(SchemaError::Name { field, at, name: names[at].clone() });
            }
        }
        Ok(())
    }

    /// The same for the same names in the same order, on every machine and in every version.
    pub fn hash(&self) -> u64 {
        let lists = [&self.channels, &self.inputs, &self.modes];
        digest(lists.iter().flat_map(|list| list.iter().map(String::as_str).chain(["\u{1d}"])))
    }
}

/// 64-bit FNV-1a (Fowler, Noll & Vo) over the words, each ended by a byte that UTF-8 does not know.
/// It guards against mix-ups, not against an adversary.
pub(super) fn digest<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    let bytes = words.flat_map(|word| word.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
