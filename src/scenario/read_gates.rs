//! Reads the criteria about what is shipped beside the webhooks: files without secrets, pages that are good enough.
//!
//! Must not know: how a file is looked through, how a page is measured.

use super::{
    criterion::Criterion,
    error::ScenarioErrorKind as Kind,
    model::Body,
    raw::{At, Fields, Mistakes, array, text, word},
    read_criteria::{bound, not_empty},
    shape::Shape,
};

/// Categories of Lighthouse.
const CATEGORIES: &[(&str, &str)] = &[
    ("performance", "performance"),
    ("accessibility", "accessibility"),
    ("best-practices", "best-practices"),
    ("seo", "seo"),
];

/// Points that are asked for when nothing is said.
const AT_LEAST: u64 = 90;
/// How often a page is measured when nothing is said.
const RUNS: u64 = 3;

/// A simulated run has no files and no pages.
pub(super) fn only_live(body: Option<&Body>, criteria: &[At<Criterion>], mistakes: &mut Mistakes) {
    if body != Some(&Body::Simulated) {
        return;
    }
    for criterion in criteria {
        if matches!(criterion.value, Criterion::SecretsFound { .. } | Criterion::Lighthouse { .. }) {
            let name = criterion.value.name();
            let message = format!("`{name}` can never be judged here: a simulated run has no files and no pages");
            let help = "write body = { live = \"files are looked through\" }";
            mistakes.add_help(&criterion.span, Kind::NoEvidence, message, help);
        }
    }
}

/// `secrets_found = { in = ["dist", "{run}"], exactly = 0 }`
pub(super) fn secrets_found(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let paths = Shape::Array { of: Box::new(Shape::Said), least: 1, most: None };
    let value = fields.need_as("in", paths, mistakes);
    let bound = bound(fields, mistakes);
    let value = value?;
    let items = array(value, "`in`", mistakes);
    if items.is_empty() {
        mistakes.add_help(&value.span(), Kind::EmptyText, "`in` names no file", "in = [\"dist\", \"{run}\"]");
        return None;
    }
    let mut read = Vec::new();
    for item in items {
        let typed = text(item, "a path", mistakes)?;
        if typed.value.trim().is_empty() {
            mistakes.add(&typed.span, Kind::EmptyText, "a path is empty");
            return None;
        }
        read.push(typed.value.to_owned());
    }
    Some(Criterion::SecretsFound { paths: read, bound: bound? })
}

/// `lighthouse = { url = "{target}/pricing", at_least = 90 }`
pub(super) fn lighthouse(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let url = not_empty(fields, "url", mistakes);
    let at_least = fields.count("at_least", AT_LEAST, 0..101, mistakes);
    let runs = fields.count("runs", RUNS, 1..16, mistakes);
    let words = Shape::Array { of: Box::new(Shape::words(CATEGORIES)), least: 1, most: None };
    let mut categories = Vec::new();
    if let Some(value) = fields.get_as("categories", words) {
        let items = array(value, "`categories`", mistakes);
        if items.is_empty() {
            let help = "leave it out, or write categories = [\"performance\"]";
            mistakes.add_help(&value.span(), Kind::EmptyText, "`categories` names none", help);
        }
        for item in items {
            let typed = text(item, "a category", mistakes)?;
            categories.push(word(&typed, "categories", CATEGORIES, mistakes)?.to_owned());
        }
    }
    let points = |n: u64| u8::try_from(n).unwrap_or(u8::MAX);
    let runs = u32::try_from(runs).unwrap_or(1);
    Some(Criterion::Lighthouse { url: url?, at_least: points(at_least), categories, runs })
}
