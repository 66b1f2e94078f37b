//! `junit.xml`: the report for CI systems. A scenario is a test suite, a criterion a test case.
//!
//! Inconclusive is an `<error>`, never a `<skipped>`: a skip reads green in every CI. The writer that is used here makes
//! ill-formed XML of control characters and of `]]>`, and leaves line ends in attributes to be lost, so texts are made fit first.
//! Must not know: anything but the report.

use super::{RunReport, ScenarioReport};
use crate::{
    check::verdict::{Validity, Verdict},
    time::Timestamp,
};
use junit_report::{Duration, OffsetDateTime, ReportBuilder, TestCase, TestCaseBuilder, TestSuite, TestSuiteBuilder};
use std::fmt::Write;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write JUnit: {0}")]
pub struct JunitError(String);

/// The report as JUnit XML.
///
/// # Errors
/// [`JunitError`] when the XML writer refuses, which no report should bring about.
pub fn render(report: &RunReport) -> Result<String, JunitError> {
    let mut builder = ReportBuilder::new();
    for scenario in &report.scenarios {
        builder.add_testsuite(suite(scenario, report.started));
    }
    let mut bytes = Vec::new();
    builder.build().write_xml(&mut bytes).map_err(|error| JunitError(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| JunitError(error.to_string()))
}

fn suite(scenario: &ScenarioReport, started: Timestamp) -> TestSuite {
    let mut suite = TestSuiteBuilder::new(&attribute(&scenario.name));
    suite.set_timestamp(moment(started));
    let cases = scenario.judged().len() as u64 + u64::from(scenario.broken.is_some());
    // The time of a suite is the sum of its cases: the scenario's own, in equal parts.
    let each = Duration::milliseconds(i64::try_from(scenario.duration_ms / cases.max(1)).unwrap_or(i64::MAX));
    if let Some(broken) = &scenario.broken {
        let mut case = TestCaseBuilder::error("run", each, "broken", &attribute(broken));
        case.set_trace(&cdata(&format!("{broken}\n\n{}", footer(scenario))));
        suite.add_testcase(finished(case, scenario));
    }
    for (index, verdict) in scenario.judged().iter().enumerate() {
        suite.add_testcase(finished(case(scenario, index, verdict, each), scenario));
    }
    for one in &scenario.not_judged {
        let name = one.split(' ').next().unwrap_or_default();
        let mut case = TestCaseBuilder::skipped(&attribute(name));
        case.set_system_out(&cdata(&format!("not judged: {one}")));
        suite.add_testcase(finished(case, scenario));
    }
    if cases == 0 {
        let why = "no criterion was judged, so nothing was shown";
        suite.add_testcase(finished(TestCaseBuilder::error("run", each, "inconclusive", why), scenario));
    }
    suite.set_system_out(&cdata(&footer(scenario)));
    suite.build()
}

fn finished(mut case: TestCaseBuilder, scenario: &ScenarioReport) -> TestCase {
    case.set_classname(&attribute(&scenario.slug));
    case.build()
}

fn case(scenario: &ScenarioReport, index: usize, verdict: &Verdict, time: Duration) -> TestCaseBuilder {
    // Consumers fold cases of one name into one, so a criterion that is asked for twice says which it is.
    let before = scenario.judged()[..index].iter().filter(|other| other.criterion == verdict.criterion).count();
    let number = if before > 0 { format!(" #{}", before + 1) } else { String::new() };
    let name = attribute(&format!("{}{number}: {}", verdict.criterion, verdict.expected));
    let name_of = verdict.anomaly.map_or(String::new(), |anomaly| format!("{anomaly}: "));
    let message = attribute(&format!("{name_of}seen: {}; {}", verdict.seen, verdict.why));
    let mut case = match verdict.validity {
        Validity::Pass => return TestCaseBuilder::success(&name, time),
        Validity::Fail => TestCaseBuilder::failure(&name, time, &attribute(&verdict.criterion), &message),
        Validity::Inconclusive => TestCaseBuilder::error(&name, time, "inconclusive", &message),
    };
    case.set_trace(&cdata(&trace(scenario, verdict)));
    case
}

fn trace(scenario: &ScenarioReport, verdict: &Verdict) -> String {
    let mut text = format!("expected: {}\nseen:     {}\nwhy:      {}\n", verdict.expected, verdict.seen, verdict.why);
    if let Some(anomaly) = verdict.anomaly {
        let _ = writeln!(text, "anomaly:  {anomaly} ({})", anomaly.means());
    }
    if !verdict.evidence.is_empty() {
        let records: Vec<String> = verdict.evidence.iter().map(|n| format!("#{n}")).collect();
        let _ = writeln!(text, "records:  {}", records.join(", "));
    }
    if !verdict.chain.is_empty() {
        let _ = writeln!(text, "\nwhat happened for one customer:\n  {}", verdict.chain.join("\n  "));
    }
    let _ = write!(text, "\n{}", footer(scenario));
    text
}

fn footer(scenario: &ScenarioReport) -> String {
    let mut text =
        format!("seed:      {}\nrun again: {}\nrun:       {}\n", scenario.seed, scenario.again, scenario.folder);
    for covered in &scenario.covers {
        let _ = writeln!(text, "covers:    {covered}");
    }
    for note in &scenario.notes {
        let _ = writeln!(text, "note:      {note}");
    }
    text
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A text with only such characters as XML 1.0 may hold; the others become U+FFFD. Readers turn carriage returns into line
/// ends, so they go.
fn legal(text: &str) -> String {
    let allowed = |c: char| match c {
        // Controls of the writing direction make a text look like another one.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        '\t' | '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => true,
        // U+0085 is a line end to some readers, U+007F to U+009F are discouraged: a control is a control.
        _ => false,
    };
    text.chars().filter(|c| *c != '\r').map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

/// A text for an attribute: one line, since readers turn line ends into blanks anyway.
fn attribute(text: &str) -> String {
    legal(text).replace(['\n', '\t'], " ")
}

/// A text for a CDATA section: its end mark is cut in two, and the halves lie in two sections.
fn cdata(text: &str) -> String {
    legal(text).replace("]]>", "]]]]><![CDATA[>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{broken, report, scenario, verdict};

    const WILD: &str = "]]> ]]]]>> \u{1F98A} é <b> & \" ' &amp; <![CDATA[ -- \u{2028} {x}";

    fn texts(node: roxmltree::Node<'_, '_>) -> String {
        node.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect()
    }

    #[test]
    fn reads_back_with_an_independent_parser() {
        let mut wild = verdict("access", Validity::Fail);
        wild.expected = WILD.into();
        wild.chain = vec![WILD.into(), "control \u{0} \u{1b}[31m \u{b} \u{85} \u{fffe} end \u{202e}".into()];
        let mut s = scenario("wild", vec![wild, verdict("customer_state", Validity::Pass)]);
        s.name = format!("name {WILD}");
        let xml = render(&report(vec![s, broken("down")])).expect("written");
        let document = roxmltree::Document::parse(&xml).expect("well-formed");
        let suites: Vec<_> = document.descendants().filter(|n| n.has_tag_name("testsuite")).collect();
        assert_eq!(suites.len(), 2);
        assert_eq!(suites[0].attribute("name"), Some(format!("name {WILD}").as_str()));
        assert_eq!((suites[0].attribute("tests"), suites[0].attribute("failures")), (Some("2"), Some("1")));
        assert_eq!(suites[0].attribute("timestamp"), Some("2026-01-15T10:00:00.123Z"));
        let failure = document.descendants().find(|n| n.has_tag_name("failure")).expect("a failure");
        let body = texts(failure);
        assert!(body.contains(&format!("expected: {WILD}\n")), "{body}");
        assert!(body.contains("control \u{fffd} \u{fffd}[31m \u{fffd} \u{fffd} \u{fffd} end \u{fffd}"), "{body}");
        assert!(body.contains("anomaly:  duplicate (One cause had more effects than one.)"), "{body}");
        assert!(failure.attribute("message").is_some_and(|message| message.starts_with("duplicate: seen: ")));
        assert!(body.contains("run again: hookdrill run scenarios/wild.toml --seed 7"), "{body}");
        let case = failure.parent().expect("a case");
        assert_eq!(case.attribute("name"), Some(format!("access: {WILD}").as_str()));
        let error = document.descendants().find(|n| n.has_tag_name("error")).expect("an error");
        assert_eq!(error.attribute("type"), Some("broken"));
        assert_eq!(error.attribute("message"), Some("the target is unreachable: connection refused"));
    }

    #[test]
    fn inconclusive_is_an_error_and_names_are_distinct() {
        let unclear = || verdict("access", Validity::Inconclusive);
        let nothing = ScenarioReport { verdicts: None, ..scenario("nothing", Vec::new()) };
        let xml = render(&report(vec![scenario("s", vec![unclear(), unclear()]), nothing])).expect("written");
        let document = roxmltree::Document::parse(&xml).expect("well-formed");
        let errors: Vec<_> = document.descendants().filter(|n| n.has_tag_name("error")).collect();
        assert!(errors.iter().all(|error| error.attribute("type") == Some("inconclusive")) && errors.len() == 3);
        let names: Vec<_> =
            document.descendants().filter(|n| n.has_tag_name("testcase")).map(|n| n.attribute("name")).collect();
        assert_eq!(names[1], Some("access #2: exactly 1 contact for each customer"));
        assert!(!xml.contains("skipped"));
        assert!(roxmltree::Document::parse(&render(&report(Vec::new())).expect("written")).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_but_for_what_xml_cannot_hold(text in "\\PC*|[\\x00-\\x7f\\]>]{0,40}|.*") {
            let mut any = verdict("access", Validity::Fail);
            any.seen = text.clone();
            let mut s = scenario("s", vec![any]);
            s.about = text.clone();
            let xml = render(&report(vec![s])).expect("written");
            let document = roxmltree::Document::parse(&xml).expect("well-formed");
            let failure = document.descendants().find(|n| n.has_tag_name("failure")).expect("a failure");
            let wanted = format!("seen:     {}\n", legal(&text));
            proptest::prop_assert!(texts(failure).contains(&wanted));
        }
    }
}
