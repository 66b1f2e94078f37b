//! The state of a declared double: named collections of items, and the actions that change them, each of which can be undone.
//!
//! Must not know: routes, answers, effects.

use super::fill::{Scope, text_of};
use crate::scenario::declared::{Action, Does, Json, Template};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
};

/// Items of all collections, at most: a double for tests is no database.
const MOST_ITEMS: usize = 100_000;

type Fields = Map<String, Value>;

/// An item and its place in the order.
type Placed = (u64, Fields);

/// All collections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    collections: BTreeMap<String, Collection>,
    items: usize,
    next: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Collection {
    /// Items by their key, each with its place in the order.
    items: BTreeMap<String, Placed>,
    /// Keys in the order in which they came.
    order: BTreeMap<u64, String>,
}

/// What was there before, newest last.
#[derive(Debug, Default)]
pub(super) struct Undo(Vec<(String, String, Option<Placed>)>);

/// What became of an action.
#[derive(Debug)]
pub(super) enum Done {
    /// It is done.
    Item {
        /// The item as it is now (of a deleted one as it was).
        shown: Value,
        /// Whether anything is another than before.
        changed: bool,
    },
    /// The scope has the items.
    Listed,
    /// It cannot be done.
    Not,
    /// The key is empty.
    NoKey,
    /// There is no room.
    Full,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (name, collection) in &self.collections {
            name.hash(state);
            for (key, (place, fields)) in &collection.items {
                (key, place, Value::Object(fields.clone()).to_string()).hash(state);
            }
        }
    }
}

impl State {
    /// Items of a collection.
    pub(super) fn size(&self, collection: &str) -> usize {
        self.collections.get(collection).map_or(0, |collection| collection.items.len())
    }

    /// Items that have this key, as texts.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let items = self.collections.values().filter_map(|collection| collection.items.get(key));
        items.map(|(_, fields)| Value::Object(fields.clone()).to_string()).collect()
    }

    /// Does what an action says.
    pub(super) fn act(&mut self, action: &Action, scope: &mut Scope, undo: &mut Undo) -> Done {
        let name = &action.collection;
        let key = match &action.does {
            Does::List { filter, page_size, page, each } => {
                self.list(name, scope, filter, (*page_size, page.as_ref()), each.as_ref());
                return Done::Listed;
            }
            Does::Insert { key, .. }
            | Does::Upsert { key, .. }
            | Does::Update { key, .. }
            | Does::Delete { key }
            | Does::Find { key }
            | Does::Add { key, .. } => scope.text(key, self),
        };
        if key.trim().is_empty() {
            return Done::NoKey;
        }
        let before = self.collections.get(name).and_then(|collection| collection.items.get(&key)).cloned();
        let fields = before.as_ref().map(|(_, fields)| fields.clone());
        let now = match (&action.does, fields) {
            (Does::Insert { .. }, Some(_)) => return Done::Not,
            (Does::Update { .. } | Does::Delete { .. } | Does::Find { .. }, None) => return Done::Not,
            (Does::Add { create: false, .. }, None) => return Done::Not,
            (Does::Insert { item, .. } | Does::Upsert { item, .. }, None) => Some(scope.fields(item, self)),
            (Does::Upsert { item, .. } | Does::Update { item, .. }, Some(fields)) => {
                Some(written(fields, scope.fields(item, self)))
            }
            (Does::Delete { .. }, Some(_)) => None,
            (Does::Find { .. }, fields) => fields,
            (Does::Add { field, by, least, .. }, fields) => {
                let by = scope.text(by, self);
                match added(fields.unwrap_or_default(), field, &by, *least) {
                    Some(fields) => Some(fields),
                    None => return Done::Not,
                }
            }
            // Looked at above.
            (Does::List { .. }, _) => return Done::Listed,
        };
        if before.is_none() && self.items >= MOST_ITEMS {
            return Done::Full;
        }
        let changed = before.as_ref().map(|(_, fields)| fields) != now.as_ref();
        let shown = shown(&key, now.as_ref().or(before.as_ref().map(|(_, fields)| fields)));
        if changed {
            undo.0.push((name.clone(), key.clone(), before.clone()));
            let place = before.map(|(place, _)| place);
            self.put(name, key, now.map(|fields| (place.unwrap_or(self.next), fields)));
            self.next += u64::from(place.is_none());
        }
        Done::Item { shown, changed }
    }

    /// Takes back what was done, the newest first.
    pub(super) fn undo(&mut self, undo: Undo) {
        for (name, key, before) in undo.0.into_iter().rev() {
            self.put(&name, key, before);
        }
    }

    fn put(&mut self, name: &str, key: String, item: Option<Placed>) {
        let collection = self.collections.entry(name.to_owned()).or_default();
        if let Some((place, _)) = collection.items.remove(&key) {
            collection.order.remove(&place);
            self.items -= 1;
        }
        if let Some((place, fields)) = item {
            collection.order.insert(place, key.clone());
            collection.items.insert(key, (place, fields));
            self.items += 1;
        }
    }

    fn list(
        &self,
        name: &str,
        scope: &mut Scope,
        filter: &[(String, Template)],
        (page_size, page): (u64, Option<&Template>),
        each: Option<&Json>,
    ) {
        let wanted: Vec<(&String, String)> =
            filter.iter().map(|(field, template)| (field, scope.text(template, self))).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        let collection = self.collections.get(name);
        let fits = |key: &String, fields: &Fields| {
            wanted.iter().all(|(field, text)| match field.as_str() {
                "key" => key == text,
                field => fields.get(field).is_some_and(|value| text_of(value) == *text),
            })
        };
        let all: Vec<(&String, &Fields)> = collection
            .into_iter()
            .flat_map(|collection| {
                collection.order.values().filter_map(|key| Some((key, &collection.items.get(key)?.1)))
            })
            .filter(|(key, fields)| fits(key, fields))
            .collect();
        let number = page.and_then(|page| scope.text(page, self).parse::<u64>().ok()).unwrap_or(1).max(1);
        let from = (number - 1).saturating_mul(page_size);
        let total = all.len() as u64;
        let from_here = all.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX));
        let page: Vec<Value> = from_here
            .take(usize::try_from(page_size).unwrap_or(usize::MAX))
            .map(|(key, fields)| shown(key, Some(fields)))
            .collect();
        let item = |value: Value| match each {
            None => value,
            Some(each) => {
                let results = [("item".to_owned(), value)].into();
                Scope { results, items: Vec::new(), ..scope.clone() }.json(each, self)
            }
        };
        let items = page.into_iter().map(item).collect();
        let next = (from.saturating_add(page_size) < total).then_some(number + 1);
        (scope.items, scope.page) = (items, (number, next, total));
    }
}

/// An item with its key.
fn shown(key: &str, fields: Option<&Fields>) -> Value {
    let mut shown = fields.cloned().unwrap_or_default();
    shown.insert("key".to_owned(), key.into());
    Value::Object(shown)
}

fn written(mut fields: Fields, over: Fields) -> Fields {
    fields.extend(over);
    fields
}

/// `None` when the number would fall below `least`, or anything is no whole number.
fn added(mut fields: Fields, field: &str, by: &str, least: Option<i64>) -> Option<Fields> {
    // What is taken away may itself be written with a minus.
    let by = by.trim();
    let by: i64 = by.strip_prefix("--").unwrap_or(by).parse().ok()?;
    let before = fields.get(field).map_or(Some(0), Value::as_i64)?;
    let now = before.checked_add(by)?;
    if by < 0 && least.is_some_and(|least| now < least) {
        return None;
    }
    fields.insert(field.to_owned(), now.into());
    Some(fields)
}
