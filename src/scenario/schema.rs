//! The JSON Schema of scenario files: the questions of the readers, written for editors.
//!
//! Draft 7, which is what editors of TOML read. Where a scenario may hold a parameter of `[matrix]` the schema allows `"${…}"`.
//! Must not know: files, what a key means (`schema_docs` says it in words).

use super::{
    declared, load,
    schema_docs::describe,
    shape::{Key, Shape, Table, Tie},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where the schema is drawn up for.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// A parameter of `[matrix]` alone.
const PARAMETER: &str = r"^\$\{[^}]+\}$";

/// The schema of a scenario file.
pub fn scenario() -> Value {
    let mut schema = head("A hookdrill scenario");
    if let Some(table) = load::asked() {
        schema.extend(object(&table, ""));
    }
    definitions(schema)
}

/// The schema of a declared double.
pub fn double() -> Value {
    let mut schema = head("A declared double of hookdrill");
    if let Some(table) = declared::asked() {
        schema.extend(object(&table, DOUBLE));
    }
    let mut schema = definitions(schema);
    without_parameters(&mut schema);
    schema
}

/// A declared double is no scenario: it has no parameters of a `[matrix]`.
fn without_parameters(schema: &mut Value) {
    let is_parameter = |one: &Value| one.get("$ref").is_some_and(|of| of == "#/definitions/parameter");
    match schema {
        Value::Object(object) => {
            object.remove("parameter");
            if let Some(Value::Array(some)) = object.get_mut("anyOf") {
                some.retain(|one| !is_parameter(one));
                if let [Value::Object(alone)] = some.as_slice() {
                    let alone = alone.clone();
                    object.remove("anyOf");
                    object.extend(alone);
                }
            }
            object.values_mut().for_each(without_parameters);
        }
        Value::Array(items) => items.iter_mut().for_each(without_parameters),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Where the ways of a declared double's tables begin, so that they are not those of a scenario.
const DOUBLE: &str = "double:";

/// What `key` of `table` means, of a scenario or of a declared double.
fn meaning(table: &str, key: &str) -> Option<&'static str> {
    match table.strip_prefix(DOUBLE) {
        Some(table) => declared::describe(table.trim_start_matches('.'), key),
        None => describe(table, key),
    }
}

/// The schema of a file of stories that scenarios include.
pub fn stories() -> Value {
    let mut schema = head("Stories that hookdrill scenarios include");
    let root = load::asked().into_iter().flat_map(|table| table.keys);
    let keys: Vec<Key> = root.filter(|key| ["version", "story"].contains(&key.name)).collect();
    let ties = vec![Tie::AtLeast(&["story"])];
    schema.extend(object(&Table { start: 0, choice: false, keys, ties }, ""));
    definitions(schema)
}

fn head(title: &str) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!(DRAFT));
    schema.insert("title".to_owned(), json!(title));
    schema
}

fn definitions(mut schema: Map<String, Value>) -> Value {
    let mut repeated = hoisted(&mut schema);
    let shapes = json!({
            "duration": {
                "type": "string",
                "pattern": r"^([0-9]+(ms|s|m|h|d)|.*\$\{.+\}.*)$",
                "description": "a whole number and a unit: 250ms, 10s, 2m, 4h, 3d"
            },
            "positive": {
                "type": "string",
                "pattern": r"^(0*[1-9][0-9]*(ms|s|m|h|d)|.*\$\{.+\}.*)$",
                "description": "longer than nothing, a whole number and a unit: 250ms, 10s, 2m, 4h, 3d"
            },
            "events": {
                "type": "string",
                "pattern": r"^([a-z0-9._*]+(#0*[1-9][0-9]*)?|.*\$\{.+\}.*)$",
                "description": "a type (invoice.paid), a glob (invoice.*, *), or either and a position (invoice.paid#2)"
            },
            "parameter": {
                "type": "string",
                "pattern": PARAMETER,
                "description": "a parameter of [matrix]: ${name}"
            }
    });
    if let Value::Object(shapes) = shapes {
        repeated.extend(shapes);
    }
    schema.insert("definitions".to_owned(), Value::Object(repeated));
    Value::Object(schema)
}

/// Tables that occur several times and take more than a few lines stand in the definitions once.
fn hoisted(schema: &mut Map<String, Value>) -> Map<String, Value> {
    const FEW: usize = 400;
    let mut seen: BTreeMap<String, (usize, String)> = BTreeMap::new();
    tables(schema, "", &mut |table, name| {
        let text = Value::Object(table.clone()).to_string();
        seen.entry(text).or_insert_with(|| (0, name.to_owned())).0 += 1;
        None
    });
    let mut definitions = Map::new();
    tables(schema, "", &mut |table, _| {
        let text = Value::Object(table.clone()).to_string();
        let (_, name) = seen.get(&text).filter(|(count, _)| *count > 1 && text.len() > FEW)?;
        definitions.insert(format!("table-{name}"), Value::Object(table.clone()));
        Some(json!({ "$ref": format!("#/definitions/table-{name}") }))
    });
    definitions
}

