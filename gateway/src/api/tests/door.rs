//! A gateway on the small fleet, asked through its router.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::api::{ApiState, Component, Health, HistoryRead, Point, router};
use crate::app::App;
use crate::config::{Config, Listen, Mqtt};
use crate::store::views::sample;

/// One point each second since 1970, worth its second; a device `broken` cannot be read.
struct Seconds;

impl HistoryRead for Seconds {
    fn points<'a>(
        &'a self,
        device: &'a str,
        _metric: &'a str,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Point>, String>> {
        let point = |s: i64| Point { at_ms: s * 1_000, boot_id: Some(1), seq: s.try_into().ok(), value: s as f64 };
        let seconds = (from_ms + 999).div_euclid(1_000)..(to_ms + 999).div_euclid(1_000);
        let points = seconds.take(limit).map(point).collect();
        async move { if device == "broken" { Err("disk on fire".to_owned()) } else { Ok(points) } }.boxed()
    }
}

pub(super) fn health(ok: bool) -> Health {
    let component = Component { name: "journal".into(), ok, detail: "12 segments".into() };
    Health { started_ms: 5, messages_accepted: 120, messages_rejected: 3, components: vec![component] }
}

/// A gateway on the small fleet.
pub(super) struct Door {
    /// Over the running gateway, but with a health and a history of its own.
    pub(super) state: ApiState,
    _app: App,
    _dir: TempDir,
}

impl Door {
    pub(super) async fn open() -> Self {
        let (store, dir) = sample::store().await;
        store.close().await;
        let config = Config {
            state: dir.path().to_owned(),
            mqtt: Mqtt::loopback(0),
            http: Listen::loopback(0),
            grpc: Listen::loopback(0),
            ..Config::default()
        };
        let app = App::start(config).await.unwrap();
        let state = ApiState {
            store: app.house().store.clone(),
            control: app.control.clone(),
            clock: app.house().clock,
            metrics: Arc::new(|| "# TYPE messages_total counter\nmessages_total 120\n".into()),
            health: Arc::new(|| health(true)),
            history: Arc::new(Seconds),
        };
        Self { state, _app: app, _dir: dir }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = router(self.state.clone()).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Posts JSON, with the token of a role where one is given.
    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: impl Into<Body>) -> Answer {
        self.ask("POST", path, token, body).await
    }

    /// As [`Door::post`], with another method.
    pub(super) async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }
}

/// A server that does not come up or go down fails its test, it does not hang it.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
