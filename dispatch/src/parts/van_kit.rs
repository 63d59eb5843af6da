//! What a van keeps from one replenishment to the next.
//!
//! The repair kit problem with several jobs to a tour (Teunter 2006; Bijvank, Koole & Vis,
//! "Optimising a general repair kit problem with a service constraint", EJOR 204, 2010):
//! a job is done if every part it needs is in the van in the right number, else it takes
//! nothing and costs a second visit. The share of jobs done is the job fill rate.

mod fill;
mod search;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::fill::Filler;
use crate::error::{InputError, Problem, check_number};
use crate::id::{FaultId, PartId};
use crate::order::{PartNeed, check_needs};

/// Most jobs between two replenishments: a fortnight of a busy technician.
const MAX_JOBS: usize = 120;

/// Most kinds of jobs, and of parts: the catalogue of a large maker's field service.
const MAX_KINDS: usize = 2_000;

/// Most pairs of kinds of jobs over a common part, times jobs per cycle: some seconds.
const MAX_PAIRS: f64 = 5e6;

/// Greatest cost, weight or volume.
const MAX_NUMBER: f64 = 1e12;

/// What a van kit is chosen for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VanKitProblem {
    /// Kinds of jobs that come up.
    pub jobs: Vec<JobKind>,
    /// Probability of 0, 1, 2, … jobs between two replenishments; sums to 1.
    pub jobs_per_cycle: Vec<f64>,
    /// Every part that some job needs.
    pub parts: Vec<VanPart>,
    /// Job fill rate to reach, 0 to 1.
    pub target: f64,
    /// What the van's shelves bear, in kg.
    #[serde(default)]
    pub max_weight_kg: Option<f64>,
    /// What they hold, in litres.
    #[serde(default)]
    pub max_volume_l: Option<f64>,
}

/// A kind of job: a fault of an appliance type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobKind {
    /// Which fault.
    pub fault: FaultId,
    /// Weight among all jobs; the weights need not sum to 1.
    pub share: f64,
    /// What it needs, all or nothing; may be none.
    pub parts: Vec<PartNeed>,
}

/// A part as a van sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VanPart {
    /// Which part.
    pub part: PartId,
    /// Cost of having one piece in the van for one cycle, in cents.
    pub carrying_cents: f64,
    /// Weight of a piece, in kg.
    #[serde(default)]
    pub weight_kg: f64,
    /// Room a piece takes, in litres.
    #[serde(default)]
    pub volume_l: f64,
}

/// What to keep in the van.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VanKit {
    /// Pieces after replenishment, by part.
    pub pieces: Vec<PartNeed>,
    /// Cost of carrying them for one cycle, in cents.
    pub carrying_cents: f64,
    /// Their weight, in kg.
    pub weight_kg: f64,
    /// The room they take, in litres.
    pub volume_l: f64,
    /// Share of jobs done on the first visit.
    pub fill: JobFill,
    /// Whether the fill rate reaches the target within the limits.
    pub reaches_target: bool,
    /// The kit for people: what the largest shares of jobs wait for.
    pub why: String,
}

/// Share of jobs for which everything is in the van.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFill {
    /// Expected jobs done over expected jobs.
    pub rate: f64,
    /// Exact. Otherwise a lower bound, because too many parts hang together over common
    /// jobs: parts then count as used up by jobs that in truth leave them in the van.
    pub is_exact: bool,
}

/// Chooses the cheapest pieces that reach the target: a greedy build-up by fill rate gained
/// per cost (of single pieces, and of all that a job needs), once by cost and once by the
/// tighter of the limits, then pieces dropped and exchanged while the target holds. Near
/// optimal, as greedy methods are for this problem (Bijvank, Koole & Vis 2010 report 0.2 %
/// on average); where the limits forbid the target, the best fill rate found.
///
/// # Errors
/// No or too many jobs or parts, a bad or repeated id, a part that is needed and not
/// listed, numbers that are negative, not finite or absurd, probabilities of jobs per cycle
/// that do not sum to 1.
pub fn choose_van_kit(problem: &VanKitProblem) -> Result<VanKit, InputError> {
    problem.check()?;
    let filler = Filler::new(problem);
    let pieces = search::search(problem, &filler);
    Ok(problem.explain(&filler, &pieces))
}

/// The job fill rate of given pieces.
///
/// # Errors
/// As [`choose_van_kit`]; a piece of a part that is not listed.
pub fn job_fill_rate(problem: &VanKitProblem, pieces: &[PartNeed]) -> Result<JobFill, InputError> {
    problem.check()?;
    check_needs(pieces, "pieces")?;
    let mut quantities = vec![0; problem.parts.len()];
    for (i, piece) in pieces.iter().enumerate() {
        let index = problem.parts.iter().position(|p| p.part == piece.part);
        let unknown = || InputError::unknown("part", piece.part.as_str(), "part of the problem").at("pieces", i);
        quantities[index.ok_or_else(unknown)?] = piece.quantity;
    }
    Ok(Filler::new(problem).fill(&quantities))
}

