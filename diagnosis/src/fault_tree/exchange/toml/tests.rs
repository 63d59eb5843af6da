use proptest::prelude::*;

use super::*;
use crate::fault_tree::Limits;
use crate::fault_tree::exchange::arbitrary::{Gates, tree};
use crate::fault_tree::exchange::{Format, Options, Source, Written, inspect};
use crate::fault_tree::model::{EventKind, FaultTree, Input, Law, Logic, Node, Sharing, Spread};

fn written(text: &str) -> Written {
    files(&[("tree.toml", text)])
}

fn files(files: &[(&str, &str)]) -> Written {
    let sources: Vec<Source<'_>> = files.iter().map(|(file, text)| Source { file, text }).collect();
    let (written, problems) = read(&sources, &Options::default());
    assert_eq!(problems.to_string(), "");
    written
}

fn problems(text: &str) -> String {
    let source = Source { file: "tree.toml", text };
    inspect(Format::Toml, &[source], &Options::default(), &Limits::default()).to_string()
}

const CAUSES: &str = "[causes]\na = { prior = 0.1 }\nb = { prior = 0.2 }\nc = { prior = 0.3 }\n";

fn inputs(tree: &FaultTree, gate: usize) -> Vec<(String, bool)> {
    let name = |input: &Input| match input.node {
        Node::Event(event) => tree.events[event].name.clone(),
        Node::Gate(gate) => tree.gates[gate].name.clone(),
    };
    tree.gates[gate].inputs.iter().map(|input| (name(input), input.negated)).collect()
}

#[test]
fn every_kind_of_gate_is_read() {
    let gate = |written_as: &str| {
        let written = written(&format!("top = \"t\"\n[gates]\nt = {{ {written_as} }}\n{CAUSES}"));
        let gate = &written.tree.gates[0];
        let negated: Vec<bool> = gate.inputs.iter().map(|input| input.negated).collect();
        (gate.logic, negated)
    };
    assert_eq!(gate("any = [\"a\", \"not b\"]"), (Logic::Or, vec![false, true]));
    assert_eq!(gate("all = [\"a\", \"b\"]"), (Logic::And, vec![false, false]));
    assert_eq!(gate("none = [\"a\", \"not b\"]"), (Logic::And, vec![true, false]));
    assert_eq!(gate("xor = [\"a\", \"b\"]"), (Logic::Xor, vec![false, false]));
    assert_eq!(gate("at_least = 2, of = [\"a\", \"b\", \"c\"]"), (Logic::AtLeast(2), vec![false; 3]));
    assert_eq!(gate("inhibit = [\"a\"], condition = \"not c\""), (Logic::Inhibit, vec![false, true]));
    assert_eq!(gate("priority = [\"a\", \"b\"]"), (Logic::PriorityAnd, vec![false, false]));
    assert_eq!(gate("spare = [\"a\", \"b\"], dormancy = 0.5"), (Logic::Spare { dormancy: 0.5 }, vec![false, false]));
    assert_eq!(gate("spare = [\"a\", \"b\"]"), (Logic::Spare { dormancy: 0.0 }, vec![false, false]));
}

#[test]
fn every_law_is_read() {
    let law = |written_as: &str| {
        let text =
            format!("top = \"t\"\nexposure_days = 73.0\n[gates]\nt = {{ any = [\"x\"] }}\n[causes.x]\n{written_as}\n");
        written(&text).tree.events[0].law
    };
    // 73 days are a fifth of a year.
    assert_eq!(law("prior = 0.5"), Some(Law::Constant(0.5)));
    assert_eq!(law("probability = 0.5"), Some(Law::Constant(0.5)));
    assert_eq!(law("rate_per_year = 0.5"), Some(Law::Exponential { rate: 0.5, time: 0.2 }));
    let weibull = Law::Weibull { scale: 12.0, shape: 2.5, age: 7.0, time: 0.2 };
    assert_eq!(law("weibull = { life_years = 12, shape = 2.5, age_years = 7 }"), Some(weibull));
    let tested = law("tested = { rate_per_year = 0.1, every_days = 365 }").unwrap();
    assert!((tested.probability().unwrap() - (1.0 - (-0.1_f64).exp())).abs() < 1e-15);
    // Ten failures in a hundred years of ten days each.
    let repairable = law("repairable = { rate_per_year = 0.1, repair_days = 10 }").unwrap();
    let unavailable = 0.1 / (0.1 + 36.5);
    assert!((repairable.probability().unwrap() - unavailable).abs() < 1e-15);
    assert_eq!(law(""), None);
}

