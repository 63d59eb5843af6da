//! The Aralia fault trees against numbers that three independent programs agreed on.
//!
//! Data: `../shared/data/aralia`, beside the project and not in it; without it the tests
//! say that they are skipped. nus9601 is left out: nobody has its exact answer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::PathBuf;

use diagnosis::fault_tree::{CutSets, Diagram, FaultTree, Limits, StaticTree, exchange, expand};

const UNSOLVED: &str = "nus9601";

/// The reference has the slopes of this tree with the wrong sign, and so conditional
/// probabilities below 0.
const REVERSED: &str = "das9601";

/// The reference counts occurrences in its small cut sets only.
const TRUNCATED: &str = "cea9601";

fn data() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/aralia"));
    if folder.is_dir() {
        return Some(folder);
    }
    let reason = "aralia: no recorded fault trees beside the project";
    println!("skipped: {reason}");
    if let Some(list) = std::env::var_os("FETTLE_SKIPPED") {
        let mut list = std::fs::OpenOptions::new().append(true).open(list).unwrap();
        writeln!(list, "{reason}").unwrap();
    }
    None
}

fn read(folder: &std::path::Path, name: &str) -> StaticTree {
    let text = std::fs::read_to_string(folder.join(format!("{name}.xml"))).unwrap();
    let tree: FaultTree = exchange::mef::read(&text, name).unwrap();
    expand(&tree).unwrap()
}

/// All that the reference says, within the recursion that big trees take.
fn on_a_deep_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn probabilities_and_counts() {
    let Some(folder) = data() else { return };
    on_a_deep_stack(move || {
        let reference = std::fs::read_to_string(folder.join("reference.csv")).unwrap();
        let mut compared = 0;
        for line in reference.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let (name, expected, count, by_order) = (fields[0], fields[8], fields[9], fields[10]);
            if name == UNSOLVED {
                continue;
            }
            let tree = read(&folder, name);
            // Where the file says nothing, the reference was made with this.
            let p: Vec<f64> = tree.probabilities.iter().map(|p| p.unwrap_or(0.01)).collect();
            let diagram = Diagram::compile(&tree.tree, &Limits::default()).unwrap();
            let (found, expected) = (diagram.probability(&p), expected.parse::<f64>().unwrap());
            assert!((found / expected - 1.0).abs() < 1e-10, "{name}: P is {found:e}, expected {expected:e}");
            let sets = CutSets::of(&diagram, &Limits::default()).unwrap();
            assert_eq!(sets.count().unwrap().to_string(), count, "{name}: minimal cut sets");
            let found: Vec<String> = sets.count_by_order().unwrap().iter().map(u128::to_string).collect();
            assert_eq!(found.join(" "), by_order, "{name}: minimal cut sets by order");
            compared += 1;
        }
        assert_eq!(compared, 30);
    });
}

#[test]
fn importance() {
    let Some(folder) = data() else { return };
    on_a_deep_stack(move || {
        let reference = std::fs::read_to_string(folder.join("importance_reference.csv")).unwrap();
        let rows: Vec<Vec<&str>> = reference.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let mut compared = 0;
        for of_tree in rows.chunk_by(|a, b| a[0] == b[0]) {
            let Some(name) = of_tree[0][0].strip_prefix("aralia_") else { continue };
            let tree = read(&folder, name);
            let p: Vec<f64> = tree.probabilities.iter().map(|p| p.unwrap_or(0.01)).collect();
            let diagram = Diagram::compile(&tree.tree, &Limits::default()).unwrap();
            let importance = diagram.importance(&p);
            let occurrences = CutSets::of(&diagram, &Limits::default()).unwrap().occurrences().unwrap();
            for row in of_tree {
                let event = tree.tree.events.iter().position(|event| event.name == row[2]).unwrap();
                let of_event = importance[event];
                let found = [
                    of_event.birnbaum,
                    of_event.criticality,
                    of_event.diagnostic,
                    of_event.achievement,
                    // Infinite where nothing is left without the event, which the reference writes as 0.
                    if of_event.reduction.is_infinite() { 0.0 } else { of_event.reduction },
                ];
                let measures = if name == REVERSED { 0..2 } else { 0..5 };
                for (found, printed) in found[measures].iter().zip(&row[5..10]) {
                    let expected: f64 = printed.parse().unwrap();
                    let expected = if name == REVERSED { -expected } else { expected };
                    // Six digits are printed; a number near 0 is the difference of rounded ones.
                    let close = (found - expected).abs() <= 1e-5 * expected.abs() + 1e-12;
                    assert!(close, "{name} {}: {found:e}, expected {printed}", row[2]);
                }
                if name == TRUNCATED {
                    continue;
                }
                assert_eq!(occurrences[event].to_string(), row[3], "{name} {}: occurrences", row[2]);
            }
            compared += of_tree.len();
        }
        assert!(compared > 500, "{compared} events compared");
    });
}
