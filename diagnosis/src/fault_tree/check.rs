//! Whether a fault tree makes sense: everything that is wrong with it, at once.
//!
//! Takes no recursion: chains of gates may be a million deep.

mod law;
mod order;
mod settled;

use std::collections::HashSet;

use super::exchange::{Place, Places, Written};
use super::model::{CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing};
use super::problem::{Problem, ProblemKind, Problems};
use super::solve::{Diagram, Limits};
use settled::settled;

pub(super) use law::wrong as wrong_law;
#[cfg(feature = "cli")]
pub(super) use order::{Reached, reached};

/// Everything that is wrong with a tree, in the order events, gates, common causes, top. Takes
/// time about linear in its size.
pub fn check(written: &Written) -> Problems {
    let Written { tree, places, .. } = written;
    let mut check = Check { tree, places, problems: Problems::default() };
    check.references();
    if !check.problems.0.is_empty() {
        return check.problems;
    }
    check.names();
    check.events();
    check.gates();
    check.common_causes();
    let order = order::inputs_first(tree);
    for circle in &order.circles {
        check.circle(circle);
    }
    check.unused();
    if !check.problems.is_fatal() {
        check.top(constant_top(tree, &order.gates));
    }
    check.problems
}

/// As [`check`], and finds by exact logic whether the top event is the same whatever happens, if
/// the tree is static and that fits the limits.
pub fn check_exactly(written: &Written, limits: &Limits<'_>) -> Problems {
    let Written { tree, places, .. } = written;
    let problems = check(written);
    if problems.is_fatal() || problems.0.iter().any(|problem| problem.kind.is_constant_top()) {
        return problems;
    }
    let mut check = Check { tree, places, problems };
    check.top(Diagram::compile(tree, limits).ok().and_then(|diagram| settled(&diagram)));
    check.problems
}

/// What [`check`] finds beyond what a reader has told, without what follows from that alone.
pub(crate) fn more_problems(told: &[Problem], written: &Written) -> Vec<Problem> {
    let fatal = told.iter().any(|problem| problem.kind.is_fatal());
    let follows = |problem: &Problem| match problem.kind {
        ProblemKind::Cycle => false,
        ProblemKind::Unused | ProblemKind::Top if fatal => true,
        // A gate made up for a formula stands where the formula does.
        ProblemKind::Inputs if told.iter().any(|told| told.line == problem.line) => true,
        _ => told.iter().any(|told| told.field.split('.').any(|part| part == problem.field)),
    };
    check(written).0.into_iter().filter(|problem| !follows(problem)).collect()
}

/// All gates, those that are read before those that read them; nothing if there are circles.
pub(crate) fn inputs_first(tree: &FaultTree) -> Option<Vec<usize>> {
    let order = order::inputs_first(tree);
    order.circles.is_empty().then_some(order.gates)
}

/// Whether constants and house events alone settle the top event.
fn constant_top(tree: &FaultTree, inputs_first: &[usize]) -> Option<bool> {
    let mut settled: Vec<Option<bool>> = vec![None; tree.gates.len()];
    for gate in inputs_first {
        let Gate { logic, inputs, .. } = &tree.gates[*gate];
        let values = inputs.iter().map(|input| {
            let value = match input.node {
                Node::Gate(gate) => settled[gate],
                Node::Event(event) => settled_event(&tree.events[event]),
            };
            value.map(|value| value != input.negated)
        });
        let (mut on, mut open) = (0, 0);
        for value in values {
            match value {
                Some(true) => on += 1,
                Some(false) => {}
                None => open += 1,
            }
        }
        let least = match logic {
            Logic::Xor => {
                settled[*gate] = (open == 0).then_some(on % 2 == 1);
                continue;
            }
            Logic::Or => 1,
            Logic::AtLeast(least) => *least,
            Logic::And | Logic::Inhibit | Logic::PriorityAnd | Logic::Spare { .. } => inputs.len(),
        };
        settled[*gate] = if on >= least { Some(true) } else { (on + open < least).then_some(false) };
    }
    settled[tree.top]
}

/// An event that has no choice.
fn settled_event(event: &Event) -> Option<bool> {
    match (event.kind, event.law) {
        (EventKind::House(on), _) => Some(on),
        (_, Some(Law::Constant(0.0))) => Some(false),
        (_, Some(Law::Constant(1.0))) => Some(true),
        _ => None,
    }
}

