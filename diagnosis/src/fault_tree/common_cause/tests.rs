use super::*;
use crate::fault_tree::{CutSets, Diagram, ExpandError, FaultTree, Limits, expand};

/// An or-gate over members `a`, `b`, …
fn tree(members: usize, total: f64, sharing: Sharing) -> FaultTree {
    let event = |index: usize| Event {
        name: char::from(b'a' + index as u8).to_string(),
        label: String::new(),
        kind: EventKind::Basic,
        law: None,
        spread: None,
    };
    let inputs = (0..members).map(|member| Input { node: Node::Event(member), negated: false }).collect();
    let group =
        CommonCause { name: "group".to_owned(), members: (0..members).collect(), law: Law::Constant(total), sharing };
    FaultTree {
        events: (0..members).map(event).collect(),
        gates: vec![Gate { name: "top".to_owned(), label: String::new(), logic: Logic::Or, inputs }],
        common_causes: vec![group],
        ..FaultTree::default()
    }
}

fn written_out(tree: &FaultTree) -> Vec<(String, f64)> {
    let out = expand(tree).unwrap();
    let names = out.tree.events.iter().map(|event| event.name.clone());
    names.zip(out.probabilities.iter().map(|probability| probability.unwrap())).collect()
}

fn refused(tree: &FaultTree) -> CommonCauseError {
    match expand(tree).unwrap_err() {
        ExpandError::CommonCause { source, .. } => source,
        other => panic!("{other}"),
    }
}

fn assert_events(tree: &FaultTree, wanted: &[(&str, f64)]) {
    let got = written_out(tree);
    assert_eq!(got.len(), wanted.len(), "{got:?}");
    for ((name, probability), (wanted_name, wanted)) in got.iter().zip(wanted) {
        assert_eq!(name, wanted_name);
        assert!((probability - wanted).abs() < 5e-6 * wanted, "{name}: {probability} is not {wanted}");
    }
}

/// SCRAM 0.16.2 on its `TwoTrain/common_cause.xml`, one of the two groups.
#[test]
fn a_beta_factor_makes_one_event_more() {
    let pumps = tree(2, 0.1, Sharing::Beta(0.2));
    assert_events(&pumps, &[("[a]", 0.08), ("[b]", 0.08), ("[a b]", 0.02)]);
    assert_eq!(written_out(&tree(20, 0.1, Sharing::Beta(0.2))).len(), 21);
}

/// What SCRAM 0.16.2 prints, to its six digits.
#[test]
fn mgl_and_alpha_factors_share_by_size() {
    assert_events(
        &tree(3, 0.1, Sharing::Mgl(vec![0.2, 0.3])),
        &[
            ("[a]", 0.08),
            ("[b]", 0.08),
            ("[c]", 0.08),
            ("[a b]", 0.007),
            ("[a c]", 0.007),
            ("[b c]", 0.007),
            ("[a b c]", 0.006),
        ],
    );
    assert_events(
        &tree(3, 0.1, Sharing::Alpha(vec![0.7, 0.2, 0.1])),
        &[
            ("[a]", 0.05),
            ("[b]", 0.05),
            ("[c]", 0.05),
            ("[a b]", 0.014_285_7),
            ("[a c]", 0.014_285_7),
            ("[b c]", 0.014_285_7),
            ("[a b c]", 0.021_428_6),
        ],
    );
}

/// Two factors are not given, as SCRAM takes it: at most pairs fail together.
#[test]
fn fewer_factors_reach_less_far() {
    assert_events(
        &tree(3, 0.1, Sharing::Mgl(vec![0.2])),
        &[("[a]", 0.08), ("[b]", 0.08), ("[c]", 0.08), ("[a b]", 0.01), ("[a c]", 0.01), ("[b c]", 0.01)],
    );
}

