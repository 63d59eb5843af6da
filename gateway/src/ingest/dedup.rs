//! Which messages of a device were taken already.

use firmware_proto::{BootId, MessageOrder};
use serde::{Deserialize, Serialize};

/// Boots remembered: a late message is of this boot or of one shortly before.
const BOOTS: usize = 4;

/// Gaps remembered per boot. A device that sends QoS 1 leaves none; one that loses
/// QoS 0 messages leaves one per loss, and the oldest gaps close.
const RANGES: usize = 64;

/// What was found about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// First time.
    New,
    /// Taken before.
    Duplicate,
    /// Of a boot or a gap too old to be remembered: it cannot be told from a duplicate.
    TooOld,
}

/// Sequence numbers taken, as ranges per boot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Dedup {
    boots: Vec<Boot>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Boot {
    id: u64,
    /// Sorted, disjoint, not adjacent, both ends included.
    ranges: Vec<(u64, u64)>,
    /// Gaps below this have been closed.
    floor: u64,
}

impl Dedup {
    /// Takes a message, if it is new.
    pub fn take(&mut self, order: MessageOrder) -> Taken {
        match self.boot(order.boot_id) {
            Some(boot) => boot.take(order.seq.0),
            None => Taken::TooOld,
        }
    }

    fn boot(&mut self, id: BootId) -> Option<&mut Boot> {
        let at = match self.boots.binary_search_by_key(&id.0, |boot| boot.id) {
            Ok(at) => at,
            Err(0) if self.boots.len() == BOOTS => return None,
            Err(at) => {
                self.boots.insert(at, Boot { id: id.0, ranges: Vec::new(), floor: 0 });
                if self.boots.len() > BOOTS {
                    self.boots.remove(0);
                    at - 1
                } else {
                    at
                }
            }
        };
        self.boots.get_mut(at)
    }
}

impl Boot {
    fn take(&mut self, seq: u64) -> Taken {
        let at = self.ranges.partition_point(|&(_, last)| last < seq);
        if self.ranges.get(at).is_some_and(|&(first, _)| first <= seq) {
            return Taken::Duplicate;
        }
        if seq < self.floor {
            return Taken::TooOld;
        }
        let joins_before = at > 0 && self.ranges[at - 1].1.checked_add(1) == Some(seq);
        let joins_after = self.ranges.get(at).is_some_and(|&(first, _)| seq.checked_add(1) == Some(first));
        match (joins_before, joins_after) {
            (true, true) => {
                self.ranges[at - 1].1 = self.ranges[at].1;
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at - 1].1 = seq,
            (false, true) => self.ranges[at].0 = seq,
            (false, false) => self.ranges.insert(at, (seq, seq)),
        }
        if self.ranges.len() > RANGES {
            self.ranges.remove(0);
            self.floor = self.ranges[0].0;
        }
        Taken::New
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use firmware_proto::Seq;
    use proptest::prelude::*;

    use super::*;

    fn order(boot: u64, seq: u64) -> MessageOrder {
        MessageOrder { boot_id: BootId(boot), seq: Seq(seq) }
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(messages in proptest::collection::vec((1_u64..4, 0_u64..60), 0..300)) {
            let (mut dedup, mut set) = (Dedup::default(), HashSet::new());
            for (boot, seq) in messages {
                let expected = if set.insert((boot, seq)) { Taken::New } else { Taken::Duplicate };
                prop_assert_eq!(dedup.take(order(boot, seq)), expected);
            }
        }

        #[test]
        fn never_takes_one_twice_and_stays_small(messages in proptest::collection::vec((0_u64..9, any::<u64>()), 0..600)) {
            let (mut dedup, mut set) = (Dedup::default(), HashSet::new());
            for (boot, seq) in messages {
                if dedup.take(order(boot, seq)) == Taken::New {
                    prop_assert!(set.insert((boot, seq)));
                }
            }
            prop_assert!(dedup.boots.len() <= BOOTS && dedup.boots.iter().all(|boot| boot.ranges.len() <= RANGES));
        }
    }

    #[test]
    fn a_steady_device_costs_one_range() {
        let mut dedup = Dedup::default();
        for seq in 0..1_000 {
            assert_eq!(dedup.take(order(7, seq)), Taken::New);
        }
        assert_eq!(dedup.boots[0].ranges, [(0, 999)]);
    }
}
