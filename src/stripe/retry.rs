//! When Stripe tries a failed delivery again, as data.
//!
//! Must not know: clocks, deliveries.

use std::time::Duration;

/// Waits between the attempts of one delivery. Attempt 1 is not in it: after attempt `n` fails, attempt `n + 1` leaves
/// `waits[n - 1]` later; after the last wait the delivery is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// `stripe-live`, `stripe-sandbox`, `stripe-cli` or `custom`.
    pub name: String,
    /// The waits, in order.
    pub waits: Vec<Duration>,
}

// STAND-IN of the scenario branch: take the stripe branch's file.
impl RetrySchedule {
    /// Stand-in.
    pub fn named(name: &str) -> Option<Self> {
        let secs: &[u64] = match name {
            "stripe-live" => &[300, 1800, 7200, 18_000, 36_000],
            "stripe-sandbox" => &[60, 3600, 7200],
            "stripe-cli" => &[],
            _ => return None,
        };
        Some(Self { name: name.to_owned(), waits: secs.iter().map(|s| Duration::from_secs(*s)).collect() })
    }

    /// Stand-in.
    pub fn custom(waits: Vec<Duration>) -> Self {
        Self { name: "custom".to_owned(), waits }
    }
}
