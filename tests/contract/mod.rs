//! Doubles against what is promised of them, and official client libraries against the doubles over real sockets.

mod stripe_app;
mod stripe_clients;
pub(crate) mod stripe_faults;
mod stripe_timeline;
pub(crate) mod twin;
