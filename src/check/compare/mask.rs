//! Two JSON values that should say the same: where they do not, nobody is held to it. What is left is compared with a third.
//!
//! A list is a multiset: its order is no effect. Times of the machine's clock and ids of events are there or not there, whatever
//! they are: they tell when and by which event something was last written, not what.
//! Must not know: whose values they are, what a difference means.

use super::shape::Times;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Values that differ between two entries, at most, of which each is told.
const MOST_ENTRIES: usize = 3;

/// What of a value is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mask {
    /// All of it.
    All,
    /// Whether it is there.
    Presence(Why),
    /// Nothing.
    Nothing(Why),
    /// Field by field; a field that is not named here is compared.
    Fields(BTreeMap<String, Mask>),
    /// Each entry so.
    Entries(Box<Mask>),
}

/// Why something is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Two clean deliveries differ there.
    Differs,
    /// A time of the machine's clock.
    Clock,
    /// The id of an event.
    Event,
    /// The scenario says so.
    Ignored,
}

impl Why {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Differs => "two clean deliveries differ there",
            Self::Clock => "a time of the clock",
            Self::Event => "an event's id",
            Self::Ignored => "to be ignored",
        }
    }
}

/// What is known of the values of one customer.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Ids of their events.
    pub(super) events: BTreeSet<String>,
    pub(super) times: Times,
}

/// What two values that should be the same have in common.
pub(super) fn mask(one: &Value, other: &Value, known: &Known) -> Mask {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let of = |key: &String| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => mask(a, b, known),
                _ => Mask::Nothing(Why::Differs),
            };
            Mask::Fields(keys.into_iter().map(|key| (key.clone(), of(key))).collect())
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => Mask::Entries(Box::new(entries(a, b, known))),
        (Value::Array(_), Value::Array(_)) => Mask::Nothing(Why::Differs),
        (a, b) if a == b => scalar(a, known),
        (Value::Null, _) | (_, Value::Null) => Mask::Nothing(Why::Differs),
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => {
            Mask::Nothing(Why::Differs)
        }
        (a, b) if known.times.is_clock(a) || known.times.is_clock(b) => Mask::Presence(Why::Clock),
        _ => Mask::Presence(Why::Differs),
    }
}

fn scalar(value: &Value, known: &Known) -> Mask {
    match value.as_str() {
        Some(text) if known.events.contains(text) => Mask::Presence(Why::Event),
        _ if known.times.is_clock(value) => Mask::Presence(Why::Clock),
        _ => Mask::All,
    }
}

/// The mask of an entry: of all entries together, aligned as they stand or as they sort, whichever leaves more.
fn entries(a: &[Value], b: &[Value], known: &Known) -> Mask {
    let joined = |pairs: &mut dyn Iterator<Item = (&Value, &Value)>| {
        pairs.map(|(a, b)| entry(a, b, known)).reduce(both).unwrap_or(Mask::All)
    };
    let as_they_stand = joined(&mut a.iter().zip(b));
    let sorted = |values: &[Value]| {
        let mut sorted: Vec<(String, Value)> = values.iter().map(|v| (rough(v, known), v.clone())).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    let (a, b) = (sorted(a), sorted(b));
    let as_they_sort = joined(&mut a.iter().zip(&b));
    if left_out(&as_they_stand) <= left_out(&as_they_sort) { as_they_stand } else { as_they_sort }
}

/// An event's id that is itself an entry says that the event was seen: that is compared.
fn entry(a: &Value, b: &Value, known: &Known) -> Mask {
    match (a, b) {
        (Value::String(a), Value::String(b)) if a == b && known.events.contains(a) => Mask::All,
        _ => mask(a, b, known),
    }
}

/// A value with what differs anyway taken away, for sorting.
fn rough(value: &Value, known: &Known) -> String {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| format!("{key}:{},", rough(value, known))).collect(),
        Value::Array(items) => items.iter().map(|item| rough(item, known)).collect(),
        Value::Number(_) | Value::String(_) if known.times.is_clock(value) => "time".to_owned(),
        Value::String(text) if text.len() >= 16 && text.bytes().any(|b| b.is_ascii_digit()) => "id".to_owned(),
        other => other.to_string(),
    }
}

/// What both masks compare.
fn both(one: Mask, other: Mask) -> Mask {
    match (one, other) {
        (Mask::Nothing(why), _) | (_, Mask::Nothing(why)) => Mask::Nothing(why),
        (Mask::All, rest) | (rest, Mask::All) => rest,
        (Mask::Presence(why), Mask::Presence(_)) => Mask::Presence(why),
        (Mask::Fields(mut a), Mask::Fields(b)) => {
            for (key, mask) in b {
                let merged = a.remove(&key).map_or_else(|| mask.clone(), |before| both(before, mask.clone()));
                a.insert(key, merged);
            }
            Mask::Fields(a)
        }
        (Mask::Entries(a), Mask::Entries(b)) => Mask::Entries(Box::new(both(*a, *b))),
        (Mask::Presence(why), Mask::Fields(_) | Mask::Entries(_))
        | (Mask::Fields(_) | Mask::Entries(_), Mask::Presence(why)) => Mask::Nothing(why),
        (Mask::Fields(_), Mask::Entries(_)) | (Mask::Entries(_), Mask::Fields(_)) => Mask::Nothing(Why::Differs),
    }
}

