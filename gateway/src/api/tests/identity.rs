use axum::http::StatusCode;
use serde_json::{Value, json};

use super::door::Door;

async fn ask(door: &Door, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let answer = door.ask(method, path, Some("admin"), body.to_string()).await;
    (answer.status, serde_json::from_str(&answer.text).unwrap_or(Value::Null))
}

fn device(more: Value) -> Value {
    let mut device = json!({"id": "AC-9", "tenant": "home", "type": "split-ac"});
    device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    device
}

#[tokio::test]
async fn wrong_values_name_the_field() {
    let door = Door::open().await;
    let claim = |hours: u32| json!({"tenant": "home", "type": "split-ac", "valid_hours": hours});
    let account = |filters: Value| json!({"filters": filters});
    let mut lines = Vec::new();
    for (method, path, body) in [
        ("POST", "/api/v1/devices", device(json!({"password": "short"}))),
        ("POST", "/api/v1/devices", device(json!({"password": "x".repeat(129)}))),
        ("POST", "/api/v1/devices", device(json!({"password": "claim:me:and more"}))),
        ("POST", "/api/v1/devices/AC-1/credentials", json!({"password": "short"})),
        ("POST", "/api/v1/devices/AC-1/credentials", json!({"token": "mine"})),
        ("POST", "/api/v1/devices/nobody/credentials", json!({})),
        ("POST", "/api/v1/devices/nobody/block", json!({})),
        ("POST", "/api/v1/claims", json!({"type": "split-ac"})),
        ("POST", "/api/v1/claims", json!({"tenant": "home", "type": "television"})),
        ("POST", "/api/v1/claims", json!({"tenant": "home", "type": "split-ac", "device": "a/b"})),
        ("POST", "/api/v1/claims", json!({"tenant": "home", "type": "split-ac", "device": "AC-1"})),
        ("POST", "/api/v1/claims", json!({"tenant": "home", "type": "split-ac", "lat": 91.0})),
        ("POST", "/api/v1/claims", claim(0)),
        ("POST", "/api/v1/claims", claim(721)),
        ("DELETE", "/api/v1/claims/none", json!({})),
        ("PUT", "/api/v1/service-accounts/a%2Fb", account(json!(["ag/v1/#"]))),
        ("PUT", "/api/v1/service-accounts/AC-1", account(json!(["ag/v1/#"]))),
        ("PUT", "/api/v1/service-accounts/x", account(json!([]))),
        ("PUT", "/api/v1/service-accounts/x", account(json!(vec!["ag/v1/#"; 17]))),
        ("PUT", "/api/v1/service-accounts/x", account(json!(["#"]))),
        ("PUT", "/api/v1/service-accounts/x", account(json!(["ag/v1"]))),
        ("PUT", "/api/v1/service-accounts/x", account(json!(["ag/+/home/#"]))),
        ("PUT", "/api/v1/service-accounts/x", account(json!(["ag/v1/#/tlm"]))),
        ("PUT", "/api/v1/service-accounts/x", json!({})),
        ("DELETE", "/api/v1/service-accounts/x", json!({})),
    ] {
        let line = format!("{method} {path} {}", body.to_string().chars().take(80).collect::<String>());
        let (status, answer) = ask(&door, method, path, body).await;
        lines.push(format!("{line}\n  {} {answer}", status.as_u16()));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn a_password_is_not_given_back_and_a_token_once() {
    let door = Door::open().await;
    let (status, login) = ask(&door, "POST", "/api/v1/devices", device(json!({"password": "twelve chars"}))).await;
    assert_eq!((status, &login["username"], login.get("password")), (StatusCode::CREATED, &json!("AC-9"), None));
    let (status, login) = ask(&door, "POST", "/api/v1/devices/AC-9/credentials", json!({})).await;
    assert_eq!((status, login["password"].as_str().unwrap().len()), (StatusCode::OK, 64));
    assert_eq!(login["topic_prefix"], "ag/v1/home/AC-9");
}

#[tokio::test]
async fn a_blocked_device_shows_it() {
    let door = Door::open().await;
    for (act, blocked) in [("block", true), ("block", true), ("unblock", false)] {
        let (status, _) = ask(&door, "POST", &format!("/api/v1/devices/AC-1/{act}"), json!({})).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert_eq!(door.get("/api/v1/devices/AC-1").await.json()["blocked_ms"].is_i64(), blocked);
    }
}

#[tokio::test]
async fn claims_are_listed_without_their_secrets() {
    let door = Door::open().await;
    let claim = json!({"tenant": "home", "type": "split-ac", "device": "AC-9", "area": "north", "model": "AC-35"});
    let (status, ticket) = ask(&door, "POST", "/api/v1/claims", claim).await;
    assert_eq!((status, ticket["claim"].as_str().unwrap().len()), (StatusCode::CREATED, 64));
    let list = door.get("/api/v1/claims").await;
    assert!(!list.text.contains(ticket["claim"].as_str().unwrap()), "{}", list.text);
    let item = &list.json()["items"][0];
    assert_eq!((&item["id"], &item["device"], &item["created_by"]), (&ticket["id"], &json!("AC-9"), &json!("admin")));
    let hours = (item["expires_ms"].as_i64().unwrap() - item["created_ms"].as_i64().unwrap()) / 3_600_000;
    assert_eq!((hours, &item["expires_ms"]), (24, &ticket["expires_ms"]));
    let path = format!("/api/v1/claims/{}", ticket["id"].as_str().unwrap());
    assert_eq!(ask(&door, "DELETE", &path, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(door.get("/api/v1/claims").await.json()["items"], json!([]));
}

#[tokio::test]
async fn accounts_are_listed_without_their_secrets() {
    let door = Door::open().await;
    let path = "/api/v1/service-accounts/dashboard";
    let (status, login) = ask(&door, "PUT", path, json!({"filters": ["ag/v1/home/#", "fettle/v1/#"]})).await;
    assert_eq!((status, &login["username"]), (StatusCode::OK, &json!("dashboard")));
    let list = door.get("/api/v1/service-accounts").await;
    assert!(!list.text.contains(login["password"].as_str().unwrap()), "{}", list.text);
    assert_eq!(list.json()["items"][0]["filters"], json!(["ag/v1/home/#", "fettle/v1/#"]));
    let (_, again) = ask(&door, "PUT", path, json!({"filters": ["fettle/v1/#"]})).await;
    assert_ne!(login["password"], again["password"]);
    let (status, taken) = ask(&door, "POST", "/api/v1/devices", device(json!({"id": "dashboard"}))).await;
    assert_eq!((status, &taken["error"]["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert_eq!(ask(&door, "DELETE", path, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(door.get("/api/v1/service-accounts").await.json()["items"], json!([]));
}
