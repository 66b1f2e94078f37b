//! `Stripe-Signature`: how a header is made, and a strict judgement of one that says why it fails.
//!
//! The scheme (docs.stripe.com/webhooks, "Verify manually"; the same in every official library): HMAC-SHA256 over
//! `<t as text>.<raw body>`, keyed with the whole `whsec_…` string as UTF-8. The prefix is part of the key and nothing
//! is base64-decoded, unlike in Standard Webhooks.
//!
//! The official libraries disagree about odd headers, so this one refuses whatever any of them refuses: what it
//! accepts is right everywhere.
//! Must not know: clocks (`now` is given), where a secret comes from.

pub mod cases;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Longest header that is looked at, bytes. An honest one has at most a few hundred; HTTP servers commonly stop at
/// this size for all headers together.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// A signing secret. Never shown: neither `Debug` nor an error contains it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the whole text, `whsec_` included; a stray line end at either side is part of it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for signing and for handing it to the service under test. Never for a report.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How far `t` may lie from the verifier's clock, in either direction.
///
/// It cannot be switched off: zero admits only the very second, and a negative one is refused at the verification.
/// (In the official libraries zero means "never expires" for some and "always expired" for others.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(i64);

impl Tolerance {
    /// 300 s, the default of every official library.
    pub const DEFAULT: Self = Self(300);

