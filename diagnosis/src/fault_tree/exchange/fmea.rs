//! Failure modes and effects (IEC 60812) as a table, into a first draft of a fault tree.
//!
//! One row a cause: failure mode, effects, error code, cause, check, remedy, part, cost, rate. Any
//! effect is the top event; an effect has failure modes, a failure mode has causes. A cell left
//! empty under a failure mode or its effects means the one above. Check and remedy become the
//! steps on site; what has no place in a tree is kept as remarks.

mod columns;
mod rate;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::toml::{DAYS_A_YEAR, EXPOSURE_DAYS};
use super::{Options, Place, Places, Service, Source, Written};
use crate::fault_tree::model::{Event, EventKind, Gate, Input, Law, Logic, Node};
use crate::fault_tree::problem::{Problem, ProblemKind, Problems};
use columns::{Column, Columns};

/// Reads one tree from its tables. Returns what could be read, and everything that is wrong.
pub fn read(sources: &[Source<'_>], options: &Options) -> (Written, Problems) {
    let files = sources.iter().map(|source| source.file.to_owned()).collect();
    let mut draft = Draft {
        written: Written { places: Places { files, ..Places::default() }, ..Written::default() },
        ..Draft::default()
    };
    for (file, source) in sources.iter().enumerate() {
        draft.table(file, source.text);
    }
    draft.top(options.top.as_deref());
    (draft.written, draft.problems)
}

/// What a text in the table stands for: the same text under another heading is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Effect,
    Mode,
    Cause,
}

#[derive(Default)]
struct Draft {
    written: Written,
    problems: Problems,
    /// By what is written in the table.
    nodes: HashMap<(Sort, String), Node>,
    /// Names taken, and how often a name was asked for.
    names: HashMap<String, usize>,
    effects: Vec<usize>,
}

/// A row with its failure mode and effects filled in.
struct Row<'r> {
    place: Place,
    columns: &'r Columns,
    record: &'r csv::StringRecord,
    mode: &'r str,
    effects: &'r str,
}

impl<'r> Row<'r> {
    fn cell(&self, column: Column) -> &'r str {
        self.columns.cell(self.record, column)
    }
}

