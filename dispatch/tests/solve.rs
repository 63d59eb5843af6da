//! `dispatch solve` as a user meets it.

use std::process::{Command, Output};

fn solve(text: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("instance.txt");
    std::fs::write(&file, text).expect("room for a small file");
    Command::new(env!("CARGO_BIN_EXE_dispatch")).arg("solve").arg(file).args(arguments).output().expect("the tool runs")
}

fn complaint(text: &str) -> String {
    let output = solve(text, &["--iterations", "10"]);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("errors are text")
}

const SOLOMON: &str = "T1

VEHICLE
NUMBER     CAPACITY
  2         20

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      0         0          0          0       100          0
    1      3         4         10          0       100         10
    2      1.5       2         10          0       100         10
";

#[test]
fn a_solomon_file_is_answered_in_its_own_numbers_and_unit() {
    let output = solve(SOLOMON, &["--iterations", "100", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["distance"], 10.0);
    assert_eq!(answer["unserved"], serde_json::json!([]));
    assert_eq!(answer["routes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_technician_goes_only_where_his_skills_suffice() {
    let day = "3 2 2\n1 60 0 500 0 1 5\n2 60 0 500 0 2 1\n0 0 0 900 0 1 9\n0 0 0 900 0 3 1\n0 5 5\n5 0 1\n5 1 0\n";
    let output = solve(day, &["--iterations", "200", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["distance"], 20.0);
    assert_eq!(answer["visits"], serde_json::json!([{ "vehicle": 1, "visits": [1] }, { "vehicle": 2, "visits": [2] }]));
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line() {
    let told = complaint(&SOLOMON.replace("1.5       2 ", "1.5 two "));
    assert!(told.contains("line 12: expected seven numbers"), "{told}");
    let told = complaint("3 2 2\n1 60 0 500 0 1 5\n2 60 0 500 0 2 1\n0 0 0 900 0 1 9\n0 0 0 900 0 3 9\n");
    assert!(told.contains("ends too early: expected 3 travel times in each of 3 rows"), "{told}");
    assert!(complaint("hello").contains("is no Solomon"));
}
