//! From the text of a file to the tables that it stands for: stories of other files, stories like others, and one table
//! for each combination of `[matrix]`.
//!
//! Everything here works on TOML that is parsed but not yet understood; each value keeps the place at which a person wrote it.
//! Must not know: what the keys of a scenario mean, but for `include`, `story`, `like` and `matrix`.

use super::{
    error::{ScenarioErrorKind as Kind, ScenarioErrors, suggest},
    raw::{At, Mistakes, Span, array, text, wrong_type},
};
use std::{borrow::Cow, collections::BTreeSet, path::Path};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

/// Gives the text of an included file, or says why not (further lines are help).
pub(super) type Includes<'r> = &'r mut dyn FnMut(&str) -> Result<String, String>;

/// Most scenarios of one file.
const MAX_COMBINATIONS: usize = 256;

/// Keys that a story takes over from the one that it is like.
const INHERITED: &[&str] = &["recording", "instances", "spacing", "stagger", "after"];

/// One combination of the values of `[matrix]`; empty in a file without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Combination(Vec<(String, String)>);

impl Combination {
    /// The name of the scenario, with the values: `duplicates [copies=2, spacing=0s]`.
    pub(super) fn name(&self, name: &str) -> String {
        let values: Vec<String> = self.0.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        if values.is_empty() { name.to_owned() } else { format!("{name} [{}]", values.join(", ")) }
    }

    /// The name of its folder, before what a folder must not hold is taken out.
    pub(super) fn slug(&self, stem: &str) -> String {
        self.0.iter().fold(stem.to_owned(), |slug, (axis, value)| format!("{slug}-{axis}-{value}"))
    }

    fn words(&self) -> String {
        let values: Vec<String> = self.0.iter().map(|(axis, value)| format!("{axis} = {value}")).collect();
        format!("in the scenario with {}", values.join(", "))
    }
}

