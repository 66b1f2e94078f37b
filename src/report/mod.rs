//! Reports: one redacted value of a whole run, shown in the terminal, as JUnit, JSON and Markdown, and as an exit code.
//!
//! Must not know: how a verdict was reached, nor anything of targets and sockets.

pub mod annotations;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod terminal;

use crate::{
    check::verdict::{Validity, Verdict, Verdicts},
    redact::Redactor,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Version of the `summary.json` format.
pub const REPORT_VERSION: u32 = 1;

/// One scenario of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// Name in words.
    pub name: String,
    /// File stem.
    pub slug: String,
    /// The file in which it stands, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<annotations::Place>,
    /// What it shows.
    pub about: String,
    /// What it covers, in words.
    pub covers: Vec<String>,
    /// Seed.
    pub seed: u64,
    /// What was judged; absent when the run broke.
    pub verdicts: Option<Verdicts>,
    /// Why the run broke, in words; absent when it did not.
    pub broken: Option<String>,
    /// Its folder, relative to the reports.
    pub folder: String,
    /// How long it took; virtual time when it was simulated.
    pub duration_ms: u64,
    /// Whether its time was virtual.
    #[serde(default)]
    pub simulated: bool,
    /// Planned deliveries.
    pub deliveries: u64,
    /// Attempts made.
    pub attempts: u64,
    /// How late attempts left against the plan, 99th percentile; absent when nothing was sent to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_p99_us: Option<u64>,
    /// Customers.
    pub customers: u64,
    /// The one command that runs it again.
    pub again: String,
    /// What else a reader must know.
    pub notes: Vec<String>,
    /// Criteria of the scenario that were not judged, each with what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<String>,
    /// Seeds that were tried, when there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Tally>,
    /// Scheduling points at which the service was crashed, by name; empty when that was not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crashed_at: Vec<PointTally>,
}

/// How many of several runs of a scenario there were, and how many did not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Runs.
    pub tried: u64,
    /// Runs of which a criterion did not hold.
    pub failed: u64,
    /// Runs that showed too little.
    pub inconclusive: u64,
}

impl Tally {
    /// Counts one more run.
    pub fn add(&mut self, validity: Validity) {
        self.tried += 1;
        match validity {
            Validity::Pass => {}
            Validity::Inconclusive => self.inconclusive += 1,
            Validity::Fail => self.failed += 1,
        }
    }

    /// Runs that passed.
    pub const fn passed(&self) -> u64 {
        self.tried - self.failed - self.inconclusive
    }

    /// `all passed`, or what did not.
    pub fn words(&self) -> String {
        let parts = [(self.failed, "failed"), (self.inconclusive, "inconclusive")];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if parts.is_empty() { "all passed".to_owned() } else { parts.join(", ") }
    }
}

/// Crashes at one kind of scheduling point, each in a run of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointTally {
    /// Stable name of the point.
    pub point: String,
    /// How it went.
    #[serde(flatten)]
    pub tally: Tally,
}

/// A scenario that was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRun {
    /// Name in words.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// When it began.
    pub started: Timestamp,
    /// What was really exercised: `embedded reference service` or the webhook URL.
    pub target: String,
    /// Scenarios, in the order in which they ran.
    pub scenarios: Vec<ScenarioReport>,
    /// Scenarios that this kind of run leaves out. They change no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_run: Vec<NotRun>,
}

/// How a scenario ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Every criterion passed.
    Passed,
    /// Not enough evidence for at least one criterion, none failed.
    Inconclusive,
    /// A criterion failed.
    Failed,
    /// The run broke.
    Broken,
}

impl Ending {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
            Self::Broken => "broken",
        }
    }
}

impl ScenarioReport {
    /// How it ended. Without verdicts nothing was shown, so it is inconclusive at best.
    pub fn ending(&self) -> Ending {
        if self.broken.is_some() {
            return Ending::Broken;
        }
        match self.verdicts.as_ref().map_or(Validity::Inconclusive, Verdicts::validity) {
            Validity::Pass => Ending::Passed,
            Validity::Inconclusive => Ending::Inconclusive,
            Validity::Fail => Ending::Failed,
        }
    }

