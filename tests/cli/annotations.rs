//! What a CI system is told of a run that does not pass.

use super::{hookdrill, scratch};

const SCENARIO: &str = "scenarios/contact-created-once.toml";

fn run(extra: &[&str], environment: &[(&str, &str)]) -> super::Finished {
    let reports = scratch();
    let reports = reports.path().join("reports").display().to_string();
    let mut arguments = vec!["run", "--simulate", SCENARIO, "--reports", &reports];
    arguments.extend(extra);
    hookdrill(&arguments, environment)
}

#[test]
fn a_failure_is_marked_at_the_line_of_its_criterion() {
    let done = run(&["--defect", "contact-on-every-event"], &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(done.code, 1, "{done}");
    let marks: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("::error ")).collect();
    assert!(!marks.is_empty(), "{done}");
    let text = std::fs::read_to_string(SCENARIO).expect("a scenario");
    for mark in marks {
        let (_, after) = mark.split_once(&format!("file={SCENARIO},line=")).expect("a place");
        let line: usize = after.split(',').next().and_then(|n| n.parse().ok()).expect("a line");
        let criterion = text.lines().nth(line - 1).and_then(|l| l.split(' ').next()).expect("the line is there");
        assert!(mark.contains(&format!(" {criterion} failed (")), "line {line} is `{criterion}`: {mark}");
    }
}

#[test]
fn nothing_is_marked_where_nobody_reads_it_or_all_passed() {
    let failed = run(&["--defect", "contact-on-every-event"], &[]);
    assert!(failed.code == 1 && !failed.stdout.contains("::error"), "{failed}");
    let unwanted = run(&["--defect", "contact-on-every-event", "--annotations", "none"], &[("GITHUB_ACTIONS", "true")]);
    assert!(unwanted.code == 1 && !unwanted.stdout.contains("::error"), "{unwanted}");
    let passed = run(&["--annotations", "github"], &[]);
    assert!(passed.code == 0 && !passed.stdout.contains("::error"), "{passed}");
}

#[test]
fn with_json_the_marks_are_on_standard_error() {
    let done = run(&["--json", "--annotations", "github", "--defect", "contact-on-every-event"], &[]);
    assert!(serde_json::from_str::<serde_json::Value>(&done.stdout).is_ok(), "{done}");
    assert!(done.stderr.contains("::error file="), "{done}");
}

#[test]
fn what_stops_it_before_anything_is_sent_is_marked_too() {
    let done = hookdrill(&["run", "no-such-file.toml"], &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(done.code, 3, "{done}");
    assert!(done.stderr.contains("::error title=hookdrill did not run::no-such-file.toml does not exist"), "{done}");
}
