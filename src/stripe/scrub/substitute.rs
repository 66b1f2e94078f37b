//! What stands for a personal value: the same for the same value within one recording, another one in every other.
//!
//! Everything is derived with HMAC-SHA256 under a random key that lives as long as the recorder and is kept nowhere, so
//! nobody can try a dictionary of names afterwards. Two values never become one: substitutes are remembered.
//! Must not know: where in an event a value stood.

use super::text::folded;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Where all substituted addresses are: reserved by RFC 2606, so no mail ever reaches anybody.
const DOMAIN: &str = "@example.com";

/// Letters of the name in an e-mail address.
const MAIL_LETTERS: usize = 10;

/// Syllables of a made-up word: some two hundred million words, so that hitting a real name is rare.
const SYLLABLES: usize = 4;

/// Attempts to find a substitute that stands for nothing else, before it grows.
const ATTEMPTS: u8 = 32;

/// Hands out substitutes.
pub(super) struct Substitutes {
    key: [u8; 32],
    given: BTreeMap<(Kind, String), String>,
    taken: BTreeSet<(Kind, String)>,
    words: BTreeSet<String>,
}

/// Families of values: equal texts of two families become different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Word,
    Digits,
    Opaque,
    Mail,
    Date,
    Phone,
    V4,
    V6,
}

/// Written by hand: the key never reaches a log by way of `{:?}`.
impl fmt::Debug for Substitutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Substitutes({} values)", self.given.len())
    }
}

impl Substitutes {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key, given: BTreeMap::new(), taken: BTreeSet::new(), words: BTreeSet::new() }
    }

    /// Whether a word is one that was made up here.
    pub(super) fn is_made_up(&self, word: &str) -> bool {
        self.words.contains(&word.to_lowercase())
    }

    /// For one run of letters and digits of a name, an address or a sentence.
    pub(super) fn token(&mut self, token: &str) -> String {
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.digits(token);
        }
        if token.chars().any(|c| c.is_ascii_digit()) {
            return self.opaque(token);
        }
        self.word(token)
    }

    /// A made-up word in the case of the old one. `ADA`, `Ada` and `ada` stay the same word.
    fn word(&mut self, old: &str) -> String {
        let lower = folded(old);
        let count = old.chars().count();
        let short = count <= 2 && old.is_ascii();
        let word = self.remembered(Kind::Word, &lower, |bytes, grown| {
            if short && grown == 0 {
                return bytes[..count].iter().map(|byte| char::from(b'a' + byte % 26)).collect();
            }
            let syllable = |pair: &[u8]| {
                let consonant = b"bdfghjklmnprstvz"[usize::from(pair[0] % 16)];
                let vowel = b"aeiou"[usize::from(pair[1] % 5)];
                [char::from(consonant), char::from(vowel)]
            };
            bytes.chunks_exact(2).take(SYLLABLES + grown).flat_map(syllable).collect()
        });
        self.words.insert(word.clone());
        in_the_case_of(old, word)
    }

    /// As many digits.
    pub(super) fn digits(&mut self, old: &str) -> String {
        self.shaped(Kind::Digits, old)
    }

    /// Digit for digit, small letter for small letter, capital for capital; other characters stay.
    pub(super) fn opaque(&mut self, old: &str) -> String {
        let digits = old.bytes().all(|byte| byte.is_ascii_digit());
        self.shaped(if digits { Kind::Digits } else { Kind::Opaque }, old)
    }

    fn shaped(&mut self, kind: Kind, old: &str) -> String {
        self.remembered(kind, old, |bytes, grown| {
            let mut bytes = bytes.iter().cycle();
            let mut moved = |first: u8, size: u8| char::from(first + bytes.next().copied().unwrap_or(0) % size);
            let exchange = |c: char| match c {
                '0'..='9' => moved(b'0', 10),
                'a'..='z' => moved(b'a', 26),
                'A'..='Z' => moved(b'A', 26),
                c if c.is_alphanumeric() => moved(b'a', 26),
                c => c,
            };
            let mut new: String = old.chars().map(exchange).collect();
            // Nothing to tell values apart by in so short a text: it grows rather than standing for two.
            new.extend(std::iter::repeat_n('0', grown));
            new
        })
    }

    /// An address at example.com. Addresses that differ in case alone stay the same but for case.
    pub(super) fn mail(&mut self, old: &str) -> String {
        let lower = old.to_lowercase();
        let new = self.remembered(Kind::Mail, &lower, |bytes, grown| {
            let letters = bytes.iter().take(MAIL_LETTERS + grown);
            let name: String = letters.map(|byte| char::from(b'a' + byte % 26)).collect();
            name + DOMAIN
        });
        if old != lower && old.starts_with(char::is_uppercase) {
            return new[..1].to_uppercase() + &new[1..];
        }
        new
    }

    /// A telephone number in the same layout. What has a country code gets 999, which belongs to no country. Digits alone
    /// count: `+49 30 1` and `+49301` stay the same number.
    pub(super) fn phone(&mut self, old: &str) -> String {
        let digits: String = old.chars().filter(char::is_ascii_digit).collect();
        let international = old.trim_start().starts_with('+') && digits.len() > 6;
        let new = self.remembered(Kind::Phone, &digits, |bytes, grown| {
            let mut new: String = bytes.iter().cycle().take(digits.len()).map(|b| char::from(b'0' + b % 10)).collect();
            if international {
                new.replace_range(..3, "999");
            }
            new.extend(std::iter::repeat_n('0', grown));
            new
        });
        let mut fresh = new.chars();
        let mut laid: String =
            old.chars().map(|c| if c.is_ascii_digit() { fresh.next().unwrap_or(c) } else { c }).collect();
        laid.extend(fresh);
        laid
    }

    /// An IPv4 address of the range for benchmarks (RFC 2544), which is routed nowhere.
    pub(super) fn v4(&mut self, old: &str) -> String {
        self.remembered(Kind::V4, old, |bytes, _| format!("198.{}.{}.{}", 18 + bytes[0] % 2, bytes[1], bytes[2]))
    }

    /// An IPv6 address of the range for documentation (RFC 3849).
    pub(super) fn v6(&mut self, old: &str) -> String {
        let lower = old.to_lowercase();
        self.remembered(Kind::V6, &lower, |bytes, _| {
            let group = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]) | 0x1000;
            format!("2001:db8:{:x}:{:x}::{:x}", group(0), group(2), group(4))
        })
    }

    /// Another day of the last century, written alike. Day and month are below 13, so it is one in either order.
    pub(super) fn date(&mut self, old: &str) -> String {
        self.remembered(Kind::Date, old, |bytes, _| {
            let mut new = String::with_capacity(old.len());
            for (part, byte) in old.split_inclusive(|c: char| !c.is_ascii_digit()).zip(bytes) {
                let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
                let number = match digits.len() {
                    4 => 1940 + u16::from(byte % 60),
                    1 => 1 + u16::from(byte % 9),
                    _ => 1 + u16::from(byte % 12),
                };
                new.push_str(&format!("{number:0width$}{}", &part[digits.len()..], width = digits.len()));
            }
            new
        })
    }

    /// A number under a key of a date of birth, within `least..=most`.
    pub(super) fn within(&self, old: &str, least: u16, most: u16) -> String {
        let bytes = self.bytes(Kind::Digits, old, 0, 2);
        (least + u16::from_be_bytes([bytes[0], bytes[1]]) % (most - least + 1)).to_string()
    }

    fn remembered(&mut self, kind: Kind, old: &str, make: impl FnMut(&[u8], usize) -> String) -> String {
        let slot = (kind, old.to_owned());
        if let Some(new) = self.given.get(&slot) {
            return new.clone();
        }
        let new = self.fresh(kind, old, make);
        self.taken.insert((kind, new.clone()));
        self.given.insert(slot, new.clone());
        new
    }

    fn fresh(&self, kind: Kind, old: &str, mut make: impl FnMut(&[u8], usize) -> String) -> String {
        for grown in 0..8 {
            for attempt in 0..ATTEMPTS {
                let bytes = self.bytes(kind, old, attempt, old.len().max(32));
                let new = make(&bytes, grown);
                // One that nobody else has, and that is not what it stands for.
                if new != old && !self.taken.contains(&(kind, new.clone())) {
                    return new;
                }
            }
        }
        make(&self.bytes(kind, old, 0, old.len().max(32)), 0)
    }

    fn bytes(&self, kind: Kind, old: &str, attempt: u8, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 32);
        let mut block = 0_u32;
        while bytes.len() < count {
            // Any length is a key for HMAC.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return vec![0; count] };
            mac.update(&[kind as u8, attempt]);
            mac.update(&block.to_be_bytes());
            mac.update(old.as_bytes());
            bytes.extend_from_slice(&mac.finalize().into_bytes());
            block += 1;
        }
        bytes
    }
}

