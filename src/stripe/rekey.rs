//! Re-keying: the same story lived by another customer. Values are exchanged in place in the raw text, so formatting,
//! key order, the text of numbers and the escapes of all other values stay byte for byte.
//!
//! Exchanged: ids of the customer's objects and events, the app's own id of the person, e-mails, fingerprints, invoice
//! numbers, idempotency keys, client secrets, and the ids and opaque parts within URLs and sentences. Kept: the
//! catalogue and the account (`price_`, `prod_`, `acct_`, `txr_`, plans, coupons), amounts, names, words of the API.
//! Times move as one block. Only whole words are exchanged, and by texts of the same shape and length (texts too short
//! to keep a thousand customers apart grow).
//! Must not know: plans, scenarios. Which instance is which is a name that it is given.

pub(super) mod recognise;
pub(super) mod scan;
mod shape;
mod who;
pub(super) mod words;

pub use who::Who;

use super::{
    event::Event,
    recording::{Recording, Story},
};
use crate::id::EventId;
use recognise as known;
use scan::{Decoded, ITEM, Scalar, scan};
use serde_json::Value;
use shape::Source;
pub(super) use shape::is_uuid;
use std::{collections::BTreeSet, ops::Range, sync::Arc};
use words::{Edit, address, escaped, is_address_byte, is_word_byte, pieces, run_end, splice};

/// Whole numbers from here to ten times as much are Unix times under a key that names one: 2001 to 2286.
const EARLIEST: i64 = 1_000_000_000;

/// Letters of the new name in an e-mail address, at least.
const SHORTEST_NAME: usize = 10;
/// Where all new addresses are: reserved by RFC 2606, so no mail ever reaches anybody.
const DOMAIN: &str = "@example.com";

/// Parts of hosted URLs from this length on are opaque tokens.
const OPAQUE_PART: usize = 16;
/// An id of at least this length begins with a digit that tells its family (`evt_1…`, `evt_3…`), which stays.
const FULL_ID: usize = 20;

/// Exchanges the customer of one recording for another.
///
/// What a text becomes depends on the seed, on `instance` or `person`, and on the text, not on the rest of the
/// recording: stories that go on with one customer are re-keyed with the same two names and fit together.
#[derive(Clone, Debug)]
pub struct Rekeyer {
    instance: Source,
    person: Source,
    /// Ids of the catalogue that do not look like it.
    catalogue: BTreeSet<String>,
    /// Ids of the customer's objects that do not look like it.
    ids: BTreeSet<String>,
    /// The app's own ids of the person.
    app: BTreeSet<String>,
    /// Where the story says that they stand, as dotted paths into `data.object`.
    paths: Vec<String>,
}

impl Rekeyer {
    /// A rekeyer for `recording`. `instance` names the chain of stories of one Stripe customer: ids depend on it.
    /// `person` names who buys: the app's user id and e-mails depend on it.
    pub fn new(seed: u64, instance: &str, person: &str, recording: &Recording) -> Self {
        let mut new = Self {
            instance: Source::new(seed, format!("instance/{instance}")),
            person: Source::new(seed, format!("person/{person}")),
            catalogue: BTreeSet::new(),
            ids: BTreeSet::new(),
            app: BTreeSet::new(),
            paths: recording.story.as_ref().map(|story| story.rekey.paths.clone()).unwrap_or_default(),
        };
        for recorded in &recording.events {
            let body: Value = serde_json::from_str(&recorded.event.body).unwrap_or_default();
            new.learn(&body, "");
            for object in
                [body.pointer("/data/object"), body.pointer("/data/previous_attributes")].into_iter().flatten()
            {
                for path in new.paths.clone() {
                    new.learn_app(at_path(object, &path).and_then(Value::as_str));
                }
            }
        }
        if let Some(story) = &recording.story {
            new.learn_story(story);
        }
        new.ids.retain(|id| !new.catalogue.contains(id) && !new.app.contains(id));
        new
    }

    /// The event as it happens to the new customer, its times `shift_secs` later.
    pub fn rekey(&self, event: &Event, shift_secs: i64) -> Event {
        let mut edits: Vec<Edit> = Vec::new();
        scan(&event.body, |path, scalar| match scalar {
            Scalar::Text(range) => edits.extend(self.string_edits(path, &event.body[range.clone()], range.start)),
            Scalar::Number(range) => {
                let shifted = shifted_time(path, &event.body[range.clone()], shift_secs);
                edits.extend(shifted.map(|text| (range, text)));
            }
        });
        let created = if is_time(event.created) { event.created.saturating_add(shift_secs) } else { event.created };
        Event {
            id: EventId::new(self.at_path(&["id"], event.id.as_str())),
            kind: event.kind.clone(),
            created,
            api_version: event.api_version.clone(),
            livemode: event.livemode,
            account: event.account.clone(),
            body: Arc::from(splice(&event.body, edits)),
        }
    }