/// What a reader makes of one document.
pub(super) type Read<'f, T> = &'f mut dyn FnMut(&Combination, &DeTable<'_>, &mut Mistakes) -> Option<T>;

/// Reads every document that `text` stands for.
///
/// # Errors
/// Every mistake of every document, each once; only the first one when the text is not TOML.
pub(super) fn read_all<T>(
    text: &str,
    path: &Path,
    includes: Option<Includes<'_>>,
    read: Read<'_, T>,
) -> Result<Vec<T>, ScenarioErrors> {
    let mut mistakes = Mistakes::default();
    let (document, syntax) = DeTable::parse_recoverable(text);
    // What follows the first error of syntax is mostly its echo: a quote that is not closed breaks every line after it.
    if let Some(error) = syntax.first() {
        let span = error.span().unwrap_or(0..0);
        mistakes.add(&span, Kind::Syntax, format!("not TOML: {}", error.message().replace('\n', ", ")));
        return Err(mistakes.located(text, path));
    }
    // The included texts must outlive the tables that are read from them, so they are fetched before these are made.
    let fetched = includes.map(|includes| fetch(document.get_ref(), includes, &mut mistakes)).unwrap_or_default();
    let mut document = document.into_inner();
    document.remove("include");
    take_in(&mut document, &fetched, &mut mistakes);
    inherit(&mut document, &mut mistakes);
    let combinations = combinations(&mut document, &mut mistakes);
    // What is read without its stories or its parameters is full of echoes.
    if !mistakes.is_empty() {
        return Err(mistakes.located(text, path));
    }
    let several = combinations.len() > 1;
    let mut done = Vec::new();
    for combination in &combinations {
        let mut own = Mistakes::default();
        let mut table = document.clone();
        fill_table(&mut table, &combination.values, &mut own);
        if own.is_empty() {
            done.extend(read(&combination.shown, &table, &mut own));
        }
        mistakes.merge(own, several.then(|| combination.shown.words()));
    }
    if mistakes.is_empty() && done.len() == combinations.len() { Ok(done) } else { Err(mistakes.located(text, path)) }
}

/// A text of stories, and the place of its name.
struct Fetched {
    text: String,
    name: String,
    span: Span,
}

fn fetch(document: &DeTable<'_>, includes: Includes<'_>, mistakes: &mut Mistakes) -> Vec<Fetched> {
    let Some(value) = document.get("include") else { return Vec::new() };
    let names: Vec<At<&str>> = array(value, "`include`", mistakes)
        .into_iter()
        .filter_map(|item| text(item, "an entry of `include`", mistakes))
        .collect();
    let mut fetched: Vec<Fetched> = Vec::new();
    for name in names {
        if fetched.iter().any(|other| other.name == name.value) {
            mistakes.add(&name.span, Kind::DuplicateName, format!("`{}` is included already", name.value));
            continue;
        }
        match includes(name.value) {
            Ok(text) => fetched.push(Fetched { text, name: name.value.to_owned(), span: name.span }),
            Err(why) => {
                let (message, help) =
                    why.split_once('\n').unwrap_or((&why, "a path from this file to one of [[story]]"));
                mistakes.add_help(&name.span, Kind::BadInclude, message, help);
            }
        }
    }
    fetched
}

/// Puts the stories of the included files before those of the file. Their place in messages is that of the `include`: they
/// are somebody else's lines.
fn take_in<'t>(document: &mut DeTable<'t>, fetched: &'t [Fetched], mistakes: &mut Mistakes) {
    let mut all = DeArray::new();
    for file in fetched {
        let bad = |why: String| format!("`{}` cannot be included: {why}", file.name);
        let (included, syntax) = DeTable::parse_recoverable(&file.text);
        if let Some(error) = syntax.first() {
            let line =
                file.text.get(..error.span().unwrap_or(0..0).start).unwrap_or_default().matches('\n').count() + 1;
            let why = bad(format!("line {line} is not TOML, {}", error.message().replace('\n', ", ")));
            mistakes.add(&file.span, Kind::BadInclude, why);
            continue;
        }
        let mut included = included.into_inner();
        let version = included.remove("version").and_then(|v| v.get_ref().as_integer().map(|n| n.as_str().to_owned()));
        if version.as_deref() != Some("1") {
            mistakes.add_help(&file.span, Kind::BadInclude, bad("it has no version = 1".to_owned()), "write it on top");
        }
        match included.remove("story").map(Spanned::into_inner) {
            Some(DeValue::Array(stories)) => {
                stories.into_iter().for_each(|story| all.push(placed(story, &file.span)));
            }
            _ => mistakes.add(&file.span, Kind::BadInclude, bad("it has no [[story]]".to_owned())),
        }
        if let Some(key) = included.keys().next() {
            let why = bad(format!("it holds `{}`, and an included file holds stories alone", key.get_ref()));
            mistakes.add(&file.span, Kind::BadInclude, why);
        }
    }
    if all.is_empty() {
        return;
    }
    match document.get_mut("story").map(Spanned::get_mut) {
        Some(DeValue::Array(own)) => {
            let own_stories = std::mem::replace(own, DeArray::new());
            own_stories.into_iter().for_each(|story| all.push(story));
            *own = all;
        }
        // Of another type: said where stories are read.
        Some(_) => {}
        None => {
            let span = fetched.first().map_or(0..0, |file| file.span.clone());
            let key = Spanned::new(span.clone(), Cow::Borrowed("story"));
            document.insert(key, Spanned::new(span, DeValue::Array(all)));
        }
    }
}

/// The same value as if it stood at `span`.
fn placed<'t>(value: Spanned<DeValue<'t>>, span: &Span) -> Spanned<DeValue<'t>> {
    let inner = match value.into_inner() {
        DeValue::Array(items) => {
            let mut moved = DeArray::new();
            items.into_iter().for_each(|item| moved.push(placed(item, span)));
            DeValue::Array(moved)
        }
        DeValue::Table(entries) => {
            let moved = entries
                .into_iter()
                .map(|(key, value)| (Spanned::new(span.clone(), key.into_inner()), placed(value, span)));
            DeValue::Table(moved.collect())
        }
        other => other,
    };
    Spanned::new(span.clone(), inner)
}

