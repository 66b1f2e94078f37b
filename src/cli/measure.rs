//! What a live run measures besides, because a criterion asks for it: secrets in files, points of pages.
//!
//! Must not know: what is right.

use super::lighthouse::Program;
use crate::{
    drive::live::Measure,
    history::record::{PageMeasured, Record, SecretsLooked},
    lighthouse::CATEGORIES,
    scenario::criterion::Criterion,
    secrets::{Options, Own, Scanner, scan_paths},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

/// The run's own folder, among the paths of a criterion.
const RUN: &str = "{run}";
/// Scheme, host and port of the webhook, in the address of a page.
const TARGET: &str = "{target}";
/// Places of secrets that a record keeps.
const MOST_PLACES: usize = 10;
/// Longest time for one measurement of a page.
const PAGE: Duration = Duration::from_secs(120);

/// What these criteria ask for; nothing when they ask for nothing. `own` are the secrets of the run.
pub(super) fn of<'a>(criteria: &'a [Criterion], folder: &'a Path, own: Vec<String>) -> Option<Measure<'a>> {
    let asked =
        |criterion: &&Criterion| matches!(criterion, Criterion::SecretsFound { .. } | Criterion::Lighthouse { .. });
    let asked: Vec<&Criterion> = criteria.iter().filter(asked).collect();
    if asked.is_empty() {
        return None;
    }
    Some(Box::new(move |webhook| Box::pin(async move { measured(&asked, folder, &own, &webhook).await })))
}

async fn measured(asked: &[&Criterion], folder: &Path, own: &[String], webhook: &str) -> Vec<Record> {
    let mut records = Vec::new();
    for criterion in asked {
        match criterion {
            Criterion::SecretsFound { paths, .. } => records.push(Record::Secrets(looked(paths, folder, own))),
            Criterion::Lighthouse { url, categories, runs, .. } => {
                records.push(Record::Page(page(url, categories, *runs, webhook).await));
            }
            _ => {}
        }
    }
    records
}

fn looked(paths: &[String], folder: &Path, own: &[String]) -> SecretsLooked {
    let own: Vec<Own> = own.iter().filter_map(|secret| Own::new("a secret of the run", secret)).collect();
    let places: Vec<PathBuf> = paths.iter().map(|path| place(path, folder)).collect();
    let scanned = scan_paths(&Scanner::new(&own, BTreeSet::new()), &places, Options::default());
    let place = |hit: &crate::secrets::Hit| format!("{} at {}:{}:{}", hit.rule, hit.file, hit.line, hit.column);
    SecretsLooked {
        paths: paths.to_vec(),
        files: scanned.files,
        found: scanned.hits.len() as u64,
        places: scanned.hits.iter().take(MOST_PLACES).map(place).collect(),
        unread: scanned.unread.iter().take(MOST_PLACES).map(|one| format!("{}: {}", one.file, one.why)).collect(),
    }
}

fn place(path: &str, folder: &Path) -> PathBuf {
    match path.strip_prefix(RUN) {
        Some("") => folder.to_owned(),
        Some(below) => folder.join(below.trim_start_matches('/')),
        None => PathBuf::from(path),
    }
}

async fn page(url: &str, categories: &[String], runs: u32, webhook: &str) -> PageMeasured {
    let nothing =
        |error: String| PageMeasured { url: url.to_owned(), runs: 0, scores: BTreeMap::new(), error: Some(error) };
    let at = url.replace(TARGET, &origin(webhook));
    // What may be tested is said by the webhook, which is of an allowed host.
    let host = |text: &str| text.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    match host(&at) {
        Some(host_of_page)
            if host(webhook).as_ref() == Some(&host_of_page) || crate::doctor::seen::is_loopback(&host_of_page) => {}
        _ => {
            return nothing(format!(
                "{at} is neither on this machine nor on the host of the webhook; write {TARGET}/…"
            ));
        }
    }
    let categories = if categories.is_empty() { CATEGORIES.map(str::to_owned).to_vec() } else { categories.to_vec() };
    let measured = match Program::find(None) {
        Ok(program) => program.measure(&at, &categories, runs, PAGE).await,
        Err(failure) => Err(failure.to_string()),
    };
    match measured {
        Ok(page) => PageMeasured { url: url.to_owned(), runs: page.runs, scores: page.scores, error: page.error },
        Err(error) => nothing(error),
    }
}

fn origin(webhook: &str) -> String {
    let uri: http::Uri = webhook.parse().unwrap_or_default();
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    format!("{}://{authority}", uri.scheme_str().unwrap_or("http"))
}
