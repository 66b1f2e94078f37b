//! Stripe's own timeline: every object that an event carries, as it was after that event, by its id.
//!
//! Of several events of one object the one that was made last counts, not the one that appeared last: an event whose
//! `created` is older than what is known already tells of the past. An object is there from the first event that names it;
//! until it is carried itself, it is as it will be carried first.
//! Must not know: requests, versions of the API, what is made from several objects.

use super::{events::Entry, kinds::Kind};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The timeline. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline(Arc<Index>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    /// Where each object stands whole, in the order of adding.
    whole: BTreeMap<String, Vec<Place>>,
    /// Events that name each object, in the order of adding. Catalogue: the first alone.
    named: BTreeMap<String, Vec<Arc<Entry>>>,
    added: usize,
}

/// Where an object stands whole.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    entry: Arc<Entry>,
    /// Below `data.object`.
    pointer: String,
    order: usize,
    /// By an event that the double made itself.
    made: bool,
}

impl Hash for Timeline {
    /// All of it follows from the events, which are hashed where they are listed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.added.hash(state);
    }
}

/// An object as an event carries it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    /// The object.
    pub(super) object: Value,
    /// Version of the API that it has the shape of.
    pub(super) version: String,
    /// Type of the event.
    pub(super) event: String,
}

impl Timeline {
    /// Adds what an event carries and names. An event that the double `made` of a caller's change is about an object as a patch
    /// has it already where the object is one of a story: the story goes on telling of it.
    pub(super) fn add(&mut self, entry: &Arc<Entry>, event: &Value, made: bool) {
        let index = Arc::make_mut(&mut self.0);
        index.added += 1;
        let order = index.added;
        walk(&event["data"]["object"], "", &mut |found| match found {
            Found::Whole(id, pointer) => {
                let places = index.whole.entry(id.to_owned()).or_default();
                let of_story = made && places.iter().any(|place| !place.made);
                if places.is_empty() || !(of_story || Kind::of_id(id).is_some_and(Kind::is_catalogue)) {
                    places.push(Place { entry: Arc::clone(entry), pointer: pointer.to_owned(), order, made });
                }
            }
            Found::Named(id) => {
                let entries = index.named.entry(id.to_owned()).or_default();
                let known = entries.last().is_some_and(|last| Arc::ptr_eq(last, entry));
                if entries.is_empty() || !(known || Kind::of_id(id).is_some_and(Kind::is_catalogue)) {
                    entries.push(Arc::clone(entry));
                }
            }
        });
    }

    /// The object as it stands at `now_ms`; `None` when nothing has named it yet, or nothing ever carries it whole.
    pub(super) fn at(&self, now_ms: u64, id: &str) -> Option<Snapshot> {
        let places = self.0.whole.get(id)?;
        let seen = places.iter().filter(|place| place.entry.at_ms <= now_ms);
        let newest = seen.max_by_key(|place| (place.entry.created, place.order));
        let place = match newest {
            Some(place) => place,
            None if self.is_there(now_ms, id) => self.first(id)?,
            None => return None,
        };
        place.read()
    }

    /// As it is carried first, whenever that is.
    pub(super) fn to_come(&self, id: &str) -> Option<Snapshot> {
        self.first(id)?.read()
    }

    fn first(&self, id: &str) -> Option<&Place> {
        self.0.whole.get(id)?.iter().min_by_key(|place| (place.entry.created, place.order))
    }

    /// Whether anything has named it by `now_ms`, or it belongs to the catalogue.
    pub(super) fn is_there(&self, now_ms: u64, id: &str) -> bool {
        let Some(entries) = self.0.named.get(id) else { return false };
        Kind::of_id(id).is_some_and(Kind::is_catalogue) || entries.iter().any(|entry| entry.at_ms <= now_ms)
    }

    /// Objects of the events that name `id` and have appeared by `now_ms`, with their types, from old to new.
    pub(super) fn naming(&self, now_ms: u64, id: &str) -> Vec<Snapshot> {
        let entries = self.0.named.get(id).into_iter().flatten();
        let mut entries: Vec<&Arc<Entry>> = entries.filter(|entry| entry.at_ms <= now_ms).collect();
        entries.sort_by_key(|entry| entry.created);
        entries.into_iter().filter_map(|entry| read(entry, "")).collect()
    }

    /// Ids of a kind, in the order of the alphabet, that are there at `now_ms`.
    pub(super) fn ids(&self, now_ms: u64, kind: Kind) -> Vec<String> {
        let prefixes = kind.row().prefixes.iter();
        let with = |prefix: &'static &'static str| {
            let from = self.0.named.range((*prefix).to_owned()..);
            from.take_while(move |(id, _)| id.starts_with(prefix)).map(|(id, _)| id)
        };
        prefixes.flat_map(with).filter(|id| self.is_there(now_ms, id)).cloned().collect()
    }

    /// Ids of a kind that stand in events which name `other` too and have appeared by `now_ms`.
    pub(super) fn ids_beside(&self, now_ms: u64, kind: Kind, other: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for snapshot in self.naming(now_ms, other) {
            walk(&snapshot.object, "", &mut |found| {
                if let Found::Named(id) = found
                    && Kind::of_id(id) == Some(kind)
                    && !ids.iter().any(|known| known == id)
                {
                    ids.push(id.to_owned());
                }
            });
        }
        ids
    }

    /// Time of the first event after `now_ms` that carries the object, or else names it.
    pub(super) fn next_ms(&self, now_ms: u64, id: &str) -> Option<u64> {
        let later = |at_ms: u64| (at_ms > now_ms).then_some(at_ms);
        let whole = self.0.whole.get(id).into_iter().flatten();
        let carried = whole.filter(|place| place.pointer.is_empty()).filter_map(|place| later(place.entry.at_ms)).min();
        let named = self.0.named.get(id).into_iter().flatten();
        carried.or_else(|| named.filter_map(|entry| later(entry.at_ms)).min())
    }
}

impl Place {
    fn read(&self) -> Option<Snapshot> {
        read(&self.entry, &self.pointer)
    }
}

fn read(entry: &Entry, pointer: &str) -> Option<Snapshot> {
    let mut event: Value = serde_json::from_str(&entry.body).ok()?;
    let object = event.pointer_mut("/data/object")?.pointer_mut(pointer)?.take();
    let version = event["api_version"].as_str().unwrap_or(super::API_VERSION).to_owned();
    Some(Snapshot { object, version, event: entry.kind.clone() })
}

enum Found<'a> {
    /// An object with its id, and where it stands.
    Whole(&'a str, &'a str),
    /// An id.
    Named(&'a str),
}

/// Tells of every object and every id in a value. A plan has the id of its price and is told in the price's words.
fn walk(value: &Value, pointer: &str, tell: &mut dyn FnMut(Found<'_>)) {
    match value {
        Value::Object(fields) => {
            let kind = fields.get("object").and_then(Value::as_str).and_then(Kind::of_object);
            let id = fields.get("id").and_then(Value::as_str).filter(|id| Kind::of_id(id).is_some());
            if let (Some(_), Some(id)) = (kind.filter(|kind| *kind != Kind::Plan), id) {
                tell(Found::Whole(id, pointer));
            }
            for (name, field) in fields {
                walk(field, &format!("{pointer}/{name}"), tell);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| walk(item, &format!("{pointer}/{n}"), tell));
        }
        Value::String(text) if Kind::of_id(text).is_some() => tell(Found::Named(text)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
