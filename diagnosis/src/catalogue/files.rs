//! The catalogue files as they are written.

use std::collections::BTreeMap;

use firmware_proto::Value;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use crate::appliance::{Kind, RiskClass, StepKind};
use crate::drift::Direction;
use crate::expression::unit_ms;

/// A length of time, written `"10 min"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Duration {
    pub ms: i64,
}

/// Longest time a catalogue may name: a year.
const MAX_DURATION_MS: f64 = 366.0 * 86_400_000.0;

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let ms = number.trim().parse().ok().zip(unit_ms(unit)).map(|(number, ms): (f64, f64)| number * ms);
        match ms {
            Some(ms) if (0.0..=MAX_DURATION_MS).contains(&ms) => Ok(Self { ms: ms as i64 }),
            _ => Err(de::Error::custom(format!(
                "{text:?} is no duration: write a number and ms, s, min, h or d, for example \"10 min\""
            ))),
        }
    }
}

// profile.toml

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileHead {
    pub name: String,
    pub models: Vec<String>,
    pub telemetry_interval: Duration,
    pub settle: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatapointFile {
    pub kind: Kind,
    #[serde(default)]
    pub unit: String,
    pub range: Option<Spanned<(f64, f64)>>,
    #[serde(default)]
    pub values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorCodeFile {
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActionFile {
    pub text: String,
    pub risk: RiskClass,
    pub automatic: Spanned<bool>,
    pub timeout: Duration,
    #[serde(default)]
    pub preconditions: Vec<PreconditionFile>,
    #[serde(default)]
    pub arguments: BTreeMap<String, ArgumentFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreconditionFile {
    pub name: String,
    pub require: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArgumentFile {
    pub kind: Kind,
    #[serde(default)]
    pub values: Vec<String>,
}

// detectors.toml

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetectorsHead {
    #[serde(default)]
    pub after_boot: Duration,
}

/// When a symptom that comes and goes is chattering.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatterFile {
    pub times: u8,
    pub within: Duration,
}

/// A fault that shows in bouts shows a few times a day; more often nobody wants to be told.
impl Default for ChatterFile {
    fn default() -> Self {
        Self { times: 5, within: Duration { ms: 86_400_000 } }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub name: String,
    #[serde(default)]
    pub when: Vec<Spanned<String>>,
    pub violated: Spanned<String>,
    pub ok: Option<Spanned<String>>,
    pub on_delay: Duration,
    pub off_delay: Duration,
    #[serde(default = "min_samples")]
    pub min_samples: u16,
    #[serde(default)]
    pub chatter: ChatterFile,
    pub after_boot: Option<Duration>,
    pub false_alarm: Spanned<f64>,
    #[serde(default)]
    pub lockout: bool,
}

fn min_samples() -> u16 {
    3
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DriftFile {
    pub name: String,
    #[serde(default)]
    pub when: Vec<Spanned<String>>,
    pub channel: Spanned<String>,
    pub direction: Direction,
    pub block: Duration,
    pub learn: Spanned<u32>,
    pub baseline: Spanned<(f64, f64)>,
    pub min_sigma: Spanned<f64>,
    #[serde(default = "ewma_weight")]
    pub ewma_weight: f64,
    #[serde(default = "ewma_limit")]
    pub ewma_limit: f64,
    #[serde(default = "slack")]
    pub slack: f64,
    #[serde(default = "limit")]
    pub limit: f64,
    /// In what time the second baseline follows the level; without it there is none.
    pub follow: Option<Spanned<Duration>>,
    #[serde(default = "blocks")]
    pub min_blocks: u16,
    pub after_boot: Option<Duration>,
    pub false_alarm: Spanned<f64>,
}

// Usual choices: λ = 0.2, and limits wide enough for block means that are still somewhat correlated.
fn ewma_weight() -> f64 {
    0.2
}

fn ewma_limit() -> f64 {
    5.0
}

fn slack() -> f64 {
    0.75
}

fn limit() -> f64 {
    8.0
}

fn blocks() -> u16 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFile {
    pub name: String,
    pub channels: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub inputs: Vec<Spanned<String>>,
    /// Conditions by the modes' names.
    pub modes: BTreeMap<String, Spanned<String>>,
    pub expires: Duration,
    pub false_alarm: Spanned<f64>,
}

// faults.toml, beside the tree itself

/// P(symptom present | event), by the key of a cause or gate.
pub(super) type LinkFile = BTreeMap<String, Spanned<f64>>;

// repairs.toml and parts.toml

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoHead {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RepairFile {
    pub cause: Option<Spanned<String>>,
    pub action: Spanned<String>,
    #[serde(default)]
    pub arguments: BTreeMap<String, Spanned<Value>>,
    pub max_attempts: Spanned<u32>,
    pub success: Spanned<f64>,
    pub verify: VerifyFile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyFile {
    pub clear: Vec<Spanned<String>>,
    pub hold: Duration,
    pub samples: Spanned<u32>,
    pub grace: Duration,
    pub fail_after: Spanned<u32>,
    pub window: Spanned<Duration>,
    #[serde(default)]
    pub guards: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartFile {
    pub name: String,
    pub price_cents: Spanned<i64>,
}

/// What a cause calls for, by the part's key.
pub(super) type NeedsFile = BTreeMap<String, Spanned<NeedFile>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NeedFile {
    #[serde(default = "one")]
    pub quantity: u32,
    #[serde(default = "yes")]
    pub needed: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

// steps.toml

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub kind: StepKind,
    pub text: String,
    pub action: Option<Spanned<String>>,
    pub minutes: Spanned<f64>,
    #[serde(default)]
    pub cost_cents: u32,
    /// P(yes | cause or gate).
    pub yes: BTreeMap<String, Spanned<f64>>,
    pub otherwise: Spanned<f64>,
}
