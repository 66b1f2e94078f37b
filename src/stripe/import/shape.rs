//! Finds the events in the values of a text: alone, in lists, in arrays, in captures.
//!
//! Must not know: files.

use super::{
    ImportOptions,
    error::{Cursor, Errors, Place},
    values::{split, without_colour},
};
use crate::stripe::{
    event::{Event, EventError},
    recording::RecordedEvent,
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Keys under which captures keep the request body.
const WRAPPERS: [&str; 3] = ["body", "payload", "detail"];

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

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Reads all events of `text`. `shown` names the file in messages, `name` in [`RecordedEvent::file`].
pub(super) fn read(shown: &str, name: &str, text: &str, options: ImportOptions, errors: &mut Errors) -> Vec<Located> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = without_colour(text);
    let before = errors.count();
    let values = split(shown, &text, errors);
    let mut reader = Reader { shown, text: &text, options, errors, cursor: Cursor::default(), found: Vec::new() };
    let mut pages = Vec::new();
    for range in values {
        let newest_first = reader.value(&text[range]);
        pages.push((newest_first, std::mem::take(&mut reader.found)));
    }
    // Pages of a list follow one another from new to old, like the events within each.
    if pages.iter().all(|(newest_first, _)| *newest_first) {
        pages.reverse();
    }
    let found: Vec<(Place, Event)> = pages.into_iter().flat_map(|(_, events)| events).collect();
    if found.is_empty() && errors.count() == before {
        let what = "no Stripe event in it; expected event bodies, a /v1/events list, or `stripe listen` output";
        errors.push_file(shown, what.to_owned());
    }
    let alone = found.len() == 1;
    let located = |(place, event): (Place, Event)| {
        let file = if alone { name.to_owned() } else { format!("{name}:{}", place.line) };
        Located { recorded: RecordedEvent { file, event }, shown: shown.to_owned(), place }
    };
    found.into_iter().map(located).collect()
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
    /// Reads one top-level value; tells whether it is a list from new to old.
    fn value(&mut self, value: &str) -> bool {
        if value.starts_with('[') {
            for item in array(value) {
                self.item(item.get());
            }
            return false;
        }
        let object: Object = serde_json::from_str(value).unwrap_or_default();
        if text_of(&object, "object").as_deref() != Some("list") {
            self.item(value);
            return false;
        }
        let Some(data) = object.get("data").filter(|data| data.get().starts_with('[')) else {
            self.refuse(value, "a list without `data`".to_owned());
            return false;
        };
        for item in array(data.get()) {
            self.item(item.get());
        }
        self.turn_oldest_first()
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

    /// Reads one event, or a capture that wraps one.
    fn item(&mut self, value: &str) {
        if self.errors.is_full() {
            return;
        }
        let object: Object = serde_json::from_str(value).unwrap_or_default();
        if object.contains_key("object") {
            return self.event(value, self.offset(value), value);
        }
        if object.contains_key("_meta") && object.contains_key("fixtures") {
            let what = "a fixture of the Stripe CLI, which describes API calls and holds no events; \
                        run `stripe trigger` with `stripe listen --format JSON` and keep what it prints";
            return self.refuse(value, what.to_owned());
        }
        match WRAPPERS.iter().find_map(|key| object.get(*key)) {
            Some(inner) if inner.get().starts_with('"') => {
                let text: String = serde_json::from_str(inner.get()).unwrap_or_default();
                self.event(inner.get(), self.offset(inner.get()), &text);
            }
            Some(inner) => self.event(inner.get(), self.offset(inner.get()), inner.get()),
            None => self.event(value, self.offset(value), value),
        }
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
                self.refuse(
                    source,
                    format!("the event that begins here does not read ({error}); export it again in full"),
                );
            }
            Ok(event) => self.found.push((self.cursor.place(self.text, at), event)),
            Err(EventError::NotAnEvent { what }) => {
                self.refuse(source, format!("not a Stripe event: {what}; remove it, or save the event's whole body"));
            }
            Err(error @ EventError::Json { .. }) => {
                self.refuse(source, format!("the event that begins here is {error}; export it again in full"));
            }
        }
    }

    fn refuse(&mut self, slice: &str, what: String) {
        self.errors.push(self.shown, Place::of(self.text, self.offset(slice)), what);
    }

    /// Where `slice`, which borrows from the text, begins in it.
    fn offset(&self, slice: &str) -> usize {
        (slice.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
}

fn array(text: &str) -> Vec<&RawValue> {
    serde_json::from_str(text).unwrap_or_default()
}

fn text_of(object: &Object, key: &str) -> Option<String> {
    serde_json::from_str(object.get(key)?.get()).ok()
}
