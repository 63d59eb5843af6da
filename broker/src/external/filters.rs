//! Which filters a gateway may have in a cluster.

use firmware_proto::{DeviceId, TenantId};

use super::ExternalError;
use crate::filter;

/// What devices publish to.
const UPLINKS: [&str; 6] =
    ["ag/v1/+/+/tlm", "ag/v1/+/+/evt", "ag/v1/+/+/state", "ag/v1/+/+/birth", "ag/v1/+/+/death", "ag/v1/+/+/cmd/rsp/+"];

/// Checks all filters of a gateway.
pub(super) fn check(filters: &[String]) -> Result<(), ExternalError> {
    if filters.is_empty() {
        return Err(ExternalError::NoFilter);
    }
    for (index, filter) in filters.iter().enumerate() {
        check_one(filter)?;
        if let Some(other) = filters[..index].iter().find(|other| overlap(other, filter)) {
            return Err(ExternalError::Overlap(other.clone(), filter.clone()));
        }
    }
    Ok(())
}

fn check_one(filter: &str) -> Result<(), ExternalError> {
    // The second is what one vendor calls the first.
    if filter.starts_with("$share/") || filter.starts_with("$queue/") {
        return Err(ExternalError::Shared(filter.to_owned()));
    }
    if !filter::is_filter(filter) {
        return Err(ExternalError::Filter(filter.to_owned()));
    }
    if !has_ids(filter) || !UPLINKS.iter().any(|uplink| overlap(uplink, filter)) {
        return Err(ExternalError::Nothing(filter.to_owned()));
    }
    Ok(())
}

/// Whether tenant and device, where they are named, can be ids.
fn has_ids(filter: &str) -> bool {
    let is_wild = |level: &str| level == "+" || level == "#";
    let mut levels = filter.split('/').skip(2);
    let tenant = levels.next().is_none_or(|level| is_wild(level) || level.parse::<TenantId>().is_ok());
    let device = levels.next().is_none_or(|level| is_wild(level) || level.parse::<DeviceId>().is_ok());
    tenant && device
}

/// Whether a topic may match both.
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::matches;

    fn checked(filters: &[&str]) -> Result<(), ExternalError> {
        check(&filters.iter().map(|filter| (*filter).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn filters_that_devices_match() {
        for good in
            ["#", "ag/v1/#", "ag/v1/home/#", "ag/v1/+/+/tlm", "ag/v1/home/ac-1/cmd/rsp/+", "+/+/+/ac-1/+", "ag/+/#"]
        {
            assert_eq!(checked(&[good]), Ok(()), "{good}");
        }
        assert_eq!(checked(&["ag/v1/home/#", "ag/v1/office/#"]), Ok(()));
    }

    #[test]
    fn filters_that_cannot_be() {
        assert_eq!(checked(&[]), Err(ExternalError::NoFilter));
        for shared in ["$share/fettle/ag/v1/#", "$queue/ag/v1/#"] {
            let error = checked(&[shared]).unwrap_err();
            assert!(matches!(error, ExternalError::Shared(_)), "{error:?}");
            assert!(error.to_string().contains("one device"), "{error}");
        }
        for bad in ["", "ag/v1/#/tlm", "ag/v1/ho+me/#", "$SYS/#", "ag/v1/é/#"] {
            assert!(matches!(checked(&[bad]), Err(ExternalError::Filter(_))), "{bad}");
        }
        for nothing in ["zigbee/#", "ag/v2/#", "ag/v1/home/ac-1/err", "ag/v1/home/+/cmd/req/+", "ag/v1", "ag/v1/a b/#"]
        {
            assert!(matches!(checked(&[nothing]), Err(ExternalError::Nothing(_))), "{nothing}");
        }
        for pair in [["ag/v1/#", "ag/v1/home/#"], ["ag/v1/home/+/tlm", "ag/v1/+/ac-1/tlm"], ["#", "#"]] {
            assert!(matches!(checked(&pair), Err(ExternalError::Overlap(..))), "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn what_matches_both_is_an_overlap(
            one in "[ab+](/[ab+]){0,4}(/#)?", other in "[ab+](/[ab+]){0,4}(/#)?", topic in "[ab](/[ab]){0,5}",
        ) {
            prop_assert!(!(matches(&one, &topic) && matches(&other, &topic)) || overlap(&one, &other));
        }
    }
}
