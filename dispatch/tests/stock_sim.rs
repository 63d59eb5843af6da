//! `dispatch stock-sim` from outside: what it prints, what it refuses, and the stock it saves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn stock_sim(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_dispatch")).arg("stock-sim").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// 40 parts over 16 months, in a pattern of long period.
fn demand() -> String {
    let cell = |part: usize, month: usize| (part * 7 + month * month * 5 + part * month * 3) % 11 / (2 + part % 5);
    let row = |part: usize| (0..16).map(|month| cell(part, month).to_string()).collect::<Vec<_>>().join(",") + "\n";
    (0..40).map(row).collect()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stock_sim(&[arguments, &["--json"]].concat()).unwrap()).unwrap()
}

#[test]
fn header_names_and_gzip_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plain = file(folder.path(), "plain.csv", &demand());
    let numbered = (0..16).map(|month| month.to_string()).collect::<Vec<_>>().join(",");
    let numbered = file(folder.path(), "numbered.csv", &format!("{numbered}\n{}", demand()));
    let months = (1..17).map(|month| format!("month {month}")).collect::<Vec<_>>().join(",");
    let named: String = demand().lines().map(|row| format!("part of name,{row}\n")).collect();
    let named = file(folder.path(), "named.csv", &format!("part,{months}\n{named}"));
    let packed = folder.path().join("packed.csv.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(demand().as_bytes()).unwrap();
    encoder.finish().unwrap();
    let expected = json(&[&plain]);
    assert_eq!((&expected["parts"], &expected["months"]), (&Value::from(40), &Value::from(16)));
    for same in [&numbered, &named, packed.to_str().unwrap()] {
        assert_eq!(json(&[same]), expected, "{same}");
    }
}

#[test]
fn the_table_and_the_curve_tell_every_policy() {
    let folder = tempfile::tempdir().unwrap();
    let demand = file(folder.path(), "demand.csv", &demand());
    let svg = folder.path().join("curve.svg");
    let policies = ["sba/service", "tsb/fill", "imapa/system", "pooled/system"];
    let mut arguments = vec![demand.as_str(), "--lead", "2", "--line", "piece", "--svg", svg.to_str().unwrap()];
    policies.iter().for_each(|policy| arguments.extend(["--policy", policy]));
    let table = stock_sim(&arguments).unwrap();
    let svg = std::fs::read_to_string(svg).unwrap();
    for policy in policies {
        assert!(table.contains(policy), "{table}");
        assert!(svg.contains(policy));
    }
    assert_eq!(svg.matches("<polyline").count(), 4);
    assert_closed(&svg);
}

/// Every element closes itself, or is the text or the document.
fn assert_closed(svg: &str) {
    assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = file(folder.path(), "good.csv", &demand());
    let file = |name: &str, text: &str| file(folder.path(), name, text);
    let refused = |arguments: &[&str]| stock_sim(arguments).unwrap_err();
    let missing = folder.path().join("none.csv");
    assert!(refused(&[missing.to_str().unwrap()]).contains("none.csv"));
    assert!(refused(&[&file("word", "0,1,2,1,0\n1,0,x,1,2\n")]).contains("line 2, column 3: \"x\" is no number"));
    assert!(
        refused(&[&file("half", "0,1,2,1,0,1\n1,0,0.5,1,2,1\n")]).contains("series[1][2]: is 0.5; give whole pieces")
    );
    assert!(refused(&[&file("minus", "0,0,2,1,0,1\n1,0,-3,1,2,1\n")]).contains("series[1][2]: is -3"));
    assert!(refused(&[&file("ragged", "0,0,2,1,0,1\n1,0\n")]).contains("record"));
    assert!(refused(&[&file("short", "0,0,2\n1,0,1\n")]).contains("give 4 to"));
    assert!(refused(&[&file("empty", "")]).contains("holds no part"));
    assert!(refused(&[&good, "--policy", "sba"]).contains("FORECAST/RULE"));
    assert!(refused(&[&good, "--policy", "magic/system"]).contains("\"magic\" is no forecast"));
    assert!(refused(&[&good, "--policy", "sba/magic"]).contains("\"magic\" is no rule"));
    assert!(refused(&[&good, "--target", "1.5"]).contains("target: is 1.5; give 0 to 1"));
    assert!(refused(&[&good, "--lead", "99"]).contains("lead_months"));
    assert!(refused(&[&good, "--train", "16"]).contains("--train 16"));
    assert!(refused(&[&good, "--price-sigma", "NaN"]).contains("sigma"));
    let prices = file("prices", "price\n1.50\nfree\n");
    assert!(refused(&[&good, "--prices", &prices]).contains("line 3: \"free\" is no price"));
    let prices = file("few", "1.50\n");
    assert!(refused(&[&good, "--prices", &prices]).contains("prices.length: is 1; give 40 to 40"));
}

#[test]
fn months_without_any_demand_are_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let zero = file(folder.path(), "zero.csv", &"0,0,0,0,,0,0,0\n".repeat(3));
    let report = json(&[&zero]);
    assert_eq!(report["policies"][1]["fill"], 1.0);
}

#[test]
fn a_part_may_come_later_than_others() {
    let folder = tempfile::tempdir().unwrap();
    let late = demand() + ",,,,,,,,,NaN,1,0,2,0,1,1\n";
    let late = file(folder.path(), "late.csv", &late);
    assert_eq!(json(&[&late])["parts"], 41);
}

/// Stock value at 95 % order-line fill on demand of real parts, against SBA with a negative binomial a
/// part: at least a quarter lower, for the better of two rules of each part by itself.
#[test]
fn a_quarter_less_stock_on_recorded_demand() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/spare-parts"));
    if !folder.is_dir() {
        let reason = "spare-parts: no recorded demand beside the project";
        println!("skipped: {reason}");
        if let Some(list) = std::env::var_os("FETTLE_SKIPPED") {
            let mut list = std::fs::OpenOptions::new().append(true).open(list).unwrap();
            writeln!(list, "{reason}").unwrap();
        }
        return;
    }
    for name in ["carparts.csv.gz", "Auto.csv.gz"] {
        let path = folder.join(name);
        let policies = ["--policy", "sba/service", "--policy", "sba/fill", "--policy", "pooled/system"];
        let report = json(&[&[path.to_str().unwrap()][..], &policies].concat());
        let value = |policy: usize| report["policies"][policy]["value_cents_at_target"].as_f64().unwrap();
        assert!(value(2) <= 0.75 * value(0).min(value(1)), "{name}: {} {} {}", value(0), value(1), value(2));
        // With the number that was tuned on the months before.
        let fill = report["policies"][2]["fill"].as_f64().unwrap();
        assert!((fill - 0.95).abs() < 0.015, "{name}: {fill}");
    }
}