    /// A tolerance of whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Whole seconds.
    pub const fn secs(self) -> i64 {
        self.0
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a delivery is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No `Stripe-Signature`.
    #[error("no Stripe-Signature header")]
    MissingHeader,
    /// Nothing in it.
    #[error("the Stripe-Signature header is empty")]
    EmptyHeader,
    /// Longer than [`MAX_HEADER_BYTES`].
    #[error("the header has {0} bytes, more than {MAX_HEADER_BYTES}")]
    HeaderTooLong(usize),
    /// A blank, control or non-ASCII character. Two headers joined by a proxy look like that.
    #[error("the header holds {found:?} at byte {at}; a Stripe-Signature has no blanks, controls or non-ASCII")]
    ForeignCharacter {
        /// The character.
        found: char,
        /// Byte offset, from 0.
        at: usize,
    },
    /// An item that is not `key=value`.
    #[error("item {0} of the header is not `key=value`")]
    NotAnItem(usize),
    /// No `t=`.
    #[error("the header has no `t=`")]
    NoTimestamp,
    /// More than one `t=`: libraries disagree which one counts.
    #[error("the header has more than one `t=`")]
    SeveralTimestamps,
    /// `t=` is no plain whole number.
    #[error("`t=` is not a whole number of Unix seconds in plain digits")]
    BadTimestamp,
    /// No `v1=`.
    #[error("the header has no `v1=`")]
    NoSignature,
    /// A `v1=` that cannot be a signature.
    #[error("`v1=` number {0} is not 64 lower-case hex digits")]
    BadSignature(usize),
    /// No secret to check against.
    #[error("no signing secret is configured")]
    NoSecret,
    /// A secret of blanks only.
    #[error("the signing secret is blank")]
    BlankSecret,
    /// A tolerance below zero.
    #[error("the tolerance is negative ({0} s)")]
    NegativeTolerance(i64),
    /// Bytes that are no text.
    #[error("the body is not UTF-8 (byte {0})")]
    BodyNotUtf8(usize),
    /// A byte order mark in front, which some libraries drop before they hash.
    #[error("the body begins with a byte order mark")]
    BodyBom,
    /// No signature fits.
    #[error("no signature matches: another secret, or another body than the one that was signed")]
    Mismatch,
    /// Rightly signed, but long ago.
    #[error("signed {age_s} s ago, tolerance {tolerance_s} s")]
    TooOld {
        /// Age, seconds.
        age_s: i64,
        /// Tolerance, seconds.
        tolerance_s: i64,
    },
    /// Rightly signed, but ahead of the clock.
    #[error("signed {ahead_s} s in the future, tolerance {tolerance_s} s")]
    TooFarAhead {
        /// Distance, seconds.
        ahead_s: i64,
        /// Tolerance, seconds.
        tolerance_s: i64,
    },
}

/// The signature of `body` at `timestamp` (Unix seconds): 64 lower-case hex digits.
pub fn sign(secret: &str, timestamp: i64, body: &[u8]) -> String {
    hex::encode(mac(secret, timestamp, body).finalize().into_bytes())
}

/// The header `t=<timestamp>,v1=<…>[,v1=<…>]`, without blanks, as it is on the wire. During the roll of a secret
/// Stripe sends one `v1` for each active secret.
pub fn header(timestamp: i64, signatures: &[String]) -> String {
    let mut text = format!("t={timestamp}");
    for signature in signatures {
        text.push_str(",v1=");
        text.push_str(signature);
    }
    text
}

/// Judges a delivery: `Ok` when some `v1` fits the raw `body` under some of `secrets`, and `t` lies within `tolerance`
/// of `now_secs` on either side (a distance of exactly the tolerance passes).
///
/// # Errors
/// The first reason found, in the order header, secrets, body, signature, time: an expired but right signature is
/// `TooOld`, an expired wrong one is a `Mismatch`.
pub fn verify(
    header: Option<&str>,
    body: &[u8],
    secrets: &[&str],
    tolerance: Tolerance,
    now_secs: i64,
) -> Result<(), SignatureError> {
    let header = Header::parse(header.ok_or(SignatureError::MissingHeader)?)?;
    if tolerance.0 < 0 {
        return Err(SignatureError::NegativeTolerance(tolerance.0));
    }
    check_secrets(secrets)?;
    check_body(body)?;
    let fits = |secret: &&str| {
        let expected = mac(secret, header.timestamp, body);
        header.signatures.iter().any(|signature| expected.clone().verify_slice(signature).is_ok())
    };
    if !secrets.iter().any(fits) {
        return Err(SignatureError::Mismatch);
    }
    check_time(header.timestamp, tolerance, now_secs)
}

fn mac(secret: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn check_secrets(secrets: &[&str]) -> Result<(), SignatureError> {
    if secrets.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    if secrets.iter().any(|secret| secret.trim().is_empty()) {
        return Err(SignatureError::BlankSecret);
    }
    Ok(())
}

fn check_body(body: &[u8]) -> Result<(), SignatureError> {
    let text = std::str::from_utf8(body).map_err(|error| SignatureError::BodyNotUtf8(error.valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        return Err(SignatureError::BodyBom);
    }
    Ok(())
}

fn check_time(timestamp: i64, tolerance: Tolerance, now_secs: i64) -> Result<(), SignatureError> {
    let age_s = now_secs.saturating_sub(timestamp);
    let tolerance_s = tolerance.0;
    if age_s > tolerance_s {
        return Err(SignatureError::TooOld { age_s, tolerance_s });
    }
    let ahead_s = timestamp.saturating_sub(now_secs);
    if ahead_s > tolerance_s {
        return Err(SignatureError::TooFarAhead { ahead_s, tolerance_s });
    }
    Ok(())
}

/// A header, read strictly.
struct Header {
    timestamp: i64,
    signatures: Vec<[u8; 32]>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, SignatureError> {
        check_characters(text)?;
        let (mut timestamp, mut signatures) = (None, Vec::new());
        for (index, item) in text.split(',').enumerate() {
            match item.split_once('=') {
                None | Some(("", _)) => return Err(SignatureError::NotAnItem(index + 1)),
                Some(("t", _)) if timestamp.is_some() => return Err(SignatureError::SeveralTimestamps),
                Some(("t", value)) => timestamp = Some(parse_timestamp(value)?),
                Some(("v1", value)) => {
                    let bytes = parse_signature(value).ok_or(SignatureError::BadSignature(signatures.len() + 1))?;
                    signatures.push(bytes);
                }
                // Any other scheme is to be ignored: `v0` is a fake that test events carry.
                Some(_) => {}
            }
        }
        let timestamp = timestamp.ok_or(SignatureError::NoTimestamp)?;
        if signatures.is_empty() {
            return Err(SignatureError::NoSignature);
        }
        Ok(Self { timestamp, signatures })
    }
}

fn check_characters(text: &str) -> Result<(), SignatureError> {
    if text.is_empty() {
        return Err(SignatureError::EmptyHeader);
    }
    if text.len() > MAX_HEADER_BYTES {
        return Err(SignatureError::HeaderTooLong(text.len()));
    }
    match text.char_indices().find(|(_, c)| !c.is_ascii_graphic()) {
        Some((at, found)) => Err(SignatureError::ForeignCharacter { found, at }),
        None => Ok(()),
    }
}

/// Plain digits without leading zeros: what is signed is the text, and some libraries sign the number printed anew.
fn parse_timestamp(value: &str) -> Result<i64, SignatureError> {
    let plain =
        !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
    if !plain {
        return Err(SignatureError::BadTimestamp);
    }
    value.parse().map_err(|_| SignatureError::BadTimestamp)
}

fn parse_signature(value: &str) -> Option<[u8; 32]> {
    let lower_hex = value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; 32];
    (lower_hex && hex::decode_to_slice(value, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test_secret";
    const BODY: &[u8] = b"{\"id\":\"evt_1\"}";
    const NOW: i64 = 1_764_000_000;

    fn judge(header: &str, now: i64) -> Result<(), SignatureError> {
        verify(Some(header), BODY, &[SECRET], Tolerance::DEFAULT, now)
    }

    /// HMAC-SHA256 of a known message, computed with `openssl dgst -sha256 -hmac`.
    #[test]
    fn signs_timestamp_dot_body_with_the_whole_secret() {
        let signature = sign("whsec_test_secret", 1, b"{}");
        assert_eq!(signature, "5bf3deb7e4bfc9899b179a53c4675ef3ab9ca8c5cd0df9e0ed182c5d798cfbb2");
        assert_eq!(header(1, &["ab".into(), "cd".into()]), "t=1,v1=ab,v1=cd");
    }

    #[test]
    fn the_tolerance_has_two_sides_and_includes_its_end() {
        let signed = header(NOW, &[sign(SECRET, NOW, BODY)]);
        for now in [NOW - 300, NOW, NOW + 300] {
            assert_eq!(judge(&signed, now), Ok(()), "{now}");
        }
        assert_eq!(judge(&signed, NOW + 301), Err(SignatureError::TooOld { age_s: 301, tolerance_s: 300 }));
        assert_eq!(judge(&signed, NOW - 301), Err(SignatureError::TooFarAhead { ahead_s: 301, tolerance_s: 300 }));
        assert!(matches!(judge(&signed, i64::MIN), Err(SignatureError::TooFarAhead { .. })));
        let zero = |now| verify(Some(&signed), BODY, &[SECRET], Tolerance::from_secs(0), now);
        assert_eq!((zero(NOW), zero(NOW + 1).is_err()), (Ok(()), true));
    }

    #[test]
    fn any_of_several_signatures_and_secrets_may_match() {
        let (old, new) = (sign("whsec_old", NOW, BODY), sign(SECRET, NOW, BODY));
        for pair in [[old.clone(), new.clone()], [new, old]] {
            assert_eq!(judge(&header(NOW, &pair), NOW), Ok(()));
        }
        let signed = header(NOW, &[sign("whsec_old", NOW, BODY)]);
        assert_eq!(judge(&signed, NOW), Err(SignatureError::Mismatch));
        assert_eq!(verify(Some(&signed), BODY, &[SECRET, "whsec_old"], Tolerance::DEFAULT, NOW), Ok(()));
    }

    #[test]
    fn says_what_is_wrong_with_a_header() {
        let good = sign(SECRET, NOW, BODY);
        let wrong = |text: String| judge(&text, NOW).expect_err(&text);
        assert_eq!(wrong(String::new()), SignatureError::EmptyHeader);
        assert_eq!(wrong(format!("t={NOW}, v1={good}")), SignatureError::ForeignCharacter { found: ' ', at: 13 });
        assert_eq!(wrong(format!("t={NOW},v1={good},")), SignatureError::NotAnItem(3));
        assert_eq!(wrong(format!("v1={good}")), SignatureError::NoTimestamp);
        assert_eq!(wrong(format!("t={NOW},t={NOW},v1={good}")), SignatureError::SeveralTimestamps);
        for t in ["", "abc", "-1", "+1", "1.5", "007", "99999999999999999999"] {
            assert_eq!(wrong(format!("t={t},v1={good}")), SignatureError::BadTimestamp, "{t}");
        }
        assert_eq!(wrong(format!("t={NOW},v0={good}")), SignatureError::NoSignature);
        assert_eq!(wrong(format!("t={NOW},v1={good},v1=")), SignatureError::BadSignature(2));
        assert_eq!(wrong(format!("t={NOW},v1={}", good.to_uppercase())), SignatureError::BadSignature(1));
        assert_eq!(wrong("x".repeat(MAX_HEADER_BYTES + 1)), SignatureError::HeaderTooLong(MAX_HEADER_BYTES + 1));
        assert_eq!(verify(None, BODY, &[SECRET], Tolerance::DEFAULT, NOW), Err(SignatureError::MissingHeader));
    }

    #[test]
    fn refuses_bad_secrets_and_bodies() {
        let judge = |body: &[u8], secrets: &[&str]| {
            let secret = secrets.first().copied().unwrap_or(SECRET);
            verify(Some(&header(NOW, &[sign(secret, NOW, body)])), body, secrets, Tolerance::DEFAULT, NOW)
        };
        assert_eq!(judge(BODY, &[]), Err(SignatureError::NoSecret));
        assert_eq!(judge(BODY, &[" \u{a0}\n"]), Err(SignatureError::BlankSecret));
        assert_eq!(judge(BODY, &[SECRET, ""]), Err(SignatureError::BlankSecret));
        assert_eq!(judge(b"ab\xff", &[SECRET]), Err(SignatureError::BodyNotUtf8(2)));
        assert_eq!(judge(b"\xef\xbb\xbf{}", &[SECRET]), Err(SignatureError::BodyBom));
        assert_eq!(judge(b"{}", &[SECRET]), Ok(()));
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret::new("whsec_abc")), "Secret(…)");
    }
}
