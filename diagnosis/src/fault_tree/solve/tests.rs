//! The engine against brute force: every assignment of few events.

use proptest::prelude::*;

use super::{Bounds, CutSets, Diagram, Limits, QuantifyError};
use crate::fault_tree::{Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node};

const EVENTS: usize = 9;

fn tree(gates: Vec<(Logic, Vec<Input>)>) -> FaultTree {
    let events = (0..EVENTS).map(|index| Event {
        name: format!("e{index}"),
        label: String::new(),
        kind: EventKind::Basic,
        law: Some(Law::Constant(0.1)),
        spread: None,
    });
    let top = gates.len() - 1;
    let gates = gates.into_iter().enumerate().map(|(index, (logic, inputs))| Gate {
        name: format!("g{index}"),
        label: String::new(),
        logic,
        inputs,
    });
    let gates = gates.collect();
    FaultTree { name: "random".into(), events: events.collect(), gates, top, ..FaultTree::default() }
}

/// Gates that read events and earlier gates, the later ones more often.
fn any_tree(coherent: bool) -> impl Strategy<Value = FaultTree> {
    let gate =
        (0_u8..10, prop::collection::vec((any::<prop::sample::Index>(), 0_u8..10), 2..6), any::<prop::sample::Index>());
    prop::collection::vec(gate, 3..14).prop_map(move |written| {
        let gates = written.into_iter().enumerate().map(|(index, (kind, inputs, least))| {
            let read = inputs.into_iter().map(|(which, negated)| {
                let place = which.index(EVENTS + 2 * index);
                let node = if place < EVENTS { Node::Event(place) } else { Node::Gate((place - EVENTS) / 2) };
                Input { node, negated: !coherent && negated < 3 }
            });
            let read: Vec<Input> = read.collect();
            let logic = match kind {
                0..4 => Logic::Or,
                4..7 => Logic::And,
                7 => Logic::Inhibit,
                9 if !coherent => Logic::Xor,
                _ => Logic::AtLeast(1 + least.index(read.len())),
            };
            (logic, read)
        });
        tree(gates.collect())
    })
}

fn happens(tree: &FaultTree, events: u32) -> bool {
    let mut gates: Vec<bool> = Vec::new();
    for gate in &tree.gates {
        let on = gate.inputs.iter().filter(|input| {
            let there = match input.node {
                Node::Event(event) => events >> event & 1 == 1,
                Node::Gate(gate) => gates[gate],
            };
            there != input.negated
        });
        let on = on.count();
        gates.push(match gate.logic {
            Logic::Or => on > 0,
            Logic::AtLeast(least) => on >= least,
            Logic::Xor => on % 2 == 1,
            _ => on == gate.inputs.len(),
        });
    }
    gates[tree.top]
}

fn probability(tree: &FaultTree, probabilities: &[f64]) -> f64 {
    let chance = |events: u32| -> f64 {
        let each = probabilities.iter().enumerate();
        each.map(|(event, p)| if events >> event & 1 == 1 { *p } else { 1.0 - p }).product()
    };
    (0..1_u32 << EVENTS).filter(|events| happens(tree, *events)).map(chance).sum()
}

/// The smallest positive parts of the assignments under which the top event happens.
fn minimal(tree: &FaultTree) -> Vec<u32> {
    let all: Vec<u32> = (0..1_u32 << EVENTS).filter(|events| happens(tree, *events)).collect();
    all.iter().copied().filter(|set| !all.iter().any(|other| other != set && other & set == *other)).collect()
}

fn probabilities() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![0.0..1.0, 1e-9..1e-6, Just(0.0), Just(1.0)], EVENTS)
}

