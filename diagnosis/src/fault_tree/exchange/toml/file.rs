//! The tables of a fault tree as they are written in TOML.

use serde::Deserialize;
use toml::Spanned;

use crate::appliance::Handling;
use crate::fault_tree::model::{Law, Spread};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadFile {
    pub name: Option<String>,
    pub top: Spanned<String>,
    /// How long a fault is there before somebody has cured it: with a failure rate it gives the
    /// probability that the fault is there now.
    #[serde(default = "exposure_days")]
    pub exposure_days: Spanned<f64>,
}

fn exposure_days() -> Spanned<f64> {
    Spanned::new(0..0, EXPOSURE_DAYS)
}

/// Unless a file says otherwise.
pub(crate) const EXPOSURE_DAYS: f64 = 30.0;

/// Gates taken from another file's top event, by the file.
pub(crate) type TransferFile = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateFile {
    pub name: Option<String>,
    #[serde(default)]
    pub any: Vec<Spanned<String>>,
    #[serde(default)]
    pub all: Vec<Spanned<String>>,
    #[serde(default)]
    pub none: Vec<Spanned<String>>,
    #[serde(default)]
    pub xor: Vec<Spanned<String>>,
    pub at_least: Option<Spanned<usize>>,
    #[serde(default)]
    pub of: Vec<Spanned<String>>,
    #[serde(default)]
    pub inhibit: Vec<Spanned<String>>,
    pub condition: Option<Spanned<String>>,
    #[serde(default)]
    pub priority: Vec<Spanned<String>>,
    #[serde(default)]
    pub spare: Vec<Spanned<String>>,
    pub dormancy: Option<f64>,
}

/// An event that has a probability. Beside it stands what the catalogue wants to know of a cause.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventFile {
    pub name: Option<String>,
    pub prior: Option<Spanned<f64>>,
    pub probability: Option<Spanned<f64>>,
    pub rate_per_year: Option<Spanned<f64>>,
    pub weibull: Option<Spanned<WeibullFile>>,
    pub repairable: Option<Spanned<RepairableFile>>,
    pub tested: Option<Spanned<TestedFile>>,
    pub law: Option<Spanned<LawFile>>,
    pub spread: Option<Spanned<SpreadFile>>,
    #[serde(default)]
    pub lockout: bool,
    pub skill: Option<String>,
    pub sop: Option<String>,
    #[serde(default)]
    pub handling: Handling,
}

/// A life that wears out, or fails early.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeibullFile {
    pub life_years: f64,
    pub shape: f64,
    #[serde(default)]
    pub age_years: f64,
}

/// Repaired as soon as it has failed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepairableFile {
    pub rate_per_year: f64,
    pub repair_days: f64,
    #[serde(default)]
    pub on_demand: f64,
}

/// Found and renewed by a test only.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestedFile {
    pub rate_per_year: f64,
    pub every_days: f64,
    /// Since the last test; by default the next is due.
    pub since_days: Option<f64>,
}

/// A law in numbers of any one unit of time: what other formats are converted to.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum LawFile {
    Exponential { rate: f64, time: f64 },
    Weibull { scale: f64, shape: f64, age: f64, time: f64 },
    Repairable { on_demand: f64, rate: f64, repair: f64, time: f64 },
    PeriodicTest { rate: f64, interval: f64, first: f64, time: f64 },
}