    /// Its verdicts; none when the run broke before it was judged.
    pub fn judged(&self) -> &[Verdict] {
        self.verdicts.as_ref().map_or(&[], |verdicts| &verdicts.verdicts)
    }

    /// The same without secrets, in every text.
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        self.place.iter_mut().for_each(|place| redactor.apply(&mut place.file));
        let texts = [&mut self.name, &mut self.slug, &mut self.about, &mut self.folder, &mut self.again];
        let lists = self.covers.iter_mut().chain(&mut self.notes).chain(&mut self.broken);
        texts.into_iter().chain(lists).for_each(|text| redactor.apply(text));
        if let Some(verdicts) = &mut self.verdicts {
            redactor.apply(&mut verdicts.scenario);
            for verdict in &mut verdicts.verdicts {
                let texts = [&mut verdict.criterion, &mut verdict.expected, &mut verdict.seen, &mut verdict.why];
                texts.into_iter().chain(&mut verdict.chain).for_each(|text| redactor.apply(text));
            }
        }
        self
    }
}

impl RunReport {
    /// A report of a run. Every text of it is redacted here, once, so that no format can forget to.
    pub fn new(started: Timestamp, target: &str, scenarios: Vec<ScenarioReport>, redactor: &Redactor) -> Self {
        let scenarios = scenarios.into_iter().map(|scenario| scenario.redacted(redactor)).collect();
        Self { version: REPORT_VERSION, started, target: redactor.text(target), scenarios, not_run: Vec::new() }
    }

    /// The same with what was not run.
    #[must_use]
    pub fn leaving_out(self, not_run: Vec<NotRun>) -> Self {
        Self { not_run, ..self }
    }

    /// How many scenarios ended so.
    pub fn count(&self, ending: Ending) -> usize {
        self.scenarios.iter().filter(|scenario| scenario.ending() == ending).count()
    }

    /// The worst ending; inconclusive when nothing ran, for nothing was shown.
    pub fn ending(&self) -> Ending {
        self.scenarios.iter().map(ScenarioReport::ending).max().unwrap_or(Ending::Inconclusive)
    }
}

/// Exit code of a run: 4 broken, 1 failed, 2 inconclusive, 0 passed; the first that applies. Bad usage (3) and bugs (70)
/// are decided before there is a report.
pub fn exit_code(report: &RunReport) -> u8 {
    match report.ending() {
        Ending::Broken => 4,
        Ending::Failed => 1,
        Ending::Inconclusive => 2,
        Ending::Passed => 0,
    }
}

/// `1 scenario`, `3 scenarios`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    match (n, noun.strip_suffix("ry")) {
        (1, _) => format!("1 {noun}"),
        (n, Some(stem)) => format!("{n} {stem}ries"),
        (n, None) => format!("{n} {noun}s"),
    }
}

/// `0.4 s`, `12 s`, `3 min 20 s`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..60_000 => format!("{} s", ms / 1000),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        3_600_000..86_400_000 => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{} d {} h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