/// Equal but for rounding: no digits are lost however small the number.
fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn probability_is_that_of_all_assignments(tree in any_tree(false), p in probabilities()) {
        let diagram = Diagram::compile(&tree, &Limits::default()).unwrap();
        let (found, expected) = (diagram.probability(&p), probability(&tree, &p));
        prop_assert!(close(found, expected), "{found:e} is not {expected:e}");
    }

    #[test]
    fn cut_sets_are_the_minimal_positive_parts(tree in any_tree(false)) {
        let diagram = Diagram::compile(&tree, &Limits::default()).unwrap();
        let sets = CutSets::of(&diagram, &Limits::default()).unwrap();
        let expected = minimal(&tree);
        prop_assert_eq!(sets.count().unwrap(), expected.len() as u128);
        let mut by_order = vec![0_u128; EVENTS];
        expected.iter().filter(|set| **set != 0).for_each(|set| by_order[set.count_ones() as usize - 1] += 1);
        let mut found = sets.count_by_order().unwrap();
        found.resize(EVENTS, 0);
        prop_assert_eq!(found, by_order);
        let occurrences: Vec<u128> =
            (0..EVENTS).map(|event| expected.iter().filter(|set| **set >> event & 1 == 1).count() as u128).collect();
        prop_assert_eq!(sets.occurrences().unwrap(), occurrences);
    }

    #[test]
    fn cut_sets_are_listed_by_falling_weight(tree in any_tree(false), weights in prop::collection::vec(-5.0_f64..-0.1, EVENTS)) {
        let diagram = Diagram::compile(&tree, &Limits::default()).unwrap();
        let sets = CutSets::of(&diagram, &Limits::default()).unwrap();
        let listed: Vec<_> = sets.ranked(&weights).collect::<Result<_, _>>().unwrap();
        prop_assert!(listed.windows(2).all(|pair| pair[0].log_weight >= pair[1].log_weight - 1e-9));
        let mut found: Vec<u32> = listed.iter().map(|set| set.events.iter().map(|event| 1 << event).sum()).collect();
        found.sort_unstable();
        prop_assert_eq!(found, minimal(&tree));
    }

    #[test]
    fn importance_is_what_certain_and_impossible_events_make(tree in any_tree(false), p in probabilities()) {
        let top = probability(&tree, &p);
        if top == 0.0 {
            return Ok(());
        }
        let diagram = Diagram::compile(&tree, &Limits::default()).unwrap();
        for (event, found) in diagram.importance(&p).into_iter().enumerate() {
            let given = |value: f64| {
                let mut p = p.clone();
                p[event] = value;
                probability(&tree, &p)
            };
            let (with, without) = (given(1.0), given(0.0));
            let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * (1.0 + expected.abs());
            prop_assert!((found.birnbaum - (with - without)).abs() <= 1e-12);
            prop_assert!(near(found.achievement, with / top), "RAW {} {}", found.achievement, with / top);
            prop_assert!(near(found.diagnostic, p[event] * with / top));
            prop_assert!(near(found.criticality, p[event] * (with - without) / top));
        }
    }

    #[test]
    fn a_part_is_played_in_sets_that_happened(tree in any_tree(true), p in probabilities()) {
        let diagram = Diagram::compile(&tree, &Limits::default()).unwrap();
        let sets = CutSets::of(&diagram, &Limits::default()).unwrap();
        let parts = sets.part_played(&p, &Limits::default()).unwrap();
        let minimal = minimal(&tree);
        for (event, found) in parts.into_iter().enumerate() {
            let with: Vec<u32> = minimal.iter().copied().filter(|set| set >> event & 1 == 1).collect();
            let chance = |events: u32| -> f64 {
                p.iter().enumerate().map(|(event, p)| if events >> event & 1 == 1 { *p } else { 1.0 - p }).product()
            };
            let some_set = |events: &u32| with.iter().any(|set| events & set == *set);
            let expected: f64 = (0..1_u32 << EVENTS).filter(some_set).map(chance).sum();
            prop_assert!((found - expected).abs() <= 1e-12, "{found} is not {expected}");
        }
    }
}

proptest! {
    #[test]
    fn bounds_hold_what_lies_between(tree in any_tree(false), p in probabilities(), nodes in 4_usize..60) {
        let limits = Limits { nodes, ..Limits::default() };
        let bounds = Bounds::of(&tree, &p, &limits).unwrap();
        let exact = probability(&tree, &p);
        prop_assert!(bounds.lower <= exact + 1e-15 && exact <= bounds.upper + 1e-15, "{exact:e} is outside {bounds:?}");
    }
}

fn reads(nodes: impl IntoIterator<Item = Node>) -> Vec<Input> {
    nodes.into_iter().map(|node| Input { node, negated: false }).collect()
}

#[test]
fn what_does_not_fit_is_told() {
    // An at-least gate over gates that share everything: some width is unavoidable.
    let pairs = (0..EVENTS).map(|event| (Logic::Or, reads([Node::Event(event), Node::Event((event + 1) % EVENTS)])));
    let mut gates: Vec<_> = pairs.collect();
    gates.push((Logic::AtLeast(5), reads((0..EVENTS).map(Node::Gate))));
    let tree = tree(gates);
    let few = Limits { nodes: 12, ..Limits::default() };
    assert!(matches!(Diagram::compile(&tree, &few), Err(QuantifyError::Budget { nodes: 12, .. })));
}

#[test]
fn a_stop_condition_ends_the_work() {
    let mut wide = tree(vec![(Logic::Or, reads([Node::Event(0)]))]);
    let event = wide.events[0].clone();
    wide.events = (0..2_000).map(|index| Event { name: format!("e{index}"), ..event.clone() }).collect();
    wide.gates = vec![Gate {
        logic: Logic::AtLeast(1_000),
        inputs: reads((0..2_000).map(Node::Event)),
        ..wide.gates[0].clone()
    }];
    let stopped = Limits { stop: &|| true, ..Limits::default() };
    assert_eq!(Diagram::compile(&wide, &stopped).err(), Some(QuantifyError::Stopped));
    let sets = CutSets::of(&Diagram::compile(&wide, &Limits::default()).unwrap(), &Limits::default()).unwrap();
    assert_eq!(sets.count(), Err(QuantifyError::TooManyCutSets));
}

#[test]
fn a_chain_as_deep_as_a_model_can_be() {
    let links = 20_000;
    let mut gates = vec![(Logic::Or, reads([Node::Event(0), Node::Event(1)]))];
    for index in 0..links {
        let logic = if index % 2 == 0 { Logic::And } else { Logic::Or };
        gates.push((logic, reads([Node::Gate(index), Node::Event(index % EVENTS)])));
    }
    let tree = tree(gates);
    let expected = probability(&tree, &[0.3; EVENTS]);
    let found = Diagram::compile(&tree, &Limits::default()).unwrap().probability(&[0.3; EVENTS]);
    assert!(close(found, expected));
}

#[test]
fn constants_are_told_as_such() {
    let contradiction = vec![(
        Logic::And,
        vec![Input { node: Node::Event(0), negated: false }, Input { node: Node::Event(0), negated: true }],
    )];
    let diagram = Diagram::compile(&tree(contradiction), &Limits::default()).unwrap();
    assert_eq!(diagram.probability(&[0.5; EVENTS]), 0.0);
    assert_eq!(CutSets::of(&diagram, &Limits::default()).unwrap().count(), Ok(0));
}