/// A story with `like = "…"` takes over what it does not say itself from the story of that name above it.
fn inherit(document: &mut DeTable<'_>, mistakes: &mut Mistakes) {
    let Some(DeValue::Array(stories)) = document.get_mut("story").map(Spanned::get_mut) else { return };
    let mut above: Vec<(String, DeTable<'_>)> = Vec::new();
    for story in std::borrow::BorrowMut::<[Spanned<DeValue<'_>>]>::borrow_mut(stories) {
        let DeValue::Table(story) = story.get_mut() else { continue };
        if let Some(like) = story.remove("like")
            && let Some(name) = text(&like, "`like`", mistakes)
        {
            match above.iter().find(|(other, _)| other == name.value) {
                Some((_, model)) => {
                    let goes_on = story.contains_key("continues");
                    let missing =
                        INHERITED.iter().filter(|key| !(story.contains_key(**key) || goes_on && **key == "stagger"));
                    let taken: Vec<_> = missing.filter_map(|key| model.get_key_value(*key)).collect();
                    let taken: Vec<_> = taken.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                    story.extend(taken);
                }
                None => {
                    let names: Vec<&str> = above.iter().map(|(name, _)| name.as_str()).collect();
                    let message = format!("`like` names `{}`, and no story above is called that", name.value);
                    mistakes.add_help(&name.span, Kind::UnknownStory, message, suggest(name.value, &names));
                }
            }
        }
        if let Some(name) = story.get("name").and_then(|name| name.get_ref().as_str()) {
            above.push((name.to_owned(), story.clone()));
        }
    }
}

/// A combination with the values themselves.
struct Chosen<'t> {
    shown: Combination,
    values: Vec<(String, DeValue<'t>)>,
}

/// Takes `[matrix]` out of the document and multiplies its axes, in the order of the file.
fn combinations<'t>(document: &mut DeTable<'t>, mistakes: &mut Mistakes) -> Vec<Chosen<'t>> {
    let nothing = || vec![Chosen { shown: Combination::default(), values: Vec::new() }];
    let Some(matrix) = document.remove("matrix") else { return nothing() };
    let span = matrix.span();
    let DeValue::Table(axes) = matrix.get_ref() else {
        wrong_type(&matrix, "[matrix]", "a table", mistakes);
        return nothing();
    };
    let mut axes: Vec<_> = axes.iter().collect();
    axes.sort_by_key(|(name, _)| name.span().start);
    if axes.is_empty() {
        mistakes.add_help(&span, Kind::EmptyText, "[matrix] holds nothing", "write copies = [2, 5]");
    }
    let used = placeholders(document);
    let mut all = nothing();
    for (name, value) in axes {
        if !used.contains(name.get_ref().as_ref()) {
            let message = format!("nothing here takes its value from `{}`", name.get_ref());
            let help = format!("write \"${{{}}}\" where it belongs", name.get_ref());
            mistakes.add_help(&name.span(), Kind::UnusedParameter, message, help);
        }
        let values = axis(name.get_ref(), value, mistakes);
        all = all
            .into_iter()
            .flat_map(|chosen| values.iter().map(move |value| chosen.with(name.get_ref(), value)))
            .collect();
        if all.len() > MAX_COMBINATIONS {
            let message = format!("[matrix] stands for more than {MAX_COMBINATIONS} scenarios");
            mistakes.add_help(&value.span(), Kind::TooLarge, message, "fewer values, or another file");
            return nothing();
        }
    }
    // Of an axis without values there is nothing to read; what is wrong has been said.
    if all.is_empty() { nothing() } else { all }
}

type Value<'t> = (String, DeValue<'t>);

