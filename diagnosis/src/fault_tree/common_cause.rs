//! Common-cause groups written out: each member becomes an or-gate over new independent events, one
//! for each set of members that can fail together (NUREG/CR-5485; the same numbers as SCRAM 0.16.2 gives).
//!
//! The probability of a set depends on its size alone. With `n` members and `Q` the total
//! probability of each:
//! - beta factor: `(1-β) Q` alone, `β Q` all together;
//! - MGL: `Q_k = ρ_2 … ρ_k (1 - ρ_(k+1)) Q / C(n-1, k-1)`;
//! - alpha factor, non-staggered testing: `Q_k = k α_k / Σ j α_j · Q / C(n-1, k-1)`.

use super::expand::{Origin, StaticTree};
use super::law::{LawError, within_one};
use super::{CommonCause, Event, EventKind, Gate, Input, Law, Logic, Node, Sharing};

/// The most events that all groups of a tree may become: a full group of 15 members, far above what
/// anybody has factors for.
pub const MAX_COMMON_CAUSE_EVENTS: usize = 1 << 15;

/// The most bytes that the names of those events may take; each lists its members.
pub const MAX_COMMON_CAUSE_NAMES: usize = 1 << 26;

/// A common-cause group that cannot be written out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CommonCauseError {
    /// Nothing to share.
    #[error("it has {0} members; it must have at least 2")]
    TooFewMembers(usize),
    /// In this group twice, or in two groups.
    #[error("event {0:?} is a member for the second time; an event must be in one group at most, once")]
    MemberTwice(String),
    /// A house event does not fail.
    #[error("event {0:?} is a house event; members must be events with a probability")]
    HouseMember(String),
    /// More factors than there are sizes of sets, or none.
    #[error("it has {given} factors for {members} members; it must have 1 to {most}")]
    Factors {
        /// How many there are.
        given: usize,
        /// How many members there are.
        members: usize,
        /// How many factors there may be.
        most: usize,
    },
    /// Alpha factors that share out nothing.
    #[error("its alpha factors are all 0; at least one must be above 0")]
    NothingShared,
    /// A factor or the total probability is out of its range.
    #[error(transparent)]
    Law(#[from] LawError),
    /// Sets of members grow with 2 to the number of members.
    #[error(
        "with it the groups become {events} events; at most {MAX_COMMON_CAUSE_EVENTS} are possible: \
         give fewer factors, use a beta factor, or split the group"
    )]
    TooManyEvents {
        /// How many, or the greatest number there is.
        events: usize,
    },
    /// Every event's name lists its members.
    #[error(
        "the names of its events would take more than {MAX_COMMON_CAUSE_NAMES} bytes; its members need shorter names"
    )]
    NamesTooLong,
}

/// Writes out the groups of a tree, one after another.
pub(super) struct Groups {
    /// The gate that stands for each event, if it is a member of a group.
    gate_of: Vec<Option<usize>>,
    events: usize,
    name_bytes: usize,
}

impl Groups {
    pub(super) fn new(events: usize) -> Self {
        Self { gate_of: vec![None; events], events: 0, name_bytes: 0 }
    }

    /// Adds gates and events for `group`. Member `a` itself stays as event `[a]`: its failure alone.
    pub(super) fn write_out(
        &mut self,
        index: usize,
        group: &CommonCause,
        out: &mut StaticTree,
    ) -> Result<(), CommonCauseError> {
        let shares = shares(group)?;
        self.count(group, &shares, out)?;
        let names: Vec<String> = group.members.iter().map(|member| out.tree.events[*member].name.clone()).collect();
        for member in &group.members {
            self.replace(*member, out)?;
        }
        for Share { size, probability } in shares {
            for_each_subset(group.members.len(), size, |subset| {
                let event = add_set(index, group, &names, subset, probability, out);
                let gates = subset.iter().filter_map(|position| self.gate_of[group.members[*position]]);
                for gate in gates {
                    out.tree.gates[gate].inputs.push(Input { node: Node::Event(event), negated: false });
                }
            });
        }
        Ok(())
    }

    /// Points every reference at a member to the gate that stands for it now.
    pub(super) fn redirect(&self, gates: &mut [Gate]) {
        for input in gates.iter_mut().flat_map(|gate| &mut gate.inputs) {
            if let Node::Event(event) = input.node
                && let Some(Some(gate)) = self.gate_of.get(event)
            {
                input.node = Node::Gate(*gate);
            }
        }
    }

    fn count(&mut self, group: &CommonCause, shares: &[Share], out: &StaticTree) -> Result<(), CommonCauseError> {
        let members = group.members.len();
        let events = shares.iter().fold(0, |sum: usize, share| sum.saturating_add(choose(members, share.size)));
        self.events = self.events.saturating_add(events);
        if self.events > MAX_COMMON_CAUSE_EVENTS {
            return Err(CommonCauseError::TooManyEvents { events: self.events });
        }
        // A member is in as many sets of a size as the others can be chosen to fill it.
        let sets_of_member: usize = shares.iter().map(|share| choose(members - 1, share.size - 1)).sum();
        let lengths = group.members.iter().map(|member| out.tree.events[*member].name.len() + 1);
        self.name_bytes = self.name_bytes.saturating_add(lengths.sum::<usize>().saturating_mul(sets_of_member));
        if self.name_bytes > MAX_COMMON_CAUSE_NAMES { Err(CommonCauseError::NamesTooLong) } else { Ok(()) }
    }

