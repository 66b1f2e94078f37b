//! Signature headers as the plan wants them, made at the time of each attempt.
//!
//! Must not know: sockets, clocks.

use crate::{
    plan::model::Signing,
    rng::Streams,
    scenario::{
        fault::Place,
        forms::{BadSignature, GoodSignature},
    },
    stripe::signature::{header, sign},
};

/// The secrets that the target knows, and others that it does not.
#[derive(Clone)]
pub struct SigningSecrets {
    known: String,
    /// Of a second endpoint of the same app; whether the target knows it is the target's business.
    second: String,
    second_is_known: bool,
    other: String,
    other_endpoint: String,
    old: String,
}

impl std::fmt::Debug for SigningSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecrets(…)")
    }
}

impl SigningSecrets {
    /// For a target that knows `known`.
    pub fn new(known: impl Into<String>, seed: u64) -> Self {
        let made_up = |what| made_up_secret(seed, what);
        Self {
            known: known.into(),
            second: made_up("second endpoint"),
            second_is_known: false,
            other: made_up("other endpoint"),
            other_endpoint: made_up("endpoint of another app"),
            old: made_up("rolled away"),
        }
    }

    /// For a target that knows the secret of a second endpoint too.
    #[must_use]
    pub fn with_second(self, second: impl Into<String>) -> Self {
        Self { second: second.into(), second_is_known: true, ..self }
    }

    /// For a target whose secret was rolled: the one that it must not know any more.
    #[must_use]
    pub fn with_old(self, old: impl Into<String>) -> Self {
        Self { old: old.into(), ..self }
    }

    /// The secret that the target knows.
    pub fn known(&self) -> &str {
        &self.known
    }

    /// Every secret that the target knows.
    pub fn all_known(&self) -> Vec<&str> {
        [(self.known.as_str(), true), (&self.second, self.second_is_known)]
            .into_iter()
            .filter_map(|(secret, known)| known.then_some(secret))
            .collect()
    }

    /// All of them, for redaction.
    pub fn all(&self) -> [&str; 5] {
        [&self.known, &self.second, &self.other, &self.other_endpoint, &self.old]
    }

    /// The values of `Stripe-Signature` of one attempt at wall time `now_secs`: one header line each, mostly one.
    pub fn headers(&self, signing: Signing, now_secs: i64, body: &[u8]) -> Vec<String> {
        let now = now_secs;
        let good = |t: i64| sign(&self.known, t, body);
        let by = |secret: &str| vec![header(now, &[sign(secret, now, body)])];
        let other = || sign(&self.other, now, body);
        match signing {
            Signing::Genuine => by(&self.known),
            Signing::SecondEndpoint => by(&self.second),
            Signing::Rolled(Place::First) | Signing::Good(GoodSignature::TwoFirst) => {
                vec![header(now, &[good(now), other()])]
            }
            Signing::Rolled(Place::Last) | Signing::Good(GoodSignature::TwoLast) => {
                vec![header(now, &[other(), good(now)])]
            }
            Signing::Good(GoodSignature::WithV0) => vec![format!("{},v0={}", header(now, &[good(now)]), other())],
            Signing::Good(GoodSignature::UnknownScheme) => {
                vec![format!("{},v2=Zm9yIGxhdGVy", header(now, &[good(now)]))]
            }
            Signing::Good(GoodSignature::Age290s) => vec![header(now - 290, &[good(now - 290)])],
            Signing::Bad(kind) => self.bad(kind, now, body),
        }
    }

    fn bad(&self, kind: BadSignature, now: i64, body: &[u8]) -> Vec<String> {
        let good = |t: i64| sign(&self.known, t, body);
        let at = |t: i64| vec![header(t, &[good(t)])];
        let by = |secret: &str, body: &[u8]| vec![header(now, &[sign(secret, now, body)])];
        match kind {
            BadSignature::WrongSecret => by(&self.other, body),
            BadSignature::OtherEndpoint => by(&self.other_endpoint, body),
            BadSignature::OldSecret => by(&self.old, body),
            BadSignature::Stale301s => at(now - 301),
            BadSignature::Stale10m => at(now - 600),
            BadSignature::Future10m => at(now + 600),
            BadSignature::TamperedBody => by(&self.known, &[body, b" "].concat()),
            BadSignature::ReserialisedBody => by(&self.known, &reserialised(body)),
            BadSignature::MissingHeader => Vec::new(),
            BadSignature::EmptyHeader => vec![String::new()],
            BadSignature::Garbage => vec!["not a signature".to_owned()],
            BadSignature::VeryLongHeader => vec![header(now, &vec![sign(&self.other, now, body); LONG_HEADER])],
            BadSignature::NoT => vec![format!("v1={}", good(now))],
            BadSignature::NoV1 => vec![format!("t={now}")],
            BadSignature::OnlyV0 => vec![format!("t={now},v0={}", good(now))],
            BadSignature::TruncatedHex => vec![header(now, &[good(now)[..62].to_owned()])],
            BadSignature::UpperCaseHex => vec![header(now, &[good(now).to_uppercase()])],
            BadSignature::DuplicateHeader => {
                vec![header(now, &[sign(&self.other, now, body)]), header(now, &[good(now)])]
            }
        }
    }
}

/// Signatures of the very long header: twelve kilobytes, which servers let through.
const LONG_HEADER: usize = 180;

/// The same JSON in another spelling than `body`.
fn reserialised(body: &[u8]) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let compact = value.to_string().into_bytes();
    if compact == body { format!("{value:#}\n").into_bytes() } else { compact }
}

/// A signing secret of the form that Stripe gives out, from the seed: nobody's real one.
pub fn made_up_secret(seed: u64, what: &str) -> String {
    format!("whsec_{}", hex::encode(&Streams::new(seed).digest(what)[..16]))
}
