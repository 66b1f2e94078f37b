//! The JSON Schema and the readers agree, in both directions.
//!
//! `UPDATE=1 cargo test` writes `scenarios/schema.json` anew.

use super::{good::EVERYTHING, recordings::find};
use hookdrill::scenario::{
    error::{ScenarioError, ScenarioErrorKind as Kind},
    load::{Criteria, Sources, parse_all},
    schema,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn json_of(text: &str) -> Value {
    toml::from_str(text).expect("TOML")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn errors_of(text: &str) -> Vec<ScenarioError> {
    let sources = Sources { recordings: &mut find, includes: &mut |_| Err("there are no files here".to_owned()) };
    parse_all(text, Path::new("generated.toml"), sources, Criteria::Needed)
        .map_or_else(|errors| errors.errors, |_| Vec::new())
}

#[test]
fn the_schema_that_is_checked_in_is_the_one_of_the_readers() {
    let text = serde_json::to_string_pretty(&schema::scenario()).expect("JSON") + "\n";
    #[expect(clippy::disallowed_methods, reason = "a test may be told to rewrite what it expects")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write("scenarios/schema.json", &text).expect("written");
    }
    let there = std::fs::read_to_string("scenarios/schema.json").expect("a schema");
    assert!(there == text, "scenarios/schema.json is old: hookdrill schema > scenarios/schema.json");
}

#[test]
fn the_schemas_are_schemas() {
    for schema in [schema::scenario(), schema::stories(), hookdrill::drive::project::schema()] {
        jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_good_scenario_is_valid_by_the_schema() {
    let scenario = jsonschema::validator_for(&schema::scenario()).expect("a schema");
    let stories = jsonschema::validator_for(&schema::stories()).expect("a schema");
    let mut checked = 0;
    let mut check = |name: &str, text: &str| {
        let validator = if name.ends_with(".inc.toml") { &stories } else { &scenario };
        let wrong: Vec<String> =
            validator.iter_errors(&json_of(text)).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
        checked += 1;
    };
    for path in files("scenarios").into_iter().chain(files("tests/scenario")).chain(files("benches")) {
        let text = std::fs::read_to_string(&path).expect("a file");
        check(&path.display().to_string(), &text);
    }
    check("everything", EVERYTHING);
    check("init", include_str!("../../src/cli/starter/first.toml"));
    assert!(checked > 50, "{checked}");
    let project = jsonschema::validator_for(&hookdrill::drive::project::schema()).expect("a schema");
    let text = include_str!("../../src/cli/starter/hookdrill.toml");
    assert!(project.is_valid(&json_of(text)));
    assert!(!project.is_valid(&json_of(&text.replace("secret_env", "secret"))));
    assert!(!project.is_valid(&json_of(&text.replace("webhook = ", "webhook = 1 #"))));
}

/// Mistakes that show in the form of a file, without recordings, stories and the whole.
const OF_FORM: &[Kind] = &[
    Kind::Version,
    Kind::MissingKey,
    Kind::UnknownKey,
    Kind::WrongType,
    Kind::NotOneChoice,
    Kind::EmptyText,
    Kind::BadName,
    Kind::BadDuration,
    Kind::BadSpan,
    Kind::UnknownWord,
    Kind::OutOfRange,
    Kind::UnknownClass,
    Kind::BadSelector,
];

#[test]
fn bad_scenarios_are_mostly_refused_by_the_schema_too() {
    let validator = jsonschema::validator_for(&schema::scenario()).expect("a schema");
    let (mut refused, mut all, mut slipped) = (0, 0, Vec::new());
    let (mut of_form, mut refused_of_form) = (0, 0);
    for path in files("fixtures/bad-scenarios") {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let Ok(json) = toml::from_str::<Value>(&text) else { continue };
        let (valid, errors) = (validator.is_valid(&json), errors_of(&text));
        all += 1;
        refused += usize::from(!valid);
        if errors.iter().any(|error| OF_FORM.contains(&error.kind)) {
            of_form += 1;
            refused_of_form += usize::from(!valid);
            if valid {
                slipped.push(path.display().to_string());
            }
        }
    }
    println!("the schema refuses {refused} of {all} bad scenarios, {refused_of_form} of {of_form} bad in form");
    assert!(refused_of_form * 10 >= of_form * 8, "{refused_of_form} of {of_form}; accepted: {slipped:?}");
}

/// A table of the schema: its way from the root (keys, and whether an array of tables stands there), and itself.
struct Table {
    path: Vec<(String, bool)>,
    schema: Value,
}

fn resolved(root: &Value, schema: &Value) -> Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition").clone(),
        None => schema.clone(),
    }
}

fn walk(root: &Value, schema: &Value, path: &[(String, bool)], found: &mut Vec<Table>) {
    let schema = resolved(root, schema);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.push(Table { path: path.to_vec(), schema: schema.clone() });
        for (key, property) in properties {
            let further: Vec<_> = path.iter().cloned().chain([(key.clone(), false)]).collect();
            walk(root, property, &further, found);
        }
    }
    for one in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        walk(root, one, path, found);
    }
    if let (Some(items), Some((_, false))) = (schema.get("items"), path.last()) {
        let mut path = path.to_vec();
        path.last_mut().expect("a key").1 = true;
        walk(root, items, &path, found);
    }
}

