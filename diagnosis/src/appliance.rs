//! An appliance type as the catalogue describes it, checked and ready for use.

use std::fmt;
use std::sync::Arc;

use firmware_proto::{Value, ValueMap};
use serde::{Deserialize, Serialize};

use crate::detector::Detector;
use crate::expression::{Flag, Slot};
use crate::inference::{Circuit, ObservedTree};
use crate::model::Model;

/// What a datapoint's values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any finite number.
    Number,
    /// A whole number.
    Whole,
    /// True or false.
    Flag,
    /// A text.
    Text,
}

/// One thing an appliance measures or reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Datapoint {
    /// Its name on the wire, for example `room_temp_c`.
    pub name: String,
    /// Its unit for people, for example `°C`; empty where it has none.
    pub unit: String,
    /// What its values look like.
    pub kind: Kind,
    /// Smallest and largest value that can be true.
    pub range: Option<(f64, f64)>,
    /// For texts: the only values allowed; empty if any is.
    pub values: Vec<String>,
}

/// How much harm an action can do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RiskClass {
    /// Reads or tests; nothing moves.
    R0,
    /// Soft reset, or a power cycle of the controller while the appliance is idle.
    R1,
    /// Configuration or mode.
    R2,
    /// Firmware.
    R3,
    /// Energises heat, gas, motor or door lock on purpose.
    R4,
}

/// One action that an appliance can perform on command.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its name on the wire.
    pub name: String,
    /// For people.
    pub text: String,
    /// How much harm it can do.
    pub risk: RiskClass,
    /// Whether the gateway may send it without a person.
    pub automatic: bool,
    /// How long the device may take, in milliseconds, before the outcome is unknown.
    pub timeout_ms: i64,
    /// What must hold before it is sent.
    pub preconditions: Vec<Precondition>,
    /// Arguments it takes.
    pub arguments: Vec<Argument>,
}

/// Something that must hold before an action is sent.
#[derive(Debug, Clone)]
pub struct Precondition {
    /// What it is called, for example `idle`.
    pub name: String,
    /// The condition as the catalogue has it.
    pub require: String,
    pub(crate) condition: Flag,
}

/// An argument of an action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What its values look like.
    pub kind: Kind,
    /// For texts: the only values allowed; empty if any is.
    pub values: Vec<String>,
}

/// An error code of the appliance's own firmware.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorCode {
    /// For example `E6`.
    pub code: String,
    /// What the maker says it means.
    pub text: String,
}

/// What a cause calls for when no remote repair applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// A visit.
    #[default]
    Visit,
    /// Nobody travels for it; somebody keeps an eye on it.
    Watch,
}

/// A root cause: a basic event of the fault tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// For example `refrigerant_leak`.
    pub key: String,
    /// For people.
    pub name: String,
    /// Probability that it is active on an appliance, before any evidence.
    pub prior: f64,
    /// It latches a safety lockout: nothing may be done remotely.
    pub lockout: bool,
    /// What a technician must be able to do.
    pub skill: String,
    /// What the technician does on site.
    pub sop: String,
    /// What it calls for when no remote repair applies.
    pub handling: Handling,
}

/// A remote repair of one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repair {
    /// Its own name: the cause's key.
    pub key: String,
    /// The cause it cures.
    pub cause: String,
    /// The action, by its name in the profile.
    pub action: String,
    /// The action's arguments.
    pub arguments: ValueMap,
    /// How often it may be tried on one finding; at most 2.
    pub max_attempts: u32,
    /// Probability that it is verified, if the cause is the true one.
    pub success: f64,
    /// How to tell from later telemetry that it worked.
    pub verify: Verify,
    /// Detectors of `verify.clear`, by index.
    #[serde(skip)]
    pub(crate) clear: Vec<usize>,
    /// `verify.guards`, compiled.
    #[serde(skip)]
    pub(crate) guards: Vec<Flag>,
}

/// How to tell from later telemetry that a repair worked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verify {
    /// Symptoms that must be seen to be gone.
    pub clear: Vec<String>,
    /// For how long, in milliseconds of device time.
    pub hold_ms: i64,
    /// Over how many informative samples at least, of each symptom.
    pub samples: u32,
    /// How long after the action a violated sample is tolerated, in milliseconds.
    pub grace_ms: i64,
    /// How many violated samples after that make it a failure.
    pub fail_after: u32,
    /// When to give up for lack of informative samples, in milliseconds after the action.
    pub window_ms: i64,
    /// Conditions that must hold throughout, as the catalogue has them.
    pub guards: Vec<String>,
}

