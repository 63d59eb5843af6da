use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::door::{Door, PATIENCE, health};
use crate::api::{document, serve_http};

/// Every path and method of the description.
fn routes() -> Vec<(String, Method, Value)> {
    let document = serde_json::to_value(document()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            routes.push((path.clone(), method, operation.clone()));
        }
    }
    routes
}

#[test]
fn the_description_lists_every_route() {
    let lines: Vec<_> = routes()
        .iter()
        .map(|(path, method, operation)| {
            let token = if operation.get("security").is_some() { "token" } else { "open" };
            let answers: Vec<_> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            format!("{method:<4} {path:<36} {token:<5} {}", answers.join(" "))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_description_refers_to_nothing_missing() {
    fn refs(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| refs(field, into));
            }
            Value::Array(items) => items.iter().for_each(|item| refs(item, into)),
            _ => {}
        }
    }
    let document = serde_json::to_value(document()).unwrap();
    let mut found = BTreeSet::new();
    refs(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn every_described_route_is_served_and_guarded_as_described() {
    let door = Door::open().await;
    for (path, method, operation) in routes() {
        let uri = path.replace("{id}", "AC-1") + if path.ends_with("/history") { "?metric=power_w" } else { "" };
        let request = Request::builder().method(method.clone()).uri(uri).body(Body::empty()).unwrap();
        let answer = door.send(request).await;
        let guarded = operation.get("security").is_some();
        assert_eq!(guarded, method != Method::GET, "{method} {path}");
        if guarded {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        } else if path.contains("{id}") && !path.starts_with("/api/v1/devices") {
            assert_eq!(answer.json()["error"]["code"], "not_found", "{method} {path}");
        } else {
            assert_eq!(answer.status, StatusCode::OK, "{method} {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn views_come_out_as_json() {
    let door = Door::open().await;
    let device = door.get("/api/v1/devices/AC-1").await.json();
    assert_eq!(device["condition"], "repairing");
    assert_eq!(device["readings"]["room_temp_c"]["value"], 23.5);
    assert_eq!(device["findings"][0]["ranked"][0]["cause"], "indoor_fan_controller_hung");
    let page = door.get("/api/v1/findings?limit=1&device=AC-1").await.json();
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&json!("f-ac1"), &json!("60000.f-ac1")));
    let next = door.get("/api/v1/findings?limit=1&device=AC-1&after=60000.f-ac1").await.json();
    assert_eq!((&next["items"][0]["id"], next.get("next")), (&json!("f-ac1-old"), None));
    let order = door.get("/api/v1/work-orders/w-1").await.json();
    assert_eq!(order["kit"][0], json!({"part": "flame_rod", "quantity": 1, "location": "van 1", "reserved": true}));
    assert_eq!(door.get("/api/v1/stock?location=van%201&part=flame_rod").await.json()["items"][0]["available"], 1);
}

#[tokio::test]
async fn the_overview_joins_store_clock_and_counters() {
    let door = Door::open().await;
    let overview = door.get("/api/v1/overview").await.json();
    assert_eq!(overview["devices"], json!({"registered": 6, "online": 4}));
    assert_eq!(overview["messages"], json!({"accepted": 120, "rejected": 3}));
    assert_eq!((&overview["health"], &overview["speed"]), (&json!("ok"), &json!(1.0)));
    assert_eq!(overview["repairs"]["verified"], 1);
    assert!(overview["now_ms"].as_i64().unwrap() > 1_600_000_000_000);
}

#[tokio::test]
async fn history_is_cut_at_its_limit_and_says_so() {
    let door = Door::open().await;
    let history = door.get("/api/v1/devices/AC-1/history?metric=power_w&from_ms=10000&to_ms=13000").await.json();
    assert_eq!(history["points"].as_array().unwrap().len(), 3);
    assert_eq!(history["points"][0], json!({"at_ms": 10000, "boot_id": 1, "seq": 10, "value": 10.0}));
    assert_eq!(history["truncated"], false);
    let long = door.get("/api/v1/devices/AC-1/history?metric=power_w&from_ms=0&to_ms=9000000").await.json();
    assert_eq!((long["points"].as_array().unwrap().len(), &long["truncated"]), (5_000, &json!(true)));
    let day = door.get("/api/v1/devices/AC-1/history?metric=power_w").await.json();
    assert_eq!(day["to_ms"].as_i64().unwrap() - day["from_ms"].as_i64().unwrap(), 86_400_000);
}

#[tokio::test]
async fn health_tells_a_load_balancer_too() {
    let mut door = Door::open().await;
    assert_eq!(door.get("/api/v1/health").await.status, StatusCode::OK);
    door.state.health = std::sync::Arc::new(|| health(false));
    let answer = door.get("/api/v1/health").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("degraded")));
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let door = Door::open().await;
    let answer = door.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.contains("messages_total 120"));
}

