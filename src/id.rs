//! Identifiers as distinct types, so that a customer is never passed where a delivery is meant.
//!
//! Must not know: how an id is made or what it stands for.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it stands.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )+};
}

ids! {
    /// A Stripe event id, `evt_…`.
    EventId,
    /// A Stripe customer id, `cus_…`.
    CustomerId,
    /// A Stripe subscription id, `sub_…`.
    SubscriptionId,
    /// A Stripe invoice id, `in_…`.
    InvoiceId,
    /// The app's own id of a person.
    UserId,
    /// One re-keyed copy of a recording in a plan: `<story name>/<number from 1>`.
    InstanceId,
    /// One event bound for one endpoint in a plan: `d0001`.
    DeliveryId,
}
