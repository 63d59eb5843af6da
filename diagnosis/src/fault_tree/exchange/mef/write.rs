//! A fault tree as Open-PSA MEF, such that SCRAM reads it too: two arguments to a gate and more,
//! two to an exclusive or, `2 <= min < n`, and members of common-cause groups defined nowhere else.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use quick_xml::escape::escape;

use crate::fault_tree::check::{Reached, reached};
use crate::fault_tree::model::{
    CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing, Spread,
};
use crate::fault_tree::problem::{Problem, ProblemKind};

/// Writes what leads to the top event.
///
/// Names that MEF does not allow are changed, and the old ones kept as labels. A Weibull life
/// given an age is written as its value.
///
/// # Errors
/// Dynamic gates, and a spread that MEF cannot say of its law.
pub fn write(tree: &FaultTree) -> Result<String, Problem> {
    let mut writer = Writer { tree, names: Names::of(tree), text: String::new() };
    writer.model()?;
    Ok(writer.text)
}

struct Writer<'a> {
    tree: &'a FaultTree,
    names: Names,
    text: String,
}

impl Writer<'_> {
    fn model(&mut self) -> Result<(), Problem> {
        let tree = self.tree;
        let Reached { events, gates } = reached(tree);
        let members: HashSet<usize> = tree.common_causes.iter().flat_map(|group| group.members.clone()).collect();
        let name = if tree.name.is_empty() { "fault_tree".to_owned() } else { allowed(&tree.name) };
        self.line(0, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        self.line(0, "<opsa-mef>");
        self.line(1, &format!("<define-fault-tree name=\"{}\">", escape(&name)));
        for index in (0..tree.gates.len()).filter(|index| gates[*index]) {
            self.gate(index)?;
        }
        for index in (0..tree.events.len()).filter(|index| events[*index] && !members.contains(index)) {
            self.event(index)?;
        }
        self.line(1, "</define-fault-tree>");
        for group in &tree.common_causes {
            self.group(group)?;
        }
        self.line(0, "</opsa-mef>");
        Ok(())
    }

    fn gate(&mut self, index: usize) -> Result<(), Problem> {
        let gate = &self.tree.gates[index];
        let formula = self.formula(gate)?;
        self.open("define-gate", &self.names.gates[index].clone(), &gate.name, &gate.label);
        if gate.logic == Logic::Inhibit {
            self.flavor("inhibit");
        }
        self.text.push_str(&formula);
        self.line(2, "</define-gate>");
        Ok(())
    }

    fn formula(&self, gate: &Gate) -> Result<String, Problem> {
        let count = gate.inputs.len();
        let (tag, min) = match gate.logic {
            Logic::PriorityAnd | Logic::Spare { .. } => {
                return Err(unsaid(&gate.name, "is dynamic: Open-PSA MEF has static gates only"));
            }
            _ if count == 1 => return Ok(self.arguments(&gate.inputs, 3)),
            Logic::Or | Logic::AtLeast(1) => ("or", String::new()),
            Logic::AtLeast(least) if least < count => ("atleast", format!(" min=\"{least}\"")),
            Logic::And | Logic::Inhibit | Logic::AtLeast(_) => ("and", String::new()),
            Logic::Xor => return Ok(self.xor(&gate.inputs, 3)),
        };
        let arguments = self.arguments(&gate.inputs, 4);
        Ok(format!("{0}<{tag}{min}>\n{arguments}{0}</{tag}>\n", indent(3)))
    }

    /// Halves, down to pairs.
    fn xor(&self, inputs: &[Input], depth: usize) -> String {
        if let [_] = inputs {
            return self.arguments(inputs, depth);
        }
        let (left, right) = inputs.split_at(inputs.len() / 2);
        let (left, right) = (self.xor(left, depth + 1), self.xor(right, depth + 1));
        format!("{0}<xor>\n{left}{right}{0}</xor>\n", indent(depth))
    }

    fn arguments(&self, inputs: &[Input], depth: usize) -> String {
        let argument = |input: &Input| {
            let (tag, name) = match input.node {
                Node::Gate(gate) => ("gate", &self.names.gates[gate]),
                Node::Event(event) => {
                    let house = matches!(self.tree.events[event].kind, EventKind::House(_));
                    (if house { "house-event" } else { "basic-event" }, &self.names.events[event])
                }
            };
            let reference = format!("<{tag} name=\"{}\"/>", escape(name));
            let reference = if input.negated { format!("<not>{reference}</not>") } else { reference };
            format!("{}{reference}\n", indent(depth))
        };
        inputs.iter().map(argument).collect()
    }

    fn event(&mut self, index: usize) -> Result<(), Problem> {
        let event = &self.tree.events[index];
        let house = matches!(event.kind, EventKind::House(_));
        let tag = if house { "define-house-event" } else { "define-basic-event" };
        self.open(tag, &self.names.events[index].clone(), &event.name, &event.label);
        match event.kind {
            EventKind::House(on) => self.line(3, &format!("<constant value=\"{on}\"/>")),
            EventKind::Undeveloped => self.flavor("undeveloped"),
            EventKind::Conditioning => self.flavor("conditional"),
            EventKind::Basic => {}
        }
        if let Some(law) = event.law.filter(|_| !house) {
            let law = expression(&law, spread(event)?);
            self.line(3, &law);
        }
        self.line(2, &format!("</{tag}>"));
        Ok(())
    }

    fn group(&mut self, group: &CommonCause) -> Result<(), Problem> {
        let (model, factors, first) = match &group.sharing {
            Sharing::Beta(_) if group.members.is_empty() => return Err(unsaid(&group.name, "has no members")),
            Sharing::Beta(beta) => ("beta-factor", vec![*beta], group.members.len()),
            Sharing::Mgl(letters) => ("MGL", letters.clone(), 2),
            Sharing::Alpha(factors) => ("alpha-factor", factors.clone(), 1),
        };
        let name = allowed(&group.name);
        self.line(1, &format!("<define-CCF-group name=\"{}\" model=\"{model}\">", escape(&name)));
        self.line(2, "<members>");
        for member in &group.members {
            let member = format!("<basic-event name=\"{}\"/>", escape(&self.names.events[*member]));
            self.line(3, &member);
        }
        self.line(2, "</members>");
        self.line(2, &format!("<distribution>{}</distribution>", expression(&group.law, None)));
        self.line(2, "<factors>");
        for (index, factor) in factors.iter().enumerate() {
            self.line(3, &format!("<factor level=\"{}\">{}</factor>", index + first, float(*factor)));
        }
        self.line(2, "</factors>");
        self.line(1, "</define-CCF-group>");
        Ok(())
    }

    /// Opens a definition; a name that had to change is kept as its label.
    fn open(&mut self, tag: &str, name: &str, written: &str, label: &str) {
        self.line(2, &format!("<{tag} name=\"{}\">", escape(name)));
        let label = if label.is_empty() && name != written { written } else { label };
        // SCRAM takes no line breaks here.
        let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
        if !label.is_empty() {
            self.line(3, &format!("<label>{}</label>", escape(&label)));
        }
    }

    fn flavor(&mut self, flavor: &str) {
        self.line(3, &format!("<attributes><attribute name=\"flavor\" value=\"{flavor}\"/></attributes>"));
    }

    fn line(&mut self, depth: usize, line: &str) {
        writeln!(self.text, "{}{line}", indent(depth)).expect("a String takes any text");
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

fn unsaid(name: &str, reason: &str) -> Problem {
    let (file, field, reason) = (String::from("Open-PSA MEF"), name.to_owned(), reason.to_owned());
    Problem { kind: ProblemKind::NotOffered, file, line: 0, field, reason }
}

/// The spread, if MEF can say it of the law.
fn spread(event: &Event) -> Result<Option<Spread>, Problem> {
    let Some(spread) = event.spread else { return Ok(None) };
    let mean = match spread {
        Spread::LogNormal { .. } => None,
        Spread::Beta { alpha, beta } => Some(alpha / (alpha + beta)),
        Spread::Uniform { min, max } => Some(f64::midpoint(min, max)),
    };
    let said = match (event.law, mean) {
        (Some(Law::Constant(value)), Some(mean)) => value == mean,
        (Some(Law::Constant(_) | Law::Exponential { .. } | Law::PeriodicTest { .. }), None) => true,
        _ => false,
    };
    if said { Ok(Some(spread)) } else { Err(unsaid(&event.name, "has a spread that MEF cannot say of its law")) }
}

fn expression(law: &Law, spread: Option<Spread>) -> String {
    let rate_or_value = |value: f64| match spread {
        None => float(value),
        Some(Spread::LogNormal { error_factor }) => {
            let numbers: String = [value, error_factor, 0.95].map(float).concat();
            format!("<lognormal-deviate>{numbers}</lognormal-deviate>")
        }
        Some(Spread::Beta { alpha, beta }) => format!("<beta-deviate>{}{}</beta-deviate>", float(alpha), float(beta)),
        Some(Spread::Uniform { min, max }) => {
            format!("<uniform-deviate>{}{}</uniform-deviate>", float(min), float(max))
        }
    };
    match *law {
        Law::Constant(value) => rate_or_value(value),
        Law::Exponential { rate, time } => {
            format!("<exponential>{}{}</exponential>", rate_or_value(rate), float(time))
        }
        Law::Weibull { scale, shape, age: 0.0, time } => {
            format!("<Weibull>{}</Weibull>", [scale, shape, 0.0, time].map(float).concat())
        }
        Law::Weibull { scale, shape, age, time } => {
            let hazard = |age: f64| (age / scale).powf(shape);
            float(-(hazard(age) - hazard(age + time)).exp_m1())
        }
        Law::Repairable { on_demand, rate, repair, time } => {
            format!("<GLM>{}</GLM>", [on_demand, rate, repair, time].map(float).concat())
        }
        Law::PeriodicTest { rate, interval, first, time } => {
            let others: String = [interval, first, time].map(float).concat();
            format!("<periodic-test>{}{others}</periodic-test>", rate_or_value(rate))
        }
    }
}

fn float(value: f64) -> String {
    format!("<float value=\"{value:e}\"/>")
}

/// Names as MEF allows them, each once.
struct Names {
    events: Vec<String>,
    gates: Vec<String>,
}

impl Names {
    fn of(tree: &FaultTree) -> Self {
        let written = tree.events.iter().map(|event| &event.name).chain(tree.gates.iter().map(|gate| &gate.name));
        // Names that may stay as they are come first, so that no other takes them.
        let mut taken: HashSet<String> = written.clone().filter(|name| allowed(name) == **name).cloned().collect();
        let mut renamed: HashMap<&str, String> = HashMap::new();
        let mut names = written.map(|name| {
            let plain = allowed(name);
            if plain == *name {
                return plain;
            }
            let fresh = |renamed: &mut HashSet<String>| {
                let numbered = (2..).map(|number| format!("{plain}_{number}"));
                std::iter::once(plain.clone()).chain(numbered).find(|name| renamed.insert(name.clone()))
            };
            renamed.entry(name).or_insert_with(|| fresh(&mut taken).expect("numbers do not end")).clone()
        });
        let events = names.by_ref().take(tree.events.len()).collect();
        Self { events, gates: names.collect() }
    }
}

/// A name as SCRAM's schema allows it: an XML name without dots, hyphens or colons.
fn allowed(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    let mut plain: String = name.chars().map(plain).collect();
    if !plain.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        plain.insert(0, '_');
    }
    plain
}
