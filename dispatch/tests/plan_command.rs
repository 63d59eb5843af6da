//! `dispatch plan` and `dispatch draw` from end to end.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;
use std::process::{Command, Output};

use dispatch::routing::{Plan, Problem};

fn dispatch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dispatch")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn written(directory: &Path, name: &str, content: &str) -> String {
    let file = directory.join(name);
    std::fs::write(&file, content).unwrap();
    file.to_str().unwrap().to_owned()
}

const PROBLEM: &str = r#"{
    "orders": [
        {"id": "W1 <&>", "place": {"lat": 52.52, "lon": 13.40}, "service_s": 1800, "parts": [{"part": "fan", "quantity": 1}]},
        {"id": "W2", "place": {"lat": 52.50, "lon": 13.45}, "service_s": 1800, "skills": ["gas"]}],
    "technicians": [{"id": "Ann", "start": {"lat": 52.50, "lon": 13.30}, "shifts": [{"start": 28800, "end": 57600}]}],
    "stations": [{"id": "S1", "place": {"lat": 52.51, "lon": 13.41}, "pick_up_s": 300, "stock": [{"part": "fan", "quantity": 2}]}]
}"#;

#[test]
fn a_problem_is_planned_told_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let problem = written(directory.path(), "problem.json", PROBLEM);
    let told = dispatch(&["plan", &problem, "--iterations", "100"]);
    let told = text(&told.stdout);
    for expected in
        ["Ann (shift 1): 08:00 to", "picks up 1 × fan at S1", "W2 (Normal): a skill is missing", "1 served, 1 not"]
    {
        assert!(told.contains(expected), "{expected:?} is not in {told}");
    }
    let json = text(&dispatch(&["plan", &problem, "--iterations", "100", "--json"]).stdout);
    let plan: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!((plan.totals.served, plan.unassigned.len()), (1, 1));
    let plan = written(directory.path(), "plan.json", &json);
    let again = text(&dispatch(&["plan", &problem, "--iterations", "100", "--json", "--from", &plan]).stdout);
    assert_eq!(again, json, "nothing to improve");
    let svg = text(&dispatch(&["draw", &plan]).stdout);
    assert!(svg.starts_with("<svg") && svg.contains("W1 &lt;&amp;&gt;") && svg.ends_with("</svg>\n"), "{svg}");
}

#[test]
fn a_bad_problem_is_refused_with_file_and_field() {
    let directory = tempfile::tempdir().unwrap();
    let problem = written(directory.path(), "problem.json", &PROBLEM.replace("1800", "-1"));
    let answer = dispatch(&["plan", &problem]);
    assert_eq!(answer.status.code(), Some(1));
    let expected = format!("error: {problem}: orders[0].service_s: invalid value: integer `-1`, expected u32");
    assert!(text(&answer.stderr).starts_with(&expected), "{}", text(&answer.stderr));
}

#[test]
fn the_schemas_are_published() {
    let printed: serde_json::Value = serde_json::from_slice(&dispatch(&["plan", "--schema"]).stdout).unwrap();
    assert_eq!(printed, Problem::schema());
    let order = &printed["$defs"]["WorkOrder"];
    assert_eq!(order["additionalProperties"], false);
    assert_eq!(order["required"], serde_json::json!(["id", "place", "service_s"]));
    assert!(order["properties"]["windows"]["description"].as_str().is_some_and(|text| text.contains("any time")));
    let plan: serde_json::Value = serde_json::from_slice(&dispatch(&["plan", "--schema", "--json"]).stdout).unwrap();
    assert_eq!(plan, Plan::schema());
}
