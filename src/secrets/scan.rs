//! Goes through bytes window by window, so that memory is bounded whatever the size of a file or of a line, and tells each hit
//! by line and column.
//!
//! Must not know: files.

use super::{
    likely,
    own::Own,
    rules::{Kind, PUBLISHED, RULES},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    io::{self, Read},
};

/// Bytes that are looked at together.
const WINDOW: usize = 256 * 1024;
/// Bytes that two windows share: more than any match is long.
const OVERLAP: usize = 8 * 1024;
/// Memory that compiled patterns may take: they are all ours.
const COMPILED: usize = 64 << 20;
/// Files whose first bytes hold a zero are binary: names of secrets mean nothing there, formats do.
const PEEK: usize = 8 * 1024;
/// A line that holds this is looked over on purpose.
const ALLOWED: &[u8] = b"hookdrill:allow";

/// One secret that was found. The secret itself is not in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hit {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Byte within the line, from 1.
    pub column: u64,
    /// The rule, or `own-secret`.
    pub rule: String,
    /// What it is.
    pub about: String,
    /// Its beginning, where that is no secret, and its length.
    pub shown: String,
    /// Names this secret in a file of allowed ones; it cannot be turned back.
    pub fingerprint: String,
}

/// Everything that is looked for.
pub struct Scanner {
    set: RegexSet,
    rules: Vec<Regex>,
    own: Vec<OwnSpelling>,
    own_set: Option<Regex>,
    allowed: BTreeSet<String>,
}

struct OwnSpelling {
    name: String,
    how: &'static str,
    text: Vec<u8>,
}

/// Over bytes: files need not be UTF-8.
fn compiled(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).unicode(false).size_limit(COMPILED).build().ok()
}

/// Where a hit is within a file, and what it is.
struct Found {
    at: u64,
    rule: String,
    about: String,
    secret: Vec<u8>,
    shown: String,
}

impl Scanner {
    /// Looks for what the rules say and for these own secrets, but not for those whose fingerprints are allowed.
    pub fn new(own: &[Own], allowed: BTreeSet<String>) -> Self {
        let rules: Vec<Regex> = RULES.iter().filter_map(|rule| compiled(rule.pattern)).collect();
        let all = RULES.iter().map(|rule| rule.pattern);
        let set = RegexSetBuilder::new(all).unicode(false).size_limit(COMPILED).build();
        let set = set.unwrap_or_else(|_| RegexSet::empty());
        debug_assert_eq!((rules.len(), set.len()), (RULES.len(), RULES.len()), "every pattern is one");
        let spelled = |own: &Own| -> Vec<OwnSpelling> {
            let all = own.spellings().into_iter();
            all.map(|(how, text)| OwnSpelling { name: own.name().to_owned(), how, text: text.into_bytes() }).collect()
        };
        let own: Vec<OwnSpelling> = own.iter().flat_map(spelled).collect();
        let either: Vec<String> = own.iter().map(|one| regex::escape(&String::from_utf8_lossy(&one.text))).collect();
        let own_set = (!either.is_empty()).then(|| compiled(&either.join("|"))).flatten();
        Self { set, rules, own, own_set, allowed }
    }

    /// All hits of one file, in order, and how many bytes it had.
    ///
    /// # Errors
    /// What reading says; what was found before is lost with it.
    pub fn scan(&self, file: &str, reader: &mut dyn Read) -> io::Result<(Vec<Hit>, u64)> {
        let (mut window, mut start, mut lines) = (Vec::with_capacity(WINDOW + OVERLAP), 0_u64, Lines::default());
        let (mut hits, mut binary, mut reported_to) = (Vec::new(), None, 0_u64);
        loop {
            let before = window.len();
            let read = reader.take((WINDOW + OVERLAP - before) as u64).read_to_end(&mut window)?;
            let last = read == 0 || window.len() < WINDOW + OVERLAP;
            let binary = *binary.get_or_insert_with(|| window[..window.len().min(PEEK)].contains(&0));
            // What begins in the part that comes again is told then: it may go on.
            let told_to = if last { window.len() } else { WINDOW };
            let mut found = self.found(&window, binary);
            found.sort_by_key(|one| one.at);
            for one in found {
                let at = usize::try_from(one.at).unwrap_or(usize::MAX);
                let absolute = start + one.at;
                if at >= told_to
                    || absolute < reported_to
                    || line_around(&window, at).is_some_and(|l| contains(l, ALLOWED))
                {
                    continue;
                }
                reported_to = absolute + one.secret.len() as u64;
                let (line, column) = lines.place(&window, start, at);
                hits.extend(self.hit(file, line, column, one));
            }
            if last {
                return Ok((hits, start + window.len() as u64));
            }
            lines.pass(&window, start, WINDOW);
            window.drain(..WINDOW);
            start += WINDOW as u64;
        }
    }

