//! From the tables of the files to one tree.

use std::collections::HashMap;
use std::collections::hash_map;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;

use super::file::{EventFile, GateFile, GroupFile, HeadFile, HouseFile, SECTIONS, TransferFile};
use crate::catalogue::document::{Document, Entry};
use crate::expression::compile::did_you_mean;
use crate::fault_tree::check::wrong_law;
use crate::fault_tree::exchange::{Place, Places, Written};
use crate::fault_tree::model::{CommonCause, Event, EventKind, Gate, Input, Law, Logic, Node, Sharing, Spread};
use crate::fault_tree::problem::ProblemKind;

/// One file's tables.
pub(crate) struct Part<'t> {
    pub document: Document<'t>,
    head: Option<HeadFile>,
    pub gates: Vec<Entry<GateFile>>,
    pub causes: Vec<Entry<EventFile>>,
    undeveloped: Vec<Entry<EventFile>>,
    conditions: Vec<Entry<EventFile>>,
    houses: Vec<Entry<HouseFile>>,
    common_causes: Vec<Entry<GroupFile>>,
    pub transfers: Vec<Entry<TransferFile>>,
}

impl<'t> Part<'t> {
    /// Reads the tables of the tree; sections named in `others` are left to somebody else.
    pub fn read(mut document: Document<'t>, others: &[&str]) -> Self {
        let sections: Vec<&str> = SECTIONS.iter().chain(others).copied().collect();
        let head: Option<HeadFile> = document.head(&sections);
        if let Some(head) = &head {
            let days = *head.exposure_days.get_ref();
            if !(days >= 0.0 && days.is_finite()) {
                let at = head.exposure_days.span().start;
                document.report_as(
                    ProblemKind::Number,
                    at,
                    "exposure_days",
                    format!("is {days}, must not be negative"),
                );
            }
        }
        Self {
            head,
            gates: document.section("gates"),
            causes: document.section("causes"),
            undeveloped: document.section("undeveloped"),
            conditions: document.section("conditions"),
            houses: document.section("houses"),
            common_causes: document.section("common_causes"),
            transfers: document.section("transfers"),
            document,
        }
    }

    fn exposure_days(&self) -> f64 {
        self.head.as_ref().map_or(0.0, |head| *head.exposure_days.get_ref())
    }
}

/// Names and what they mean.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, Node>);

/// Among more names than these the nearest is not looked for.
const SEARCHED: usize = 1_000;

impl Names {
    /// What an input or a link refers to; reports what it cannot find.
    pub fn find(&self, file: &mut Document<'_>, name: &Spanned<String>, field: &str) -> Option<Node> {
        self.find_plain(file, name.get_ref(), name.span().start, field)
    }

    fn find_plain(&self, file: &mut Document<'_>, name: &str, at: usize, field: &str) -> Option<Node> {
        let found = self.0.get(name).copied();
        if found.is_none() {
            let mut known: Vec<&str> = self.0.keys().map(String::as_str).take(SEARCHED).collect();
            known.sort_unstable();
            let reason = format!("{name:?} is no cause or gate{}", did_you_mean(name, known.into_iter()));
            file.report_as(ProblemKind::Undefined, at, field, reason);
        }
        found
    }

    /// An input, which may be the absence of what it names.
    fn input(&self, file: &mut Document<'_>, written: &Spanned<String>, field: &str) -> Option<Input> {
        let (name, negated) = match written.get_ref().strip_prefix("not ") {
            Some(name) => (name.trim(), true),
            None => (written.get_ref().as_str(), false),
        };
        let node = self.find_plain(file, name, written.span().start, field)?;
        Some(Input { node, negated })
    }
}

/// The tree of all files.
pub(crate) struct Built {
    pub written: Written,
    pub names: Names,
}

