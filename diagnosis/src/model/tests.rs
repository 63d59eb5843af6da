use proptest::prelude::*;

use super::*;
use crate::appliance::Handling;
use crate::testing::{HIGH, thing};
use crate::tree::{Gate, Logic};

fn cause(index: usize, prior: f64) -> Cause {
    Cause {
        key: format!("c{index}"),
        name: String::new(),
        prior,
        lockout: false,
        skill: String::new(),
        sop: String::new(),
        handling: Handling::Visit,
    }
}

fn detector(false_alarm: f64) -> Detector {
    Detector { false_alarm, ..thing(HIGH).detectors.remove(0) }
}

/// A tree over `causes` causes: k-of-n over the first half, and its event or any of the second half on top.
fn tree(causes: usize, least: usize) -> Tree {
    let half = (causes / 2).max(1);
    let gate = |logic, inputs| Gate { key: String::new(), name: String::new(), logic, inputs };
    let below = gate(Logic::AtLeast(least), (0..half).map(Node::Cause).collect());
    let top = std::iter::once(Node::Gate(0)).chain((half..causes).map(Node::Cause)).collect();
    Tree { gates: vec![below, gate(Logic::Any, top)], top: 1 }
}

/// The same by the book: products of plain probabilities over all sets of at most two causes.
fn brute_force(priors: &[f64], alarms: &[f64], tree: &Tree, links: &[Link], latched: &[Latch]) -> (Vec<f64>, f64) {
    let (mut all, mut top) = (0.0, 0.0);
    let mut causes = vec![0.0; priors.len()];
    for active in (0..1_u64 << priors.len()).filter(|set| set.count_ones() <= 2) {
        let mut weight = 1.0;
        for (index, prior) in priors.iter().enumerate() {
            weight *= if active >> index & 1 == 1 { *prior } else { 1.0 - prior };
        }
        let gates = tree.evaluate(active);
        for (symptom, latch) in latched.iter().enumerate() {
            let mut missed = 1.0;
            let mut linked = false;
            for link in links.iter().filter(|l| l.symptom == symptom && is_active(l.node, active, &gates)) {
                missed *= 1.0 - link.probability;
                linked = true;
            }
            let present: f64 = if linked { 1.0 - missed } else { alarms[symptom] };
            let present = present.clamp(CERTAIN, 1.0 - CERTAIN);
            weight *= match latch {
                Latch::Present => present,
                Latch::Absent => 1.0 - present,
                Latch::Unknown => 1.0,
            };
        }
        all += weight;
        top += if gates[tree.top] { weight } else { 0.0 };
        for (index, sum) in causes.iter_mut().enumerate() {
            *sum += if active >> index & 1 == 1 { weight } else { 0.0 };
        }
    }
    (causes.into_iter().map(|sum| sum / all).collect(), top / all)
}

proptest! {
    #[test]
    fn posteriors_equal_brute_force(
        priors in proptest::collection::vec(0.001..0.4_f64, 2..8),
        alarms in proptest::collection::vec(0.001..0.3_f64, 1..8),
        wires in proptest::collection::vec((0..8_usize, 0..9_usize, 0.01..0.99_f64), 1..25),
        latches in proptest::collection::vec(0..3_u8, 8),
        least in 1..3_usize,
    ) {
        let tree = tree(priors.len(), least);
        let causes: Vec<Cause> = priors.iter().enumerate().map(|(index, prior)| cause(index, *prior)).collect();
        let detectors: Vec<Detector> = alarms.iter().map(|alarm| detector(*alarm)).collect();
        let links: Vec<Link> = wires.iter().map(|(symptom, node, probability)| Link {
            symptom: symptom % alarms.len(),
            node: if *node == 8 { Node::Gate(0) } else { Node::Cause(node % priors.len()) },
            probability: *probability,
        }).collect();
        let latched: Vec<Latch> = latches.iter().take(alarms.len()).map(|l| [Latch::Unknown, Latch::Present, Latch::Absent][usize::from(*l)]).collect();

        let model = Model::new(&tree, &causes, &detectors, links.clone());
        let (marginals, top) = model.marginals(&model.posterior(&latched));
        let (expected, expected_top) = brute_force(&priors, &alarms, &tree, &links, &latched);
        prop_assert!((top - expected_top).abs() < 1e-9, "{top} {expected_top}");
        for (found, expected) in marginals.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
}

#[test]
fn gates_follow_their_logic() {
    let gate =
        |logic, inputs: &[Node]| Gate { key: String::new(), name: String::new(), logic, inputs: inputs.to_vec() };
    let (a, b, c) = (Node::Cause(0), Node::Cause(1), Node::Cause(2));
    let gates = vec![
        gate(Logic::All, &[a, b]),
        gate(Logic::Any, &[a, c]),
        gate(Logic::AtLeast(2), &[a, b, c]),
        gate(Logic::All, &[Node::Gate(1), Node::Gate(2)]),
    ];
    let tree = Tree { gates, top: 3 };
    assert_eq!(tree.evaluate(0b000), [false, false, false, false]);
    assert_eq!(tree.evaluate(0b011), [true, true, true, true]);
    assert_eq!(tree.evaluate(0b110), [false, true, true, true]);
    assert_eq!(tree.evaluate(0b010), [false, false, false, false]);
}
