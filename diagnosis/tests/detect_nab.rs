//! `detect nab` on folders as users have them.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn nab(folder: &Path, out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detect"));
    command.arg("nab").arg(folder).arg("--out").arg(out).arg("--json").output().unwrap()
}

fn error(folder: &Path) -> String {
    let output = nab(folder, &folder.join("out"));
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const SERIES: &str = "timestamp,value\n\
    2014-02-14 14:27:00,0.5\n\
    2014-02-14 14:32:00,\n\
    2014-02-14 14:32:00,1e3\n\
    2014-02-14 14:22:00,NaN\n";

#[test]
fn results_are_in_the_benchmarks_layout() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(&root.join("data/kitchen/oven.csv"), SERIES);
    let windows = r#"{"kitchen/oven.csv": [["2014-02-14 14:32:00.000000", "2014-02-14 14:37:00.000000"]]}"#;
    write(&root.join("labels/combined_windows.json"), windows);
    let expected = "timestamp,value,anomaly_score,label\n\
        2014-02-14 14:27:00,0.5,0,0\n\
        2014-02-14 14:32:00,,0,1\n\
        2014-02-14 14:32:00,1e3,0,1\n\
        2014-02-14 14:22:00,NaN,0,0\n";
    for start in ["", "data", "data/kitchen"] {
        let out = root.join("out");
        let output = nab(&root.join(start), &out);
        assert!(output.status.success(), "{start}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_to_string(out.join("fettle/kitchen/fettle_oven.csv")).unwrap(), expected, "{start}");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&summary["series"][0]["rows"], &summary["series"][0]["missing"]), (&4.into(), &2.into()));
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(error(&root.join("nowhere")).contains("nowhere"));
    assert!(error(root).contains("no CSV file"));
    let file = root.join("data/kitchen/oven.csv");
    for (text, named) in [
        ("timestamp,value\n2014-02-14 14:27:00,0.5\n2014-02-14 14:32:00,o.5\n", "line 3: column value: \"o.5\""),
        ("timestamp,value\nyesterday,0.5\n", "line 2: column timestamp: \"yesterday\""),
        ("time,value\n2014-02-14 14:27:00,0.5\n", "line 1: no column \"timestamp\""),
        ("timestamp,value\n2014-02-14 14:27:00,0.5,7\n", "line: 2"),
    ] {
        write(&file, text);
        let error = error(root);
        assert!(error.contains("oven.csv") && error.contains(named), "{error}");
        assert!(!root.join("out/fettle/kitchen/fettle_oven.csv").exists());
    }
    write(&file, SERIES);
    write(&root.join("labels/combined_windows.json"), "[]");
    assert!(error(root).contains("combined_windows.json"));
}