impl VanKitProblem {
    fn check(&self) -> Result<(), InputError> {
        check_number(self.jobs.len() as f64, 1.0, MAX_KINDS as f64, "jobs (length)")?;
        check_number(self.parts.len() as f64, 0.0, MAX_KINDS as f64, "parts (length)")?;
        let mut parts = BTreeSet::new();
        for (i, part) in self.parts.iter().enumerate() {
            part.check().map_err(|e| e.at("parts", i))?;
            if !parts.insert(&part.part) {
                return Err(InputError::duplicate("part", part.part.as_str()).at("parts", i));
            }
        }
        for (i, job) in self.jobs.iter().enumerate() {
            job.check(&parts).map_err(|e| e.at("jobs", i))?;
        }
        if self.jobs.iter().all(|job| job.share == 0.0) {
            return Err(InputError::new("jobs", Problem::Empty));
        }
        self.check_cycle()?;
        check_number(self.pairs(), 0.0, MAX_PAIRS, "jobs (with parts in common)")?;
        check_number(self.target, 0.0, 1.0, "target")?;
        check_number(self.max_weight_kg.unwrap_or(0.0), 0.0, MAX_NUMBER, "max_weight_kg")?;
        check_number(self.max_volume_l.unwrap_or(0.0), 0.0, MAX_NUMBER, "max_volume_l")
    }

    /// Pairs of kinds of jobs that need a part in common, times jobs per cycle: the work.
    fn pairs(&self) -> f64 {
        let index = part_index(&self.parts);
        let mut kinds = vec![0.0; self.parts.len()];
        self.jobs.iter().flat_map(|job| &job.parts).for_each(|need| kinds[index[&need.part]] += 1.0);
        kinds.iter().map(|n: &f64| n * n).sum::<f64>() * self.jobs_per_cycle.len() as f64
    }

    fn check_cycle(&self) -> Result<(), InputError> {
        check_number(self.jobs_per_cycle.len() as f64, 2.0, MAX_JOBS as f64 + 1.0, "jobs_per_cycle (length)")?;
        for (i, &p) in self.jobs_per_cycle.iter().enumerate() {
            check_number(p, 0.0, 1.0, &format!("jobs_per_cycle[{i}]"))?;
        }
        check_number(self.jobs_per_cycle.iter().sum(), 1.0 - 1e-6, 1.0 + 1e-6, "jobs_per_cycle (sum)")?;
        // With no jobs at all there is no share of jobs.
        check_number(self.jobs_per_cycle[0], 0.0, 1.0 - 1e-9, "jobs_per_cycle[0]")
    }

    fn explain(&self, filler: &Filler, pieces: &[u32]) -> VanKit {
        let fill = filler.fill(pieces);
        let sum = |value: &dyn Fn(&VanPart) -> f64| -> f64 {
            self.parts.iter().zip(pieces).map(|(p, &n)| f64::from(n) * value(p)).sum()
        };
        let kept = self.parts.iter().zip(pieces).filter(|(_, n)| **n > 0);
        let mut needs: Vec<PartNeed> = kept.map(|(p, &n)| PartNeed { part: p.part.clone(), quantity: n }).collect();
        needs.sort();
        VanKit {
            why: self.sentence(filler, pieces, fill),
            pieces: needs,
            carrying_cents: sum(&|p| p.carrying_cents),
            weight_kg: sum(&|p| p.weight_kg),
            volume_l: sum(&|p| p.volume_l),
            fill,
            reaches_target: fill.rate >= self.target - 1e-12,
        }
    }

    /// The fill rate, and the kinds of jobs that most often find a part missing.
    fn sentence(&self, filler: &Filler, pieces: &[u32], fill: JobFill) -> String {
        let mut missed: Vec<(f64, &JobKind)> = filler.missed(pieces).into_iter().zip(&self.jobs).collect();
        missed.retain(|(share, _)| *share > 5e-4);
        missed.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.fault.cmp(&b.1.fault)));
        let phrase = |(share, job): &(f64, &JobKind)| format!("{} ({:.1} % of all jobs)", job.fault, share * 100.0);
        let missed: Vec<String> = missed.iter().take(5).map(phrase).collect();
        let bound = if fill.is_exact { "" } else { "at least " };
        let head = format!("{} pieces: {bound}{:.1} % of jobs done", pieces.iter().sum::<u32>(), fill.rate * 100.0);
        if missed.is_empty() { head } else { format!("{head}; a part is missing most often for {}", missed.join(", ")) }
    }
}

impl JobKind {
    fn check(&self, parts: &BTreeSet<&PartId>) -> Result<(), InputError> {
        self.fault.check("fault")?;
        check_number(self.share, 0.0, MAX_NUMBER, "share")?;
        check_needs(&self.parts, "parts")?;
        for (i, need) in self.parts.iter().enumerate() {
            if !parts.contains(&need.part) {
                return Err(InputError::unknown("part", need.part.as_str(), "listed part").at("parts", i));
            }
        }
        Ok(())
    }
}

impl VanPart {
    fn check(&self) -> Result<(), InputError> {
        self.part.check("part")?;
        check_number(self.carrying_cents, 0.0, MAX_NUMBER, "carrying_cents")?;
        check_number(self.weight_kg, 0.0, MAX_NUMBER, "weight_kg")?;
        check_number(self.volume_l, 0.0, MAX_NUMBER, "volume_l")
    }
}

/// Index of each part.
fn part_index(parts: &[VanPart]) -> BTreeMap<&PartId, usize> {
    parts.iter().enumerate().map(|(i, p)| (&p.part, i)).collect()
}

#[cfg(test)]
mod tests;
