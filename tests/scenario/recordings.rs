//! Tiny recordings, made here, so that these tests do not hang on the shipped ones.

use hookdrill::stripe::{
    event::Event,
    recording::{Access, Expectation, Provenance, RecordedEvent, Recording, RekeyTable, Story},
};
use std::{collections::BTreeMap, path::Path, sync::Arc};

const CUSTOMER: &str = "cus_TaTinyCustomer";
const SUBSCRIPTION: &str = "sub_1TinySubscription00000001";
const SESSION: &str = "cs_test_a1TinySession0000000000000000000000000000000000000000001";
const USER: &str = "user_tiny_0001";
const EMAIL: &str = "tiny@example.com";

/// Names of the recordings that [`find`] has.
pub(crate) const NAMES: &[&str] = &["purchase", "renewal-failed", "cancel", "someone-else", "imported", "no-events"];

/// A recording by name; the answer for an unknown one has the form that `load` gives.
pub(crate) fn find(name: &str) -> Result<Arc<Recording>, String> {
    let recording = match name {
        "purchase" => purchase(),
        "renewal-failed" => renewal_failed(),
        "cancel" => cancel(),
        "someone-else" => someone_else(),
        "imported" => Recording { name: name.to_owned(), story: None, ..cancel() },
        "no-events" => Recording { name: name.to_owned(), events: Vec::new(), story: None },
        other => {
            let help = hookdrill::scenario::error::suggest(other, NAMES);
            return Err(format!("there is no recording `{other}`\n{help}"));
        }
    };
    Ok(Arc::new(recording))
}

/// A scenario of these recordings, which must be a good one.
pub(crate) fn scenario(text: &str) -> hookdrill::scenario::model::Scenario {
    match hookdrill::scenario::load::parse(text, Path::new("test.toml"), &mut find) {
        Ok(scenario) => scenario,
        Err(errors) => panic!("a good scenario was refused:\n{errors}\n{text}"),
    }
}

fn purchase() -> Recording {
    let mut recording = recording(
        "purchase",
        1_768_471_200,
        &[
            ("customer.created", 0, object("customer", CUSTOMER)),
            ("checkout.session.completed", 2, object("checkout.session", SESSION)),
            ("customer.subscription.created", 2, object("subscription", SUBSCRIPTION)),
            ("invoice.created", 1, object("invoice", "in_1TinyInvoice00000000000001")),
            ("invoice.paid", 3, object("invoice", "in_1TinyInvoice00000000000001")),
            ("customer.subscription.updated", 4, object("subscription", SUBSCRIPTION)),
        ],
        end(Access::Granted, "active", "pro", &[]),
    );
    if let Some(story) = &mut recording.story {
        story.session = Some(SESSION.to_owned());
        story.completes_with = Some("02-checkout.session.completed.json".to_owned());
    }
    recording
}

fn renewal_failed() -> Recording {
    let invoice = || object("invoice", "in_1TinyInvoice00000000000002");
    recording(
        "renewal-failed",
        1_771_149_600,
        &[
            ("invoice.created", 0, invoice()),
            ("invoice.payment_failed", 3600, invoice()),
            ("invoice.payment_failed", 7200, invoice()),
            ("invoice.paid", 10_800, invoice()),
        ],
        end(Access::Granted, "active", "pro", &[("billing", 1)]),
    )
}

fn cancel() -> Recording {
    let events = [("customer.subscription.deleted", 0, object("subscription", SUBSCRIPTION))];
    recording("cancel", 1_771_249_600, &events, end(Access::Revoked, "canceled", "none", &[]))
}

fn someone_else() -> Recording {
    let mut recording = Recording { name: "someone-else".to_owned(), ..cancel() };
    if let Some(story) = &mut recording.story {
        story.customer = Some("cus_TaSomeoneElse0".to_owned());
        story.user = Some("user_other_0002".to_owned());
    }
    recording
}

fn object(kind: &str, id: &str) -> String {
    let customer = if kind == "customer" { String::new() } else { format!(r#","customer":"{CUSTOMER}""#) };
    format!(
        r#"{{"id":"{id}","object":"{kind}"{customer},"metadata":{{"user_id":"{USER}"}},"customer_email":"{EMAIL}","amount":4900}}"#
    )
}

fn end(access: Access, status: &str, plan: &str, tickets: &[(&str, u32)]) -> Expectation {
    let tickets: BTreeMap<String, u32> = tickets.iter().map(|(queue, count)| ((*queue).to_owned(), *count)).collect();
    Expectation { access, status: status.to_owned(), plan: plan.to_owned(), contacts: 1, tickets }
}

fn recording(name: &str, start: i64, events: &[(&str, i64, String)], end: Expectation) -> Recording {
    let events = events.iter().enumerate().map(|(n, (kind, after, object))| {
        let event = format!(
            r#"{{"id":"evt_1Tiny{:0>12}{n:0>8}","object":"event","api_version":"2025-09-30.clover","created":{},"data":{{"object":{object}}},"livemode":false,"pending_webhooks":1,"request":{{"id":null,"idempotency_key":null}},"type":"{kind}"}}"#,
            name.replace('-', ""),
            start + after,
        );
        let file = format!("{:02}-{kind}.json", n + 1);
        RecordedEvent { file, event: Event::parse(&event).expect("an event") }
    });
    Recording { name: name.to_owned(), events: events.collect(), story: Some(story(name, end)) }
}

fn story(name: &str, end: Expectation) -> Story {
    Story {
        version: 1,
        name: name.to_owned(),
        about: "tiny".to_owned(),
        provenance: Provenance::Synthetic,
        api_version: "2025-09-30.clover".to_owned(),
        source: "made in the test".to_owned(),
        continues: None,
        user: Some(USER.to_owned()),
        email: Some(EMAIL.to_owned()),
        customer: Some(CUSTOMER.to_owned()),
        subscription: Some(SUBSCRIPTION.to_owned()),
        session: None,
        completes_with: None,
        rekey: RekeyTable { paths: vec!["metadata.user_id".to_owned()] },
        version_difference: Vec::new(),
        after: Vec::new(),
        end,
    }
}
