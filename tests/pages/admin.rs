//! The admin screen in a real browser: log in, look, put a dead letter back, log out; on a desk and on a phone. Its
//! pages hold no script, and their policy allows none.

use super::{
    Shop,
    browser::{self, DESKTOP, PHONE, Size},
};
use axum::{Router, http::StatusCode};
use hookdrill::{service::Secret, stripe::signature::sign};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

const ADMIN: &str = "an admin token of the browser test";

/// A CRM that answers every call with the status that it is told.
async fn crm() -> (String, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(400));
    let told = Arc::clone(&status);
    let answer = async move || {
        let status = StatusCode::from_u16(told.load(Ordering::SeqCst)).expect("a status");
        (status, axum::Json(serde_json::json!({"id": "1", "total": 0, "results": []})))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (url, status)
}

#[expect(clippy::disallowed_methods, reason = "signs for the service's real clock")]
async fn deliver_a_purchase(url: &str) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let at = i64::try_from(at).expect("before the end of time");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/checkout-subscription");
    let sender = hookdrill::drive::http::Sender::new();
    for entry in std::fs::read_dir(folder).expect("a story").flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "json") {
            let body = std::fs::read_to_string(entry.path()).expect("text");
            let header = format!("t={at},v1={}", sign(super::SECRET, at, body.as_bytes()));
            let headers = [("stripe-signature", header)];
            let answer = sender
                .send(
                    "POST",
                    &format!("{url}/webhooks/stripe"),
                    &headers,
                    body.into(),
                    std::time::Duration::from_secs(10),
                )
                .await
                .expect("sent");
            assert_eq!(answer.status, Some(200));
        }
    }
}

async fn journey(name: &str, size: Size) {
    let (crm, status) = crm().await;
    let shop = Shop::open(|config| {
        config.admin_token = Some(Secret::new(ADMIN));
        config.crm_url = crm;
    })
    .await;
    let Some(browser) = browser::start(name, size).await else { return };
    deliver_a_purchase(&shop.url).await;
    browser.open(&shop.at("/admin")).await;
    assert!(browser.url().await.ends_with("/admin/login"), "nobody is let in");
    browser.picture(&format!("{name}-login")).await;
    browser.fill("#admin_token", "not the token at all").await;
    browser.click("form button").await;
    assert_eq!(browser.text("#wrong").await, "That is not the admin token.");
    browser.fill("#admin_token", ADMIN).await;
    browser.click("form button").await;
    // Another page that is asked for before the answer is there would break the login off.
    browser.see("header form button").await;
    // The job is given up within milliseconds; the page is asked for again until it shows it.
    for _ in 0..50 {
        browser.open(&shop.at("/admin")).await;
        if browser.has("td form button").await {
            break;
        }
    }
    browser.picture(&format!("{name}-dead")).await;
    assert!(browser.fits().await, "nothing stands out to the side");
    status.store(201, Ordering::SeqCst);
    browser.click("td form button").await;
    assert_eq!(browser.text(".notice").await, "1 dead letter was put back to work.");
    browser.picture(&format!("{name}-done")).await;
    assert!(browser.text("main").await.contains("back to work"), "the step by hand is listed");
    browser.click("header form button").await;
    browser.see("#admin_token").await;
    browser.open(&shop.at("/admin")).await;
    assert!(browser.url().await.ends_with("/admin/login"), "the session has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_put_back_on_a_desk() {
    journey("admin-desktop", DESKTOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_put_back_on_a_phone() {
    journey("admin-phone", PHONE).await;
}
