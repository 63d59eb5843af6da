//! Random trees, for what must hold of every tree.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::fault_tree::model::{
    CommonCause, Event, EventKind, FaultTree, Gate, Input, Law, Logic, Node, Sharing, Spread,
};

/// Which gates a tree may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fault_tree) enum Gates {
    /// All.
    Any,
    /// Those that Open-PSA MEF can say.
    Static,
}

/// Trees in which all that is there leads to the top event, gate 0.
pub(in crate::fault_tree) fn tree(gates: Gates) -> impl Strategy<Value = FaultTree> {
    let event = (label(), kind(), law(), spread());
    let gate = (label(), logic(gates), vec((any::<prop::sample::Index>(), any::<bool>()), 2..6));
    let sizes = (vec(event, 3..10), vec(gate, 1..8), prop::option::of(sharing()));
    ("[a-z]{0,6}", sizes).prop_map(|(name, (events, gates, sharing))| {
        let events: Vec<Event> =
            events.into_iter().enumerate().map(|(index, event)| named_event(index, event)).collect();
        let (events_count, gates_count) = (events.len(), gates.len());
        let gates = gates.into_iter().enumerate().map(|(index, (label, logic, picks))| {
            // Inputs are events or later gates; the next gate is always among them, so that all are used.
            let mut inputs: Vec<Input> = Vec::new();
            if index + 1 < gates_count {
                inputs.push(Input { node: Node::Gate(index + 1), negated: false });
            } else {
                inputs.extend((0..events_count).map(|event| Input { node: Node::Event(event), negated: false }));
            }
            for (pick, negated) in picks {
                let input = Input { node: Node::Event(pick.index(events_count)), negated };
                if !inputs.iter().any(|other| other.node == input.node) {
                    inputs.push(input);
                }
            }
            if inputs.len() == 1 {
                inputs.push(Input { node: Node::Event(index % events_count), negated: true });
            }
            let logic = match logic {
                // Less would be an or, as many an and.
                Logic::AtLeast(_) if inputs.len() < 3 => Logic::And,
                Logic::AtLeast(pick) => Logic::AtLeast(2 + pick % (inputs.len() - 2)),
                // The last gate reads every event, too many for an exclusive or.
                Logic::Xor if index + 1 == gates_count => Logic::Or,
                Logic::Xor => {
                    inputs.truncate(2);
                    Logic::Xor
                }
                other => other,
            };
            Gate { name: format!("g{index}"), label, logic, inputs }
        });
        let gates = gates.collect();
        let common_causes = sharing.map(|(law, sharing)| CommonCause {
            name: "group".to_owned(),
            members: (0..3).collect(),
            law,
            sharing,
        });
        FaultTree { name, events, gates, top: 0, common_causes: common_causes.into_iter().collect() }
    })
}

type EventParts = (String, EventKind, Option<Law>, Option<Spread>);

fn named_event(index: usize, (label, kind, law, spread): EventParts) -> Event {
    let house = matches!(kind, EventKind::House(_));
    // The first three may be in a group.
    let kind = if index < 3 { EventKind::Basic } else { kind };
    let law = law.filter(|_| !house || index < 3);
    let spread = spread.filter(|_| matches!(law, Some(Law::Constant(_))));
    let law = match spread {
        Some(Spread::Beta { alpha, beta }) => Some(Law::Constant(alpha / (alpha + beta))),
        Some(Spread::Uniform { min, max }) => Some(Law::Constant(f64::midpoint(min, max))),
        _ => law,
    };
    Event { name: format!("e{index}"), label, kind, law, spread }
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[A-Za-z<&>\"'äß门\\\\]{1,8}( [a-z]{1,5})?"]
}

fn kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        4 => Just(EventKind::Basic),
        1 => Just(EventKind::Undeveloped),
        1 => Just(EventKind::Conditioning),
        1 => any::<bool>().prop_map(EventKind::House),
    ]
}

fn law() -> impl Strategy<Value = Option<Law>> {
    prop::option::of(some_law())
}

fn some_law() -> impl Strategy<Value = Law> {
    let number = || 1e-9..10.0;
    prop_oneof![
        (0.0..=1.0).prop_map(Law::Constant),
        (number(), number()).prop_map(|(rate, time)| Law::Exponential { rate, time }),
        (number(), number(), number()).prop_map(|(scale, shape, time)| Law::Weibull { scale, shape, age: 0.0, time }),
        (0.0..=1.0, number(), number(), number()).prop_map(|(on_demand, rate, repair, time)| Law::Repairable {
            on_demand,
            rate,
            repair,
            time
        }),
        (number(), number(), number(), number()).prop_map(|(rate, interval, first, time)| Law::PeriodicTest {
            rate,
            interval,
            first,
            time
        }),
    ]
}

fn spread() -> impl Strategy<Value = Option<Spread>> {
    let number = || 0.1..10.0;
    prop_oneof![
        2 => Just(None),
        1 => (number(), number()).prop_map(|(alpha, beta)| Some(Spread::Beta { alpha, beta })),
        1 => (0.0..0.5, 0.5..1.0).prop_map(|(min, max)| Some(Spread::Uniform { min, max })),
    ]
}

fn logic(gates: Gates) -> impl Strategy<Value = Logic> {
    let dynamic = u32::from(gates == Gates::Any);
    prop_oneof![
        3 => Just(Logic::Or),
        3 => Just(Logic::And),
        2 => (0..10_usize).prop_map(Logic::AtLeast),
        1 => Just(Logic::Xor),
        1 => Just(Logic::Inhibit),
        dynamic => Just(Logic::PriorityAnd),
        dynamic => (0.0..=1.0).prop_map(|dormancy| Logic::Spare { dormancy }),
    ]
}

fn sharing() -> impl Strategy<Value = (Law, Sharing)> {
    let share = || 0.0..=1.0;
    let sharing = prop_oneof![
        share().prop_map(Sharing::Beta),
        vec(share(), 2).prop_map(Sharing::Mgl),
        vec(share(), 3).prop_map(Sharing::Alpha),
    ];
    (some_law(), sharing)
}
