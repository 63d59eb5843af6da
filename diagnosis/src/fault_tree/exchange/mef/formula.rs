//! Formulas: each gate's own, and the formulas inside it, which become gates of their own with
//! names derived from the gate around them.

use std::collections::HashSet;

use super::definitions::{Defined, Definitions};
use super::{Place, ProblemKind, Report, flavor};
use crate::fault_tree::exchange::xml::Element;
use crate::fault_tree::model::{Event, EventKind, FaultTree, Gate, Input, Logic, Node};

/// Adds every gate of the model to the tree.
pub(super) fn read_gates(definitions: &Definitions<'_, '_>, tree: &mut FaultTree, report: &mut Report) {
    for defined in &definitions.gates {
        let (name, label) = (defined.name.clone(), defined.label());
        tree.gates.push(Gate { name, label, logic: Logic::Or, inputs: Vec::new() });
        report.places.gates.push(defined.place());
    }
    let mut reader = Reader { definitions, tree, report, names: HashSet::new(), constants: [None; 2] };
    for (index, defined) in definitions.gates.iter().enumerate() {
        let formulas = defined.element.children().filter(|e| !matches!(e.tag(), "label" | "attributes"));
        match (formulas.clone().next(), formulas.count()) {
            (Some(formula), 1) => {
                reader.gate(index, formula, defined);
                let gate = &mut reader.tree.gates[index];
                if gate.logic == Logic::And && flavor(defined.element) == Some("inhibit") {
                    gate.logic = Logic::Inhibit;
                }
            }
            (_, count) => {
                let reason = format!("has {count} formulas: a gate has one");
                reader.report.problem(defined.place(), ProblemKind::Inputs, &defined.name, reason);
            }
        }
    }
}

struct Reader<'a, 'd, 't> {
    definitions: &'a Definitions<'d, 't>,
    tree: &'a mut FaultTree,
    report: &'a mut Report,
    /// Every name in the tree, once one has to be made up.
    names: HashSet<String>,
    /// Events for the constants false and true.
    constants: [Option<usize>; 2],
}

/// The formulas of one gate.
struct Inner<'g, 'd, 't> {
    defined: &'g Defined<'d, 't>,
    /// Formulas still to be read, and the gates they belong to.
    open: Vec<(usize, Element<'d, 't>)>,
    /// Gates made up so far.
    made: usize,
}

