//! The names of what can be wrong, and which one a verdict and a run go by.
//!
//! Must not know: how an anomaly is recognised (`diagnosis`), nor what a service does inside.

use super::verdict::{Validity, Verdicts};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

macro_rules! anomalies {
    ($($variant:ident = $word:literal, $means:literal;)+) => {
        /// What is wrong, by name. The order is the precedence: what says more of the cause comes first, and what every other
        /// one may bring along comes last.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Anomaly {
            $(#[doc = $means] #[serde(rename = $word)] $variant,)+
        }

        impl Anomaly {
            /// Every name, in the order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name, in words: `unbounded redelivery`.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What it means, in a sentence.
            pub const fn means(self) -> &'static str {
                match self {
                    $(Self::$variant => $means,)+
                }
            }
        }
    };
}

anomalies! {
    CrossTenant = "cross-tenant", "An event of another account or mode took effect.";
    Forged = "forged", "A delivery that nobody signed rightly was accepted or left a trace.";
    Poisoned = "poisoned", "A genuine event was skipped because one that had to be refused had carried its id before.";
    UnsafeError = "unsafe error", "A bad payload got no plain 4xx, an answer gave something away, or the service crashed.";
    Resurrected = "resurrected", "What had ended is live again, for an older event came after the end.";
    Premature = "premature", "Access or another effect is there although what it depends on was never due or paid.";
    Stale = "stale", "An older snapshot holds although a newer one was acknowledged.";
    Orphan = "orphan", "A payment, subscription or effect is tied to nobody whom the app or the CRM knows.";
    Duplicate = "duplicate", "One cause had more effects than one.";
    UnboundedRedelivery = "unbounded redelivery", "An event that must be accepted was refused at every attempt that arrived, until the sender gave up.";
    Lost = "lost", "An acknowledged or owed event left no effect, or what others wrote is gone.";
    Late = "late", "The right thing happened after its deadline.";
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The anomaly that was seen most often; of several, the first in the order of precedence.
pub(super) fn main_of(counts: &BTreeMap<Anomaly, u64>) -> Option<Anomaly> {
    let most = counts.values().max()?;
    counts.iter().find(|(_, count)| *count == most).map(|(anomaly, _)| *anomaly)
}

impl Verdicts {
    /// The main anomaly of the run: the one that most failed verdicts name, each verdict one vote, however many customers
    /// it hit; of several, the first in the order of precedence. `None` when nothing failed.
    pub fn anomaly(&self) -> Option<Anomaly> {
        let mut votes = BTreeMap::new();
        let failed = self.verdicts.iter().filter(|verdict| verdict.validity == Validity::Fail);
        failed.filter_map(|verdict| verdict.anomaly).for_each(|anomaly| *votes.entry(anomaly).or_default() += 1);
        main_of(&votes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_files() {
        for anomaly in Anomaly::ALL {
            assert_eq!(serde_json::to_value(anomaly).expect("a word"), anomaly.word());
            assert!(anomaly.means().ends_with('.'), "{anomaly}: a sentence");
        }
        assert!(Anomaly::ALL.is_sorted(), "the order is the precedence");
        assert_eq!(Anomaly::ALL.len(), 12);
    }

    #[test]
    fn the_most_frequent_one_is_the_main_one_and_precedence_decides_a_draw() {
        let of = |counts: &[(Anomaly, u64)]| main_of(&counts.iter().copied().collect());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(Anomaly::Late, 3), (Anomaly::Stale, 2)]), Some(Anomaly::Late));
        assert_eq!(of(&[(Anomaly::Late, 2), (Anomaly::Stale, 2)]), Some(Anomaly::Stale));
    }
}
