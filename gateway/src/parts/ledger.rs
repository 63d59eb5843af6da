//! The stock ledger. Quantities are sums of entries; what would make one negative is refused.

use firmware_proto::ServerTime;

use crate::store::{StoreError, Write};

/// Why parts move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Arrived from outside.
    Receive,
    /// Promised to a work order.
    Reserve,
    /// No longer promised.
    Release,
    /// Fitted on site.
    Consume,
}

impl EntryKind {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Reserve => "reserve",
            Self::Release => "release",
            Self::Consume => "consume",
        }
    }
}

/// One movement.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When.
    pub at: ServerTime,
    /// Why.
    pub kind: EntryKind,
    /// Where.
    pub location: &'a str,
    /// Which part.
    pub part: &'a str,
    /// Change of the quantity on hand.
    pub on_hand: i64,
    /// Change of the quantity promised.
    pub reserved: i64,
    /// For which work order.
    pub work_order: Option<&'a str>,
    /// Who.
    pub actor: &'a str,
}

/// What lies at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Pieces that are there.
    pub on_hand: i64,
    /// Pieces of them that are promised.
    pub reserved: i64,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booked {
    /// It stands; this is the level after it.
    Done(Level),
    /// It would take or promise more than there is; this is the level as it stays.
    Short(Level),
}

/// The level of one part at one place.
///
/// # Errors
/// When the database fails.
pub async fn level(write: &mut Write, location: &str, part: &str) -> Result<Level, StoreError> {
    let (on_hand, reserved) = sqlx::query_as(
        "SELECT CAST(COALESCE(SUM(on_hand), 0) AS BIGINT), CAST(COALESCE(SUM(reserved), 0) AS BIGINT) \
         FROM ledger WHERE location = $1 AND part = $2",
    )
    .bind(location)
    .bind(part)
    .fetch_one(&mut **write)
    .await?;
    Ok(Level { on_hand, reserved })
}

/// Appends an entry, unless something would fall below zero. The write transaction is
/// the only writer, so nobody books between the sum and the entry.
///
/// # Errors
/// When the database fails.
pub async fn book(write: &mut Write, entry: &Entry<'_>) -> Result<Booked, StoreError> {
    let before = level(write, entry.location, entry.part).await?;
    let after = Level { on_hand: before.on_hand + entry.on_hand, reserved: before.reserved + entry.reserved };
    if after.reserved < 0 || after.on_hand < after.reserved {
        return Ok(Booked::Short(before));
    }
    sqlx::query(
        "INSERT INTO ledger (entry, at_ms, kind, location, part, on_hand, reserved, work_order, actor) \
         SELECT COALESCE(MAX(entry), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 FROM ledger",
    )
    .bind(entry.at.ms())
    .bind(entry.kind.as_str())
    .bind(entry.location)
    .bind(entry.part)
    .bind(entry.on_hand)
    .bind(entry.reserved)
    .bind(entry.work_order)
    .bind(entry.actor)
    .execute(&mut **write)
    .await?;
    Ok(Booked::Done(after))
}

/// What is still promised to a work order: location, part and pieces.
///
/// # Errors
/// When the database fails.
pub async fn reserved_for(write: &mut Write, work_order: &str) -> Result<Vec<(String, String, i64)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT location, part, CAST(SUM(reserved) AS BIGINT) FROM ledger WHERE work_order = $1 \
         GROUP BY location, part HAVING SUM(reserved) > 0 ORDER BY location, part",
    )
    .bind(work_order)
    .fetch_all(&mut **write)
    .await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Store;

    fn entry(kind: EntryKind, on_hand: i64, reserved: i64) -> Entry<'static> {
        Entry {
            at: ServerTime(0),
            kind,
            location: "van",
            part: "igniter",
            on_hand,
            reserved,
            work_order: None,
            actor: "test",
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn no_sum_ever_falls_below_zero(moves in proptest::collection::vec((-5_i64..6, -5_i64..6), 1..30)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let dir = tempfile::tempdir().unwrap();
                let store = Store::open(&dir.path().join("state.db")).await.unwrap();
                let mut write = store.write().await.unwrap();
                sqlx::query("INSERT INTO location (id, kind, name, lat, lon) VALUES ('van', 'van', 'Van', 0, 0)")
                    .execute(&mut *write).await.unwrap();
                let mut expected = Level::default();
                for (on_hand, reserved) in moves {
                    let after = Level { on_hand: expected.on_hand + on_hand, reserved: expected.reserved + reserved };
                    let possible = after.reserved >= 0 && after.on_hand >= after.reserved;
                    let booked = book(&mut write, &entry(EntryKind::Receive, on_hand, reserved)).await.unwrap();
                    assert_eq!(booked, if possible { Booked::Done(after) } else { Booked::Short(expected) });
                    if possible { expected = after; }
                    assert_eq!(level(&mut write, "van", "igniter").await.unwrap(), expected);
                }
            });
        }
    }
}
