//! Instants and spans as plain values: the core is given `now`, it never asks for it.
//!
//! Must not know: any clock. Reading the real one is the business of the shells.

use serde::{Deserialize, Serialize};
use std::{fmt, ops, time::Duration};

/// An instant: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// An instant from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// An instant from whole seconds since the Unix epoch, the unit of every time inside a Stripe body.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: Stripe's `created` and `t=`.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Time since `earlier`; zero when `earlier` lies after this instant.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Why a text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration; write a number and a unit: \"250ms\", \"10s\", \"2m\", \"4h\" or \"3d\"")]
pub struct DurationError {
    text: String,
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Longest span that is accepted (ten years): larger ones are typing errors and would overflow clocks.
const LONGEST_MS: u64 = 3650 * 86_400_000;

/// Reads `"250ms"`, `"10s"`, `"2m"`, `"4h"`, `"3d"`. Whole numbers only, one unit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError { text: text.to_owned() };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &text[digits..]).ok_or_else(wrong)?;
    match number.checked_mul(*factor) {
        Some(millis) if millis <= LONGEST_MS => Ok(Duration::from_millis(millis)),
        _ => Err(wrong()),
    }
}

/// Writes a span in the largest unit that keeps it whole: `1500` ms is `1500ms`, `2000` ms is `2s`.
pub fn format_duration(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let (unit, factor) = UNITS.iter().rev().find(|(_, f)| millis.is_multiple_of(*f)).unwrap_or(&UNITS[0]);
    format!("{}{unit}", millis / factor)
}

/// UTC, as `2026-01-15T10:00:00.123Z`, whatever the machine's zone or locale. A body may hold any number as a time: what no
/// calendar has (after the year 9999) is written as seconds, for a text that cannot be written would be a panic.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let Ok(at) = time::OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
            return write!(f, "{} s after 1970", self.secs());
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_and_reject_what_is_not_one() {
        for text in ["0s", "250ms", "10s", "2m", "4h", "3d", "1500ms"] {
            assert_eq!(format_duration(parse_duration(text).expect(text)), text);
        }
        for text in ["", "10", "s", "-1s", "1.5s", "10 s", "10S", "99999999999999999999s", "4000d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn timestamps_show_utc() {
        assert_eq!(Timestamp::from_millis(1_768_471_200_123).to_string(), "2026-01-15T10:00:00.123Z");
        assert_eq!(Timestamp::from_millis(-1).secs(), -1);
        assert_eq!(Timestamp::from_secs(253_402_300_799).to_string(), "9999-12-31T23:59:59.000Z");
        assert_eq!(Timestamp::from_secs(253_402_300_800).to_string(), "253402300800 s after 1970");
        assert_eq!(Timestamp::from_secs(i64::MIN).to_string(), "-9223372036854776 s after 1970");
    }
}
