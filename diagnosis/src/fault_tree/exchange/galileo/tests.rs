use proptest::prelude::*;

use super::*;
use crate::fault_tree::Limits;
use crate::fault_tree::exchange::{Format, inspect};
use crate::fault_tree::model::{Law, Logic, Node};

fn problems(text: &str) -> String {
    let source = Source { file: "t.dft", text };
    inspect(Format::Galileo, &[source], &Options::default(), &Limits::default()).to_string()
}

/// The hypothetical example computer system of the Galileo manual, without its functional
/// dependencies.
const COMPUTER: &str = r#"
// Top
toplevel "System";
"System" or "CPU" "Buses" "Memory" Trip;
"CPU" wsp "A1" "A2";
"Buses" and B1 B2;   /* two
buses */ "Memory" 3of5 "M1" "M2" "M3" "M4" "M5";
Trip pand "SW" "HW";
"A1" lambda=1e-4 dorm=0;
"A2" lambda = 1e-4 dorm=0.25;
B1 lambda=1e-6; B2 lambda=1e-6;
"M1" prob=0.1; "M2" prob=0.1; "M3" prob=0.1; "M4" prob=0.1; "M5" rate=0.01 shape=2;
"SW" lambda=0.03 phases=1;
"HW" lambda=5e-5;
"#;

#[test]
fn a_tree_is_read() {
    let options = Options { mission_time: 100.0, ..Options::default() };
    let (written, problems) = read(&[Source { file: "t.dft", text: COMPUTER }], &options);
    assert_eq!(problems.to_string(), "");
    let tree = written.tree;
    let logic: Vec<_> = tree.gates.iter().map(|gate| (gate.name.as_str(), gate.logic)).collect();
    let expected = [
        ("System", Logic::Or),
        ("CPU", Logic::Spare { dormancy: 0.25 }),
        ("Buses", Logic::And),
        ("Memory", Logic::AtLeast(3)),
        ("Trip", Logic::PriorityAnd),
    ];
    assert_eq!(logic, expected);
    let inputs: Vec<_> = tree.gates[0].inputs.iter().map(|input| input.node).collect();
    assert_eq!(inputs, [Node::Gate(1), Node::Gate(2), Node::Gate(3), Node::Gate(4)]);
    assert_eq!(tree.events[0].law, Some(Law::Exponential { rate: 1e-4, time: 100.0 }));
    assert_eq!(tree.events[8].law, Some(Law::Weibull { scale: 100.0, shape: 2.0, age: 0.0, time: 100.0 }));
    assert_eq!(written.places.gates[3].line, 7);
}

#[test]
fn not_and_cold_and_hot_spares_are_read() {
    let text = "toplevel t; t and n c h; n not a; c csp a b; h hsp a b; a prob=0.1; b prob=0.2;";
    let (written, problems) = read(&[Source { file: "t.dft", text }], &Options::default());
    assert_eq!(problems.to_string(), "");
    let tree = written.tree;
    assert!(tree.gates[1].inputs[0].negated && tree.gates[1].logic == Logic::Or);
    let dormancies = [tree.gates[2].logic, tree.gates[3].logic];
    assert_eq!(dormancies, [Logic::Spare { dormancy: 0.0 }, Logic::Spare { dormancy: 1.0 }]);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    insta::assert_snapshot!(problems(
        "toplevel \"S\";\n\"S\" or \"A\" \"lost\" \"F\" \"V\" \"W\";\n\"F\" fdep \"A\" \"B\";\n\"V\" 2of3 \"A\" \"B\";\n\
         \"W\" wsp \"A\" \"B\";\n\"A\" lambda=-1;\n\"B\" prob=nan;\n\"C\" prob=1.5;\n\"D\" lambda=1 cov=0.5;\n\
         \"A\" prob=0.1;\ntoplevel \"S\";\n\"E\" =1;\n\"G\";\n\"H\" and \"H\"\n"
    ));
}

#[test]
fn texts_that_end_too_early_are_told() {
    insta::assert_snapshot!(["toplevel S;\nS and \"a", "/* no end", "toplevel S; S or a"].map(problems).join("\n"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(toplevel|and|2of3|wsp|lambda|=|;|\"|/|\\*|[ab]| |\n|0\\.1)*") {
        problems(&text);
    }
}
