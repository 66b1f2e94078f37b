//! Values of a call, of the state and of the moment, filled into the texts and the JSON of a declared double.
//!
//! Must not know: routes, what is done to the state.

use super::state::State;
use crate::{
    id::DoubleName,
    scenario::declared::{Json, NewKind, NowKind, PageKind, Piece, Source, Template},
    time::Timestamp,
    wire::Request,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Everything that a template may name, but for the sizes of collections.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
    pub(super) json: Option<Value>,
    pub(super) path: BTreeMap<String, String>,
    pub(super) results: BTreeMap<String, Value>,
    pub(super) items: Vec<Value>,
    /// Number, next, total.
    pub(super) page: (u64, Option<u64>, u64),
    pub(super) new: (DoubleName, u64),
    pub(super) now: Timestamp,
}

impl Scope {
    /// What a request holds.
    pub(super) fn of(request: &Request) -> Self {
        let kind = request.header("content-type").unwrap_or_default();
        let is_form = kind.contains("form-urlencoded");
        let form = if is_form { form_urlencoded::parse(&request.body).into_owned().collect() } else { Vec::new() };
        // Many clients send JSON without saying so.
        let json = if is_form { None } else { serde_json::from_slice(&request.body).ok() };
        Self {
            query: request.query.clone(),
            headers: request.headers.clone(),
            form,
            json,
            path: BTreeMap::new(),
            results: BTreeMap::new(),
            items: Vec::new(),
            page: (1, None, 0),
            new: (DoubleName::default(), 0),
            now: Timestamp::default(),
        }
    }

    /// A value, when it is there.
    pub(super) fn value(&self, source: &Source, state: &State) -> Option<Value> {
        let first = |list: &[(String, String)], name: &str| {
            list.iter().find(|(known, _)| known == name).map(|(_, value)| Value::from(value.as_str()))
        };
        match source {
            Source::Path(name) => self.path.get(name).map(|text| text.as_str().into()),
            Source::Query(name) => first(&self.query, name),
            Source::Header(name) => first(&self.headers, name),
            Source::Form(name) => first(&self.form, name),
            Source::Json(way) => into(self.json.as_ref()?, way),
            Source::Result(name, way) => into(self.results.get(name)?, way),
            Source::Items => Some(Value::Array(self.items.clone())),
            Source::Page(PageKind::Number) => Some(self.page.0.into()),
            Source::Page(PageKind::Next) => self.page.1.map(Value::from),
            Source::Page(PageKind::More) => Some(self.page.1.is_some().into()),
            Source::Page(PageKind::Total) => Some(self.page.2.into()),
            Source::Size(collection) => Some(state.size(collection).into()),
            Source::New(kind) => Some(self.new_value(*kind)),
            Source::Now(NowKind::Iso) => Some(self.now.to_string().into()),
            Source::Now(NowKind::Secs) => Some(self.now.secs().into()),
            Source::Now(NowKind::Millis) => Some(self.now.millis().into()),
        }
    }

    /// Made from the number of the call alone: the same run gives the same ids.
    fn new_value(&self, kind: NewKind) -> Value {
        let (name, number) = self.new;
        let hex = hex::encode(Sha256::digest(format!("{name}/{number}")));
        match kind {
            NewKind::Number => number.into(),
            NewKind::Hex => hex[..24].into(),
            // Version 4, variant 1, as every library expects them.
            NewKind::Uuid => {
                format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]).into()
            }
        }
    }

    /// A text; what is not there leaves nothing.
    pub(super) fn text(&self, template: &Template, state: &State) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(source) => self.value(source, state).map(|value| text_of(&value)).unwrap_or_default(),
        };
        template.0.iter().map(piece).collect()
    }

    /// JSON; what is not there is null.
    pub(super) fn json(&self, json: &Json, state: &State) -> Value {
        self.some_json(json, state).unwrap_or_default()
    }

    /// JSON, when it is there at all.
    fn some_json(&self, json: &Json, state: &State) -> Option<Value> {
        let value = match json {
            Json::Plain(value) => value.clone(),
            Json::Text(template) => match template.alone() {
                Some(source) => return self.value(source, state),
                None => self.text(template, state).into(),
            },
            Json::Array(items) => items.iter().map(|item| self.json(item, state)).collect(),
            Json::Object(members) => {
                let members = members.iter().map(|(name, json)| (name.clone(), self.json(json, state)));
                Value::Object(members.collect())
            }
        };
        Some(value)
    }

    /// The fields of an item; one whose value is not there is left out.
    pub(super) fn fields(&self, item: &[(String, Json)], state: &State) -> Map<String, Value> {
        item.iter().filter_map(|(name, json)| Some((name.clone(), self.some_json(json, state)?))).collect()
    }
}

fn into(value: &Value, way: &[String]) -> Option<Value> {
    way.iter().try_fold(value, step).cloned()
}

fn step<'v>(value: &'v Value, part: &String) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(part),
        Value::Array(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A value as it stands in a text: text without quotes, nothing for null, the rest as JSON.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Whether `pattern`, with `*` for any text, is all of `text`.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in
            [("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*b*c", "a1b2b3c"), ("abc", "abc"), ("**", "x")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*", "ba"), ("a*b*c", "acb"), ("", "x"), ("ab*ba", "aba")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn values_are_found_in_json_and_in_forms() {
        let state = State::default();
        let json = Request { body: br#"{"to":[{"email":"a@example.com"}],"n":2}"#.to_vec(), ..Request::default() };
        let scope = Scope::of(&json);
        let way = |way: &str| Source::Json(way.split('.').map(str::to_owned).collect());
        assert_eq!(scope.value(&way("to.0.email"), &state), Some("a@example.com".into()));
        assert_eq!(scope.value(&way("to.1.email"), &state), None);
        assert_eq!(scope.value(&way("n"), &state), Some(2.into()));
        let header = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let form = Request { headers: vec![header], body: b"to=a%40example.com".to_vec(), ..Request::default() };
        assert_eq!(Scope::of(&form).value(&Source::Form("to".into()), &state), Some("a@example.com".into()));
    }
}
