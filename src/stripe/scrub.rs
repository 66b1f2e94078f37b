//! Scrubbing: a recording without anybody in it. Names, e-mails, addresses, telephones, card numbers, IPs, tokens and free
//! text are exchanged for made-up ones; ids, amounts, times, the catalogue and the words of the API stay, and so does every
//! byte around what is exchanged.
//!
//! The same value becomes the same substitute in all events of a recording, wherever it stands: in a field of its own, in a
//! sentence, in `previous_attributes`, percent-encoded in a link, in JSON or base64 within a text. References between events
//! outlive it.
//! Must not know: files, sockets, where the key comes from.

mod known;
mod link;
mod policy;
mod substitute;
mod text;
mod vocabulary;

use super::rekey::{
    recognise,
    scan::{Decoded, Scalar, Token, walk},
    words::{Edit, escaped, splice},
};
use base64::{Engine, engine::general_purpose};
use known::Known;
use link::Part;
use policy::{Class, Place};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use substitute::Substitutes;
use text::Piece;

/// Texts within texts (JSON in base64 in a link) are followed so far.
const DEEPEST: usize = 5;

/// Parts of hosted links from this length on are opaque tokens.
const OPAQUE_PART: usize = 16;

/// Shortest base64 that is looked into.
const SHORTEST_BASE64: usize = 12;

/// Exchanges what is personal, consistently over all texts that it is given.
#[derive(Debug)]
pub struct Scrubber {
    substitutes: Substitutes,
    known: Known,
    /// When only these words are to be exchanged: a text that was scrubbed before.
    only: Option<BTreeSet<String>>,
    /// Words that stayed for now, see [`Scrubbed::loose`].
    loose: BTreeSet<String>,
}

/// A scrubbed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// The text.
    pub text: String,
    /// How many places were exchanged.
    pub changed: usize,
    /// Words that stayed and that a later event may show to be somebody's name, in lower case.
    pub loose: BTreeSet<String>,
}

impl Scrubber {
    /// A scrubber with a key, which must be random and be kept nowhere: who has it can try names.
    pub const fn new(key: [u8; 32]) -> Self {
        Self {
            substitutes: Substitutes::new(key),
            known: Known { words: BTreeSet::new(), phrases: BTreeMap::new(), phones: BTreeSet::new() },
            only: None,
            loose: BTreeSet::new(),
        }
    }

    /// Takes note of names and numbers in a body, so that they are found in sentences and references of all others. Gives
    /// the words that were not known.
    pub fn learn(&mut self, body: &str) -> BTreeSet<String> {
        let mut new = BTreeSet::new();
        self.learn_json(body, false, 0, &mut new);
        // A made-up word that happens to be somebody's name stays what it is.
        new.retain(|word| !self.substitutes.is_made_up(word));
        new
    }

    /// The body of an event, or other JSON, without what is personal.
    pub fn scrub(&mut self, body: &str) -> Scrubbed {
        self.loose.clear();
        let edits = self.json_edits(body, false, 0);
        Scrubbed { changed: edits.len(), text: splice(body, edits), loose: std::mem::take(&mut self.loose) }
    }

    /// A body that was scrubbed before, without the words that turned out to be somebody's since.
    pub fn scrub_words(&mut self, body: &str, words: &BTreeSet<String>) -> Scrubbed {
        self.only = Some(words.clone());
        let scrubbed = self.scrub(body);
        self.only = None;
        scrubbed
    }

    /// A text that is no JSON: the value of a header, a line of a file.
    pub fn line(&mut self, text: &str) -> String {
        let edits = self.edits("", Class::Loose, text, 0);
        self.loose.clear();
        splice(text, edits)
    }

    fn learn_json(&mut self, body: &str, own: bool, depth: usize, new: &mut BTreeSet<String>) {
        each(body, own, |place, range, token| {
            if token != Kind::Text {
                return;
            }
            let text = readable(&body[range]);
            if depth < DEEPEST && holds_json(&text) {
                return self.learn_json(&text, true, depth + 1, new);
            }
            new.extend(self.known.learn(place.key(), policy::class(place, &text), &text));
        });
    }

