//! Both gates as criteria: what a run measures at its end, and what the judges say of it.

use super::lighthouse::stand_in;
use crate::cli::{Finished, hookdrill, scratch};
use serde_json::{Value, json};
use std::path::Path;

fn scenario(criterion: &str) -> String {
    format!(
        "version = 1\nname = \"gated\"\nabout = \"Made by a test.\"\nbody = {{ live = \"files and pages are real\" }}\n\
         [[story]]\nname = \"purchase\"\nrecording = \"checkout-subscription\"\n\
         [[criterion]]\nevents_lost = {{ exactly = 0 }}\n[[criterion]]\n{criterion}\n"
    )
}

/// Runs it on the embedded service; the second verdict, and how it ended.
fn run(folder: &Path, criterion: &str, environment: &[(&str, &str)]) -> (Value, Finished) {
    let file = folder.join("gated.toml");
    std::fs::write(&file, scenario(criterion)).expect("written");
    let reports = folder.join("reports");
    let arguments = ["run", file.to_str().expect("text"), "--reports", reports.to_str().expect("text"), "--json"];
    let done = hookdrill(&arguments, environment);
    let json: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    (json["scenarios"][0]["verdicts"]["verdicts"][1].clone(), done)
}

#[test]
fn a_run_folder_holds_no_secret_and_a_bundle_with_one_fails() {
    let folder = scratch();
    let dist = folder.path().join("dist");
    std::fs::create_dir(&dist).expect("made");
    let criterion = format!("secrets_found = {{ in = [\"{}\", \"{{run}}\"], exactly = 0 }}", dist.display());
    std::fs::write(dist.join("app.js"), "const key = 'pk_live_9fK2mQ7vZx4LpR8sTb3WnY6d'").expect("written");
    let (verdict, done) = run(folder.path(), &criterion, &[]);
    assert_eq!((verdict["validity"].as_str(), done.code), (Some("pass"), 0), "{done}");
    let key = ["sk_live", "_9fK2mQ7vZx4LpR8sTb3WnY6d"].concat();
    std::fs::write(dist.join("app.js"), format!("const key = '{key}'")).expect("written");
    let (verdict, done) = run(folder.path(), &criterion, &[]);
    assert_eq!((verdict["validity"].as_str(), done.code), (Some("fail"), 1), "{done}");
    assert!(verdict["why"].as_str().is_some_and(|why| why.contains("app.js:1:")), "{verdict}");
    assert!(!done.stdout.contains(&key), "the secret is said");
    let (verdict, done) = run(folder.path(), "secrets_found = { in = [\"no/such/folder\"], exactly = 0 }", &[]);
    assert_eq!((verdict["validity"].as_str(), done.code), (Some("inconclusive"), 2), "{done}");
}

#[cfg(unix)]
#[test]
fn a_page_is_measured_while_the_service_runs() {
    let folder = scratch();
    let report = |performance: f64| {
        let report = json!({"requestedUrl": "x", "categories": {"performance": {"score": performance}}});
        // It measures nothing where nobody answers.
        let fetch =
            "node -e 'fetch(process.argv[1]).then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))' \"$1\" || exit 1";
        format!("{fetch}\ncat > \"$out\" <<'X'\n{report}\nX")
    };
    let criterion = "lighthouse = { url = \"{target}/healthz\", categories = [\"performance\"], runs = 1 }";
    for (body, validity, code) in
        [(report(0.95), "pass", 0), (report(0.5), "fail", 1), ("exit 1".to_owned(), "inconclusive", 2)]
    {
        let program = stand_in(folder.path(), &body);
        let (verdict, done) =
            run(folder.path(), criterion, &[("HOOKDRILL_LIGHTHOUSE", program.to_str().expect("text"))]);
        assert_eq!((verdict["validity"].as_str(), done.code), (Some(validity), code), "{verdict} {done}");
    }
    let (verdict, _) = run(folder.path(), "lighthouse = { url = \"https://shop.example/\" }", &[]);
    assert!(verdict["why"].as_str().is_some_and(|why| why.contains("{target}")), "{verdict}");
}
