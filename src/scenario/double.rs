//! Which doubled API is meant: one of those that speak a dialect, or one that the project file declares.
//!
//! Must not know: what a double answers, where it listens.

use super::criterion::Need;
use crate::id::DoubleName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A doubled downstream API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Double {
    /// The CRM.
    Crm,
    /// The support desk.
    Support,
    /// Stripe's API.
    Stripe,
    /// The receiver of alerts.
    Alerts,
    /// One that is declared (`[mocks.<name>] file = …`), by its name.
    Declared(DoubleName),
}

impl Double {
    /// Every one that is always there, with its word in files; no declared one has such a name.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("crm", Self::Crm), ("support", Self::Support), ("stripe", Self::Stripe), ("alerts", Self::Alerts)];

    /// The word in files.
    pub fn word(&self) -> &str {
        match self {
            Self::Crm => "crm",
            Self::Support => "support",
            Self::Stripe => "stripe",
            Self::Alerts => "alerts",
            Self::Declared(name) => name.as_str(),
        }
    }

    /// The double of a word: a declared one when it is none of the others.
    pub fn of_word(word: &str) -> Option<Self> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, double)| *double);
        known.or_else(|| DoubleName::new(word).map(Self::Declared))
    }

    /// What the target must have so that faults of this double can be carried out.
    pub(super) const fn needs(self) -> Need {
        match self {
            Self::Crm => Need::Crm,
            Self::Support => Need::Support,
            Self::Stripe => Need::Stripe,
            Self::Alerts => Need::Alerts,
            Self::Declared(name) => Need::Declared(name),
        }
    }
}

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::of_word(&word).ok_or_else(|| D::Error::custom(format!("`{word}` is no name of a double")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_its_word_in_files() {
        for word in ["crm", "support", "stripe", "alerts", "mail"] {
            let double = Double::of_word(word).expect(word);
            assert_eq!(double.word(), word);
            assert_eq!(matches!(double, Double::Declared(_)), word == "mail");
            assert_eq!(serde_json::to_value(double).expect("JSON"), word);
            assert_eq!(serde_json::from_value::<Double>(word.into()).expect("a double"), double);
        }
        assert_eq!(Double::of_word("Mail!"), None);
    }
}