/// A part that a visit may need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// For example `valve_core`.
    pub key: String,
    /// For people.
    pub name: String,
    /// Price in hundredths of the currency.
    pub price_cents: i64,
}

/// A part that a cause calls for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartNeed {
    /// The cause's key.
    pub cause: String,
    /// The part's key.
    pub part: String,
    /// How many.
    pub quantity: u32,
    /// The visit is in vain without it; otherwise it is taken along if at hand.
    pub needed: bool,
}

/// Something that can be asked, looked at or measured to tell causes apart: yes or no.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// For example `paper_falls_out`.
    pub key: String,
    /// Who finds out, and where.
    pub kind: StepKind,
    /// What to ask or do, for people; the answer is yes or no.
    pub text: String,
    /// For a self-test: the action, by its name in the profile.
    pub action: Option<String>,
    /// How long it takes whom it concerns.
    pub minutes: f64,
    /// What it costs beside the time, in hundredths of the currency.
    pub cost_cents: u32,
    /// P(yes | cause), by the cause's key, where the cause or a gate that it feeds is named.
    pub yes: Vec<(String, f64)>,
    /// P(yes) under any other cause, and under none.
    pub otherwise: f64,
}

/// Who finds out, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The customer is asked.
    Question,
    /// The appliance tests itself on command.
    SelfTest,
    /// A technician looks on site.
    Check,
}

/// What steps cost in general, in hundredths of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepCosts {
    /// A technician's way, and the time on site of an ordinary visit; without parts.
    pub visit_cents: u32,
    /// A remote action: what it takes to watch it, and the appliance's time out of use.
    pub remote_cents: u32,
    /// A minute of a customer's or technician's time.
    pub minute_cents: u32,
    /// A fault that nobody attends to: spoiled food, a later call, a customer lost.
    pub neglect_cents: u32,
}

/// What is taken where the catalogue says nothing: the ratios matter, not the currency.
impl Default for StepCosts {
    fn default() -> Self {
        Self { visit_cents: 9_000, remote_cents: 100, minute_cents: 60, neglect_cents: 40_000 }
    }
}

/// All that is known of one appliance type.
#[derive(Debug, Clone)]
pub struct ApplianceType {
    /// The folder's name, for example `split-ac`.
    pub key: String,
    /// For people.
    pub name: String,
    /// Model names, as the birth message has them.
    pub models: Vec<String>,
    /// How often the appliance reports, in milliseconds.
    pub telemetry_interval_ms: i64,
    /// How long advice waits for a clear cause after the first symptom, in milliseconds.
    pub settle_ms: i64,
    /// What it measures; [`Sample`](crate::Sample) refers to these by index.
    pub datapoints: Vec<Datapoint>,
    /// Its error codes.
    pub error_codes: Vec<ErrorCode>,
    /// What it can be told to do.
    pub actions: Vec<Action>,
    /// Root causes.
    pub causes: Vec<Cause>,
    /// Remote repairs.
    pub repairs: Vec<Repair>,
    /// Parts.
    pub parts: Vec<Part>,
    /// Which cause calls for which parts.
    pub part_needs: Vec<PartNeed>,
    /// What can be found out beside the symptoms.
    pub steps: Vec<Step>,
    /// What steps cost in general.
    pub step_costs: StepCosts,
    /// Changes with anything that shapes a [`DeviceState`](crate::DeviceState).
    pub(crate) fingerprint: u64,
    pub(crate) slots: Vec<Slot>,
    pub(crate) detectors: Vec<Detector>,
    pub(crate) model: Model,
}

impl fmt::Display for RiskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl ApplianceType {
    /// Index of a datapoint by its name on the wire.
    pub fn datapoint(&self, name: &str) -> Option<usize> {
        self.datapoints.iter().position(|d| d.name == name)
    }