    /// What one id, e-mail or user id of the recording becomes.
    pub fn token(&self, original: &str) -> String {
        if self.app.contains(original) {
            return self.app_id(original);
        }
        self.at_path(&[], original)
    }

    fn at_path(&self, path: &[&str], text: &str) -> String {
        splice(text, self.edits(path, text))
    }

    /// Learns from the structure what cannot be seen from a text: ids of catalogue objects, ids without a prefix.
    fn learn(&mut self, value: &Value, key: &str) {
        match value {
            Value::Object(object) => {
                let kind = object.get("object").and_then(Value::as_str);
                if let (Some(kind), Some(id)) = (kind, object.get("id").and_then(Value::as_str)) {
                    let known = if known::keeps_its_id(kind) { &mut self.catalogue } else { &mut self.ids };
                    known.insert(id.to_owned());
                }
                for (key, value) in object {
                    self.learn(value, key);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item, key)),
            Value::String(text) if known::is_catalogue_key(key) => {
                self.catalogue.insert(text.clone());
            }
            Value::String(text) if key == "client_reference_id" => self.learn_app(Some(text)),
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
        if let (Value::Object(metadata), "metadata") = (value, key) {
            let users = metadata.iter().filter(|(key, _)| known::is_user_key(key));
            users.for_each(|(_, user)| self.learn_app(user.as_str()));
        }
    }

    /// A text that the app gave: its own id of the person, unless it is an e-mail or an id of Stripe's.
    fn learn_app(&mut self, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let is_stripes = known::id(text, true).is_some_and(|id| id.stripes) || known::is_kept(text);
        if !text.contains('@') && !is_stripes {
            self.app.insert(text.to_owned());
        }
    }

    fn learn_story(&mut self, story: &Story) {
        self.learn_app(story.user.as_deref());
        for id in [&story.customer, &story.subscription, &story.session].into_iter().flatten() {
            self.ids.insert(id.clone());
        }
    }

    /// Edits of a string as it is written at `start` of the body.
    fn string_edits(&self, path: &[&str], raw: &str, start: usize) -> Vec<Edit> {
        if !raw.contains('\\') {
            let edits = self.edits(path, raw);
            return edits
                .into_iter()
                .map(|(range, new)| (start + range.start..start + range.end, escaped(new)))
                .collect();
        }
        let decoded = Decoded::of(raw);
        let edits = self.edits(path, &decoded.text);
        let place = |range: &Range<usize>| {
            let raw = decoded.raw(range);
            start + raw.start..start + raw.end
        };
        edits.into_iter().map(|(range, new)| (place(&range), escaped(new))).collect()
    }

    fn edits(&self, path: &[&str], text: &str) -> Vec<Edit> {
        let key = path.iter().rev().find(|key| **key != ITEM).copied().unwrap_or_default();
        let in_metadata = path.contains(&"metadata");
        if text.is_empty() || known::is_still(key) && !in_metadata || self.catalogue.contains(text) {
            return Vec::new();
        }
        let whole = |new: String| vec![(0..text.len(), new)];
        if self.app.contains(text) && (known::is_distinctive(text) || self.is_app_place(path, key)) {
            return whole(self.app_id(text));
        }
        if matches!(key, "number" | "invoice_prefix") && !in_metadata {
            return self.invoice_number(text);
        }
        let edits = self.word_edits(text, key, in_metadata);
        if !edits.is_empty() {
            return edits;
        }
        if known::is_opaque_key(key, text) && !in_metadata {
            return whole(self.instance.reshape(key, text));
        }
        if path == ["id"] {
            return whole(self.instance.reshape_or_grow("id", text));
        }
        edits
    }

    /// Whether the app keeps its own ids at this place, so that even a short one is meant.
    fn is_app_place(&self, path: &[&str], key: &str) -> bool {
        let in_object = matches!(path, ["data", "object" | "previous_attributes", ..]);
        let named = |wanted: &String| {
            let same =
                |(wanted, found): (&str, &&str)| *found == wanted || *found == ITEM && wanted.parse::<u32>().is_ok();
            in_object && wanted.split('.').count() == path.len() - 2 && wanted.split('.').zip(&path[2..]).all(same)
        };
        key == "client_reference_id"
            || path.contains(&"metadata") && known::is_user_key(key)
            || self.paths.iter().any(named)
    }

    /// What an id of the app becomes. A first word (`user_2f…`) stays when enough is left: apps route by it.
    fn app_id(&self, text: &str) -> String {
        let prefix = text.split_once('_').map_or(0, |(prefix, _)| prefix.len() + 1);
        let word = text[..prefix].bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let kept = if word && text.len() - prefix >= SHORTEST_NAME { prefix } else { 0 };
        let (prefix, body) = text.split_at(kept);
        format!("{prefix}{}", self.person.reshape_or_grow(&format!("app/{prefix}"), body))
    }

    /// `7C1E9A42-0001`: the customer's prefix changes, the running number stays.
    fn invoice_number(&self, text: &str) -> Vec<Edit> {
        let end = text.find('-').unwrap_or(text.len());
        let plain = text[..end].bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain && end >= 6 {
            return vec![(0..end, self.instance.reshape("invoice-prefix", &text[..end]))];
        }
        if text.bytes().any(|byte| byte.is_ascii_digit()) {
            return vec![(0..text.len(), self.instance.reshape("number", text))];
        }
        Vec::new()
    }

    /// Edits of e-mails, ids, UUIDs and opaque URL parts anywhere in a text.
    fn word_edits(&self, text: &str, key: &str, in_metadata: bool) -> Vec<Edit> {
        let hosted = known::is_hosted(key, text);
        let mut edits = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let run = at..run_end(text, at, is_address_byte);
            if run.is_empty() {
                at += 1;
                continue;
            }
            if let Some(address) = address(text, &run) {
                at = address.end;
                let new = self.address(&text[address.clone()]);
                edits.push((address, new));
                continue;
            }
            at = run.end;
            if let Some((name, domain)) = text[run.clone()].split_once("%40").filter(|(_, domain)| domain.contains('.'))
            {
                let new = self.address(&format!("{name}@{domain}")).replace('@', "%40");
                edits.push((run, new));
                continue;
            }
            for part in pieces(text, run, |byte| is_word_byte(byte) || byte == b'-') {
                self.part_edits(text, part, hosted, in_metadata, &mut edits);
            }
        }
        edits
    }

