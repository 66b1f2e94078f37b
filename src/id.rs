//! Identifiers as distinct types, so that a customer is never passed where a delivery is meant.
//!
//! Must not know: how an id is made or what it stands for.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
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

/// Name of a double that a project file declares: 1 to 31 lower-case letters, digits, `-` and `_`. Copied like a word, since
/// what happens to calls is addressed by it everywhere.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoubleName([u8; Self::MOST]);

impl DoubleName {
    /// Longest name in bytes.
    pub const MOST: usize = 31;

    /// The name, when it is one.
    pub fn new(text: &str) -> Option<Self> {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let is_name = !text.is_empty() && text.len() <= Self::MOST && text.bytes().all(fine);
        let mut name = [0; Self::MOST];
        name.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        is_name.then_some(Self(name))
    }

    /// What stands for its address in braces: `mail_url`, with `_` for each `-`.
    pub fn brace(&self) -> String {
        format!("{}_url", self.as_str().replace('-', "_"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::MOST);
        str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl fmt::Display for DoubleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for DoubleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for DoubleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for DoubleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no name of a double")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_doubles_are_short_words() {
        for name in ["m", "mail", "credits_2", "a-b", "2fa", "a234567890123456789012345678901"] {
            let read = DoubleName::new(name).expect(name);
            assert_eq!((read.as_str(), format!("{read:>2}").trim()), (name, name));
            let json = serde_json::to_string(&read).expect("JSON");
            assert_eq!(serde_json::from_str::<DoubleName>(&json).expect("a name"), read);
        }
        for none in ["", "Mail", "mail.x", "mäil", "a2345678901234567890123456789012", "m\0"] {
            assert_eq!(DoubleName::new(none), None, "{none}");
        }
        assert!(serde_json::from_str::<DoubleName>("\"Mail\"").is_err());
    }
}