struct Check<'a> {
    tree: &'a FaultTree,
    places: &'a Places,
    problems: Problems,
}

impl Check<'_> {
    fn references(&mut self) {
        let (events, gates) = (self.tree.events.len(), self.tree.gates.len());
        let exists = |node: &Node| match *node {
            Node::Event(index) => index < events,
            Node::Gate(index) => index < gates,
        };
        if self.tree.top >= gates {
            let reason = "there is no top event: name a gate".to_owned();
            self.report(Place::default(), ProblemKind::Top, "top", reason);
        }
        for (index, gate) in self.tree.gates.iter().enumerate() {
            if !gate.inputs.iter().all(|input| exists(&input.node)) {
                let reason = "reads what is not in the tree".to_owned();
                self.report(self.gate_place(index), ProblemKind::Undefined, &gate.name, reason);
            }
        }
        for (index, group) in self.tree.common_causes.iter().enumerate() {
            if !group.members.iter().all(|member| *member < events) {
                let reason = "has a member that is not in the tree".to_owned();
                self.report(self.group_place(index), ProblemKind::Undefined, &group.name, reason);
            }
        }
    }

    fn names(&mut self) {
        let events = self.tree.events.iter().enumerate().map(|(i, event)| (event.name.as_str(), self.event_place(i)));
        let gates = self.tree.gates.iter().enumerate().map(|(i, gate)| (gate.name.as_str(), self.gate_place(i)));
        let mut seen = HashSet::new();
        let wrong: Vec<_> = events.chain(gates).filter(|(name, _)| name.is_empty() || !seen.insert(*name)).collect();
        for (name, place) in wrong {
            let reason = if name.is_empty() { "has no name" } else { "another event or gate has this name" };
            self.report(place, ProblemKind::Duplicate, name, reason.to_owned());
        }
    }

    fn events(&mut self) {
        for (index, event) in self.tree.events.iter().enumerate() {
            self.event(event, self.event_place(index));
        }
    }

    fn event(&mut self, event: &Event, place: Place) {
        let wrong =
            event.law.as_ref().and_then(law::wrong).or_else(|| event.spread.as_ref().and_then(law::wrong_spread));
        if let Some((kind, reason)) = wrong {
            self.report(place, kind, &event.name, reason);
        }
        if matches!(event.kind, EventKind::House(_)) && event.law.is_some() {
            let reason = "is a house event and has a probability: it is on or off".to_owned();
            self.report(place, ProblemKind::Probability, &event.name, reason);
        }
    }

    fn gates(&mut self) {
        for (index, gate) in self.tree.gates.iter().enumerate() {
            self.gate(gate, self.gate_place(index));
        }
    }

    fn gate(&mut self, gate: &Gate, place: Place) {
        let count = gate.inputs.len();
        let wrong = match gate.logic {
            _ if count == 0 => Some((ProblemKind::Inputs, "has no inputs: name at least one".to_owned())),
            Logic::AtLeast(least) if !(1..=count).contains(&least) => {
                let reason = format!("at least {least} of {count} inputs: must be from 1 to {count}");
                Some((ProblemKind::AtLeast, reason))
            }
            Logic::Inhibit | Logic::PriorityAnd | Logic::Spare { .. } if count < 2 => {
                Some((ProblemKind::Inputs, "has one input: such a gate has two or more".to_owned()))
            }
            Logic::Spare { dormancy } if !(0.0..=1.0).contains(&dormancy) => {
                let reason = format!("dormancy is {dormancy}: 0 is cold, 1 hot, warm between");
                Some((ProblemKind::Number, reason))
            }
            Logic::PriorityAnd | Logic::Spare { .. } => self.dynamic_input(gate),
            _ => None,
        };
        if let Some((kind, reason)) = wrong {
            self.report(place, kind, &gate.name, reason);
        }
        let mut sorted = gate.inputs.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let reason = format!("reads {} twice: once is enough", self.node_name(twice[0].node));
            self.report(place, ProblemKind::Duplicate, &gate.name, reason);
        }
    }

    /// Order and standby are told of basic events alone.
    fn dynamic_input(&self, gate: &Gate) -> Option<(ProblemKind, String)> {
        let plain = |input: &&Input| match input.node {
            Node::Event(event) => {
                input.negated || !matches!(self.tree.events[event].kind, EventKind::Basic | EventKind::Undeveloped)
            }
            Node::Gate(_) => true,
        };
        let wrong = gate.inputs.iter().find(plain)?;
        let reason =
            format!("reads {}: inputs of a priority or spare gate are basic events", self.node_name(wrong.node));
        Some((ProblemKind::Dynamic, reason))
    }

    fn common_causes(&mut self) {
        let mut taken = HashSet::new();
        for (index, group) in self.tree.common_causes.iter().enumerate() {
            let shared = group.members.iter().find(|member| !taken.insert(**member));
            let wrong = match shared {
                Some(event) => Some(format!("{} is in two groups, or twice in one", self.tree.events[*event].name)),
                None => wrong_sharing(group),
            };
            let kind = ProblemKind::CommonCause;
            let wrong = wrong.map(|reason| (kind, reason)).or_else(|| law::wrong(&group.law));
            if let Some((kind, reason)) = wrong {
                self.report(self.group_place(index), kind, &group.name, reason);
            }
        }
    }

    fn circle(&mut self, circle: &[usize]) {
        let mut names: Vec<&str> = circle.iter().take(NAMED).map(|gate| self.tree.gates[*gate].name.as_str()).collect();
        if circle.len() > NAMED {
            names.push("..");
        }
        let first = circle[0];
        let name = &self.tree.gates[first].name;
        let reason = format!("depends on itself, {} -> {name}: break the circle", names.join(" -> "));
        self.report(self.gate_place(first), ProblemKind::Cycle, name, reason);
    }

    fn unused(&mut self) {
        let reached = order::reached(self.tree);
        let reason = "does not lead to the top event: name it among the inputs of a gate that does, or remove it";
        for (index, event) in self.tree.events.iter().enumerate().filter(|(index, _)| !reached.events[*index]) {
            self.report(self.event_place(index), ProblemKind::Unused, &event.name, reason.to_owned());
        }
        for (index, gate) in self.tree.gates.iter().enumerate().filter(|(index, _)| !reached.gates[*index]) {
            self.report(self.gate_place(index), ProblemKind::Unused, &gate.name, reason.to_owned());
        }
    }

    fn top(&mut self, constant: Option<bool>) {
        let Some(always) = constant else { return };
        let (kind, how, value) = if always {
            (ProblemKind::AlwaysHappens, "always happens", true)
        } else {
            (ProblemKind::NeverHappens, "can never happen", false)
        };
        let reason = format!("the top event {how}: look for house events and probabilities that make it {value}");
        self.report(self.gate_place(self.tree.top), kind, &self.tree.gates[self.tree.top].name, reason);
    }

    fn node_name(&self, node: Node) -> &str {
        match node {
            Node::Event(event) => &self.tree.events[event].name,
            Node::Gate(gate) => &self.tree.gates[gate].name,
        }
    }

    fn event_place(&self, index: usize) -> Place {
        self.places.events.get(index).copied().unwrap_or_default()
    }

    fn gate_place(&self, index: usize) -> Place {
        self.places.gates.get(index).copied().unwrap_or_default()
    }

    fn group_place(&self, index: usize) -> Place {
        self.places.common_causes.get(index).copied().unwrap_or_default()
    }

    fn report(&mut self, place: Place, kind: ProblemKind, field: &str, reason: String) {
        self.problems.push(self.places.problem(place, kind, field, reason));
    }
}

/// As many names as a circle is told by.
const NAMED: usize = 10;

fn wrong_sharing(group: &CommonCause) -> Option<String> {
    let count = group.members.len();
    if count < 2 {
        return Some(format!("has {count} members: a group has two or more"));
    }
    let (factors, wanted, most): (&[f64], usize, f64) = match &group.sharing {
        Sharing::Beta(beta) => (std::slice::from_ref(beta), 1, 1.0),
        Sharing::Mgl(letters) => (letters, count - 1, 1.0),
        Sharing::Alpha(factors) => (factors, count, f64::INFINITY),
    };
    if factors.len() != wanted {
        return Some(format!("has {} factors: {count} members need {wanted}", factors.len()));
    }
    if let Some(wrong) = factors.iter().find(|factor| !(0.0..=most).contains(*factor) || !factor.is_finite()) {
        return Some(format!("has the factor {wrong}: must be from 0 to {most}"));
    }
    let shares = !matches!(group.sharing, Sharing::Alpha(_)) || factors.iter().sum::<f64>() > 0.0;
    (!shares).then(|| "has no factor above 0".to_owned())
}

#[cfg(test)]
mod tests;
