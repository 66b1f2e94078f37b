//! hookdrill on an app that reads Stripe in its handler: a slow read that the next event overtakes leaves a naive one in the past.

use super::stripe_clients::packages;
use crate::cli::{Finished, hookdrill, scratch};

fn run(guarded: bool) -> Option<Finished> {
    let folder = packages("node_modules/stripe", "an app that reads Stripe")?.join("node_modules");
    let scratch = scratch();
    let project = scratch.path().join("hookdrill.toml");
    let app = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/fetcher.mjs");
    let text = format!(
        r#"[target]
webhook = "http://127.0.0.1:{{port}}/webhook"
secret_env = "STRIPE_WEBHOOK_SECRET"
command = ["node", {app:?}]
ready = "http://127.0.0.1:{{port}}/health"
env = {{ PORT = "{{port}}", STRIPE_API = "{{stripe_api_url}}", PACKAGES = {folder:?}, GUARD = "{}" }}

[mocks.stripe]

[probe.customer]
http = "http://127.0.0.1:{{port}}/customers/{{customer}}"
access = "$.access == true"
status = "$.status"
plan = "$.plan"
"#,
        u8::from(guarded)
    );
    std::fs::write(&project, text).expect("written");
    let reports = scratch.path().join("reports");
    Some(hookdrill(
        &["run", "scenarios/slow-read-overtaken.toml", "--target", project.to_str()?, "--reports", reports.to_str()?],
        &[],
    ))
}

#[test]
fn a_naive_handler_ends_in_the_past_when_its_read_is_overtaken() {
    let Some(done) = run(false) else { return };
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("customer_state"), "{done}");
}

#[test]
fn a_guarded_handler_does_not() {
    let Some(done) = run(true) else { return };
    assert_eq!(done.code, 0, "{done}");
}
