use super::*;
use crate::fault_tree::{CommonCause, Gate, Sharing};

fn event(name: &str, kind: EventKind, law: Option<Law>) -> Event {
    Event { name: name.to_owned(), label: String::new(), kind, law, spread: None }
}

fn gate(name: &str, logic: Logic, nodes: &[Node]) -> Gate {
    let inputs = nodes.iter().map(|node| Input { node: *node, negated: false }).collect();
    Gate { name: name.to_owned(), label: String::new(), logic, inputs }
}

/// A pump station: two pumps with a common cause, a switch-over, a standby pump, and a house event.
fn station() -> FaultTree {
    let over_time = |rate| Some(Law::Exponential { rate, time: 1.0 });
    let nodes = [Node::Event(0), Node::Event(1), Node::Gate(1), Node::Event(4)];
    FaultTree {
        name: "station".to_owned(),
        events: vec![
            event("pump 1", EventKind::Basic, None),
            event("pump 2", EventKind::Basic, None),
            event("switch", EventKind::Basic, over_time(0.5)),
            event("motor", EventKind::Basic, over_time(0.5)),
            event("summer", EventKind::House(true), None),
        ],
        gates: vec![
            gate("top", Logic::And, &nodes),
            gate("switch first", Logic::PriorityAnd, &[Node::Event(2), Node::Event(3)]),
        ],
        top: 0,
        common_causes: vec![CommonCause {
            name: "pumps".to_owned(),
            members: vec![0, 1],
            law: Law::Constant(0.1),
            sharing: Sharing::Beta(0.5),
        }],
    }
}

#[test]
fn indices_of_the_written_tree_stay() {
    let out = expand(&station()).unwrap();
    let names: Vec<&str> = out.tree.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["[pump 1]", "[pump 2]", "switch", "motor", "summer", "[switch first]", "[pump 1 pump 2]"]);
    let group = |members| Origin::CommonCause { group: 0, members };
    let absorbed = Origin::Absorbed { gate: 1 };
    let origins = [
        group(vec![0]),
        group(vec![1]),
        absorbed.clone(),
        absorbed,
        Origin::Written,
        Origin::Dynamic { gate: 1 },
        group(vec![0, 1]),
    ];
    assert_eq!(out.origins, origins);
    assert_eq!(out.probabilities[4], Some(1.0));
    // Either order of two equals is as likely.
    let in_order = (1.0 - (-0.5f64).exp()).powi(2) / 2.0;
    assert!((out.probabilities[5].unwrap() - in_order).abs() < 1e-15);
    let top: Vec<Node> = out.tree.gates[0].inputs.iter().map(|input| input.node).collect();
    assert_eq!(top, [Node::Gate(2), Node::Gate(3), Node::Gate(1), Node::Event(4)]);
    assert_eq!(out.tree.gates[1], gate("switch first", Logic::Or, &[Node::Event(5)]));
}

#[test]
fn a_static_tree_stays_as_it_is() {
    let written = FaultTree {
        events: vec![event("a", EventKind::Basic, Some(Law::Constant(0.25))), event("b", EventKind::Undeveloped, None)],
        gates: vec![gate("top", Logic::Xor, &[Node::Event(0), Node::Event(1)])],
        ..FaultTree::default()
    };
    let out = expand(&written).unwrap();
    assert_eq!(out.tree, written);
    assert_eq!(out.probabilities, [Some(0.25), None]);
}

#[test]
fn errors_name_the_place() {
    let refused = |change: &dyn Fn(&mut FaultTree)| {
        let mut tree = station();
        change(&mut tree);
        expand(&tree).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&|tree| tree.events[0].law = Some(Law::Constant(2.0))),
        "event \"pump 1\": probability is 2; it must be between 0 and 1"
    );
    assert_eq!(
        refused(&|tree| tree.common_causes[0].sharing = Sharing::Beta(-1.0)),
        "common-cause group \"pumps\": beta factor is -1; it must be between 0 and 1"
    );
    assert_eq!(
        refused(&|tree| tree.events[3].law = Some(Law::Constant(0.5))),
        "gate \"switch first\": input \"motor\" has no law over time; it must be exponential (under a PAND, Weibull will do)"
    );
    assert_eq!(
        refused(&|tree| tree.gates[1].inputs[0].node = Node::Event(9)),
        "gate \"switch first\" refers to Event(9), which is not in the tree"
    );
    assert_eq!(refused(&|tree| tree.top = 7), "the top refers to Gate(7), which is not in the tree");
}
