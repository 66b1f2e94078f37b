//! What a wrong clock of the service means: in words, and for signatures.
//!
//! Must not know: files, plans, how a clock is set.

use crate::time::format_duration;
use std::time::Duration;

/// `1m ahead`, `400s behind`.
pub fn offset(offset_ms: i64) -> String {
    let by = format_duration(Duration::from_millis(offset_ms.unsigned_abs()));
    format!("{by} {}", if offset_ms < 0 { "behind" } else { "ahead" })
}

/// Stripe's libraries take signatures that are up to 300 s old (<https://docs.stripe.com/webhooks>, "replay attacks").
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Whether a clock that is wrong by so much makes genuine signatures look bad.
pub const fn is_beyond_tolerance(offset_ms: i64) -> bool {
    offset_ms.unsigned_abs() as u128 > TOLERANCE.as_millis()
}
