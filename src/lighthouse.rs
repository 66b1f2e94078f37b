//! Lighthouse results: what a report says of each category, the middle of several, and whether that is enough.
//!
//! Must not know: processes, files, how a report was made.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is asked of each category when nothing else is said.
pub const LEAST: u8 = 90;

/// Categories that are measured when none are named. Not `seo`: pages behind a login are rightly not to be found.
pub const CATEGORIES: [&str; 3] = ["performance", "accessibility", "best-practices"];

/// Categories that Lighthouse has.
pub const KNOWN: [&str; 4] = ["performance", "accessibility", "best-practices", "seo"];

/// One report, as far as it matters.
#[derive(Clone, Debug, PartialEq)]
pub struct PageReport {
    /// The page that was asked for.
    pub url: String,
    /// Points of 0 to 100; `None` where Lighthouse could not say.
    pub scores: BTreeMap<String, Option<u8>>,
    /// What went wrong on the whole page.
    pub error: Option<String>,
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("it is no Lighthouse report; make one with `lighthouse URL --output=json`")]
    Kind,
}

/// Reads a report (`lighthouse … --output=json`).
///
/// # Errors
/// [`ReportError`] when it is none.
pub fn parse(text: &str) -> Result<PageReport, ReportError> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let categories = value.get("categories").and_then(serde_json::Value::as_object).ok_or(ReportError::Kind)?;
    let url = ["requestedUrl", "finalUrl", "finalDisplayedUrl"].into_iter().find_map(|key| value.get(key)?.as_str());
    let url = url.ok_or(ReportError::Kind)?.to_owned();
    let points = |score: &serde_json::Value| score.as_f64().map(|share| (share.clamp(0.0, 1.0) * 100.0).round() as u8);
    let scores = categories.iter().map(|(name, category)| (name.clone(), category.get("score").and_then(points)));
    let error = value.pointer("/runtimeError/message").and_then(serde_json::Value::as_str);
    Ok(PageReport { url, scores: scores.collect(), error: error.filter(|text| !text.is_empty()).map(str::to_owned) })
}

/// One page over all its runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The page.
    pub url: String,
    /// How often it was measured.
    pub runs: u32,
    /// The middle of the points of each category; `None` where a run could not say.
    pub scores: BTreeMap<String, Option<u8>>,
    /// What went wrong.
    pub error: Option<String>,
}

/// How a page did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every category reaches what was asked.
    Enough,
    /// One does not.
    TooLittle,
    /// Something could not be measured.
    Unknown,
}

impl Page {
    /// The middle of several reports of one page (the lower one of two middles), for these categories.
    pub fn of(reports: &[PageReport], categories: &[String]) -> Option<Self> {
        let first = reports.first()?;
        let middle = |name: &String| -> Option<u8> {
            let mut all =
                reports.iter().map(|report| report.scores.get(name).copied().flatten()).collect::<Option<Vec<u8>>>()?;
            all.sort_unstable();
            all.get((all.len() - 1) / 2).copied()
        };
        let scores = categories.iter().map(|name| (name.clone(), middle(name))).collect();
        let error = reports.iter().find_map(|report| report.error.clone());
        Some(Self { url: first.url.clone(), runs: reports.len() as u32, scores, error })
    }

    /// Against what is asked.
    pub fn standing(&self, least: u8) -> Standing {
        if self.scores.values().flatten().any(|points| *points < least) {
            return Standing::TooLittle;
        }
        let unknown = self.scores.is_empty() || self.scores.values().any(Option::is_none) || self.error.is_some();
        if unknown { Standing::Unknown } else { Standing::Enough }
    }

    /// `performance 97, accessibility 100`.
    pub fn words(&self) -> String {
        let each = self.scores.iter().map(|(name, points)| match points {
            Some(points) => format!("{name} {points}"),
            None => format!("{name} not measured"),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(performance: Option<f64>) -> PageReport {
        let text = serde_json::json!({
            "requestedUrl": "http://127.0.0.1/",
            "categories": {"performance": {"score": performance}, "seo": {"score": 1}},
        });
        parse(&text.to_string()).expect("a report")
    }

    #[test]
    fn the_middle_of_several_runs_counts() {
        let names = ["performance".to_owned()];
        let page = Page::of(&[report(Some(0.7)), report(Some(0.95)), report(Some(0.91))], &names).expect("a page");
        assert_eq!((page.scores["performance"], page.standing(90)), (Some(91), Standing::Enough));
        let page = Page::of(&[report(Some(0.95)), report(Some(0.89))], &names).expect("a page");
        assert_eq!(page.standing(90), Standing::TooLittle);
    }

    #[test]
    fn what_was_not_measured_is_not_enough() {
        let page = Page::of(&[report(None)], &["performance".to_owned()]).expect("a page");
        assert_eq!(page.standing(90), Standing::Unknown);
        let page = Page::of(&[report(Some(1.0))], &["accessibility".to_owned()]).expect("a page");
        assert_eq!(page.standing(90), Standing::Unknown);
        assert!(parse("{}").is_err() && parse("[").is_err());
    }
}