    fn json_edits(&mut self, body: &str, own: bool, depth: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        each(body, own, |place, range, kind| match kind {
            Kind::Text => {
                let class = |text: &str| policy::class(place, text);
                edits.extend(self.string_edits(place.key(), class, &body[range.clone()], range.start, depth));
            }
            Kind::Number => edits.extend(self.number(place, &body[range.clone()]).map(|new| (range, new))),
            // Stripe's keys are words. The app's own are what it reads by, so what is known to be somebody's goes and no more.
            Kind::Key if place.own => {
                let class = |text: &str| if policy::is_id(text) { Class::Keep } else { Class::Loose };
                edits.extend(self.string_edits("", class, &body[range.clone()], range.start, depth));
            }
            Kind::Key => {}
        });
        edits
    }

    /// Edits of a string as it is written at `start` of the body.
    fn string_edits(
        &mut self,
        key: &str,
        class: impl Fn(&str) -> Class,
        raw: &str,
        start: usize,
        depth: usize,
    ) -> Vec<Edit> {
        let decoded = Decoded::of(raw);
        let text = decoded.text.clone();
        let edits = self.edits(key, class(&text), &text, depth);
        let place = |range: &Range<usize>| {
            let raw = decoded.raw(range);
            start + raw.start..start + raw.end
        };
        edits.into_iter().map(|(range, new)| (place(&range), escaped(new))).collect()
    }

    /// Edits of a text, escapes undone.
    fn edits(&mut self, key: &str, class: Class, text: &str, depth: usize) -> Vec<Edit> {
        if class == Class::Keep || text.is_empty() {
            return Vec::new();
        }
        if depth < DEEPEST
            && let Some(edits) = self.inner_edits(class, text, depth + 1)
        {
            return edits;
        }
        if self.only.is_none() {
            if text::is_date(text) && matches!(class, Class::Opaque | Class::Words | Class::Sentence) {
                return vec![(0..text.len(), self.substitutes.date(text))];
            }
            if class == Class::Opaque {
                return self.opaque_edits(text);
            }
            if class == Class::Phone && !text.chars().any(char::is_alphabetic) {
                return vec![(0..text.len(), self.substitutes.phone(text))];
            }
        }
        if depth == DEEPEST {
            return self.piece_edits(class, text);
        }
        let mut edits = Vec::new();
        for (range, is_link) in link::cut(text) {
            let part = &text[range.clone()];
            let hosted = is_link && recognise::is_hosted("", part);
            let class = if hosted { Class::Hosted } else { class };
            let inner =
                if is_link { self.link_edits(key, class, part, depth + 1) } else { self.piece_edits(class, part) };
            edits.extend(inner.into_iter().map(|(at, new)| (range.start + at.start..range.start + at.end, new)));
        }
        edits
    }

    /// JSON within a text, and text within base64.
    fn inner_edits(&mut self, class: Class, text: &str, depth: usize) -> Option<Vec<Edit>> {
        if holds_json(text) {
            return Some(self.json_edits(text, true, depth));
        }
        if !matches!(class, Class::Loose | Class::Sentence) {
            return None;
        }
        let (inner, encode) = base64_text(text)?;
        let class = policy::class(Place { path: &[], object: "", own: true }, &inner);
        let edits = self.edits("", class, &inner, depth);
        if edits.is_empty() {
            return Some(Vec::new());
        }
        Some(vec![(0..text.len(), encode.encode(splice(&inner, edits)))])
    }

