//! Closed cases in the store.

use std::collections::{BTreeMap, HashMap};

use diagnosis::EvidenceState;
use diagnosis::learning::{Attempt, Found, Learned, Outcome};
use firmware_proto::ServerTime;
use futures::TryStreamExt as _;
use serde::Deserialize;

use super::years;
use crate::control::NO_FAULT_FOUND;
use crate::store::{Store, StoreError, from_json};

/// Visits, by what was confirmed.
const VISITS: &str = "SELECT device.type, device.model, registered_ms, work_order.closed_ms, work_order.id, \
     confirmed, 0, finding, posterior, evidence FROM work_order JOIN device ON device.id = work_order.device \
     WHERE confirmed IS NOT NULL AND work_order.closed_ms IS NOT NULL";

/// Faults that went away with a verified repair; what a work order took over counts with that.
const CURES: &str = "SELECT device.type, device.model, registered_ms, finding.closed_ms, finding.id, repair.cause, 1, \
     finding.id, ranked, evidence FROM finding JOIN device ON device.id = finding.device JOIN repair ON \
     repair.id = (SELECT MAX(id) FROM repair WHERE repair.finding = finding.id AND repair.state = 'verified') \
     WHERE finding.closed_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM work_order WHERE work_order.finding = finding.id)";

/// Repairs on which later telemetry gave its verdict.
const ATTEMPTS: &str = "SELECT repair, cause, state = 'verified' FROM repair WHERE finding = $1 AND (state = 'verified' \
     OR EXISTS (SELECT 1 FROM timeline WHERE subject = repair.id AND timeline.state = 'verify_failed')) \
     ORDER BY created_ms, id";

/// Type, model, registered, closed, id, cause, whether cured remotely, finding, posterior, evidence.
type Row = (String, String, i64, i64, String, String, bool, Option<String>, String, String);

#[derive(Debug, Deserialize)]
struct Ranked {
    cause: String,
    probability: f64,
}

#[derive(Debug, Deserialize)]
struct Known {
    symptom: String,
    state: EvidenceState,
}

/// Counts all closed cases by type, with the lives of all devices of the types that have any.
pub(super) async fn count(store: &Store, now: ServerTime) -> Result<(u64, HashMap<String, Learned>), StoreError> {
    let mut learned: HashMap<String, Learned> = HashMap::new();
    let mut cases = 0;
    for sql in [VISITS, CURES] {
        let mut rows = sqlx::query_as::<_, Row>(sql).fetch(store.read());
        while let Some(row) = rows.try_next().await? {
            let of_type = learned.entry(row.0.clone()).or_default();
            of_type.fold(&outcome(store, row).await?);
            cases += 1;
        }
    }
    let sql = "SELECT type, model, registered_ms FROM device";
    let mut devices = sqlx::query_as::<_, (String, String, i64)>(sql).fetch(store.read());
    while let Some((r#type, model, registered)) = devices.try_next().await? {
        if let Some(learned) = learned.get_mut(&r#type) {
            learned.expose_life(&model, years(ServerTime(registered), now));
        }
    }
    Ok((cases, learned))
}

async fn outcome(store: &Store, row: Row) -> Result<Outcome, StoreError> {
    let (_, model, registered, closed, id, cause, cured, finding, posterior, evidence) = row;
    let posterior: Vec<Ranked> = from_json(|| format!("posterior of case {id}"), &posterior)?;
    let evidence: Vec<Known> = from_json(|| format!("evidence of case {id}"), &evidence)?;
    let known = evidence.into_iter().filter(|known| known.state != EvidenceState::Unknown);
    let attempts = match finding {
        Some(finding) => attempts(store, &finding).await?,
        None => Vec::new(),
    };
    Ok(Outcome {
        model,
        age_years: years(ServerTime(registered), ServerTime(closed)),
        found: match cause {
            cause if cured => Found::Cured(cause),
            cause if cause == NO_FAULT_FOUND => Found::NoFault,
            cause => Found::Confirmed(cause),
        },
        posterior: posterior.into_iter().map(|ranked| (ranked.cause, ranked.probability)).collect(),
        symptoms: known.map(|known| (known.symptom, known.state == EvidenceState::Present)).collect::<BTreeMap<_, _>>(),
        attempts,
    })
}

async fn attempts(store: &Store, finding: &str) -> Result<Vec<Attempt>, StoreError> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(ATTEMPTS).bind(finding).fetch_all(store.read()).await?;
    let attempt = |(repair, cause, verified)| Attempt { repair, cause, verified };
    Ok(rows.into_iter().map(attempt).collect())
}
