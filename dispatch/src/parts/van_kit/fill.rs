//! The job fill rate of a kit.

use super::{JobFill, VanKitProblem, part_index};

/// States of a group of parts (pieces left of each) that are followed exactly. A van has
/// one to three pieces of a part, an appliance type five to ten parts.
const MAX_STATES: usize = 4_096;

/// Parts that hang together over common jobs, and those jobs.
pub(super) struct Group {
    pub(super) parts: Vec<usize>,
    pub(super) kinds: Vec<usize>,
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
    pub(super) groups: Vec<Group>,
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
        Self { groups: groups(&kinds, problem.parts.len()), kinds, more_jobs }
    }

    /// Most pieces of each part that a cycle can use.
    pub(super) fn most(&self, part: usize) -> u32 {
        let needs = self.kinds.iter().flat_map(|k| &k.needs).filter(|(p, _)| *p == part);
        needs.map(|(_, n)| n.saturating_mul(self.more_jobs.len() as u32)).max().unwrap_or(0)
    }

    pub(super) fn needs(&self, kind: usize) -> &[(usize, u32)] {
        &self.kinds[kind].needs
    }

    fn expected_jobs(&self) -> f64 {
        self.more_jobs.iter().sum()
    }

    pub(super) fn fill(&self, pieces: &[u32]) -> JobFill {
        let no_part: f64 = self.kinds.iter().filter(|k| k.needs.is_empty()).map(|k| k.probability).sum();
        let rate = no_part + self.groups.iter().map(|g| self.group_rate(g, pieces)).sum::<f64>();
        let is_exact = self.groups.iter().all(|g| states(&g.parts, pieces) <= MAX_STATES);
        JobFill { rate: rate.min(1.0), is_exact }
    }

    /// Share of all jobs that are of the group and done.
    pub(super) fn group_rate(&self, group: &Group, pieces: &[u32]) -> f64 {
        self.done(group, pieces).iter().sum()
    }

    /// Share of all jobs that are of each kind and find a part missing.
    pub(super) fn missed(&self, pieces: &[u32]) -> Vec<f64> {
        let mut missed = vec![0.0; self.kinds.len()];
        for group in &self.groups {
            for (&kind, done) in group.kinds.iter().zip(self.done(group, pieces)) {
                missed[kind] = (self.kinds[kind].probability - done).max(0.0);
            }
        }
        missed
    }

    /// For each kind of the group, the share of all jobs that are of it and done.
    fn done(&self, group: &Group, pieces: &[u32]) -> Vec<f64> {
        if states(&group.parts, pieces) <= MAX_STATES {
            return self.follow(&group.parts, &group.kinds, &group.kinds, pieces, Rule::AllOrNothing);
        }
        group.kinds.iter().map(|&kind| self.at_least_done(kind, group, pieces)).collect()
    }

    /// A lower bound for one kind of job: only its own parts are followed, or if even they
    /// have too many states, each by itself (Bonferroni).
    fn at_least_done(&self, kind: usize, group: &Group, pieces: &[u32]) -> f64 {
        let parts: Vec<usize> = self.kinds[kind].needs.iter().map(|(part, _)| *part).collect();
        let follow = |parts: &[usize]| {
            self.follow(parts, &group.kinds, &[kind], pieces, Rule::TakesWhatIsThere).first().copied().unwrap_or(0.0)
        };
        if states(&parts, pieces) <= MAX_STATES {
            return follow(&parts);
        }
        let probability = self.kinds[kind].probability;
        let lost: f64 = parts.iter().map(|&part| probability - follow(&[part])).sum();
        (probability - lost).max(0.0)
    }

    /// Follows the pieces left of some parts from job to job: for each watched kind, the
    /// share of all jobs that are of it and find what they need of these parts.
    fn follow(&self, parts: &[usize], kinds: &[usize], watched: &[usize], pieces: &[u32], rule: Rule) -> Vec<f64> {
        let lattice = Lattice::new(parts, pieces);
        let here = |kind: usize| lattice.needs(&self.kinds[kind].needs);
        let watched: Vec<(f64, Vec<Need>)> = watched.iter().map(|&k| (self.kinds[k].probability, here(k))).collect();
        let mut moves: Vec<(f64, Vec<Need>)> = kinds.iter().map(|&k| (self.kinds[k].probability, here(k))).collect();
        moves.retain(|(_, needs)| !needs.is_empty());
        let stays = 1.0 - moves.iter().map(|(p, _)| p).sum::<f64>();
        let mut state = vec![0.0; lattice.states];
        state[lattice.states - 1] = 1.0;
        let mut done = vec![0.0; watched.len()];
        for (job, more) in self.more_jobs.iter().enumerate() {
            for (sum, (probability, needs)) in done.iter_mut().zip(&watched) {
                let found = state.iter().enumerate().filter(|(s, _)| needs.iter().all(|n| n.left(*s) >= n.quantity));
                *sum += more * probability * found.map(|(_, p)| p).sum::<f64>();
            }
            if job + 1 == self.more_jobs.len() {
                break;
            }
            let mut next: Vec<f64> = state.iter().map(|p| p * stays).collect();
            for (s, p) in state.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                for (probability, needs) in &moves {
                    next[after(s, needs, rule)] += p * probability;
                }
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

fn states(parts: &[usize], pieces: &[u32]) -> usize {
    parts.iter().fold(1, |states: usize, &p| states.saturating_mul(pieces[p] as usize + 1))
}

/// Connected parts, by their smallest one; parts that no job needs are left out.
fn groups(kinds: &[Kind], parts: usize) -> Vec<Group> {
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
    let group = |first: usize| Group {
        parts: (0..parts).filter(|&p| label[p] == first).collect(),
        kinds: (0..kinds.len()).filter(|&k| kinds[k].needs.first().is_some_and(|(p, _)| label[*p] == first)).collect(),
    };
    (0..parts).filter(|&p| label[p] == p).map(group).filter(|g| !g.kinds.is_empty()).collect()
}
