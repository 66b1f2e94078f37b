//! Reads texts with values, answers and conditions of a declared double.
//!
//! Must not know: which routes there are.

use super::{
    Answer, Body, Condition, Json, Test,
    template::{Known, OF_CALL, Source, Template, Wrong},
};
use crate::scenario::{
    error::ScenarioErrorKind as Kind,
    raw::{At, Fields, Mistakes, Span, array, fields, table, text, within, wrong_type},
    shape::{Shape, Tie},
};
use toml::{Spanned, de::DeValue};

/// Status codes that an answer may have.
const STATUS: std::ops::Range<u64> = 200..600;

/// Deepest JSON of an answer: it is written by hand.
const DEEPEST: usize = 20;

fn wrong<T>(read: Result<T, Wrong>, span: &Span, mistakes: &mut Mistakes) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err((message, help)) => {
            mistakes.add_help(span, Kind::UnknownParameter, message, help);
            None
        }
    }
}

/// A text with values.
pub(super) fn template(typed: &At<&str>, known: &Known, mistakes: &mut Mistakes) -> Option<Template> {
    wrong(Template::read(typed.value, known), &typed.span, mistakes)
}

/// A text with values under a key that may be absent.
pub(super) fn some_template(
    fields: &mut Fields<'_>,
    key: &'static str,
    known: &Known,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    let typed = fields.text_as(key, Shape::Text, mistakes)?;
    template(&typed, known, mistakes)
}

/// A text with values that must be there, and must not be empty.
pub(super) fn need_template(
    fields: &mut Fields<'_>,
    key: &'static str,
    known: &Known,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    let typed = fields.need_text_as(key, Shape::Said, mistakes)?;
    if typed.value.trim().is_empty() {
        mistakes.add(&typed.span, Kind::EmptyText, format!("`{key}` is empty"));
        return None;
    }
    template(&typed, known, mistakes)
}

/// A value of the call: `json.to`, without braces.
pub(super) fn of_call(typed: &At<&str>, known: &Known, mistakes: &mut Mistakes) -> Option<Source> {
    let root = typed.value.split('.').next().unwrap_or_default();
    if !OF_CALL.contains(&root) {
        let message = format!("`{}` is no value of a call", typed.value);
        let help = "write json.name, form.name, query.name, header.name or path.name, without braces";
        mistakes.add_help(&typed.span, Kind::UnknownParameter, message, help);
        return None;
    }
    wrong(Source::read(typed.value, known), &typed.span, mistakes)
}

/// An array of values of the call.
pub(super) fn values_of_call(
    fields: &mut Fields<'_>,
    key: &'static str,
    known: &Known,
    mistakes: &mut Mistakes,
) -> Vec<Source> {
    let Some(value) = fields.get_as(key, Shape::array(Shape::Said)) else { return Vec::new() };
    let items = array(value, &format!("`{key}`"), mistakes);
    let typed: Vec<_> = items.into_iter().filter_map(|item| text(item, "a value of the call", mistakes)).collect();
    typed.iter().filter_map(|typed| of_call(typed, known, mistakes)).collect()
}

/// `when = { "json.type" = "receipt" }` and `without = ["json.draft"]`.
pub(super) fn conditions(fields: &mut Fields<'_>, known: &Known, mistakes: &mut Mistakes) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let when = fields.get_as("when", Shape::Named(Box::new(Shape::Scalar)));
    for (key, value) in when.and_then(|value| table(value, "`when`", mistakes)).into_iter().flatten() {
        let typed = At { value: key.get_ref().as_ref(), span: key.span() };
        let (of, test) = (of_call(&typed, known, mistakes), test(value, mistakes));
        conditions.extend(of.zip(test).map(|(of, test)| Condition { of, test }));
    }
    let without = values_of_call(fields, "without", known, mistakes);
    conditions.extend(without.into_iter().map(|of| Condition { of, test: Test::Present(false) }));
    conditions
}

