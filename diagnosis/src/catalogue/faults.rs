//! `faults.toml`: the fault tree and how likely each symptom is under each of its events.

use toml::Spanned;

use super::document::{Document, Entry};
use super::files::{CauseFile, FaultsHead, GateFile, LinkFile};
use crate::appliance::Cause;
use crate::detector::Detector;
use crate::fault_tree;
use crate::model::Link;
use crate::tree::{Gate, Logic, MAX_CAUSES, Node, Tree};

/// What `faults.toml` holds.
pub(super) struct Faults {
    pub causes: Vec<Cause>,
    pub tree: Tree,
    pub links: Vec<Link>,
}

pub(super) fn read(file: &mut Document<'_>, detectors: &[Detector]) -> Faults {
    let head: Option<FaultsHead> = file.head(&["gates", "causes", "links"]);
    let gates: Vec<Entry<GateFile>> = file.section("gates");
    let causes: Vec<Entry<CauseFile>> = file.section("causes");
    let links: Vec<Entry<LinkFile>> = file.section("links");
    if causes.len() > MAX_CAUSES {
        file.report(0, "causes", format!("there are {}, at most {MAX_CAUSES} are allowed", causes.len()));
    }
    let named = Named { causes: &causes, gates: &gates };
    let (tree, order) = head.map_or_else(Default::default, |head| tree(file, &named, &head.top));
    let links = read_links(file, &named, &order, detectors, &links);
    for (index, entry) in causes.iter().enumerate() {
        let reached = tree.fed_by(index);
        if !links.iter().any(|link| match link.node {
            fault_tree::Node::Event(event) => event == index,
            fault_tree::Node::Gate(gate) => reached[gate],
        }) {
            let reason = "no symptom is linked to it or to a gate it feeds, it can never be found: \
                          add one of them to a table of [links]";
            file.report(entry.offset, &entry.field, reason);
        }
    }
    let causes = causes.into_iter().take(MAX_CAUSES).map(|entry| cause(file, entry)).collect();
    Faults { causes, tree, links }
}

/// Causes and gates as the file names them; a gate is meant by its place in the file.
struct Named<'a> {
    causes: &'a [Entry<CauseFile>],
    gates: &'a [Entry<GateFile>],
}

impl Named<'_> {
    fn find(&self, file: &mut Document<'_>, name: &Spanned<String>, field: &str) -> Option<Node> {
        let keys = self.causes.iter().map(|c| c.key.as_str()).chain(self.gates.iter().map(|g| g.key.as_str()));
        let found = file.look_up(name, field, "cause or gate", keys)?;
        let causes = self.causes.len();
        Some(if found < causes { Node::Cause(found) } else { Node::Gate(found - causes) })
    }
}

/// The tree, and for each gate of the file its place in the tree.
fn tree(file: &mut Document<'_>, named: &Named<'_>, top: &Spanned<String>) -> (Tree, Vec<Option<usize>>) {
    let mut gates = Vec::new();
    for (index, entry) in named.gates.iter().enumerate() {
        if named.causes.iter().any(|c| c.key == entry.key) || named.gates[..index].iter().any(|g| g.key == entry.key) {
            file.report(entry.offset, &entry.field, "this name is taken by a cause: choose another");
        }
        gates.push(gate(file, named, entry));
    }
    let top = file.look_up(top, "top", "gate", named.gates.iter().map(|g| g.key.as_str()));
    let Some(top) = top else { return Default::default() };
    let mut walk = Walk { gates: &gates, places: vec![Place::Unseen; gates.len()], ordered: Vec::new() };
    if let Err(index) = walk.visit(top, 0) {
        file.report(named.gates[index].offset, &named.gates[index].field, "depends on itself: break the circle");
        return Default::default();
    }
    let (places, ordered) = (walk.places, walk.ordered);
    report_unreachable(file, named, &gates, &places);
    let place_of = |index: usize| match places[index] {
        Place::At(place) => Some(place),
        _ => None,
    };
    let moved = |node: &Node| match node {
        Node::Gate(index) => Node::Gate(place_of(*index).unwrap_or(usize::MAX)),
        cause => *cause,
    };
    let ordered = ordered.iter().map(|index| {
        let gate: &Gate = &gates[*index];
        Gate { inputs: gate.inputs.iter().map(moved).collect(), ..gate.clone() }
    });
    let tree = Tree { gates: ordered.collect(), top: place_of(top).unwrap_or(0) };
    (tree, (0..gates.len()).map(place_of).collect())
}