fn left_out(mask: &Mask) -> usize {
    match mask {
        Mask::All => 0,
        Mask::Presence(_) => 1,
        Mask::Nothing(_) => 2,
        Mask::Fields(fields) => fields.values().map(left_out).sum(),
        Mask::Entries(each) => left_out(each),
    }
}

impl Mask {
    /// Places that are not compared, or only for being there, with the reason.
    pub(super) fn places(&self, path: &str, into: &mut BTreeMap<String, Why>) {
        match self {
            Self::All => {}
            Self::Presence(why) | Self::Nothing(why) => drop(into.insert(path.to_owned(), *why)),
            Self::Fields(fields) => fields.iter().for_each(|(key, mask)| mask.places(&below(path, key), into)),
            Self::Entries(each) => each.places(&format!("{path}[*]"), into),
        }
    }

    /// The same without the paths that are to be ignored, and what is below them.
    pub(super) fn ignoring(self, path: &str, ignored: &[String]) -> Self {
        if ignored.iter().any(|ignored| ignored == path) {
            return Self::Nothing(Why::Ignored);
        }
        match self {
            Self::Fields(fields) => {
                let mut fields: BTreeMap<String, Self> = fields
                    .into_iter()
                    .map(|(key, mask)| {
                        let path = below(path, &key);
                        (key, mask.ignoring(&path, ignored))
                    })
                    .collect();
                // A field that clean deliveries do not have can be ignored too.
                let direct = ignored.iter().filter_map(|ignored| ignored.strip_prefix(&format!("{path}.")));
                for key in direct.filter(|rest| !rest.contains(['.', '['])) {
                    fields.entry(key.to_owned()).or_insert(Self::Nothing(Why::Ignored));
                }
                Self::Fields(fields)
            }
            Self::Entries(each) => Self::Entries(Box::new(each.ignoring(&format!("{path}[*]"), ignored))),
            Self::All | Self::Presence(_) | Self::Nothing(_) => self,
        }
    }
}

fn below(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if plain { format!("{path}.{key}") } else { format!("{path}['{key}']") }
}

/// What is compared of a value.
pub(super) fn visible(value: &Value, mask: &Mask) -> Value {
    match (mask, value) {
        (Mask::Nothing(_), _) => Value::Null,
        (Mask::Presence(_), Value::Null) => Value::Null,
        (Mask::Presence(_), _) => Value::Bool(true),
        (Mask::Fields(masks), Value::Object(fields)) => {
            let seen = |(key, value): (&String, &Value)| {
                let value = masks.get(key).map_or_else(|| visible(value, &Mask::All), |mask| visible(value, mask));
                (key.clone(), value)
            };
            // What is null is as good as not there.
            let fields = fields.iter().map(seen).filter(|(_, value)| !value.is_null());
            Value::Object(fields.collect::<Map<_, _>>())
        }
        (Mask::All, Value::Object(_)) => visible(value, &Mask::Fields(BTreeMap::new())),
        (Mask::Entries(_) | Mask::All, Value::Array(items)) => {
            let each = if let Mask::Entries(each) = mask { each } else { &Mask::All };
            let mut items: Vec<Value> = items.iter().map(|item| visible(item, each)).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        (Mask::All | Mask::Fields(_) | Mask::Entries(_), value) => value.clone(),
    }
}

/// Values of a visible one that say something.
pub(super) fn leaves(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// One difference between two visible values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) path: String,
    /// What clean deliveries lead to; absent when there is nothing.
    pub(super) clean: Option<Value>,
    /// What is there instead.
    pub(super) found: Option<Value>,
}

impl Difference {
    /// Whether there is more than there should be: a further entry, a greater number.
    pub(super) fn is_more(&self) -> bool {
        match (&self.clean, &self.found) {
            (None, Some(_)) => self.path.ends_with(']'),
            (Some(clean), Some(found)) => matches!((clean.as_f64(), found.as_f64()), (Some(c), Some(f)) if f > c),
            (_, None) => false,
        }
    }

    /// `$.status is past_due, clean: active`.
    pub(super) fn words(&self) -> String {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Bool(true) if self.path.is_empty() => "there".to_owned(),
            other => other.to_string(),
        };
        let short = |value: &Option<Value>| {
            let text = value.as_ref().map_or("nothing".to_owned(), text);
            let cut: String = text.chars().take(60).collect();
            if cut.len() < text.len() { format!("{cut}…") } else { text }
        };
        format!("{} is {}, clean: {}", self.path, short(&self.found), short(&self.clean))
    }
}

/// Where a visible value differs from the clean one.
pub(super) fn differences(clean: &Value, found: &Value, path: &str) -> Vec<Difference> {
    let mut all = Vec::new();
    compare(clean, found, path, &mut all);
    all
}