fn in_the_case_of(old: &str, new: String) -> String {
    let mut letters = old.chars();
    if !letters.next().is_some_and(char::is_uppercase) {
        return new;
    }
    if old.chars().count() > 1 && letters.all(|c| !c.is_lowercase()) {
        return new.to_uppercase();
    }
    new[..1].to_uppercase() + &new[1..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substitutes(key: u8) -> Substitutes {
        Substitutes::new([key; 32])
    }

    #[test]
    fn the_same_value_gets_the_same_substitute_and_two_never_one() {
        let mut all = substitutes(1);
        assert_eq!(all.token("Ada").to_lowercase(), all.token("ADA").to_lowercase());
        assert_eq!(all.token("ADA"), all.token("Ada").to_uppercase());
        assert_eq!(all.mail("Ada@x.org").to_lowercase(), all.mail("ada@x.org"));
        assert_ne!(all.mail("Ada@x.org"), all.mail("ada@x.org"));
        let new: BTreeSet<String> = (0..2000).map(|n| all.digits(&format!("{n:04}"))).collect();
        assert_eq!(new.len(), 2000);
        let words: BTreeSet<String> =
            (0..2000).map(|n| all.word(&format!("x{n:b}").replace('0', "y").replace('1', "z"))).collect();
        assert_eq!(words.len(), 2000);
    }

    #[test]
    fn shapes_are_kept_and_nothing_stands_for_itself() {
        let mut all = substitutes(2);
        let new = all.opaque("Xt5-é");
        let shape: Vec<bool> = new.chars().map(|c| c.is_ascii_digit()).collect();
        assert_eq!((new.len(), shape), (5, vec![false, false, true, false, false]), "{new}");
        for n in 0..10 {
            assert_ne!(all.digits(&n.to_string()), n.to_string());
        }
        assert_eq!(all.phone("+49 30 1234567").replace(' ', ""), all.phone("+49301234567"));
        assert!(all.phone("+49 30 1234567").starts_with("+99 9"));
        assert!(all.v4("8.8.8.8").starts_with("198.1"));
        assert!(all.v6("2a00::1").parse::<std::net::Ipv6Addr>().is_ok());
    }

    #[test]
    fn another_key_gives_other_substitutes_and_none_is_shown() {
        assert_ne!(substitutes(1).mail("ada@x.org"), substitutes(2).mail("ada@x.org"));
        assert_ne!(substitutes(1).token("Lovelace"), substitutes(2).token("Lovelace"));
        assert_eq!(format!("{:?}", substitutes(7)), "Substitutes(0 values)");
    }
}
