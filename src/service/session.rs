//! What a browser is trusted with: texts that it keeps for us and cannot change, and the proof that a form came from our page.
//!
//! Must not know: HTTP, clocks, who the person is.

use super::config::Secret;
use crate::time::Timestamp;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long a person stays known to a browser, seconds.
pub const SESSION_SECS: i64 = 30 * 24 * 60 * 60;
/// Longest sealed text that is looked at.
const LONGEST: usize = 1024;

/// What a sealed text is for; one kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The person who signed up in this browser.
    Person,
    /// The browser itself, before anybody is known.
    Visitor,
    /// A form of ours, shown to the holder of a cookie.
    Form,
    /// Whoever knows the admin token, for as long as the text says.
    Admin,
}

impl Seal {
    const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Visitor => "visitor",
            Self::Form => "form",
            Self::Admin => "admin",
        }
    }
}

/// The key that seals.
#[derive(Clone, Debug)]
pub struct Sealer(Secret);

impl Sealer {
    /// Seals with `key`.
    pub const fn new(key: Secret) -> Self {
        Self(key)
    }

    fn mac(&self, seal: Seal, text: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(seal.name().as_bytes());
        mac.update(b"\n");
        mac.update(text.as_bytes());
        mac
    }

    /// `text` with the time and a proof that we wrote it; safe in a cookie.
    pub fn seal(&self, seal: Seal, now: Timestamp, text: &str) -> String {
        let plain = format!("{} {text}", now.secs());
        let proof = self.mac(seal, &plain).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(plain), URL_SAFE_NO_PAD.encode(proof))
    }

    /// The text of [`Sealer::seal`], when it is ours, of this kind, and not too old.
    pub fn open(&self, seal: Seal, now: Timestamp, sealed: &str) -> Option<String> {
        let (plain, proof) = sealed.split_once('.').filter(|_| sealed.len() <= LONGEST)?;
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(plain).ok()?).ok()?;
        self.mac(seal, &plain).verify_slice(&URL_SAFE_NO_PAD.decode(proof).ok()?).ok()?;
        let (at, text) = plain.split_once(' ')?;
        let age = now.secs().checked_sub(at.parse().ok()?)?;
        (age < SESSION_SECS).then(|| text.to_owned())
    }

    /// The proof that a form was shown to the holder of `whom` (a visitor or a person).
    pub fn token(&self, whom: &str) -> String {
        hex::encode(self.mac(Seal::Form, whom).finalize().into_bytes())
    }

    /// Whether `token` is that of `whom`; takes the same time whatever the answer.
    pub fn is_token(&self, whom: &str, token: &str) -> bool {
        hex::decode(token).is_ok_and(|token| self.mac(Seal::Form, whom).verify_slice(&token).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn sealer() -> Sealer {
        Sealer::new(Secret::new("a key of the test"))
    }

    #[test]
    fn what_is_sealed_comes_back_and_nothing_else_does() {
        let sealed = sealer().seal(Seal::Person, NOW, "ada lovelace");
        assert_eq!(sealer().open(Seal::Person, NOW, &sealed).as_deref(), Some("ada lovelace"));
        assert_eq!(sealer().open(Seal::Visitor, NOW, &sealed), None, "another kind");
        let late = Timestamp::from_secs(NOW.secs() + SESSION_SECS);
        assert_eq!(sealer().open(Seal::Person, late, &sealed), None, "too old");
        assert_eq!(Sealer::new(Secret::new("other")).open(Seal::Person, NOW, &sealed), None);
        let (text, proof) = sealed.split_once('.').expect("two parts");
        let forged = format!("{}.{proof}", URL_SAFE_NO_PAD.encode("1800000000 grace"));
        for wrong in [forged.as_str(), text, "", ".", "a.b", &format!("{sealed}x")] {
            assert_eq!(sealer().open(Seal::Person, NOW, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_belongs_to_one_holder() {
        let token = sealer().token("visitor 1");
        assert!(sealer().is_token("visitor 1", &token));
        assert!(!sealer().is_token("visitor 2", &token) && !sealer().is_token("visitor 1", ""));
    }
}