fn compare(clean: &Value, found: &Value, path: &str, into: &mut Vec<Difference>) {
    match (clean, found) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                compare(a, b, &below(path, key), into);
            }
        }
        (Value::Array(a), Value::Array(b)) => lists(a, b, path, into),
        (a, b) => {
            let some = |value: &Value| (!value.is_null()).then(|| value.clone());
            into.push(Difference { path: path.to_owned(), clean: some(a), found: some(b) });
        }
    }
}

/// Entries that only one has; where both have as many of those, they are taken for each other.
fn lists(clean: &[Value], found: &[Value], path: &str, into: &mut Vec<Difference>) {
    let mut missing: Vec<&Value> = Vec::new();
    let mut extra: Vec<&Value> = found.iter().collect();
    for value in clean {
        match extra.iter().position(|other| *other == value) {
            Some(at) => drop(extra.remove(at)),
            None => missing.push(value),
        }
    }
    let path = format!("{path}[*]");
    let paired = missing.len().min(extra.len());
    for (a, b) in missing.iter().zip(&extra).take(MOST_ENTRIES) {
        compare(a, b, &path, into);
    }
    for value in missing.iter().skip(paired).take(MOST_ENTRIES) {
        into.push(Difference { path: path.clone(), clean: Some((*value).clone()), found: None });
    }
    for value in extra.iter().skip(paired).take(MOST_ENTRIES) {
        into.push(Difference { path: path.clone(), clean: None, found: Some((*value).clone()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known() -> Known {
        let times = Times::new((1_700_000_000_000, 1_700_000_060_000), [1_699_999_990].into());
        Known { events: ["evt_1".to_owned(), "evt_2".to_owned()].into(), times }
    }

    fn differ(one: &Value, other: &Value, third: &Value) -> Vec<String> {
        let mask = mask(one, other, &known());
        let seen = differences(&visible(one, &mask), &visible(third, &mask), "$");
        seen.iter().map(Difference::words).collect()
    }

    #[test]
    fn what_differs_between_two_is_not_asked_of_a_third_but_for_being_there() {
        let one = json!({"id": 7, "status": "active", "note": null});
        let other = json!({"id": 8, "status": "active", "note": "x"});
        assert_eq!(differ(&one, &other, &json!({"id": 9, "status": "active", "note": "y"})), [] as [String; 0]);
        let lost = differ(&one, &other, &json!({"id": null, "status": "past_due", "note": "y"}));
        assert_eq!(lost, ["$.id is nothing, clean: true", "$.status is past_due, clean: active"]);
    }

    #[test]
    fn times_of_the_clock_and_ids_of_events_may_be_any_and_times_of_the_payload_may_not() {
        let one = json!({"at": "2023-11-14T22:13:21Z", "last": "evt_1", "paid": 1_699_999_990});
        let third = json!({"at": "2023-11-14T22:13:59Z", "last": "evt_2", "paid": 1_699_999_990});
        assert_eq!(differ(&one, &one, &third), [] as [String; 0]);
        let older = json!({"at": 1_700_000_001, "last": "evt_2", "paid": 1_600_000_000});
        assert_eq!(differ(&one, &one, &older), ["$.paid is 1600000000, clean: 1699999990"]);
    }

    #[test]
    fn a_list_is_a_multiset() {
        let (one, other) = (
            json!([{"id": "a1", "sum": 1}, {"id": "a2", "sum": 2}]),
            json!([{"id": "b2", "sum": 2}, {"id": "b1", "sum": 1}]),
        );
        assert_eq!(differ(&one, &other, &json!([{"id": "c", "sum": 2}, {"id": "d", "sum": 1}])), [] as [String; 0]);
        let twice = differ(&one, &other, &json!([{"id": "c", "sum": 2}, {"id": "d", "sum": 1}, {"id": "e", "sum": 1}]));
        assert_eq!(twice, ["$[*] is {\"id\":true,\"sum\":1}, clean: nothing"]);
        assert_eq!(differ(&json!(["evt_1"]), &json!(["evt_1"]), &json!(["evt_2"])), ["$[*] is evt_2, clean: evt_1"]);
        assert_eq!(differ(&json!([1]), &json!([1, 2]), &json!([])), [] as [String; 0]);
    }

    #[test]
    fn what_is_to_be_ignored_is_with_all_below_it() {
        let one = json!({"a": {"b": 1, "c": [{"d": 1}]}});
        let of = |paths: &[&str]| {
            let ignored: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            let mask = mask(&one, &one, &known()).ignoring("$", &ignored);
            let third = json!({"a": {"b": 2, "c": [{"d": 3}], "e": 4}});
            differences(&visible(&one, &mask), &visible(&third, &mask), "$").len()
        };
        assert_eq!((of(&[]), of(&["$.a"]), of(&["$.a.b"]), of(&["$.a.c[*].d", "$.a.e"])), (3, 0, 2, 1));
    }
}
