//! Finds within one text what is to be exchanged: addresses, numbers of telephones, cards and machines, tokens, words.
//!
//! Must not know: keys, JSON.

use super::policy;
use crate::stripe::rekey::is_uuid;
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
};

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Mail,
    V4,
    V6,
    /// A day: `1961-02-11`, `11/02/1961`.
    Date,
    /// The number of a telephone, with its separators.
    Phone,
    /// The number of a card, of social security and the like.
    Digits,
    /// The secret part of a `…_secret_…`, a key, a token.
    Secret,
    /// An id or a UUID: stays.
    Id,
    /// An amount of money or a quantity: stays.
    Amount,
    /// A run of letters and digits.
    Token,
}

/// Characters that a word may have beyond letters and digits: marks of scripts that put vowels or accents in characters of
/// their own.
pub(super) fn is_token_char(c: char) -> bool {
    c.is_alphanumeric()
        || !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !"–—‐‑’‘“”„…·•×€£¥«»¡¿、。，（）".contains(c)
}

/// A word as it is compared: `MÜSSIG`, `Müßig` and `müssig` are one.
pub(super) fn folded(word: &str) -> String {
    word.to_uppercase().to_lowercase()
}

/// The pieces of a text, in order; what lies between them is neither letter nor digit.
pub(super) fn pieces(text: &str) -> Vec<(Range<usize>, Piece)> {
    let mut found: Vec<(Range<usize>, Piece)> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if !is_token_char(c) && c != '+' && c != '(' && c != ':' {
            at += c.len_utf8();
            continue;
        }
        let (end, piece) = piece(text, at);
        found.extend(piece.map(|piece| (at..end, piece)));
        at = end.max(at + c.len_utf8());
    }
    found
}

fn piece(text: &str, at: usize) -> (usize, Option<Piece>) {
    let boundary = !text[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
    let special = [mail, v6, v4, date, number, id, amount];
    if boundary && let Some(found) = special.iter().find_map(|find| find(text, at)) {
        return (found.0, Some(found.1));
    }
    let end = text[at..].find(|c| !is_token_char(c)).map_or(text.len(), |length| at + length);
    (end, (end > at).then_some(Piece::Token))
}

type Found = Option<(usize, Piece)>;

/// An e-mail address that begins at `at`, in any script.
fn mail(text: &str, at: usize) -> Found {
    let is_name = |c: char| is_token_char(c) || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let name = text[at..].find(|c| !is_name(c)).filter(|length| *length > 0)?;
    let domain = text[at + name..].strip_prefix('@')?;
    let length = domain.find(|c: char| !is_token_char(c) && c != '.' && c != '-').unwrap_or(domain.len());
    let domain = domain[..length].trim_end_matches(['.', '-']);
    // `?email=ada@x.org`: the name begins behind the last sign that addresses rarely have.
    let inner = text[at..at + name].rfind(['=', '&', '?', '/']).map_or(0, |cut| cut + 1);
    (inner == 0 && !domain.is_empty()).then_some((at + name + 1 + domain.len(), Piece::Mail))
}

fn v4(text: &str, at: usize) -> Found {
    let end = text[at..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.len(), |length| at + length);
    let address: Ipv4Addr = text[at..end].trim_end_matches('.').parse().ok()?;
    let stays = address.is_loopback() || address.is_unspecified();
    Some((
        at + address.to_string().len().max(text[at..end].trim_end_matches('.').len()),
        if stays { Piece::Id } else { Piece::V4 },
    ))
}

fn v6(text: &str, at: usize) -> Found {
    let end = text[at..].find(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.').map_or(text.len(), |n| at + n);
    let run = text[at..end].trim_end_matches('.');
    let address: Ipv6Addr = Some(run).filter(|run| run.matches(':').count() > 1)?.parse().ok()?;
    let stays = address.is_loopback() || address.is_unspecified();
    Some((at + run.len(), if stays { Piece::Id } else { Piece::V6 }))
}

/// A day, by its numbers: year, month and day or the other way round.
fn date(text: &str, at: usize) -> Found {
    let run =
        &text[at..text[at..].find(|c: char| !c.is_ascii_digit() && !"-/.".contains(c)).map_or(text.len(), |n| at + n)];
    let run = run.trim_end_matches(['-', '/', '.']);
    // `2025-01-02T10:00` has a day in it, `2025-01-02a` none.
    let behind = &text[at + run.len()..];
    let alone = !behind.starts_with(|c: char| is_token_char(c) || c == '_') || behind.starts_with('T');
    is_date(run).then_some((at + run.len(), Piece::Date)).filter(|_| alone)
}

/// Whether a text is a day and nothing else.
pub(super) fn is_date(text: &str) -> bool {
    let Some(sign) = text.chars().find(|c| "-/.".contains(*c)) else { return false };
    let numbers: Vec<(usize, u16)> = text.split(sign).map(|part| (part.len(), part.parse().unwrap_or(0))).collect();
    let small = |(length, number): (usize, u16), most: u16| length <= 2 && (1..=most).contains(&number);
    let day_and_month = |one, other| small(one, 31) && small(other, 12) || small(one, 12) && small(other, 31);
    let is_year = |(length, number): (usize, u16)| length == 4 && (1900..2100).contains(&number);
    match numbers[..] {
        [year, month, day] if is_year(year) => day_and_month(month, day),
        [day, month, year] if is_year(year) => day_and_month(day, month),
        _ => false,
    }
}

/// Telephones, cards, social security.
fn number(text: &str, at: usize) -> Found {
    let end = text[at..].find(|c: char| !c.is_ascii_digit() && !" +()-.".contains(c)).map_or(text.len(), |n| at + n);
    // `order_4711-12` and `4a`: letters at its end mean another thing.
    if text[end..].starts_with(|c: char| is_token_char(c) || c == '_') && !text[at..end].ends_with(' ') {
        return None;
    }
    let run = text[at..end].trim_end_matches(|c: char| !c.is_ascii_digit());
    let digits: String = run.chars().filter(char::is_ascii_digit).collect();
    let groups: Vec<usize> = run.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|n| *n > 0).collect();
    let found = |piece| Some((at + run.len(), piece));
    if run.starts_with('+') && (7..=15).contains(&digits.len()) {
        return found(Piece::Phone);
    }
    if (13..=19).contains(&digits.len()) && is_card(&digits) && !run.contains(['.', '+']) {
        return found(Piece::Digits);
    }
    match groups[..] {
        [3, 2, 4] if run.contains('-') => found(Piece::Digits),
        [3, 3, 4] | [1, 3, 3, 4] => found(Piece::Phone),
        _ => None,
    }
}

/// The check digit of cards (Luhn).
fn is_card(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let value = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10) && digits.bytes().any(|byte| byte != b'0')
}

