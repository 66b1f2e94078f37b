//! The one place where the service asks whether a delivery is genuine.
//!
//! A thin wrapper: the judging of signatures belongs to `stripe::signature`. Must not know: what is in the body.

use super::config::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The delivery is not genuine. Says no more: the sender of a forgery learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("verify the signature")]
pub(crate) struct Refused;

/// Farthest that `t=` may be from now, either way (bug classes 47, 48).
const TOLERANCE_SECS: u64 = 300;

/// Whether one of `secrets` signed `body` for a time near `now_secs`.
pub(crate) fn verify(header: Option<&str>, body: &[u8], secrets: &[Secret], now_secs: i64) -> Result<(), Refused> {
    let (mut time, mut signatures) = (None, Vec::new());
    for (key, value) in header.ok_or(Refused)?.split(',').filter_map(|item| item.split_once('=')) {
        match key.trim() {
            "t" if time.is_none() => time = Some(value.trim()),
            "v1" => signatures.extend(hex::decode(value.trim())),
            _ => {}
        }
    }
    let time = time.ok_or(Refused)?;
    let signed_at: i64 = time.parse().map_err(|_| Refused)?;
    if now_secs.abs_diff(signed_at) > TOLERANCE_SECS {
        return Err(Refused);
    }
    let genuine = secrets.iter().any(|secret| {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else { return false };
        let mac = mac.chain_update(time.as_bytes()).chain_update(b".").chain_update(body);
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if genuine { Ok(()) } else { Err(Refused) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(secret: &str, at: i64, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length");
        let mac = mac.chain_update(format!("{at}.")).chain_update(body);
        hex::encode(mac.finalize().into_bytes())
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
