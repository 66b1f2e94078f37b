//! The admin screen: what a person has to look at, and nothing that runs by itself.
//!
//! Must not know: storage, HTTP.

use super::{Tone, badge, notice};
use crate::{
    service::overview::{DeadLetter, Document, ManualSteps, Overview, Rows, TicketQueue},
    time::Timestamp,
};
use maud::{DOCTYPE, Markup, html};
use std::{collections::BTreeMap, time::Duration};

/// Queues that are shown even when they are empty.
const QUEUES: [&str; 3] = ["billing", "onboarding", "feedback"];

fn frame(title: &str, out: Option<&str>, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Hookdrill admin" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
            }
            body class=(if out.is_some() { "wide" } else { "narrow" }) {
                a.skip href="#content" { "Skip to content" }
                header {
                    a.brand href="/admin" { "Hookdrill admin" }
                    @if let Some(token) = out {
                        form method="post" action="/admin/logout" {
                            input type="hidden" name="token" value=(token);
                            button.button.quiet type="submit" { "Log out" }
                        }
                    }
                }
                main #content { (content) }
                footer { "For edge cases only: what is not listed here runs by itself." }
            }
        }
    };
    page.into_string()
}

/// The form that asks for the admin token.
pub fn login(token: &str, wrong: Option<&str>) -> String {
    let content = html! {
        section.card {
            h1 { "Log in" }
            p.lead { "The admin token is in the environment of the service." }
            form method="post" action="/admin/login" {
                input type="hidden" name="token" value=(token);
                div.field {
                    label for="admin_token" { "Admin token" }
                    input #admin_token name="admin_token" type="password" autocomplete="current-password" required
                        maxlength="512" aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
                    @if let Some(wrong) = wrong { p.wrong #wrong role="alert" { (wrong) } }
                }
                div.actions { button.button type="submit" { "Log in" } }
            }
        }
    };
    frame("Log in", None, &content)
}

/// Everything at once. `done` is how many dead letters were just put back.
pub fn overview(seen: &Overview, now: Timestamp, token: &str, done: Option<u64>) -> String {
    let content = html! {
        h1 { "Overview" }
        @match done {
            Some(0) => (notice(Tone::Wait, "Nothing was put back: it was no dead letter any more.")),
            Some(1) => (notice(Tone::Plain, "1 dead letter was put back to work.")),
            Some(n) => (notice(Tone::Plain, &format!("{n} dead letters were put back to work."))),
            None => {}
        }
        (numbers(seen, now))
        (dead(&seen.dead, token))
        (findings(&seen.findings))
        (alerts(&seen.alerts))
        (tickets(&seen.queues))
        (manual(&seen.manual))
    };
    frame("Overview", Some(token), &content)
}

fn numbers(seen: &Overview, now: Timestamp) -> Markup {
    let standing = &seen.standing;
    let well = seen.dead.all == 0 && seen.findings.all == 0;
    let due = standing.oldest_due.map_or_else(|| "nothing is due".to_owned(), |age| format!("due for {}", span(age)));
    html! {
        section.card aria-labelledby="numbers" {
            @if well { (badge(Tone::Good, "Nothing to do")) } @else { (badge(Tone::Bad, "Needs a look")) }
            h2 #numbers { "At a glance" }
            dl.tiles {
                (tile("Days without a missed activation", days(seen, now)))
                (tile("Dead letters", (seen.dead.all.to_string(), "jobs that were given up".to_owned())))
                (tile("In disagreement", (seen.findings.all.to_string(), "customers, of those compared".to_owned())))
                (tile("Jobs at work", (standing.jobs.pending.to_string(), due)))
                (tile("Steps by hand", (seen.manual.total.to_string(), "since watching began".to_owned())))
            }
        }
    }
}

fn tile(name: &str, (number, note): (String, String)) -> Markup {
    html! { div { dt { (name) } dd { (number) } dd.note { (note) } } }
}

/// Since the newest alert of a late activation, or since the service is watched.
fn days(seen: &Overview, now: Timestamp) -> (String, String) {
    let whole = |from: Timestamp| (now.since(from).as_secs() / 86_400).to_string();
    match (seen.missed, seen.since) {
        (Some(at), _) => (whole(at), format!("the last one was missed on {}", moment(at))),
        (None, Some(at)) => (whole(at), format!("none since {}, when watching began", moment(at))),
        (None, None) => ("–".to_owned(), "not known yet".to_owned()),
    }
}

fn more<T>(rows: &Rows<T>) -> Markup {
    html! {
        @if rows.all > rows.shown.len() {
            p { "The first " (rows.shown.len()) " of " (rows.all) " are shown." }
        }
    }
}

fn dead(rows: &Rows<DeadLetter>, token: &str) -> Markup {
    html! {
        section.card aria-labelledby="dead" {
            h2 #dead { "Dead letters" }
            @if rows.all == 0 {
                p.lead { "No job was given up." }
            } @else {
                div.scroll tabindex="0" role="region" aria-labelledby="dead" {
                    table.table.stack {
                        caption { "Jobs that were given up" }
                        thead { tr {
                            th scope="col" { "Job" } th scope="col" { "For" } th scope="col" { "Last failure" }
                            th scope="col" { "Next" } th scope="col" { "Action" }
                        } }
                        tbody { @for row in &rows.shown { (dead_row(row, token)) } }
                    }
                }
                (more(rows))
                div.actions {
                    form method="post" action="/admin/requeue" {
                        input type="hidden" name="token" value=(token);
                        button.button type="submit" { "Put all " (rows.all) " back to work" }
                    }
                }
            }
        }
    }
}

fn dead_row(row: &DeadLetter, token: &str) -> Markup {
    html! {
        tr {
            th scope="row" { (super::capital(&row.what)) " " (row.id) }
            td data-label="For" { (row.whom) }
            td data-label="Last failure" { (said(&row.error)) }
            td data-label="Next" {
                @if row.rejected { "Waits for you since " (moment(row.at)) } @else { "Tried again on " (moment(row.at)) }
            }
            td {
                form method="post" action={ "/admin/jobs/" (row.id) "/requeue" } {
                    input type="hidden" name="token" value=(token);
                    button.button.quiet type="submit" aria-label={ "Put job " (row.id) " back to work" } { "Put back" }
                }
            }
        }
    }
}

/// A bare status is told as a sentence.
fn said(error: &str) -> String {
    if error.bytes().all(|b| b.is_ascii_digit()) { format!("the answer was {error}") } else { error.to_owned() }
}

fn findings(rows: &Rows<Document>) -> Markup {
    html! {
        section.card aria-labelledby="findings" {
            h2 #findings { "Customers in disagreement" }
            @if rows.all == 0 {
                p.lead { "Stripe, own state, CRM and support desk agree about everybody who was compared." }
            } @else {
                (documents("Customers about whom the systems disagree", ("Customer", "Since"), rows))
            }
        }
    }
}

fn alerts(rows: &Rows<Document>) -> Markup {
    html! {
        section.card aria-labelledby="alerts" {
            h2 #alerts { "Alerts" }
            @if rows.all == 0 {
                p.lead { "No alert was raised." }
            } @else {
                (documents("Alerts, the newest first", ("Alert", "Raised"), rows))
            }
        }
    }
}

fn documents(caption: &str, (what, when): (&str, &str), rows: &Rows<Document>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.table.stack {
                caption { (caption) }
                thead { tr { th scope="col" { (what) } th scope="col" { (when) } th scope="col" { "Says" } } }
                tbody {
                    @for row in &rows.shown {
                        tr {
                            th scope="row" { (row.key) }
                            td data-label=(when) { (row.at.map_or_else(|| "not known".to_owned(), moment)) }
                            td data-label="Says" {
                                dl.pairs {
                                    @for (name, value) in &row.fields { div { dt { (name) } dd { (value) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
        (more(rows))
    }
}

fn tickets(queues: &BTreeMap<String, TicketQueue>) -> Markup {
    let empty = TicketQueue::default();
    let mut names: Vec<&str> = QUEUES.to_vec();
    names.extend(queues.keys().map(String::as_str).filter(|name| !QUEUES.contains(name)));
    let time = |span_: Option<Duration>| span_.map_or_else(|| "none solved yet".to_owned(), span);
    html! {
        section.card aria-labelledby="tickets" {
            h2 #tickets { "Tickets by queue" }
            @if queues.is_empty() { p.lead { "No ticket was opened yet." } }
            div.scroll tabindex="0" role="region" aria-labelledby="tickets" {
                table.table.stack {
                    caption { "Open and solved tickets, and how long a solution took" }
                    thead { tr {
                        th scope="col" { "Queue" } th scope="col" { "Open" } th scope="col" { "Solved" }
                        th scope="col" { "Median time" } th scope="col" { "Longest time" }
                    } }
                    tbody {
                        @for name in names {
                            @let queue = queues.get(name).unwrap_or(&empty);
                            tr {
                                th scope="row" { (super::capital(name)) }
                                td data-label="Open" { (queue.open) }
                                td data-label="Solved" { (queue.solved) }
                                td data-label="Median time" { (time(queue.median)) }
                                td data-label="Longest time" { (time(queue.longest)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn manual(steps: &ManualSteps) -> Markup {
    html! {
        section.card aria-labelledby="manual" {
            h2 #manual { "Steps by hand" }
            @if steps.total == 0 {
                p.lead { "Nobody had to do anything by hand." }
            } @else {
                div.scroll tabindex="0" role="region" aria-labelledby="manual" {
                    table.table.stack {
                        caption { "The newest " (steps.newest.len()) " of " (steps.total) }
                        thead { tr { th scope="col" { "When" } th scope="col" { "What" } } }
                        tbody {
                            @for step in &steps.newest {
                                tr { th scope="row" { (moment(step.at)) } td data-label="What" { (step.what) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `2026-01-15 10:00 UTC`
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) if text.ends_with('Z') => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// In the two largest units.
fn span(span: Duration) -> String {
    let secs = span.as_secs();
    match (secs / 86_400, secs / 3600 % 24, secs / 60 % 60, secs % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::overview::ManualStep;

    #[test]
    fn empty_lists_say_so_in_words() {
        let page = overview(&Overview::default(), Timestamp::from_secs(1_800_000_000), "tok", None);
        for words in [
            "No job was given up",
            "agree about everybody",
            "No alert was raised",
            "No ticket was opened",
            "Nobody had to",
        ] {
            assert!(page.contains(words), "{words}");
        }
        assert!(page.contains("Nothing to do") && page.contains("Onboarding"));
        assert!(!page.contains("<script") && !page.contains("style="));
    }

    #[test]
    fn what_came_from_outside_is_text_and_every_form_has_its_token() {
        let evil = "<img src=x onerror=alert(1)>".to_owned();
        let letter = DeadLetter {
            id: 7,
            what: "contact".into(),
            whom: evil.clone(),
            error: evil.clone(),
            rejected: true,
            at: Timestamp::from_secs(1_800_000_000),
        };
        let document = Document { key: evil.clone(), at: None, fields: vec![(evil.clone(), evil.clone())] };
        let seen = Overview {
            dead: Rows { shown: vec![letter], all: 101 },
            findings: Rows { shown: vec![document.clone()], all: 1 },
            alerts: Rows { shown: vec![document], all: 1 },
            queues: BTreeMap::from([(evil.clone(), TicketQueue::default())]),
            manual: ManualSteps { total: 1, newest: vec![ManualStep { at: Timestamp::from_secs(1), what: evil }] },
            missed: Some(Timestamp::from_secs(1_800_000_000)),
            ..Overview::default()
        };
        let page = overview(&seen, Timestamp::from_secs(1_800_259_200), "tok\"en", Some(2));
        assert!(!page.contains("<img") && page.contains("&lt;img"));
        let forms = page.matches("<form").count();
        assert_eq!((forms, page.matches("value=\"tok&quot;en\"").count()), (3, 3));
        assert!(
            page.contains("<dd>3</dd>") && page.contains("the last one was missed on 2027-01-15 08:00 UTC"),
            "{page}"
        );
        assert!(page.contains("The first 1 of 101 are shown") && page.contains("2 dead letters were put back"));
        assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    }

    #[test]
    fn spans_are_told_in_two_units() {
        let told = [9, 90, 3700, 90_061].map(|secs| span(Duration::from_secs(secs)));
        assert_eq!(told, ["9 s", "1 min 30 s", "1 h 1 min", "1 d 1 h"]);
    }
}