/// Ids of Stripe's and UUIDs stay; of `pi_1_secret_2` the secret goes.
fn id(text: &str, at: usize) -> Found {
    let uuid = text.get(at..at + 36).is_some_and(|text| is_uuid(&text.to_ascii_lowercase()));
    if uuid {
        return Some((at + 36, Piece::Id));
    }
    let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(text.len(), |n| at + n);
    let word = &text[at..end];
    if let Some(secret) =
        word.find("_secret_").filter(|_| policy::is_id(word.split("_secret_").next().unwrap_or_default()))
    {
        return Some((at + secret + "_secret_".len(), Piece::Id));
    }
    if text[..at].ends_with("_secret_") || ["sk_", "rk_", "whsec_"].iter().any(|start| word.starts_with(start)) {
        return Some((end, Piece::Secret));
    }
    let end_of_token =
        text[at..].find(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).map_or(text.len(), |n| at + n);
    if word.starts_with("eyJ") && text[at..end_of_token].matches('.').count() == 2 {
        return Some((end_of_token, Piece::Secret));
    }
    policy::is_id(word).then_some((end, Piece::Id))
}

/// `$20.00`, `20,00 EUR`, `2 ×`.
fn amount(text: &str, at: usize) -> Found {
    let length = text[at..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len() - at);
    let end = at + text[at..at + length].trim_end_matches(['.', ',']).len();
    let before = text[..at].trim_end().ends_with(['$', '€', '£', '¥']);
    let behind = text[end..].trim_start();
    let counted = behind.starts_with('×') || behind.starts_with("x ");
    let money =
        behind.starts_with(['€', '%']) || ["EUR", "USD", "GBP", "CHF"].iter().any(|code| behind.starts_with(code));
    (end > at && (before || counted || money)).then_some((end, Piece::Amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Piece)> {
        pieces(text)
            .into_iter()
            .filter(|(_, piece)| *piece != Piece::Token)
            .map(|(range, piece)| (&text[range], piece))
            .collect()
    }

    #[test]
    fn pieces_are_found_whole() {
        for (text, expected, kind) in [
            ("to Ada <ada.b+c@x-y.co.uk>, now", "ada.b+c@x-y.co.uk", Piece::Mail),
            ("jürgen@müller.de", "jürgen@müller.de", Piece::Mail),
            ("?email=ada@x.org&a=1", "ada@x.org", Piece::Mail),
            ("from 84.12.3.4.", "84.12.3.4", Piece::V4),
            ("from 2a00:1450::8a.", "2a00:1450::8a", Piece::V6),
            ("call +49 (0)30 123-456 7 now", "+49 (0)30 123-456 7", Piece::Phone),
            ("call (415) 555-2671", "(415) 555-2671", Piece::Phone),
            ("4242 4242 4242 4242", "4242 4242 4242 4242", Piece::Digits),
            ("078-05-1120", "078-05-1120", Piece::Digits),
            ("on 1961-02-11.", "1961-02-11", Piece::Date),
            ("31/12/1961", "31/12/1961", Piece::Date),
            ("cus_TZbnffBNpdag7f", "cus_TZbnffBNpdag7f", Piece::Id),
            ("x 1ac6bd2a-1a20-4d0b-b888-1370389de891", "1ac6bd2a-1a20-4d0b-b888-1370389de891", Piece::Id),
            ("1 × Pro", "1", Piece::Amount),
            ("(at $20.00 / month)", "20.00", Piece::Amount),
            ("localhost 127.0.0.1", "127.0.0.1", Piece::Id),
        ] {
            assert_eq!(found(text), [(expected, kind)], "{text}");
        }
        assert_eq!(
            found("pi_1SpnLRQmZ4abc_secret_Xyz9"),
            [("pi_1SpnLRQmZ4abc_secret_", Piece::Id), ("Xyz9", Piece::Secret)]
        );
        assert_eq!(found("at 10:30:05, 1.2.3, 2026-13-23, 2026-11-23a, order_4711-12, a@"), []);
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_in_order_and_miss_no_letter(text in ".*") {
            let mut at = 0;
            for (range, _) in pieces(&text) {
                proptest::prop_assert!(range.start >= at && range.end > range.start);
                proptest::prop_assert!(!text[at..range.start].contains(char::is_alphanumeric), "{text:?}");
                at = range.end;
            }
            proptest::prop_assert!(!text[at..].contains(char::is_alphanumeric));
        }
    }
}
