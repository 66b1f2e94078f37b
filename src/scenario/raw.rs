//! Reading one TOML table key by key, collecting every mistake instead of stopping at the first.
//!
//! serde stops at the first error and knows places only by luck; here each table says what it may hold, and whatever it
//! holds besides is reported with the nearest word. Must not know: what a scenario is.

use super::error::{Place, ScenarioError, ScenarioErrorKind as Kind, ScenarioErrors, nearest, suggest};
use super::{
    model::Between,
    shape::{Key, Shape, Table, Tie, note},
};
use crate::time::parse_duration;
use std::{ops::Range, path::Path, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A byte range of the file.
pub(super) type Span = Range<usize>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands.
    pub(super) span: Span,
}

/// Collects the mistakes of one file.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<(Span, Kind, String, Option<String>)>,
    /// Every table that was read, for whoever asks what a file may hold.
    asked: Vec<Table>,
}

impl Mistakes {
    /// Notes a mistake.
    pub(super) fn add(&mut self, span: &Span, kind: Kind, message: impl Into<String>) {
        self.found.push((span.clone(), kind, message.into(), None));
    }

    /// Notes a mistake, with what to do about it.
    pub(super) fn add_help(&mut self, span: &Span, kind: Kind, message: impl Into<String>, help: impl Into<String>) {
        self.found.push((span.clone(), kind, message.into(), Some(help.into())));
    }

    /// What every table that was read may hold, innermost first.
    pub(super) fn asked(self) -> Vec<Table> {
        self.asked
    }

    /// Says what the choice `word` of the table at `start` holds when it is no table.
    pub(super) fn chosen_as(&mut self, start: usize, word: &str, shape: Shape) {
        let tables = self.asked.iter_mut().filter(|table| table.start == start);
        let mut keys = tables.flat_map(|table| &mut table.keys);
        if let Some(key) = keys.find(|key| key.name == word) {
            key.shape = shape;
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds those of one combination of parameters: the same mistake of several is one, and is said to be of the first.
    pub(super) fn merge(&mut self, others: Self, of: Option<String>) {
        for (span, kind, message, help) in others.found {
            if self.found.iter().any(|(s, k, m, _)| (s, k, m) == (&span, &kind, &message)) {
                continue;
            }
            let help = match (&of, help) {
                (None, help) => help,
                (Some(of), None) => Some(of.clone()),
                (Some(of), Some(help)) => Some(format!("{help}\n{of}")),
            };
            self.found.push((span, kind, message, help));
        }
    }

    /// All of them, in the order of their places.
    pub(super) fn located(mut self, text: &str, path: &Path) -> ScenarioErrors {
        self.found.sort_by_key(|(span, kind, ..)| (span.start, *kind));
        let errors = self
            .found
            .into_iter()
            .map(|(span, kind, message, help)| ScenarioError {
                kind,
                message,
                help,
                place: Some(Place::of(text, &span)),
            })
            .collect();
        ScenarioErrors { file: path.display().to_string(), errors }
    }
}

/// One table that is being read. Every key that is asked for counts as known; [`Fields::close`] reports the others.
pub(super) struct Fields<'t> {
    what: String,
    span: Span,
    table: &'t DeTable<'t>,
    known: Vec<Key>,
    ties: Vec<Tie>,
}

impl<'t> Fields<'t> {
    /// Begins to read `table`; `what` names it in messages.
    pub(super) fn new(what: impl Into<String>, span: Span, table: &'t DeTable<'t>) -> Self {
        Self { what: what.into(), span, table, known: Vec::new(), ties: Vec::new() }
    }

    /// Where the table stands.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// The value of a key that may be absent; `shape` says what it may hold.
    pub(super) fn get_as(&mut self, key: &'static str, shape: Shape) -> Option<&'t Spanned<DeValue<'t>>> {
        note(&mut self.known, key, shape, false);
        self.table.get(key)
    }

    /// The same of a key whose shape another question says.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.get_as(key, Shape::Any)
    }

    /// The value of a key that must be there.
    pub(super) fn need_as(
        &mut self,
        key: &'static str,
        shape: Shape,
        mistakes: &mut Mistakes,
    ) -> Option<&'t Spanned<DeValue<'t>>> {
        note(&mut self.known, key, shape, true);
        let value = self.table.get(key);
        if value.is_none() {
            mistakes.add(&self.span, Kind::MissingKey, format!("{} lacks the key `{key}`", self.what));
        }
        value
    }