fn gate(file: &mut Document<'_>, named: &Named<'_>, entry: &Entry<GateFile>) -> Gate {
    let written = &entry.value;
    let kinds = [("any", &written.any), ("all", &written.all), ("of", &written.of)];
    let used: Vec<_> = kinds.iter().filter(|(_, inputs)| !inputs.is_empty()).collect();
    if used.len() != 1 || (used[0].0 == "of") != written.at_least.is_some() {
        let reason = "must have exactly one of: any = [..], all = [..], or at_least = k with of = [..]";
        file.report(entry.offset, &entry.field, reason);
    }
    let (kind, inputs) = used.first().map_or(("any", [].as_slice()), |(kind, inputs)| (*kind, inputs.as_slice()));
    if let Some(least) = &written.at_least
        && !(1..=inputs.len()).contains(least.get_ref())
    {
        let reason = format!("is {}, must be from 1 to the number of inputs, {}", least.get_ref(), inputs.len());
        file.report(least.span().start, entry.path("at_least"), reason);
    }
    let logic = match kind {
        "all" => Logic::All,
        "of" => Logic::AtLeast(written.at_least.as_ref().map_or(1, |least| *least.get_ref())),
        _ => Logic::Any,
    };
    let inputs = inputs.iter().filter_map(|name| named.find(file, name, &entry.path(kind))).collect();
    Gate { key: entry.key.clone(), name: written.name.clone(), logic, inputs }
}

/// A walk through the gates, inputs first.
struct Walk<'a> {
    gates: &'a [Gate],
    places: Vec<Place>,
    ordered: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unseen,
    Open,
    At(usize),
}

/// How deep gates may stand on each other: bounds the stack.
const MAX_DEPTH: usize = 200;

impl Walk<'_> {
    /// # Errors
    /// A gate that depends on itself, or stands too deep.
    fn visit(&mut self, index: usize, depth: usize) -> Result<(), usize> {
        match self.places[index] {
            Place::At(_) => return Ok(()),
            Place::Open => return Err(index),
            Place::Unseen if depth > MAX_DEPTH => return Err(index),
            Place::Unseen => self.places[index] = Place::Open,
        }
        let gates = self.gates;
        for input in &gates[index].inputs {
            if let Node::Gate(input) = input {
                self.visit(*input, depth + 1)?;
            }
        }
        self.places[index] = Place::At(self.ordered.len());
        self.ordered.push(index);
        Ok(())
    }
}

fn report_unreachable(file: &mut Document<'_>, named: &Named<'_>, gates: &[Gate], places: &[Place]) {
    let reason = "does not lead to the top event: name it among the inputs of a gate that does";
    for (entry, place) in named.gates.iter().zip(places) {
        if *place == Place::Unseen {
            file.report(entry.offset, &entry.field, reason);
        }
    }
    for (index, entry) in named.causes.iter().enumerate() {
        let reached = gates.iter().zip(places).filter(|(_, place)| **place != Place::Unseen);
        if !reached.into_iter().any(|(gate, _)| gate.inputs.contains(&Node::Cause(index))) {
            file.report(entry.offset, &entry.field, reason);
        }
    }
}

fn read_links(
    file: &mut Document<'_>,
    named: &Named<'_>,
    order: &[Option<usize>],
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
            let node = named.find(file, &name, &field);
            let probability = file.probability(probability, field);
            let node = match node {
                Some(Node::Gate(index)) => order.get(index).copied().flatten().map(Node::Gate),
                cause => cause,
            };
            links.extend(symptom.zip(node).map(|(symptom, node)| Link { symptom, node: node.of_fault_tree(), probability }));
        }
    }
    for detector in detectors.iter().filter(|d| !entries.iter().any(|entry| entry.key == d.key)) {
        let reason = format!("detector {:?} is linked to no cause: add [links.{}]", detector.key, detector.key);
        file.report(0, "links", reason);
    }
    links
}

/// How long a fault is there before somebody has cured it, in years: with a failure rate
/// it gives the probability that the fault is there now.
const EXPOSURE_YEARS: f64 = 30.0 / 365.0;

fn cause(file: &mut Document<'_>, entry: Entry<CauseFile>) -> Cause {
    let prior = match (&entry.value.rate_per_year, &entry.value.prior) {
        (Some(rate), None) => {
            let value = *rate.get_ref();
            if !(value.is_finite() && value >= 0.0) {
                file.report(
                    rate.span().start,
                    entry.path("rate_per_year"),
                    format!("is {value}, must not be negative"),
                );
            }
            1.0 - (-value * EXPOSURE_YEARS).exp()
        }
        (None, Some(prior)) => file.probability(prior, entry.path("prior")),
        _ => {
            let reason = "must have exactly one of rate_per_year and prior";
            file.report(entry.offset, &entry.field, reason);
            0.0
        }
    };
    Cause {
        key: entry.key,
        name: entry.value.name,
        prior,
        lockout: entry.value.lockout,
        skill: entry.value.skill,
        sop: entry.value.sop.trim().to_owned(),
        handling: entry.value.handling,
    }
}