fn tables(root: &Value) -> Vec<Table> {
    let mut found = Vec::new();
    walk(root, root, &[], &mut found);
    found
}

impl Table {
    fn name(&self) -> String {
        self.path.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(".")
    }

    fn keys(&self) -> Vec<&String> {
        self.schema["properties"].as_object().expect("properties").keys().collect()
    }

    /// A file of this table with `inner`, on its second line.
    fn holding(&self, inner: &str) -> String {
        if self.path.is_empty() {
            return format!("version = 1\n{inner}\n");
        }
        let open: String =
            self.path.iter().map(|(key, array)| format!("{key} = {}{{ ", if *array { "[" } else { "" })).collect();
        let close: String = self.path.iter().rev().map(|(_, array)| if *array { " }]" } else { " }" }).collect();
        format!("version = 1\n{open}{inner}{close}\n")
    }
}

#[test]
fn an_unknown_key_is_refused_everywhere_and_the_valid_ones_are_those_of_the_schema() {
    let root = schema::scenario();
    let all = tables(&root);
    assert!(all.len() > 60, "{}", all.len());
    for table in all {
        assert_eq!(table.schema["additionalProperties"], json!(false), "{}", table.name());
        let text = table.holding("zzz = 1");
        let errors = errors_of(&text);
        let error = errors.iter().find(|error| error.message.starts_with("unknown key `zzz`"));
        let error = error.unwrap_or_else(|| panic!("{}: {text} is taken: {errors:?}", table.name()));
        let help = error.help.as_deref().unwrap_or_default();
        let valid: BTreeSet<&str> =
            help.rsplit("valid: ").next().unwrap_or_default().split(", ").map(|word| word.trim_matches('`')).collect();
        let keys: BTreeSet<&str> = table.keys().into_iter().map(String::as_str).collect();
        assert_eq!(valid, keys, "{}", table.name());
    }
}

#[test]
fn every_word_of_the_language_is_in_its_readme() {
    let readme = std::fs::read_to_string("scenarios/README.md").expect("a file");
    let words: BTreeSet<&str> = readme.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let root = schema::scenario();
    for table in tables(&root) {
        for key in table.keys() {
            assert!(words.contains(key.as_str()), "scenarios/README.md does not say `{key}` of `{}`", table.name());
            let property = &table.schema["properties"][key];
            // Operations are listed by the schema and by `lint`.
            if key == "operation" {
                continue;
            }
            let several = property["anyOf"].as_array().cloned().unwrap_or_else(|| vec![property.clone()]);
            for word in several.iter().filter_map(|one| one["enum"].as_array()).flatten().filter_map(Value::as_str) {
                assert!(readme.contains(word), "scenarios/README.md does not say `{word}` of `{key}`");
            }
        }
    }
}

