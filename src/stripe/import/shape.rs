//! Finds the events in the values of a text: alone, in lists, in arrays, in captures.
//!
//! Must not know: files.

use super::{
    ImportOptions, cut,
    envelope::{self, Inside},
    error::{Cursor, Errors, Place},
    values::{split, without_colour},
};
use crate::stripe::{
    event::{Event, EventError},
    recording::RecordedEvent,
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Wrappings within wrappings are opened so far; a queue of notifications of envelopes has four.
const DEEPEST: usize = 12;

/// An event and where it was found.
pub(super) struct Located {
    pub(super) recorded: RecordedEvent,
    pub(super) shown: String,
    pub(super) place: Place,
}

/// The part of an event that is acted on, read to the bottom; what stands beside it is kept as it is.
#[derive(serde::Deserialize)]
struct Whole {
    #[serde(rename = "data")]
    _data: serde_json::Value,
}

/// Reads all events of `text`. `shown` names the file in messages, `name` in [`RecordedEvent::file`].
pub(super) fn read(shown: &str, name: &str, text: &str, options: ImportOptions, errors: &mut Errors) -> Vec<Located> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = without_colour(text);
    let before = errors.count();
    let values = split(shown, &text, errors);
    let mut reader = Reader { shown, text: &text, options, errors, cursor: Cursor::default(), found: Vec::new() };
    let values: Vec<&str> = values.into_iter().map(|range| &text[range]).collect();
    reader.several(values.into_iter(), None, 0);
    let found = std::mem::take(&mut reader.found);
    if found.is_empty() && errors.count() == before {
        errors.push_file(shown, nothing(&text).into_owned());
    }
    let alone = found.len() == 1;
    let located = |(place, event): (Place, Event)| {
        let file = if alone { name.to_owned() } else { format!("{name}:{}", place.line) };
        Located { recorded: RecordedEvent { file, event }, shown: shown.to_owned(), place }
    };
    found.into_iter().map(located).collect()
}

/// Why there is no event in a text, as far as that can be told.
fn nothing(text: &str) -> Cow<'static, str> {
    let names = |line: &&str| line.contains("--> ") && line.contains("[evt_");
    match text.lines().filter(names).count() {
        0 => "no Stripe event in it; expected event bodies, a /v1/events list, or `stripe listen` output".into(),
        events => format!(
            "the text of `stripe listen`, which names {events} events and holds none of their bodies; run it with \
             `--format JSON`, or put `hookdrill record` behind its `--forward-to`"
        )
        .into(),
    }
}

struct Reader<'a> {
    shown: &'a str,
    text: &'a str,
    options: ImportOptions,
    errors: &'a mut Errors,
    cursor: Cursor,
    found: Vec<(Place, Event)>,
}

