//! The one place where the service asks whether a delivery is genuine.
//!
//! A thin wrapper: the judging of signatures belongs to `stripe::signature`. Must not know: what is in the body.

use super::config::Secret;
use crate::stripe::signature::{self, Tolerance};

/// The delivery is not genuine. Says no more: the sender of a forgery learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("verify the signature")]
pub(crate) struct Refused;

/// Whether one of `secrets` signed `body` for a time near `now_secs` (300 s either way; bug classes 47, 48).
pub(crate) fn verify(header: Option<&str>, body: &[u8], secrets: &[Secret], now_secs: i64) -> Result<(), Refused> {
    let secrets: Vec<&str> = secrets.iter().map(Secret::expose).collect();
    signature::verify(header, body, &secrets, Tolerance::default(), now_secs).map_err(|_| Refused)
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
        let judge = |header: &str| verify(Some(header), b"{}", &secrets, 1000).is_ok();
        let (good, bad) = (sign("whsec_new", 1000, b"{}"), sign("whsec_other", 1000, b"{}"));
        assert!(judge(&format!("t=1000,v1={good},v0=fake")));
        assert!(judge(&format!("t=1000,v1={bad},v1={good}")));
        assert!(judge(&format!("t=1000,v1={good},v1={bad}")));
        assert!(!judge(&format!("t=1000,v1={bad}")));
        assert!(!judge(&format!("t=1000,v0={good}")));
        assert!(!judge(&format!("t=1001,v1={good}")));
        assert!(!judge(""));
        assert_eq!(verify(None, b"{}", &secrets, 1000), Err(Refused));
        for (now, genuine) in [(1300, true), (1301, false), (700, true), (699, false)] {
            assert_eq!(verify(Some(&format!("t=1000,v1={good}")), b"{}", &secrets, now).is_ok(), genuine, "{now}");
        }
    }
}
