//! `hookdrill audit --events`: an export of Stripe's events against a user's app, its CRM and its desk. Everything is read,
//! nothing is changed.
//!
//! Must not know: what is right, what disagrees with what.

use super::super::{
    Failure,
    args::{AuditArgs, PastDue},
    exit::Exit,
    voice::print,
};
use super::asking;
use crate::{
    check::audit::{
        compare::{Finding, Kind, Place, Reading, Report, Sides, Times, compare},
        expected::{Expected, Rules, derive},
        lists::{self, Of},
    },
    drive::{clock::wall_now, http::Sender},
    redact::Redactor,
    stripe::{
        event::Event,
        import::{self, ImportOptions},
    },
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    fmt::Write,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

/// Longest wait for a list.
const ANSWER: Duration = Duration::from_secs(10);

/// Names of customers in a line that sums up.
const NAMED: usize = 3;

/// Compares and prints.
///
/// # Errors
/// [`Failure::Usage`] when a file does not read, [`Failure::Broken`] when a side does not answer at all.
pub(super) fn audit(args: &AuditArgs, export: &Path) -> Result<Exit, Failure> {
    if args.target.is_none() && args.crm.is_none() && args.desk.is_none() {
        let what = "--events alone has nothing to compare with; name --target, --crm or --desk";
        return Err(Failure::Usage(what.to_owned()));
    }
    // Nothing is replayed, so events of live mode do no harm here.
    let recording =
        import::load(export, ImportOptions { allow_livemode: true }).map_err(|e| Failure::Usage(e.to_string()))?;
    let events: Vec<Event> = recording.events.into_iter().map(|recorded| recorded.event).collect();
    let rules = Rules { one_subscription: args.one_subscription, past_due_keeps: args.past_due == PastDue::Keeps };
    let expected = derive(&events, rules);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let sides = runtime.block_on(sides(args, &expected))?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let times = Times {
        exported_at: args.exported_at.or_else(|| written_at(export)).unwrap_or_else(|| wall_now().secs()),
        asked_at: wall_now().secs(),
        settle: seconds(args.settle),
        fresh: seconds(args.fresh),
    };
    let report = compare(&expected, &sides, times);
    let text = match args.json {
        true => {
            serde_json::to_string_pretty(&report).map(|text| text + "\n").map_err(|e| Failure::Broken(e.to_string()))?
        }
        false => table(&report),
    };
    print(&Redactor::new(&[]).text(&text)).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(match (report.findings.is_empty(), report.not_compared.is_empty()) {
        (false, _) => Exit::Fail,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Pass,
    })
}

/// When the newest file of the export was written, Unix seconds.
fn written_at(export: &Path) -> Option<i64> {
    let time = |path: &Path| {
        let modified = std::fs::metadata(path).ok()?.modified().ok()?;
        i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
    };
    if export.is_file() {
        return time(export);
    }
    let entries = std::fs::read_dir(export).ok()?;
    entries.flatten().filter(|entry| entry.path().is_file()).filter_map(|entry| time(&entry.path())).max()
}

async fn sides(args: &AuditArgs, expected: &[Expected]) -> Result<Sides, Failure> {
    let mut sides = Sides {
        every: args.event_type.iter().cloned().collect(),
        ticket_for: args.ticket_for.iter().cloned().collect(),
        plans: expected.iter().flat_map(|one| one.plans.iter().cloned()).collect(),
        ..Sides::default()
    };
    if let Some(crm) = &args.crm {
        sides.contacts = Some(list("--crm", crm, Of::Contacts).await?);
    }
    if let Some(desk) = &args.desk {
        sides.tickets = Some(list("--desk", desk, Of::Tickets).await?);
    }
    if let Some(target) = &args.target {
        asking::app(target, expected, &mut sides).await?;
        answers(&sides)?;
    }
    Ok(sides)
}

/// An app that answers nobody is no app that disagrees.
fn answers(sides: &Sides) -> Result<(), Failure> {
    let Some(app) = sides.app.as_ref().filter(|app| !app.is_empty()) else { return Ok(()) };
    let failed = |reading: &Reading| match reading {
        Reading::Failed(why) => Some(why.clone()),
        Reading::Known { .. } | Reading::Stranger => None,
    };
    let failures: Vec<String> = app.values().filter_map(failed).collect();
    match failures.first() {
        Some(why) if failures.len() == app.len() => {
            Err(Failure::Broken(format!("the app cannot be asked about any customer: {why}; start it first")))
        }
        Some(_) | None => Ok(()),
    }
}

async fn list(flag: &str, from: &str, of: Of) -> Result<Vec<lists::Entry>, Failure> {
    let text = if from.starts_with("http://") || from.starts_with("https://") {
        let headers = [("accept", "application/json".to_owned())];
        let answer = Sender::new().send("GET", from, &headers, Bytes::new(), ANSWER).await;
        let answer = answer.map_err(|error| Failure::Usage(format!("{flag}: {error}")))?;
        match answer.status {
            Some(200..=299) => answer.text,
            Some(status) => return Err(Failure::Broken(format!("{flag}: {from} answered {status}"))),
            None => return Err(Failure::Broken(format!("{flag}: {from}: {}", answer.reason.unwrap_or_default()))),
        }
    } else {
        std::fs::read_to_string(from).map_err(|error| Failure::Usage(format!("{flag}: {from}: {error}")))?
    };
    lists::read(&text, of).map_err(|what| Failure::Usage(format!("{flag}: {from}: {what}")))
}

fn table(report: &Report) -> String {
    let mut out = String::new();
    let mut rows = vec![["CUSTOMER", "E-MAIL", "WHERE", "WHAT", "STRIPE", "THEIRS", "EVENTS"].map(str::to_owned)];
    rows.extend(report.findings.iter().map(row));
    if rows.len() > 1 {
        let widths: Vec<usize> =
            (0..7).map(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0)).collect();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}", cells.join("  ").trim_end());
        }
        out.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {note}");
    }
    let mut reasons: BTreeMap<(Place, &str), Vec<&str>> = BTreeMap::new();
    for open in &report.not_compared {
        reasons.entry((open.place, &open.why)).or_default().push(&open.customer);
    }
    for ((place, why), mut customers) in reasons {
        customers.dedup();
        let more =
            if customers.len() > NAMED { format!(" and {} more", customers.len() - NAMED) } else { String::new() };
        let named = customers.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "not compared, {}: {} ({named}{more})", place_word(place), plain(why));
    }
    let wrong: std::collections::BTreeSet<&str> =
        report.findings.iter().map(|finding| finding.customer.as_str()).collect();
    let _ = writeln!(
        out,
        "{} of {} customers in disagreement ({} findings), {} things not compared",
        wrong.len(),
        report.customers,
        report.findings.len(),
        report.not_compared.len()
    );
    out
}

fn row(finding: &Finding) -> [String; 7] {
    let kind = match finding.kind {
        Kind::Missing => "missing",
        Kind::Mismatched => "differs",
        Kind::Duplicated => "several",
    };
    let value = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), plain);
    [
        finding.customer.clone(),
        value(&finding.email),
        place_word(finding.place).to_owned(),
        format!("{} {kind}", plain(&finding.what)),
        value(&finding.stripe),
        value(&finding.theirs),
        finding.events.join(" "),
    ]
}

fn place_word(place: Place) -> &'static str {
    match place {
        Place::Stripe => "Stripe",
        Place::App => "app",
        Place::Events => "events",
        Place::Crm => "CRM",
        Place::Desk => "desk",
    }
}

/// What came from outside, on one line and without what moves a cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
