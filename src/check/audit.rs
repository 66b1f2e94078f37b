//! The audit of a user's app: what an export of Stripe's events says about each customer, against what others hold of them.
//!
//! Must not know: how anybody is asked, where lists come from.

pub mod compare;
pub mod expected;
pub mod lists;
