//! `hookdrill audit`: what a running reference service has found when it compared Stripe, its own state, CRM and desk; with
//! `--events`, what an export says against a user's app (`of_app`).
//!
//! Must not know: what disagrees with what.

mod asking;
mod of_app;

use super::{Failure, args::AuditArgs, exit::Exit, voice::print};
use crate::{
    drive::http::Sender,
    service::audit::{AuditView, Disagreement, Finding, Kind, Place},
};
use bytes::Bytes;
use std::{fmt::Write, time::Duration};

/// Longest wait for one answer of the service.
const ANSWER: Duration = Duration::from_secs(10);

/// Pause between two looks at a round under way.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints the report.
///
/// # Errors
/// [`Failure::Broken`] when the service does not answer, or a round that was asked for does not end in time.
pub fn audit(args: &AuditArgs) -> Result<Exit, Failure> {
    if let Some(export) = &args.events {
        return of_app::audit(args, export);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let view = runtime.block_on(view(args))?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&view).map(|text| text + "\n"),
        false => Ok(table(&view)),
    };
    let text = text.map_err(|error| Failure::Broken(error.to_string()))?;
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(exit(&view))
}

/// Disagreements are a failure; agreement counts only when everybody was compared.
fn exit(view: &AuditView) -> Exit {
    match (view.findings.is_empty(), view.never == 0 && view.failed == 0) {
        (false, _) => Exit::Fail,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Pass,
    }
}

async fn view(args: &AuditArgs) -> Result<AuditView, Failure> {
    let sender = Sender::new();
    if args.now {
        ask(&sender, "POST", &args.url).await?;
    }
    let mut waited = Duration::ZERO;
    loop {
        let text = ask(&sender, "GET", &args.url).await?;
        let view: AuditView = serde_json::from_str(&text).map_err(|_| {
            Failure::Usage(format!("{} is no reference service of this version of hookdrill", args.url))
        })?;
        if !view.running || !args.now {
            return Ok(view);
        }
        if waited >= args.within {
            let within = crate::time::format_duration(args.within);
            return Err(Failure::Broken(format!("the comparison did not end within {within}; give --within more")));
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

async fn ask(sender: &Sender, method: &str, base: &str) -> Result<String, Failure> {
    let url = format!("{}/internal/audit", base.trim_end_matches('/'));
    let answer = sender.send(method, &url, &[("accept", "application/json".to_owned())], Bytes::new(), ANSWER).await;
    let answer = answer.map_err(|error| Failure::Usage(error.to_string()))?;
    match answer.status {
        Some(200..=299) => Ok(answer.text),
        Some(404) => {
            Err(Failure::Usage(format!("{url} is not there: is it a reference service, and not a public one?")))
        }
        Some(status) => Err(Failure::Broken(format!("{url} answered {status}"))),
        None => Err(Failure::Broken(format!(
            "nothing answers at {base} ({}); start the service with `hookdrill serve`",
            answer.reason.unwrap_or_default()
        ))),
    }
}

fn table(view: &AuditView) -> String {
    let mut out = String::new();
    let mut rows: Vec<[String; 5]> = Vec::new();
    for finding in &view.findings {
        rows.extend(finding.disagreements.iter().map(|one| row(finding, one)));
    }
    if !rows.is_empty() {
        rows.insert(0, ["CUSTOMER", "WHERE", "WHAT", "OURS", "THEIRS"].map(str::to_owned));
        let widths: Vec<usize> =
            (0..5).map(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0)).collect();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}", cells.join("  ").trim_end());
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "{} customers in disagreement, {} compared, {} never compared",
        view.findings.len(),
        view.compared.len(),
        view.never
    );
    if let (1.., Some(why)) = (view.failed, &view.why) {
        let _ = writeln!(out, "{} comparisons could not be made, the last: {why}", view.failed);
    }
    let reconcile = &view.reconcile;
    let ended = reconcile.ended.as_deref().unwrap_or("never");
    let _ =
        writeln!(out, "Stripe's events last read: {ended}; fetched because they had not come: {}", reconcile.repaired);
    if reconcile.failures > 0 {
        let _ = writeln!(out, "reading Stripe's events has failed {} times in a row", reconcile.failures);
    }
    out
}

fn row(finding: &Finding, one: &Disagreement) -> [String; 5] {
    let place = match one.place {
        Place::Stripe => "Stripe",
        Place::Crm => "CRM",
        Place::Desk => "desk",
    };
    let kind = match one.kind {
        Kind::Missing => "missing",
        Kind::Mismatched => "differs",
        Kind::Duplicated => "several",
    };
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [finding.customer.clone(), place.to_owned(), format!("{} {kind}", one.what), value(&one.ours), value(&one.theirs)]
}