    fn hit(&self, file: &str, line: u64, column: u64, found: Found) -> Option<Hit> {
        let digest = Sha256::digest([found.rule.as_bytes(), b"\0", &found.secret].concat());
        let fingerprint = hex::encode(&digest[..8]);
        let (rule, about, shown) = (found.rule, found.about, found.shown);
        (!self.allowed.contains(&fingerprint)).then(|| Hit {
            file: file.to_owned(),
            line,
            column,
            rule,
            about,
            shown,
            fingerprint,
        })
    }

    /// Hits of one window; own secrets first, since a rule might find them too.
    fn found(&self, window: &[u8], binary: bool) -> Vec<Found> {
        let mut found = Vec::new();
        if let Some(set) = &self.own_set {
            found.extend(set.find_iter(window).filter_map(|hit| {
                let own = self.own.iter().find(|own| own.text == hit.as_bytes())?;
                Some(Found {
                    at: hit.start() as u64,
                    rule: "own-secret".to_owned(),
                    about: format!("{} {}", own.name, own.how),
                    secret: hit.as_bytes().to_vec(),
                    shown: format!("[redacted, {} bytes]", hit.len()),
                })
            }));
        }
        for index in self.set.matches(window) {
            let rule = &RULES[index];
            if binary && rule.kind == Kind::Named {
                continue;
            }
            for captures in self.rules[index].captures_iter(window) {
                let Some(secret) = captures.name("s").or_else(|| captures.get(0)) else { continue };
                let text = String::from_utf8_lossy(secret.as_bytes());
                let overlaps = |one: &Found| {
                    one.at < secret.end() as u64 && one.at + one.secret.len() as u64 > secret.start() as u64
                };
                if !is_likely(rule.id, rule.kind, &text) || found.iter().any(overlaps) {
                    continue;
                }
                found.push(Found {
                    at: secret.start() as u64,
                    rule: rule.id.to_owned(),
                    about: rule.about.to_owned(),
                    secret: secret.as_bytes().to_vec(),
                    shown: shown(rule.kind, &text),
                });
            }
        }
        found
    }
}

fn is_likely(id: &str, kind: Kind, text: &str) -> bool {
    if PUBLISHED.contains(&text) {
        return false;
    }
    match kind {
        Kind::Format => likely::of_a_format(text),
        Kind::Named if id == "database-password" => likely::of_a_url(text),
        Kind::Named => likely::of_a_name(text),
        Kind::Jwt => {
            let claims = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
            let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap_or_default();
            claims["role"] == "service_role"
        }
    }
}

