use proptest::prelude::*;

use super::*;
use crate::fault_tree::Limits;
use crate::fault_tree::exchange::arbitrary::{Gates, tree};
use crate::fault_tree::exchange::{Format, MAX_BYTES, inspect};
use crate::fault_tree::model::{EventKind, Gate, Input, Law, Logic, Sharing, Spread};

const ARALIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/aralia");
const SCRAM_INPUT: &str = "/usr/share/scram/input";

/// A test whose data are not there says so and passes.
fn skipped(reason: &str) {
    println!("skipped: {reason}");
    if let Some(file) = std::env::var_os("FETTLE_SKIPPED") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{reason}").unwrap();
    }
}

fn model(inside: &str) -> FaultTree {
    read(&format!("<opsa-mef><define-fault-tree name=\"t\">{inside}</define-fault-tree></opsa-mef>"), "t.xml").unwrap()
}

/// A gate `top` with a formula over the basic events a, b and c.
fn gate(formula: &str) -> FaultTree {
    let event = |name| format!("<define-basic-event name=\"{name}\"><float value=\"0.1\"/></define-basic-event>");
    let events: String = ["a", "b", "c"].map(event).concat();
    model(&format!("<define-gate name=\"top\">{formula}</define-gate>{events}"))
}

fn problems(text: &str) -> String {
    let source = Source { file: "t.xml", text };
    inspect(Format::Mef, &[source], &Options::default(), &Limits::default()).to_string()
}

/// Whether the top event happens, with the events given there.
fn happens(tree: &FaultTree, there: &[&str]) -> bool {
    fn gate(tree: &FaultTree, index: usize, there: &[&str]) -> bool {
        let value = |input: &Input| {
            let value = match input.node {
                Node::Gate(inner) => gate(tree, inner, there),
                Node::Event(event) => match tree.events[event].kind {
                    EventKind::House(on) => on,
                    _ => there.contains(&tree.events[event].name.as_str()),
                },
            };
            value != input.negated
        };
        let Gate { logic, inputs, .. } = &tree.gates[index];
        let on = inputs.iter().filter(|input| value(input)).count();
        match logic {
            Logic::Or => on > 0,
            Logic::AtLeast(least) => on >= *least,
            Logic::Xor => on % 2 == 1,
            _ => on == inputs.len(),
        }
    }
    gate(tree, tree.top, there)
}

/// The sets of a, b and c under which a formula holds, as bits.
fn truth(formula: &str) -> Vec<u8> {
    let tree = gate(formula);
    let there =
        |set: u8| ["a", "b", "c"].into_iter().enumerate().filter(move |(i, _)| set >> i & 1 == 1).map(|(_, n)| n);
    (0..8).filter(|set| happens(&tree, &there(*set).collect::<Vec<_>>())).collect()
}

