//! What is known to be somebody's, from fields that say so: names, addresses, numbers. It is then found elsewhere too, in
//! sentences, references and links.
//!
//! Must not know: what stands for a value.

use super::{
    link,
    policy::Class,
    text::{Piece, folded, is_token_char, pieces},
    vocabulary,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Shorter words would be found in too much else; they are known only together with those beside them.
const SHORTEST: usize = 3;

/// Tokens with digits (tax ids, fingerprints) from this length on.
const SHORTEST_NUMBER: usize = 6;

/// Fields whose single words say little about anybody.
const BROAD: &[&str] = &[
    "line1",
    "line2",
    "line_1",
    "line_2",
    "street",
    "address",
    "addr",
    "state",
    "region",
    "province",
    "county",
    "gender",
    "nationality",
    "job_title",
    "issuer",
    "bank_name",
    "label",
    "building",
    "suite",
    "district",
    "postal_code",
    "zip",
];

/// Domains that many people share.
const SHARED: &[&str] = &[
    "gmail",
    "googlemail",
    "outlook",
    "hotmail",
    "live",
    "yahoo",
    "icloud",
    "proton",
    "protonmail",
    "gmx",
    "web",
    "aol",
    "mail",
    "example",
    "test",
    "localhost",
    "mailinator",
    "fastmail",
    "zoho",
    "me",
    "msn",
];

/// Names of mailboxes that are nobody's.
const ROLES: &[&str] = &[
    "info", "sales", "support", "billing", "admin", "office", "contact", "hello", "mail", "test", "user", "customer",
    "team",
];

/// Words and phrases, in lower case.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) words: BTreeSet<String>,
    /// By their first word.
    pub(super) phrases: BTreeMap<String, BTreeSet<Vec<String>>>,
    /// Digits of telephones.
    pub(super) phones: BTreeSet<String>,
}

impl Known {
    /// Learns from one text; gives the words that are new.
    pub(super) fn learn(&mut self, key: &str, class: Class, text: &str) -> Vec<String> {
        let mut new = Vec::new();
        for (range, piece) in pieces(text) {
            if piece == Piece::Mail {
                self.mail(&text[range], &mut new);
            } else if piece == Piece::Date && matches!(class, Class::Opaque | Class::Words) {
                self.word(&text[range], &mut new);
            }
        }
        match class {
            Class::Words => {
                for (range, is_link) in link::cut(text) {
                    let part = &text[range];
                    let undone = if is_link { link::decoded(part, false) } else { None };
                    // Hosts and paths are no names; `Ada%20Lovelace` is one.
                    if !part.contains("://") {
                        self.name(key, undone.as_deref().unwrap_or(part), &mut new);
                    }
                }
            }
            Class::Opaque => {
                for token in tokens(text).filter(|token| token.len() >= SHORTEST_NUMBER && has_digit(token)) {
                    self.word(&token, &mut new);
                }
            }
            Class::Phone => {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                if digits.len() > SHORTEST_NUMBER && self.phones.insert(digits.clone()) {
                    new.push(digits);
                }
            }
            Class::Keep | Class::Loose | Class::Sentence | Class::Hosted | Class::Site => {}
        }
        new
    }

    fn name(&mut self, key: &str, text: &str, new: &mut Vec<String>) {
        if text.contains('@') {
            return;
        }
        let words: Vec<String> = tokens(text).collect();
        if words.len() > 1 {
            let together = words.concat();
            if !BROAD.contains(&key) && !has_digit(&together) {
                self.word(&together, new);
            }
            let first = words[0].clone();
            self.phrases.entry(first).or_default().insert(words.clone());
        }
        if BROAD.contains(&key) {
            return;
        }
        for word in words.iter().filter(|word| !has_digit(word)) {
            self.word(word, new);
        }
    }

    fn mail(&mut self, address: &str, new: &mut Vec<String>) {
        let Some((name, domain)) = address.split_once('@') else { return };
        let words: Vec<String> = tokens(name).filter(|word| !ROLES.contains(&&**word)).collect();
        for word in words.iter().filter(|word| word.chars().count() > SHORTEST) {
            self.word(word, new);
        }
        let domain: Vec<String> = domain.split('.').map(str::to_lowercase).collect();
        let own = domain.first().filter(|label| domain.len() > 1 && !SHARED.contains(&&***label));
        for word in own.into_iter().flat_map(|label| tokens(label).collect::<Vec<_>>()) {
            self.word(&word, new);
        }
    }

    fn word(&mut self, word: &str, new: &mut Vec<String>) {
        if word.chars().count() >= SHORTEST && !vocabulary::holds(word) && self.words.insert(word.to_owned()) {
            new.push(word.to_owned());
        }
    }

    /// Whether digits, without their separators, are those of somebody's telephone.
    pub(super) fn is_phone(&self, digits: &str) -> bool {
        self.phones.contains(digits)
    }

    /// Which of the pieces of a text are words that are known, alone or as a phrase.
    pub(super) fn found(&self, text: &str, pieces: &[(Range<usize>, Piece)]) -> Vec<bool> {
        let lower: Vec<String> = pieces.iter().map(|(range, _)| folded(&text[range.clone()])).collect();
        let mut known: Vec<bool> = lower.iter().map(|word| self.words.contains(word)).collect();
        for at in 0..lower.len() {
            for phrase in self.phrases.get(&lower[at]).into_iter().flatten() {
                if lower[at..].starts_with(phrase) {
                    known[at..at + phrase.len()].fill(true);
                }
            }
        }
        known
    }
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Runs of letters and digits, in lower case.
fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c| !is_token_char(c)).filter(|token| !token.is_empty()).map(folded)
}
