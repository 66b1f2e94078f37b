//! A diagnosis for a terminal.
//!
//! Must not know: whether it is one.

use super::finding::{Diagnosis, Finding, Severity};
use std::fmt::Write;

/// Columns that texts are folded to.
const WIDTH: usize = 100;

/// The whole of it. Texts from the wire are one line each and hold nothing that a terminal would obey.
pub fn render(diagnosis: &Diagnosis, colour: bool) -> String {
    let asked = diagnosis.requests.len();
    let requests = if asked == 1 { "request" } else { "requests" };
    let mut out = format!("{}\n{asked} {requests}: {}\n", diagnosis.url, diagnosis.summary());
    for finding in &diagnosis.findings {
        paragraph(&mut out, finding, colour);
    }
    for note in &diagnosis.notes {
        paragraph(&mut out, note, colour);
    }
    for open in &diagnosis.not_judged {
        out.push('\n');
        folded(&mut out, "not judged  ", &format!("{}: {}", open.what, open.why));
    }
    out
}

fn paragraph(out: &mut String, finding: &Finding, colour: bool) {
    let word = finding.severity.word();
    let painted = match (colour, finding.severity) {
        (false, _) => word.to_owned(),
        (true, Severity::Error) => format!("\u{1b}[31m{word}\u{1b}[0m"),
        (true, Severity::Warning) => format!("\u{1b}[33m{word}\u{1b}[0m"),
        (true, Severity::Note) => format!("\u{1b}[36m{word}\u{1b}[0m"),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n{painted}: {} [{}]", finding.title, finding.cause.name());
    folded(out, "  sent  ", &finding.sent);
    folded(out, "  got   ", &finding.got);
    folded(out, "  why   ", &finding.why);
    folded(out, "  do    ", &finding.fix);
}

/// A text after a head, its further lines below the text.
fn folded(out: &mut String, head: &str, text: &str) {
    let indent = " ".repeat(head.chars().count());
    let mut line = head.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