#[test]
fn formulas_mean_what_the_standard_says() {
    let (a, b, c) = ("<event name=\"a\"/>", "<event name=\"b\"/>", "<event name=\"c\"/>");
    let over = |tag: &str, inside: &str| format!("<{tag}>{inside}</{}>", tag.split(' ').next().unwrap());
    let abc = format!("{a}{b}{c}");
    assert_eq!(truth(a), [1, 3, 5, 7]);
    assert_eq!(truth(&over("and", &abc)), [7]);
    assert_eq!(truth(&over("or", &abc)), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(truth(&over("nand", &abc)), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(truth(&over("nor", &abc)), [0]);
    assert_eq!(truth(&over("atleast min=\"2\"", &abc)), [3, 5, 6, 7]);
    assert_eq!(truth(&over("cardinality min=\"1\" max=\"2\"", &abc)), [1, 2, 3, 4, 5, 6]);
    assert_eq!(truth(&over("cardinality min=\"0\" max=\"0\"", &abc)), [0]);
    assert_eq!(truth(&over("cardinality min=\"0\" max=\"3\"", &abc)), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(truth(&over("xor", &format!("{a}{b}"))), [1, 2, 5, 6]);
    assert_eq!(truth(&over("iff", &format!("{a}{b}"))), [0, 3, 4, 7]);
    assert_eq!(truth(&over("imply", &format!("{a}{b}"))), [0, 2, 3, 4, 6, 7]);
    assert_eq!(truth(&over("not", a)), [0, 2, 4, 6]);
    assert_eq!(truth(&over("not", &over("not", a))), [1, 3, 5, 7]);
    assert_eq!(truth(&over("and", &format!("{a}<not>{}</not>", over("or", &format!("{b}{c}"))))), [1]);
    assert_eq!(truth(&over("or", &format!("{a}<constant value=\"false\"/>"))), [1, 3, 5, 7]);
    assert_eq!(truth(&over("nor", &format!("{a}{}", over("nand", &format!("{b}{c}"))))), [6]);
}

#[test]
fn made_up_gates_have_names_of_their_own() {
    let tree = model(
        "<define-gate name=\"g\"><and><gate name=\"g_1\"/><or><event name=\"a\"/><event name=\"b\"/></or></and></define-gate>\
         <define-gate name=\"g_1\"><event name=\"a\"/></define-gate>\
         <define-basic-event name=\"a\"/><define-basic-event name=\"b\"/>",
    );
    let names: Vec<_> = tree.gates.iter().map(|gate| gate.name.as_str()).collect();
    assert_eq!(names, ["g", "g_1", "g_2"]);
    assert_eq!(tree.events[0].law, None);
}

fn law(expression: &str) -> (Law, Option<Spread>) {
    let tree = model(&format!(
        "<define-gate name=\"top\"><event name=\"a\"/></define-gate>\
         <define-basic-event name=\"a\">{expression}</define-basic-event>\
         <define-parameter name=\"rate\"><mul><float value=\"2\"/><parameter name=\"half\"/></mul></define-parameter>\
         <define-parameter name=\"half\" unit=\"hours-1\"><float value=\"5e-4\"/></define-parameter>\
         <define-parameter name=\"spread\"><lognormal-deviate><float value=\"1e-3\"/><float value=\"3\"/><float value=\"0.95\"/></lognormal-deviate></define-parameter>"
    ));
    (tree.events[0].law.unwrap(), tree.events[0].spread)
}

#[test]
fn expressions_become_laws() {
    let time = "<system-mission-time/>";
    let float = |value: f64| format!("<float value=\"{value}\"/>");
    assert_eq!(law(&float(0.25)), (Law::Constant(0.25), None));
    assert_eq!(law("<parameter name=\"rate\"/>"), (Law::Constant(1e-3), None));
    assert_eq!(
        law(&format!("<exponential><parameter name=\"rate\"/>{time}</exponential>")),
        (Law::Exponential { rate: 1e-3, time: 8760.0 }, None)
    );
    let weibull = Law::Weibull { scale: 100.0, shape: 2.0, age: 0.0, time: 40.0 };
    assert_eq!(law(&format!("<Weibull>{}</Weibull>", [100.0, 2.0, 10.0, 50.0].map(float).concat())), (weibull, None));
    let glm = Law::Repairable { on_demand: 0.1, rate: 0.2, repair: 0.3, time: 4.0 };
    assert_eq!(law(&format!("<GLM>{}</GLM>", [0.1, 0.2, 0.3, 4.0].map(float).concat())), (glm, None));
    let periodic = Law::PeriodicTest { rate: 0.1, interval: 2.0, first: 1.0, time: 4.0 };
    let numbers = [0.1, 2.0, 1.0, 4.0].map(float).concat();
    assert_eq!(law(&format!("<periodic-test>{numbers}</periodic-test>")), (periodic, None));
    assert_eq!(law(&format!("<sub>{}{}</sub>", float(1.0), float(0.75))), (Law::Constant(0.25), None));
    let (uniform, spread) = law(&format!("<uniform-deviate>{}{}</uniform-deviate>", float(0.25), float(0.5)));
    assert_eq!((uniform, spread), (Law::Constant(0.375), Some(Spread::Uniform { min: 0.25, max: 0.5 })));
    let (beta, spread) = law(&format!("<beta-deviate>{}{}</beta-deviate>", float(1.0), float(3.0)));
    assert_eq!((beta, spread), (Law::Constant(0.25), Some(Spread::Beta { alpha: 1.0, beta: 3.0 })));
}

#[test]
fn error_factors_are_taken_at_the_95th_percentile() {
    let factor = |expression: &str| match law(expression) {
        (Law::Constant(mean), Some(Spread::LogNormal { error_factor })) => (mean, error_factor),
        other => panic!("{other:?}"),
    };
    let (mean, at_95) = factor("<parameter name=\"spread\"/>");
    assert!((mean - 1e-3).abs() < 1e-18 && (at_95 - 3.0).abs() < 1e-12, "{mean} {at_95}");
    // The 90th percentile lies 1.2815515655446004 deviations out.
    let at = "<lognormal-deviate><float value=\"0.1\"/><float value=\"2\"/><float value=\"0.9\"/></lognormal-deviate>";
    let expected = 2.0_f64.powf(1.644_853_626_951_472_2 / 1.281_551_565_544_600_4);
    assert!((factor(at).1 - expected).abs() < 1e-12);
    let (mean, factor) = factor("<lognormal-deviate><float value=\"-5\"/><float value=\"1\"/></lognormal-deviate>");
    assert!((mean - (-4.5_f64).exp()).abs() < 1e-16 && (factor - 1.644_853_626_951_472_2_f64.exp()).abs() < 1e-12);
}

#[test]
fn names_are_looked_up_from_the_inside_out() {
    let tree = model(
        "<define-gate name=\"top\"><or><gate name=\"in.g\"/><gate name=\"g\"/><event name=\"in.e\"/></or></define-gate>\
         <define-gate name=\"g\"><event name=\"e\"/></define-gate>\
         <define-basic-event name=\"e\"><float value=\"0.1\"/></define-basic-event>\
         <define-component name=\"in\" role=\"private\">\
         <define-gate name=\"g\"><event name=\"e\"/></define-gate>\
         <define-basic-event name=\"e\"><float value=\"0.2\"/></define-basic-event></define-component>",
    );
    let names: Vec<_> = tree.gates.iter().map(|gate| gate.name.as_str()).collect();
    assert_eq!(names, ["top", "g", "t.in.g"]);
    let read_by = |gate: usize| tree.gates[gate].inputs.iter().map(|input| input.node).collect::<Vec<_>>();
    assert_eq!(read_by(0), [Node::Gate(2), Node::Gate(1), Node::Event(1)]);
    assert_eq!((read_by(1), read_by(2)), (vec![Node::Event(0)], vec![Node::Event(1)]));
}

#[test]
fn groups_bring_their_members_and_the_factors_left_out_are_none() {
    let group = |model_name: &str, factors: &str| {
        let tree = model(&format!(
            "<define-gate name=\"top\"><and><event name=\"a\"/><event name=\"b\"/><event name=\"c\"/></and></define-gate>\
             <define-CCF-group name=\"g\" model=\"{model_name}\"><members><basic-event name=\"a\"/>\
             <basic-event name=\"b\"/><basic-event name=\"c\"/></members>\
             <distribution><float value=\"0.1\"/></distribution>{factors}</define-CCF-group>"
        ));
        assert_eq!(tree.common_causes[0].members, [0, 1, 2]);
        tree.common_causes[0].sharing.clone()
    };
    let factor = |level: usize, value: f64| format!("<factor level=\"{level}\"><float value=\"{value}\"/></factor>");
    assert_eq!(group("beta-factor", &factor(3, 0.2)), Sharing::Beta(0.2));
    assert_eq!(group("MGL", &factor(2, 0.2)), Sharing::Mgl(vec![0.2, 0.0]));
    let alpha = format!("<factors>{}{}</factors>", factor(1, 0.7), factor(2, 0.3));
    assert_eq!(group("alpha-factor", &alpha), Sharing::Alpha(vec![0.7, 0.3, 0.0]));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    insta::assert_snapshot!(problems(
        "<opsa-mef>\n<define-fault-tree name=\"t\">\n<define-gate name=\"top\"><or>\n<gate name=\"lost\"/>\n\
         <gate name=\"a\"/><gate name=\"k\"/><foo/></or></define-gate>\n\
         <define-gate name=\"k\"><atleast min=\"1000000000\"><event name=\"a\"/><event name=\"b\"/></atleast></define-gate>\n\
         <define-gate name=\"r\"><or><gate name=\"r\"/><event name=\"a\"/></or></define-gate>\n\
         <define-gate name=\"e\"/>\n<define-gate name=\"m\"><atleast min=\"many\"/></define-gate>\n\
         <define-basic-event name=\"a\"><float value=\"NaN\"/></define-basic-event>\n\
         <define-basic-event name=\"a\"><float value=\"0.1\"/></define-basic-event>\n\
         <define-basic-event name=\"b\"><float value=\"-0.1\"/></define-basic-event>\n\
         <define-basic-event name=\"c\"><exponential><float value=\"-1\"/><float value=\"1\"/></exponential></define-basic-event>\n\
         <define-basic-event name=\"d\"><parameter name=\"p\"/></define-basic-event>\n\
         <define-basic-event name=\"f\"><histogram/></define-basic-event>\n\
         <define-basic-event name=\"g\"><float value=\"inf\"/></define-basic-event>\n\
         <define-parameter name=\"x\"><parameter name=\"y\"/></define-parameter>\n\
         <define-parameter name=\"y\"><parameter name=\"x\"/></define-parameter>\n\
         <define-house-event name=\"h\"><constant value=\"maybe\"/></define-house-event>\n\
         <define-gate><event name=\"a\"/></define-gate>\n<define-substitution/>\n<define-thing name=\"z\"/>\n\
         </define-fault-tree>\n</opsa-mef>\n"
    ));
}

#[test]
fn several_tops_are_listed_and_one_can_be_chosen() {
    let text = "<opsa-mef><define-fault-tree name=\"t\"><define-gate name=\"one\"><event name=\"a\"/></define-gate>\
                <define-gate name=\"two\"><event name=\"a\"/></define-gate><define-basic-event name=\"a\"/>\
                </define-fault-tree></opsa-mef>";
    insta::assert_snapshot!(problems(text), @"t.xml:0: top: 2 gates are read by no other: one, two; choose one as top");
    let options = Options { top: Some("two".to_owned()), ..Options::default() };
    let (written, problems) = read_files(&[Source { file: "t.xml", text }], &options);
    assert_eq!((written.tree.top, problems.0.len()), (1, 0));
}

#[test]
fn hostile_documents_are_refused_by_name() {
    let kinds = |text: &str| {
        let source = Source { file: "t.xml", text };
        let problems = inspect(Format::Mef, &[source], &Options::default(), &Limits::default());
        problems.0.iter().map(|problem| (problem.kind, problem.line)).collect::<Vec<_>>()
    };
    let laughs = "<?xml version=\"1.0\"?>\n<!DOCTYPE opsa-mef [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>\n<opsa-mef/>";
    assert_eq!(kinds(laughs), [(ProblemKind::NotOffered, 2)]);
    assert_eq!(kinds("<opsa-mef>\n<label>&lol;</label></opsa-mef>"), [(ProblemKind::NotOffered, 2)]);
    let quadratic = format!("<opsa-mef {}/>", "a=\"1\" ".repeat(100_000));
    assert_eq!(kinds(&quadratic), [(ProblemKind::TooBig, 1)]);
    let deep = format!("<opsa-mef><define-fault-tree name=\"t\"><define-gate name=\"g\">{}", "<not>".repeat(1_000_000));
    assert_eq!(kinds(&deep), [(ProblemKind::TooDeep, 1)]);
    assert_eq!(kinds("<opsa-mef>\n<define-fault-tree name=\"t\">\n<define-g"), [(ProblemKind::Syntax, 3)]);
    assert_eq!(kinds("<opsa-mef>\n<define-fault-tree name=\"t\">"), [(ProblemKind::Syntax, 2)]);
    assert_eq!(kinds("<opsa-mef></opsa-mef><opsa-mef/>"), [(ProblemKind::Syntax, 1)]);
    assert_eq!(kinds("<opsa-mef></other>"), [(ProblemKind::Syntax, 1)]);
    assert_eq!(kinds("no xml"), [(ProblemKind::Syntax, 0)]);
    assert_eq!(kinds(""), [(ProblemKind::Syntax, 0)]);
    assert_eq!(kinds(&" ".repeat(MAX_BYTES + 1)), [(ProblemKind::TooBig, 0)]);
    let elements = format!("<opsa-mef>{}", "<a/>".repeat(2_000_001));
    assert_eq!(kinds(&elements), [(ProblemKind::TooBig, 1)]);
}

#[test]
fn a_chain_of_a_hundred_thousand_parameters_is_evaluated() {
    use std::fmt::Write;
    const LONG: usize = 100_000;
    let mut text =
        "<opsa-mef><define-fault-tree name=\"t\"><define-gate name=\"top\"><event name=\"a\"/></define-gate>\
                    <define-basic-event name=\"a\"><parameter name=\"p0\"/></define-basic-event>"
            .to_owned();
    for index in 0..LONG {
        let next = index + 1;
        write!(text, "<define-parameter name=\"p{index}\"><parameter name=\"p{next}\"/></define-parameter>").unwrap();
    }
    write!(
        text,
        "<define-parameter name=\"p{LONG}\"><float value=\"0.5\"/></define-parameter></define-fault-tree></opsa-mef>"
    )
    .unwrap();
    assert_eq!(read(&text, "t.xml").unwrap().events[0].law, Some(Law::Constant(0.5)));
}

#[test]
fn a_gate_of_five_thousand_out_of_ten_thousand_is_read() {
    let event = |index| format!("<basic-event name=\"e{index}\"/>");
    let define = |index| format!("<define-basic-event name=\"e{index}\"/>");
    let inputs: String = (0..10_000).map(event).collect();
    let events: String = (0..10_000).map(define).collect();
    let tree =
        model(&format!("<define-gate name=\"top\"><atleast min=\"5000\">{inputs}</atleast></define-gate>{events}"));
    assert_eq!((tree.gates[0].logic, tree.gates[0].inputs.len()), (Logic::AtLeast(5_000), 10_000));
}

/// Gates and basic events of each tree are as many as its reference counts.
#[test]
fn the_aralia_trees_are_read() {
    let Ok(reference) = std::fs::read_to_string(format!("{ARALIA}/reference.csv")) else {
        return skipped("the Aralia trees are not there");
    };
    for row in reference.lines().skip(1) {
        let row: Vec<&str> = row.split(',').collect();
        let file = format!("{ARALIA}/{}.xml", row[0]);
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let tree = read(&text, &file).unwrap();
        let counts = (tree.gates.len().to_string(), tree.events.len().to_string());
        assert_eq!(counts, (row[1].to_owned(), row[2].to_owned()), "{}", row[0]);
        assert_eq!(read(&write(&tree).unwrap(), &file).unwrap().gates.len(), tree.gates.len() + more_for_xor(&tree));
    }
}

/// Gates that an exclusive or of more than two inputs takes when it is written.
fn more_for_xor(tree: &FaultTree) -> usize {
    let wide = tree.gates.iter().filter(|gate| gate.logic == Logic::Xor && gate.inputs.len() > 2);
    wide.map(|gate| gate.inputs.len() - 2).sum()
}

/// SCRAM gives what we write the same probability as the original.
#[test]
fn scram_reads_what_is_written() {
    let probability = |file: &std::path::Path| -> Option<String> {
        let arguments = ["--bdd", "--probability", "1", "--ccf", "1", "-l", "2"];
        let output = std::process::Command::new("scram").args(arguments).arg(file).output().ok()?;
        let report = String::from_utf8(output.stdout).unwrap();
        let (_, after) = report.split_once("\" probability=\"").or_else(|| report.split_once(" probability=\""))?;
        after.split('"').next().map(str::to_owned)
    };
    let folder = tempfile::tempdir().unwrap();
    let models = ["TwoTrain/common_cause", "HIPPS/HIPPS", "BSCU/BSCU", "SmallTree/SmallTree", "ThreeMotor/three_motor"];
    for name in models {
        let file = std::path::Path::new(SCRAM_INPUT).join(name).with_extension("xml");
        let Ok(text) = std::fs::read_to_string(&file) else { return skipped("SCRAM's models are not there") };
        let Some(expected) = probability(&file) else { return skipped("SCRAM is not there") };
        let converted = folder.path().join("converted.xml");
        std::fs::write(&converted, write(&read(&text, name).unwrap()).unwrap()).unwrap();
        assert_eq!(probability(&converted), Some(expected), "{name}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in tree(Gates::Static)) {
        // Members of a group are defined by it, after all others, and have no label.
        let mut tree = tree;
        tree.common_causes.clear();
        if tree.name.is_empty() {
            tree.name = "fault_tree".to_owned();
        }
        prop_assert_eq!(read(&write(&tree).unwrap(), "t.xml"), Ok(tree));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(<opsa-mef>|</opsa-mef>|<define-gate name=\"[ab]\">|</define-gate>|<or>|</or>|<not>|</not>|<event name=\"[ab]\"/>|<float value=\"[0-9]\"/>|<define-basic-event name=\"[ab]\">|</define-basic-event>|[<>&/a\"= ])*") {
        problems(&text);
    }
}
