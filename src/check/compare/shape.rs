//! What a value looks like: a time of the machine's clock, or a time that stands in the payloads.
//!
//! Must not know: what is compared.

use serde_json::Value;
use std::collections::BTreeSet;

/// A time so long before or after the run is still taken for one of the run: clocks differ.
const AROUND_MS: i64 = 300_000;
/// Numbers from here on are Unix times (2001), and from a thousand times as much in milliseconds.
const EARLIEST_S: i64 = 1_000_000_000;
const EARLIEST_MS: i64 = EARLIEST_S * 1_000;

/// Times of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// When the run began and ended, Unix milliseconds.
    span: (i64, i64),
    /// Unix seconds that stand in the customer's payloads.
    payload: BTreeSet<i64>,
}

impl Times {
    pub(super) fn new(span: (i64, i64), payload: BTreeSet<i64>) -> Self {
        Self { span, payload }
    }

    /// Whether a value is a time of the run that no payload has: when something was done here.
    pub(super) fn is_clock(&self, value: &Value) -> bool {
        let Some(at_ms) = millis(value) else { return false };
        let within = at_ms >= self.span.0 - AROUND_MS && at_ms <= self.span.1 + AROUND_MS;
        within && !(at_ms % 1_000 == 0 && self.payload.contains(&(at_ms / 1_000)))
    }
}

/// A value as Unix milliseconds, if it is a time.
fn millis(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => of_number(number.as_f64()?),
        Value::String(text) if text.len() >= 10 && text.bytes().all(|b| b.is_ascii_digit()) => {
            of_number(text.parse().ok()?)
        }
        Value::String(text) => of_text(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds is far below what a float holds exactly")]
fn of_number(number: f64) -> Option<i64> {
    let number_ms = if number < EARLIEST_MS as f64 { number * 1_000.0 } else { number };
    let range = EARLIEST_MS as f64..10.0 * EARLIEST_MS as f64;
    range.contains(&number_ms).then_some(number_ms as i64)
}

/// `2026-01-15T10:00:00.123Z`, with a blank instead of the `T`, with an offset, or none.
fn of_text(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let mark = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|b| wanted.contains(b));
    if !(mark(4, b"-") && mark(7, b"-") && mark(10, b"T ") && mark(13, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute) = (number(11, 13)?, number(14, 16)?);
    let second = if mark(16, b":") { number(17, 19)? } else { 0 };
    let rest = text.get(if mark(16, b":") { 19 } else { 16 }..)?;
    let fraction = rest.strip_prefix('.').map_or("", |f| f.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(""));
    let zone = rest.strip_prefix('.').map_or(rest, |f| &f[fraction.len()..]);
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone.trim());
    Some(seconds * 1_000 + padded.parse::<i64>().unwrap_or(0))
}

/// Seconds ahead of UTC: `+02:00`.
fn offset(zone: &str) -> i64 {
    let sign = match zone.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return 0,
    };
    let digits: String = zone.chars().filter(char::is_ascii_digit).chain("0000".chars()).take(4).collect();
    let number = |from: usize| digits.get(from..from + 2).and_then(|part| part.parse::<i64>().ok()).unwrap_or(0);
    sign * (number(0) * 3_600 + number(2) * 60)
}

/// Days since 1970 of a date in the calendar of today.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Unix seconds that stand in a body, into `times`.
pub(super) fn payload_times(body: &Value, times: &mut BTreeSet<i64>) {
    match body {
        Value::Number(number) => times.extend(number.as_i64().filter(|n| (EARLIEST_S..10 * EARLIEST_S).contains(n))),
        Value::Array(items) => items.iter().for_each(|item| payload_times(item, times)),
        Value::Object(fields) => fields.values().for_each(|value| payload_times(value, times)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_in_the_forms_in_which_apps_write_them() {
        let at = 1_768_471_200_000;
        for (value, ms) in [
            (json!(1_768_471_200), at),
            (json!(1_768_471_200_123_i64), at + 123),
            (json!("1768471200123"), at + 123),
            (json!("2026-01-15T10:00:00.123Z"), at + 123),
            (json!("2026-01-15 10:00:00"), at),
            (json!("2026-01-15T12:00:00+02:00"), at),
            (json!("2026-01-15T05:00:00.5-0500"), at + 500),
            (json!("2024-02-29T00:00:00Z"), 1_709_164_800_000),
        ] {
            assert_eq!(millis(&value), Some(ms), "{value}");
        }
        for value in [json!(4900), json!("active"), json!("2026-01-15"), json!(null), json!("00000000001")] {
            assert_eq!(millis(&value), None, "{value}");
        }
    }

    #[test]
    fn a_time_of_a_payload_is_none_of_the_clock() {
        let mut payload = BTreeSet::new();
        payload_times(&json!({"data": [{"created": 1_768_471_200}], "amount": 4900}), &mut payload);
        let times = Times::new((1_768_471_190_000, 1_768_471_300_000), payload);
        assert!(times.is_clock(&json!(1_768_471_201)) && times.is_clock(&json!("2026-01-15T10:00:01Z")));
        assert!(!times.is_clock(&json!(1_768_471_200)) && !times.is_clock(&json!("2026-01-15T10:00:00.000Z")));
        assert!(!times.is_clock(&json!(1_771_149_600)), "the end of a period is none");
    }
}