    /// Notes what ties keys together; the reader itself reports what is against it.
    pub(super) fn tie(&mut self, tie: Tie) {
        self.ties.push(tie);
    }

    /// Text of a shape that must be there.
    pub(super) fn need_text_as(
        &mut self,
        key: &'static str,
        shape: Shape,
        mistakes: &mut Mistakes,
    ) -> Option<At<&'t str>> {
        let value = self.need_as(key, shape, mistakes)?;
        text(value, &format!("`{key}`"), mistakes)
    }

    /// Text that may be absent.
    pub(super) fn text(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<At<&'t str>> {
        self.text_as(key, Shape::Text, mistakes)
    }

    /// Text of a shape that may be absent.
    pub(super) fn text_as(&mut self, key: &'static str, shape: Shape, mistakes: &mut Mistakes) -> Option<At<&'t str>> {
        let value = self.get_as(key, shape)?;
        text(value, &format!("`{key}`"), mistakes)
    }

    /// A span of time that must be there.
    pub(super) fn need_duration(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<At<Duration>> {
        let value = self.need_as(key, Shape::Duration, mistakes)?;
        duration(value, &format!("`{key}`"), mistakes)
    }

    /// A span of time above zero that must be there.
    pub(super) fn need_positive(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Duration> {
        let value = self.need_as(key, Shape::Positive, mistakes)?;
        above_zero(value, key, mistakes)
    }

    /// A span of time above zero that may be absent.
    pub(super) fn some_positive(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Duration> {
        let value = self.get_as(key, Shape::Positive)?;
        above_zero(value, key, mistakes)
    }

    /// A span of time with a default. A wrong one is reported and gives the default too: nothing is built then.
    pub(super) fn duration(&mut self, key: &'static str, default: Duration, mistakes: &mut Mistakes) -> Duration {
        let value = self.get_as(key, Shape::Duration);
        value.and_then(|value| duration(value, &format!("`{key}`"), mistakes)).map_or(default, |at| at.value)
    }

    /// A span of time above zero, with a default.
    pub(super) fn positive(&mut self, key: &'static str, default: Duration, mistakes: &mut Mistakes) -> Duration {
        self.some_positive(key, mistakes).unwrap_or(default)
    }

    /// A span of time, or an array of two between which it is drawn, with a default.
    pub(super) fn between(&mut self, key: &'static str, default: Between, mistakes: &mut Mistakes) -> Between {
        let value = self.get_as(key, Shape::between());
        value.and_then(|value| between(value, &format!("`{key}`"), mistakes)).unwrap_or(default)
    }

    /// A whole number that must be there.
    pub(super) fn need_count(
        &mut self,
        key: &'static str,
        range: Range<u64>,
        mistakes: &mut Mistakes,
    ) -> Option<At<u64>> {
        let value = self.need_as(key, within(&range), mistakes)?;
        count(value, &format!("`{key}`"), range, mistakes)
    }

    /// A whole number that may be absent.
    pub(super) fn some_count(
        &mut self,
        key: &'static str,
        range: Range<u64>,
        mistakes: &mut Mistakes,
    ) -> Option<At<u64>> {
        let value = self.get_as(key, within(&range))?;
        count(value, &format!("`{key}`"), range, mistakes)
    }

    /// A whole number with a default.
    pub(super) fn count(&mut self, key: &'static str, default: u64, range: Range<u64>, mistakes: &mut Mistakes) -> u64 {
        self.some_count(key, range, mistakes).map_or(default, |at| at.value)
    }

    /// One of the given words, with a default.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        words: &[(&'static str, T)],
        mistakes: &mut Mistakes,
    ) -> T {
        self.some_word(key, words, mistakes).unwrap_or(default)
    }

    /// One of the given words, which may be absent.
    pub(super) fn some_word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let typed = self.text_as(key, Shape::words(words), mistakes)?;
        word(&typed, key, words, mistakes)
    }

    /// One of the given words, which must be there.
    pub(super) fn need_word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let typed = self.need_text_as(key, Shape::words(words), mistakes)?;
        word(&typed, key, words, mistakes)
    }

    /// Ends reading: every key that was never asked for is a mistake.
    pub(super) fn close(self, mistakes: &mut Mistakes) {
        let known: Vec<&str> = self.known.iter().map(|key| key.name).collect();
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            unknown_key(key, &self.what, &known, mistakes);
        }
        let (start, keys, ties) = (self.span.start, self.known, self.ties);
        mistakes.asked.push(Table { start, choice: false, keys, ties });
    }
}

