//! The fault trees of the catalogue: deep enough, whole, and such that each cause can be found.
//!
//! Structure is checked on the files as written, apart from the reader that the crate uses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diagnosis::{ApplianceType, Catalogue, DeviceState, Handling, diagnose};
use toml::{Table, Value};

/// The files of a type that say what can be wrong with it.
struct Files {
    key: String,
    faults: Table,
    detectors: String,
    profile: Table,
}

fn types() -> Vec<Files> {
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog");
    let mut types: Vec<Files> = std::fs::read_dir(catalog)
        .unwrap()
        .map(|entry| {
            let dir = entry.unwrap().path();
            let text = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap();
            Files {
                key: dir.file_name().unwrap().to_str().unwrap().to_owned(),
                faults: text("faults.toml").parse().unwrap(),
                detectors: text("detectors.toml"),
                profile: text("profile.toml").parse().unwrap(),
            }
        })
        .collect();
    types.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(types.len(), 4);
    types
}

impl Files {
    fn section(&self, name: &str) -> &Table {
        self.faults[name].as_table().unwrap()
    }

    fn causes(&self) -> impl Iterator<Item = &String> {
        self.section("causes").keys()
    }

    fn inputs(&self, gate: &str) -> Vec<&str> {
        let gate = self.section("gates")[gate].as_table().unwrap();
        let lists = ["any", "all", "of", "inhibit"].iter().filter_map(|kind| gate.get(*kind)?.as_array());
        let inputs = lists.flatten().chain(gate.get("condition"));
        inputs.filter_map(Value::as_str).collect()
    }

    fn is_gate(&self, node: &str) -> bool {
        self.section("gates").contains_key(node)
    }

    /// Longest way from a node down to a basic event.
    fn depth(&self, node: &str) -> usize {
        if !self.is_gate(node) {
            return 0;
        }
        1 + self.inputs(node).iter().map(|input| self.depth(input)).max().unwrap()
    }

    /// A node and all below it.
    fn below<'a>(&'a self, node: &'a str, seen: &mut BTreeSet<&'a str>) {
        if seen.insert(node) && self.is_gate(node) {
            self.inputs(node).into_iter().for_each(|input| self.below(input, seen));
        }
    }

    /// Whether a node's event happens if exactly this cause is there.
    fn happens(&self, node: &str, cause: &str) -> bool {
        if !self.is_gate(node) {
            return node == cause;
        }
        let inputs = self.inputs(node);
        let there = inputs.iter().filter(|input| self.happens(input, cause)).count();
        let gate = &self.section("gates")[node];
        let least = gate.get("at_least").and_then(Value::as_integer);
        let all = gate.get("all").or(gate.get("inhibit")).map(|_| inputs.len() as i64);
        there as i64 >= least.or(all).unwrap_or(1)
    }

    /// Symptoms that are more likely there than not if exactly this cause is there.
    fn picture(&self, cause: &str) -> BTreeSet<&str> {
        let links = self.section("links").iter();
        let shown = links.filter(|(_, nodes)| {
            let nodes = nodes.as_table().unwrap().iter();
            let missed = nodes.filter(|(node, _)| self.happens(node, cause)).map(|(_, p)| 1.0 - p.as_float().unwrap());
            missed.product::<f64>() < 0.5
        });
        shown.map(|(symptom, _)| symptom.as_str()).collect()
    }
}

#[test]
fn each_tree_is_deep_and_whole() {
    for ty in types() {
        let top = ty.faults["top"].as_str().unwrap();
        let mut reached = BTreeSet::new();
        ty.below(top, &mut reached);
        for node in ty.causes().chain(ty.section("gates").keys()) {
            assert!(reached.contains(node.as_str()), "{}: {node} does not lead to the top event", ty.key);
        }
        let causes = ty.causes().count();
        assert!((25..=80).contains(&causes), "{}: {causes} basic events", ty.key);
        assert!(ty.depth(top) >= 4, "{}: {} levels", ty.key, ty.depth(top));
        let kinds = |kind: &str| ty.section("gates").values().filter(|gate| gate.get(kind).is_some()).count();
        let in_a_row = kinds("all") + kinds("inhibit");
        assert!(in_a_row >= 2 && kinds("at_least") >= 1, "{}: protections in a row, redundant sensors", ty.key);
    }
}

#[test]
fn each_cause_feeds_a_node_that_a_symptom_is_linked_to() {
    for ty in types() {
        let mut findable = BTreeSet::new();
        for nodes in ty.section("links").values() {
            nodes.as_table().unwrap().keys().for_each(|node| ty.below(node, &mut findable));
        }
        for cause in ty.causes() {
            assert!(findable.contains(cause.as_str()), "{}: nothing speaks for {cause}", ty.key);
        }
    }
}