#[test]
fn each_sort_of_event_is_read_causes_first() {
    let tree = written(
        "top = \"t\"\n[gates]\nt = { any = [\"u\", \"h\", \"x\", \"k\"] }\n\
         [houses]\nh = { on = true, name = \"Holiday\" }\n[conditions.k]\nprobability = 0.5\n\
         [undeveloped.u]\nprobability = 0.25\nspread = { error_factor = 3 }\n[causes.x]\nprior = 0.1\n",
    )
    .tree;
    let kinds: Vec<_> = tree.events.iter().map(|event| (event.name.as_str(), event.kind)).collect();
    let expected = [
        ("x", EventKind::Basic),
        ("u", EventKind::Undeveloped),
        ("k", EventKind::Conditioning),
        ("h", EventKind::House(true)),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(tree.events[1].spread, Some(Spread::LogNormal { error_factor: 3.0 }));
    assert_eq!(tree.events[3].label, "Holiday");
}

#[test]
fn common_causes_are_read() {
    let text = format!(
        "top = \"t\"\n[gates]\nt = {{ all = [\"a\", \"b\", \"c\"] }}\n{CAUSES}\
         [common_causes.heat]\nmembers = [\"a\", \"c\"]\nprobability = 0.1\nbeta = 0.2\n"
    );
    let group = &written(&text).tree.common_causes[0];
    assert_eq!((group.name.as_str(), group.members.as_slice()), ("heat", [0, 2].as_slice()));
    assert_eq!((group.law, &group.sharing), (Law::Constant(0.1), &Sharing::Beta(0.2)));
}

#[test]
fn a_gate_is_taken_from_another_file_and_events_are_shared() {
    let main = "top = \"warm\"\n[gates]\nwarm = { any = [\"no_power\", \"seal\"] }\n\
                [causes]\nseal = { prior = 0.1 }\nmains = { prior = 0.01 }\n\
                [transfers]\nno_power = \"../supply/power.toml\"\n";
    let power = "top = \"power_out\"\n[gates]\npower_out = { any = [\"mains\", \"fuse\"] }\n\
                 [causes]\nmains = { prior = 0.01 }\nfuse = { prior = 0.02 }\n";
    let tree = files(&[("fridge/tree.toml", main), ("supply/power.toml", power)]).tree;
    assert_eq!(inputs(&tree, tree.top), [("power_out".to_owned(), false), ("seal".to_owned(), false)]);
    assert_eq!(inputs(&tree, 1), [("mains".to_owned(), false), ("fuse".to_owned(), false)]);
    assert_eq!(tree.events.len(), 3);

    let source = Source { file: "fridge/tree.toml", text: main };
    assert_eq!(transfers(source), [std::path::PathBuf::from("supply/power.toml")]);
    let (_, missing) = read(&[source], &Options::default());
    insta::assert_snapshot!(missing, @r#"
    fridge/tree.toml:3: gates.warm.any: "no_power" is no cause or gate; known are mains, seal, warm
    fridge/tree.toml:8: transfers.no_power: supply/power.toml has no top event to take
    "#);
    let other = power.replace("mains = { prior = 0.01 }", "mains = { prior = 0.5 }");
    let (_, problems) = read(&[source, Source { file: "supply/power.toml", text: &other }], &Options::default());
    insta::assert_snapshot!(problems, @"supply/power.toml:5: causes.mains: this name is taken by another event: choose another, or say the same of both");
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    insta::assert_snapshot!(problems(
        "top = \"t\"\n[gates]\nt = { any = [\"a\", \"not c0\", \"g\", \"loop\"] }\ng = { any = [\"a\"], all = [\"b\"] }\n\
         loop = { at_least = 3, of = [\"t\", \"b\"] }\n\
         [causes]\na = { prior = 0.1, rate_per_year = 1 }\nb = { prior = nan }\nc = { prior = 1.5 }\n\
         d = { law = { kind = \"weibull\", scale = 0, shape = 1, age = 0, time = inf } }\ne = { spread = { alpha = 2 } }\n\
         [common_causes.x]\nmembers = [\"t\", \"a\"]\nbeta = 2\nmgl = [0.1]\n[transfers]\na = \"other.toml\"\n"
    ));
}

#[test]
fn a_text_that_is_no_toml_is_told_with_its_line() {
    insta::assert_snapshot!(problems("top = \"t\"\n[gates\nt = { any = [] }\n"));
}

#[test]
fn names_that_are_no_keys_are_changed_and_kept() {
    let mut tree = written(&format!("top = \"t\"\n[gates]\nt = {{ any = [\"a\", \"b\", \"c\"] }}\n{CAUSES}")).tree;
    for (event, name) in tree.events.iter_mut().zip(["门", "a.b", "a b"]) {
        event.name = name.to_owned();
    }
    let read_back = written(&write(&Written { tree, ..Written::default() })).tree;
    let names: Vec<_> = read_back.events.iter().map(|event| (event.name.as_str(), event.label.as_str())).collect();
    assert_eq!(names, [("x", "门"), ("a_b", "a.b"), ("a_b_2", "a b")]);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in tree(Gates::Any)) {
        let mut tree = tree;
        // Events are listed by their sort.
        let sort = |kind: EventKind| match kind {
            EventKind::Basic => 0,
            EventKind::Undeveloped => 1,
            EventKind::Conditioning => 2,
            EventKind::House(_) => 3,
        };
        let mut order: Vec<usize> = (0..tree.events.len()).collect();
        order.sort_by_key(|event| sort(tree.events[*event].kind));
        let place = |event: usize| order.iter().position(|other| *other == event).unwrap();
        for input in tree.gates.iter_mut().flat_map(|gate| &mut gate.inputs) {
            if let Node::Event(event) = &mut input.node {
                *event = place(*event);
            }
        }
        tree.events = order.iter().map(|event| tree.events[*event].clone()).collect();
        for member in tree.common_causes.iter_mut().flat_map(|group| &mut group.members) {
            *member = place(*member);
        }
        let text = write(&Written { tree: tree.clone(), ..Written::default() });
        prop_assert_eq!(written(&text).tree, tree);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(top|\\[|\\]|gates|causes|=|\"|\\{|\\}|[a-z]|\\.|\n| |not |[0-9]|any|of)*") {
        problems(&text);
    }
}