    fn opaque_edits(&mut self, text: &str) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (range, _) in runs(text) {
            let new = self.substitutes.opaque(&text[range.clone()]);
            edits.push((range, new));
        }
        edits
    }

    fn link_edits(&mut self, key: &str, class: Class, text: &str, depth: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (range, part) in link::parts(text) {
            let written = &text[range.clone()];
            let plus = matches!(part, Part::Value(_) | Part::Key);
            let undone = link::decoded(written, plus);
            let plain = undone.as_deref().unwrap_or(written);
            if let Some(new) = self.whole_part(class, part, plain) {
                edits.push((range, new));
                continue;
            }
            let path = match part {
                Part::Value(key) => [key],
                Part::Authority | Part::Path | Part::Key | Part::Fragment => {
                    [if part == Part::Path { key } else { "" }]
                }
            };
            let of_part = match (part, class) {
                // A name with a percent sign in it is no link.
                (Part::Path | Part::Value(_) | Part::Fragment, Class::Words | Class::Sentence)
                    if !text.contains("://") =>
                {
                    class
                }
                (Part::Path | Part::Authority | Part::Key, _) => {
                    policy::class(Place { path: &[], object: "", own: true }, plain)
                }
                (Part::Value(_) | Part::Fragment, _) => {
                    policy::class(Place { path: &path, object: "", own: true }, plain)
                }
            };
            let inner = self.edits(path[0], of_part, plain, depth);
            if undone.is_none() {
                edits.extend(inner.into_iter().map(|(at, new)| (range.start + at.start..range.start + at.end, new)));
            } else if !inner.is_empty() {
                edits.push((range.clone(), link::encoded(&splice(plain, inner), plus && written.contains('+'))));
            }
        }
        edits
    }

    /// Parts of links that go as a whole.
    fn whole_part(&mut self, class: Class, part: Part<'_>, plain: &str) -> Option<String> {
        if self.only.is_some() {
            return None;
        }
        if part == Part::Authority {
            let (user, host) = plain.rsplit_once('@').map_or(("", plain), |(user, host)| (user, host));
            let hidden = if user.is_empty() { String::new() } else { self.substitutes.opaque(user) + "@" };
            if class == Class::Site {
                return Some(format!("{hidden}{}.example.com", self.substitutes.token(host).to_lowercase()));
            }
            return (!user.is_empty()).then(|| hidden + host);
        }
        let digit = plain.bytes().any(|byte| byte.is_ascii_digit());
        let long = plain.len() >= OPAQUE_PART && digit && !policy::is_id(plain);
        if class != Class::Hosted || !long && part != Part::Fragment {
            return None;
        }
        let head = ["test_", "live_"].into_iter().find(|head| plain.starts_with(head)).unwrap_or_default();
        Some(format!("{head}{}", self.substitutes.opaque(&plain[head.len()..])))
    }

    fn piece_edits(&mut self, class: Class, text: &str) -> Vec<Edit> {
        let pieces = text::pieces(text);
        let known = self.known.found(text, &pieces);
        let mut edits = Vec::new();
        for ((range, piece), known) in pieces.into_iter().zip(known) {
            let old = &text[range.clone()];
            if let Some(only) = &self.only {
                if piece == Piece::Token && known && only.contains(&text::folded(old)) {
                    edits.push((range, self.substitutes.token(old)));
                }
                continue;
            }
            let all = matches!(class, Class::Words | Class::Phone | Class::Opaque);
            let new = match piece {
                Piece::Mail => self.substitutes.mail(old),
                Piece::V4 => self.substitutes.v4(old),
                Piece::V6 => self.substitutes.v6(old),
                Piece::Phone => self.substitutes.phone(old),
                Piece::Secret => self.substitutes.opaque(old),
                Piece::Date if all || known || class == Class::Sentence => self.substitutes.date(old),
                Piece::Date => continue,
                Piece::Digits => self.each_run(old),
                Piece::Amount if all => self.each_run(old),
                Piece::Id | Piece::Amount => continue,
                Piece::Token if self.known.is_phone(old) => self.substitutes.phone(old),
                Piece::Token if all || known => self.substitutes.token(old),
                Piece::Token if class == Class::Sentence && !vocabulary::holds(old) => self.substitutes.token(old),
                Piece::Token => {
                    if old.chars().count() > 2 && !vocabulary::holds(old) {
                        self.loose.insert(text::folded(old));
                    }
                    continue;
                }
            };
            edits.push((range, new));
        }
        edits
    }

    fn each_run(&mut self, text: &str) -> String {
        let mut edits = Vec::new();
        for (range, token) in runs(text) {
            edits.push((range, self.substitutes.token(token)));
        }
        splice(text, edits)
    }

    /// Days of birth and places on the map.
    fn number(&mut self, place: Place<'_>, number: &str) -> Option<String> {
        if self.only.is_some() {
            return None;
        }
        let birth = place.path.iter().any(|key| matches!(*key, "dob" | "birthday" | "date_of_birth" | "birth_date"));
        match (place.key(), birth) {
            ("day", true) => Some(self.substitutes.within(number, 1, 28)),
            ("month", true) => Some(self.substitutes.within(number, 1, 12)),
            ("year", true) => Some(self.substitutes.within(number, 1940, 1999)),
            ("latitude" | "longitude" | "lat" | "lng" | "lon", _) => Some("0".to_owned()),
            (
                "phone" | "mobile" | "tel" | "telephone" | "phone_number" | "ssn" | "tax_id" | "postal_code" | "zip",
                _,
            ) => Some(format!("9{}", self.substitutes.digits(&number[1..]))).filter(|_| number.len() > 1),
            _ => None,
        }
    }
}

