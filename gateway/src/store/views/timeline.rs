//! The steps of repairs and work orders.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::ToSchema;

use super::ViewError;

/// One step of a repair or a work order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Step {
    /// Counts from 1.
    pub step: i64,
    /// When, in epoch milliseconds of the gateway's clock.
    pub at_ms: i64,
    /// The state that was reached.
    pub state: String,
    /// Who did it: a token's name, a technician, the device or the gateway itself.
    pub actor: String,
    /// Evidence or reason: a text, or an object where there is more to say.
    pub detail: Value,
}

/// A state and when it was reached.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StateChange {
    /// The state.
    pub state: String,
    /// When, in epoch milliseconds of the gateway's clock.
    pub at_ms: i64,
}

/// All steps of one subject, first to last. A subject has tens of steps: its states
/// form no loop that nobody leaves.
pub(super) async fn steps(connection: &mut SqliteConnection, subject: &str) -> Result<Vec<Step>, ViewError> {
    let rows = sqlx::query_as::<_, (i64, i64, String, String, String)>(
        "SELECT step, at_ms, state, actor, detail FROM timeline WHERE subject = $1 ORDER BY step",
    )
    .bind(subject)
    .fetch_all(connection)
    .await?;
    let step = |(step, at_ms, state, actor, text): (_, _, _, _, String)| {
        let detail = detail(text);
        Step { step, at_ms, state, actor, detail }
    };
    Ok(rows.into_iter().map(step).collect())
}

/// The states that each of some subjects went through.
pub(super) async fn states(
    connection: &mut SqliteConnection,
    subjects: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Vec<StateChange>>, ViewError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT subject, state, at_ms FROM timeline WHERE subject IN (");
    let mut list = query.separated(", ");
    for subject in subjects {
        list.push_bind(subject.to_owned());
    }
    query.push(") ORDER BY subject, step");
    let mut states: HashMap<String, Vec<StateChange>> = HashMap::new();
    for row in query.build().fetch_all(connection).await? {
        let change = StateChange { state: row.try_get("state")?, at_ms: row.try_get("at_ms")? };
        states.entry(row.try_get("subject")?).or_default().push(change);
    }
    Ok(states)
}

/// An object where the text is one, else the text.
fn detail(text: String) -> Value {
    if text.starts_with(['{', '[']) {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    } else {
        Value::String(text)
    }
}
