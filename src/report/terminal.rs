//! The report in a terminal: a line for each scenario while it runs, then a table and what did not pass.
//!
//! Must not know: whether it really is a terminal (`Style` says so), anything but the report.

use super::{Ending, PointTally, RunReport, ScenarioReport, counted, duration, tally};
use crate::check::verdict::{Validity, Verdict, Verdicts};
use std::fmt::Write;

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are wanted: a terminal, and `NO_COLOR` not set.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

/// For a pipe or a file.
impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 100 }
    }
}

/// Narrowest width that texts are folded to: below it, folding makes things worse.
const NARROWEST: usize = 60;

/// Widest name of a scenario in the table; longer ones are cut.
const WIDEST_NAME: usize = 44;

/// The line of one scenario, without its line end, for while a run goes on.
pub fn line(scenario: &ScenarioReport) -> String {
    let passed = scenario.judged().iter().filter(|verdict| verdict.validity == Validity::Pass).count();
    let open = scenario.judged().iter().filter(|verdict| verdict.validity != Validity::Pass);
    // Of what failed, what the run goes by; else what comes first.
    let main = scenario.verdicts.as_ref().and_then(Verdicts::anomaly);
    let first = open.min_by_key(|v| (std::cmp::Reverse(v.validity), v.anomaly.is_none() || v.anomaly != main));
    let detail = match (scenario.ending(), &scenario.broken, first) {
        (Ending::Broken, Some(why), _) => format!("the run broke: {why}"),
        (Ending::Passed, ..) => {
            let counts = [counted(scenario.customers, "customer"), counted(scenario.deliveries, "delivery")].join(", ");
            format!("{} held ({counts})", criteria(passed))
        }
        (Ending::Broken | Ending::Failed | Ending::Inconclusive, _, Some(verdict)) => {
            let name = verdict.anomaly.map_or(String::new(), |anomaly| format!(" ({anomaly})"));
            format!("{}{name}: {}", verdict.criterion, verdict.why)
        }
        (Ending::Broken | Ending::Failed | Ending::Inconclusive, _, None) => "no criterion was judged".to_owned(),
    };
    let mark = scenario.ending().word().to_uppercase();
    one_line(&format!("{mark:<12} {} — {detail} ({})", scenario.name, duration(scenario.duration_ms)))
}

/// The whole report: a table, then each criterion that did not pass, then one line.
pub fn table(report: &RunReport, style: Style) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Tested: {}\n", one_line(&report.target));
    rows(&mut text, report, style);
    for scenario in report.scenarios.iter().filter(|scenario| scenario.ending() != Ending::Passed) {
        details(&mut text, scenario, style);
    }
    for scenario in report.scenarios.iter().filter(|scenario| !scenario.crashed_at.is_empty()) {
        let _ = writeln!(text, "\nCrashed at every scheduling point: {}", one_line(&scenario.name));
        for PointTally { point, tally } in &scenario.crashed_at {
            let _ = writeln!(text, "  {point:<20}  {:>6}  {}", tally.tried, tally.words());
        }
    }
    for scenario in &report.not_run {
        let _ = writeln!(text, "\nNot run: {} ({})", one_line(&scenario.name), one_line(&scenario.why));
    }
    let _ = writeln!(text, "\n{}", summary(report, style));
    let live = report.scenarios.iter().filter(|scenario| !scenario.simulated);
    if let Some(late) = live.filter_map(|scenario| scenario.lateness_p99_us).max() {
        let _ = writeln!(
            text,
            "Sends left at most {:.1} ms after their time (99th percentile, worst run).",
            late as f64 / 1000.0
        );
    }
    text
}

/// `5 scenarios: 1 failed, 4 passed (12 s). …`
pub fn summary(report: &RunReport, style: Style) -> String {
    let total = |simulated| -> u64 {
        let of_kind = report.scenarios.iter().filter(|scenario| scenario.simulated == simulated);
        of_kind.map(|scenario| scenario.duration_ms).sum()
    };
    let time = match (total(false), total(true)) {
        (real, 0) => duration(real),
        (0, virtual_ms) => format!("{} of virtual time", duration(virtual_ms)),
        (real, virtual_ms) => format!("{}, and {} of virtual time", duration(real), duration(virtual_ms)),
    };
    let what = match report.ending() {
        Ending::Passed if report.scenarios.iter().any(|scenario| !scenario.not_judged.is_empty()) => {
            "Every criterion that could be judged held; those that could not are named above."
        }
        Ending::Passed => "Every criterion held.",
        Ending::Inconclusive => "Nothing failed, but not everything was shown: inconclusive is not a pass.",
        Ending::Failed => "The service did something wrong; see above for what, and the command that shows it again.",
        Ending::Broken => "A run broke before it could show anything; see above for why.",
    };
    let scenarios = counted(report.scenarios.len() as u64, "scenario");
    let counts = painted(&tally(report), report.ending(), style);
    format!("{scenarios}: {counts} ({time}). {what}")
}

