//! hookdrill beside somebody's own app, where there is no clone of this repository.

use super::{Finished, scratch};
use std::{path::Path, process::Command};

fn hookdrill_in(folder: &Path, arguments: &[&str]) -> Finished {
    let done = Command::new(env!("CARGO_BIN_EXE_hookdrill"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("GITHUB_ACTIONS")
        .output()
        .expect("it starts");
    Finished {
        code: done.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

#[test]
fn the_shipped_scenarios_are_in_the_program() {
    let folder = scratch();
    let named = hookdrill_in(folder.path(), &["run", "--simulate", "shipped/contact-created-once.toml"]);
    assert_eq!(named.code, 0, "{named}");
    // Without a path, what would be in `scenarios` is meant.
    let all = hookdrill_in(folder.path(), &["run", "--simulate", "--filter", "*replay*"]);
    assert_eq!(all.code, 0, "{all}");
    let recording = hookdrill_in(folder.path(), &["run", "--simulate", "shipped/checkout-subscription"]);
    assert_eq!(recording.code, 0, "{recording}");
    let failing = hookdrill_in(
        folder.path(),
        &["run", "--simulate", "shipped/contact-created-once.toml", "--defect", "contact-on-every-event"],
    );
    assert_eq!(failing.code, 1, "{failing}");
    assert!(failing.stdout.contains("hookdrill run shipped/contact-created-once.toml --seed 1"), "{failing}");
}

#[test]
fn a_scenario_of_ones_own_may_name_a_shipped_recording() {
    let folder = scratch();
    let shipped = hookdrill_in(folder.path(), &["run", "--simulate", "shipped/no-such.toml"]);
    assert_eq!(shipped.code, 3, "{shipped}");
    assert!(
        shipped.stderr.contains("shipped/no-such.toml is not among the shipped scenarios; there are active-within"),
        "{shipped}"
    );
    let near = hookdrill_in(folder.path(), &["run", "--simulate", "shipped/any-ordr"]);
    assert_eq!(near.code, 3, "{near}");
    assert!(near.stderr.contains("did you mean shipped/any-order?"), "{near}");
    let own = "version = 1\nname = \"own\"\nabout = \"one\"\n[[story]]\nname = \"a\"\nrecording = \"checkout-subscription\"\n\
               [[criterion]]\naccess = { is = \"granted\" }\n";
    std::fs::write(folder.path().join("own.toml"), own).expect("written");
    let done = hookdrill_in(folder.path(), &["run", "--simulate", "own.toml"]);
    assert_eq!(done.code, 0, "{done}");
}

#[test]
fn a_scenario_without_a_criterion_can_be_compared_and_not_run_otherwise() {
    let folder = scratch();
    let own = "version = 1\nname = \"own\"\nabout = \"one\"\n[[story]]\nname = \"a\"\nrecording = \"plan-changed-twice\"\n\
               [[fault]]\nreorder = { reverse = true }\n";
    std::fs::write(folder.path().join("own.toml"), own).expect("written");
    let alone = hookdrill_in(folder.path(), &["run", "--simulate", "own.toml"]);
    assert!(alone.code == 3 && alone.stderr.contains("--compare clean` needs none"), "{alone}");
    assert_eq!(hookdrill_in(folder.path(), &["plan", "own.toml"]).code, 0);
    let compared = ["run", "--simulate", "own.toml", "--compare", "clean", "--reports", "out"];
    let done = hookdrill_in(folder.path(), &compared);
    assert_eq!(done.code, 0, "{done}");
    let wrong = [&compared[..], &["--defect", "last-arrival-wins"]].concat();
    let done = hookdrill_in(folder.path(), &wrong);
    assert!(done.code == 1 && done.stdout.contains("differences_from_clean"), "{done}");
}