fn above_zero(value: &Spanned<DeValue<'_>>, key: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    let At { value: time, span } = duration(value, &format!("`{key}`"), mistakes)?;
    if time.is_zero() {
        mistakes.add(&span, Kind::OutOfRange, format!("`{key}` must be longer than 0s"));
    }
    Some(time)
}

/// The shape of a number in a range whose end is excluded.
pub(super) fn within(range: &Range<u64>) -> Shape {
    Shape::Count { least: range.start, most: range.end - 1 }
}

fn unknown_key(key: &Spanned<toml::de::DeString<'_>>, what: &str, known: &[&str], mistakes: &mut Mistakes) {
    let typed = key.get_ref().as_ref();
    mistakes.add_help(&key.span(), Kind::UnknownKey, format!("unknown key `{typed}` in {what}"), suggest(typed, known));
}

/// What a table that holds one choice holds.
pub(super) struct Chosen<'t, T> {
    /// What the word stands for.
    pub(super) meaning: T,
    /// The word.
    pub(super) word: &'static str,
    /// Where the word stands.
    pub(super) span: Span,
    /// The value under it.
    pub(super) value: &'t Spanned<DeValue<'t>>,
}

/// A table that holds exactly one of `words`, its choice.
pub(super) fn choice<'t, T: Copy>(
    what: &str,
    entry: &'t Spanned<DeValue<'t>>,
    words: &[(&'static str, T)],
    mistakes: &mut Mistakes,
) -> Option<Chosen<'t, T>> {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let keys = words.iter().map(|(name, _)| Key { name, shape: Shape::Inner, must: false }).collect();
    mistakes.asked.push(Table { start: entry.span().start, choice: true, keys, ties: Vec::new() });
    let (mut chosen, mut unknown) = (Vec::new(), false);
    for (key, value) in table(entry, what, mistakes)? {
        match words.iter().find(|(word, _)| *word == key.get_ref().as_ref()) {
            Some((word, meaning)) => chosen.push(Chosen { meaning: *meaning, word, span: key.span(), value }),
            None => {
                let typed = key.get_ref().as_ref();
                let help = match nearest(typed, names.iter().copied()) {
                    Some(_) => suggest(typed, &names),
                    None => format!(
                        "all that belongs to a word stands in its braces: {} = {{ … }}\n{}",
                        names[0],
                        suggest(typed, &names)
                    ),
                };
                mistakes.add_help(&key.span(), Kind::UnknownKey, format!("unknown key `{typed}` in {what}"), help);
                unknown = true;
            }
        }
    }
    chosen.sort_by_key(|one| one.span.start);
    match chosen.len() {
        0 if unknown => None,
        0 => {
            let message = format!("{what} holds nothing");
            mistakes.add_help(&entry.span(), Kind::NotOneChoice, message, suggest("", &names));
            None
        }
        1 => chosen.pop(),
        _ => {
            let has = chosen.iter().map(|one| format!("`{}`", one.word)).collect::<Vec<_>>().join(" and ");
            let message = format!("{what} holds {has}, but may hold only one");
            let help = format!("write one {what} for each");
            mistakes.add_help(&chosen[1].span, Kind::NotOneChoice, message, help);
            None
        }
    }
}

/// A value as a table.
pub(super) fn table<'t>(
    value: &'t Spanned<DeValue<'t>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<&'t DeTable<'t>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        let message = format!("{what} must be a table, not {}", type_of(value));
        match what.strip_prefix('`').and_then(|what| what.strip_suffix('`')).filter(|key| !key.starts_with('[')) {
            Some(key) => {
                mistakes.add_help(&value.span(), Kind::WrongType, message, format!("write {key} = {{ … }}"));
            }
            None => mistakes.add(&value.span(), Kind::WrongType, message),
        }
    }
    table
}

