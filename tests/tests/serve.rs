//! `gateway serve` as its operator meets it: start, wrong input, stop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use fettle_tests::{Gateway, binary};

fn gateway(arguments: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(binary("gateway")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text)
}

#[track_caller]
fn check_refused(arguments: &[&str], expected: &[&str]) {
    let (code, text) = gateway(arguments);
    assert_eq!(code, Some(2), "{text}");
    for part in expected {
        assert!(text.contains(part), "{part:?} not in:\n{text}");
    }
}

#[test]
fn help_tells_a_stranger_where_to_begin() {
    let (code, text) = gateway(&["--help"]);
    assert_eq!(code, Some(0));
    for part in ["serve", "demo", "check-config", "Begin with"] {
        assert!(text.contains(part), "{part:?} not in:\n{text}");
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    let name = file.to_str().unwrap();
    std::fs::write(&file, "[mqtt]\nlissen = \"127.0.0.1:1\"\n").unwrap();
    check_refused(&["check-config", name], &["g.toml", "line 2", "lissen"]);
    check_refused(&["serve", "--config", name], &["lissen"]);
    check_refused(&["serve", "--http", "0.0.0.0:0"], &["http.listen", "TLS", "loopback"]);
    check_refused(&["serve", "--config", "/nowhere.toml"], &["/nowhere.toml", "cannot be read"]);
    check_refused(&["demo", "--for", "soon"], &["soon", "60s"]);
}

#[test]
fn a_malformed_catalogue_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let ty = dir.path().join("catalogue/toaster");
    std::fs::create_dir_all(&ty).unwrap();
    let known = concat!(env!("CARGO_MANIFEST_DIR"), "/../diagnosis/catalog/power-meter");
    for file in ["profile.toml", "detectors.toml", "faults.toml", "repairs.toml", "parts.toml"] {
        let text = std::fs::read_to_string(format!("{known}/{file}")).unwrap();
        let text = if file == "profile.toml" { format!("nonsense = 1\n{text}") } else { text };
        std::fs::write(ty.join(file), text).unwrap();
    }
    let file = dir.path().join("g.toml");
    std::fs::write(&file, format!("[catalogue]\noverlay = {:?}\n", dir.path().join("catalogue"))).unwrap();
    check_refused(&["check-config", file.to_str().unwrap()], &["toaster/profile.toml:1", "nonsense"]);
}

#[test]
fn it_listens_answers_and_stops_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), "").unwrap();
    assert_eq!(gateway.get("/api/v1/health").unwrap()["status"], "ok");
    assert!(gateway.get("/api/openapi.json").unwrap()["paths"]["/api/v1/devices"].is_object());
    assert!(gateway.get_text("/").unwrap().contains("<html"));
    let (code, took) = gateway.terminate().unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_state_directory_has_one_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Gateway::start(dir.path(), "").unwrap();
    let second = Command::new(binary("gateway"))
        .args(["serve", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--state"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", String::from_utf8_lossy(&second.stderr));
}
