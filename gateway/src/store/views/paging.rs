//! Pages and where the next one begins.

use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite};
use utoipa::ToSchema;

use super::ViewError;

/// Most items of one page: a page of the largest rows stays below a few megabytes.
pub const MAX_LIMIT: u32 = 500;

/// Items of one page where the caller does not say.
pub const DEFAULT_LIMIT: u32 = 100;

/// Some items of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Give this as `after` to get what follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How many items, checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(u32);

impl Limit {
    pub(super) fn new(limit: Option<u32>) -> Result<Self, ViewError> {
        match limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(Self(limit)),
            limit => {
                Err(ViewError::Invalid { field: "limit", reason: format!("is {limit}, must be 1 to {MAX_LIMIT}") })
            }
        }
    }

    /// Asks for one row more than the page holds, which tells whether another page follows.
    pub(super) fn push(self, query: &mut QueryBuilder<Sqlite>) {
        query.push(" LIMIT ").push_bind(i64::from(self.0) + 1);
    }

    /// Cuts the row that was one too many; `cursor` writes an item's place.
    pub(super) fn page<T>(self, mut items: Vec<T>, cursor: impl Fn(&T) -> String) -> Page<T> {
        let more = items.len() > self.0 as usize;
        items.truncate(self.0 as usize);
        let next = if more { items.last().map(cursor) } else { None };
        Page { items, next }
    }
}

/// A place in a list that runs from the newest to the oldest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Before {
    at_ms: i64,
    id: String,
}

impl Before {
    /// As handed out in [`Page::next`].
    pub(super) fn write(at_ms: i64, id: &str) -> String {
        format!("{at_ms}.{id}")
    }

    pub(super) fn read(after: Option<&str>) -> Result<Option<Self>, ViewError> {
        let Some(text) = after else { return Ok(None) };
        text.split_once('.')
            .and_then(|(at_ms, id)| Some(Self { at_ms: at_ms.parse().ok()?, id: id.to_owned() }))
            .map(Some)
            .ok_or_else(|| not_a_cursor(text))
    }

    /// Adds the condition on the two columns that the list is sorted by.
    pub(super) fn push(&self, query: &mut QueryBuilder<Sqlite>, time: &str, id: &str) {
        query.push(format_args!(" AND ({time}, {id}) < (")).push_bind(self.at_ms).push(", ");
        query.push_bind(self.id.clone()).push(")");
    }
}

/// The error for a text that no page gave out.
pub(super) fn not_a_cursor(text: &str) -> ViewError {
    ViewError::Invalid { field: "after", reason: format!("is {text:?}, must be the `next` of the page before") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_outside_the_bounds_are_refused() {
        for bad in [0, MAX_LIMIT + 1, u32::MAX] {
            assert!(matches!(Limit::new(Some(bad)), Err(ViewError::Invalid { field: "limit", .. })), "{bad}");
        }
        assert_eq!(Limit::new(None).unwrap().0, DEFAULT_LIMIT);
    }

    #[test]
    fn a_cursor_reads_back() {
        for (at_ms, id) in [(0, "a"), (-5, "x.y"), (i64::MAX, "")] {
            let before = Before::read(Some(&Before::write(at_ms, id))).unwrap().unwrap();
            assert_eq!(before, Before { at_ms, id: id.into() });
        }
        for bad in ["", "x", "x.y", ".", "99999999999999999999.a"] {
            assert!(matches!(Before::read(Some(bad)), Err(ViewError::Invalid { field: "after", .. })), "{bad}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let limit = Limit::new(Some(2)).unwrap();
        assert_eq!(limit.page(vec![1, 2, 3], i32::to_string).next.as_deref(), Some("2"));
        assert_eq!(limit.page(vec![1, 2], i32::to_string).next, None);
    }
}
