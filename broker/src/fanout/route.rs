//! Routes: topics and filters cut to the levels that rumqttd sees.
//!
//! Its router remembers every topic it has matched, for ever. Command and finding ids would fill it, but they stand
//! beyond the fifth level (`ag/v1/{tenant}/{device}/cmd/rsp/{id}`). If a filter matches a topic, the filter's route
//! matches the topic's route; the converse is checked on our side, with the whole topic, which travels in front of
//! the payload.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Levels that the router sees.
const LEVELS: usize = 5;

/// The first levels of a topic or filter.
pub(super) fn of(text: &str) -> &str {
    match text.match_indices('/').nth(LEVELS - 1) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A payload with its topic before it.
pub(super) fn wrap(topic: &str, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(2 + topic.len() + payload.len());
    // Topics have at most 512 bytes.
    bytes.put_u16(topic.len() as u16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_slice(payload);
    bytes.freeze()
}

/// Topic and payload, if [`wrap`] made these bytes.
pub(super) fn unwrap(mut bytes: Bytes) -> Option<(String, Bytes)> {
    let length = usize::from(bytes.try_get_u16().ok()?);
    if bytes.len() < length {
        return None;
    }
    let topic = String::from_utf8(bytes.split_to(length).into()).ok()?;
    Some((topic, bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::matches;

    #[test]
    fn a_route_has_five_levels() {
        assert_eq!(of("ag/v1/home/ac-1/cmd/rsp/7"), "ag/v1/home/ac-1/cmd");
        assert_eq!(of("ag/v1/home/ac-1/tlm"), "ag/v1/home/ac-1/tlm");
        assert_eq!(of("ag/#"), "ag/#");
    }

    #[test]
    fn wrapped_is_unwrapped() {
        assert_eq!(unwrap(wrap("a/b", b"x")), Some(("a/b".to_owned(), Bytes::from_static(b"x"))));
        assert_eq!(unwrap(Bytes::from_static(b"\0\x09a")), None);
    }

    proptest! {
        #[test]
        fn what_matches_whole_matches_cut(filter in "[ab+](/[ab+]){0,7}(/#)?", topic in "[ab](/[ab]){0,8}") {
            prop_assert!(!matches(&filter, &topic) || matches(of(&filter), of(&topic)), "{} {}", filter, topic);
        }
    }
}
