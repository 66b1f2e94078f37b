//! Reads the routes of a declared double: what a call must look like, what is done, what is counted, what is answered.
//!
//! Must not know: files, how a call is answered.

use super::{
    Action, Answer, Body, Does, EffectRule, Json, Part, Route,
    answers::{answer, conditions, item, json, need_template, some_template, templates, values_of_call},
    template::{Known, RESERVED, Template},
};
use crate::scenario::{
    error::ScenarioErrorKind as Kind,
    raw::{At, Fields, Mistakes, array, choice, fields, word, wrong_type},
    read_doubles::is_name,
    shape::Shape,
};
use toml::{Spanned, de::DeValue};

/// Methods that a route may have.
const METHODS: &[(&str, &str)] =
    &[("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("DELETE", "DELETE")];

/// Items of a page when nothing is said, and at most.
const PAGE_SIZE: u64 = 100;
const MOST_ITEMS: u64 = 1_000;

/// What the result of an action is called when nothing is said.
const RESULT: &str = "item";

/// Name of what no route fits.
const UNKNOWN: &str = "unknown";

type Read = fn(&mut Fields<'_>, &Known, &mut Mistakes) -> Option<Does>;

const ACTIONS: &[(&str, Read)] = &[
    ("insert", |f, k, m| keyed(f, k, m).map(|(key, item)| Does::Insert { key, item })),
    ("upsert", |f, k, m| keyed(f, k, m).map(|(key, item)| Does::Upsert { key, item })),
    ("update", |f, k, m| keyed(f, k, m).map(|(key, item)| Does::Update { key, item })),
    ("delete", |f, k, m| need_template(f, "key", k, m).map(|key| Does::Delete { key })),
    ("find", |f, k, m| need_template(f, "key", k, m).map(|key| Does::Find { key })),
    ("list", list),
    ("add", add),
];

/// A route, and where it stands.
pub(super) fn route(entry: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<At<Route>> {
    let mut on = fields(entry, "[[route]]", mistakes)?;
    let name = need_name(&mut on, "name", "a route", mistakes);
    let method = on.need_word("method", METHODS, mistakes);
    let mut known = Known::default();
    let path = path(&mut on, &mut known, mistakes);
    let when = conditions(&mut on, &known, mistakes);
    let need = values_of_call(&mut on, "need", &known, mistakes);
    let lacking = Answer::json(422, Json::said("error", "something that the call needs is missing"));
    let refusal = answer(&mut on, "refusal", lacking, &known, mistakes);
    let idempotent = on.get_as("idempotent", Shape::Flag).is_none_or(|value| {
        value.get_ref().as_bool().unwrap_or_else(|| {
            wrong_type(value, "`idempotent`", "true or false", mistakes);
            true
        })
    });
    let actions = actions(&mut on, &mut known, mistakes);
    let effects = entries(&mut on, "effect", mistakes);
    let effects = effects.into_iter().filter_map(|entry| effect(entry, &known, mistakes)).collect();
    let empty = Answer { status: 200, headers: Vec::new(), body: Body::Empty };
    let answer = answer(&mut on, "answer", empty, &known, mistakes);
    on.close(mistakes);
    let route = Route {
        name: name?,
        method: method?.to_owned(),
        path: path?,
        when,
        need,
        refusal,
        idempotent,
        actions,
        effects,
        answer,
    };
    Some(At { value: route, span: entry.span() })
}

/// The tables of an array under `key`.
pub(super) fn entries<'t>(
    on: &mut Fields<'t>,
    key: &'static str,
    mistakes: &mut Mistakes,
) -> Vec<&'t Spanned<DeValue<'t>>> {
    let Some(value) = on.get_as(key, Shape::array(Shape::Inner)) else { return Vec::new() };
    if value.get_ref().is_table() {
        let message = format!("`{key}` must be an array of tables, not one table");
        mistakes.add_help(&value.span(), Kind::WrongType, message, format!("write [[…{key}]], or {key} = [{{ … }}]"));
        return vec![value];
    }
    array(value, &format!("`{key}`"), mistakes)
}

/// A name that must be there.
fn need_name(on: &mut Fields<'_>, key: &'static str, what: &str, mistakes: &mut Mistakes) -> Option<String> {
    let typed = on.need_text_as(key, Shape::Name, mistakes)?;
    if !is_name(typed.value) || typed.value == UNKNOWN {
        let message = format!("`{}` is no name for {what}", typed.value);
        mistakes.add_help(&typed.span, Kind::BadName, message, "use lower-case letters, digits, `-` and `_`");
        return None;
    }
    Some(typed.value.to_owned())
}

/// `/accounts/{id}/credits`
fn path(on: &mut Fields<'_>, known: &mut Known, mistakes: &mut Mistakes) -> Option<Vec<Part>> {
    let typed = on.need_text_as("path", Shape::Said, mistakes)?;
    let mut bad = |message: String, help: &str| {
        mistakes.add_help(&typed.span, Kind::BadName, message, help);
        None
    };
    let Some(rest) = typed.value.strip_prefix('/') else {
        return bad(format!("`{}` is no path", typed.value), "a path begins with a slash: /messages/{id}");
    };
    if rest.contains(['?', '#', '*', ' ']) {
        return bad(format!("`{}` is no path", typed.value), "what stands in a query is asked for with when = { … }");
    }
    let mut parts = Vec::new();
    for part in rest.split('/').filter(|_| !rest.is_empty()) {
        let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        match inner {
            Some(name) if !is_name(name) || known.parameters.iter().any(|known| known == name) => {
                return bad(format!("`{part}` is no parameter of a path, or is there twice"), "write it as {id}");
            }
            Some(name) => {
                known.parameters.push(name.to_owned());
                parts.push(Part::Parameter(name.to_owned()));
            }
            None if part.is_empty() || part.contains(['{', '}']) => {
                return bad(
                    format!("`{}` is no path", typed.value),
                    "a parameter is a whole part between slashes: /messages/{id}",
                );
            }
            None => parts.push(Part::Literal(part.to_owned())),
        }
    }
    Some(parts)
}

fn actions(on: &mut Fields<'_>, known: &mut Known, mistakes: &mut Mistakes) -> Vec<Action> {
    let mut actions = Vec::new();
    for entry in entries(on, "do", mistakes) {
        let Some(chosen) = choice("[[route.do]]", entry, ACTIONS, mistakes) else { continue };
        let Some(mut inner) = fields(chosen.value, &format!("`{}`", chosen.word), mistakes) else { continue };
        let collection = need_name(&mut inner, "in", "a collection", mistakes);
        let does = (chosen.meaning)(&mut inner, known, mistakes);
        let result = inner.text_as("as", Shape::Name, mistakes);
        let result = result.map_or(Some(RESULT.to_owned()), |typed| {
            let fine = is_name(typed.value) && !RESERVED.contains(&typed.value);
            if !fine {
                let message = format!("`{}` is no name for a result", typed.value);
                let help = format!("not one of {}", RESERVED.join(", "));
                mistakes.add_help(&typed.span, Kind::BadName, message, help);
            }
            fine.then(|| typed.value.to_owned())
        });
        let otherwise = answer(&mut inner, "otherwise", usual(does.as_ref()), known, mistakes);
        inner.close(mistakes);
        let (Some(collection), Some(does), Some(result)) = (collection, does, result) else { continue };
        known.list |= matches!(does, Does::List { .. });
        if !known.results.contains(&result) {
            known.results.push(result.clone());
        }
        actions.push(Action { does, collection, result, otherwise });
    }
    actions
}

/// The answer when an action cannot be done and nothing is said.
fn usual(does: Option<&Does>) -> Answer {
    let (status, text) = match does {
        Some(Does::Insert { .. } | Does::Upsert { .. }) => (409, "there is one already"),
        Some(Does::Add { .. }) => (409, "not enough, or no whole number"),
        Some(Does::Update { .. } | Does::Delete { .. } | Does::Find { .. } | Does::List { .. }) | None => {
            (404, "there is none")
        }
    };
    Answer::json(status, Json::said("error", text))
}

fn keyed(on: &mut Fields<'_>, known: &Known, mistakes: &mut Mistakes) -> Option<(Template, Vec<(String, Json)>)> {
    let key = need_template(on, "key", known, mistakes);
    let item = item(on, known, mistakes);
    Some((key?, item))
}

fn list(on: &mut Fields<'_>, known: &Known, mistakes: &mut Mistakes) -> Option<Does> {
    let filter = templates(on, "where", known, mistakes);
    let page_size = on.count("page_size", PAGE_SIZE, 1..MOST_ITEMS + 1, mistakes);
    let page = some_template(on, "page", known, mistakes);
    let each = on.get_as("each", Shape::Any);
    // What is shown of an item may name it.
    let mut known = known.clone();
    known.results.push(RESULT.to_owned());
    let each = each.and_then(|value| json(value, &known, 0, mistakes));
    Some(Does::List { filter, page_size, page, each })
}

fn add(on: &mut Fields<'_>, known: &Known, mistakes: &mut Mistakes) -> Option<Does> {
    let key = need_template(on, "key", known, mistakes);
    let field = on.need_text_as("field", Shape::Said, mistakes).map(|typed| typed.value.to_owned());
    let by = need_template(on, "by", known, mistakes);
    let least = on.some_count("least", 0..i64::MAX.unsigned_abs(), mistakes);
    let least = least.and_then(|at| i64::try_from(at.value).ok());
    let create = on.get_as("create", Shape::Flag).is_none_or(|value| {
        value.get_ref().as_bool().unwrap_or_else(|| {
            wrong_type(value, "`create`", "true or false", mistakes);
            true
        })
    });
    Some(Does::Add { key: key?, field: field?, by: by?, least, create })
}

const COUNTED: &[(&str, bool)] = &[("always", false), ("if changed", true)];

fn effect(entry: &Spanned<DeValue<'_>>, known: &Known, mistakes: &mut Mistakes) -> Option<EffectRule> {
    let mut on = fields(entry, "[[route.effect]]", mistakes)?;
    let name = need_name(&mut on, "name", "an effect", mistakes);
    let key = some_template(&mut on, "key", known, mistakes).unwrap_or_default();
    let fields = templates(&mut on, "fields", known, mistakes);
    let when = conditions(&mut on, known, mistakes);
    let counted = on.text_as("counted", Shape::words(COUNTED), mistakes);
    let counted = counted.and_then(|typed| word(&typed, "counted", COUNTED, mistakes));
    on.close(mistakes);
    Some(EffectRule { name: name?, key, fields, when, if_changed: counted.unwrap_or(false) })
}