fn axis<'t>(name: &str, value: &Spanned<DeValue<'t>>, mistakes: &mut Mistakes) -> Vec<Value<'t>> {
    let items = value.get_ref().as_array().map(|items| items.iter().collect::<Vec<_>>());
    let Some(items) = items else {
        wrong_type(value, &format!("`{name}`"), "an array of values", mistakes);
        return Vec::new();
    };
    if items.is_empty() {
        mistakes.add(&value.span(), Kind::EmptyText, format!("`{name}` has no values: nothing would be run"));
    }
    let mut values: Vec<Value<'t>> = Vec::new();
    for item in items {
        let Some(shown) = shown(item.get_ref()) else {
            wrong_type(item, &format!("a value of `{name}`"), "text, a number, true or false", mistakes);
            continue;
        };
        if values.iter().any(|(other, _)| folded(other) == folded(&shown)) {
            mistakes.add(&item.span(), Kind::DuplicateName, format!("`{name}` has the value `{shown}` already"));
        }
        values.push((shown, item.get_ref().clone()));
    }
    values
}

/// What is left of a value in the name of a folder.
fn folded(value: &str) -> String {
    value.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn shown(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

impl<'t> Chosen<'t> {
    fn with(&self, axis: &str, (shown, value): &Value<'t>) -> Self {
        let mut values = self.values.clone();
        values.push((axis.to_owned(), value.clone()));
        let mut combination = self.shown.clone();
        combination.0.push((axis.to_owned(), shown.clone()));
        Self { shown: combination, values }
    }
}

/// Names in `${…}` anywhere in a table.
fn placeholders(table: &DeTable<'_>) -> BTreeSet<String> {
    fn look(value: &DeValue<'_>, found: &mut BTreeSet<String>) {
        match value {
            DeValue::String(text) => {
                found.extend(text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())));
            }
            DeValue::Array(items) => items.iter().for_each(|item| look(item.get_ref(), found)),
            DeValue::Table(table) => table.iter().for_each(|(_, value)| look(value.get_ref(), found)),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    table.iter().for_each(|(_, value)| look(value.get_ref(), &mut found));
    found
}

fn fill_table<'t>(table: &mut DeTable<'t>, values: &[Value<'t>], mistakes: &mut Mistakes) {
    for (_, value) in table.iter_mut() {
        fill(value, values, mistakes);
    }
}

/// `"${copies}"` becomes the value, whatever its type; within a longer text its text.
fn fill<'t>(value: &mut Spanned<DeValue<'t>>, values: &[Value<'t>], mistakes: &mut Mistakes) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) if text.contains("${") => {
            if let Some(filled) = filled(text, values, &span, mistakes) {
                *value.get_mut() = filled;
            }
        }
        DeValue::Array(items) => {
            for item in std::borrow::BorrowMut::<[Spanned<DeValue<'t>>]>::borrow_mut(items) {
                fill(item, values, mistakes);
            }
        }
        DeValue::Table(table) => fill_table(table, values, mistakes),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

fn filled<'t>(text: &str, values: &[Value<'t>], span: &Span, mistakes: &mut Mistakes) -> Option<DeValue<'t>> {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else {
            mistakes.add(span, Kind::UnknownParameter, "a `${` without its `}`");
            return None;
        };
        let Some((_, value)) = values.iter().find(|(axis, _)| axis == name) else {
            let axes: Vec<&str> = values.iter().map(|(axis, _)| axis.as_str()).collect();
            let message = format!("`${{{name}}}` names nothing in [matrix]");
            mistakes.add_help(span, Kind::UnknownParameter, message, suggest(name, &axes));
            return None;
        };
        if before.is_empty() && behind.is_empty() && made.is_empty() {
            return Some(value.clone());
        }
        made.push_str(before);
        made.push_str(&shown(value).unwrap_or_default());
        rest = behind;
    }
    made.push_str(rest);
    Some(DeValue::String(Cow::Owned(made)))
}
