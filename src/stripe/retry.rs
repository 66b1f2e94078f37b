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
