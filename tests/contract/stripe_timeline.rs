//! The Stripe API twin as a function: what it answers at each point of each recording's timeline.

use hookdrill::{
    mock::stripe::{Stripe, StripeOptions},
    wire::Request,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Events of a recording, in the order of delivery.
pub(super) fn recording(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("read")).collect()
}

fn recordings() -> Vec<String> {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).expect("fixtures");
    let folders =
        folders.map(|folder| folder.expect("a folder").path()).filter(|path| path.join("story.toml").exists());
    let mut names: Vec<String> =
        folders.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn continues(name: &str) -> Option<String> {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).join("story.toml");
    let text = std::fs::read_to_string(story).expect("read");
    let line = text.lines().find_map(|line| line.strip_prefix("continues = "))?;
    Some(line.trim_matches('"').to_owned())
}

/// The whole story: those that it continues first.
pub(super) fn whole(name: &str) -> Vec<String> {
    let mut events = continues(name).map(|before| whole(&before)).unwrap_or_default();
    events.extend(recording(name));
    events
}

/// A twin that knows `events`, the first at 1 s and each `gap_ms` after the one before.
fn twin(events: &[String], gap_ms: u64) -> Stripe {
    let mut stripe = Stripe::new(StripeOptions::default());
    for (n, event) in events.iter().enumerate() {
        stripe.give_event(1_000 + n as u64 * gap_ms, event.as_str()).expect("an event");
    }
    stripe
}

fn call(stripe: &mut Stripe, now_ms: u64, method: &str, target: &str, version: Option<&str>) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = |text: &str| -> Vec<(String, String)> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let mut headers = vec![("authorization".to_owned(), "Bearer sk_test_of_the_twin".to_owned())];
    headers.extend(version.map(|version| ("stripe-version".to_owned(), version.to_owned())));
    let is_get = method == "GET";
    let request = Request {
        method: method.into(),
        path: path.into(),
        query: if is_get { pairs(query) } else { Vec::new() },
        headers,
        body: if is_get { Vec::new() } else { query.as_bytes().to_vec() },
    };
    let answered = stripe.handle(now_ms, &request);
    (answered.response.status, serde_json::from_slice(&answered.response.body).expect("JSON"))
}

fn get(stripe: &mut Stripe, now_ms: u64, target: &str) -> (u16, Value) {
    call(stripe, now_ms, "GET", target, None)
}

fn path(object: &Value) -> Option<String> {
    let kind = match object["object"].as_str()? {
        "checkout.session" => "checkout/sessions".to_owned(),
        other => format!("{other}s"),
    };
    Some(format!("/v1/{kind}/{}", object["id"].as_str()?))
}

/// What each event carries, when nothing newer is known: by the path of the object.
fn right_after(events: &[String], last: usize) -> (Option<String>, Value) {
    let mut newest: BTreeMap<String, (i64, Value)> = BTreeMap::new();
    let mut own = None;
    for event in &events[..=last] {
        let event: Value = serde_json::from_str(event).expect("JSON");
        let (created, mut object) = (event["created"].as_i64().expect("a time"), event["data"]["object"].clone());
        own = path(&object);
        if event["type"] == "customer.deleted" {
            object = json!({"id": object["id"], "object": "customer", "deleted": true});
        }
        if let Some(path) = &own {
            let held = newest.entry(path.clone()).or_insert((i64::MIN, Value::Null));
            if created >= held.0 {
                *held = (created, object);
            }
        }
    }
    let right = own.as_ref().map_or(Value::Null, |own| newest[own].1.clone());
    (own, right)
}

fn holds_after(stripe: &mut Stripe, events: &[String], k: usize, now_ms: u64, name: &str) {
    let (path, right) = right_after(events, k);
    // An announced invoice is no object yet.
    let Some(path) = path else { return };
    let (status, mut answered) = get(stripe, now_ms, &path);
    assert_eq!(status, 200, "{name}: {path}: {answered}");
    if answered["object"] == "charge" {
        // Told by the dispute before the charge says so.
        answered["disputed"] = right["disputed"].clone();
    }
    assert_eq!(answered, right, "{name}: {path} after event {}", k + 1);
}