/// Builds the tree whose top event is that of the first file, or the gate asked for.
pub(crate) fn build(parts: &mut [Part<'_>], top: Option<&str>) -> Built {
    let files = parts.iter().map(|part| part.document.file().to_owned()).collect();
    let written = Written { places: Places { files, ..Places::default() }, ..Written::default() };
    let mut built = Built { written, names: Names::default() };
    for (file, part) in parts.iter_mut().enumerate() {
        built.events(file, part);
    }
    for (file, part) in parts.iter_mut().enumerate() {
        built.name_gates(file, part);
    }
    built.transfers(parts);
    let mut place = 0;
    for part in parts.iter_mut() {
        for entry in &part.gates {
            let (logic, inputs) = gate(&mut part.document, &built.names, entry);
            let gate = &mut built.written.tree.gates[place];
            (gate.logic, gate.inputs) = (logic, inputs);
            place += 1;
        }
    }
    for (file, part) in parts.iter_mut().enumerate() {
        built.common_causes(file, part);
    }
    if let Some(first) = parts.first_mut() {
        built.top(first, top);
    }
    built
}

impl Built {
    fn events(&mut self, file: usize, part: &mut Part<'_>) {
        let exposure_days = part.exposure_days();
        let kinds = [
            (EventKind::Basic, &part.causes),
            (EventKind::Undeveloped, &part.undeveloped),
            (EventKind::Conditioning, &part.conditions),
        ];
        let mut events = Vec::new();
        for (kind, entries) in kinds {
            for entry in entries {
                let law = law(&mut part.document, entry, entry.value.laws(exposure_days));
                let spread = spread(&mut part.document, entry);
                let (name, label) = (entry.key.clone(), entry.value.name.clone().unwrap_or_default());
                events.push((Event { name, label, kind, law, spread }, entry.offset, entry.field.as_str()));
            }
        }
        for entry in &part.houses {
            let (name, label) = (entry.key.clone(), entry.value.name.clone().unwrap_or_default());
            let kind = EventKind::House(entry.value.on);
            events.push((Event { name, label, kind, law: None, spread: None }, entry.offset, entry.field.as_str()));
        }
        for (event, offset, field) in events {
            self.event(file, &mut part.document, event, offset, field);
        }
    }

    /// Two files may say the same of an event that both have.
    fn event(&mut self, file: usize, document: &mut Document<'_>, event: Event, offset: usize, field: &str) {
        let Written { tree, places, .. } = &mut self.written;
        match self.names.0.entry(event.name.clone()) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Node::Event(tree.events.len()));
                places.events.push(Place { file, line: document.line(offset) });
                tree.events.push(event);
            }
            hash_map::Entry::Occupied(taken) => {
                let same = matches!(*taken.get(), Node::Event(other)
                    if places.events[other].file != file && tree.events[other] == event);
                if !same {
                    let reason = "this name is taken by another event: choose another, or say the same of both";
                    document.report_as(ProblemKind::Duplicate, offset, field, reason);
                }
            }
        }
    }

    fn name_gates(&mut self, file: usize, part: &mut Part<'_>) {
        let Written { tree, places, .. } = &mut self.written;
        for entry in &part.gates {
            let (name, label) = (entry.key.clone(), entry.value.name.clone().unwrap_or_default());
            if self.names.0.insert(name.clone(), Node::Gate(tree.gates.len())).is_some() {
                let reason = "this name is taken by a cause or another gate: choose another";
                part.document.report_as(ProblemKind::Duplicate, entry.offset, &entry.field, reason);
            }
            tree.gates.push(Gate { name, label, logic: Logic::Or, inputs: Vec::new() });
            places.gates.push(Place { file, line: part.document.line(entry.offset) });
        }
    }

    fn transfers(&mut self, parts: &mut [Part<'_>]) {
        let tops: Vec<(PathBuf, Option<String>)> = parts
            .iter()
            .map(|part| (plain(Path::new(part.document.file())), part.head.as_ref().map(|h| h.top.get_ref().clone())))
            .collect();
        for part in parts {
            for entry in &part.transfers {
                let wanted = beside(part.document.file(), entry.value.get_ref());
                let top = tops.iter().find(|(file, _)| *file == wanted).and_then(|(_, top)| top.as_ref());
                let node = top.and_then(|top| self.names.0.get(top)).copied();
                let (kind, reason) = match node {
                    None => (ProblemKind::Undefined, format!("{} has no top event to take", wanted.display())),
                    Some(node) if *self.names.0.entry(entry.key.clone()).or_insert(node) == node => continue,
                    Some(_) => (ProblemKind::Duplicate, "this name is taken: choose another".to_owned()),
                };
                part.document.report_as(kind, entry.value.span().start, &entry.field, reason);
            }
        }
    }

    fn common_causes(&mut self, file: usize, part: &mut Part<'_>) {
        let exposure_days = part.exposure_days();
        for entry in &part.common_causes {
            let members = entry.value.members.iter().filter_map(|name| {
                match self.names.find(&mut part.document, name, &entry.path("members"))? {
                    Node::Event(event) => Some(event),
                    Node::Gate(_) => {
                        let reason = format!("{:?} is a gate: members are basic events", name.get_ref());
                        let kind = ProblemKind::CommonCause;
                        part.document.report_as(kind, name.span().start, entry.path("members"), reason);
                        None
                    }
                }
            });
            let members = members.collect();
            let law = law(&mut part.document, entry, entry.value.laws(exposure_days));
            let sharing = sharing(&mut part.document, entry);
            let (Some(law), Some(sharing)) = (law, sharing) else { continue };
            self.written.tree.common_causes.push(CommonCause { name: entry.key.clone(), members, law, sharing });
            self.written.places.common_causes.push(Place { file, line: part.document.line(entry.offset) });
        }
    }

    fn top(&mut self, first: &mut Part<'_>, asked: Option<&str>) {
        let Some(head) = &first.head else { return };
        let (name, at) = match asked {
            Some(asked) => (asked, 0),
            None => (head.top.get_ref().as_str(), head.top.span().start),
        };
        match self.names.0.get(name) {
            Some(Node::Gate(gate)) => self.written.tree.top = *gate,
            _ => {
                let gates = self.written.tree.gates.iter().map(|gate| gate.name.as_str());
                let reason = format!("{name:?} is no gate{}", did_you_mean(name, gates.take(SEARCHED)));
                first.document.report_as(ProblemKind::Top, at, "top", reason);
            }
        }
        self.written.tree.name = head.name.clone().unwrap_or_default();
    }
}