impl<'d, 't> Reader<'_, 'd, 't> {
    fn gate(&mut self, index: usize, formula: Element<'d, 't>, defined: &Defined<'d, 't>) {
        let mut inner = Inner { defined, open: vec![(index, formula)], made: 0 };
        while let Some((index, formula)) = inner.open.pop() {
            if let Some((logic, inputs)) = self.formula(formula, &mut inner) {
                self.tree.gates[index].logic = logic;
                self.tree.gates[index].inputs = inputs;
            }
        }
    }

    fn formula(&mut self, formula: Element<'d, 't>, inner: &mut Inner<'_, 'd, 't>) -> Option<(Logic, Vec<Input>)> {
        let tag = formula.tag();
        if matches!(tag, "gate" | "event" | "basic-event" | "house-event" | "constant" | "not") {
            return Some((Logic::Or, self.argument(formula, inner).into_iter().collect()));
        }
        let logic = match tag {
            "or" | "nand" | "imply" => Logic::Or,
            "and" | "nor" => Logic::And,
            "xor" | "iff" => Logic::Xor,
            "atleast" => Logic::AtLeast(self.count(formula, "min", inner)?),
            "cardinality" => return self.cardinality(formula, inner),
            other => {
                self.wrong(formula, inner, ProblemKind::Syntax, format!("<{other}> is no formula of Open-PSA MEF"));
                return None;
            }
        };
        let mut inputs: Vec<Input> = formula.children().filter_map(|child| self.argument(child, inner)).collect();
        if matches!(tag, "imply" | "iff") && formula.children().count() != 2 {
            self.wrong(formula, inner, ProblemKind::Inputs, format!("<{tag}> has two arguments"));
        }
        for (place, input) in inputs.iter_mut().enumerate() {
            input.negated ^= match tag {
                "nand" | "nor" => true,
                "imply" | "iff" => place == 0,
                _ => false,
            };
        }
        Some((logic, inputs))
    }

    /// At least `min` and not more than `max`.
    fn cardinality(&mut self, formula: Element<'d, 't>, inner: &mut Inner<'_, 'd, 't>) -> Option<(Logic, Vec<Input>)> {
        let (min, max) = (self.count(formula, "min", inner)?, self.count(formula, "max", inner)?);
        let inputs: Vec<Input> = formula.children().filter_map(|child| self.argument(child, inner)).collect();
        if min > max || max > inputs.len() {
            let reason = format!("min is {min}, max is {max}: must be min <= max <= {} arguments", inputs.len());
            self.wrong(formula, inner, ProblemKind::AtLeast, reason);
            return None;
        }
        let mut bounds = Vec::new();
        for (bound, negated) in [(min, false), (max + 1, true)] {
            if (1..=inputs.len()).contains(&bound) {
                let gate = self.make_gate(formula, inner);
                self.tree.gates[gate].logic = Logic::AtLeast(bound);
                self.tree.gates[gate].inputs.clone_from(&inputs);
                bounds.push(Input { node: Node::Gate(gate), negated });
            }
        }
        if bounds.is_empty() {
            bounds.push(Input { node: Node::Event(self.constant(true)), negated: false });
        }
        Some((Logic::And, bounds))
    }

    fn argument(&mut self, element: Element<'d, 't>, inner: &mut Inner<'_, 'd, 't>) -> Option<Input> {
        let (mut element, mut negated) = (element, false);
        while element.tag() == "not" {
            let mut arguments = element.children();
            let (Some(argument), None) = (arguments.next(), arguments.next()) else {
                self.wrong(element, inner, ProblemKind::Inputs, "<not> has one argument".to_owned());
                return None;
            };
            (element, negated) = (argument, !negated);
        }
        let node = match element.tag() {
            "gate" | "event" | "basic-event" | "house-event" => self.reference(element, inner)?,
            "constant" => match element.attribute("value") {
                Some("true") => Node::Event(self.constant(true)),
                Some("false") => Node::Event(self.constant(false)),
                _ => {
                    let reason = "<constant> has value=\"true\" or value=\"false\"".to_owned();
                    self.wrong(element, inner, ProblemKind::Syntax, reason);
                    return None;
                }
            },
            _ => {
                let gate = self.make_gate(element, inner);
                inner.open.push((gate, element));
                Node::Gate(gate)
            }
        };
        Some(Input { node, negated })
    }

    fn reference(&mut self, element: Element<'d, 't>, inner: &Inner<'_, 'd, 't>) -> Option<Node> {
        let name = element.attribute("name").unwrap_or_default();
        // MEF 2.0d writes a gate or event of unknown sort as <event name=".." type="gate"/>.
        let tag = element.attribute("type").unwrap_or(element.tag());
        let found = self.definitions.event(name, inner.defined.scope);
        let is_house = |event: usize| self.definitions.events[event].element.tag() == "define-house-event";
        let fits = match (tag, found) {
            ("gate", Some(Node::Event(_))) | ("basic-event" | "house-event", Some(Node::Gate(_))) => false,
            ("basic-event", Some(Node::Event(event))) => !is_house(event),
            ("house-event", Some(Node::Event(event))) => is_house(event),
            _ => true,
        };
        if found.is_none() || !fits {
            let reason = match found {
                None => format!("<{tag} name={name:?}/> is not defined: define it or correct the name"),
                Some(_) => format!("{name:?} is read as <{tag}> but is defined as something else"),
            };
            self.wrong(element, inner, ProblemKind::Undefined, reason);
        }
        found.filter(|_| fits)
    }

    fn count(&mut self, formula: Element<'_, '_>, key: &str, inner: &Inner<'_, '_, '_>) -> Option<usize> {
        let written = formula.attribute(key).unwrap_or_default();
        let count = written.trim().parse().ok();
        if count.is_none() {
            let reason = format!("{key}={written:?} must be a whole number from 0 to the number of arguments");
            self.wrong(formula, inner, ProblemKind::AtLeast, reason);
        }
        count
    }

    fn make_gate(&mut self, formula: Element<'_, '_>, inner: &mut Inner<'_, '_, '_>) -> usize {
        let name = loop {
            inner.made += 1;
            let name = format!("{}_{}", inner.defined.name, inner.made);
            if self.take(&name) {
                break name;
            }
        };
        self.tree.gates.push(Gate { name, label: String::new(), logic: Logic::Or, inputs: Vec::new() });
        self.report.places.gates.push(Place { file: inner.defined.file, line: formula.line() });
        self.tree.gates.len() - 1
    }

    fn constant(&mut self, value: bool) -> usize {
        if let Some(event) = self.constants[usize::from(value)] {
            return event;
        }
        let mut name = format!("constant_{value}");
        while !self.take(&name) {
            name.push('_');
        }
        let event = self.tree.events.len();
        let kind = EventKind::House(value);
        self.tree.events.push(Event { name, label: String::new(), kind, law: None, spread: None });
        self.report.places.events.push(Place::default());
        self.constants[usize::from(value)] = Some(event);
        event
    }

    /// Takes a name, unless somebody has it.
    fn take(&mut self, name: &str) -> bool {
        if self.names.is_empty() {
            let gates = self.tree.gates.iter().map(|gate| &gate.name);
            self.names = gates.chain(self.tree.events.iter().map(|event| &event.name)).cloned().collect();
        }
        self.names.insert(name.to_owned())
    }

    fn wrong(&mut self, element: Element<'_, '_>, inner: &Inner<'_, '_, '_>, kind: ProblemKind, reason: String) {
        let place = Place { file: inner.defined.file, line: element.line() };
        self.report.problem(place, kind, &inner.defined.name, reason);
    }
}
