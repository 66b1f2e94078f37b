//! Signature headers as the plan wants them, made at the time of each attempt.
//!
//! Must not know: sockets, clocks.

use crate::{
    plan::model::Signing,
    rng::Streams,
    scenario::fault::{BadSignature, Place},
    stripe::signature::{header, sign},
};

/// The secret that the target knows, and another one that it does not.
#[derive(Clone)]
pub struct SigningSecrets {
    known: String,
    other: String,
}

impl std::fmt::Debug for SigningSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecrets(…)")
    }
}

impl SigningSecrets {
    /// For a target that knows `known`.
    pub fn new(known: impl Into<String>, seed: u64) -> Self {
        Self { known: known.into(), other: made_up_secret(seed, "other endpoint") }
    }

    /// The secret that the target knows.
    pub fn known(&self) -> &str {
        &self.known
    }

    /// Both, for redaction.
    pub fn all(&self) -> [&str; 2] {
        [&self.known, &self.other]
    }

    /// The `Stripe-Signature` of one attempt at wall time `now_secs`; `None` sends no header.
    pub fn header(&self, signing: Signing, now_secs: i64, body: &[u8]) -> Option<String> {
        let good = |t: i64| sign(&self.known, t, body);
        let bad = |t: i64| sign(&self.other, t, body);
        let now = now_secs;
        match signing {
            Signing::Genuine => Some(header(now, &[good(now)])),
            Signing::Rolled(Place::First) => Some(header(now, &[good(now), bad(now)])),
            Signing::Rolled(Place::Last) => Some(header(now, &[bad(now), good(now)])),
            Signing::Bad(kind) => match kind {
                BadSignature::WrongSecret => Some(header(now, &[bad(now)])),
                BadSignature::Stale301s => Some(header(now - 301, &[good(now - 301)])),
                BadSignature::Stale10m => Some(header(now - 600, &[good(now - 600)])),
                BadSignature::TamperedBody => {
                    let mut before = body.to_vec();
                    before.push(b' ');
                    Some(header(now, &[sign(&self.known, now, &before)]))
                }
                BadSignature::MissingHeader => None,
                BadSignature::Garbage => Some("not a signature".to_owned()),
            },
        }
    }
}

/// A signing secret of the form that Stripe gives out, from the seed: nobody's real one.
pub fn made_up_secret(seed: u64, what: &str) -> String {
    format!("whsec_{}", hex::encode(&Streams::new(seed).digest(what)[..16]))
}
