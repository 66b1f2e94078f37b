//! Cuts a text into JSON values, stepping over the status text that terminals mix in.
//!
//! `stripe listen` writes a spinner and "Ready!" lines to the same stream as its JSON, and colours both
//! (stripe-cli#1353: the spinner breaks `jq`). Text is skipped only where it cannot be a piece of an event.
//! Must not know: what the values mean.

use super::{
    cut,
    error::{Errors, Place},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// The text without terminal colour codes. Escape is not allowed inside JSON, so none of them is part of a body.
pub(super) fn without_colour(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            plain.push(c);
        } else if rest.next_if_eq(&'[').is_some() {
            // A control sequence ends with its first character from `@` to `~`.
            rest.by_ref().find(|end| ('@'..='~').contains(end));
        } else if rest.next_if_eq(&']').is_some() {
            // A link or a title, up to a bell or a terminator.
            while let Some(c) = rest.next() {
                if c == '\u{7}' || c == '\u{1b}' && rest.next_if_eq(&'\\').is_some() {
                    break;
                }
            }
        }
    }
    Cow::Owned(plain)
}

/// Byte ranges of the objects and arrays that stand one after another in `text`. Errors are pushed with their place.
pub(super) fn split(shown: &str, text: &str, errors: &mut Errors) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at).filter(|_| !errors.is_full()) {
        let rest = &text[start..];
        at = match rest.as_bytes()[0] {
            b'{' | b'[' => match value_length(rest) {
                Ok(length) if is_bracketed_text(rest) && !rest[length..line_end(rest, length)].trim().is_empty() => {
                    line_end(text, start)
                }
                Ok(length) => {
                    ranges.push(start..start + length);
                    start + length
                }
                Err(_) if is_bracketed_text(rest) => line_end(text, start),
                Err(error) => {
                    push_json_error(shown, text, start, &error, errors);
                    next_value_line(text, start)
                }
            },
            _ => step_over_text(shown, text, start, errors),
        };
    }
    ranges
}

fn next_start(text: &str, at: usize) -> Option<usize> {
    text[at..].find(|c: char| !c.is_whitespace()).map(|offset| at + offset)
}

fn value_length(rest: &str) -> Result<usize, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(value)) => Ok(value.get().len()),
        Some(Err(error)) => Err(error),
        None => Ok(rest.len()),
    }
}

/// `[200] POST http://…`, `[INFO] …`: a bracket that no JSON container can begin with.
fn is_bracketed_text(rest: &str) -> bool {
    let inner = rest[1..].trim_start_matches([' ', '\t', '\r']);
    rest.starts_with('[') && !inner.starts_with(['{', '[', '\n', '"']) && !inner.is_empty()
}

fn push_json_error(shown: &str, text: &str, start: usize, error: &serde_json::Error, errors: &mut Errors) {
    let began = Place::of(text, start);
    if error.is_eof() {
        let what = cut::words(&text[start..], Some(began.line));
        errors.push(shown, Place::of(text, text.trim_end().len()), what);
        return;
    }
    let column = if error.line() == 1 { began.column - 1 + error.column() } else { error.column() };
    let place = Place { line: began.line - 1 + error.line(), column: column.max(1) };
    let what = format!(
        "not valid JSON: {} in the value that began at line {}; take the body as Stripe sent it",
        parser_words(error),
        began.line
    );
    errors.push(shown, place, what);
}

/// The parser's words without its own position.
pub(super) fn parser_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |offset| at + offset)
}

/// Start of the next line that begins with a container: where reading goes on after an error.
fn next_value_line(text: &str, at: usize) -> usize {
    let mut end = line_end(text, at);
    while end < text.len() {
        if text[end + 1..].starts_with(['{', '[']) {
            return end + 1;
        }
        end = line_end(text, end + 1);
    }
    text.len()
}

/// Returns where to go on: at an event that the line ends with, or behind the line.
fn step_over_text(shown: &str, text: &str, start: usize, errors: &mut Errors) -> usize {
    let line = &text[start..line_end(text, start)];
    let is_piece = line.starts_with(['"', '}', ']', ',', ':']) || serde_json::from_str::<&RawValue>(line).is_ok();
    if is_piece {
        let what = "a piece of JSON outside of any event; the beginning is missing, or a comma too much";
        errors.push(shown, Place::of(text, start), what.to_owned());
        return next_value_line(text, start);
    }
    match line.find('{') {
        Some(brace) if line[brace + 1..].trim_start().starts_with('"') || line[brace + 1..].trim().is_empty() => {
            start + brace
        }
        _ => start + line.len(),
    }
}
