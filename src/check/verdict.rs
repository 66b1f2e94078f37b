//! What a judge says.
//!
//! Must not know: how it is shown.

use super::anomaly::Anomaly;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the `verdicts.json` format.
pub const VERDICTS_VERSION: u32 = 1;

/// Three values: no evidence is not a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// It holds.
    Pass,
    /// Not enough evidence either way.
    Inconclusive,
    /// It does not hold: the service is wrong.
    Fail,
}

/// The verdict on one criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The criterion's name in the scenario file: `contacts_per_customer`.
    pub criterion: String,
    /// What was expected, in words: `exactly 1 contact for each customer`.
    pub expected: String,
    /// What was seen, in words: `20 customers, 19 with 1, 1 with 2`.
    pub seen: String,
    /// Pass, fail or inconclusive.
    pub validity: Validity,
    /// One sentence why.
    pub why: String,
    /// Numbers of the records that show it, a few at most.
    pub evidence: Vec<u64>,
    /// On failure: the name of what is wrong, of the most frequent one where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<Anomaly>,
    /// On failure: how often each was found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub anomalies: BTreeMap<Anomaly, u64>,
    /// On failure: what happened for one customer who shows it, step by step, each with its record number.
    pub chain: Vec<String>,
}

/// All verdicts on one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// [`VERDICTS_VERSION`].
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// One for each criterion, in scenario order.
    pub verdicts: Vec<Verdict>,
}

impl Verdicts {
    /// The worst of them; inconclusive when there is none, for nothing was shown.
    pub fn validity(&self) -> Validity {
        self.verdicts.iter().map(|v| v.validity).max().unwrap_or(Validity::Inconclusive)
    }
}
