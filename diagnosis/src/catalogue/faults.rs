//! `faults.toml`: the fault tree and how likely each symptom is under each of its events.

use toml::Spanned;

use super::document::{Document, Entry};
use super::files::LinkFile;
use crate::appliance::Cause;
use crate::detector::Detector;
use crate::fault_tree::exchange::Written;
use crate::fault_tree::exchange::toml::{Built, EventFile, LINKS, Names, Part, build};
use crate::fault_tree::{Event, EventKind, FaultTree, more_problems};
use crate::model::{Link, symptoms_of};

/// What `faults.toml` holds.
pub(super) struct Faults {
    pub causes: Vec<Cause>,
    /// Its first events are the causes.
    pub tree: FaultTree,
    pub links: Vec<Link>,
}

/// Most causes of a type: far above any appliance's, and the circuit still compiles at once.
const MAX_CAUSES: usize = 256;

/// Reads the file and returns it with what is wrong in it.
pub(super) fn read<'t>(file: Document<'t>, detectors: &[Detector]) -> (Faults, Document<'t>) {
    let mut parts = [Part::read(file, &[LINKS])];
    let Built { written, names } = build(&mut parts, None);
    let [Part { document: mut file, causes, transfers, .. }] = parts;
    let entries: Vec<Entry<LinkFile>> = file.section(LINKS);
    if causes.len() > MAX_CAUSES {
        file.report(0, "causes", format!("there are {}, at most {MAX_CAUSES} are allowed", causes.len()));
    }
    for transfer in transfers {
        file.report(transfer.offset, transfer.field, "a type's tree stands in one file: copy the gate here");
    }
    check(&mut file, &written);
    let events = &written.tree.events;
    let named: Vec<_> = causes.iter().map(|entry| (entry.offset, entry.field.clone())).collect();
    let causes: Vec<Cause> =
        causes.into_iter().take(MAX_CAUSES).filter_map(|entry| cause(&mut file, entry, events)).collect();
    let links = read_links(&mut file, &names, detectors, &entries);
    let symptoms = symptoms_of(&written.tree, named.len(), &links);
    for ((offset, field), _) in named.iter().zip(symptoms).filter(|(_, symptoms)| symptoms.is_empty()) {
        let reason = "no symptom is linked to it or to a gate it feeds, it can never be found: \
                      add one of them to a table of [links]";
        file.report(*offset, field, reason);
    }
    (Faults { causes, tree: written.tree, links }, file)
}

/// Reports what is wrong with the tree as a whole, by the tables of the file.
fn check(file: &mut Document<'_>, written: &Written) {
    for mut problem in more_problems(file.problems(), written) {
        let kind = written.tree.events.iter().find(|event| event.name == problem.field).map(|event| event.kind);
        let section = match kind {
            None if written.tree.common_causes.iter().any(|group| group.name == problem.field) => "common_causes",
            None => "gates",
            Some(EventKind::Basic) => "causes",
            Some(EventKind::Undeveloped) => "undeveloped",
            Some(EventKind::Conditioning) => "conditions",
            Some(EventKind::House(_)) => "houses",
        };
        problem.field = format!("{section}.{}", problem.field);
        file.add(problem);
    }
}

fn read_links(
    file: &mut Document<'_>,
    names: &Names,
    detectors: &[Detector],
    entries: &[Entry<LinkFile>],
) -> Vec<Link> {
    let mut links = Vec::new();
    for entry in entries {
        let key = Spanned::new(entry.offset..entry.offset, entry.key.clone());
        let keys = detectors.iter().map(|d| d.key.as_str());
        let symptom = file.look_up(&key, &entry.field, "detector", keys);
        for (name, probability) in &entry.value {
            let field = entry.path(name);
            let name = Spanned::new(probability.span(), name.clone());
            let node = names.find(file, &name, &field);
            let probability = file.probability(probability, field);
            links.extend(symptom.zip(node).map(|(symptom, node)| Link { symptom, node, probability }));
        }
    }
    for detector in detectors.iter().filter(|d| !entries.iter().any(|entry| entry.key == d.key)) {
        let reason = format!("detector {:?} is linked to no cause: add [links.{}]", detector.key, detector.key);
        file.report(0, "links", reason);
    }
    links
}

/// A cause of the catalogue says more than an event of a tree.
fn cause(file: &mut Document<'_>, entry: Entry<EventFile>, events: &[Event]) -> Option<Cause> {
    let event = events.iter().find(|event| event.name == entry.key)?;
    let EventFile { name, lockout, skill, sop, handling, .. } = entry.value;
    for (field, missing) in [("name", name.is_none()), ("skill", skill.is_none()), ("sop", sop.is_none())] {
        if missing {
            file.report(entry.offset, &entry.field, format!("missing field `{field}`"));
        }
    }
    let prior = event.law.and_then(|law| law.probability().ok());
    if prior.is_none() && !file.has_problem_in(&entry.field) {
        let reason = "must have exactly one of rate_per_year, prior, weibull, repairable, tested and law";
        file.report(entry.offset, &entry.field, reason);
    }
    Some(Cause {
        key: entry.key,
        name: name?,
        prior: prior.unwrap_or(0.0),
        lockout,
        skill: skill?,
        sop: sop?.trim().to_owned(),
        handling,
    })
}