/// The prefix of a published format tells whose it is and opens nothing.
fn shown(kind: Kind, text: &str) -> String {
    let prefix = match kind {
        Kind::Format => text.find(['_', '-', '.']).map_or("", |at| {
            let more = ["live_", "test_"].into_iter().find(|word| text[at + 1..].starts_with(word)).map_or(0, str::len);
            &text[..=at + more]
        }),
        Kind::Named | Kind::Jwt => "",
    };
    let prefix = if prefix.len() > 12 { "" } else { prefix };
    format!("{prefix}[redacted, {} bytes]", text.len() - prefix.len())
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

/// The line around a place, as far as it is in the window; nothing of lines that no person writes.
fn line_around(window: &[u8], at: usize) -> Option<&[u8]> {
    let from = window[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
    let to = window[at..].iter().position(|byte| *byte == b'\n').map_or(window.len(), |n| at + n);
    (to - from <= 4096).then(|| &window[from..to])
}

/// Lines that were passed.
#[derive(Default)]
struct Lines {
    /// Ends of lines before the window.
    before: u64,
    /// Where the line begins that the window begins in.
    line_start: u64,
}

impl Lines {
    fn place(&self, window: &[u8], start: u64, at: usize) -> (u64, u64) {
        let passed = &window[..at];
        let ends = passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        let line_start =
            passed.iter().rposition(|byte| *byte == b'\n').map_or(self.line_start, |n| start + n as u64 + 1);
        (self.before + ends + 1, start + at as u64 - line_start + 1)
    }

    fn pass(&mut self, window: &[u8], start: u64, bytes: usize) {
        let passed = &window[..bytes];
        self.before += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Some(last) = passed.iter().rposition(|byte| *byte == b'\n') {
            self.line_start = start + last as u64 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In two parts, so that no scanner takes this file for a leak.
    fn key() -> String {
        ["sk_test", "_9fK2mQ7vZx4LpR8sTb3WnY6d"].concat()
    }

    fn scan(text: &[u8]) -> Vec<Hit> {
        let own = Own::new("DESK", "desk/secret+4711").expect("long enough");
        Scanner::new(&[own], BTreeSet::new()).scan("f", &mut &text[..]).expect("read").0
    }

    #[test]
    fn every_rule_is_a_pattern_and_has_a_name_of_its_own() {
        for rule in RULES {
            assert!(compiled(rule.pattern).is_some(), "{}", rule.id);
        }
        assert_eq!(RULES.iter().map(|rule| rule.id).collect::<BTreeSet<_>>().len(), RULES.len());
    }

    #[test]
    fn a_hit_has_line_and_column_and_shows_no_secret() {
        let hits = scan(format!("one\ntwo {} x\n", key()).as_bytes());
        assert_eq!(hits.len(), 1);
        assert_eq!((hits[0].line, hits[0].column, hits[0].rule.as_str()), (2, 5, "stripe-secret-key"));
        assert_eq!(hits[0].shown, "sk_test_[redacted, 24 bytes]");
    }

    #[test]
    fn what_lies_across_two_windows_is_found_once() {
        for at in [WINDOW - 5, WINDOW, WINDOW + 3, WINDOW + OVERLAP - 4, 2 * WINDOW - 10] {
            let mut text = vec![b'.'; at - 1];
            text.push(b'\n');
            text.extend(key().into_bytes());
            text.extend(vec![b' '; 2 * WINDOW]);
            let hits = scan(&text);
            assert_eq!(hits.iter().map(|hit| (hit.line, hit.column)).collect::<Vec<_>>(), [(2, 1)], "at {at}");
        }
    }

    #[test]
    fn own_secrets_are_found_in_each_spelling() {
        for text in [
            "desk/secret+4711",
            "desk%2Fsecret%2B4711",
            "6465736b2f7365637265742b34373131",
            "dXNlcjpkZXNrL3NlY3JldCs0NzExOng=",
        ] {
            let hits = scan(text.as_bytes());
            assert_eq!(hits.len(), 1, "{text}");
            assert!(hits[0].rule == "own-secret" && hits[0].about.starts_with("DESK "), "{:?}", hits[0]);
        }
    }

    #[test]
    fn an_allowed_line_and_an_allowed_fingerprint_are_passed_over() {
        let text = format!("{}  // hookdrill:allow\n{}\n", key(), key());
        let hits = scan(text.as_bytes());
        assert_eq!(hits.iter().map(|hit| hit.line).collect::<Vec<_>>(), [2]);
        let allowed = BTreeSet::from([hits[0].fingerprint.clone()]);
        assert!(Scanner::new(&[], allowed).scan("f", &mut text.as_bytes()).expect("read").0.is_empty());
    }

    #[test]
    fn binary_files_are_looked_through_for_formats_alone() {
        let named = b"\0\0client_secret: \"9fK2mQ7vZx4LpR8sTb3WnY6d\"";
        assert!(scan(named).is_empty());
        assert_eq!(scan(&named[2..]).len(), 1);
        assert_eq!(scan(format!("\0{}\0", key()).as_bytes()).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn an_own_secret_is_found_wherever_it_stands(before in "[a-z\n]{0,40}", after in "[a-z\n]{0,40}") {
            let hits = scan(format!("{before}desk/secret+4711{after}").as_bytes());
            proptest::prop_assert_eq!(hits.len(), 1);
        }
    }
}
