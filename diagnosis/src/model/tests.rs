use proptest::prelude::*;

use super::*;
use crate::appliance::Handling;
use crate::catalogue::Catalogue;
use crate::fault_tree::{Event, Gate, Input, Logic};
use crate::testing::{HIGH, thing};

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
fn tree(causes: usize, least: usize) -> FaultTree {
    let half = (causes / 2).max(1);
    let event = |index| Event {
        name: format!("c{index}"),
        label: String::new(),
        kind: EventKind::Basic,
        law: None,
        spread: None,
    };
    let input = |node| Input { node, negated: false };
    let gate = |logic, inputs| Gate { name: String::new(), label: String::new(), logic, inputs };
    let below = gate(Logic::AtLeast(least), (0..half).map(|cause| input(Node::Event(cause))).collect());
    let top = std::iter::once(Node::Gate(0)).chain((half..causes).map(Node::Event)).map(input).collect();
    let gates = vec![below, gate(Logic::Or, top)];
    FaultTree { events: (0..causes).map(event).collect(), gates, top: 1, ..FaultTree::default() }
}

/// The same by the book: products of plain probabilities over all sets of causes.
fn brute_force(priors: &[f64], alarms: &[f64], least: usize, links: &[Link], latched: &[Latch]) -> Weighed {
    let half = (priors.len() / 2).max(1) as u32;
    let (mut all, mut top) = (0.0, 0.0);
    let mut causes = vec![0.0; priors.len()];
    for set in 0..1_u32 << priors.len() {
        let happens = |cause: usize| set >> cause & 1 == 1;
        let below = (set & ((1 << half) - 1)).count_ones() as usize >= least;
        let mut weight = 1.0;
        for (index, prior) in priors.iter().enumerate() {
            weight *= if happens(index) { *prior } else { 1.0 - prior };
        }
        for (symptom, latch) in latched.iter().enumerate() {
            let mut missed = 1.0;
            let mut linked = false;
            for link in links.iter().filter(|l| l.symptom == symptom) {
                if (link.node == Node::Gate(0) && below) || matches!(link.node, Node::Event(cause) if happens(cause)) {
                    missed *= 1.0 - link.probability;
                    linked = true;
                }
            }
            let present = if linked { 1.0 - missed } else { alarms[symptom] };
            weight *= match latch {
                Latch::Present => present,
                Latch::Absent => 1.0 - present,
                Latch::Unknown => 1.0,
            };
        }
        all += weight;
        top += if below || set >> half != 0 { weight } else { 0.0 };
        for (index, sum) in causes.iter_mut().enumerate() {
            *sum += if happens(index) { weight } else { 0.0 };
        }
    }
    Weighed { causes: causes.into_iter().map(|sum| sum / all).collect(), top: top / all }
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
        let causes: Vec<Cause> = priors.iter().enumerate().map(|(index, prior)| cause(index, *prior)).collect();
        let detectors: Vec<Detector> = alarms.iter().map(|alarm| detector(*alarm)).collect();
        let links: Vec<Link> = wires.iter().map(|(symptom, node, probability)| Link {
            symptom: symptom % alarms.len(),
            node: if *node == 8 { Node::Gate(0) } else { Node::Event(node % priors.len()) },
            probability: *probability,
        }).collect();
        let latched: Vec<Latch> = latches.iter().take(alarms.len()).map(|l| [Latch::Unknown, Latch::Present, Latch::Absent][usize::from(*l)]).collect();

        let model = Model::new(&tree(priors.len(), least), &causes, &detectors, &links).unwrap();
        let known: Vec<Weights> = latched.iter().map(|latch| latch.weights()).collect();
        let found = model.weigh(&known);
        let expected = brute_force(&priors, &alarms, least, &links, &latched);
        prop_assert!((found.top - expected.top).abs() < 1e-12, "{found:?} {expected:?}");
        for (found, expected) in found.causes.iter().zip(&expected.causes) {
            prop_assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}

/// Steps of a circuit that a type may have: at a nanosecond each a diagnosis takes well below 0.1 ms.
const MOST_STEPS: usize = 20_000;

#[test]
fn the_catalogue_compiles_to_small_circuits() {
    for ty in Catalogue::builtin().unwrap().iter() {
        let steps = ty.model.circuit.steps();
        println!("{}: {} causes, {} symptoms, {steps} steps", ty.key, ty.causes.len(), ty.detectors.len());
        assert!(steps <= MOST_STEPS, "{}: {steps}", ty.key);
    }
}
