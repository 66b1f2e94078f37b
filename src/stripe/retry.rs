//! When Stripe tries a failed delivery again, as data.
//!
//! Must not know: clocks, deliveries.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Waits of [`RetrySchedule::stripe_live`], seconds.
const LIVE: [u64; 9] =
    [5 * MINUTE, 30 * MINUTE, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR];

/// Waits of [`RetrySchedule::stripe_sandbox`], seconds.
const SANDBOX: [u64; 3] = [10 * MINUTE, HOUR, 3 * HOUR];

/// Names that [`RetrySchedule::named`] knows; `custom` is the name of any other.
pub const NAMES: [&str; 3] = ["stripe-live", "stripe-sandbox", "stripe-cli"];

/// Waits between the attempts of one delivery. Attempt 1 is not in it: after attempt `n` fails, attempt `n + 1` leaves
/// `waits[n - 1]` later; after the last wait the delivery is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// `stripe-live`, `stripe-sandbox`, `stripe-cli` or `custom`.
    pub name: String,
    /// The waits, in order.
    pub waits: Vec<Duration>,
}

impl RetrySchedule {
    /// Live mode: ten attempts over 62 h 35 min, each wait longer than the one before up to twelve hours.
    ///
    /// An approximation. Stripe documents "up to three days with an exponential back off" and publishes no table; the
    /// Dashboard shows only the next attempt. One published warning e-mail counts 54 attempts for 6 events within at
    /// most two and a half days, nine for each event; these waits make nine attempts in the first 60 hours.
    pub fn stripe_live() -> Self {
        Self::from_secs("stripe-live", &LIVE)
    }

    /// Sandbox and test mode: "three times over the course of a few hours", read as three *re*tries, so four attempts
    /// in all, the last 4 h 10 min after the first. The single waits are an approximation as well.
    pub fn stripe_sandbox() -> Self {
        Self::from_secs("stripe-sandbox", &SANDBOX)
    }

    /// `stripe listen --forward-to`: it never tries again (source of stripe-cli, `proxy.go`).
    pub fn stripe_cli() -> Self {
        Self::from_secs("stripe-cli", &[])
    }

    /// Waits of one's own. Live scenarios use short ones, since a live run cannot compress time.
    pub fn custom(waits: Vec<Duration>) -> Self {
        Self { name: "custom".to_owned(), waits }
    }

    /// The schedule of one of [`NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "stripe-live" => Some(Self::stripe_live()),
            "stripe-sandbox" => Some(Self::stripe_sandbox()),
            "stripe-cli" => Some(Self::stripe_cli()),
            _ => None,
        }
    }

    /// How long to wait after `attempt` (from 1) has failed; `None` when the delivery is given up.
    pub fn wait_after(&self, attempt: u32) -> Option<Duration> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        self.waits.get(index).copied()
    }

    fn from_secs(name: &str, waits: &[u64]) -> Self {
        Self { name: name.to_owned(), waits: waits.iter().copied().map(Duration::from_secs).collect() }
    }
}

/// Whether Stripe takes an answer as received: any 2xx. A redirect is a failure and is not followed
/// (docs.stripe.com/webhooks, table of delivery statuses).
pub fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(schedule: &RetrySchedule) -> f64 {
        schedule.waits.iter().sum::<Duration>().as_secs_f64() / 3600.0
    }

    #[test]
    fn live_retries_for_most_of_three_days_and_ever_more_slowly() {
        let live = RetrySchedule::stripe_live();
        assert!((60.0..=72.0).contains(&hours(&live)), "{} h", hours(&live));
        assert!(live.waits.is_sorted());
        let mut at = Duration::ZERO;
        let within_60_h = live.waits.iter().filter(|wait| {
            at += **wait;
            at <= Duration::from_secs(60 * HOUR)
        });
        assert_eq!(1 + within_60_h.count(), 9, "54 attempts of 6 events were seen within two and a half days");
    }

    #[test]
    fn sandbox_and_cli() {
        let sandbox = RetrySchedule::stripe_sandbox();
        assert_eq!(sandbox.waits.len(), 3);
        assert!(hours(&sandbox) < 6.0);
        assert_eq!(RetrySchedule::stripe_cli().wait_after(1), None);
    }

    #[test]
    fn names_and_waits() {
        for name in NAMES {
            assert_eq!(RetrySchedule::named(name).expect(name).name, name);
        }
        assert_eq!(RetrySchedule::named("custom"), None);
        let two = RetrySchedule::custom(vec![Duration::from_secs(1), Duration::from_secs(2)]);
        let waits: Vec<_> = (0..=4).map(|attempt| two.wait_after(attempt).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [None, Some(1), Some(2), None, None]);
    }

    #[test]
    fn only_2xx_counts() {
        for (status, success) in [(199, false), (200, true), (202, true), (299, true), (302, false), (410, false)] {
            assert_eq!(is_success(status), success, "{status}");
        }
    }
}
