//! From statements to a tree.

use std::collections::HashMap;

use super::token::{Statement, Word};
use super::{Options, Place, ProblemKind, Report};
use crate::fault_tree::check::wrong_law;
use crate::fault_tree::model::{Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node};

/// A gate whose inputs are still names.
struct Named<'s, 't> {
    inputs: &'s [Word<'t>],
    /// What counts is their absence.
    negated: bool,
    /// Its dormancy is its spares'.
    warm: bool,
}

struct Reader<'a, 's, 't> {
    report: &'a mut Report,
    mission_time: f64,
    tree: FaultTree,
    names: HashMap<&'t str, Node>,
    gates: Vec<Named<'s, 't>>,
    /// For each event.
    dormancies: Vec<Option<f64>>,
    top: Option<(&'t str, Place)>,
}

/// Reads the tree; what is wrong goes to the report.
pub(super) fn tree(statements: &[Statement<'_>], options: &Options, report: &mut Report) -> FaultTree {
    let mut reader = Reader {
        report,
        mission_time: options.mission_time,
        tree: FaultTree::default(),
        names: HashMap::new(),
        gates: Vec::new(),
        dormancies: Vec::new(),
        top: None,
    };
    for statement in statements {
        reader.statement(statement);
    }
    for gate in 0..reader.gates.len() {
        reader.inputs(gate);
    }
    reader.set_top(options.top.as_deref());
    reader.tree
}

impl<'s, 't> Reader<'_, 's, 't> {
    fn statement(&mut self, statement: &'s Statement<'t>) {
        let place = statement.place;
        match statement.words.as_slice() {
            [Word::Plain("toplevel"), Word::Plain(top)] => {
                if self.top.replace((top, place)).is_some() {
                    self.report.problem(place, ProblemKind::Top, top, "a second top event: a tree has one");
                }
            }
            [Word::Plain(name), Word::Plain(kind), inputs @ ..] => self.gate(name, kind, inputs, place),
            [Word::Plain(name), settings @ ..] if !settings.is_empty() => self.event(name, settings, place),
            _ => {
                let reason = "write \"gate\" and \"input\" ..; or \"event\" lambda=..;";
                self.report.problem(place, ProblemKind::Syntax, "syntax", reason);
            }
        }
    }

    fn gate(&mut self, name: &'t str, kind: &'t str, inputs: &'s [Word<'t>], place: Place) {
        let logic = match kind.to_ascii_lowercase().as_str() {
            "and" => Logic::And,
            "or" | "not" => Logic::Or,
            "xor" => Logic::Xor,
            "pand" => Logic::PriorityAnd,
            "csp" | "wsp" => Logic::Spare { dormancy: 0.0 },
            "hsp" => Logic::Spare { dormancy: 1.0 },
            other => match votes(other) {
                Some((least, of)) if of == inputs.len() => Logic::AtLeast(least),
                Some((_, of)) => {
                    let reason = format!("{kind} has {} inputs: must have {of}", inputs.len());
                    return self.report.problem(place, ProblemKind::AtLeast, name, reason);
                }
                None => {
                    let reason =
                        format!("gate {kind} is not offered: and, or, xor, not, KofN, pand, csp, wsp, hsp are");
                    return self.report.problem(place, ProblemKind::NotOffered, name, reason);
                }
            },
        };
        if kind.eq_ignore_ascii_case("not") && inputs.len() != 1 {
            self.report.problem(place, ProblemKind::Inputs, name, "not has one input");
        }
        self.name(name, Node::Gate(self.tree.gates.len()), place);
        self.report.places.gates.push(place);
        self.tree.gates.push(Gate { name: name.to_owned(), label: String::new(), logic, inputs: Vec::new() });
        self.gates.push(Named {
            inputs,
            negated: kind.eq_ignore_ascii_case("not"),
            warm: kind.eq_ignore_ascii_case("wsp"),
        });
    }

    fn event(&mut self, name: &'t str, settings: &[Word<'t>], place: Place) {
        let mut numbers: HashMap<&str, f64> = HashMap::new();
        for setting in settings {
            let Word::Setting(key, value) = setting else {
                return self.report.problem(place, ProblemKind::Syntax, name, "a name among settings: write key=value");
            };
            match value.parse::<f64>() {
                Ok(number) if number.is_finite() => _ = numbers.insert(key, number),
                _ => {
                    let reason = format!("{key}={value}: must be a finite number");
                    self.report.problem(place, ProblemKind::Number, name, reason);
                }
            }
        }
        let dormancy = numbers.remove("dorm");
        let law = self.law(name, &mut numbers, place);
        // A single phase and one of a kind are what there is anyway.
        numbers.retain(|key, number| !(matches!(*key, "phases" | "repl") && *number == 1.0));
        if let Some(key) = numbers.keys().min() {
            let reason = format!("{key} is not offered here: prob, lambda, or rate with shape are, and dorm");
            self.report.problem(place, ProblemKind::NotOffered, name, reason);
        }
        self.name(name, Node::Event(self.tree.events.len()), place);
        self.report.places.events.push(place);
        let (name, label) = (name.to_owned(), String::new());
        self.tree.events.push(Event { name, label, kind: EventKind::Basic, law, spread: None });
        self.dormancies.push(dormancy);
    }

    fn law(&mut self, name: &str, numbers: &mut HashMap<&str, f64>, place: Place) -> Option<Law> {
        let time = self.mission_time;
        let law = if let Some(probability) = numbers.remove("prob") {
            Law::Constant(probability)
        } else if let Some(rate) = numbers.remove("lambda") {
            Law::Exponential { rate, time }
        } else if let (Some(rate), Some(shape)) = (numbers.get("rate").copied(), numbers.get("shape").copied()) {
            numbers.retain(|key, _| !matches!(*key, "rate" | "shape"));
            Law::Weibull { scale: 1.0 / rate, shape, age: 0.0, time }
        } else {
            return None;
        };
        match wrong_law(&law) {
            None => Some(law),
            Some((kind, reason)) => {
                self.report.problem(place, kind, name, reason);
                None
            }
        }
    }

    fn name(&mut self, name: &'t str, node: Node, place: Place) {
        if self.names.insert(name, node).is_some() {
            self.report.problem(place, ProblemKind::Duplicate, name, "this name is defined twice: choose another");
        }
    }

    fn inputs(&mut self, gate: usize) {
        let place = self.report.places.gates[gate];
        let Named { inputs, negated, warm } = self.gates[gate];
        let name = self.tree.gates[gate].name.clone();
        for input in inputs {
            let found = match input {
                Word::Plain(input) => self.names.get(input).copied(),
                Word::Setting(..) => None,
            };
            match (found, input) {
                (Some(node), _) => self.tree.gates[gate].inputs.push(Input { node, negated }),
                (None, Word::Plain(input) | Word::Setting(input, _)) => {
                    let reason = format!("{input:?} is not defined: define it or correct the name");
                    self.report.problem(place, ProblemKind::Undefined, &name, reason);
                }
            }
        }
        if warm {
            match self.dormancy(gate) {
                Some(dormancy) => self.tree.gates[gate].logic = Logic::Spare { dormancy },
                None => {
                    let reason = "spares of one wsp gate have the same dormancy: write dorm=.. with each of them";
                    self.report.problem(place, ProblemKind::NotOffered, &name, reason);
                }
            }
        }
    }

    /// The one dormancy that all spares of a gate have.
    fn dormancy(&self, gate: usize) -> Option<f64> {
        let spares = self.tree.gates[gate].inputs.iter().skip(1).map(|input| match input.node {
            Node::Event(event) => self.dormancies[event],
            Node::Gate(_) => None,
        });
        let dormancies: Vec<f64> = spares.collect::<Option<_>>()?;
        let first = *dormancies.first()?;
        dormancies.iter().all(|dormancy| *dormancy == first).then_some(first)
    }

    fn set_top(&mut self, asked: Option<&str>) {
        let (name, place) = match (asked, self.top) {
            (Some(asked), _) => (asked, Place::default()),
            (None, Some(top)) => top,
            (None, None) => {
                let reason = "there is no top event: write toplevel \"gate\";";
                return self.report.problem(Place::default(), ProblemKind::Top, "toplevel", reason);
            }
        };
        match self.names.get(name) {
            Some(Node::Gate(gate)) => self.tree.top = *gate,
            _ => {
                let reason = format!("{name:?} is no gate: a top event is one");
                self.report.problem(place, ProblemKind::Top, "toplevel", reason);
            }
        }
    }
}

/// `2of3`.
fn votes(kind: &str) -> Option<(usize, usize)> {
    let (least, of) = kind.split_once("of")?;
    Some((least.parse().ok()?, of.parse().ok()?))
}