fn rows(text: &mut String, report: &RunReport, style: Style) {
    let names: Vec<String> = report.scenarios.iter().map(|s| cut(&one_line(&s.name), WIDEST_NAME)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("Scenario".len());
    let head = format!(
        "{:<width$}  {:<12}  {:<16}  {:>9}  {:>10}  {:>8}  {:>10}",
        "Scenario", "Verdict", "Criteria", "Customers", "Deliveries", "Attempts", "Time"
    );
    let _ = writeln!(text, "{head}\n{}", "─".repeat(head.chars().count()));
    for (scenario, name) in report.scenarios.iter().zip(&names) {
        let passed = scenario.judged().iter().filter(|verdict| verdict.validity == Validity::Pass).count();
        let held = format!("{passed} of {} held", scenario.judged().len());
        let verdict = painted(&format!("{:<12}", scenario.ending().word()), scenario.ending(), style);
        let pad = " ".repeat(width - name.chars().count());
        let _ = writeln!(
            text,
            "{name}{pad}  {verdict}  {held:<16}  {:>9}  {:>10}  {:>8}  {:>10}",
            scenario.customers,
            scenario.deliveries,
            scenario.attempts,
            duration(scenario.duration_ms),
        );
        if !scenario.judged().is_empty() {
            folded(text, "  checked: ", "           ", &checked(scenario), style);
        }
        if !scenario.not_judged.is_empty() {
            folded(text, "  not judged: ", "              ", &scenario.not_judged.join("; "), style);
        }
    }
}

/// What was checked, in words: the criteria, each once.
fn checked(scenario: &ScenarioReport) -> String {
    let mut names: Vec<String> = Vec::new();
    for verdict in scenario.judged() {
        let name = verdict.criterion.replace('_', " ");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn details(text: &mut String, scenario: &ScenarioReport, style: Style) {
    let ending = painted(&scenario.ending().word().to_uppercase(), scenario.ending(), style);
    let _ = writeln!(text, "\n{ending}  {}", one_line(&scenario.name));
    field(text, "about", &scenario.about, style);
    if let Some(broken) = &scenario.broken {
        field(text, "broke", broken, style);
    }
    if scenario.broken.is_none() && scenario.judged().is_empty() {
        field(text, "why", "no criterion was judged, so nothing was shown", style);
    }
    let open: Vec<&Verdict> = scenario.judged().iter().filter(|verdict| verdict.validity != Validity::Pass).collect();
    for (index, verdict) in open.iter().enumerate() {
        criterion(text, verdict, style);
        chain(text, verdict, &open[..index], style);
    }
    text.push('\n');
    for note in &scenario.notes {
        field(text, "note", note, style);
    }
    field(text, "seed", &scenario.seed.to_string(), style);
    // A run that broke may have broken before there was a history.
    let records = match scenario.verdicts {
        Some(_) => format!("{}/history.jsonl", scenario.folder),
        None => scenario.folder.clone(),
    };
    field(text, "records", &records, style);
    // Never folded: it is there to be copied.
    let _ = writeln!(text, "  {:<9} {}", "again", one_line(&scenario.again));
}

fn criterion(text: &mut String, verdict: &Verdict, style: Style) {
    let (ending, word) = match verdict.validity {
        Validity::Pass => (Ending::Passed, "passed"),
        Validity::Inconclusive => (Ending::Inconclusive, "inconclusive"),
        Validity::Fail => (Ending::Failed, "failed"),
    };
    let name = verdict.anomaly.map_or(String::new(), |anomaly| format!(": {anomaly}"));
    let _ = writeln!(text, "\n  {} {}{name}", painted(word, ending, style), one_line(&verdict.criterion));
    field(text, "expected", &verdict.expected, style);
    field(text, "seen", &verdict.seen, style);
    field(text, "why", &verdict.why, style);
    if !verdict.evidence.is_empty() {
        let records: Vec<String> = verdict.evidence.iter().map(|n| format!("#{n}")).collect();
        field(text, "evidence", &format!("records {}", records.join(", ")), style);
    }
}

/// What happened for one customer; told once when several criteria failed for the same.
fn chain(text: &mut String, verdict: &Verdict, before: &[&Verdict], style: Style) {
    if verdict.chain.is_empty() {
        return;
    }
    if let Some(told) = before.iter().find(|other| other.chain == verdict.chain) {
        let _ = writeln!(text, "  what happened for one customer: as under {}", one_line(&told.criterion));
        return;
    }
    let _ = writeln!(text, "  what happened for one customer:");
    verdict.chain.iter().for_each(|step| folded(text, "    ", "      ", step, style));
}

fn field(text: &mut String, name: &str, value: &str, style: Style) {
    if !value.is_empty() {
        folded(text, &format!("  {name:<9} "), &" ".repeat(12), value, style);
    }
}

/// Writes a text folded at blanks, the first line after `head`, the others after `indent`.
fn folded(text: &mut String, head: &str, indent: &str, value: &str, style: Style) {
    let width = style.width.max(NARROWEST);
    let mut line = head.to_owned();
    let mut used = head.chars().count();
    let mut fresh = true;
    for word in one_line(value).split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !fresh && used + 1 + length > width {
            let _ = writeln!(text, "{line}");
            (line, used, fresh) = (indent.to_owned(), indent.chars().count(), true);
        }
        if !fresh {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        (used, fresh) = (used + length, false);
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn criteria(n: usize) -> String {
    if n == 1 { "the one criterion".to_owned() } else { format!("all {n} criteria") }
}

/// A text on one line and without control characters: what came from the wire cannot steer the terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // Marks that turn the direction of writing can make a line read otherwise than it is.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn painted(text: &str, ending: Ending, style: Style) -> String {
    if !style.colour {
        return text.to_owned();
    }
    let code = match ending {
        Ending::Passed => "32",
        Ending::Inconclusive => "33",
        Ending::Failed => "31;1",
        Ending::Broken => "35;1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{broken, report, scenario, verdict};

    fn mixed() -> RunReport {
        let pass = || verdict("access", Validity::Pass);
        let failed = scenario("double checkout", vec![pass(), verdict("contacts_per_customer", Validity::Fail)]);
        let unclear = scenario("thin", vec![verdict("success_rate", Validity::Inconclusive)]);
        report(vec![scenario("calm", vec![pass(), pass()]), failed, unclear, broken("down")])
    }

    #[test]
    fn lines_say_what_happened_in_words() {
        let lines: Vec<String> = mixed().scenarios.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "PASSED       calm — all 2 criteria held (20 customers, 120 deliveries) (1.2 s)",
                "FAILED       double checkout — contacts_per_customer (duplicate): ada@example.com (purchase/3) has 2 \
                 contacts (7, 9) after the quiet phase (1.2 s)",
                "INCONCLUSIVE thin — success_rate: ada@example.com (purchase/3) has 2 contacts (7, 9) after the \
                 quiet phase (1.2 s)",
                "BROKEN       down — the run broke: the target is unreachable: connection refused (1.2 s)",
            ]
        );
    }

    #[test]
    fn what_did_not_pass_is_told_with_evidence_seed_and_command() {
        let text = table(&mixed(), Style::default());
        for wanted in [
            "Tested: embedded reference service\n",
            "double checkout  failed        1 of 2 held",
            "\n  checked: access, contacts per customer\n",
            "\nFAILED  double checkout\n",
            "  failed contacts_per_customer: duplicate\n  expected  exactly 1 contact for each customer\n",
            "  evidence  records #41, #77\n",
            "    #12, #14 at 500 ms: invoice.paid",
            "  seed      7\n",
            "  again     hookdrill run scenarios/double-checkout.toml --seed 7\n",
            "  broke     the target is unreachable: connection refused\n",
            "\n4 scenarios: 1 broken, 1 failed, 1 inconclusive, 1 passed (5.0 s). A run broke",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "no colour unless asked");
        assert_eq!(text.matches("PASSED").count(), 0, "what passed is in the table alone");
        assert!(table(&mixed(), Style { colour: true, width: 80 }).contains("\u{1b}[31;1mFAILED\u{1b}[0m"));
    }

    #[test]
    fn wire_texts_cannot_steer_the_terminal_and_long_ones_fold() {
        let mut wild = verdict("access", Validity::Fail);
        wild.why = format!("\u{1b}[2J\u{202e}evil\u{7} {}", "word ".repeat(60));
        let text = table(&report(vec![scenario("s\u{1b}\n", vec![wild])]), Style { colour: false, width: 80 });
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']));
        let longest = text.lines().filter(|l| l.contains("word")).map(|l| l.chars().count()).max();
        assert!(longest.is_some_and(|n| n <= 80), "{text}");
        assert!(table(&report(Vec::new()), Style::default()).contains("0 scenarios: nothing ran"));
    }
}