impl Reader<'_> {
    /// Reads values one after another; tells whether all were lists from new to old. `inside` is where they stand when they
    /// are read from a text within the file.
    fn several<'v>(&mut self, values: impl Iterator<Item = &'v str>, inside: Option<usize>, depth: usize) -> bool {
        let before = std::mem::take(&mut self.found);
        let mut pages = Vec::new();
        for value in values {
            let newest_first = self.value(value, inside, depth);
            pages.push((newest_first, std::mem::take(&mut self.found)));
        }
        // Pages of a list follow one another from new to old, like the events within each.
        let all = !pages.is_empty() && pages.iter().all(|(newest_first, events)| *newest_first || events.is_empty());
        if all {
            pages.reverse();
        }
        self.found = before;
        self.found.extend(pages.into_iter().flat_map(|(_, events)| events));
        all
    }

    /// Reads one value: an event, a list, an array, a wrapping. Tells whether it is a list from new to old.
    fn value(&mut self, value: &str, inside: Option<usize>, depth: usize) -> bool {
        if self.errors.is_full() {
            return false;
        }
        if depth >= DEEPEST {
            self.refuse(value, inside, "wrapped too often; save the event's body alone".to_owned());
            return false;
        }
        if value.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
            let lists = self.several(items.into_iter().map(RawValue::get), inside, depth + 1);
            return lists && value.contains("\"list\"");
        }
        let object = envelope::object(value);
        match object.get("object").map(|kind| kind.get()) {
            Some("\"list\"") => return self.list(value, &object, inside, depth),
            Some(kind) if kind.starts_with('"') => {
                self.event(value, inside.unwrap_or_else(|| self.offset(value)), value);
                return false;
            }
            Some(_) | None => {}
        }
        if object.contains_key("_meta") && object.contains_key("fixtures") {
            let what = "a fixture of the Stripe CLI, which describes API calls and holds no events; \
                        run `stripe trigger` with `stripe listen --format JSON` and keep what it prints";
            self.refuse(value, inside, what.to_owned());
            return false;
        }
        self.wrapping(value, &object, inside, depth)
    }

    fn wrapping(&mut self, value: &str, object: &envelope::Object<'_>, inside: Option<usize>, depth: usize) -> bool {
        match envelope::open(object) {
            Inside::Several(items) => self.several(items.into_iter().map(RawValue::get), inside, depth + 1),
            Inside::One(inner) => self.value(inner.get(), inside, depth + 1),
            Inside::Text(source, text) => self.text_within(source.get(), &text, inside, depth + 1),
            Inside::Traffic(entries) => self.traffic(&entries, inside, depth + 1),
            Inside::Nothing(Some(why)) => {
                self.refuse(value, inside, why.to_owned());
                false
            }
            Inside::Nothing(None) => {
                self.event(value, inside.unwrap_or_else(|| self.offset(value)), value);
                false
            }
        }
    }

    /// A body that its wrapping keeps as a text, `source` as it is written. It may be a wrapping again.
    fn text_within(&mut self, source: &str, text: &str, inside: Option<usize>, depth: usize) -> bool {
        let at = inside.unwrap_or_else(|| self.offset(source));
        let body = text.trim();
        let wrapped = serde_json::from_str::<&RawValue>(body).is_ok() && {
            let kind = envelope::object(body);
            body.starts_with('[')
                || body.starts_with('{') && kind.get("object").is_none_or(|kind| kind.get() == "\"list\"")
        };
        if wrapped {
            return self.value(body, Some(at), depth);
        }
        self.event(source, at, text);
        false
    }

    /// What a browser or a proxy saw. Only what is an event, a list of them, or was one before it was cut, counts.
    fn traffic(&mut self, entries: &[&RawValue], inside: Option<usize>, depth: usize) -> bool {
        let before = std::mem::take(&mut self.found);
        let mut pages = Vec::new();
        for entry in entries {
            for (source, text) in envelope::bodies(entry) {
                let at = inside.unwrap_or_else(|| self.offset(source.get()));
                let of_events = text.contains("\"evt_") && text.contains("\"event\"");
                let whole = serde_json::from_str::<&RawValue>(text.trim()).is_ok();
                if of_events && whole {
                    let newest_first = self.value(text.trim(), Some(at), depth);
                    pages.push((newest_first, std::mem::take(&mut self.found)));
                } else if of_events && text.trim_start().starts_with(['{', '[']) {
                    self.errors.push(self.shown, Place::of(self.text, at), cut::words(&text, None));
                }
            }
        }
        let all = !pages.is_empty() && pages.iter().all(|(newest_first, _)| *newest_first);
        if all {
            pages.reverse();
        }
        self.found = before;
        self.found.extend(pages.into_iter().flat_map(|(_, events)| events));
        all
    }

    fn list(&mut self, value: &str, object: &envelope::Object<'_>, inside: Option<usize>, depth: usize) -> bool {
        let Some(data) = object.get("data").filter(|data| data.get().starts_with('[')) else {
            self.refuse(value, inside, "a list without `data`".to_owned());
            return false;
        };
        let before = std::mem::take(&mut self.found);
        let items: Vec<&RawValue> = serde_json::from_str(data.get()).unwrap_or_default();
        for item in items {
            self.value(item.get(), inside, depth + 1);
        }
        let newest_first = self.turn_oldest_first();
        let list = std::mem::replace(&mut self.found, before);
        self.found.extend(list);
        newest_first
    }

    /// The API lists newest first. A list that visibly rises has been sorted by somebody already.
    fn turn_oldest_first(&mut self) -> bool {
        let created = |at: Option<&(Place, Event)>| at.map(|(_, event)| event.created);
        let rises = created(self.found.first()) < created(self.found.last());
        if !rises {
            self.found.reverse();
        }
        !rises
    }

    /// `source` is the slice of the file, `body` what it says (the same unless the capture kept the body as a string).
    fn event(&mut self, source: &str, at: usize, body: &str) {
        match Event::parse(body) {
            Ok(event) if event.livemode && !self.options.allow_livemode => {
                // The envelope's own comes after `data`, whose objects have one too.
                let key = source.rfind("\"livemode\"").unwrap_or(0);
                let what = format!(
                    "event {} is of live mode, with a real customer in it; record in a sandbox, or pass --allow-livemode",
                    event.id
                );
                self.errors.push(self.shown, Place::of(self.text, at + key), what);
            }
            // An event is read without its object; a recording must be readable to the bottom.
            Ok(_) if let Err(error) = serde_json::from_str::<Whole>(body) => {
                let what = format!("the event that begins here does not read ({error}); export it again in full");
                self.refuse(source, Some(at), what);
            }
            Ok(event) => self.found.push((self.cursor.place(self.text, at), event)),
            Err(EventError::NotAnEvent { what }) => {
                let what = format!("not a Stripe event: {what}; remove it, or save the event's whole body");
                self.refuse(source, Some(at), what);
            }
            Err(error @ EventError::Json { .. }) => {
                let ends = serde_json::from_str::<&RawValue>(body.trim()).is_err_and(|error| error.is_eof());
                let what = match ends || cut::is_marked(body) {
                    true => cut::words(body, None),
                    false => format!("the event that begins here is {error}; export it again in full"),
                };
                self.refuse(source, Some(at), what);
            }
        }
    }

    fn refuse(&mut self, slice: &str, inside: Option<usize>, what: String) {
        let at = inside.unwrap_or_else(|| self.offset(slice));
        self.errors.push(self.shown, Place::of(self.text, at), what);
    }

    /// Where `slice`, which borrows from the text, begins in it.
    fn offset(&self, slice: &str) -> usize {
        (slice.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
}
