//! `summary.md`: the report for the job summary of a CI system.
//!
//! Must not know: anything but the report.

use super::{Ending, PointTally, RunReport, ScenarioReport, counted, duration, tally};
use crate::check::verdict::{Validity, Verdict};
use std::fmt::Write;

/// The report as Markdown: a table of all scenarios, then what did not pass.
pub fn render(report: &RunReport) -> String {
    let mut text = format!("## hookdrill: {}\n\n", tally(report));
    let _ = writeln!(text, "Target: {}. Started {}.\n", cell(&report.target), report.started);
    if report.scenarios.is_empty() {
        return text;
    }
    text.push_str("| Scenario | Verdict | Criteria | Deliveries | Customers | Time |\n");
    text.push_str("|---|---|---|---:|---:|---:|\n");
    for scenario in &report.scenarios {
        let passed = scenario.judged().iter().filter(|v| v.validity == Validity::Pass).count();
        let _ = writeln!(
            text,
            "| {} | {} {} | {passed} of {} passed | {} | {} | {} |",
            cell(&scenario.name),
            sign(scenario.ending()),
            scenario.ending().word(),
            scenario.judged().len(),
            scenario.deliveries,
            scenario.customers,
            duration(scenario.duration_ms),
        );
    }
    for scenario in report.scenarios.iter().filter(|scenario| !scenario.not_judged.is_empty()) {
        let _ = writeln!(text, "\nNot judged in {}: {}", cell(&scenario.name), cell(&scenario.not_judged.join("; ")));
    }
    for scenario in &report.not_run {
        let _ = writeln!(text, "\nNot run: {} ({})", cell(&scenario.name), cell(&scenario.why));
    }
    for scenario in report.scenarios.iter().filter(|scenario| !scenario.crashed_at.is_empty()) {
        let _ = writeln!(text, "\n### Crashed at every scheduling point: {}\n", cell(&scenario.name));
        text.push_str("| Point | Crashes | Ended |\n|---|---:|---|\n");
        for PointTally { point, tally } in &scenario.crashed_at {
            let _ = writeln!(text, "| {} | {} | {} |", cell(point), tally.tried, tally.words());
        }
    }
    for scenario in report.scenarios.iter().filter(|scenario| scenario.ending() != Ending::Passed) {
        details(&mut text, scenario);
    }
    text
}

fn details(text: &mut String, scenario: &ScenarioReport) {
    let _ = writeln!(text, "\n### {}: {}\n", cell(&scenario.name), scenario.ending().word());
    if let Some(broken) = &scenario.broken {
        let _ = writeln!(text, "The run broke: {}\n", cell(broken));
    }
    let open: Vec<&Verdict> = scenario.judged().iter().filter(|v| v.validity != Validity::Pass).collect();
    if !open.is_empty() {
        text.push_str("| Criterion | Verdict | Expected | Seen | Why | Records |\n|---|---|---|---|---|---|\n");
    }
    for verdict in &open {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&verdict.criterion),
            match (verdict.validity, verdict.anomaly) {
                (Validity::Pass, _) => "passed".to_owned(),
                (Validity::Inconclusive, _) => "inconclusive".to_owned(),
                (Validity::Fail, None) => "failed".to_owned(),
                (Validity::Fail, Some(anomaly)) => format!("failed: {anomaly}"),
            },
            cell(&verdict.expected),
            cell(&verdict.seen),
            cell(&verdict.why),
            verdict.evidence.iter().map(|n| format!("{n}")).collect::<Vec<_>>().join(", "),
        );
    }
    let mut told: Vec<&[String]> = Vec::new();
    for verdict in open.iter().filter(|verdict| !verdict.chain.is_empty()) {
        if !told.contains(&verdict.chain.as_slice()) {
            let head = format!("What happened for one customer ({})", verdict.criterion);
            let _ = writeln!(text, "\n{}:\n\n{}", cell(&head), block(&verdict.chain));
            told.push(&verdict.chain);
        }
    }
    for note in &scenario.notes {
        let _ = writeln!(text, "\nNote: {}", cell(note));
    }
    let rest = counted(scenario.attempts, "attempt");
    let _ = writeln!(text, "\nSeed {}, {rest}. Run it again: {}", scenario.seed, code(&scenario.again));
}

const fn sign(ending: Ending) -> &'static str {
    match ending {
        Ending::Passed => "✅",
        Ending::Inconclusive => "⚠️",
        Ending::Failed => "❌",
        Ending::Broken => "💥",
    }
}

/// A text that stays within its cell and is shown as it stands: no table, markup, link or HTML of its own.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' => out.extend(['\\', c]),
            // Controls of the writing direction make a text look like another one.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A text as code, in a fence longer than any run of backticks in it.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{fence}{pad}{line}{pad}{fence}")
}

/// Lines as a block of code, in a fence longer than any run of backticks in them.
fn block(lines: &[String]) -> String {
    let plain = |c: char| match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => ' ',
        c => c,
    };
    let lines: Vec<String> = lines.iter().map(|line| line.chars().map(plain).collect()).collect();
    let runs = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!("{fence}text\n{}\n{fence}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{broken, report, scenario, verdict};

    #[test]
    fn texts_cannot_break_out_of_their_cells() {
        let mut wild = verdict("access", Validity::Fail);
        wild.seen = "a | b\nc\u{202e} <script>`x` [l](u) *s* _u_".into();
        let mut named = scenario("pipes | and\r\nlines", vec![wild]);
        named.again = "hookdrill run `odd`".into();
        named.verdicts.as_mut().expect("verdicts").verdicts[0].chain = vec!["a ``` b\n<c>".into()];
        let text = render(&report(vec![named, broken("b")]));
        assert!(text.contains("What happened for one customer (access):\n\n````text\na ``` b <c>\n````\n"), "{text}");
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 7, "{line}");
        }
        assert!(text.contains("a \\| b c\u{fffd} &lt;script&gt;\\`x\\` \\[l\\](u) \\*s\\* \\_u\\_"), "{text}");
        assert!(text.contains("`` hookdrill run `odd` ``"), "{text}");
        assert!(text.contains("| access | failed: duplicate |"), "{text}");
        assert!(text.contains("The run broke: the target is unreachable"), "{text}");
    }

    #[test]
    fn passed_scenarios_are_in_the_table_alone() {
        let text = render(&report(vec![scenario("fine", vec![verdict("access", Validity::Pass)])]));
        assert!(text.starts_with("## hookdrill: 1 passed\n"));
        assert!(text.contains("| fine | ✅ passed | 1 of 1 passed | 120 | 20 | 1.2 s |"), "{text}");
        assert!(!text.contains("###"));
        assert!(render(&report(Vec::new())).contains("nothing ran"));
    }
}
