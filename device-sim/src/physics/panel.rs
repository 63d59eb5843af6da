//! The panel on the appliance: short local use, child lock.

use firmware_proto::DeviceTime;

use crate::random::Random;

const HOUR_S: f64 = 3600.0;
/// Mean time between two uses that have no other reason.
const BETWEEN_USES_S: f64 = 5.0 * HOUR_S;
/// Mean time between two spans of child lock.
const BETWEEN_LOCKS_S: f64 = 40.0 * HOUR_S;

/// Who is at the appliance.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    random: Random,
    local_until: DeviceTime,
    next_use: DeviceTime,
    locked_until: DeviceTime,
    next_lock: DeviceTime,
}

impl Panel {
    pub fn new(seed: u64, start: DeviceTime) -> Self {
        let mut random = Random::new(seed, "panel");
        let next_use = after(start, random.waiting(BETWEEN_USES_S));
        let next_lock = after(start, random.waiting(BETWEEN_LOCKS_S));
        Self { random, local_until: start, next_use, locked_until: start, next_lock }
    }

    pub fn step(&mut self, now: DeviceTime) {
        if now >= self.next_use {
            self.touch(now);
            self.next_use = after(now, self.random.waiting(BETWEEN_USES_S));
        }
        if now >= self.next_lock {
            self.locked_until = after(now, self.random.between(0.3, 1.0) * HOUR_S);
            self.next_lock = after(self.locked_until, self.random.waiting(BETWEEN_LOCKS_S));
        }
    }

    /// Somebody does something at the panel.
    pub fn touch(&mut self, now: DeviceTime) {
        self.local_until = self.local_until.max(after(now, self.random.between(40.0, 180.0)));
    }

    pub fn local_control(&self, now: DeviceTime) -> bool {
        now < self.local_until
    }

    pub fn child_lock(&self, now: DeviceTime) -> bool {
        now < self.locked_until
    }

    /// For tests of preconditions: somebody stays at the panel.
    #[cfg(test)]
    pub fn occupy(&mut self, until: DeviceTime) {
        self.local_until = until;
    }

    /// For tests of preconditions: somebody locks it.
    #[cfg(test)]
    pub fn lock(&mut self, until: DeviceTime) {
        self.locked_until = until;
    }

    /// For tests of other things: nobody comes.
    #[cfg(test)]
    pub fn keep_clear(&mut self) {
        self.local_until = DeviceTime(0);
        self.locked_until = DeviceTime(0);
        self.next_use = DeviceTime(i64::MAX);
        self.next_lock = DeviceTime(i64::MAX);
    }
}

/// `seconds` later.
pub(super) fn after(time: DeviceTime, seconds: f64) -> DeviceTime {
    time.plus_ms((seconds * 1000.0) as i64)
}
