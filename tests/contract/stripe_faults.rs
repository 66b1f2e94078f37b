//! The twin's own faults from the side of the caller, over real sockets.

use super::{
    stripe_timeline::{SUBSCRIPTION, whole},
    twin::{Twin, trouble},
};
use hookdrill::{plan::model::CallDoes, scenario::downstream::Which};
use std::time::Duration;

/// A twin at 7 ms, on which the subscription was told of at 5 ms and is told of again at `next_ms`.
fn before_the_next(next_ms: u64, does: CallDoes) -> Twin {
    let events = whole("cancel-immediately");
    let (last, before) = events.split_last().expect("events");
    let twin = Twin::at(7);
    before.iter().for_each(|event| twin.doubles.give_event(5, event).expect("an event"));
    twin.doubles.give_event(next_ms, last).expect("an event");
    twin.follow(vec![trouble(does, "get_subscription", Which::First(1))]);
    twin
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long an answer takes")]
#[test]
pub(crate) fn a_slow_read_is_overtaken_by_the_next_event() {
    let twin = before_the_next(207, CallDoes::Overtaken { by_ms: 100 });
    let started = std::time::Instant::now();
    let (status, subscription) = twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}"));
    assert!(started.elapsed() >= Duration::from_millis(295), "{:?}", started.elapsed());
    assert_eq!((status, subscription["status"].as_str()), (200, Some("active")), "the state of when it was asked");
    // Where nothing follows soon there is nothing to wait for, and the fault is still to come.
    let twin = before_the_next(60_000, CallDoes::Overtaken { by_ms: 100 });
    assert_eq!(twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}")).0, 200);
    assert_eq!(twin.doubles.unused_faults().len(), 1);
}

#[test]
pub(crate) fn a_stale_read_shows_what_was() {
    let twin = before_the_next(6, CallDoes::StaleRead { by_ms: 1 });
    let (_, stale) = twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}"));
    let (_, fresh) = twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}"));
    // 6 ms: the last event is there; 1 ms before 7 it already was.
    assert_eq!((stale["status"].as_str(), fresh["status"].as_str()), (Some("canceled"), Some("canceled")));
    let twin = before_the_next(6, CallDoes::StaleRead { by_ms: 2 });
    let (_, stale) = twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}"));
    assert_eq!(stale["status"], "active");
    assert_eq!(twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}")).1["status"], "canceled");
    let twin = before_the_next(6, CallDoes::StaleRead { by_ms: 3 });
    assert_eq!(twin.get(&format!("/v1/subscriptions/{SUBSCRIPTION}")).0, 404, "what was not there is not found");
}

#[test]
fn errors_are_stripes_own() {
    let at = |status, retry_after_s| before_the_next(6, CallDoes::Answer { status, retry_after_s });
    let path = format!("/v1/subscriptions/{SUBSCRIPTION}");
    for (status, kind, code) in [
        (404, "invalid_request_error", Some("resource_missing")),
        (429, "invalid_request_error", Some("rate_limit")),
        (409, "idempotency_error", Some("idempotency_key_in_use")),
        (503, "api_error", None),
    ] {
        let (answered, headers, error) = at(status, None).ask(&path);
        assert_eq!(answered, status);
        assert_eq!((error["error"]["type"].as_str(), error["error"]["code"].as_str()), (Some(kind), code));
        let retry = headers.get("stripe-should-retry").map(|value| value.to_str().expect("text"));
        assert_eq!(retry, (matches!(status, 409 | 429)).then_some("true"), "{status}");
        assert!(headers["request-id"].to_str().expect("text").starts_with("req_"), "{headers:?}");
    }
    let (_, headers, _) = at(429, Some(1)).ask(&path);
    assert_eq!(headers["retry-after"], "1");
    let (_, _, error) = at(404, None).ask(&path);
    assert_eq!(error["error"]["message"], format!("No such subscription: '{SUBSCRIPTION}'"));
}