/// A value as a table of which the fields are to be read.
pub(super) fn fields<'t>(value: &'t Spanned<DeValue<'t>>, what: &str, mistakes: &mut Mistakes) -> Option<Fields<'t>> {
    table(value, what, mistakes).map(|table| Fields::new(what, value.span(), table))
}

/// One span of time, or the array of the shortest and the longest between which it is drawn.
pub(super) fn between(value: &Spanned<DeValue<'_>>, what: &str, mistakes: &mut Mistakes) -> Option<Between> {
    if !value.get_ref().is_array() {
        return duration(value, what, mistakes).map(|at| at.value.into());
    }
    let ends: Vec<_> =
        array(value, what, mistakes).into_iter().map(|item| duration(item, "an end of a span", mistakes)).collect();
    let [least, most] = ends.as_slice() else {
        let help = "write [\"1ms\", \"5ms\"]";
        mistakes.add_help(&value.span(), Kind::BadSpan, format!("{what} must hold the shortest and the longest"), help);
        return None;
    };
    let (least, most) = (least.as_ref()?.value, most.as_ref()?.value);
    if least > most {
        mistakes.add(&value.span(), Kind::BadSpan, format!("{what} begins above its end"));
        return None;
    }
    Some(Between { least, most })
}

/// A value as text.
pub(super) fn text<'t>(value: &'t Spanned<DeValue<'t>>, what: &str, mistakes: &mut Mistakes) -> Option<At<&'t str>> {
    match value.get_ref().as_str() {
        Some(text) => Some(At { value: text, span: value.span() }),
        None => {
            wrong_type(value, what, "text in quotes", mistakes);
            None
        }
    }
}

/// A value as an array.
pub(super) fn array<'t>(
    value: &'t Spanned<DeValue<'t>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Vec<&'t Spanned<DeValue<'t>>> {
    match value.get_ref().as_array() {
        Some(items) => items.iter().collect(),
        None => {
            wrong_type(value, what, "an array", mistakes);
            Vec::new()
        }
    }
}

/// A value as a span of time.
pub(super) fn duration<'t>(
    value: &'t Spanned<DeValue<'t>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<At<Duration>> {
    if let Some(number) = value.get_ref().as_integer() {
        let message = format!("{what} must be text in quotes, not a whole number");
        mistakes.add_help(&value.span(), Kind::WrongType, message, format!("write a unit too: \"{number}s\""));
        return None;
    }
    let typed = text(value, what, mistakes)?;
    match parse_duration(typed.value) {
        Ok(span) => Some(At { value: span, span: typed.span }),
        Err(error) => {
            mistakes.add(&typed.span, Kind::BadDuration, format!("{what}: {error}"));
            None
        }
    }
}

/// A value as a whole number within `range` (its end excluded).
pub(super) fn count<'t>(
    value: &'t Spanned<DeValue<'t>>,
    what: &str,
    range: Range<u64>,
    mistakes: &mut Mistakes,
) -> Option<At<u64>> {
    let Some(number) = value.get_ref().as_integer() else {
        wrong_type(value, what, "a whole number", mistakes);
        return None;
    };
    match i128::from_str_radix(number.as_str(), number.radix()).ok().and_then(|number| u64::try_from(number).ok()) {
        Some(number) if range.contains(&number) => Some(At { value: number, span: value.span() }),
        _ => {
            let bounds = match range.end {
                u64::MAX => format!("{} or more", range.start),
                end => format!("from {} to {}", range.start, end - 1),
            };
            mistakes.add(&value.span(), Kind::OutOfRange, format!("{what} must be {bounds}, not {number}"));
            None
        }
    }
}

/// One of the given words.
pub(super) fn word<T: Copy>(
    typed: &At<&str>,
    what: &str,
    words: &[(&'static str, T)],
    mistakes: &mut Mistakes,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == typed.value).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` is no value of `{what}`", typed.value);
        mistakes.add_help(&typed.span, Kind::UnknownWord, message, suggest(typed.value, &list));
    }
    found
}

/// Reports a value of another type.
pub(super) fn wrong_type(value: &Spanned<DeValue<'_>>, what: &str, wanted: &str, mistakes: &mut Mistakes) {
    mistakes.add(&value.span(), Kind::WrongType, format!("{what} must be {wanted}, not {}", type_of(value)));
}

fn type_of(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
