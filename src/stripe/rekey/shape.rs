//! Makes one opaque text from another of the same shape: digit for digit, small letter for small letter, capital for
//! capital, everything else as it was.
//!
//! It is a permutation (a small Feistel network over the letters and digits): two texts that differ never become
//! the same, whatever else a recording holds.
//! Must not know: what the text stands for.

use crate::rng::Streams;

/// Enough rounds to mix both halves; nothing here is meant to withstand an attack.
const ROUNDS: u8 = 4;

/// Texts with fewer possible values than two to this power grow: a thousand customers must stay apart.
const ENOUGH_BITS: f64 = 36.0;

/// Length that a short id grows to, as most of Stripe's ids have.
const GROWN: usize = 14;

/// Length that a short decimal number grows to: it still fits 32 bits.
const GROWN_NUMBER: usize = 9;

/// Where new texts come from: same seed and scope, same texts.
#[derive(Clone, Debug)]
pub(super) struct Source {
    streams: Streams,
    scope: String,
}

/// Letters and digits that may stand at one place.
struct Alphabet {
    first: u8,
    size: u8,
}

impl Source {
    pub(super) fn new(seed: u64, scope: String) -> Self {
        Self { streams: Streams::new(seed), scope }
    }

    /// A text of the shape of `text`. `kind` separates families: equal texts of two kinds become different ones.
    pub(super) fn reshape(&self, kind: &str, text: &str) -> String {
        let mut new = text.as_bytes().to_vec();
        let places = places(text);
        let mut symbols: Vec<u8> = places.iter().map(|(at, alphabet)| alphabet.symbol(new[*at])).collect();
        self.permute(kind, &mut symbols, &places);
        for ((at, alphabet), symbol) in places.iter().zip(symbols) {
            new[*at] = alphabet.letter(symbol);
        }
        String::from_utf8(new).unwrap_or_else(|_| text.to_owned())
    }

    /// As [`Self::reshape`], but a text that is too short to keep a thousand customers apart grows.
    pub(super) fn reshape_or_grow(&self, kind: &str, text: &str) -> String {
        let mut new = self.reshape(kind, text);
        let bits: f64 = places(text).iter().map(|(_, alphabet)| f64::from(alphabet.size).log2()).sum();
        if bits >= ENOUGH_BITS {
            return new;
        }
        let number = is_number(text);
        let (length, base) = if number { (GROWN_NUMBER, 10) } else { (GROWN, 36) };
        let missing = length.saturating_sub(text.len()).max(usize::from(!number));
        new.push_str(&self.letters(&format!("{kind}/grown/{text}"), missing, base));
        new
    }

    /// `count` (32 at most) digits and small letters that depend on `site` alone.
    pub(super) fn letters(&self, site: &str, count: usize, base: u8) -> String {
        let digest = self.streams.digest(&format!("rekey/{}/{site}", self.scope));
        digest
            .iter()
            .take(count)
            .map(|byte| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::from(byte % base)]))
            .collect()
    }

    fn permute(&self, kind: &str, symbols: &mut [u8], places: &[(usize, Alphabet)]) {
        let middle = symbols.len() / 2;
        for round in 0..ROUNDS {
            let (left, right) = symbols.split_at_mut(middle);
            let (target, given, first) = if round % 2 == 0 { (left, right, 0) } else { (right, left, middle) };
            let given = hex::encode(given);
            for (block, chunk) in target.chunks_mut(32).enumerate() {
                let site = format!("rekey/{}/{kind}/{round}/{block}/{given}", self.scope);
                let digest = self.streams.digest(&site);
                for (index, symbol) in chunk.iter_mut().enumerate() {
                    let size = u16::from(places[first + block * 32 + index].1.size);
                    let moved = (u16::from(*symbol) + u16::from(digest[index])) % size;
                    *symbol = u8::try_from(moved).unwrap_or(0);
                }
            }
        }
    }
}

impl Alphabet {
    const DIGITS: Self = Self { first: b'0', size: 10 };
    const NOT_ZERO: Self = Self { first: b'1', size: 9 };
    const SMALL: Self = Self { first: b'a', size: 26 };
    const CAPITALS: Self = Self { first: b'A', size: 26 };
    /// Sixteen digits, small letters after nine.
    const HEX: Self = Self { first: 0, size: 16 };

