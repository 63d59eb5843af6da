//! How fast things may come: token buckets.

use std::time::{Duration, Instant};

/// Fills at `rate` a second up to `burst`; may be overdrawn by what was taken at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(rate: u32, burst: u32, now: Instant) -> Self {
        let (rate, burst) = (f64::from(rate.max(1)), f64::from(burst.max(1)));
        Self { rate, burst, level: burst, at: now }
    }

    /// Takes as much as was used, though it may be more than there is.
    pub fn charge(&mut self, amount: f64, now: Instant) {
        self.fill(now);
        self.level -= amount;
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let has_one = self.level >= 1.0;
        if has_one {
            self.level -= 1.0;
        }
        has_one
    }

    /// How long until it is no longer overdrawn.
    pub fn wait(&self) -> Duration {
        Duration::from_secs_f64((-self.level).max(0.0) / self.rate)
    }

    /// Whether nothing has been taken lately.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= self.burst
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + elapsed * self.rate).min(self.burst);
        self.at = now;
    }
}

/// What one device may send. Above it, its socket is read more slowly; nothing is lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    messages: Bucket,
    bytes: Bucket,
    until: Option<Instant>,
}

impl Pace {
    /// Bursts of one second's worth.
    pub fn new(messages_per_second: u32, bytes_per_second: u32, now: Instant) -> Self {
        Self {
            messages: Bucket::new(messages_per_second, messages_per_second, now),
            bytes: Bucket::new(bytes_per_second, bytes_per_second, now),
            until: None,
        }
    }

    /// Counts what was taken; whether it was too much.
    pub fn charge(&mut self, messages: usize, bytes: usize, now: Instant) -> bool {
        self.messages.charge(messages as f64, now);
        self.bytes.charge(bytes as f64, now);
        let wait = self.messages.wait().max(self.bytes.wait());
        self.until = (!wait.is_zero()).then(|| now + wait);
        self.until.is_some()
    }

    /// Until when nothing is read.
    pub fn pause(&self) -> Option<Instant> {
        self.until
    }

    /// The pause is over.
    pub fn go_on(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 3, start);
        assert_eq!((0..5).filter(|_| bucket.take(start)).count(), 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
        assert!(!bucket.is_full(later) && bucket.is_full(start + Duration::from_secs(1)));
    }

    #[test]
    fn what_was_too_much_is_waited_for() {
        let start = Instant::now();
        let mut pace = Pace::new(100, 1_000_000, start);
        assert!(!pace.charge(100, 10, start));
        assert!(pace.charge(50, 10, start));
        assert_eq!(pace.pause(), Some(start + Duration::from_millis(500)));
        assert!(!pace.charge(1, 10, start + Duration::from_secs(1)));
    }
}
