//! Open-PSA Model Exchange Format 2.0d, as far as a fault tree goes.
//!
//! ```text
//! XML -> definitions (scopes, names) -> formulas to gates, expressions to laws, groups -> top
//! ```
//!
//! Fault trees with components, gates, basic and house events, parameters, common-cause groups,
//! model data, in one file or several. Event trees are passed over: they change no fault tree.
//! Substitutions, alignments and extern functions would change what the tree means and are
//! refused by name.

mod definitions;
mod expression;
mod formula;
mod group;
mod write;

use std::collections::{HashMap, HashSet};

use super::xml::{Document, Element};
use super::{Options, Place, Places, Report, Source, Written};
use crate::fault_tree::model::{Event, FaultTree, Node};
use crate::fault_tree::problem::{Problem, ProblemKind, Problems};
use definitions::{Defined, Definitions};

pub use write::write;

/// Reads a model from one file.
///
/// # Errors
/// Everything that is wrong in the file.
pub fn read(text: &str, file: &str) -> Result<FaultTree, Problems> {
    let (written, problems) = read_files(&[Source { file, text }], &Options::default());
    problems.unless_fatal(written.tree)
}

/// Reads a model that is spread over files, in any order. Returns what could be read, and
/// everything that is wrong in the files.
pub fn read_files(sources: &[Source<'_>], options: &Options) -> (Written, Problems) {
    let documents: Result<Vec<Document<'_>>, Problem> = sources.iter().map(|s| Document::parse(*s)).collect();
    let documents = match documents {
        Ok(documents) => documents,
        Err(problem) => return (Written::default(), problem.into()),
    };
    let mut report = Report {
        places: Places { files: sources.iter().map(|s| s.file.to_owned()).collect(), ..Places::default() },
        problems: Problems::default(),
    };
    let definitions = Definitions::collect(&documents, &mut report);
    let mut tree = FaultTree { name: definitions.tree_name().to_owned(), ..FaultTree::default() };
    let values = expression::Values::evaluate(&definitions, options.mission_time, &mut report);
    for defined in &definitions.events {
        let event = event(defined, &definitions, &values, &mut report);
        tree.events.push(event);
        report.places.events.push(defined.place());
    }
    formula::read_gates(&definitions, &mut tree, &mut report);
    group::read(&definitions, &values, &mut tree, &mut report);
    if let Some(top) = top(&tree, options, &mut report) {
        tree.top = top;
    }
    let Report { places, mut problems } = report;
    let file = |name: &str| places.files.iter().position(|file| file == name);
    problems.0.sort_by_key(|problem| (file(&problem.file), problem.line));
    (Written { tree, places, ..Written::default() }, problems)
}

fn event(
    defined: &Defined<'_, '_>,
    definitions: &Definitions<'_, '_>,
    values: &expression::Values,
    report: &mut Report,
) -> Event {
    let (name, label) = (defined.name.clone(), defined.label());
    let at = defined.at(defined.element);
    let kind = definitions::event_kind(defined, report);
    let mut event = Event { name, label, kind, law: None, spread: None };
    if let Some(expression) = defined.content()
        && defined.element.tag() == "define-basic-event"
    {
        let context = expression::Context { definitions, scope: at.scope, values };
        match context.law(expression) {
            Ok((law, spread)) => (event.law, event.spread) = (Some(law), spread),
            Err(wrong) => report.problem(at.place_of(wrong.line), wrong.kind, &event.name, wrong.reason),
        }
    }
    event
}

/// The gate that no other reads; or the one asked for.
fn top(tree: &FaultTree, options: &Options, report: &mut Report) -> Option<usize> {
    // Where something else is wrong gates may seem to be read by no other.
    if report.problems.is_fatal() {
        return None;
    }
    let whole = Place::default();
    if let Some(wanted) = &options.top {
        let found = tree.gates.iter().position(|gate| gate.name == *wanted);
        if found.is_none() {
            report.problem(whole, ProblemKind::Top, "top", format!("there is no gate {wanted:?}"));
        }
        return found;
    }
    let inputs = tree.gates.iter().flat_map(|gate| &gate.inputs);
    let read: HashSet<usize> = inputs.filter_map(|i| if let Node::Gate(g) = i.node { Some(g) } else { None }).collect();
    let tops: Vec<usize> = (0..tree.gates.len()).filter(|gate| !read.contains(gate)).collect();
    let reason = match tops.as_slice() {
        [top] => return Some(*top),
        [] if tree.gates.is_empty() => "no gate is defined: a fault tree has at least one".to_owned(),
        // The circle itself is for `check` to find.
        [] => return None,
        several => {
            let names: Vec<&str> = several.iter().take(NAMED).map(|gate| tree.gates[*gate].name.as_str()).collect();
            let more = if several.len() > NAMED { ", .." } else { "" };
            format!("{} gates are read by no other: {}{more}; choose one as top", several.len(), names.join(", "))
        }
    };
    report.problem(whole, ProblemKind::Top, "top", reason);
    None
}

/// As many gates as a message lists.
const NAMED: usize = 10;

/// Attributes of an element by which SCRAM and others say what sort of event it is.
fn flavor<'d>(element: Element<'d, '_>) -> Option<&'d str> {
    let attributes = element.child("attributes")?;
    let flavor = attributes.children().find(|a| a.attribute("name") == Some("flavor"))?;
    flavor.attribute("value")
}

type Table<K, V> = HashMap<K, V>;

#[cfg(test)]
mod tests;