    /// An action by its name on the wire.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|a| a.name == name)
    }

    /// A cause by its key.
    pub fn cause(&self, key: &str) -> Option<&Cause> {
        self.causes.iter().find(|c| c.key == key)
    }

    /// A repair by its key.
    pub fn repair(&self, key: &str) -> Option<&Repair> {
        self.repairs.iter().find(|r| r.key == key)
    }

    /// A part by its key.
    pub fn part(&self, key: &str) -> Option<&Part> {
        self.parts.iter().find(|p| p.key == key)
    }

    /// Keys and names of its symptoms.
    pub fn symptoms(&self) -> impl Iterator<Item = (&str, &str)> {
        self.detectors.iter().map(|d| (d.key.as_str(), d.name.as_str()))
    }

    /// Its fault tree with priors and what its detectors tell; the first events are the causes,
    /// the symptoms are in the order of [`Self::symptoms`].
    pub fn observed_tree(&self) -> &ObservedTree {
        &self.model.observed
    }

    /// The same, compiled.
    pub fn circuit(&self) -> &Arc<Circuit> {
        &self.model.circuit
    }

    /// The same type with other numbers, each in the order of causes, symptoms and repairs.
    pub(crate) fn taught(&self, priors: &[f64], false_alarms: &[f64], successes: &[f64]) -> Self {
        let mut taught = self.clone();
        taught.causes.iter_mut().zip(priors).for_each(|(cause, prior)| cause.prior = *prior);
        taught.detectors.iter_mut().zip(false_alarms).for_each(|(detector, rate)| detector.false_alarm = *rate);
        taught.repairs.iter_mut().zip(successes).for_each(|(repair, success)| repair.success = *success);
        taught.model = self.model.reweighed(&taught.causes, &taught.detectors);
        taught
    }

    /// Keys of the symptoms that show a safety lockout.
    pub fn lockout_symptoms(&self) -> impl Iterator<Item = &str> {
        self.detectors.iter().filter(|d| d.lockout).map(|d| d.key.as_str())
    }

    /// An error code.
    pub fn error_code(&self, code: &str) -> Option<&ErrorCode> {
        self.error_codes.iter().find(|e| e.code == code)
    }

    /// The parts a cause calls for, with how many and how badly.
    pub fn parts_for<'a>(&'a self, cause: &'a str) -> impl Iterator<Item = (&'a Part, &'a PartNeed)> + 'a {
        self.part_needs.iter().filter(move |n| n.cause == cause).filter_map(|n| Some((self.part(&n.part)?, n)))
    }
}

impl Datapoint {
    /// Whether a value can be true for this datapoint.
    ///
    /// # Errors
    /// Says what is wrong and what would be right.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match (self.kind, value) {
            (Kind::Flag, Value::Bool(_)) => Ok(()),
            (Kind::Text, Value::Text(text)) => self.check_text(text),
            (Kind::Whole, Value::Int(number)) => self.check_range(*number as f64),
            (Kind::Whole, Value::Double(number)) if number.is_finite() && number.fract() != 0.0 => {
                Err(format!("is {number}, must be a whole number"))
            }
            (Kind::Number | Kind::Whole, Value::Double(number)) if !number.is_finite() => {
                Err(format!("is {number}, must be a finite number{}", self.range_text()))
            }
            (Kind::Number | Kind::Whole, Value::Double(number)) => self.check_range(*number),
            (Kind::Number, Value::Int(number)) => self.check_range(*number as f64),
            (kind, value) => Err(format!("is {}, must be {}{}", shown(value), kind.noun(), self.range_text())),
        }
    }

    fn check_range(&self, number: f64) -> Result<(), String> {
        match self.range {
            Some((low, high)) if !(low..=high).contains(&number) => {
                Err(format!("is {number}, must be from {low} to {high}{}", self.unit_text()))
            }
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        if text.len() > MAX_TEXT_LEN {
            return Err(format!("has {} bytes, must have at most {MAX_TEXT_LEN}", text.len()));
        }
        if self.values.is_empty() || self.values.iter().any(|v| v == text) {
            return Ok(());
        }
        Err(format!("is {text:?}, must be one of {}", self.values.join(", ")))
    }

    fn range_text(&self) -> String {
        self.range.map_or_else(String::new, |(low, high)| format!(" from {low} to {high}{}", self.unit_text()))
    }

    fn unit_text(&self) -> String {
        if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) }
    }
}

/// Longest text value, in bytes: codes and modes are short, and the state keeps the last one.
const MAX_TEXT_LEN: usize = 64;

impl Kind {
    /// With its article, for messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Whole => "a whole number",
            Self::Flag => "true or false",
            Self::Text => "a text",
        }
    }
}

/// A value as a person would write it in the catalogue.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