fn test(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Test> {
    match value.get_ref().as_str() {
        Some(text) if text.contains('*') => Some(Test::Like(text.to_owned())),
        Some(text) => Some(Test::Is(text.into())),
        None => match plain(value) {
            Some(plain) => Some(Test::Is(plain)),
            None => {
                wrong_type(value, "a value in `when`", "text, a number, true or false", mistakes);
                None
            }
        },
    }
}

fn plain(value: &Spanned<DeValue<'_>>) -> Option<serde_json::Value> {
    match value.get_ref() {
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(serde_json::Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(serde_json::Value::from),
        DeValue::Boolean(truth) => Some((*truth).into()),
        DeValue::String(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A table of texts with values; names become lower case where they are those of headers.
pub(super) fn templates(
    fields: &mut Fields<'_>,
    key: &'static str,
    known: &Known,
    mistakes: &mut Mistakes,
) -> Vec<(String, Template)> {
    let Some(value) = fields.get_as(key, Shape::Named(Box::new(Shape::Text))) else { return Vec::new() };
    let mut read = Vec::new();
    for (name, value) in table(value, &format!("`{key}`"), mistakes).into_iter().flatten() {
        let typed = text(value, &format!("`{}`", name.get_ref()), mistakes);
        let filled = typed.and_then(|typed| template(&typed, known, mistakes));
        let name = name.get_ref().to_string();
        let name = if key == "headers" { name.to_lowercase() } else { name };
        read.extend(filled.map(|filled| (name, filled)));
    }
    read
}

/// The fields of an item.
pub(super) fn item(fields: &mut Fields<'_>, known: &Known, mistakes: &mut Mistakes) -> Vec<(String, Json)> {
    let Some(value) = fields.get_as("item", Shape::Named(Box::new(Shape::Any))) else { return Vec::new() };
    match json(value, known, 0, mistakes) {
        Some(Json::Object(members)) => members,
        Some(_) => {
            wrong_type(value, "`item`", "a table", mistakes);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// JSON as it is written in TOML, with values in its texts.
pub(super) fn json(value: &Spanned<DeValue<'_>>, known: &Known, depth: usize, mistakes: &mut Mistakes) -> Option<Json> {
    if depth > DEEPEST {
        mistakes.add(&value.span(), Kind::TooLarge, format!("JSON is deeper than {DEEPEST} levels"));
        return None;
    }
    match value.get_ref() {
        DeValue::String(typed) => {
            template(&At { value: typed.as_ref(), span: value.span() }, known, mistakes).map(Json::Text)
        }
        DeValue::Array(items) => {
            let read: Vec<_> = items.iter().map(|item| json(item, known, depth + 1, mistakes)).collect();
            read.into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
        }
        DeValue::Table(members) => {
            let member = |(key, value): (&Spanned<toml::de::DeString<'_>>, _)| {
                Some((key.get_ref().to_string(), json(value, known, depth + 1, mistakes)?))
            };
            let read: Vec<_> = members.iter().map(member).collect();
            read.into_iter().collect::<Option<Vec<_>>>().map(Json::Object)
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            let read = plain(value).map(Json::Plain);
            if read.is_none() {
                wrong_type(value, "a value of JSON", "text, a number, true, false, an array or a table", mistakes);
            }
            read
        }
    }
}

/// An answer under `key`; `usual` where there is none.
pub(super) fn answer(
    fields: &mut Fields<'_>,
    key: &'static str,
    usual: Answer,
    known: &Known,
    mistakes: &mut Mistakes,
) -> Answer {
    let Some(value) = fields.get_as(key, Shape::Inner) else { return usual };
    answer_of(value, key, usual.status, known, mistakes).unwrap_or(usual)
}

fn answer_of(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    status: u16,
    known: &Known,
    mistakes: &mut Mistakes,
) -> Option<Answer> {
    let mut inner = fields(value, &format!("`{key}`"), mistakes)?;
    inner.tie(Tie::AtMost(&["json", "text"]));
    let typed = inner.get_as("status", within(&STATUS));
    let status = typed.map_or(Some(status), |value| {
        let read = crate::scenario::raw::count(value, "`status`", STATUS, mistakes);
        read.and_then(|read| u16::try_from(read.value).ok())
    });
    let headers = templates(&mut inner, "headers", known, mistakes);
    let said = inner.get_as("json", Shape::Any);
    let text = inner.get_as("text", Shape::Text);
    let body = match (said, text) {
        (Some(said), None) => json(said, known, 0, mistakes).map(Body::Json),
        (None, Some(value)) => crate::scenario::raw::text(value, "`text`", mistakes)
            .and_then(|typed| template(&typed, known, mistakes))
            .map(Body::Text),
        (None, None) => Some(Body::Empty),
        (Some(_), Some(text)) => {
            mistakes.add(&text.span(), Kind::NotOneChoice, "an answer holds `json` or `text`, not both");
            None
        }
    };
    inner.close(mistakes);
    Some(Answer { status: status?, headers, body: body? })
}
