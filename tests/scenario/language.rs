//! What a file may say beyond one scenario: parameters, stories of other files, stories like others, limits on events.

use super::recordings::{find, scenario};
use hookdrill::{
    plan::{
        compile::{Cast, compile},
        model::{DeliveryKind, Plan},
    },
    scenario::{
        load::{Criteria, Sources, parse_all},
        model::Scenario,
        stored::parse_stored,
    },
    time::Timestamp,
};
use std::{collections::BTreeSet, path::Path};

const EPOCH: Timestamp = Timestamp::from_secs(1_780_315_200);

const HEAD: &str = "version = 1\nname = \"language\"\nabout = \"Made by a test.\"\n";

const TAIL: &str = "[[criterion]]\nevents_lost = { exactly = 0 }\n";

const STORY: &str = "[[story]]\nname = \"purchase\"\nrecording = \"purchase\"\ninstances = 20\nstagger = \"1s\"\n";

fn all(text: &str, included: &str) -> Vec<Scenario> {
    let includes = &mut |name: &str| match name {
        "stories.toml" => Ok(included.to_owned()),
        other => Err(format!("`{other}`: there is none")),
    };
    let sources = Sources { recordings: &mut find, includes };
    parse_all(text, Path::new("Some File.toml"), sources, Criteria::Needed).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(text: &str, included: &str) -> String {
    let includes = &mut |_: &str| Ok(included.to_owned());
    let sources = Sources { recordings: &mut find, includes };
    parse_all(text, Path::new("some.toml"), sources, Criteria::Needed).expect_err("refused").to_string()
}

fn plan(fault: &str, seed: u64) -> Plan {
    let scenario = scenario(&format!("{HEAD}{STORY}[[fault]]\n{fault}\n{TAIL}"));
    compile(&scenario, seed, EPOCH).expect("compiles")
}

/// Genuine deliveries that fault `n` touched, as `instance type`.
fn touched(plan: &Plan, n: usize) -> Vec<String> {
    let genuine = plan.deliveries.iter().filter(|d| d.kind == DeliveryKind::Genuine && d.faults.contains(&n));
    genuine.map(|d| format!("{} {}", d.instance, d.event_type)).collect()
}

#[test]
fn a_matrix_is_one_scenario_for_each_combination() {
    let matrix = "[matrix]\ngap = [\"0s\", \"50ms\"]\ncopies = [2, 5]\n";
    let fault = "[[fault]]\nduplicate = { of = \"invoice.paid\", copies = \"${copies}\", spacing = \"${gap}\" }\n";
    let text = format!("{HEAD}{matrix}{STORY}{fault}{TAIL}").replace("by a test", "with ${copies} copies");
    let scenarios = all(&text, "");
    let names: Vec<&str> = scenarios.iter().map(|s| s.name.as_str()).collect();
    let wanted = ["[gap=0s, copies=2]", "[gap=0s, copies=5]", "[gap=50ms, copies=2]", "[gap=50ms, copies=5]"];
    assert_eq!(names, wanted.map(|values| format!("language {values}")));
    assert_eq!(scenarios[3].slug, "some-file-gap-50ms-copies-5");
    assert_eq!(scenarios[3].about, "Made with 5 copies.");
    let deliveries: Vec<usize> =
        scenarios.iter().map(|s| compile(s, 1, EPOCH).expect("compiles").deliveries.len()).collect();
    assert_eq!(deliveries, [140, 200, 140, 200]);
    // The stored scenario is judged as the combination that was run.
    let text = text.replace("exactly = 0", "exactly = \"${copies}\"");
    let stored = parse_stored(&text, Path::new("scenario.toml"), &scenarios[1].name).expect("stored");
    assert_eq!(stored.name, scenarios[1].name);
    assert!(format!("{:?}", stored.criteria).contains('5'), "{:?}", stored.criteria);
}

#[test]
fn a_story_is_defined_once_and_used_by_several_files_and_by_others_of_its_kind() {
    let included = format!("version = 1\n{STORY}");
    let own = "[[story]]\nname = \"second\"\nlike = \"purchase\"\ninstances = 3\n";
    let scenarios = all(&format!("{HEAD}include = [\"stories.toml\"]\n{own}{TAIL}"), &included);
    let stories = &scenarios[0].stories;
    let shape: Vec<_> = stories.iter().map(|s| (s.name.as_str(), s.instances, s.stagger.as_secs())).collect();
    assert_eq!(shape, [("purchase", 20, 1), ("second", 3, 1)]);
    assert_eq!(stories[0].recording, stories[1].recording);
    let alone = all(&format!("{HEAD}include = [\"stories.toml\"]\n{TAIL}"), &included);
    assert_eq!(alone[0].stories, stories[..1]);
}

#[test]
fn what_is_wrong_with_an_included_file_is_said_at_the_include() {
    let text = format!("{HEAD}include = [\"stories.toml\"]\n{TAIL}");
    for (included, said) in [
        ("version = 1\n[[story]\n", "line 2 is not TOML"),
        ("[[story]]\nname = \"a\"\nrecording = \"purchase\"\n", "it has no version = 1"),
        ("version = 1\n", "it has no [[story]]"),
        ("version = 1\n[quiet]\n[[story]]\nname = \"a\"\nrecording = \"purchase\"\n", "it holds `quiet`"),
        ("version = 1\n[[story]]\nname = \"a\"\nrecording = \"purchas\"\n", "there is no recording `purchas`"),
    ] {
        let errors = refused(&text, included);
        assert!(errors.contains(said) && errors.contains("some.toml:4:12"), "{said}: {errors}");
    }
}

#[test]
fn limits_choose_by_count_customer_and_window() {
    let first = plan("delay = { of = { type = \"invoice.*\", first = 3 }, by = \"1ms\" }", 1);
    let wanted = ["purchase/1 invoice.created", "purchase/1 invoice.paid", "purchase/2 invoice.created"];
    assert_eq!(touched(&first, 0), wanted);
    let nth = plan("delay = { of = { type = \"invoice.paid\", nth = 4 }, by = \"1ms\" }", 1);
    assert_eq!(touched(&nth, 0), ["purchase/4 invoice.paid"]);
    let nobody = plan("delay = { of = { type = \"invoice.paid\", nth = 21 }, by = \"1ms\" }", 1);
    assert_eq!(touched(&nobody, 0), [""; 0]);
    let both = plan("drop = { of = { type = \"*\", customer = 3, nth = 2 }, first = 1 }", 1);
    assert_eq!(touched(&both, 0), ["purchase/3 checkout.session.completed"]);
    let window = plan("drop = { of = { type = \"invoice.paid\", from = \"2s\", for = \"2s\" }, first = 1 }", 1);
    assert_eq!(touched(&window, 0), ["purchase/3 invoice.paid", "purchase/4 invoice.paid"]);
}

#[test]
fn chances_are_what_the_file_says_and_those_of_two_faults_have_nothing_to_do_with_each_other() {
    let faults = "delay = { of = { type = \"*\", probability = 0.3 }, by = \"1ms\" }\n[[fault]]\ndrop = { of = { type = \"*\", probability = 0.5 }, first = 1 }";
    let (mut a, mut b, mut both, mut all) = (0_u32, 0_u32, 0_u32, 0_u32);
    let scenario = scenario(&format!("{HEAD}{STORY}[[fault]]\n{faults}\n{TAIL}"));
    let cast = Cast::new(&scenario, 1, EPOCH).expect("a cast");
    for seed in 0..200 {
        for delivery in &cast.plan(seed, EPOCH).expect("a plan").deliveries {
            let (first, second) = (delivery.faults.contains(&0), delivery.faults.contains(&1));
            all += 1;
            a += u32::from(first);
            b += u32::from(second);
            both += u32::from(first && second);
        }
    }
    // 24 000 draws: four standard deviations of a share are at most 0.013.
    let share = |n: u32| f64::from(n) / f64::from(all);
    assert_eq!(all, 24_000);
    for (seen, wanted) in [(share(a), 0.3), (share(b), 0.5), (share(both), 0.15)] {
        assert!((seen - wanted).abs() < 0.013, "{seen} instead of {wanted}");
    }
}

#[test]
fn a_chance_is_drawn_for_each_event_whatever_the_other_limits() {
    let whole = plan("drop = { of = { type = \"*\", probability = 0.4 }, first = 1 }", 7);
    let part = plan("drop = { of = { type = \"*\", probability = 0.4, customer = 5 }, first = 1 }", 7);
    let of_five = |s: &&String| s.starts_with("purchase/5 ");
    let whole: BTreeSet<String> = touched(&whole, 0).iter().filter(of_five).cloned().collect();
    assert_eq!(whole, touched(&part, 0).into_iter().collect());
}
