//! The one integration binary.

mod stripe;