/// A law, unless there is none or it is wrong.
fn law<T>(file: &mut Document<'_>, entry: &Entry<T>, laws: Vec<(Law, usize, &'static str)>) -> Option<Law> {
    if laws.len() > 1 {
        let fields: Vec<&str> = laws.iter().map(|(_, _, field)| *field).collect();
        let reason = format!("has several probabilities ({}): keep one", fields.join(", "));
        file.report(entry.offset, &entry.field, reason);
    }
    let (law, at, field) = laws.into_iter().next()?;
    if let Some((kind, reason)) = wrong_law(&law) {
        file.report_as(kind, at, entry.path(field), reason);
        return None;
    }
    Some(law)
}

fn spread(file: &mut Document<'_>, entry: &Entry<EventFile>) -> Option<Spread> {
    let written = entry.value.spread.as_ref()?;
    let spread = written.get_ref().spread();
    if spread.is_none() {
        let reason = "must be one of { error_factor = .. }, { alpha = .., beta = .. }, { min = .., max = .. }";
        file.report(written.span().start, entry.path("spread"), reason);
    }
    spread
}

fn sharing(file: &mut Document<'_>, entry: &Entry<GroupFile>) -> Option<Sharing> {
    match (entry.value.beta, &entry.value.mgl, &entry.value.alpha) {
        (Some(beta), None, None) => Some(Sharing::Beta(beta)),
        (None, Some(letters), None) => Some(Sharing::Mgl(letters.clone())),
        (None, None, Some(factors)) => Some(Sharing::Alpha(factors.clone())),
        _ => {
            file.report(entry.offset, &entry.field, "must have exactly one of beta = .., mgl = [..], alpha = [..]");
            None
        }
    }
}

/// Kinds of gates by their field, and which other field goes with it.
const GATE_KINDS: &str = "must have exactly one of: any, all, none, xor, priority or spare = [..], \
                          at_least = k with of = [..], inhibit = [..] with condition = \"..\"";

fn gate(file: &mut Document<'_>, names: &Names, entry: &Entry<GateFile>) -> (Logic, Vec<Input>) {
    let GateFile { any, all, none, xor, of, inhibit, priority, spare, .. } = &entry.value;
    let GateFile { at_least, condition, dormancy, .. } = &entry.value;
    let kinds = [
        ("any", any, Logic::Or),
        ("all", all, Logic::And),
        ("none", none, Logic::And),
        ("xor", xor, Logic::Xor),
        ("of", of, Logic::AtLeast(at_least.as_ref().map_or(1, |least| *least.get_ref()))),
        ("inhibit", inhibit, Logic::Inhibit),
        ("priority", priority, Logic::PriorityAnd),
        ("spare", spare, Logic::Spare { dormancy: dormancy.unwrap_or(0.0) }),
    ];
    let mut used = kinds.into_iter().filter(|(_, inputs, _)| !inputs.is_empty());
    let Some((kind, inputs, logic)) = used.next() else {
        file.report_as(ProblemKind::Inputs, entry.offset, &entry.field, GATE_KINDS);
        return (Logic::Or, Vec::new());
    };
    let fits = (kind == "of") == at_least.is_some()
        && (kind == "inhibit") == condition.is_some()
        && (kind == "spare" || dormancy.is_none());
    if used.next().is_some() || !fits {
        file.report(entry.offset, &entry.field, GATE_KINDS);
    }
    let mut found: Vec<Input> = inputs.iter().filter_map(|name| names.input(file, name, &entry.path(kind))).collect();
    if kind == "none" {
        found.iter_mut().for_each(|input| input.negated = !input.negated);
    }
    found.extend(condition.iter().filter_map(|name| names.input(file, name, &entry.path("condition"))));
    (logic, found)
}

/// A file named beside another, without detours.
pub(super) fn beside(file: &str, other: &str) -> PathBuf {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    plain(&folder.join(other))
}

fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