/// Exactly one of an error factor, alpha and beta, or min and max.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpreadFile {
    error_factor: Option<f64>,
    alpha: Option<f64>,
    beta: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HouseFile {
    pub name: Option<String>,
    pub on: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupFile {
    pub members: Vec<Spanned<String>>,
    pub probability: Option<Spanned<f64>>,
    pub rate_per_year: Option<Spanned<f64>>,
    pub law: Option<Spanned<LawFile>>,
    pub beta: Option<f64>,
    pub mgl: Option<Vec<f64>>,
    pub alpha: Option<Vec<f64>>,
}

/// Sections that describe the tree itself.
pub(crate) const SECTIONS: [&str; 7] =
    ["gates", "causes", "undeveloped", "conditions", "houses", "common_causes", "transfers"];

pub(crate) const DAYS_A_YEAR: f64 = 365.0;

impl EventFile {
    /// Each law that is written, with the place and the field it stands in.
    pub fn laws(&self, exposure_days: f64) -> Vec<(Law, usize, &'static str)> {
        let time = exposure_days / DAYS_A_YEAR;
        let mut laws = written(&self.probability, &self.rate_per_year, &self.law, time);
        laws.extend(self.prior.as_ref().map(|prior| (Law::Constant(*prior.get_ref()), prior.span().start, "prior")));
        if let Some(weibull) = &self.weibull {
            let WeibullFile { life_years: scale, shape, age_years: age } = *weibull.get_ref();
            laws.push((Law::Weibull { scale, shape, age, time }, weibull.span().start, "weibull"));
        }
        if let Some(repairable) = &self.repairable {
            let RepairableFile { rate_per_year: rate, repair_days, on_demand } = *repairable.get_ref();
            // Long after the last failure it does not matter when that was.
            let (repair, time) = (DAYS_A_YEAR / repair_days, LONG_YEARS);
            let law = Law::Repairable { on_demand, rate, repair, time };
            laws.push((law, repairable.span().start, "repairable"));
        }
        if let Some(tested) = &self.tested {
            let TestedFile { rate_per_year: rate, every_days, since_days } = *tested.get_ref();
            let interval = every_days / DAYS_A_YEAR;
            let time = since_days.unwrap_or(every_days) / DAYS_A_YEAR;
            let law = Law::PeriodicTest { rate, interval, first: interval, time };
            laws.push((law, tested.span().start, "tested"));
        }
        laws
    }
}

/// Longer than any appliance lives.
const LONG_YEARS: f64 = 100.0;

impl GroupFile {
    /// Each law that is written, with the place and the field it stands in.
    pub fn laws(&self, exposure_days: f64) -> Vec<(Law, usize, &'static str)> {
        written(&self.probability, &self.rate_per_year, &self.law, exposure_days / DAYS_A_YEAR)
    }
}

fn written(
    probability: &Option<Spanned<f64>>,
    rate_per_year: &Option<Spanned<f64>>,
    law: &Option<Spanned<LawFile>>,
    time: f64,
) -> Vec<(Law, usize, &'static str)> {
    let probability = probability.as_ref().map(|p| (Law::Constant(*p.get_ref()), p.span().start, "probability"));
    let exponential =
        |r: &Spanned<f64>| (Law::Exponential { rate: *r.get_ref(), time }, r.span().start, "rate_per_year");
    let law = law.as_ref().map(|law| (Law::from(*law.get_ref()), law.span().start, "law"));
    probability.into_iter().chain(rate_per_year.as_ref().map(exponential)).chain(law).collect()
}

impl From<LawFile> for Law {
    fn from(law: LawFile) -> Self {
        match law {
            LawFile::Exponential { rate, time } => Self::Exponential { rate, time },
            LawFile::Weibull { scale, shape, age, time } => Self::Weibull { scale, shape, age, time },
            LawFile::Repairable { on_demand, rate, repair, time } => Self::Repairable { on_demand, rate, repair, time },
            LawFile::PeriodicTest { rate, interval, first, time } => Self::PeriodicTest { rate, interval, first, time },
        }
    }
}

impl SpreadFile {
    /// The spread, if exactly one is written.
    pub fn spread(&self) -> Option<Spread> {
        match (self.error_factor, self.alpha, self.beta, self.min, self.max) {
            (Some(error_factor), None, None, None, None) => Some(Spread::LogNormal { error_factor }),
            (None, Some(alpha), Some(beta), None, None) => Some(Spread::Beta { alpha, beta }),
            (None, None, None, Some(min), Some(max)) => Some(Spread::Uniform { min, max }),
            _ => None,
        }
    }
}