    fn replace(&mut self, member: usize, out: &mut StaticTree) -> Result<(), CommonCauseError> {
        let Event { name, label, kind, .. } = &out.tree.events[member];
        if matches!(kind, EventKind::House(_)) {
            return Err(CommonCauseError::HouseMember(name.clone()));
        }
        if let Some(gate) = self.gate_of[member] {
            // The event itself may bear the name of its failing alone by now.
            return Err(CommonCauseError::MemberTwice(out.tree.gates[gate].name.clone()));
        }
        self.gate_of[member] = Some(out.tree.gates.len());
        let gate = Gate { name: name.clone(), label: label.clone(), logic: Logic::Or, inputs: Vec::new() };
        out.tree.gates.push(gate);
        Ok(())
    }
}

/// The event that these members, given by their position in the group, fail together.
fn add_set(
    index: usize,
    group: &CommonCause,
    names: &[String],
    subset: &[usize],
    probability: f64,
    out: &mut StaticTree,
) -> usize {
    let joined: Vec<&str> = subset.iter().map(|position| names[*position].as_str()).collect();
    let name = format!("[{}]", joined.join(" "));
    let members = subset.iter().map(|position| group.members[*position]).collect();
    let origin = Origin::CommonCause { group: index, members };
    let [alone] = subset else { return out.add_event(name, group.name.clone(), Some(probability), origin) };
    // The member's own event becomes that of its failing without the others.
    let member = group.members[*alone];
    let event = &mut out.tree.events[member];
    event.name = name;
    event.law = Some(Law::Constant(probability));
    event.spread = None;
    out.probabilities[member] = Some(probability);
    out.origins[member] = origin;
    member
}

/// The probability of each set of so many members.
struct Share {
    size: usize,
    probability: f64,
}

fn shares(group: &CommonCause) -> Result<Vec<Share>, CommonCauseError> {
    let members = group.members.len();
    if members < 2 {
        return Err(CommonCauseError::TooFewMembers(members));
    }
    let total = group.law.probability()?;
    match &group.sharing {
        Sharing::Beta(beta) => {
            within_one("beta factor", *beta)?;
            let alone = Share { size: 1, probability: (1.0 - beta) * total };
            Ok(vec![alone, Share { size: members, probability: beta * total }])
        }
        Sharing::Mgl(factors) => {
            check_factors("MGL factor", factors, members, members - 1)?;
            Ok(mgl(factors, members, total))
        }
        Sharing::Alpha(factors) => {
            check_factors("alpha factor", factors, members, members)?;
            alpha(factors, members, total)
        }
    }
}

fn check_factors(name: &'static str, factors: &[f64], members: usize, most: usize) -> Result<(), CommonCauseError> {
    if factors.is_empty() || factors.len() > most {
        return Err(CommonCauseError::Factors { given: factors.len(), members, most });
    }
    Ok(factors.iter().try_for_each(|factor| within_one(name, *factor))?)
}

/// Factors that are not given are 0: no set is larger than the factors reach.
fn mgl(factors: &[f64], members: usize, total: f64) -> Vec<Share> {
    let mut reaches = total;
    let sizes = 1..=factors.len() + 1;
    let share = |size: usize| {
        let further = factors.get(size - 1).copied().unwrap_or(0.0);
        let probability = reaches * (1.0 - further) / choose(members - 1, size - 1) as f64;
        reaches *= further;
        Share { size, probability }
    };
    sizes.map(share).collect()
}

fn alpha(factors: &[f64], members: usize, total: f64) -> Result<Vec<Share>, CommonCauseError> {
    let sized = || (1..).zip(factors);
    let sum: f64 = sized().map(|(size, factor)| f64::from(size) * factor).sum();
    if sum == 0.0 {
        return Err(CommonCauseError::NothingShared);
    }
    let share = |(size, factor): (i32, &f64)| {
        let size_of_set = size as usize;
        let probability = f64::from(size) * factor / sum * total / choose(members - 1, size_of_set - 1) as f64;
        Share { size: size_of_set, probability }
    };
    Ok(sized().map(share).collect())
}

/// Binomial coefficient, or the greatest number there is.
fn choose(from: usize, take: usize) -> usize {
    let mut ways: u128 = 1;
    for i in 0..take.min(from.saturating_sub(take)) {
        ways = ways * (from - i) as u128 / (i as u128 + 1);
        if ways > usize::MAX as u128 {
            return usize::MAX;
        }
    }
    ways as usize
}

/// Calls `visit` with every set of `size` positions out of `count`, in lexicographic order.
fn for_each_subset(count: usize, size: usize, mut visit: impl FnMut(&[usize])) {
    let mut subset: Vec<usize> = (0..size).collect();
    loop {
        visit(&subset);
        let Some(last) = (0..size).rev().find(|place| subset[*place] < count - size + place) else { return };
        subset[last] += 1;
        for place in last + 1..size {
            subset[place] = subset[place - 1] + 1;
        }
    }
}

#[cfg(test)]
mod tests;