/// `2 failed, 1 inconclusive, 5 passed`: those that there are, the worst first.
pub(crate) fn tally(report: &RunReport) -> String {
    let endings = [Ending::Broken, Ending::Failed, Ending::Inconclusive, Ending::Passed];
    let counts = endings.into_iter().map(|ending| (report.count(ending), ending.word()));
    let parts: Vec<String> = counts.filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if parts.is_empty() { "nothing ran".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use crate::check::{anomaly::Anomaly, verdict::VERDICTS_VERSION};

    pub(crate) fn verdict(criterion: &str, validity: Validity) -> Verdict {
        Verdict {
            criterion: criterion.into(),
            expected: "exactly 1 contact for each customer".into(),
            seen: "20 customers: 19 with 1, 1 with 2".into(),
            validity,
            why: "ada@example.com (purchase/3) has 2 contacts (7, 9) after the quiet phase".into(),
            evidence: vec![41, 77],
            anomaly: (validity == Validity::Fail).then_some(Anomaly::Duplicate),
            anomalies: Default::default(),
            chain: vec!["#12, #14 at 500 ms: invoice.paid (d0003) acknowledged with 200 after 12 ms".into()],
        }
    }

    pub(crate) fn scenario(name: &str, verdicts: Vec<Verdict>) -> ScenarioReport {
        ScenarioReport {
            name: name.into(),
            slug: name.replace(' ', "-"),
            about: "What it shows.".into(),
            covers: vec!["no duplicate contacts".into()],
            seed: 7,
            verdicts: Some(Verdicts { version: VERDICTS_VERSION, scenario: name.into(), seed: 7, verdicts }),
            broken: None,
            folder: format!("{}/run-1", name.replace(' ', "-")),
            duration_ms: 1_250,
            deliveries: 120,
            attempts: 131,
            customers: 20,
            again: format!("hookdrill run scenarios/{}.toml --seed 7", name.replace(' ', "-")),
            notes: Vec::new(),
            ..ScenarioReport::default()
        }
    }

    pub(crate) fn report(scenarios: Vec<ScenarioReport>) -> RunReport {
        let started = Timestamp::from_millis(1_768_471_200_123);
        RunReport::new(started, "embedded reference service", scenarios, &Redactor::new(&[]))
    }

    pub(crate) fn broken(name: &str) -> ScenarioReport {
        let broken = Some("the target is unreachable: connection refused".to_owned());
        ScenarioReport { broken, verdicts: None, ..scenario(name, Vec::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        samples::{broken, report, scenario, verdict},
        *,
    };

    #[test]
    fn the_exit_code_is_that_of_the_first_that_applies() {
        let ended = |validity| scenario("s", vec![verdict("access", Validity::Pass), verdict("access", validity)]);
        let (pass, fail) = (ended(Validity::Pass), ended(Validity::Fail));
        let unclear = ended(Validity::Inconclusive);
        let code = |scenarios: &[&ScenarioReport]| exit_code(&report(scenarios.iter().copied().cloned().collect()));
        assert_eq!(code(&[&pass, &pass]), 0);
        assert_eq!(code(&[&pass, &unclear]), 2);
        assert_eq!(code(&[&fail, &unclear, &pass]), 1);
        assert_eq!(code(&[&fail, &broken("b"), &unclear]), 4);
        assert_eq!(code(&[]), 2, "nothing ran, nothing was shown");
        assert_eq!(code(&[&scenario("no criteria", Vec::new())]), 2);
        assert_eq!(code(&[&ScenarioReport { verdicts: None, ..pass.clone() }]), 2);
    }

    #[test]
    fn no_text_of_a_report_keeps_a_secret() {
        let secret = "hunter2hunter2";
        let leak = || format!("a {secret} b");
        let mut v = verdict("access", Validity::Fail);
        (v.criterion, v.expected, v.seen, v.why, v.chain) = (leak(), leak(), leak(), leak(), vec![leak()]);
        let mut s = scenario("s", vec![v]);
        (s.name, s.slug, s.about, s.folder, s.again) = (leak(), leak(), leak(), leak(), leak());
        (s.covers, s.notes, s.broken) = (vec![leak()], vec![leak()], Some(leak()));
        s.verdicts.as_mut().expect("verdicts").scenario = leak();
        let count = format!("{s:?}").matches(secret).count();
        let report = RunReport::new(Timestamp::default(), &leak(), vec![s], &Redactor::new(&[secret]));
        let text = format!("{report:?}");
        assert_eq!((text.matches(secret).count(), text.matches("[redacted]").count()), (0, count + 1));
    }
}