#[test]
fn after_each_event_of_each_recording_its_object_is_as_the_event_says() {
    let names = recordings();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        for events in [recording(&name), whole(&name)] {
            let mut stripe = twin(&events, 1_000);
            for k in 0..events.len() {
                holds_after(&mut stripe, &events, k, 1_000 + k as u64 * 1_000, &name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the spacing and wherever one looks between two events.
    #[test]
    fn a_read_after_event_k_returns_the_state_of_event_k(
        place in any::<prop::sample::Index>(),
        k in any::<prop::sample::Index>(),
        gap_ms in 1_u64..30_000,
        later in 0.0_f64..1.0,
    ) {
        let names = recordings();
        let name = &names[place.index(names.len())];
        let events = whole(name);
        let k = k.index(events.len());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small and positive")]
        let within = (later * gap_ms as f64) as u64;
        let now_ms = 1_000 + k as u64 * gap_ms + within.min(gap_ms - 1);
        holds_after(&mut twin(&events, gap_ms), &events, k, now_ms, name);
    }
}

const CUSTOMER: &str = "cus_TZbnffBNpdag7f";
pub(super) const SUBSCRIPTION: &str = "sub_1SpnLRQmZ4vTe8RaIlLd2y35";
const INVOICE: &str = "in_1SpnLRQmZ4vTe8RaYlUFDbtl";
const INTENT: &str = "pi_3SpnLRQmZ4vTe8Ra1V4IMJ3n";
const CHARGE: &str = "ch_3SpnLRQmZ4vTe8Ra0aHs62GG";
const SESSION: &str = "cs_test_a1yiBKz71b3KCchlpFzMFOsKpbqCPkYxMxIA1X4Ia8g2CP00qcnOyp1gM9";

#[test]
fn an_object_is_there_from_the_first_event_that_names_it() {
    let events = recording("checkout-subscription");
    let mut stripe = twin(&events, 1_000);
    assert_eq!(get(&mut stripe, 999, &format!("/v1/customers/{CUSTOMER}")).0, 404);
    // The charge names the customer, whose own event comes third.
    assert_eq!(get(&mut stripe, 1_000, &format!("/v1/customers/{CUSTOMER}")).1["email"], "ada@example.com");
    assert_eq!(get(&mut stripe, 1_000, &format!("/v1/subscriptions/{SUBSCRIPTION}")).0, 404);
    // The session names the subscription, which is created in the next event.
    let (status, subscription) = get(&mut stripe, 5_000, &format!("/v1/subscriptions/{SUBSCRIPTION}"));
    assert_eq!((status, &subscription["status"]), (200, &json!("active")));
    let (_, refusal) = get(&mut stripe, 1_000, "/v1/subscriptions/sub_1None");
    assert_eq!(refusal["error"]["code"], "resource_missing");
    assert_eq!(refusal["error"]["message"], "No such subscription: 'sub_1None'");
}

#[test]
fn a_session_is_open_until_it_is_paid() {
    let mut stripe = twin(&recording("checkout-subscription"), 1_000);
    let (status, session) = get(&mut stripe, 0, &format!("/v1/checkout/sessions/{SESSION}"));
    assert_eq!((status, &session["status"], &session["payment_status"]), (200, &json!("open"), &json!("unpaid")));
    assert_eq!((&session["subscription"], &session["customer"]), (&Value::Null, &Value::Null));
    let target = format!("/v1/checkout/sessions/{SESSION}/line_items");
    let (_, items) = get(&mut stripe, 0, &target);
    assert_eq!(items["data"][0]["price"]["lookup_key"], "pro_monthly");
    assert_eq!(items["data"][0]["description"], "Hookdrill Pro");
    let (_, session) = get(&mut stripe, 5_000, &format!("/v1/checkout/sessions/{SESSION}?expand[]=line_items"));
    assert_eq!((&session["status"], &session["line_items"]["data"]), (&json!("complete"), &items["data"]));
}

#[test]
fn an_older_event_that_comes_later_does_not_bring_the_past_back() {
    let events = recording("checkout-subscription-late-creation");
    let mut stripe = twin(&events, 1_000);
    let event = |kind: &str| {
        let found = events.iter().position(|event| event.contains(kind)).expect("an event");
        let event: Value = serde_json::from_str(&events[found]).expect("JSON");
        (1_000 + found as u64 * 1_000, event["data"]["object"].clone())
    };
    let ((active_ms, active), (created_ms, created)) =
        (event("\"customer.subscription.updated\""), event("\"customer.subscription.created\""));
    assert!(active_ms < created_ms && active["status"] == "active" && created["status"] == "incomplete");
    assert_eq!(get(&mut stripe, created_ms, &path(&active).expect("a path")).1["status"], "active");
}

#[test]
fn one_invoice_and_one_subscription_in_two_versions() {
    let mut stripe = twin(&recording("checkout-subscription"), 1_000);
    let mut of = |target: &str, version: &str| call(&mut stripe, 60_000, "GET", target, Some(version)).1;
    let subscription = format!("/v1/subscriptions/{SUBSCRIPTION}");
    let (old, new) = (of(&subscription, "2024-06-20"), of(&subscription, "2025-09-30.clover"));
    assert_eq!(old["current_period_end"], 1_771_149_600);
    assert_eq!(old["items"]["data"][0].get("current_period_end"), None);
    assert_eq!(new["items"]["data"][0]["current_period_end"], 1_771_149_600);
    assert_eq!(new.get("current_period_end"), None);
    let item = format!("/v1/subscription_items/{}", new["items"]["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(of(&item, "2024-06-20").get("current_period_end"), None);
    assert_eq!(of(&item, "2025-03-31.basil"), new["items"]["data"][0]);
    let invoice = format!("/v1/invoices/{INVOICE}");
    let (old, new) = (of(&invoice, "2025-02-24.acacia"), of(&invoice, "2026-10-28.endive"));
    assert_eq!(
        (&old["subscription"], &old["payment_intent"], &old["charge"]),
        (&json!(SUBSCRIPTION), &json!(INTENT), &json!(CHARGE))
    );
    assert_eq!((&old["paid"], old.get("parent")), (&json!(true), None));
    assert_eq!(old["lines"]["data"][0]["price"]["lookup_key"], "pro_monthly");
    assert_eq!(new["parent"]["subscription_details"]["subscription"], SUBSCRIPTION);
    assert_eq!((new.get("subscription"), new.get("paid"), new.get("payment_intent")), (None, None, None));
    assert_eq!(of(&format!("/v1/charges/{CHARGE}"), "2024-06-20")["invoice"], INVOICE);
    assert_eq!(of(&format!("/v1/charges/{CHARGE}"), "2025-03-31.basil").get("invoice"), None);
    let payments = format!("/v1/invoice_payments?invoice={INVOICE}");
    assert_eq!(of(&payments, "2025-03-31.basil")["data"][0]["payment"]["payment_intent"], INTENT);
    assert_eq!(of(&payments, "2025-02-24.acacia")["error"]["type"], "invalid_request_error");
    // The other way: a recording of an older version in the words of a younger one.
    let mut stripe = twin(&recording("checkout-subscription-pre-basil"), 1_000);
    let (_, list) = call(&mut stripe, 60_000, "GET", "/v1/invoices", Some("2025-09-30.clover"));
    assert!(list["data"][0]["parent"]["subscription_details"]["subscription"].is_string(), "{list}");
    let (_, plain) = get(&mut stripe, 60_000, "/v1/invoices");
    assert!(plain["data"][0]["subscription"].is_string(), "without a version it is the account's: {plain}");
}

#[test]
fn expansions_go_four_levels_deep_and_no_further() {
    let mut stripe = twin(&recording("checkout-subscription"), 1_000);
    let target = format!(
        "/v1/checkout/sessions/{SESSION}?expand[]=subscription.latest_invoice.payments&expand[]=customer&expand[]=subscription.items.data.price"
    );
    let (status, session) = get(&mut stripe, 60_000, &target);
    assert_eq!(status, 200, "{session}");
    assert_eq!(session["customer"]["email"], "ada@example.com");
    let invoice = &session["subscription"]["latest_invoice"];
    assert_eq!(invoice["payments"]["data"][0]["payment"]["payment_intent"], INTENT);
    let target =
        format!("/v1/subscriptions?customer={CUSTOMER}&expand[]=data.latest_invoice.payment_intent.latest_charge");
    let (_, list) = call(&mut stripe, 60_000, "GET", &target, Some("2024-06-20"));
    let intent = &list["data"][0]["latest_invoice"]["payment_intent"];
    assert_eq!((&intent["status"], &intent["latest_charge"]["id"]), (&json!("succeeded"), &json!(CHARGE)));
    let target = format!("/v1/subscriptions/{SUBSCRIPTION}?expand[]=items.data.price.product");
    assert_eq!(get(&mut stripe, 60_000, &target).1["items"]["data"][0]["price"]["product"]["name"], "Hookdrill Pro");
    for wrong in ["status", "colour", "customer.email", "a.b.c.d.e"] {
        let (status, refusal) = get(&mut stripe, 60_000, &format!("/v1/subscriptions/{SUBSCRIPTION}?expand[]={wrong}"));
        assert_eq!(status, 400, "{wrong}: {refusal}");
    }
}

#[test]
fn lists_filter_and_page() {
    let mut events = whole("renewal-failed-recovered");
    events.extend(recording("refund-full"));
    events.extend(recording("dispute-won"));
    let mut stripe = twin(&events, 1_000);
    let mut ids = |target: &str| -> Vec<String> {
        let (status, list) = get(&mut stripe, 600_000, target);
        assert_eq!(status, 200, "{target}: {list}");
        let data = list["data"].as_array().expect("a list").iter();
        data.map(|object| object["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids(&format!("/v1/invoices?customer={CUSTOMER}")).len(), 2);
    assert_eq!(ids(&format!("/v1/invoices?subscription={SUBSCRIPTION}&status=paid")).len(), 2);
    assert_eq!(ids("/v1/invoices?limit=1&created[lt]=1768500000"), [INVOICE]);
    assert_eq!(ids(&format!("/v1/charges?payment_intent={INTENT}")), [CHARGE]);
    assert_eq!(ids(&format!("/v1/refunds?charge={CHARGE}")).len(), 1);
    assert_eq!(ids(&format!("/v1/disputes?payment_intent={INTENT}")).len(), 1);
    assert_eq!(ids("/v1/customers?email=ada@example.com"), [CUSTOMER]);
    assert_eq!(ids("/v1/customers?email=nobody@example.com"), [] as [&str; 0]);
    assert_eq!(ids(&format!("/v1/customers/{CUSTOMER}/payment_methods?type=card")).len(), 1);
    assert_eq!(ids(&format!("/v1/subscription_items?subscription={SUBSCRIPTION}")).len(), 1);
    assert_eq!(ids("/v1/prices?lookup_keys[]=pro_monthly"), ["price_1SZSxhQmZ4vTe8RaiscJ51Xp"]);
    assert_eq!(ids("/v1/customers/search?query=email:\"ada@example.com\""), [CUSTOMER]);
    let charges = ids("/v1/charges");
    assert!(charges.len() >= 3, "{charges:?}");
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = ids(&format!("/v1/charges?limit=1{after}"));
        let Some(last) = page.last() else { break };
        after = format!("&starting_after={last}");
        paged.extend(page);
    }
    assert_eq!(paged, charges);
    let back = ids(&format!("/v1/charges?limit=1&ending_before={}", charges[2]));
    assert_eq!(back, [charges[1].clone()]);
    for wrong in [
        "/v1/charges?customer=cus_1None",
        "/v1/charges?colour=red",
        "/v1/charges?limit=0",
        "/v1/charges?starting_after=ch_1None",
        "/v1/subscription_items",
        "/v1/invoices?created[gt]=soon",
        "/v1/customers/search",
    ] {
        assert_eq!(get(&mut stripe, 600_000, wrong).0, 400, "{wrong}");
    }
}

#[test]
fn a_failed_payment_is_found_from_its_invoice_before_anything_says_so() {
    let events = whole("renewal-failed-canceled");
    let mut stripe = twin(&events, 1_000);
    let (_, list) = call(&mut stripe, 600_000, "GET", &format!("/v1/invoices?customer={CUSTOMER}"), Some("2024-06-20"));
    let renewal = &list["data"][0];
    assert_ne!(renewal["id"], INVOICE);
    let intent = renewal["payment_intent"].as_str().expect("an intent");
    assert_ne!(intent, INTENT);
    let (_, payment) = get(&mut stripe, 600_000, &format!("/v1/payment_intents/{intent}"));
    assert_eq!(payment["status"], "requires_payment_method");
}

#[test]
fn what_no_event_carries_is_made_of_what_they_tell() {
    let events = recording("refund-full");
    let mut stripe = twin(&events, 1_000);
    let mut of = |target: &str| get(&mut stripe, 60_000, target);
    let (status, intent) = of(&format!("/v1/payment_intents/{INTENT}?expand[]=latest_charge.balance_transaction"));
    assert_eq!((status, &intent["amount"], &intent["status"]), (200, &json!(4900), &json!("succeeded")));
    assert_eq!(intent["latest_charge"]["balance_transaction"]["fee"], 172);
    assert_eq!(of(&format!("/v1/customers/{CUSTOMER}")).1["email"], "ada@example.com");
    let (status, method) = of("/v1/payment_methods/pm_1SpnLPQmZ4vTe8RaNFAhrgQT");
    assert_eq!((status, &method["card"]["last4"], &method["customer"]), (200, &json!("4242"), &json!(CUSTOMER)));
}

#[test]
fn what_a_handler_changes_stays_changed_while_the_story_goes_on() {
    let mut events = whole("cancel-at-period-end");
    let last = 1_000 + (events.len() as u64 - 1) * 1_000;
    let mut stripe = twin(&events, 1_000);
    let target = format!("/v1/subscriptions/{SUBSCRIPTION}?metadata[seen]=yes");
    assert_eq!(call(&mut stripe, last - 1_500, "POST", &target, None).0, 200);
    let (_, subscription) = get(&mut stripe, last, &format!("/v1/subscriptions/{SUBSCRIPTION}"));
    assert_eq!((&subscription["status"], &subscription["metadata"]["seen"]), (&json!("canceled"), &json!("yes")));
    let (_, listed) = get(&mut stripe, last, "/v1/events?limit=100");
    let made = |event: &&Value| event["data"]["previous_attributes"]["metadata"] == json!({"seen": null});
    assert_eq!(listed["data"].as_array().expect("a list").iter().filter(made).count(), 1, "{listed}");
    events.truncate(13);
    let mut stripe = twin(&events, 1_000);
    let refund = format!("/v1/refunds?payment_intent={INTENT}&amount=900");
    let (status, refund_made) = call(&mut stripe, 60_000, "POST", &refund, None);
    assert_eq!((status, &refund_made["amount"]), (200, &json!(900)), "{refund_made}");
    let (_, charge) = get(&mut stripe, 60_000, &format!("/v1/charges/{CHARGE}?expand[]=refunds"));
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(900), &json!(false)));
    assert_eq!(charge["refunds"]["data"][0]["id"], refund_made["id"]);
    let (status, refusal) =
        call(&mut stripe, 60_000, "POST", &format!("/v1/refunds?charge={CHARGE}&amount=4001"), None);
    assert_eq!(status, 400, "{refusal}");
    assert_eq!(call(&mut stripe, 60_000, "POST", &format!("/v1/refunds?charge={CHARGE}"), None).0, 200);
    let (_, refusal) = call(&mut stripe, 60_000, "POST", &format!("/v1/refunds?charge={CHARGE}"), None);
    assert_eq!(refusal["error"]["code"], "charge_already_refunded");
    let (status, portal) =
        call(&mut stripe, 60_000, "POST", &format!("/v1/billing_portal/sessions?customer={CUSTOMER}"), None);
    assert_eq!((status, &portal["object"]), (200, &json!("billing_portal.session")));
    assert_eq!(call(&mut stripe, 60_000, "DELETE", &format!("/v1/customers/{CUSTOMER}"), None).1["deleted"], true);
    assert_eq!(get(&mut stripe, 60_000, &format!("/v1/customers/{CUSTOMER}")).1["deleted"], true);
    assert_eq!(get(&mut stripe, 60_000, &format!("/v1/subscriptions/{SUBSCRIPTION}")).1["status"], "canceled");
}

#[test]
fn the_next_event_of_what_is_read_is_known() {
    let events = whole("cancel-at-period-end");
    let stripe = twin(&events, 1_000);
    let next = |now_ms: u64, path: String| {
        let request = Request { method: "GET".into(), path, ..Request::default() };
        stripe.next_event_ms(now_ms, &request)
    };
    let last = 1_000 + (events.len() as u64 - 1) * 1_000;
    assert_eq!(next(last - 1_200, format!("/v1/subscriptions/{SUBSCRIPTION}")), Some(200));
    assert_eq!(next(last, format!("/v1/subscriptions/{SUBSCRIPTION}")), None);
    // A charge is told of no more; its customer is.
    assert_eq!(next(last - 300, format!("/v1/charges/{CHARGE}")), Some(300));
    assert_eq!(next(5, "/v1/balance".into()), None);
}