impl Draft {
    fn table(&mut self, file: usize, text: &str) {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(columns::delimiter(text))
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(text.as_bytes());
        let columns = match reader.headers() {
            Ok(headers) => Columns::of(headers),
            Err(error) => {
                return self.problem(Place { file, line: 1 }, ProblemKind::Syntax, "table", error.to_string());
            }
        };
        if !columns.has(Column::Mode) && !columns.has(Column::Cause) {
            let reason = "no column is headed failure mode or cause (故障模式, 原因): name them in the first line";
            return self.problem(Place { file, line: 1 }, ProblemKind::Syntax, "header", reason.to_owned());
        }
        let (mut mode, mut effects) = (String::new(), String::new());
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let line = error.position().map_or(0, |position| position.line() as usize);
                    return self.problem(Place { file, line }, ProblemKind::Syntax, "table", error.to_string());
                }
            };
            let place = Place { file, line: record.position().map_or(0, |position| position.line() as usize) };
            if record.iter().all(str::is_empty) {
                continue;
            }
            if record.len() > columns.count() {
                let reason =
                    format!("has {} cells under {} headings: quote cells with commas", record.len(), columns.count());
                self.problem(place, ProblemKind::Syntax, "row", reason);
                continue;
            }
            let written = columns.cell(&record, Column::Mode);
            if !written.is_empty() {
                mode = written.to_owned();
                effects.clear();
            }
            let written = columns.cell(&record, Column::Effects);
            if !written.is_empty() {
                effects = written.to_owned();
            }
            self.row(&Row { place, columns: &columns, record: &record, mode: &mode, effects: &effects });
        }
    }

    fn row(&mut self, row: &Row<'_>) {
        let cause = row.cell(Column::Cause);
        if row.mode.is_empty() && row.columns.has(Column::Mode) {
            let reason = "is empty, and no row above has one: name the failure mode".to_owned();
            return self.problem(row.place, ProblemKind::Syntax, row.columns.heading(Column::Mode), reason);
        }
        let (cause, kind) =
            if cause.is_empty() { (row.mode, EventKind::Undeveloped) } else { (cause, EventKind::Basic) };
        let mode = if row.mode.is_empty() { cause } else { row.mode };
        let event = self.event(cause, kind, row);
        let mode = self.gate(Sort::Mode, mode, row.place);
        self.feed(mode, event);
        for effect in row.effects.split([';', '；']).map(str::trim).filter(|effect| !effect.is_empty()) {
            let gate = self.gate(Sort::Effect, effect, row.place);
            if !self.effects.contains(&gate) {
                self.effects.push(gate);
            }
            self.feed(gate, Node::Gate(mode));
        }
        if row.effects.is_empty() && !self.effects.contains(&mode) {
            self.effects.push(mode);
        }
    }

    fn event(&mut self, text: &str, kind: EventKind, row: &Row<'_>) -> Node {
        let law = self.law(row);
        let name = match self.nodes.entry((Sort::Cause, text.to_owned())) {
            Entry::Occupied(known) => {
                let node = *known.get();
                self.again(node, law, row);
                return node;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Node::Event(self.written.tree.events.len()));
                self.name(text, "cause")
            }
        };
        let index = self.written.tree.events.len();
        self.written.tree.events.push(Event { name, label: text.to_owned(), kind, law, spread: None });
        self.written.places.events.push(row.place);
        self.written.service.insert(index, service(row));
        Node::Event(index)
    }

    /// A cause that stands in several rows has one rate.
    fn again(&mut self, node: Node, law: Option<Law>, row: &Row<'_>) {
        let Node::Event(index) = node else { return };
        let known = self.written.tree.events[index].law;
        if law.is_some() && known.is_some() && law != known {
            let line = self.written.places.events[index].line;
            let reason = format!("differs from that of the same cause in line {line}: a cause has one rate");
            self.problem(row.place, ProblemKind::Duplicate, row.columns.heading(Column::Rate), reason);
        }
        self.written.tree.events[index].law = known.or(law);
        let more = service(row);
        if let Some(service) = self.written.service.get_mut(&index) {
            let fresh: Vec<String> = more.remarks.into_iter().filter(|r| !service.remarks.contains(r)).collect();
            service.remarks.extend(fresh);
        }
    }

    fn law(&mut self, row: &Row<'_>) -> Option<Law> {
        let written = row.cell(Column::Rate);
        if written.is_empty() {
            return None;
        }
        match rate::per_year(written, row.columns.heading(Column::Rate)) {
            Ok(rate) => Some(Law::Exponential { rate, time: EXPOSURE_DAYS / DAYS_A_YEAR }),
            Err(reason) => {
                self.problem(row.place, ProblemKind::Number, row.columns.heading(Column::Rate), reason);
                None
            }
        }
    }

    fn gate(&mut self, sort: Sort, text: &str, place: Place) -> usize {
        if let Some(Node::Gate(gate)) = self.nodes.get(&(sort, text.to_owned())) {
            return *gate;
        }
        let gate = self.written.tree.gates.len();
        self.nodes.insert((sort, text.to_owned()), Node::Gate(gate));
        let name = self.name(text, if sort == Sort::Mode { "mode" } else { "effect" });
        self.written.tree.gates.push(Gate { name, label: text.to_owned(), logic: Logic::Or, inputs: Vec::new() });
        self.written.places.gates.push(place);
        gate
    }

    fn feed(&mut self, gate: usize, node: Node) {
        let input = Input { node, negated: false };
        let inputs = &mut self.written.tree.gates[gate].inputs;
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }

    /// A name for a text: what it has of ASCII letters and digits, or its sort and a number.
    fn name(&mut self, text: &str, sort: &str) -> String {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut plain = words.collect::<Vec<_>>().join("_").to_ascii_lowercase();
        let foreign = text.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()).count();
        let numbered = plain.len() <= foreign;
        if numbered {
            plain = sort.to_owned();
        }
        loop {
            let asked = self.names.entry(plain.clone()).or_default();
            *asked += 1;
            let name = if *asked == 1 && !numbered { plain.clone() } else { format!("{plain}_{asked}") };
            if name == plain || !self.names.contains_key(&name) {
                self.names.entry(name.clone()).or_insert(1);
                return name;
            }
        }
    }

    fn top(&mut self, asked: Option<&str>) {
        if let Some(asked) = asked {
            match self.written.tree.gates.iter().position(|gate| gate.name == asked || gate.label == asked) {
                Some(gate) => self.written.tree.top = gate,
                None => {
                    let reason = format!("no failure mode or effect is called {asked:?}");
                    self.problem(Place::default(), ProblemKind::Top, "top", reason);
                }
            }
            return;
        }
        match self.effects.as_slice() {
            [] if self.problems.0.is_empty() => {
                let reason = "the table has no rows: write one for each cause".to_owned();
                self.problem(Place::default(), ProblemKind::Top, "table", reason);
            }
            [] => {}
            [only] => self.written.tree.top = *only,
            several => {
                let inputs = several.iter().map(|gate| Input { node: Node::Gate(*gate), negated: false }).collect();
                let name = self.name("top", "top");
                self.written.tree.top = self.written.tree.gates.len();
                let label = "Any effect".to_owned();
                self.written.tree.gates.push(Gate { name, label, logic: Logic::Or, inputs });
                self.written.places.gates.push(Place::default());
            }
        }
    }

    fn problem(&mut self, place: Place, kind: ProblemKind, field: &str, reason: String) {
        let problem: Problem = self.written.places.problem(place, kind, field, reason);
        self.problems.push(problem);
    }
}

fn service(row: &Row<'_>) -> Service {
    let steps = [Column::Check, Column::Remedy].map(|column| row.cell(column)).into_iter();
    let steps = steps.filter(|step| !step.is_empty()).enumerate();
    let sop: Vec<String> = steps.map(|(index, step)| format!("{}. {step}", index + 1)).collect();
    Service { skill: String::new(), sop: sop.join("\n"), remarks: row.columns.remarks(row.record) }
}

#[cfg(test)]
mod tests;