#[test]
fn each_cause_tells_a_technician_what_to_do_and_what_to_bring() {
    const SKILLS: [&str; 5] = ["appliances", "electronics", "gas", "mechanics", "refrigeration"];
    let catalogue = Catalogue::builtin().unwrap();
    for ty in catalogue.iter() {
        for cause in &ty.causes {
            let place = format!("{} {}", ty.key, cause.key);
            assert!(cause.sop.starts_with("1. "), "{place}: the steps are numbered");
            assert!(SKILLS.contains(&cause.skill.as_str()), "{place}: {}", cause.skill);
            let replaces = cause.sop.to_lowercase().contains("replace");
            // What stands behind a metered outlet is not known, and neither are its parts.
            if replaces && cause.handling == Handling::Visit && ty.key != "power-meter" {
                assert!(ty.parts_for(&cause.key).next().is_some(), "{place}: replaces a part that it does not name");
            }
        }
        for need in &ty.part_needs {
            assert!(ty.part(&need.part).unwrap().price_cents > 0, "{}: {} has no price", ty.key, need.part);
        }
        for part in &ty.parts {
            let used = ty.part_needs.iter().any(|need| need.part == part.key);
            assert!(used, "{}: no cause calls for {}", ty.key, part.key);
        }
    }
}

/// Codes are of a brand and model: only detectors speak of them, and only of the profile's own.
#[test]
fn error_codes_are_the_models_own() {
    for ty in types() {
        let codes = ty.profile.get("error_codes").map_or_else(Table::new, |codes| codes.as_table().unwrap().clone());
        let named: Vec<&str> = ty.detectors.split("error_code == '").skip(1).map(|rest| &rest[..2]).collect();
        for code in &named {
            assert!(codes.contains_key(*code), "{}: {code} is no code of the profile", ty.key);
        }
        for code in codes.keys() {
            assert!(named.contains(&code.as_str()), "{}: nothing looks at {code}", ty.key);
            for (cause, written) in ty.section("causes") {
                let sop = written["sop"].as_str().unwrap();
                let words = |text: &str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == code);
                assert!(!words(sop) && !words(cause), "{}: {cause} relies on {code}", ty.key);
            }
        }
    }
}

/// Part of the causes for which the symptoms that they show must outweigh all false alarms.
/// The others show one symptom that a healthy appliance now and then shows as well.
const CLEAR_ENOUGH: f64 = 0.85;

/// Each cause that shows anything, shown as the tree says it shows, is ranked first, or a
/// cause is that shows the same: telling those apart takes a question or a look.
#[test]
fn each_cause_that_shows_is_ranked_before_those_that_show_otherwise() {
    let catalogue = Catalogue::builtin().unwrap();
    let (mut shown, mut clear) = (0, 0);
    for files in types() {
        let ty = catalogue.get(&files.key).unwrap();
        let pictures: BTreeMap<&str, BTreeSet<&str>> =
            files.causes().map(|cause| (cause.as_str(), files.picture(cause))).collect();
        let distinct: BTreeSet<&BTreeSet<&str>> = pictures.values().filter(|picture| !picture.is_empty()).collect();
        for picture in distinct {
            let ranked = diagnose(ty, &showing(ty, picture)).ranked;
            let place = format!("{} {picture:?}: {:?}", files.key, &ranked[..3]);
            assert!(pictures[ranked[0].cause.as_str()] == *picture, "{place}");
            let alike: Vec<_> = ranked.iter().filter(|r| pictures[r.cause.as_str()] == *picture).collect();
            shown += alike.len();
            if alike.iter().map(|r| r.probability).sum::<f64>() > 0.5 {
                clear += alike.len();
            }
        }
    }
    println!("{shown} causes show something, {clear} of them enough to outweigh false alarms");
    assert!(clear as f64 >= CLEAR_ENOUGH * shown as f64, "{clear} of {shown}");
}

/// A state in which exactly these symptoms are present and all others were looked for and not seen.
fn showing(ty: &ApplianceType, present: &BTreeSet<&str>) -> DeviceState {
    let mut state = serde_json::to_value(DeviceState::new(ty)).unwrap();
    for (index, (symptom, _)) in ty.symptoms().enumerate() {
        let latch = if present.contains(symptom) { "Present" } else { "Absent" };
        state["detectors"][index]["latch"] = latch.into();
    }
    serde_json::from_value(state).unwrap()
}
