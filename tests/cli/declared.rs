//! Declared doubles as they are used: an app with a hard-coded mail API behind a shim, and what is said before a run that cannot be.

use super::{Finished, hookdrill, scratch};
use std::{path::Path, process::Command};

/// A scenario about mails; `fault` and `criterion` stand in it.
fn scenario(fault: &str, criterion: &str) -> String {
    format!(
        r#"version = 1
name = "receipts"
about = "Each purchase is mailed about once."

[quiet]
budget = "10s"

[doubles]
declared = ["mail"]

[[story]]
name = "purchase"
recording = "checkout-subscription"
instances = 3

{fault}

[[criterion]]
{criterion}
"#
    )
}

const ONCE: &str = "effects_per_customer = { of = \"mail.receipt\", exactly = 1 }";
const TWICE: &str = "[[fault]]\nduplicate = { of = \"checkout.session.completed\", copies = 2, spacing = \"400ms\" }";
const LOST: &str =
    "[[fault]]\ndownstream = { of = \"mail\", operation = \"resend_send\", does = \"lost_reply\", nth = 2 }";

/// Runs a scenario on the app; `dedupe` and `keyed` say how sound it is. `None` where there is no Node.
fn run(scenario: &str, (dedupe, keyed): (bool, bool)) -> Option<Finished> {
    if Command::new("node").arg("--version").output().is_err() {
        crate::skip("an app with a hard-coded mail API", "node is not installed");
        return None;
    }
    let folder = scratch();
    for file in ["app.mjs", "verify.mjs"] {
        std::fs::copy(format!("tests/cli/declared/{file}"), folder.path().join(file)).expect("copied");
    }
    std::fs::copy("docs/doubles/mail.toml", folder.path().join("mail.toml")).expect("copied");
    let number = |is: bool| u8::from(is);
    let project = format!(
        r#"[target]
webhook = "http://127.0.0.1:{{port}}/webhook"
secret_env = "STRIPE_WEBHOOK_SECRET"
command = ["node", "app.mjs"]

[target.env]
PORT = "{{port}}"
DEDUPE = "{}"
KEYED = "{}"
NODE_OPTIONS = "--require={{shim_node}}"
HOOKDRILL_HOSTS = "api.resend.com={{mail_url}}"

[mocks.mail]
file = "mail.toml"
"#,
        number(dedupe),
        number(keyed)
    );
    Some(ran(folder.path(), scenario, Some(&project)))
}

/// Runs a scenario on what a project file describes, or on the embedded service.
fn ran(folder: &Path, scenario: &str, project: Option<&str>) -> Finished {
    let at = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    std::fs::write(at("receipts.toml"), scenario).expect("written");
    let (scenario, reports, file) = (at("receipts.toml"), at("reports"), at("hookdrill.toml"));
    let mut arguments = vec!["run", &scenario, "--reports", &reports];
    if let Some(text) = project {
        std::fs::write(&file, text).expect("written");
        arguments.extend(["--target", &file]);
    }
    hookdrill(&arguments, &[])
}

#[cfg(unix)]
#[test]
fn a_sound_app_mails_once_through_duplicates_and_lost_replies() {
    let Some(done) = run(&scenario(&format!("{TWICE}\n\n{LOST}"), ONCE), (true, true)) else { return };
    assert_eq!(done.code, 0, "{done}");
}

#[cfg(unix)]
#[test]
fn an_app_that_knows_no_event_again_mails_twice() {
    let Some(done) = run(&scenario(TWICE, ONCE), (false, false)) else { return };
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("duplicate") && done.stdout.contains("2 mail.receipts"), "{done}");
}

#[cfg(unix)]
#[test]
fn an_app_that_sends_no_key_mails_again_what_was_sent_already() {
    let Some(done) = run(&scenario(LOST, ONCE), (true, false)) else { return };
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("the reply is lost"), "the chain tells of the fault: {done}");
    let Some(done) = run(&scenario(LOST, ONCE), (true, true)) else { return };
    assert_eq!(done.code, 0, "{done}");
}

