//! The clocks of a live run: wall time for signatures, time since the start for everything else.
//!
//! One of the few shells that read a clock.

use crate::time::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Measures a live run from its start.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    start: Instant,
    started: Timestamp,
}

impl RunClock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "a live run is measured with the real monotonic clock")]
    pub fn start() -> Self {
        Self { start: Instant::now(), started: wall_now() }
    }

    /// Wall time of millisecond 0.
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since the start, rounded down.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// Time from now until `at_ms` after the start; zero when it has passed.
    pub fn until(&self, at_ms: u64) -> Duration {
        Duration::from_micros(at_ms.saturating_mul(1000).saturating_sub(self.now_us()))
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
pub fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
