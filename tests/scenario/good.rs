//! What good scenario files mean: every key, every default, and files on disk.

use super::recordings::scenario;
use hookdrill::{
    scenario::{
        criterion::{AccessIs, Bound, Criterion},
        fault::{BadSignature, Double, DuplicateSpacing, FaultKind, MalformedBody, Order, Place},
        load::load,
        model::{Agent, Body, Page, Spacing, Step},
    },
    stripe::{import::ImportOptions, recording::Access},
};
use std::time::Duration;

/// A scenario with every key there is, also used as a golden plan.
pub(crate) const EVERYTHING: &str = include_str!("everything.toml");

const SMALL: &str = r#"
version = 1
name = "small"
about = "Nothing but what must be there."

[[story]]
name = "purchase"
recording = "purchase"

[[criterion]]
events_lost = { exactly = 0 }
"#;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn defaults_are_those_that_are_documented() {
    let small = scenario(SMALL);
    assert_eq!((small.slug.as_str(), &small.body), ("test", &Body::Both));
    assert_eq!(small.delivery.retry.waits, [200, 400, 800, 1600].map(millis));
    assert_eq!((small.delivery.timeout, small.quiet.budget), (millis(3_000), millis(20_000)));
    let story = &small.stories[0];
    assert_eq!((story.instances, story.after, story.stagger), (1, millis(0), millis(5)));
    assert_eq!(story.spacing, Spacing::Every(millis(20)));
    assert!(small.steps.is_empty() && small.given.is_empty() && small.faults.is_empty() && small.covers.is_empty());
}

#[test]
fn a_story_that_continues_leaves_its_own_gap_after_the_earlier_one() {
    let text = format!(
        "{SMALL}\n[[story]]\nname = \"cancel\"\nrecording = \"cancel\"\ncontinues = \"purchase\"\nspacing = \"70ms\"\n"
    );
    assert_eq!(scenario(&text).stories[1].after, millis(70));
    let text = format!("{text}after = \"0s\"\n");
    assert_eq!(scenario(&text).stories[1].after, millis(0));
}

#[test]
fn bodies_are_read() {
    for (line, body) in [
        ("body = \"both\"", Body::Both),
        ("body = \"simulated\"", Body::Simulated),
        ("body = { live = \"real sockets\" }", Body::Live { reason: "real sockets".to_owned() }),
    ] {
        assert_eq!(scenario(&SMALL.replacen("[[story]]", &format!("{line}\n[[story]]"), 1)).body, body, "{line}");
    }
    let named = SMALL.to_owned() + "[delivery]\nretry = \"stripe-live\"\n";
    assert_eq!(scenario(&named).delivery.retry.name, "stripe-live");
}

#[test]
fn every_fault_is_read() {
    let all = scenario(EVERYTHING);
    let kinds: Vec<&FaultKind> = all.faults.iter().map(|fault| &fault.kind).collect();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    for name in [
        "duplicate",
        "reorder",
        "delay",
        "drop",
        "forged",
        "malformed",
        "unknown_type",
        "secret_roll",
        "outage",
        "slow",
        "kill",
    ] {
        assert!(names.contains(&name), "{name} is not in everything.toml");
    }
    assert!(matches!(kinds[0], FaultKind::Reorder { order: Order::First(first) } if first.len() == 2));
    assert!(kinds.contains(&&FaultKind::Reorder { order: Order::Shuffle { window: 3 } }));
    assert!(kinds.contains(&&FaultKind::Reorder { order: Order::Reverse }));
    assert!(kinds.iter().any(|kind| {
        matches!(kind, FaultKind::Duplicate { spacing: DuplicateSpacing::AfterEverything, copies: 2, .. })
    }));
    assert!(kinds.iter().any(|kind| matches!(kind, FaultKind::Forged { signature: BadSignature::Stale301s, .. })));
    assert!(kinds.iter().any(|kind| matches!(kind, FaultKind::Malformed { body: MalformedBody::Empty, .. })));
    assert!(kinds.contains(&&FaultKind::SecretRoll { from: millis(200), good: Place::Last }));
    assert!(kinds.contains(&&FaultKind::Outage {
        of: Double::Crm,
        from: millis(0).into(),
        lasts: millis(2000),
        answer: 503,
        retry_after: Some(millis(1000))
    }));
    assert_eq!(all.faults.iter().filter(|fault| fault.story.as_deref() == Some("purchase")).count(), 1);
}

#[test]
fn every_criterion_and_step_is_read() {
    let all = scenario(EVERYTHING);
    let names: Vec<&str> = all.criteria.iter().map(Criterion::name).collect();
    for name in Criterion::NAMES {
        assert!(names.contains(name), "{name} is not in everything.toml");
    }
    assert!(all.criteria.contains(&Criterion::Access { is: AccessIs::AsStory }));
    assert!(all.criteria.contains(&Criterion::EventsLost(Bound::AtMost(0))));
    assert!(!all.criteria.contains(&Criterion::Access { is: AccessIs::This(Access::Granted) }));
    let visit = Step::Visit {
        story: "purchase".to_owned(),
        page: Page::Success,
        at: millis(50),
        times: 2,
        every: millis(200),
        agent: Agent::Mobile,
    };
    assert_eq!(all.steps[1], visit);
    assert_eq!(all.given[0].properties["email"], "{email}");
}

#[test]
fn a_share_of_few_events_is_no_mistake_of_the_file() {
    // Six events never show more than 99 %, but one of them lost shows less: inconclusive is for the judge to say.
    let read = scenario(&SMALL.replace("events_lost = { exactly = 0 }", "success_rate = { above = 0.99 }"));
    assert_eq!(read.criteria, [Criterion::SuccessRate { above: 0.99 }]);
}

#[test]
fn files_and_recordings_are_found_by_name_and_beside_the_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixtures = folder.path().join("recordings");
    let recording = super::recordings::find("purchase").expect("a recording");
    for place in [fixtures.join("shop"), folder.path().join("own/here")] {
        std::fs::create_dir_all(&place).expect("made");
        for recorded in &recording.events {
            std::fs::write(place.join(&recorded.file), recorded.event.body.as_bytes()).expect("written");
        }
    }
    let file = folder.path().join("Some Scenario.toml");
    let options = ImportOptions { allow_livemode: false };
    let run = |name: &str| {
        std::fs::write(&file, SMALL.replace("\"purchase\"\n\n", &format!("\"{name}\"\n\n"))).expect("written");
        load(&file, std::slice::from_ref(&fixtures), options)
    };
    for name in ["shop", "own/here"] {
        let read = run(name).expect(name);
        assert_eq!(read.slug, "some-scenario");
        assert_eq!(read.stories[0].recording.events.len(), recording.events.len());
    }
    std::fs::create_dir_all(fixtures.join("no-recording")).expect("made");
    let errors = run("shopp").expect_err("there is none").to_string();
    assert!(errors.contains("did you mean `shop`?"), "{errors}");
    assert!(!errors.contains("no-recording"), "only recordings are suggested: {errors}");
}