/// What a table is replaced by, given the table and the last key that has a name.
type Replace<'r> = &'r mut dyn FnMut(&Map<String, Value>, &str) -> Option<Value>;

/// Shows every table within one (not itself), inner ones last.
fn tables(object: &mut Map<String, Value>, name: &str, replace: Replace<'_>) {
    for (key, value) in object.iter_mut() {
        let below = if STRUCTURE.contains(&key.as_str()) { name } else { key.as_str() };
        visit(value, below, replace);
    }
}

/// Words of JSON Schema under which tables stand, which are no keys of a file.
const STRUCTURE: &[&str] = &["properties", "anyOf", "items", "additionalProperties"];

fn visit(value: &mut Value, name: &str, replace: Replace<'_>) {
    match value {
        Value::Object(object) => {
            let is_table = object.get("type").is_some_and(|kind| kind == "object") && object.contains_key("properties");
            if is_table && let Some(other) = replace(object, name) {
                *value = other;
            } else {
                tables(object, name, replace);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, name, replace)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A table. `name` is its way from the root, with dots.
fn object(table: &Table, name: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("additionalProperties".to_owned(), json!(false));
    if table.choice {
        object.insert("minProperties".to_owned(), json!(1));
        object.insert("maxProperties".to_owned(), json!(1));
    }
    let tied = |key: &Key| {
        table.ties.iter().any(|tie| match tie {
            Tie::Exactly(keys) | Tie::AtLeast(keys) => keys.contains(&key.name),
            Tie::AtMost(_) => false,
        })
    };
    let mut required: Vec<&str> = table.keys.iter().filter(|key| key.must && !tied(key)).map(|key| key.name).collect();
    let mut all = Vec::new();
    for tie in &table.ties {
        match tie {
            Tie::AtLeast([alone]) => required.push(alone),
            Tie::AtLeast(keys) => all.push(json!({ "anyOf": need(keys) })),
            Tie::Exactly(keys) => all.push(json!({ "oneOf": need(keys) })),
            Tie::AtMost(keys) => all.push(json!({ "not": { "required": keys } })),
        }
    }
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    if !all.is_empty() {
        object.insert("allOf".to_owned(), json!(all));
    }
    let properties = table.keys.iter().map(|key| (key.name.to_owned(), property(key, name)));
    object.insert("properties".to_owned(), Value::Object(properties.collect()));
    object
}

fn need(keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

/// What a key may hold, with its description.
fn property(key: &Key, object: &str) -> Value {
    let name = if object.is_empty() { key.name.to_owned() } else { format!("{object}.{}", key.name) };
    let mut property = Map::new();
    if let Some(words) = meaning(object, key.name) {
        property.insert("description".to_owned(), json!(words));
    }
    match alternatives(&key.shape, &name).as_slice() {
        [Value::Object(one)] if !one.contains_key("$ref") => {
            property.extend(one.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        several => {
            property.insert("anyOf".to_owned(), json!(several));
        }
    }
    Value::Object(property)
}

/// Everything that a key may hold, a parameter of `[matrix]` too where that is no text anyway.
fn alternatives(shape: &Shape, name: &str) -> Vec<Value> {
    let mut found = Vec::new();
    one_by_one(shape, name, &mut found);
    if takes_parameter(shape) {
        found.push(json!({ "$ref": "#/definitions/parameter" }));
    }
    found
}

fn takes_parameter(shape: &Shape) -> bool {
    match shape {
        Shape::Count { .. }
        | Shape::Share { .. }
        | Shape::Flag
        | Shape::True
        | Shape::Words(_)
        | Shape::Numbers(_)
        | Shape::Effect
        | Shape::Name => true,
        Shape::Either(some) => some.iter().any(takes_parameter),
        // Text takes it anyway, and a parameter stands for no table and no array.
        Shape::Any
        | Shape::Text
        | Shape::Said
        | Shape::Duration
        | Shape::Positive
        | Shape::Span
        | Shape::Events
        | Shape::Scalar
        | Shape::Array { .. }
        | Shape::Named(_)
        | Shape::Inner
        | Shape::Table(_) => false,
    }
}

fn one_by_one(shape: &Shape, name: &str, found: &mut Vec<Value>) {
    let said = |definition: &str| json!({ "$ref": format!("#/definitions/{definition}") });
    found.push(match shape {
        Shape::Any | Shape::Inner => json!({}),
        Shape::Text => json!({ "type": "string" }),
        Shape::Said => json!({ "type": "string", "pattern": r"\S" }),
        Shape::Name => json!({ "type": "string", "pattern": "^[a-z0-9_-]+$" }),
        Shape::Effect => json!({ "type": "string", "pattern": r"^[a-z0-9_-]{1,31}\.[a-z0-9_-]+$" }),
        Shape::Duration => said("duration"),
        Shape::Positive => said("positive"),
        Shape::Events => said("events"),
        Shape::Span => json!({ "type": "array", "items": said("duration"), "minItems": 2, "maxItems": 2 }),
        Shape::Count { least, most } if *most >= i64::MAX as u64 => json!({ "type": "integer", "minimum": least }),
        Shape::Count { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Share { one: false } => json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }),
        Shape::Share { one: true } => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::True => json!({ "const": true }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Numbers(numbers) => json!({ "enum": numbers }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Array { of, least, most } => array(&any_of(of, name), *least, *most),
        Shape::Named(of) => {
            json!({ "type": "object", "additionalProperties": any_of(of, name), "minProperties": 1 })
        }
        Shape::Table(table) => Value::Object(object(table, name)),
        Shape::Either(some) => {
            some.iter().for_each(|one| one_by_one(one, name, found));
            return;
        }
    });
}

fn any_of(shape: &Shape, name: &str) -> Value {
    let mut of = alternatives(shape, name);
    if of.len() == 1 { of.remove(0) } else { json!({ "anyOf": of }) }
}

fn array(items: &Value, least: usize, most: Option<usize>) -> Value {
    let mut array = Map::new();
    array.insert("type".to_owned(), json!("array"));
    array.insert("items".to_owned(), items.clone());
    if least > 0 {
        array.insert("minItems".to_owned(), json!(least));
    }
    if let Some(most) = most {
        array.insert("maxItems".to_owned(), json!(most));
    }
    Value::Object(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::schema_docs::DOCS;

    /// Every key of every table, with the table's way and its shape.
    fn keys(table: &Table, name: &str, found: &mut Vec<(String, Key)>) {
        for key in &table.keys {
            found.push((name.to_owned(), key.clone()));
            let below = if name.is_empty() { key.name.to_owned() } else { format!("{name}.{}", key.name) };
            inner(&key.shape, &below, found);
        }
    }

    fn inner(shape: &Shape, name: &str, found: &mut Vec<(String, Key)>) {
        match shape {
            Shape::Table(table) => keys(table, name, found),
            Shape::Array { of, .. } | Shape::Named(of) => inner(of, name, found),
            Shape::Either(some) => some.iter().for_each(|one| inner(one, name, found)),
            _ => {}
        }
    }

    fn all() -> Vec<(String, Key)> {
        let mut found = Vec::new();
        keys(&load::asked().expect("a table"), "", &mut found);
        found
    }

    #[test]
    fn every_key_is_described_and_nothing_else() {
        let all = all();
        let missing: Vec<String> = all
            .iter()
            .filter(|(table, key)| describe(table, key.name).is_none())
            .map(|(table, key)| format!("(\"{table}\", \"{}\", \"\"),", key.name))
            .collect();
        assert!(missing.is_empty(), "write a line in schema_docs.rs for each of:\n{}", missing.join("\n"));
        for (table, name, words) in DOCS {
            let known = |(of, key): &(String, Key)| (*table == "*" || of == table) && key.name == *name;
            assert!(all.iter().any(known), "no reader knows `{name}` of `{table}`: {words}");
        }
    }

    #[test]
    fn every_key_of_a_declared_double_is_described_and_nothing_else() {
        let mut all = Vec::new();
        keys(&declared::asked().expect("a table"), "", &mut all);
        assert!(all.len() > 60, "{}", all.len());
        let missing: Vec<String> = all
            .iter()
            .filter(|(table, key)| declared::describe(table, key.name).is_none())
            .map(|(table, key)| format!("(\"{table}\", \"{}\", \"\"),", key.name))
            .collect();
        assert!(missing.is_empty(), "write a line in declared/docs.rs for each of:\n{}", missing.join("\n"));
        for (table, name, words) in declared::DOCS {
            let known = |(of, key): &(String, Key)| (*table == "*" || of == table) && key.name == *name;
            assert!(all.iter().any(known), "no reader knows `{name}` of `{table}`: {words}");
        }
    }

    #[test]
    fn every_reader_says_what_its_keys_may_hold() {
        for (table, key) in all() {
            let bare = matches!(key.shape, Shape::Any | Shape::Inner) || format!("{:?}", key.shape).contains("Inner");
            assert!(!bare, "`{}` of `{table}`: ask for it by its shape (`get_as`)", key.name);
        }
    }
}
