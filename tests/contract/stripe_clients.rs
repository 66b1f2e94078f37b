//! Stripe's own client libraries against the twin over real sockets, with nothing changed but the address.

use super::{
    stripe_timeline::{recording, whole},
    twin::{Twin, trouble},
};
use hookdrill::{
    plan::model::{CallDoes, CallTrouble},
    scenario::downstream::Which,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Folder with the packages, as `.ci/run` installs them: `node_modules/stripe` and `python/stripe`.
pub(super) fn packages(package: &str, test: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let folder = std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from);
    let found = folder.filter(|folder| folder.join(package).exists());
    if found.is_none() {
        crate::skip(test, "HOOKDRILL_CLIENTS names no folder with the package (see .ci/run)");
    }
    found
}

/// Every kind of object: a purchase, renewals, a change of plan, money back, a dispute, a card left for later.
fn shop(troubles: Vec<CallTrouble>) -> Twin {
    let twin = Twin::at(60_000);
    let mut events = whole("renewal-failed-recovered");
    for name in ["refund-full", "dispute-won", "upgrade-proration"] {
        events.extend(recording(name));
    }
    // Another beginning of the same customer, of which the card alone is wanted.
    events.extend(recording("trial-to-active").into_iter().filter(|event| event.contains("\"setup_intent.")));
    events.iter().for_each(|event| twin.doubles.give_event(10, event).expect("an event"));
    twin.follow(troubles);
    twin
}

fn troubled() -> Vec<CallTrouble> {
    let answer = |status| CallDoes::Answer { status, retry_after_s: None };
    vec![
        trouble(answer(429), "create_customer", Which::First(1)),
        trouble(answer(409), "update_customer", Which::First(1)),
        trouble(CallDoes::LostReply, "create_portal_session", Which::First(1)),
        trouble(CallDoes::LostReply, "create_refund", Which::First(1)),
        trouble(CallDoes::Reset, "search_customers", Which::First(1)),
    ]
}

/// What the client says; whether it was content.
fn run(twin: &Twin, mut command: Command) -> (bool, String) {
    let done = command.env("STRIPE_DOUBLE", twin.url()).output().expect("it starts");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.success() && said.contains("all good"), said)
}

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract").join(file)
}

fn node(folder: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(here("stripe.mjs")).env("PACKAGES", folder.join("node_modules"));
    command
}

fn python(folder: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(here("stripe_client.py")).env("PYTHONPATH", folder.join("python"));
    command
}

#[test]
fn the_node_client_works_unchanged() {
    let Some(folder) = packages("node_modules/stripe", "the npm package stripe") else { return };
    let twin = shop(troubled());
    let (content, said) = run(&twin, node(&folder));
    assert!(content, "{said}");
    assert_eq!(twin.doubles.unused_faults(), [] as [String; 0]);
}

#[test]
fn the_python_client_works_unchanged() {
    let Some(folder) = packages("python/stripe", "the PyPI package stripe") else { return };
    let twin = shop(troubled());
    let (content, said) = run(&twin, python(&folder));
    assert!(content, "{said}");
    // It gives nothing back: that is left to the other client.
    let unused: Vec<String> = twin.doubles.unused_faults();
    assert!(unused.iter().all(|fault| fault.contains("create_refund")), "{unused:?}");
}

/// Each defect is one of the twin: the contract must not hold with it.
#[test]
fn the_contract_is_broken_by_a_twin_with_a_defect() {
    let defects = [
        // It knows nothing of what happened lately.
        trouble(CallDoes::StaleRead { by_ms: 59_995 }, "get_invoice", Which::All),
        trouble(CallDoes::Answer { status: 404, retry_after_s: None }, "get_dispute", Which::All),
        trouble(CallDoes::MalformedJson, "list_charges", Which::All),
    ];
    if let Some(folder) = packages("node_modules/stripe", "the npm package stripe, a defect") {
        for defect in defects.clone() {
            let (content, said) = run(&shop(vec![defect.clone()]), node(&folder));
            assert!(!content, "{defect:?}: {said}");
        }
    }
    if let Some(folder) = packages("python/stripe", "the PyPI package stripe, a defect") {
        for defect in defects {
            let (content, said) = run(&shop(vec![defect.clone()]), python(&folder));
            assert!(!content, "{defect:?}: {said}");
        }
    }
}
