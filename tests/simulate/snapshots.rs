//! A copy of a world goes on as the original does, and the number of a world tells worlds apart.

use hookdrill::{
    drive::{
        ask::{Headers, Question},
        probe::{Expression, ProbeSpec},
        signing::SigningSecrets,
        sim::{Crash, Setup, World, run},
        target::Target,
        template::Given,
    },
    plan::{compile::compile, model::Plan},
    redact::Redactor,
    scenario::{load::load, model::Scenario},
    service::Settings,
    stripe::import::ImportOptions,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

fn scenario() -> Scenario {
    let options = ImportOptions { allow_livemode: false };
    load(Path::new("scenarios/random-schedule.toml"), &["fixtures".into()], options).expect("a scenario")
}

fn plan(seed: u64) -> Plan {
    compile(&scenario(), seed, Timestamp::from_secs(1_767_225_600)).expect("a plan")
}

fn setup() -> Setup {
    let probe = ProbeSpec {
        ask: Question::Http { method: "GET".into(), url: String::new(), headers: Headers::default(), json: None },
        access: Expression::parse("$.access").expect("a path"),
        status: None,
        plan: None,
        values: BTreeMap::new(),
    };
    let target = Target {
        name: "simulated".into(),
        webhook: String::new(),
        secrets: SigningSecrets::new("whsec_1", 1),
        probe: Some(probe),
        event_probe: None,
        queue: Some(String::new()),
        success_page: None,
        sign_up: None,
        support_form: None,
        stripe: false,
        fetches_events: false,
        recovers_within: std::time::Duration::ZERO,
        alerts: false,
        declared: Vec::new(),
        crm: true,
        support: true,
        process: true,
        clock: true,
        store: true,
        seeds: Vec::new(),
        resets: Vec::new(),
        given: Given::default(),
    };
    Setup::new(target, Settings::default(), scenario().simulation, BTreeMap::new(), Redactor::new(&[]))
}

#[test]
fn a_copy_goes_on_as_the_original_does() {
    let (setup, plan) = (setup(), plan(3));
    let whole = run(&setup, &plan, None);
    for steps in [0, 1, 40, 150, 200] {
        let mut world = World::new(&setup, &plan, None);
        for _ in 0..steps {
            assert!(world.advance(), "the run is longer than that");
        }
        let mut copy = world.clone();
        assert_eq!(world.digest(), copy.digest());
        while world.advance() {}
        assert_ne!(world.digest(), copy.digest(), "the copy stays where it was");
        while copy.advance() {}
        assert_eq!(world.digest(), copy.digest());
        let (world, copy) = (world.ran(), copy.ran());
        assert_eq!(world, copy);
        assert_eq!(world, whole, "looking at a world changes nothing");
    }
}

#[test]
fn every_step_of_a_run_has_a_number_of_its_own() {
    let (setup, plan) = (setup(), plan(4));
    let mut world = World::new(&setup, &plan, None);
    let (mut steps, mut seen) = (0_usize, BTreeSet::new());
    while world.advance() {
        steps += 1;
        seen.insert(world.digest());
    }
    // Recording a phase or the end of a fault changes no state.
    assert!(steps > 200 && seen.len() * 10 > steps * 9, "{} of {steps}", seen.len());
}

#[test]
fn seeds_and_crashes_lead_apart() {
    let setup = setup();
    let (one, other) = (plan(5), plan(6));
    let world = World::new(&setup, &one, None);
    assert_ne!(world.digest(), World::new(&setup, &other, None).digest());
    let crash = Crash { at_point: 7, restart_after_ms: 100 };
    assert_ne!(world.digest(), World::new(&setup, &one, Some(crash)).digest());
    assert_ne!(run(&setup, &one, None).history, run(&setup, &one, Some(crash)).history);
}
