//! The job fill rate of a kit.

use std::collections::BTreeMap;

use super::{JobFill, VanKitProblem, part_index};

/// Largest group of parts, tied together by common jobs, that is followed exactly: up to
/// three pieces of each make 4,096 states.
const MAX_GROUP: usize = 6;

/// Most states (pieces left of each part) that are followed.
const MAX_STATES: usize = 4_096;

/// Most steps, over states, kinds of jobs and jobs, of one evaluation: some milliseconds.
const MAX_STEPS: usize = 4_000_000;

/// What is followed together: a group of parts with all its jobs, or one kind of job of a
/// larger group with its own parts.
pub(super) struct Unit {
    pub(super) parts: Vec<usize>,
    /// Whose fill rate is measured.
    pub(super) kinds: Vec<usize>,
    /// Who takes of the parts.
    takers: Vec<usize>,
    /// Whether the jobs need no other parts.
    is_whole: bool,
}

/// A kind of job with parts as indices.
struct Kind {
    /// Probability that a job is of this kind.
    probability: f64,
    needs: Vec<(usize, u32)>,
}

/// What jobs leave in the van when a part is missing.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// All or nothing: everything.
    AllOrNothing,
    /// Nothing: they take what is there. Never leaves more, so it bounds from below.
    TakesWhatIsThere,
}

pub(super) struct Filler {
    kinds: Vec<Kind>,
    pub(super) units: Vec<Unit>,
    /// Probability that a cycle has more than 0, 1, 2, … jobs.
    more_jobs: Vec<f64>,
}

impl Filler {
    pub(super) fn new(problem: &VanKitProblem) -> Self {
        let index = part_index(&problem.parts);
        let shares: f64 = problem.jobs.iter().map(|job| job.share).sum();
        let kind = |job: &super::JobKind| Kind {
            probability: job.share / shares,
            needs: job.parts.iter().map(|need| (index[&need.part], need.quantity)).collect(),
        };
        let kinds: Vec<Kind> = problem.jobs.iter().map(kind).collect();
        let tail = |n: usize| problem.jobs_per_cycle[n + 1..].iter().sum();
        let more_jobs = (0..problem.jobs_per_cycle.len() - 1).map(tail).collect();
        Self { units: units(&kinds, problem.parts.len()), kinds, more_jobs }
    }

    pub(super) fn needs(&self, kind: usize) -> &[(usize, u32)] {
        &self.kinds[kind].needs
    }

    fn expected_jobs(&self) -> f64 {
        self.more_jobs.iter().sum()
    }

    pub(super) fn fill(&self, pieces: &[u32]) -> JobFill {
        let rate = self.no_part() + self.units.iter().map(|u| self.unit_rate(u, pieces)).sum::<f64>();
        let is_exact = self.units.iter().all(|u| u.is_whole && self.can_follow(&u.parts, &u.takers, pieces));
        JobFill { rate: rate.min(1.0), is_exact }
    }

    /// Share of all jobs that need no part.
    pub(super) fn no_part(&self) -> f64 {
        self.kinds.iter().filter(|k| k.needs.is_empty()).map(|k| k.probability).sum()
    }

    /// Share of all jobs that are of the unit and done.
    pub(super) fn unit_rate(&self, unit: &Unit, pieces: &[u32]) -> f64 {
        self.done(unit, pieces).iter().sum()
    }

    /// Share of all jobs that are of each kind and find a part missing.
    pub(super) fn missed(&self, pieces: &[u32]) -> Vec<f64> {
        let mut missed = vec![0.0; self.kinds.len()];
        for unit in &self.units {
            for (&kind, done) in unit.kinds.iter().zip(self.done(unit, pieces)) {
                missed[kind] = (self.kinds[kind].probability - done).max(0.0);
            }
        }
        missed
    }

    /// For each kind of the unit, the share of all jobs that are of it and done.
    fn done(&self, unit: &Unit, pieces: &[u32]) -> Vec<f64> {
        if unit.is_whole && self.can_follow(&unit.parts, &unit.takers, pieces) {
            return self.follow(&unit.parts, &unit.takers, &unit.kinds, pieces, Rule::AllOrNothing);
        }
        unit.kinds.iter().map(|&kind| self.at_least_done(kind, &unit.takers, pieces)).collect()
    }

    fn can_follow(&self, parts: &[usize], takers: &[usize], pieces: &[u32]) -> bool {
        let states = parts.iter().fold(1, |states: usize, &p| states.saturating_mul(pieces[p] as usize + 1));
        states <= MAX_STATES && states.saturating_mul(takers.len() * self.more_jobs.len()) <= MAX_STEPS
    }

    /// A lower bound for one kind of job: only its own parts are followed, or if even they
    /// have too many states, each by itself (Bonferroni).
    fn at_least_done(&self, kind: usize, takers: &[usize], pieces: &[u32]) -> f64 {
        let parts: Vec<usize> = self.kinds[kind].needs.iter().map(|(part, _)| *part).collect();
        let follow = |parts: &[usize]| {
            self.follow(parts, takers, &[kind], pieces, Rule::TakesWhatIsThere).first().copied().unwrap_or(0.0)
        };
        if self.can_follow(&parts, takers, pieces) {
            return follow(&parts);
        }
        let probability = self.kinds[kind].probability;
        let lost: f64 = parts.iter().map(|&part| probability - follow(&[part])).sum();
        (probability - lost).max(0.0)
    }

