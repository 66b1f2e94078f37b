//! What Stripe is: events and their raw bytes, signatures, retry schedules, recordings and the formats people have
//! them in, re-keying, scrubbing.
//!
//! Must not know: scenarios, targets, sockets, clocks.

pub mod captured;
pub mod event;
pub mod headers;
pub mod import;
pub mod recording;
pub mod rekey;
pub mod retry;
pub mod scrub;
pub mod signature;