#[tokio::test]
async fn what_does_not_read_is_answered_in_one_shape() {
    let door = Door::open().await;
    let mut lines = Vec::new();
    for path in [
        "/api/v1/nothing",
        "/api/v1/devices/nobody",
        "/api/v1/devices/%ff",
        "/api/v1/devices?limit=0",
        "/api/v1/devices?limit=ten",
        "/api/v1/devices?limit=1&limit=2",
        "/api/v1/devices?colour=red",
        "/api/v1/findings?state=OPEN",
        "/api/v1/repairs?after=yesterday",
        "/api/v1/devices/AC-1/history",
        "/api/v1/devices/AC-1/history?metric=x&from_ms=5&to_ms=5",
        "/api/v1/devices/broken/history?metric=x",
    ] {
        let answer = door.get(path).await;
        lines.push(format!("GET {path}\n  {} {}", answer.status.as_u16(), answer.text));
    }
    let delete = door.send(Request::delete("/api/v1/devices").body(Body::empty()).unwrap()).await;
    lines.push(format!("DELETE /api/v1/devices\n  {} {}", delete.status.as_u16(), delete.text));
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn bodies_that_do_not_read_name_the_field() {
    let door = Door::open().await;
    let mut lines = Vec::new();
    for (path, role, body) in [
        ("/api/v1/repairs", "support", ""),
        ("/api/v1/repairs", "support", "{"),
        ("/api/v1/repairs", "support", r#"{"device": "AC-1"}"#),
        ("/api/v1/repairs", "support", r#"{"device": "a/b", "repair": "x"}"#),
        ("/api/v1/repairs", "support", r#"{"device": "AC-1", "repair": "x", "now": true}"#),
        ("/api/v1/repairs", "support", r#"{"device": "AC-1", "repair": "x"} {}"#),
        ("/api/v1/repairs/r-3/approve", "approver", "{}"),
        ("/api/v1/stock/receipts", "dispatcher", r#"{"location": "van 1", "part": "p", "quantity": -1}"#),
        ("/api/v1/work-orders/w-1/steps", "dispatcher", r#"{"version": 2}"#),
        ("/api/v1/work-orders/w-1/steps", "dispatcher", r#"{"version": 2, "step": "fly"}"#),
        ("/api/v1/work-orders/w-1/steps", "dispatcher", r#"{"step": "accept"}"#),
        ("/api/v1/work-orders/w-1/steps", "dispatcher", r#"{"version": 2, "step": "complete"}"#),
        ("/api/v1/work-orders/w-1/steps", "dispatcher", r#"{"version": 2, "step": "cancel", "reason": "x", "why": 1}"#),
    ] {
        let answer = door.post(path, Some(role), body).await;
        lines.push(format!("POST {path} {body}\n  {} {}", answer.status.as_u16(), answer.text));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_type() {
    let door = Door::open().await;
    let large = door.post("/api/v1/repairs", Some("support"), "x".repeat(64 * 1024 + 1)).await;
    assert_eq!((large.status, &large.json()["error"]["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")));
    let text = Request::post("/api/v1/repairs").header("authorization", "Bearer support");
    let answer = door.send(text.header("content-type", "text/plain").body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// Each act with its role and a body that reads.
const ACTS: [(&str, &str, &str, &str); 15] = [
    ("POST", "/api/v1/devices", "admin", r#"{"id": "AC-9", "tenant": "home", "type": "split-ac"}"#),
    ("POST", "/api/v1/devices/AC-1/credentials", "admin", "{}"),
    ("POST", "/api/v1/devices/AC-1/block", "admin", ""),
    ("POST", "/api/v1/devices/AC-1/unblock", "admin", ""),
    ("POST", "/api/v1/claims", "admin", r#"{"tenant": "home", "type": "split-ac"}"#),
    ("DELETE", "/api/v1/claims/c-1", "admin", ""),
    ("PUT", "/api/v1/service-accounts/dashboard", "admin", r#"{"filters": ["ag/v1/#"]}"#),
    ("DELETE", "/api/v1/service-accounts/dashboard", "admin", ""),
    ("POST", "/api/v1/repairs", "support", r#"{"device": "AC-1", "repair": "free_fan"}"#),
    ("POST", "/api/v1/repairs/r-3/approve", "approver", r#"{"body_hash": "cc33"}"#),
    ("POST", "/api/v1/repairs/r-3/cancel", "support", ""),
    (
        "POST",
        "/api/v1/work-orders/w-1/steps",
        "dispatcher",
        r#"{"version": 2, "step": "complete", "confirmed": "x", "used": [{"part": "p", "quantity": 1}]}"#,
    ),
    (
        "POST",
        "/api/v1/technicians",
        "dispatcher",
        r#"{"id": "t", "name": "T", "lat": 1, "lon": 2, "skills": [], "areas": [], "capacity": 1, "rating": 5, "van": "van 1"}"#,
    ),
    ("POST", "/api/v1/locations", "dispatcher", r#"{"id": "l", "kind": "van", "name": "L", "lat": 1, "lon": 2}"#),
    ("POST", "/api/v1/stock/receipts", "dispatcher", r#"{"location": "van 1", "part": "p", "quantity": 1}"#),
];

#[tokio::test]
async fn each_act_needs_its_role() {
    let door = Door::open().await;
    assert_eq!(routes().iter().filter(|(_, method, _)| method != Method::GET).count(), ACTS.len());
    for (method, path, role, body) in ACTS {
        for token in ["support", "approver", "dispatcher", "admin"] {
            let answer = door.ask(method, path, Some(token), body).await;
            let allowed = token == role || token == "admin";
            assert_eq!(answer.status != StatusCode::FORBIDDEN, allowed, "{method} {path} as {token}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn without_a_known_token_nothing_is_even_read() {
    let door = Door::open().await;
    for (method, path, _, _) in ACTS {
        for token in [None, Some("guessed")] {
            let answer = door.ask(method, path, token, "not even JSON").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(answer.json()["error"]["code"], "unauthenticated");
        }
    }
}

#[tokio::test]
async fn it_serves_a_socket_until_it_is_told_to_stop() {
    let door = Door::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve_http(listener, door.state.clone(), async move {
        stopped.await.ok();
    }));
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = "GET /api/v1/overview HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // Says nothing and stays: it must not hold up the shutdown.
    let _idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, server).await.unwrap().unwrap().unwrap();
}

/// What a role may do is really done, through this door.
#[tokio::test]
async fn acts_reach_the_gateway() {
    let door = Door::open().await;
    let device = r#"{"id": "AC-9", "tenant": "home", "type": "split-ac"}"#;
    let login = door.post("/api/v1/devices", Some("admin"), device).await;
    assert_eq!((login.status, &login.json()["topic_prefix"]), (StatusCode::CREATED, &json!("ag/v1/home/AC-9")));
    let again = door.post("/api/v1/devices", Some("admin"), device).await;
    assert_eq!((again.status, &again.json()["error"]["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    let unknown = r#"{"id": "TV-1", "tenant": "home", "type": "television"}"#;
    let unknown = door.post("/api/v1/devices", Some("admin"), unknown).await;
    let field = &unknown.json()["error"]["field"];
    assert_eq!((unknown.status, field), (StatusCode::UNPROCESSABLE_ENTITY, &json!("type")));

    let repair = r#"{"device": "AC-1", "repair": "no_such_repair"}"#;
    let repair = door.post("/api/v1/repairs", Some("support"), repair).await;
    assert_eq!(repair.status, StatusCode::NOT_FOUND, "{}", repair.text);
    let stale = door.post("/api/v1/repairs/r-3/approve", Some("approver"), r#"{"body_hash": "dd44"}"#).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.text);

    let step = r#"{"version": 2, "step": "accept"}"#;
    let taken = door.post("/api/v1/work-orders/w-1/steps", Some("dispatcher"), step).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT, "{}", taken.text);
    let late = door.post("/api/v1/work-orders/w-1/steps", Some("dispatcher"), step).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
    assert_eq!(door.get("/api/v1/work-orders/w-1").await.json()["state"], "accepted");

    let receipt = r#"{"location": "van 1", "part": "flame_rod", "quantity": 3}"#;
    let receipt = door.post("/api/v1/stock/receipts", Some("dispatcher"), receipt).await;
    assert_eq!((receipt.status, receipt.json()), (StatusCode::CREATED, json!({"on_hand": 5})));
}
