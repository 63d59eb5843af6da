use axum::http::StatusCode;

use super::door::Door;
use crate::api::page::page;

#[tokio::test]
async fn the_page_may_run_its_own_script_only() {
    let door = Door::open().await;
    let answer = door.get("/").await;
    assert_eq!(
        (answer.status, answer.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
    assert!(nonce.len() == 32 && policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(answer.text.matches(&nonce).count(), 2, "one script, one style");
    assert!(!answer.text.contains("{{"));
    let again = door.get("/").await;
    assert_ne!(again.headers["content-security-policy"], answer.headers["content-security-policy"]);
}

/// Names of devices, texts of errors, findings: all come from outside.
#[test]
fn the_page_writes_text_and_never_markup() {
    let html = page().html;
    for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"] {
        assert!(!html.contains(way), "{way}");
    }
    assert!(!html.contains(" onclick=") && !html.contains(" style=\""), "the policy would stop it");
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let html = page().html;
    let namespace = "http://www.w3.org/2000/svg";
    let rest = html.replace(namespace, "");
    for way in ["http://", "https://", "//cdn", "@import", "src=", "url("] {
        assert!(!rest.contains(way), "{way}");
    }
    for link in rest.split("href=\"").skip(1) {
        assert!(link.starts_with('#') || link.starts_with("data:,\""), "{}", &link[..20]);
    }
}
