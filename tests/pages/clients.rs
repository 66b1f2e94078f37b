//! Stripe's own client libraries against the double, with nothing changed but the address.

use super::Shop;
use hookdrill::scenario::fault::Double;
use std::{path::PathBuf, process::Command};

/// Folder with the packages, as `.ci/run` installs them: `node_modules/stripe` and `python/stripe`.
fn packages() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from)
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pages").join(name)
}

async fn check(test: &str, package: &str, command: impl FnOnce(&std::path::Path) -> Command) {
    let Some(folder) = packages().filter(|folder| folder.join(package).exists()) else {
        return crate::skip(test, "HOOKDRILL_CLIENTS names no folder with the package (see .ci/run)");
    };
    let shop = Shop::open(|_| {}).await;
    let mut command = command(&folder);
    command.env("STRIPE_DOUBLE", shop.doubles.url(Double::Stripe));
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("it starts");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("all good"), "{said}");
    assert_eq!(shop.made("customer.created"), 1, "a repetition under one key makes one customer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_client_works_unchanged() {
    check("the npm package stripe", "node_modules/stripe", |folder| {
        let mut command = Command::new("node");
        command.arg(script("client.mjs")).env("PACKAGES", folder.join("node_modules"));
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_works_unchanged() {
    check("the PyPI package stripe", "python/stripe", |folder| {
        let mut command = Command::new("python3");
        command.arg(script("client.py")).env("PYTHONPATH", folder.join("python"));
        command
    })
    .await;
}
