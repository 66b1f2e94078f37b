//! Real Lighthouse on the pages that a person looks at longest: 90 or more for speed, accessibility and good practice.

use super::{
    Shop,
    browser::{DESKTOP, start},
};
use serde_json::Value;
use std::{path::Path, process::Command};

const LEAST: f64 = 0.90;

fn scores(lighthouse: &Path, url: &str, cookie: &str) -> Vec<(String, f64)> {
    let scratch = crate::cli::scratch();
    let report = scratch.path().join("report.json");
    let flags = format!(
        "--chrome-flags=--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
         --disable-component-update --disable-sync --user-data-dir={}",
        scratch.path().join("profile").display()
    );
    let done = Command::new("node")
        .arg(lighthouse)
        .args([url, "--quiet", "--output=json", "--only-categories=performance,accessibility,best-practices"])
        .arg(format!("--output-path={}", report.display()))
        .arg(format!("--extra-headers={}", serde_json::json!({"Cookie": cookie})))
        .arg(flags)
        .env("CHROME_PATH", "/usr/bin/chromium")
        .output()
        .expect("node");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(report).expect("a report")).expect("JSON");
    let categories = report["categories"].as_object().expect("categories");
    categories.iter().map(|(name, category)| (name.clone(), category["score"].as_f64().unwrap_or(0.0))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn success_and_billing_reach_ninety() {
    const NAME: &str = "Lighthouse on the success and billing pages";
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let folder = std::env::var_os("HOOKDRILL_CLIENTS").map(std::path::PathBuf::from).unwrap_or_default();
    let lighthouse = folder.join("node_modules/lighthouse/cli/index.js");
    if !lighthouse.exists() {
        return crate::skip(NAME, "HOOKDRILL_CLIENTS names no folder with the npm package lighthouse (see .ci/run)");
    }
    let Some(browser) = start(NAME, DESKTOP).await else { return };
    let shop = Shop::open(|_| {}).await;
    browser.open(&shop.at("/")).await;
    browser.fill("#email", "light@example.com").await;
    browser.fill("#user", "light").await;
    browser.click("main button[type=submit]").await;
    browser.click("button[type=submit]").await;
    browser.see("[data-activation=active]").await;
    let success = browser.url().await;
    let cookies = browser.client.get_all_cookies().await.expect("cookies");
    let cookie = cookies.iter().map(|c| format!("{}={}", c.name(), c.value())).collect::<Vec<_>>().join("; ");
    drop(browser);
    for url in [success, shop.at("/billing")] {
        let (tool, cookie, at) = (lighthouse.clone(), cookie.clone(), url.clone());
        let found = tokio::task::spawn_blocking(move || scores(&tool, &at, &cookie)).await.expect("measured");
        crate::loudly(&format!("Lighthouse {url}: {found:?}"));
        assert!(found.len() == 3 && found.iter().all(|(_, score)| *score >= LEAST), "{url}: {found:?}");
    }
}