    /// Edits of a run of letters, digits, underscores and dashes.
    fn part_edits(&self, text: &str, part: Range<usize>, hosted: bool, in_metadata: bool, edits: &mut Vec<Edit>) {
        let whole = &text[part.clone()];
        if self.catalogue.contains(whole) {
            return;
        }
        if self.app.contains(whole) && known::is_distinctive(whole) {
            return edits.push((part, self.app_id(whole)));
        }
        if is_uuid(whole) {
            return edits.push((part, self.instance.reshape("uuid", whole)));
        }
        for mut word in pieces(text, part, is_word_byte) {
            // `%2F`: the two digits belong to the percent sign.
            if word.start > 0 && text.as_bytes()[word.start - 1] == b'%' {
                word.start = (word.start + 2).min(word.end);
            }
            if let Some(new) = self.word(&text[word.clone()], hosted, in_metadata) {
                edits.push((word, new));
            }
        }
    }

    fn word(&self, word: &str, hosted: bool, in_metadata: bool) -> Option<String> {
        if self.catalogue.contains(word) {
            return None;
        }
        if let Some((id, secret)) = word.split_once("_secret_")
            && let Some(new) = self.id(id, in_metadata)
        {
            return Some(format!("{new}_secret_{}", self.instance.reshape("secret", secret)));
        }
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        self.id(word, in_metadata).or_else(|| {
            let opaque = hosted && word.len() >= OPAQUE_PART && has_digit && !known::is_kept(word);
            opaque.then(|| self.instance.reshape("opaque", word))
        })
    }

    fn id(&self, word: &str, in_metadata: bool) -> Option<String> {
        let Some(id) = known::id(word, in_metadata) else {
            let learned = self.ids.contains(word) && known::is_distinctive(word) && !known::is_kept(word);
            return learned.then(|| self.instance.reshape_or_grow("id", word));
        };
        let (prefix, body) = word.split_at(id.body);
        let family = usize::from(body.len() >= FULL_ID && body.starts_with(|c: char| c.is_ascii_digit()));
        let (family, body) = body.split_at(family);
        Some(format!("{prefix}{family}{}", self.instance.reshape_or_grow(&format!("{}/{family}", id.kind), body)))
    }

    /// `<name>@example.com`, as long as the old one where that leaves enough letters to keep people apart.
    fn address(&self, old: &str) -> String {
        let length = old.len().saturating_sub(DOMAIN.len()).clamp(SHORTEST_NAME, 32);
        let name = self.person.letters(&format!("mail/{old}"), length, 36);
        format!("{name}{DOMAIN}")
    }
}

fn is_time(number: i64) -> bool {
    (EARLIEST..EARLIEST * 10).contains(&number)
}

/// The shifted time, when the number is one: a whole number of a time's size under a key that names a time.
fn shifted_time(path: &[&str], number: &str, shift_secs: i64) -> Option<String> {
    let key = path.iter().rev().find(|key| **key != ITEM)?;
    let time = number.parse().ok().filter(|time| is_time(*time))?;
    known::is_time_key(key).then(|| time.saturating_add(shift_secs).to_string())
}

/// The value at a dotted path; keys of Stripe's objects hold no dots.
fn at_path<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}