#[test]
fn what_cannot_be_run_is_said_before_anything_is_sent() {
    let folder = scratch();
    std::fs::copy("docs/doubles/mail.toml", folder.path().join("mail.toml")).expect("copied");
    let target = "[target]\nwebhook = \"http://127.0.0.1:9/hook\"\nsecret_file = \"secret\"\n\n";
    std::fs::write(folder.path().join("secret"), "whsec_of_a_test_0123456789").expect("written");
    let with = format!("{target}[mocks.mail]\nfile = \"mail.toml\"\n");
    let typo = LOST.replace("resend_send", "resnd_send");
    for (scenario, project, words) in [
        (scenario("", ONCE), None, "the embedded service does not call"),
        (scenario("", ONCE), Some(target), "the target has no double `mail`"),
        (scenario(&typo, ONCE), Some(with.as_str()), "did you mean `resend_send`?"),
        (scenario("", &ONCE.replace("receipt", "recipt")), Some(with.as_str()), "did you mean `receipt`?"),
    ] {
        let done = ran(folder.path(), &scenario, project);
        assert_eq!(done.code, 3, "{done}");
        assert!(done.stderr.contains(words), "{words}: {done}");
    }
    let file = folder.path().join("receipts.toml");
    let path = file.to_str().expect("text");
    for arguments in [vec!["run", "--simulate", path], vec!["teeth", path, "--quick"]] {
        std::fs::write(&file, scenario("", ONCE)).expect("written");
        let done = hookdrill(&arguments, &[]);
        assert_eq!(done.code, 3, "{done}");
        assert!(done.stderr.contains("the embedded service does not call"), "{done}");
    }
}

#[test]
fn a_table_that_declares_no_double_is_located() {
    let folder = scratch();
    std::fs::write(folder.path().join("bad.toml"), "version = 1\nabout = \"x\"\n[[route]]\nname = \"a\"\n")
        .expect("written");
    for (table, words) in [
        ("[mocks.crn]\nlisten = \"127.0.0.1:0\"", "is [mocks.crm] meant?"),
        ("[mocks.crn]\ndialect = \"hubspot\"", "unknown field `dialect`"),
        ("[mocks.mail]\nfile = \"none.toml\"", "cannot read the file"),
        ("[mocks.mail]\nfile = \"bad.toml\"", "[[route]] lacks the key `method`"),
        ("[mocks.Mail]\nfile = \"bad.toml\"", "`Mail` is no name for a declared double"),
        ("[mocks.mail]\nfile = \"bad.toml\"\nlisten = \"0.0.0.0:1\"", "a double listens on this machine only"),
    ] {
        let file = folder.path().join("hookdrill.toml");
        std::fs::write(&file, table).expect("written");
        let path = file.to_str().expect("text");
        let done = hookdrill(&["mocks", "--target", path, "--listen", "127.0.0.1:0", "--free-ports"], &[]);
        assert_eq!(done.code, 3, "{table}: {done}");
        assert!(done.stderr.contains(words), "{table}: {done}");
    }
}

#[test]
fn the_schema_of_the_project_file_knows_declared_doubles() {
    let done = hookdrill(&["schema", "--of", "project"], &[]);
    let schema = serde_json::from_str(&done.stdout).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let target = "[target]\nwebhook = \"http://127.0.0.1:1/\"\nsecret_env = \"S\"\n";
    let valid = |mocks: &str| {
        let json: serde_json::Value = toml::from_str(&format!("{target}{mocks}")).expect("TOML");
        validator.is_valid(&json)
    };
    assert!(valid(
        "[mocks.mail]\nfile = \"mail.toml\"\nlisten = \"127.0.0.1:4105\"\n[mocks.crm]\ndialect = \"hubspot\"\n"
    ));
    assert!(!valid("[mocks.mail]\nlisten = \"127.0.0.1:4105\"\n"));
    assert!(!valid("[mocks.mail]\nfile = \"mail.toml\"\ndialect = \"hubspot\"\n"));
    let double = hookdrill(&["schema", "--of", "double"], &[]);
    assert_eq!((double.code, double.stdout.contains("A declared double")), (0, true), "{double}");
}
