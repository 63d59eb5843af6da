//! A fault tree in the catalogue's own format, in an order that people read: gates from the top
//! down, then events as they are listed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write;

use super::file;
use crate::fault_tree::exchange::{Service, Written};
use crate::fault_tree::model::{CommonCause, Event, EventKind, FaultTree, Gate, Law, Logic, Node, Sharing, Spread};

/// Writes the whole tree. Names that are no TOML keys of letters, digits and `_` are changed,
/// and the old ones kept as `name` where there is none.
pub fn write(written: &Written) -> String {
    let Written { tree, service, .. } = written;
    let mut writer = Writer { tree, keys: Keys::of(tree), text: String::new() };
    writer.head();
    writer.gates();
    for (section, kind) in
        [("causes", EventKind::Basic), ("undeveloped", EventKind::Undeveloped), ("conditions", EventKind::Conditioning)]
    {
        for index in (0..tree.events.len()).filter(|index| tree.events[*index].kind == kind) {
            writer.event(section, index, service.get(&index));
        }
    }
    writer.houses();
    for group in &tree.common_causes {
        writer.common_cause(group);
    }
    writer.text
}

struct Writer<'a> {
    tree: &'a FaultTree,
    keys: Keys,
    text: String,
}

impl Writer<'_> {
    fn head(&mut self) {
        if !self.tree.name.is_empty() {
            self.line(&format!("name = {}", quoted(&self.tree.name)));
        }
        let top = self.keys.gates.get(self.tree.top).cloned().unwrap_or_default();
        self.line(&format!("top = {}", quoted(&top)));
    }

    fn gates(&mut self) {
        self.line("\n[gates]");
        for index in top_down(self.tree) {
            let gate = &self.tree.gates[index];
            let key = &self.keys.gates[index];
            let name = name_field(key, &gate.name, &gate.label);
            let line = format!("{key} = {{ {}{} }}", name.map_or(String::new(), |n| n + ", "), self.logic(gate));
            self.line(&line);
        }
    }

    fn logic(&self, gate: &Gate) -> String {
        let all_negated = !gate.inputs.is_empty() && gate.inputs.iter().all(|input| input.negated);
        let list = |count: usize, bare: bool| {
            let inputs = gate.inputs[..count].iter().map(|input| {
                let key = self.key(input.node);
                if input.negated && !bare { format!("\"not {key}\"") } else { format!("\"{key}\"") }
            });
            format!("[{}]", inputs.collect::<Vec<_>>().join(", "))
        };
        let count = gate.inputs.len();
        match (gate.logic, gate.inputs.last()) {
            (Logic::Or, _) => format!("any = {}", list(count, false)),
            (Logic::And, _) if all_negated => format!("none = {}", list(count, true)),
            (Logic::Inhibit, Some(condition)) => {
                let not = if condition.negated { "not " } else { "" };
                format!("inhibit = {}, condition = \"{not}{}\"", list(count - 1, false), self.key(condition.node))
            }
            (Logic::And | Logic::Inhibit, _) => format!("all = {}", list(count, false)),
            (Logic::AtLeast(least), _) => format!("at_least = {least}, of = {}", list(count, false)),
            (Logic::Xor, _) => format!("xor = {}", list(count, false)),
            (Logic::PriorityAnd, _) => format!("priority = {}", list(count, false)),
            (Logic::Spare { dormancy }, _) => format!("spare = {}, dormancy = {dormancy:?}", list(count, false)),
        }
    }

    fn event(&mut self, section: &str, index: usize, service: Option<&Service>) {
        let event = &self.tree.events[index];
        let key = self.keys.events[index].clone();
        self.line("");
        for remark in service.iter().flat_map(|service| &service.remarks) {
            // One line of a comment is one line of the file.
            self.line(&format!("# {}", remark.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        self.line(&format!("[{section}.{key}]"));
        if let Some(name) = name_field(&key, &event.name, &event.label) {
            self.line(&name);
        }
        self.likelihood(event);
        if let Some(service) = service {
            if !service.skill.is_empty() {
                self.line(&format!("skill = {}", quoted(&service.skill)));
            }
            if !service.sop.is_empty() {
                self.line(&format!("sop = \"\"\"\n{}\n\"\"\"", escaped(&service.sop)));
            }
        }
    }

    fn likelihood(&mut self, event: &Event) {
        if let Some(law) = event.law {
            self.line(&law_field(law));
        }
        let spread = match event.spread {
            None => return,
            Some(Spread::LogNormal { error_factor }) => format!("error_factor = {error_factor:?}"),
            Some(Spread::Beta { alpha, beta }) => format!("alpha = {alpha:?}, beta = {beta:?}"),
            Some(Spread::Uniform { min, max }) => format!("min = {min:?}, max = {max:?}"),
        };
        self.line(&format!("spread = {{ {spread} }}"));
    }

    fn houses(&mut self) {
        let mut first = true;
        for (index, event) in self.tree.events.iter().enumerate() {
            let EventKind::House(on) = event.kind else { continue };
            if std::mem::take(&mut first) {
                self.line("\n[houses]");
            }
            let key = &self.keys.events[index];
            let name = name_field(key, &event.name, &event.label).map_or(String::new(), |name| name + ", ");
            let line = format!("{key} = {{ {name}on = {on} }}");
            self.line(&line);
        }
    }

    fn common_cause(&mut self, group: &CommonCause) {
        let members: Vec<String> = group.members.iter().map(|m| quoted(&self.keys.events[*m])).collect();
        self.line(&format!("\n[common_causes.{}]", plain(&group.name)));
        self.line(&format!("members = [{}]", members.join(", ")));
        self.line(&law_field(group.law));
        let sharing = match &group.sharing {
            Sharing::Beta(beta) => format!("beta = {beta:?}"),
            Sharing::Mgl(letters) => format!("mgl = {letters:?}"),
            Sharing::Alpha(factors) => format!("alpha = {factors:?}"),
        };
        self.line(&sharing);
    }

    fn key(&self, node: Node) -> &str {
        match node {
            Node::Event(event) => &self.keys.events[event],
            Node::Gate(gate) => &self.keys.gates[gate],
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("a String takes any text");
    }
}

fn law_field(law: Law) -> String {
    let fields = match law {
        Law::Constant(probability) => return format!("probability = {probability:?}"),
        Law::Exponential { rate, time } if time == file::EXPOSURE_DAYS / file::DAYS_A_YEAR => {
            return format!("rate_per_year = {rate:?}");
        }
        Law::Exponential { rate, time } => format!("kind = \"exponential\", rate = {rate:?}, time = {time:?}"),
        Law::Weibull { scale, shape, age, time } => {
            format!("kind = \"weibull\", scale = {scale:?}, shape = {shape:?}, age = {age:?}, time = {time:?}")
        }
        Law::Repairable { on_demand, rate, repair, time } => format!(
            "kind = \"repairable\", on_demand = {on_demand:?}, rate = {rate:?}, repair = {repair:?}, time = {time:?}"
        ),
        Law::PeriodicTest { rate, interval, first, time } => format!(
            "kind = \"periodic_test\", rate = {rate:?}, interval = {interval:?}, first = {first:?}, time = {time:?}"
        ),
    };
    format!("law = {{ {fields} }}")
}

/// What people call it, unless its key says all there is.
fn name_field(key: &str, name: &str, label: &str) -> Option<String> {
    match (label.is_empty(), key == name) {
        (true, true) => None,
        (true, false) => Some(format!("name = {}", quoted(name))),
        (false, _) => Some(format!("name = {}", quoted(label))),
    }
}

/// Gates from the top down, level by level; those that do not lead to it last.
fn top_down(tree: &FaultTree) -> Vec<usize> {
    let mut order = Vec::with_capacity(tree.gates.len());
    let mut seen = vec![false; tree.gates.len()];
    let mut open = VecDeque::from_iter(seen.get(tree.top).map(|_| tree.top));
    while let Some(gate) = open.pop_front() {
        if !std::mem::replace(&mut seen[gate], true) {
            order.push(gate);
            let inputs = tree.gates[gate].inputs.iter();
            open.extend(inputs.filter_map(|input| if let Node::Gate(gate) = input.node { Some(gate) } else { None }));
        }
    }
    order.extend((0..seen.len()).filter(|gate| !seen[*gate]));
    order
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('\n', "\\n"))
}

/// As it may stand between quotation marks, one or three.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => write!(escaped, "\\u{:04X}", u32::from(c)).expect("a String takes any text"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A name as a key: ASCII letters, digits and `_`.
fn plain(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    // Of a name in another script nothing is left.
    if plain.chars().all(|c| c == '_') { "x".to_owned() } else { plain }
}

/// A key for each name.
struct Keys {
    events: Vec<String>,
    gates: Vec<String>,
}

impl Keys {
    fn of(tree: &FaultTree) -> Self {
        let names = tree.events.iter().map(|event| &event.name).chain(tree.gates.iter().map(|gate| &gate.name));
        let mut taken: HashSet<String> = names.clone().filter(|name| plain(name) == **name).cloned().collect();
        let mut next: HashMap<String, usize> = HashMap::new();
        let mut keys = names.map(|name| {
            let key = plain(name);
            if key == *name {
                return key;
            }
            loop {
                let number = next.entry(key.clone()).or_default();
                *number += 1;
                let key = if *number == 1 { key.clone() } else { format!("{key}_{number}") };
                if taken.insert(key.clone()) {
                    return key;
                }
            }
        });
        let events = keys.by_ref().take(tree.events.len()).collect();
        Self { events, gates: keys.collect() }
    }
}
