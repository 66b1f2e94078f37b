//! The one place where the service asks whether a delivery is genuine.
//!
//! A thin wrapper: the judging of signatures belongs to `stripe::signature`. Must not know: what is in the body.

use super::{
    config::Secret,
    defects::{Defect, Defects},
};
use crate::stripe::signature::{self, SignatureError, Tolerance};
use serde_json::Value;
use std::borrow::Cow;

/// The delivery is not genuine. Says no more: the sender of a forgery learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("verify the signature")]
pub(crate) struct Refused;

/// Whether one of `secrets` signed `body` for a time near `now_secs` (300 s either way; bug classes 47, 48).
pub(crate) fn verify(
    header: Option<&str>,
    body: &[u8],
    secrets: &[Secret],
    now_secs: i64,
    defects: &Defects,
) -> Result<(), Refused> {
    if defects.has(Defect::SecretUnsetAcceptsAll) || (header.is_none() && defects.has(Defect::UnsignedAccepted)) {
        return Ok(());
    }
    let secrets: Vec<&str> = secrets.iter().map(Secret::expose).collect();
    let tolerance =
        if defects.has(Defect::NoTolerance) { Tolerance::from_secs(i64::MAX) } else { Tolerance::default() };
    let (header, body) = (header.map(|header| considered(header, defects)), signed_body(body, defects));
    match signature::verify(header.as_deref(), &body, &secrets, tolerance, now_secs) {
        Err(SignatureError::TooFarAhead { .. }) if defects.has(Defect::OneSidedTolerance) => Ok(()),
        judged => judged.map_err(|_| Refused),
    }
}

/// At which endpoint a genuine delivery came: the number of the secret that `signed` it, for a service that counts by that.
/// The sound one does not look.
pub(crate) fn endpoint(secrets: &[Secret], defects: &Defects, signed: impl Fn(&[Secret]) -> bool) -> usize {
    if !defects.has(Defect::EndpointsCounted) {
        return 0;
    }
    secrets.iter().position(|secret| signed(std::slice::from_ref(secret))).unwrap_or(0)
}

/// What of a header is considered: all of it in the sound service.
fn considered<'a>(header: &'a str, defects: &Defects) -> Cow<'a, str> {
    let (first, last) = (defects.has(Defect::FirstV1Only), defects.has(Defect::LastV1Only));
    if !first && !last {
        return Cow::Borrowed(header);
    }
    let (signatures, others): (Vec<&str>, Vec<&str>) = header.split(',').partition(|item| item.starts_with("v1="));
    let one = if first { signatures.first() } else { signatures.last() };
    Cow::Owned(others.into_iter().chain(one.copied()).collect::<Vec<_>>().join(","))
}

/// The bytes that are taken for what was signed: those that came, in the sound service.
fn signed_body<'a>(body: &'a [u8], defects: &Defects) -> Cow<'a, [u8]> {
    if defects.has(Defect::BodyTrimmed) {
        return Cow::Borrowed(body.trim_ascii());
    }
    if !defects.has(Defect::BodyReserialised) {
        return Cow::Borrowed(body);
    }
    let parsed = serde_json::from_slice::<Value>(body).ok();
    parsed.map_or(Cow::Borrowed(body), |value| Cow::Owned(format!("{value:#}").into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(secret: &str, at: i64, body: &[u8]) -> String {
        signature::sign(secret, at, body)
    }

    #[test]
    fn only_a_fresh_signature_of_a_known_secret_is_genuine() {
        let secrets = [Secret::new("whsec_old"), Secret::new("whsec_new")];
        let judge = |header: &str| verify(Some(header), b"{}", &secrets, 1000, &Defects::none()).is_ok();
        let (good, bad) = (sign("whsec_new", 1000, b"{}"), sign("whsec_other", 1000, b"{}"));
        assert!(judge(&format!("t=1000,v1={good},v0=fake")));
        assert!(judge(&format!("t=1000,v1={bad},v1={good}")));
        assert!(judge(&format!("t=1000,v1={good},v1={bad}")));
        assert!(!judge(&format!("t=1000,v1={bad}")));
        assert!(!judge(&format!("t=1000,v0={good}")));
        assert!(!judge(&format!("t=1001,v1={good}")));
        assert!(!judge(""));
        assert_eq!(verify(None, b"{}", &secrets, 1000, &Defects::none()), Err(Refused));
        for (now, genuine) in [(1300, true), (1301, false), (700, true), (699, false)] {
            let header = format!("t=1000,v1={good}");
            assert_eq!(verify(Some(&header), b"{}", &secrets, now, &Defects::none()).is_ok(), genuine, "{now}");
        }
    }
}
