//! The command `detect run` on small files: what it writes, and what it says of files it cannot use.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output =
        Command::new(env!("CARGO_BIN_EXE_detect")).current_dir(folder).arg("run").args(arguments).output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A recording of two channels; the second falls by half in rows 300 to 399.
fn recording(separator: char, time: bool) -> String {
    let mut text = String::new();
    if time {
        write!(text, "datetime{separator}").unwrap();
    }
    writeln!(text, "temp{separator}flow, l/min{separator}anomaly").unwrap();
    if separator == ',' {
        text = text.replace("flow, l/min", "\"flow, l/min\"");
    }
    let mut noise = 0.5_f64;
    for row in 0..500 {
        noise = (noise * 3.99 * (1.0 - noise)).clamp(0.01, 0.99);
        let fault = (300..400).contains(&row);
        if time {
            write!(text, "2026-03-01 10:{:02}:{:02}{separator}", row / 60, row % 60).unwrap();
        }
        let flow = if fault { 5.0 } else { 10.0 } + (noise - 0.5) * 0.2;
        let temp = 20.0 + (1.0 - noise) * 0.1 * f64::from(row % 7);
        writeln!(text, "{temp:.4}{separator}{flow:.4}{separator}{}", u8::from(fault)).unwrap();
    }
    text
}

fn flags(out: &str) -> Vec<(u64, bool, bool)> {
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["row", "score", "p_value", "flag", "changepoint", "channels"]);
    reader.records().map(Result::unwrap).map(|row| (row[0].parse().unwrap(), &row[3] == "1", &row[4] == "1")).collect()
}

#[test]
fn separator_and_time_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut outputs = Vec::new();
    for (name, separator, time) in [("a.csv", ',', true), ("b.csv", ';', true), ("c.csv", '\t', false)] {
        std::fs::write(folder.path().join(name), recording(separator, time)).unwrap();
        let run = run(folder.path(), &[name, "--train-rows", "200", "--ignore", "anomaly"]);
        assert_eq!(run.code, Some(0), "{}", run.err);
        outputs.push(run.out);
    }
    assert!(outputs.iter().all(|out| *out == outputs[0]));
    let flags = flags(&outputs[0]);
    assert_eq!(flags.len(), 500);
    assert!(flags.iter().enumerate().all(|(index, (row, ..))| *row == index as u64));
    assert!(flags[310..400].iter().all(|(_, flag, _)| *flag));
    assert!(flags[430..].iter().all(|(_, flag, _)| !flag));
    assert_eq!(outputs[0].lines().nth(1), Some("0,,,0,0,"));
    assert!(outputs[0].lines().nth(320).unwrap().contains("\"flow, l/min:"));
}