    /// Follows the pieces left of some parts from job to job: for each watched kind, the
    /// share of all jobs that are of it and find what they need of these parts.
    fn follow(&self, parts: &[usize], takers: &[usize], watched: &[usize], pieces: &[u32], rule: Rule) -> Vec<f64> {
        let lattice = Lattice::new(parts, pieces);
        let here = |kind: usize| lattice.needs(&self.kinds[kind].needs);
        let watched: Vec<(f64, Vec<Need>)> = watched.iter().map(|&k| (self.kinds[k].probability, here(k))).collect();
        // Jobs that need the same of these parts are one.
        let mut moves: BTreeMap<Vec<Need>, f64> = BTreeMap::new();
        for &kind in takers {
            *moves.entry(here(kind)).or_default() += self.kinds[kind].probability;
        }
        moves.remove(&Vec::new());
        let stays = 1.0 - moves.values().sum::<f64>();
        let has = |s: usize, needs: &[Need]| needs.iter().all(|n| n.left(s) >= n.quantity);
        let found: Vec<Vec<usize>> =
            watched.iter().map(|(_, needs)| (0..lattice.states).filter(|&s| has(s, needs)).collect()).collect();
        let next_states: Vec<(f64, Vec<usize>)> =
            moves.iter().map(|(needs, &p)| (p, (0..lattice.states).map(|s| after(s, needs, rule)).collect())).collect();
        let mut state = vec![0.0; lattice.states];
        state[lattice.states - 1] = 1.0;
        let mut done = vec![0.0; watched.len()];
        for (job, more) in self.more_jobs.iter().enumerate() {
            for ((sum, (probability, _)), found) in done.iter_mut().zip(&watched).zip(&found) {
                *sum += more * probability * found.iter().map(|&s| state[s]).sum::<f64>();
            }
            if job + 1 == self.more_jobs.len() {
                break;
            }
            let mut next: Vec<f64> = state.iter().map(|p| p * stays).collect();
            for (probability, after) in &next_states {
                state.iter().zip(after).for_each(|(p, &s)| next[s] += p * probability);
            }
            state = next;
        }
        done.iter().map(|sum| sum / self.expected_jobs()).collect()
    }
}

/// States after a job: all that it needs is taken, or what the rule says.
fn after(state: usize, needs: &[Need], rule: Rule) -> usize {
    let is_there = needs.iter().all(|n| n.left(state) >= n.quantity);
    match rule {
        Rule::AllOrNothing if !is_there => state,
        _ => needs.iter().fold(state, |s, n| s - n.quantity.min(n.left(s)) * n.stride),
    }
}

/// Numbers for "pieces left of each part", in mixed radix.
struct Lattice<'a> {
    parts: &'a [usize],
    strides: Vec<usize>,
    radices: Vec<usize>,
    states: usize,
}

/// Pieces needed of one part of a lattice.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    stride: usize,
    radix: usize,
    quantity: usize,
}

impl Need {
    fn left(&self, state: usize) -> usize {
        state / self.stride % self.radix
    }
}

impl<'a> Lattice<'a> {
    fn new(parts: &'a [usize], pieces: &[u32]) -> Self {
        let radices: Vec<usize> = parts.iter().map(|&p| pieces[p] as usize + 1).collect();
        let mut states = 1;
        let stride = |radix: &usize| {
            let stride = states;
            states *= radix;
            stride
        };
        Self { parts, strides: radices.iter().map(stride).collect(), radices, states }
    }

    fn needs(&self, needs: &[(usize, u32)]) -> Vec<Need> {
        let find = |&(part, n): &(usize, u32)| {
            let k = self.parts.iter().position(|p| *p == part)?;
            Some(Need { stride: self.strides[k], radix: self.radices[k], quantity: n as usize })
        };
        needs.iter().filter_map(find).collect()
    }
}

/// Small groups of connected parts as a whole, larger ones kind by kind.
fn units(kinds: &[Kind], parts: usize) -> Vec<Unit> {
    let uses = |kind: usize, parts: &[usize]| kinds[kind].needs.iter().any(|(p, _)| parts.contains(p));
    let mut units = Vec::new();
    for (parts, members) in groups(kinds, parts) {
        if parts.len() <= MAX_GROUP {
            units.push(Unit { parts, kinds: members.clone(), takers: members, is_whole: true });
            continue;
        }
        for &kind in &members {
            let parts: Vec<usize> = kinds[kind].needs.iter().map(|(p, _)| *p).collect();
            let takers = members.iter().copied().filter(|&other| uses(other, &parts)).collect();
            units.push(Unit { parts, kinds: vec![kind], takers, is_whole: false });
        }
    }
    units
}

/// Connected parts with the jobs that need them; parts that no job needs are left out.
fn groups(kinds: &[Kind], parts: usize) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut label: Vec<usize> = (0..parts).collect();
    loop {
        let before = label.clone();
        for kind in kinds {
            let least = kind.needs.iter().map(|(p, _)| label[*p]).min();
            kind.needs.iter().for_each(|(p, _)| label[*p] = least.unwrap_or(label[*p]));
        }
        if label == before {
            break;
        }
    }
    let mut groups = BTreeMap::<usize, (Vec<usize>, Vec<usize>)>::new();
    for (part, &first) in label.iter().enumerate() {
        groups.entry(first).or_default().0.push(part);
    }
    for (kind, needs) in kinds.iter().map(|k| &k.needs).enumerate() {
        if let Some((part, _)) = needs.first() {
            groups.entry(label[*part]).or_default().1.push(kind);
        }
    }
    groups.into_values().filter(|(_, kinds)| !kinds.is_empty()).collect()
}