impl Place<'_> {
    fn key(&self) -> &str {
        self.path.iter().rev().find(|key| **key != super::rekey::scan::ITEM).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Text,
    Number,
}

/// Calls `visit` for every key, string and number of a JSON text with its place.
fn each(body: &str, own: bool, mut visit: impl FnMut(Place<'_>, Range<usize>, Kind)) {
    let (kinds, top) = kinds(body);
    walk(body, |path, starts, token| {
        let (range, kind) = match token {
            Token::Key(range) => (range, Kind::Key),
            Token::Scalar(Scalar::Text(range)) => (range, Kind::Text),
            Token::Scalar(Scalar::Number(range)) => (range, Kind::Number),
        };
        let path: Vec<Cow<'_, str>> = path.iter().map(|key| readable(key)).collect();
        let path: Vec<&str> = path.iter().map(|key| &**key).collect();
        let object = starts.iter().rev().find_map(|start| kinds.get(start)).map_or("", |kind| &**kind);
        let object =
            if matches!(path[..], ["data", "previous_attributes", ..]) && object == "event" { &top } else { object };
        let metadata = path.iter().rev().skip(usize::from(kind == Kind::Key)).any(|key| *key == "metadata");
        visit(Place { path: &path, object, own: own || metadata }, range, kind);
    });
}

/// The `object` of each object of a body, by where that begins; and that of `data.object`.
fn kinds(body: &str) -> (BTreeMap<usize, String>, String) {
    let (mut kinds, mut top) = (BTreeMap::new(), String::new());
    walk(body, |path, starts, token| {
        if let (Token::Scalar(Scalar::Text(range)), Some(&"object"), Some(start)) = (token, path.last(), starts.last())
        {
            if path == ["data", "object", "object"] {
                body[range.clone()].clone_into(&mut top);
            }
            kinds.insert(*start, body[range].to_owned());
        }
    });
    (kinds, top)
}

fn readable(raw: &str) -> Cow<'_, str> {
    if raw.contains('\\') { Cow::Owned(Decoded::of(raw).text) } else { Cow::Borrowed(raw) }
}

/// Runs of letters and digits.
fn runs(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| text::is_token_char(*c)) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end = at + c.len_utf8(),
            _ => found.push(at..at + c.len_utf8()),
        }
    }
    found.into_iter().map(|range| (range.clone(), &text[range])).collect()
}

fn holds_json(text: &str) -> bool {
    let trimmed = text.trim_start();
    trimmed.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The text that is written as base64, and how.
fn base64_text(text: &str) -> Option<(String, &'static general_purpose::GeneralPurpose)> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    if text.len() < SHORTEST_BASE64 || !text.bytes().all(fits) || recognise::is_kept(text) {
        return None;
    }
    let engines = [
        &general_purpose::STANDARD,
        &general_purpose::STANDARD_NO_PAD,
        &general_purpose::URL_SAFE,
        &general_purpose::URL_SAFE_NO_PAD,
    ];
    engines.into_iter().find_map(|engine| {
        let inner = String::from_utf8(engine.decode(text).ok()?).ok()?;
        let readable =
            inner.chars().all(|c| !c.is_control() || c.is_whitespace()) && inner.chars().any(char::is_alphabetic);
        readable.then_some((inner, engine))
    })
}