#[test]
fn a_file_it_cannot_use_is_named_with_its_place_and_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let good = recording(';', true);
    /// Name, content, arguments, and what is said.
    type Case = (&'static str, Vec<u8>, &'static [&'static str], &'static [&'static str]);
    let cases: [Case; 8] = [
        (
            "number",
            good.replacen(";20.", ";2o.", 7).into_bytes(),
            &[],
            &["line 2", "`temp`", "2o.", "is no number", "--ignore"],
        ),
        ("ragged", good.replacen("\n2026", "\n1;2026", 1).into_bytes(), &[], &["line 2", "5 cells", "header has 4"]),
        (
            "time",
            good.replacen("2026-03-01 10:00:05", "soon", 1).into_bytes(),
            &[],
            &["line 7", "`datetime`", "`soon`"],
        ),
        ("empty", vec![], &[], &["is empty", "header line"]),
        ("no-rows", b"a;b\n".to_vec(), &[], &["no rows"]),
        ("headless", b"1;2\n3;4\n".to_vec(), &[], &["line 1", "names"]),
        ("latin", b"a;b\n1;2\n\xe4;3\n".to_vec(), &[], &["line 3", "UTF-8"]),
        ("short", good.clone().into_bytes(), &["--train-rows", "50"], &["50 healthy rows", "at least 100"]),
    ];
    for (name, bytes, arguments, said) in cases {
        let file = format!("{name}.csv");
        std::fs::write(folder.path().join(&file), bytes).unwrap();
        let mut all = vec![file.as_str(), "--train-rows", "200"];
        if arguments.first() == Some(&"--train-rows") {
            all.truncate(1);
        }
        all.extend(arguments);
        let run = run(folder.path(), &all);
        assert_eq!(run.code, Some(1), "{name}: {}", run.err);
        assert!(run.err.contains(&file), "{name}: {}", run.err);
        for part in said {
            assert!(run.err.contains(part), "{name}: `{part}` is not in: {}", run.err);
        }
    }
    // A column to ignore that is not there does no harm: it is only told of.
    let ignored = run(folder.path(), &["short.csv", "--train-rows", "200", "--ignore", "anomaly,label"]);
    assert_eq!(ignored.code, Some(0), "{}", ignored.err);
    assert!(ignored.err.contains("no column `label`") && ignored.err.contains("`temp`"), "{}", ignored.err);
    let few = run(folder.path(), &["short.csv", "--train-rows", "900"]);
    assert!(few.err.contains("500 rows are fewer than the 900"), "{}", few.err);
    let text = "a;b\nx;y\nz;w\n";
    std::fs::write(folder.path().join("text.csv"), text).unwrap();
    assert!(run(folder.path(), &["text.csv", "--train-rows", "2"]).err.contains("no column with numbers"));
}

#[test]
fn odd_rows_are_told_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = recording(';', true).lines().map(str::to_owned).collect();
    lines[251] = lines[250].clone();
    lines[261] = lines[261].replace("10:04", "09:04");
    lines[271] = format!("{};;NaN;0", lines[271].split(';').next().unwrap());
    for line in &mut lines[481..] {
        let cells: Vec<&str> = line.split(';').collect();
        *line = format!("{};{};{};0", cells[0], cells[1].parse::<f64>().unwrap() * 1.8 + 32.0, cells[2]);
    }
    std::fs::write(folder.path().join("odd.csv"), lines.join("\n")).unwrap();
    let run = run(folder.path(), &["odd.csv", "--train-rows", "200", "--ignore", "anomaly", "--json"]);
    let rows: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (row, standing) in [(250, "time seen before"), (260, "time goes back"), (270, "no reading")] {
        assert!(rows[row]["standing"].as_str().unwrap().starts_with(standing), "{}", rows[row]);
        assert!(rows[row]["p_value"].is_null() && rows[row]["score"].is_null());
    }
    assert_eq!(rows[490]["flag"], true);
    assert_eq!(rows[490]["wrong_units"][0]["name"], "temp");
    assert!(run.err.contains("implausible: column `temp` reads like degrees Fahrenheit"), "{}", run.err);
}

#[test]
fn a_folder_of_healthy_recordings_trains() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = folder.path().join("healthy");
    std::fs::create_dir(&healthy).unwrap();
    let whole = recording(';', true);
    let head: Vec<&str> = whole.lines().take(290).collect();
    for name in ["a", "b", "c"] {
        std::fs::write(healthy.join(format!("{name}.csv")), head.join("\n")).unwrap();
    }
    let wider: Vec<String> = whole
        .lines()
        .enumerate()
        .map(|(line, text)| if line == 0 { format!("{text};extra") } else { format!("{text};7") })
        .collect();
    std::fs::write(folder.path().join("new.csv"), wider.join("\n")).unwrap();
    let run1 = run(folder.path(), &["new.csv", "--train", "healthy", "--ignore", "anomaly"]);
    assert_eq!(run1.code, Some(0), "{}", run1.err);
    assert!(run1.err.contains("column `extra` is new"), "{}", run1.err);
    let flags = flags(&run1.out);
    assert!(flags[..300].iter().all(|(_, flag, _)| !flag) && flags[310..400].iter().all(|(_, flag, _)| *flag));
    let fewer: Vec<&str> = whole.lines().map(|line| &line[..line.find(';').unwrap()]).collect();
    let fewer: Vec<String> =
        fewer.iter().enumerate().map(|(n, time)| format!("{time};{}", if n == 0 { "temp" } else { "20" })).collect();
    std::fs::write(folder.path().join("fewer.csv"), fewer.join("\n")).unwrap();
    let run2 = run(folder.path(), &["fewer.csv", "--train", "healthy"]);
    assert!(run2.err.contains("column `flow, l/min` was learned from but is not in the file"), "{}", run2.err);
    let run3 = run(folder.path(), &["fewer.csv", "--train", "nowhere"]);
    assert!(run3.err.contains("nowhere: cannot be read"), "{}", run3.err);
}
