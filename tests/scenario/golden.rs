//! Golden plans: the schedule in words for fixed seeds, and the digest of the whole `plan.json`.
//!
//! `UPDATE=1 cargo test` writes them anew; a difference that nobody meant is a broken promise to every saved seed.

use super::{good::EVERYTHING, recordings::scenario};
use hookdrill::{
    plan::{compile::compile, model::Plan, text::timeline},
    time::Timestamp,
};
use sha2::{Digest, Sha256};

/// 1 June 2026, noon.
const EPOCH: Timestamp = Timestamp::from_secs(1_780_315_200);

const SHUFFLED: &str = r#"
version = 1
name = "shuffled"
about = "One customer, every event twice, in any order."
body = "simulated"

[[story]]
name = "purchase"
recording = "purchase"

[[fault]]
reorder = { shuffle = 6 }

[[fault]]
duplicate = { of = "*", copies = 2, spacing = "0s" }

[[criterion]]
events_lost = { exactly = 0 }
"#;

fn json(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is JSON")
}

fn golden(file: &str, text: &str, seed: u64) {
    let plan = compile(&scenario(text), seed, EPOCH).expect("compiles");
    let digest = hex::encode(Sha256::digest(json(&plan).as_bytes()));
    let shown = format!("{}\nplan.json: {digest}\n", timeline(&plan));
    let path = format!("tests/scenario/golden/{file}.txt");
    #[expect(clippy::disallowed_methods, reason = "a test may be told to rewrite what it expects")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all("tests/scenario/golden").expect("made");
        std::fs::write(&path, &shown).expect("written");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    if wanted != shown {
        let (mut old, mut new) = (wanted.lines(), shown.lines());
        let first = loop {
            match (old.next(), new.next()) {
                (a, b) if a == b && a.is_some() => {}
                (a, b) => break format!("expected: {}\n   shown: {}", a.unwrap_or("(end)"), b.unwrap_or("(end)")),
            }
        };
        panic!("{path} differs, first here:\n{first}\n\nthe whole:\n{shown}");
    }
}

#[test]
fn everything_with_seed_7() {
    golden("everything-7", EVERYTHING, 7);
}

#[test]
fn shuffled_with_seeds_1_and_2() {
    golden("shuffled-1", SHUFFLED, 1);
    golden("shuffled-2", SHUFFLED, 2);
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_a_saved_plan_reads_back() {
    let compiled = || compile(&scenario(EVERYTHING), 7, EPOCH).expect("compiles");
    let (once, again) = (compiled(), compiled());
    assert_eq!(json(&once), json(&again));
    assert_eq!(serde_json::from_str::<Plan>(&json(&once)).expect("reads back"), once);
    let other = compile(&scenario(EVERYTHING), 8, EPOCH).expect("compiles");
    assert_ne!(json(&once), json(&other), "another seed is another plan");
}

#[test]
fn every_example_of_a_timeline_fits_a_wide_terminal() {
    let plan = compile(&scenario(SHUFFLED), 1, EPOCH).expect("compiles");
    let text = timeline(&plan);
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 160), "{text}");
}