    fn symbol(&self, letter: u8) -> u8 {
        match (self.first, letter) {
            (0, b'a'..) => letter - b'a' + 10,
            (0, _) => letter - b'0',
            (first, _) => letter - first,
        }
    }

    fn letter(&self, symbol: u8) -> u8 {
        match (self.first, symbol) {
            (0, 10..) => b'a' + symbol - 10,
            (0, _) => b'0' + symbol,
            (first, _) => first + symbol,
        }
    }
}

/// Which bytes of `text` are exchanged, and for what. Depends on the shape alone, and the result has the same shape.
fn places(text: &str) -> Vec<(usize, Alphabet)> {
    let uuid = is_uuid(text);
    let hex = uuid || is_hex(text);
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number(text);
    let alphabet = |at: usize, byte: u8| match byte {
        // Version and variant of a UUID say how it was made.
        _ if uuid && (at == 14 || at == 19) => None,
        b'0'..=b'9' | b'a'..=b'f' if hex => Some(Alphabet::HEX),
        b'0'..=b'9' if number && at == 0 => Some(Alphabet::NOT_ZERO),
        b'0' if digits && at == 0 => None,
        b'0'..=b'9' => Some(Alphabet::DIGITS),
        b'a'..=b'z' => Some(Alphabet::SMALL),
        b'A'..=b'Z' => Some(Alphabet::CAPITALS),
        _ => None,
    };
    text.bytes().enumerate().filter_map(|(at, byte)| Some((at, alphabet(at, byte)?))).collect()
}

/// A decimal number without leading zeros.
fn is_number(text: &str) -> bool {
    !text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A long text of hex digits. The result may lack letters or digits; it is then still one by its length.
fn is_hex(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `8-4-4-4-12` hex digits, small letters.
pub(in crate::stripe) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn source(scope: &str) -> Source {
        Source::new(7, scope.to_owned())
    }

    #[test]
    fn keeps_the_shape() {
        let new = source("a").reshape("x", "3SpnLRQmZ4-é_08");
        let classes =
            |text: &str| -> Vec<_> { text.chars().map(|c| (c.is_ascii_digit(), c.is_ascii_lowercase())).collect() };
        assert_eq!(classes(&new), classes("3SpnLRQmZ4-é_08"));
        let uuid = "1ac6bd2a-1a20-4d0b-b888-1370389de891";
        let new = source("a").reshape("x", uuid);
        assert!(is_uuid(&new) && new != uuid && &new[14..15] == "4" && &new[19..20] == "b", "{new}");
    }

    #[test]
    fn is_a_permutation() {
        let all: BTreeSet<String> = (0..1000).map(|n| source("a").reshape("x", &format!("{n:03}-"))).collect();
        assert_eq!(all.len(), 1000);
        let numbers: BTreeSet<String> = (100..1000).map(|n| source("a").reshape("x", &n.to_string())).collect();
        assert_eq!(numbers.len(), 900);
        assert!(numbers.iter().all(|number| !number.starts_with('0')));
    }

    #[test]
    fn short_texts_grow_so_that_customers_stay_apart() {
        let of = |text: &str| -> BTreeSet<String> {
            (0..3000).map(|n| source(&n.to_string()).reshape_or_grow("x", text)).collect()
        };
        for text in ["10", "123", "a", "abc", "35000001"] {
            assert!(of(text).len() >= 2990, "{text}: {}", of(text).len());
        }
        assert_eq!(source("a").reshape_or_grow("x", "TZbnffBNpdag7f").len(), 14);
    }

    proptest::proptest! {
        #[test]
        fn differs_by_scope_kind_and_seed(text in "[A-Za-z0-9]{12,80}") {
            let new = source("a").reshape("x", &text);
            proptest::prop_assert_eq!(new.len(), text.len());
            proptest::prop_assert_ne!(&new, &source("b").reshape("x", &text));
            proptest::prop_assert_ne!(&new, &source("a").reshape("y", &text));
            proptest::prop_assert_ne!(&new, &Source::new(8, "a".to_owned()).reshape("x", &text));
        }

        #[test]
        fn any_text_keeps_its_other_characters(text in ".*") {
            let new = source("a").reshape("x", &text);
            let others = |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_alphanumeric()).collect() };
            proptest::prop_assert_eq!(others(&new), others(&text));
        }
    }
}
