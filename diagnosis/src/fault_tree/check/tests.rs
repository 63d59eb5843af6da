use super::*;
use crate::fault_tree::Spread;

/// A tree with unlabelled basic events of probability 0.1 and the gates given.
fn tree(events: &[&str], gates: &[(&str, Logic, &[&str])]) -> Written {
    let node = |name: &str| {
        let event = events.iter().position(|e| *e == name).map(Node::Event);
        event.or_else(|| gates.iter().position(|g| g.0 == name).map(Node::Gate)).unwrap()
    };
    let input = |name: &&str| match name.strip_prefix('!') {
        Some(name) => Input { node: node(name), negated: true },
        None => Input { node: node(name), negated: false },
    };
    let gate = |(name, logic, inputs): &(&str, Logic, &[&str])| Gate {
        name: (*name).to_owned(),
        label: String::new(),
        logic: *logic,
        inputs: inputs.iter().map(input).collect(),
    };
    let events = events.iter().map(|name| event(name)).collect();
    let tree = FaultTree { events, gates: gates.iter().map(gate).collect(), ..FaultTree::default() };
    Written { tree, places: Places { files: vec!["tree".to_owned()], ..Places::default() }, ..Written::default() }
}

fn event(name: &str) -> Event {
    let (name, law) = (name.to_owned(), Some(Law::Constant(0.1)));
    Event { name, label: String::new(), kind: EventKind::Basic, law, spread: None }
}

/// Kinds of the problems and what they are about.
fn found(written: &Written) -> Vec<(ProblemKind, String)> {
    check(written).0.into_iter().map(|problem| (problem.kind, problem.field)).collect()
}

#[test]
fn a_sound_tree_has_no_problem() {
    let sound = tree(&["a", "b"], &[("top", Logic::Or, &["g", "a"]), ("g", Logic::And, &["a", "!b"])]);
    assert_eq!(found(&sound), []);
}

#[test]
fn a_circle_is_told_with_its_way() {
    let round =
        tree(&["a"], &[("top", Logic::Or, &["p", "a"]), ("p", Logic::And, &["q", "a"]), ("q", Logic::Or, &["a", "p"])]);
    let problems = check_exactly(&round, &Limits::default());
    assert_eq!(problems.to_string(), "tree:0: p: depends on itself, p -> q -> p: break the circle");
}

#[test]
fn every_problem_is_told_at_once() {
    let mut wrong = tree(
        &["a", "b", "lost"],
        &[
            ("top", Logic::Or, &["a", "k", "empty", "pand"]),
            ("k", Logic::AtLeast(3), &["a", "b"]),
            ("empty", Logic::And, &[]),
            ("pand", Logic::PriorityAnd, &["a", "k"]),
            ("alone", Logic::Xor, &["a", "a"]),
        ],
    );
    wrong.tree.events[0].law = Some(Law::Constant(f64::NAN));
    wrong.tree.events[1].law = Some(Law::Weibull { scale: 0.0, shape: 1.0, age: 0.0, time: 1.0 });
    wrong.tree.events[2].spread = Some(Spread::LogNormal { error_factor: 0.5 });
    let expected = [
        (ProblemKind::Probability, "a"),
        (ProblemKind::Number, "b"),
        (ProblemKind::Number, "lost"),
        (ProblemKind::AtLeast, "k"),
        (ProblemKind::Inputs, "empty"),
        (ProblemKind::Dynamic, "pand"),
        (ProblemKind::Duplicate, "alone"),
        (ProblemKind::Unused, "lost"),
        (ProblemKind::Unused, "alone"),
    ];
    assert_eq!(found(&wrong), expected.map(|(kind, field)| (kind, field.to_owned())));
}

