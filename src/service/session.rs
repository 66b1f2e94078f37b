//! Signed cookies and the tokens of forms: values, made and checked without a store.
//!
//! A session is `<end>.<nonce>.<mac>`; whoever holds it proves nothing but that it was made here and has not ended. A form
//! token belongs to one session. Must not know: HTTP, clocks, who signs in and why.

use super::config::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Signs and checks for one purpose. Keys of two purposes differ although they come from one secret.
#[derive(Clone)]
pub struct Signer {
    key: [u8; 32],
}

/// A session that was made here and has not ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// What makes it another one than all others.
    pub nonce: String,
    /// When it ends, Unix seconds.
    pub ends: i64,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(hidden)")
    }
}

impl Signer {
    /// The signer of `purpose`, from `secret`: another secret ends all its sessions.
    pub fn new(secret: &Secret, purpose: &str) -> Self {
        Self { key: mac(secret.expose().as_bytes(), &["key", purpose]).finalize().into_bytes().into() }
    }

    /// The cookie's value of a session.
    pub fn seal(&self, session: &Session) -> String {
        let ends = session.ends.to_string();
        let seal = mac(&self.key, &["session", &ends, &session.nonce]).finalize().into_bytes();
        format!("{ends}.{}.{}", session.nonce, hex::encode(seal))
    }

    /// The session of a cookie's value, when it was sealed here and has not ended at `now` (Unix seconds).
    pub fn open(&self, value: &str, now: i64) -> Option<Session> {
        let mut parts = value.splitn(3, '.');
        let (ends, nonce, seal) = (parts.next()?, parts.next()?, parts.next()?);
        mac(&self.key, &["session", ends, nonce]).verify_slice(&hex::decode(seal).ok()?).ok()?;
        let session = Session { nonce: nonce.to_owned(), ends: ends.parse().ok()? };
        (session.ends > now).then_some(session)
    }

    /// The token that every form of the session carries.
    pub fn form_token(&self, session: &Session) -> String {
        hex::encode(mac(&self.key, &["form", &session.nonce]).finalize().into_bytes())
    }

    /// Whether a form's token belongs to the session. Takes as long for a wrong one.
    pub fn is_form_token(&self, session: &Session, token: &str) -> bool {
        let Ok(token) = hex::decode(token) else { return false };
        mac(&self.key, &["form", &session.nonce]).verify_slice(&token).is_ok()
    }

    /// Whether two texts are the same, in a time that says nothing about where they differ.
    pub fn same(&self, one: &str, other: &str) -> bool {
        let other = mac(&self.key, &["same", other]).finalize().into_bytes();
        mac(&self.key, &["same", one]).verify_slice(&other).is_ok()
    }
}

/// Each part with its length in front, so that no two lists of parts read the same.
fn mac(key: &[u8], parts: &[&str]) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().fold(mac, |mac, part| mac.chain_update((part.len() as u64).to_be_bytes()).chain_update(part))
}

/// One cookie of a `Cookie` header.
pub fn cookie<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Sixteen random bytes in hex.
///
/// # Errors
/// The system has no randomness to give.
pub fn nonce() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str, purpose: &str) -> Signer {
        Signer::new(&Secret::new(secret), purpose)
    }

    #[test]
    fn only_an_untouched_session_of_this_purpose_and_secret_opens_and_only_until_it_ends() {
        let admin = signer("a long secret", "admin");
        let session = Session { nonce: "ab12".into(), ends: 100 };
        let value = admin.seal(&session);
        assert_eq!(admin.open(&value, 99), Some(session.clone()));
        assert_eq!(admin.open(&value, 100), None);
        assert_eq!(admin.open(&value.replacen("100", "900", 1), 99), None);
        assert_eq!(admin.open(&value.replace("ab12", "ab13"), 99), None);
        assert_eq!(admin.open(&value[..value.len() - 2], 99), None);
        for odd in ["", ".", "..", "100.ab12.", "100.ab12.zz", "x.y.z"] {
            assert_eq!(admin.open(odd, 0), None, "{odd}");
        }
        assert_eq!(signer("a long secret", "person").open(&value, 99), None);
        assert_eq!(signer("another secret", "admin").open(&value, 99), None);
    }

    #[test]
    fn a_form_token_belongs_to_one_session() {
        let admin = signer("a long secret", "admin");
        let (one, two) = (Session { nonce: "1".into(), ends: 9 }, Session { nonce: "2".into(), ends: 9 });
        assert!(admin.is_form_token(&one, &admin.form_token(&one)));
        assert!(!admin.is_form_token(&two, &admin.form_token(&one)));
        assert!(!admin.is_form_token(&one, "") && !admin.is_form_token(&one, "zz"));
        assert!(admin.same("token", "token") && !admin.same("token", "tokem") && !admin.same("token", ""));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(cookie("a=1; session=x.y.z;b=2", "session"), Some("x.y.z"));
        assert_eq!(cookie("xsession=1", "session"), None);
        assert_ne!(nonce().expect("random"), nonce().expect("random"));
    }
}