/// What SCRAM 0.16.2 says of a k-of-4 gate: probability and numbers of minimal cut sets.
#[test]
fn the_whole_tree_is_as_likely_as_scram_says() {
    let cases: [(Sharing, usize, f64, &[u128]); 4] = [
        (Sharing::Alpha(vec![0.8, 0.1, 0.06, 0.04]), 2, 0.076_705, &[11, 6]),
        (Sharing::Mgl(vec![0.3, 0.4, 0.5]), 3, 0.020_342_3, &[5, 27, 4]),
        (Sharing::Mgl(vec![0.3, 0.4]), 2, 0.076_174_6, &[10, 6]),
        (Sharing::Beta(0.15), 2, 0.053_014_7, &[1, 6]),
    ];
    for (sharing, at_least, probability, cut_sets) in cases {
        let mut written = tree(4, 0.1, sharing);
        written.gates[0].logic = Logic::AtLeast(at_least);
        let out = expand(&written).unwrap();
        let diagram = Diagram::compile(&out.tree, &Limits::default()).unwrap();
        let probabilities: Vec<f64> = out.probabilities.iter().map(|probability| probability.unwrap()).collect();
        let got = diagram.probability(&probabilities);
        assert!((got - probability).abs() < 5e-6 * probability, "{got} is not {probability}");
        let counts = CutSets::of(&diagram, &Limits::default()).unwrap().count_by_order().unwrap();
        assert_eq!(counts.iter().copied().filter(|count| *count > 0).collect::<Vec<_>>(), cut_sets);
    }
}

#[test]
fn the_events_of_a_member_add_up_to_its_total() {
    for sharing in [
        Sharing::Mgl(vec![0.3, 0.5, 0.7, 0.2]),
        Sharing::Alpha(vec![0.9, 0.06, 0.02, 0.015, 0.005]),
        Sharing::Beta(0.1),
    ] {
        let out = expand(&tree(5, 0.04, sharing)).unwrap();
        for gate in &out.tree.gates[1..] {
            let events = gate.inputs.iter().map(|input| match input.node {
                Node::Event(event) => out.probabilities[event].unwrap(),
                Node::Gate(_) => panic!("an or-gate over events"),
            });
            let total: f64 = events.sum();
            assert!((total - 0.04).abs() < 1e-16, "{}: {total}", gate.name);
        }
    }
}

#[test]
fn a_member_becomes_a_gate_of_its_name() {
    let out = expand(&tree(2, 0.1, Sharing::Beta(0.2))).unwrap();
    let top: Vec<Node> = out.tree.gates[0].inputs.iter().map(|input| input.node).collect();
    assert_eq!(top, [Node::Gate(1), Node::Gate(2)]);
    assert_eq!(out.tree.gates[2].name, "b");
    let inputs: Vec<Node> = out.tree.gates[2].inputs.iter().map(|input| input.node).collect();
    assert_eq!(inputs, [Node::Event(1), Node::Event(2)]);
    assert_eq!(out.origins[2], Origin::CommonCause { group: 0, members: vec![0, 1] });
    assert!(out.tree.common_causes.is_empty());
}

#[test]
fn a_group_that_cannot_be_is_refused() {
    let changed = |change: &dyn Fn(&mut FaultTree)| {
        let mut changed = tree(3, 0.1, Sharing::Beta(0.2));
        change(&mut changed);
        refused(&changed)
    };
    assert_eq!(refused(&tree(1, 0.1, Sharing::Beta(0.2))), CommonCauseError::TooFewMembers(1));
    assert_eq!(
        refused(&tree(3, 0.1, Sharing::Mgl(vec![0.1; 3]))),
        CommonCauseError::Factors { given: 3, members: 3, most: 2 }
    );
    assert_eq!(refused(&tree(2, 0.1, Sharing::Alpha(vec![0.0, 0.0]))), CommonCauseError::NothingShared);
    assert_eq!(
        refused(&tree(2, 0.1, Sharing::Beta(f64::NAN))).to_string(),
        "beta factor is NaN; it must be between 0 and 1"
    );
    assert_eq!(
        refused(&tree(16, 0.1, Sharing::Alpha(vec![0.1; 16]))),
        CommonCauseError::TooManyEvents { events: 65_535 }
    );
    assert_eq!(
        changed(&|tree| tree.common_causes[0].members = vec![0, 1, 0]),
        CommonCauseError::MemberTwice("a".to_owned())
    );
    assert_eq!(
        changed(&|tree| tree.common_causes.push(tree.common_causes[0].clone())),
        CommonCauseError::MemberTwice("a".to_owned())
    );
    assert_eq!(
        changed(&|tree| tree.events[1].kind = EventKind::House(true)),
        CommonCauseError::HouseMember("b".to_owned())
    );
    let mut long = tree(12, 0.1, Sharing::Alpha(vec![0.1; 12]));
    long.events[3].name = "x".repeat(1 << 20);
    assert_eq!(refused(&long), CommonCauseError::NamesTooLong);
}
