//! Annotations of a CI system: what did not pass, at the line of the scenario that asks for it.
//!
//! The only form is that of GitHub's workflow commands (`::error file=…,line=…,title=…::…`), which its runner reads from what a
//! step prints. Must not know: anything but the report; the environment.

use super::{Ending, RunReport, ScenarioReport};
use crate::check::verdict::{Validity, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// GitHub shows ten errors of a step and drops the others without a word; the last one of ours says how many there are more.
const MOST: usize = 10;

/// Longest text of an annotation, in characters: it is read in the margin of a diff.
const LONGEST: usize = 600;

/// Where a scenario stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File, as it was named.
    pub file: String,
    /// Line of each criterion, in scenario order; empty when they are not to be told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<usize>,
}

impl Place {
    /// Of the scenario file `file`, whose text is `text`.
    pub fn of(file: &str, text: &str) -> Self {
        let mut criteria = Vec::new();
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        while let Some((heading, line)) = lines.next() {
            if line.split('#').next().unwrap_or_default().trim() == "[[criterion]]" {
                let says = |(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#');
                criteria.push(lines.find(says).map_or(heading, |(at, _)| at));
            }
        }
        Self { file: file.to_owned(), criteria }
    }

    fn line_of(&self, criterion: usize) -> usize {
        self.criteria.get(criterion).copied().unwrap_or(1)
    }
}

/// One command a line for everything that did not pass; nothing when all did.
pub fn github(report: &RunReport) -> String {
    let mut all = Vec::new();
    // The worst first, since the last ones may not be shown.
    for wanted in [Ending::Broken, Ending::Failed, Ending::Inconclusive] {
        report.scenarios.iter().filter(|s| s.ending() == wanted).for_each(|s| scenario(&mut all, s));
    }
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        all.truncate(MOST - 1);
        all.push(command(None, "hookdrill", &format!("and {} more; the job summary has all of them", more + 1)));
    }
    all.concat()
}

/// What stopped hookdrill before there was a report.
pub fn github_failure(what: &str) -> String {
    command(None, "hookdrill did not run", what)
}

fn scenario(into: &mut Vec<String>, scenario: &ScenarioReport) {
    let place = scenario.place.as_ref();
    if let Some(broken) = &scenario.broken {
        let at = place.map(|place| (place.file.as_str(), 1));
        into.push(command(at, &format!("{}: the run broke", scenario.name), broken));
        return;
    }
    if scenario.judged().is_empty() {
        let at = place.map(|place| (place.file.as_str(), 1));
        into.push(command(at, &format!("{}: inconclusive", scenario.name), "no criterion was judged"));
    }
    let mut open: Vec<(usize, &Verdict)> =
        scenario.judged().iter().enumerate().filter(|(_, v)| v.validity != Validity::Pass).collect();
    open.sort_by_key(|(_, verdict)| std::cmp::Reverse(verdict.validity));
    for (index, verdict) in open {
        let how = match (verdict.validity, verdict.anomaly) {
            (Validity::Fail, Some(anomaly)) => format!("failed ({anomaly})"),
            (Validity::Fail, None) => "failed".to_owned(),
            (Validity::Inconclusive, _) => "inconclusive, which is not passed".to_owned(),
            (Validity::Pass, _) => continue,
        };
        let title = format!("{}: {} {how}", scenario.name, verdict.criterion);
        let text =
            format!("expected {}\nseen {}\n{}\nagain: {}", verdict.expected, verdict.seen, verdict.why, scenario.again);
        into.push(command(place.map(|place| (place.file.as_str(), place.line_of(index))), &title, &text));
    }
}

fn command(at: Option<(&str, usize)>, title: &str, text: &str) -> String {
    let mut line = "::error ".to_owned();
    if let Some((file, at)) = at {
        let _ = write!(line, "file={},line={at},", property(file));
    }
    let text: String = text.chars().take(LONGEST).collect();
    let _ = writeln!(line, "title={}::{}", property(title), data(&text));
    line
}

/// As the runner's own toolkit escapes what stands behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `text` without a line that the runner would take for a command: what an app answers must not give it any.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("::") || start.starts_with("##[") {
            out.push_str(&line[..line.len() - start.len()]);
            out.push_str("· ");
            out.push_str(start);
        } else {
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{broken, report, scenario, verdict},
        *,
    };

    #[test]
    fn each_criterion_is_found_at_its_line() {
        let text = "version = 1\n\n[[criterion]] # a\n\n# why\naccess = { is = \"granted\" }\n[[criterion]]\nevents_lost = 1\n";
        assert_eq!(Place::of("a.toml", text).criteria, [6, 8]);
        assert_eq!(Place::of("a.toml", "[[criterion]]").criteria, [1]);
        assert_eq!(Place::default().line_of(3), 1);
    }

    #[test]
    fn what_did_not_pass_is_told_and_escaped() {
        let mut failed = scenario("a: b", vec![verdict("access", Validity::Pass), verdict("contacts", Validity::Fail)]);
        failed.place = Some(Place { file: "scenarios/a,b.toml".into(), criteria: vec![4, 7] });
        failed.verdicts.as_mut().expect("judged").verdicts[1].why = "100 %\n::error::planted".into();
        let passed = scenario("fine", vec![verdict("access", Validity::Pass)]);
        let text = github(&report(vec![passed, failed, broken("down")]));
        let lines: Vec<&str> = text.lines().collect();
        let [down, contacts] = lines.as_slice() else { panic!("{text}") };
        assert!(down.starts_with("::error title=down%3A the run broke::the target is unreachable"), "{down}");
        let wanted =
            "::error file=scenarios/a%2Cb.toml,line=7,title=a%3A b%3A contacts failed (duplicate)::expected exactly 1";
        assert!(contacts.starts_with(wanted), "{contacts}");
        assert!(contacts.contains("100 %25%0A::error::planted%0Aagain: hookdrill run"), "{contacts}");
    }

    #[test]
    fn ten_are_shown_and_the_last_counts_the_rest() {
        let failing = |n: usize| scenario(&format!("s{n}"), vec![verdict("access", Validity::Fail)]);
        let text = github(&report((0..12).map(failing).collect()));
        assert_eq!(text.lines().count(), 10);
        assert!(text.ends_with("::and 3 more; the job summary has all of them\n"), "{text}");
        assert_eq!(github(&report((0..10).map(failing).collect())).lines().count(), 10);
        assert_eq!(github(&report(Vec::new())), "");
    }

    #[test]
    fn no_text_of_an_app_is_a_command() {
        let text = "fine\n  ::add-mask::x\n##[group]y\na :: b\n";
        assert_eq!(harmless(text), "fine\n  · ::add-mask::x\n· ##[group]y\na :: b\n");
    }
}