/// Values of every type, good and bad ones, as TOML writes them; but dates, which JSON has not.
const VALUES: &[&str] = &[
    "true",
    "false",
    "-1",
    "0",
    "1",
    "2",
    "5",
    "7",
    "503",
    "99999999",
    "0.5",
    "1.5",
    "\"zzz\"",
    "\"\"",
    "\" \"",
    "\"Zz z\"",
    "\"0s\"",
    "\"10s\"",
    "\"10 s\"",
    "\"invoice.paid#2\"",
    "\"invoice.paid#0\"",
    "\"all\"",
    "\"none\"",
    "[]",
    "[5]",
    "[7]",
    "[\"\"]",
    "[\"zzz\"]",
    "[\"zzz\", \"zz\"]",
    "[\"10s\"]",
    "[\"10s\", \"20s\"]",
    "[\"10s\", \"20s\", \"30s\"]",
    "[{}]",
    "[{ zzz = 1 }]",
    "{}",
    "{ zzz = 1 }",
    "{ zzz = [1] }",
];

/// What a number or a span cannot say alone: a lower bound in time.
const BEYOND: &[(&str, &str, &str)] = &[("fault.burst", "at", "\"0s\"")];

/// A value that the schema of a required key takes, so that the others are read as they will be.
fn sample(root: &Value, schema: &Value) -> String {
    let schema = resolved(root, schema);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words[0].to_string();
    }
    let first = schema.get("anyOf").and_then(Value::as_array).map(|some| sample(root, &some[0]));
    first.unwrap_or_else(|| match (schema["type"].as_str(), schema["pattern"].as_str()) {
        (Some("integer"), _) => schema["minimum"].to_string(),
        (Some("number"), _) => "0.5".to_owned(),
        (Some("object"), _) => "{ email = \"{email}\" }".to_owned(),
        (_, Some(pattern)) if pattern.contains("ms|s|m") => "\"10s\"".to_owned(),
        _ => "\"zzz\"".to_owned(),
    })
}

/// Errors of the reader within a value of the second line of a file.
fn within(errors: &[ScenarioError], line: &str, value: &str) -> Vec<ScenarioError> {
    let at = line.rfind(value).expect("there") + 1;
    let inside = |error: &&ScenarioError| {
        error.place.as_ref().is_some_and(|p| p.line == 2 && (at..at + value.len()).contains(&p.column))
    };
    errors.iter().filter(inside).cloned().collect()
}

#[test]
fn what_the_schema_refuses_the_reader_refuses_and_the_other_way_round() {
    let root = schema::scenario();
    let (mut compared, mut wrong) = (0, Vec::new());
    for table in tables(&root) {
        let required: Vec<&str> =
            table.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for key in table.keys().into_iter().filter(|key| !(table.path.is_empty() && *key == "version")) {
            let mut property = table.schema["properties"][key].clone();
            property["definitions"] = root["definitions"].clone();
            let validator = jsonschema::draft7::new(&property).expect("a schema");
            let others: String = required
                .iter()
                .filter(|other| *other != key && !table.path.is_empty())
                .map(|other| format!("{other} = {}, ", sample(&root, &table.schema["properties"][*other])))
                .collect();
            for value in VALUES {
                let json = json_of(&format!("v = {value}"))["v"].clone();
                let text = table.holding(&format!("{others}{key} = {value}"));
                let errors = within(&errors_of(&text), text.lines().nth(1).expect("a line"), value);
                let reader = !errors.iter().any(|error| OF_FORM.contains(&error.kind));
                let schema = validator.is_valid(&json);
                compared += 1;
                let beyond = BEYOND.contains(&(table.name().as_str(), key.as_str(), value));
                let agrees = if schema { reader || beyond } else { !errors.is_empty() };
                if !agrees {
                    wrong.push(format!("{text}  schema {schema}, reader {errors:?}"));
                }
            }
        }
    }
    assert!(compared > 5_000, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_word_of_the_schema_is_one_of_the_reader() {
    let root = schema::scenario();
    let mut words = 0;
    for table in tables(&root) {
        for key in table.keys() {
            let property = &table.schema["properties"][key];
            let several = property["anyOf"].as_array().cloned().unwrap_or_else(|| vec![property.clone()]);
            for word in
                several.iter().filter_map(|one| one["enum"].as_array()).flatten().filter(|word| word.is_string())
            {
                let text = table.holding(&format!("{key} = {word}"));
                let errors = within(&errors_of(&text), text.lines().nth(1).expect("a line"), &word.to_string());
                assert!(errors.iter().all(|error| !OF_FORM.contains(&error.kind)), "{text}: {errors:?}");
                words += 1;
            }
        }
    }
    assert!(words > 80, "{words}");
}
