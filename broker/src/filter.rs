//! Topics and topic filters that may be handed to rumqttd, and what they match.

use crate::fanout::FanoutError;

/// Longest topic or filter of the service side, in bytes. Ours have at most 200.
const MAX_LEN: usize = 512;

/// Checks that a service account can be given this filter.
///
/// # Errors
/// [`FanoutError::Filter`], which says what would be right.
pub fn check_filter(filter: &str) -> Result<(), FanoutError> {
    if is_filter(filter) { Ok(()) } else { Err(FanoutError::Filter(filter.to_owned())) }
}

/// Whether a filter is well-formed: printable ASCII, wildcards only as whole levels, `#` only at the end, no `$`
/// topics (and so no shared subscriptions).
pub(crate) fn is_filter(text: &str) -> bool {
    if !is_plain(text) {
        return false;
    }
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        let whole = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            _ => !level.contains(['#', '+']),
        };
        if !whole {
            return false;
        }
    }
    true
}

/// Whether a topic may be handed to the router.
pub(crate) fn is_topic(text: &str) -> bool {
    is_plain(text) && !text.contains(['#', '+'])
}

/// rumqttd's router panics on a topic that begins with a character of more than one byte.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LEN
        && !text.starts_with('$')
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Whether a well-formed filter matches a topic (MQTT 3.1.1, 4.7).
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        match (level, topic.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(name)) if level == name => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

/// Whether every topic that `requested` matches is matched by `allowed`.
pub(crate) fn covers(allowed: &str, requested: &str) -> bool {
    let mut requested = requested.split('/');
    for level in allowed.split('/') {
        match (level, requested.next()) {
            ("#", _) => return true,
            ("+", Some(wanted)) if wanted != "#" => {}
            (level, Some(wanted)) if level == wanted => {}
            _ => return false,
        }
    }
    requested.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn well_formed_filters() {
        for good in ["a", "+", "#", "a/+/b", "a/#", "/", "ag/v1/+/+/tlm"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "a#", "#/a", "a+/b", "$SYS/#", "$share/g/a", "é", "a\0b", "a/\n"] {
            assert!(!is_filter(bad), "{bad:?}");
        }
        assert!(!is_topic("a/+") && is_topic("a/b"));
    }

    #[test]
    fn matching() {
        let cases = [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a", true),
            ("+/b", "a/b", true),
            ("a/b/c", "a/b", false),
        ];
        for (filter, topic, expected) in cases {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn a_wildcard_is_covered_by_a_wider_one_only() {
        assert!(covers("a/#", "a/+/b") && covers("a/+", "a/b") && covers("#", "#"));
        assert!(!covers("a/+", "a/#") && !covers("a/b", "a/+") && !covers("a/+", "a") && !covers("a/b/#", "a/#"));
    }

    fn filters() -> impl Strategy<Value = String> {
        (prop::collection::vec("[ab+]", 1..5), any::<bool>()).prop_map(|(levels, open)| {
            let text = levels.join("/");
            if open { format!("{text}/#") } else { text }
        })
    }

    proptest! {
        #[test]
        fn covering_implies_matching(allowed in filters(), requested in filters(), topic in "[ab](/[ab]){0,5}") {
            prop_assert!(is_filter(&allowed));
            if covers(&allowed, &requested) && matches(&requested, &topic) {
                prop_assert!(matches(&allowed, &topic), "{} {} {}", allowed, requested, topic);
            }
        }
    }
}
