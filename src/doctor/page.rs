//! A diagnosis as one page to hand on: nothing is loaded, nothing runs, and it prints well.
//!
//! Must not know: files.

use super::finding::{Diagnosis, Finding, NotJudged, Outcome, Severity};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The page. All texts are escaped by the template.
pub fn render(diagnosis: &Diagnosis) -> String {
    let (class, verdict) = match diagnosis.outcome {
        Outcome::Sound => ("sound", "Nothing found that loses events."),
        Outcome::Wrong => ("wrong", "Events are lost, or forged ones are taken."),
        Outcome::Inconclusive => ("open", "Nothing found, but not everything could be judged."),
        Outcome::Unreachable => ("wrong", "The endpoint cannot be reached."),
    };
    let day: String = diagnosis.at.chars().take(10).collect();
    let time: String = diagnosis.at.chars().skip(11).take(5).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Webhook endpoint: " (diagnosis.summary()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.kind { "Webhook endpoint, examined" }
                    h1 { (diagnosis.url) }
                    p.verdict.(class) { strong { (verdict) } " " (diagnosis.summary()) "." }
                    p.when { (day) " at " (time) " UTC, requests: " (diagnosis.requests.len()) ". All events that were sent are \
                        made up: a type or ids that nobody has, not in live mode." }
                }
                main {
                    (findings(&diagnosis.findings))
                    (notes(&diagnosis.notes))
                    (open(&diagnosis.not_judged))
                    (requests(diagnosis))
                }
                footer { "Written by hookdrill doctor. Secrets and signatures are taken out of all texts." }
            }
        }
    };
    page.into_string()
}

fn findings(findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            section {
                h2 { "What is wrong" }
                @for (at, finding) in findings.iter().enumerate() {
                    (card(finding, Some(at + 1)))
                }
            }
        }
    }
}

fn notes(notes: &[Finding]) -> Markup {
    html! {
        @if !notes.is_empty() {
            section {
                h2 { "Good to know" }
                @for note in notes { (card(note, None)) }
            }
        }
    }
}

fn card(finding: &Finding, number: Option<usize>) -> Markup {
    let word = finding.severity.word();
    html! {
        article.(word) {
            h3 {
                @if let Some(number) = number { span.number { (number) "." } " " }
                (sentence(&finding.title))
            }
            p.tags {
                span.severity { (word) } " " code { (finding.cause.name()) }
                @if !finding.requests.is_empty() {
                    @let plural = if finding.requests.len() == 1 { "" } else { "s" };
                    span.by { "shown by request" (plural) " " (numbers(&finding.requests)) }
                }
            }
            dl {
                @if finding.severity != Severity::Note || !finding.sent.is_empty() {
                    dt { "Sent" } dd { (finding.sent) }
                    dt { "Came back" } dd.wire { (finding.got) }
                }
                dt { "Why it matters" } dd { (finding.why) }
                dt { "What to do" } dd.fix { (finding.fix) }
            }
        }
    }
}

fn open(open: &[NotJudged]) -> Markup {
    html! {
        @if !open.is_empty() {
            section {
                h2 { "Not judged" }
                ul { @for one in open { li { strong { (sentence(&one.what)) } ": " (one.why) "." } } }
            }
        }
    }
}

fn requests(diagnosis: &Diagnosis) -> Markup {
    html! {
        section.asked {
            h2 { "What was asked" }
            table {
                thead { tr { th { "No." } th { "Sent" } th { "Came back" } } }
                tbody {
                    @for asked in &diagnosis.requests {
                        tr { td.n { (asked.number) } td { (asked.sent) } td.wire { (asked.got) } }
                    }
                }
            }
        }
    }
}

/// `1–3, 7`: neighbours together.
fn numbers(all: &[usize]) -> String {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for n in sorted {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 >= n => *end = n,
            _ => runs.push((n, n)),
        }
    }
    let texts = runs.into_iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}–{to}") });
    texts.collect::<Vec<_>>().join(", ")
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5c646d; --line: #d9dee3; --back: #ffffff; --card: #f7f8fa;
  --error: #b3261e; --warning: #8a5a00; --note: #1f5f99; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3abb3; --line: #3a4148; --back: #16191c; --card: #1f2428;
  --error: #ff8a80; --warning: #f2b94b; --note: #86bdf2; --good: #7ed6a0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 3rem; max-width: 54rem; color: var(--ink); background: var(--back);
  font: 1rem/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
h3 { margin: 0; font-size: 1.05rem; line-height: 1.35; overflow-wrap: anywhere; }
.kind { margin: 0 0 .25rem; color: var(--soft); font-size: .9rem; }
.when { margin: .75rem 0 0; color: var(--soft); font-size: .9rem; }
.verdict { margin: 0; padding: .75rem 1rem; border: 1px solid var(--line); border-left: .35rem solid var(--warning);
  border-radius: .35rem; background: var(--card); }
.verdict.wrong { border-left-color: var(--error); }
.verdict.sound { border-left-color: var(--good); }
article { margin: 0 0 1rem; padding: 1rem 1.1rem; border: 1px solid var(--line); border-left: .35rem solid var(--note);
  border-radius: .35rem; background: var(--card); break-inside: avoid; }
article.error { border-left-color: var(--error); }
article.warning { border-left-color: var(--warning); }
.number { color: var(--soft); }
.tags { margin: .35rem 0 .75rem; color: var(--soft); font-size: .85rem; }
.severity { font-weight: 650; text-transform: uppercase; letter-spacing: .04em; color: var(--note); }
.error .severity { color: var(--error); }
.warning .severity { color: var(--warning); }
.by { margin-left: .75rem; }
code, .wire { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, monospace; font-size: .85em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .4rem 1rem; margin: 0; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
dd.fix { font-weight: 550; }
ul { margin: 0; padding-left: 1.2rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 500; }
td.n, th:first-child { width: 3rem; color: var(--soft); font-variant-numeric: tabular-nums; }
td.wire { width: 45%; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 38rem) { dl { grid-template-columns: 1fr; gap: .1rem; } dd { margin-bottom: .5rem; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --back: #fff; --card: #fff;
  --error: #a11; --warning: #750; --note: #147; --good: #153; }
  body { padding: 0; max-width: none; font-size: 10.5pt; } h2 { break-after: avoid; } }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_put_together() {
        assert_eq!(numbers(&[3, 1, 2, 7]), "1–3, 7");
        assert_eq!(numbers(&[5]), "5");
    }
}