#[test]
fn house_events_that_settle_the_top_event_are_told() {
    let written = |on: bool, logic: Logic| {
        let mut written = tree(&["house", "a"], &[("top", Logic::Or, &["g"]), ("g", logic, &["!house", "a"])]);
        written.tree.events[0].kind = EventKind::House(on);
        written.tree.events[0].law = None;
        found(&written).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(written(false, Logic::Or), [ProblemKind::AlwaysHappens]);
    assert_eq!(written(true, Logic::And), [ProblemKind::NeverHappens]);
    assert_eq!(written(true, Logic::Or), []);
    assert_eq!(written(true, Logic::Xor), []);
    assert_eq!(written(false, Logic::AtLeast(2)), []);
    assert_eq!(written(true, Logic::AtLeast(2)), [ProblemKind::NeverHappens]);
}

#[test]
fn exact_logic_settles_what_constants_do_not() {
    let kinds = |logic: Logic, inputs: &[&str]| {
        let written =
            tree(&["a", "b"], &[("top", Logic::Or, &["g", "b"]), ("g", logic, inputs), ("h", Logic::Or, &["b"])]);
        let problems = check_exactly(&written, &Limits::default());
        problems
            .0
            .into_iter()
            .map(|problem| problem.kind)
            .filter(|kind| *kind != ProblemKind::Unused)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(Logic::Or, &["a", "!a"]), [ProblemKind::AlwaysHappens]);
    assert_eq!(kinds(Logic::Or, &["a", "!b"]), [ProblemKind::AlwaysHappens]);
    assert_eq!(kinds(Logic::And, &["a", "!a"]), []);
    let never = tree(&["a", "b"], &[("top", Logic::And, &["g", "b"]), ("g", Logic::And, &["a", "!b"])]);
    assert_eq!(found(&never), []);
    assert_eq!(check_exactly(&never, &Limits::default()).0[0].kind, ProblemKind::NeverHappens);
}

#[test]
fn common_causes_have_members_and_factors_that_fit() {
    let mut written = tree(&["a", "b", "c"], &[("top", Logic::And, &["a", "b", "c"])]);
    let mut reasons = |members: &[usize], sharing: Sharing| {
        let group = CommonCause { name: "g".to_owned(), members: members.to_vec(), law: Law::Constant(0.1), sharing };
        written.tree.common_causes = vec![group];
        check(&written).0.into_iter().map(|problem| problem.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&[0, 1], Sharing::Beta(0.1)), [""; 0]);
    assert_eq!(reasons(&[0, 1, 2], Sharing::Mgl(vec![0.1, 0.2])), [""; 0]);
    assert_eq!(reasons(&[0, 1, 2], Sharing::Mgl(vec![0.1])), ["has 1 factors: 3 members need 2"]);
    assert_eq!(reasons(&[0, 1], Sharing::Beta(1.5)), ["has the factor 1.5: must be from 0 to 1"]);
    assert_eq!(reasons(&[0], Sharing::Beta(0.1)), ["has 1 members: a group has two or more"]);
    assert_eq!(reasons(&[0, 0], Sharing::Beta(0.1)), ["a is in two groups, or twice in one"]);
    assert_eq!(reasons(&[0, 1], Sharing::Alpha(vec![0.0, 0.0])), ["has no factor above 0"]);
}

/// Gates each of which reads the next.
fn chain(length: usize) -> Written {
    let gate = |index: usize| {
        let below = if index + 1 < length { Node::Gate(index + 1) } else { Node::Event(0) };
        let inputs = vec![Input { node: below, negated: false }];
        Gate { name: format!("g{index}"), label: String::new(), logic: Logic::Or, inputs }
    };
    let mut deep = tree(&["a"], &[]);
    deep.tree.gates = (0..length).map(gate).collect();
    deep
}

#[test]
fn a_chain_of_a_million_gates_is_walked() {
    let deep = chain(1_000_000);
    assert_eq!(found(&deep), []);
}

#[test]
fn a_long_circle_is_told_in_short() {
    let mut deep = chain(1_000);
    deep.tree.gates[999].inputs[0].node = Node::Gate(1);
    let problems = check(&deep);
    assert_eq!(problems.0[0].kind, ProblemKind::Cycle);
    assert!(problems.0[0].reason.len() < 500, "{}", problems.0[0].reason);
}

#[test]
fn indices_out_of_range_are_told_and_nothing_is_walked() {
    let mut wild = tree(&["a"], &[("top", Logic::Or, &["a"])]);
    wild.tree.gates[0].inputs[0].node = Node::Gate(7);
    wild.tree.top = 3;
    assert_eq!(found(&wild), [(ProblemKind::Top, "top".to_owned()), (ProblemKind::Undefined, "top".to_owned())]);
}
