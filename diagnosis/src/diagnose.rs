//! Latched symptoms into a posterior over root causes.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::appliance::ApplianceType;
use crate::detector::{Detector, Test};
use crate::inference::Weights;
use crate::model::Weighed;
use crate::observe::why;
use crate::state::DeviceState;

/// A root cause and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedCause {
    /// The cause's key.
    pub cause: String,
    /// Probability that it is active, given the evidence.
    pub probability: f64,
}

/// Whether a symptom is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceState {
    /// It is there.
    Present,
    /// It was looked for and is not there.
    Absent,
    /// Too little was seen to tell.
    Unknown,
}

/// What one symptom says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// The detector's key.
    pub symptom: String,
    /// Whether it is there.
    pub state: EvidenceState,
    /// By how much it moved the natural log of the odds of the first-ranked cause,
    /// all other evidence being as it is.
    pub llr: f64,
    /// For people.
    pub why: String,
}

/// What the evidence says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Probability of the top event: the appliance does not do its job.
    pub fault_probability: f64,
    /// All causes, most likely first.
    pub ranked: Vec<RankedCause>,
    /// All symptoms, those that moved the first-ranked cause most first.
    pub evidence: Vec<Evidence>,
    /// The same in a few sentences for people.
    pub explanation: String,
}

/// Weighs the latched symptoms of a device.
pub fn diagnose(ty: &ApplianceType, state: &DeviceState) -> Diagnosis {
    let fits = state.fits(ty);
    let known = |index| if fits { state.known(ty, index) } else { Weights::UNKNOWN };
    let known: Vec<Weights> = (0..ty.detectors.len()).map(known).collect();
    let why = |index| if fits { why(ty, state, index) } else { String::new() };
    conclude(ty, &known, &why)
}

/// Weighs symptoms that somebody tells of, by their detectors' keys and whether they are
/// present. Names that the type does not know are left out.
pub fn diagnose_symptoms(ty: &ApplianceType, symptoms: &[(String, bool)]) -> Diagnosis {
    let told = |detector: &Detector| match symptoms.iter().rfind(|(key, _)| *key == detector.key) {
        Some((_, true)) => Weights::PRESENT,
        Some((_, false)) => Weights::ABSENT,
        None => Weights::UNKNOWN,
    };
    let known: Vec<Weights> = ty.detectors.iter().map(told).collect();
    conclude(ty, &known, &|index| ty.detectors[index].name.clone())
}

fn conclude(ty: &ApplianceType, known: &[Weights], why: &dyn Fn(usize) -> String) -> Diagnosis {
    let Weighed { causes, top: fault_probability } = ty.model.weigh(known);
    let mut order: Vec<usize> = (0..causes.len()).collect();
    // What is equal but for rounding stays in the catalogue's order.
    order.sort_by(|a, b| (causes[*b] as f32).total_cmp(&(causes[*a] as f32)));
    let ranked =
        order.iter().map(|index| RankedCause { cause: ty.causes[*index].key.clone(), probability: causes[*index] });
    let ranked: Vec<RankedCause> = ranked.collect();
    let evidence = order.first().map_or_else(Vec::new, |first| evidence(ty, known, *first, why));
    let explanation = explanation(ty, fault_probability, &ranked, &evidence);
    Diagnosis { fault_probability, ranked, evidence, explanation }
}

/// What each symptom says about the cause `first`: its log odds with and without the symptom.
/// A symptom that a model could tell of, but none did, is left out.
fn evidence(ty: &ApplianceType, known: &[Weights], first: usize, why: &dyn Fn(usize) -> String) -> Vec<Evidence> {
    let shifts = ty.model.shifts(known, first);
    let each = known.iter().zip(&shifts).enumerate().filter_map(|(index, (known, shift))| {
        let detector = &ty.detectors[index];
        let (state, llr) = match known.present.total_cmp(&known.absent) {
            Ordering::Greater => (EvidenceState::Present, *shift),
            Ordering::Less => (EvidenceState::Absent, *shift),
            Ordering::Equal if matches!(detector.test, Test::Model(_)) => return None,
            Ordering::Equal => (EvidenceState::Unknown, 0.0),
        };
        Some(Evidence { symptom: detector.key.clone(), state, llr, why: why(index) })
    });
    let mut evidence: Vec<Evidence> = each.collect();
    evidence.sort_by(|a, b| b.llr.abs().total_cmp(&a.llr.abs()));
    evidence
}

/// Below this a cause is not worth naming.
const WORTH_NAMING: f64 = 0.01;

/// An absent symptom that moved the log odds by less is not worth telling.
const WORTH_TELLING: f64 = 0.1;

fn explanation(ty: &ApplianceType, fault: f64, ranked: &[RankedCause], evidence: &[Evidence]) -> String {
    let mut text = format!("{}: a fault is present with {}.", ty.name, percent(fault));
    if evidence.iter().all(|e| e.state != EvidenceState::Present) {
        text.push_str(" No symptom is present.");
        return text;
    }
    let causes = ranked.iter().filter(|r| r.probability >= WORTH_NAMING).map(|r| {
        let name = ty.cause(&r.cause).map_or(r.cause.as_str(), |c| c.name.as_str());
        format!("{name} {}", percent(r.probability))
    });
    let causes: Vec<String> = causes.collect();
    let _ = write!(text, "\nLikely causes: {}.", causes.join(", "));
    for (title, state) in [("Present", EvidenceState::Present), ("Absent", EvidenceState::Absent)] {
        let telling =
            |e: &&Evidence| e.state == state && (state == EvidenceState::Present || e.llr.abs() >= WORTH_TELLING);
        for item in evidence.iter().filter(telling) {
            let _ = write!(text, "\n{title}: {}; {}.", item.why, weight(item.llr));
        }
    }
    let unknown: Vec<&str> =
        evidence.iter().filter(|e| e.state == EvidenceState::Unknown).map(|e| e.symptom.as_str()).collect();
    if !unknown.is_empty() {
        let _ = write!(text, "\nNot yet known: {}.", unknown.join(", "));
    }
    text
}

fn weight(llr: f64) -> String {
    let factor = crate::observe::rounded(llr.abs().exp());
    match llr {
        x if x > 0.01 => format!("odds of the first cause × {factor}"),
        x if x < -0.01 => format!("odds of the first cause ÷ {factor}"),
        _ => "says nothing about the first cause".to_owned(),
    }
}

/// A probability as a person would say it; never "100 %".
pub(crate) fn percent(probability: f64) -> String {
    let percent = probability * 100.0;
    match percent {
        x if x > 99.9 => "over 99.9 %".to_owned(),
        x if x >= 99.0 => format!("{x:.1} %"),
        x if x < 0.1 => "below 0.1 %".to_owned(),
        x if x < 10.0 => format!("{x:.1} %"),
        x => format!("{x:.0} %"),
    }
}
