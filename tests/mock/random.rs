//! Whatever is called in whatever order: e-mails stay unique, and the effects alone tell the ledger.

use super::{call, json};
use hookdrill::mock::{
    crm::{Crm, CrmOptions},
    desk::{Desk, DeskOptions, IDEMPOTENCY_KEY_MS},
    effect::Effect,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum CrmCall {
    Create(Option<String>, u8),
    Update(u64, Option<String>, Option<u8>),
    Search(String),
    Read(u64),
    Junk(Vec<u8>),
}

/// Few e-mails in several letter cases, so that they meet.
fn email() -> impl Strategy<Value = String> {
    "[abAB][xX]@example\\.com"
}

fn crm_call() -> impl Strategy<Value = CrmCall> {
    prop_oneof![
        (prop::option::of(email()), 0..3_u8).prop_map(|(email, plan)| CrmCall::Create(email, plan)),
        (1000..1008_u64, prop::option::of(email()), prop::option::of(0..3_u8))
            .prop_map(|(id, email, plan)| CrmCall::Update(id, email, plan)),
        email().prop_map(CrmCall::Search),
        (1000..1008_u64).prop_map(CrmCall::Read),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(CrmCall::Junk),
    ]
}

impl CrmCall {
    fn request(&self) -> hookdrill::wire::Request {
        const CONTACTS: &str = "/crm/v3/objects/contacts";
        match self {
            Self::Create(email, plan) => {
                call("POST", CONTACTS, &json!({ "properties": { "email": email, "plan": plan } }))
            }
            Self::Update(id, email, plan) => {
                let body = json!({ "properties": { "email": email, "plan": plan } });
                call("PATCH", &format!("{CONTACTS}/{id}"), &body)
            }
            Self::Search(email) => {
                let filter = json!({ "propertyName": "email", "operator": "EQ", "value": email });
                call("POST", &format!("{CONTACTS}/search"), &json!({ "filterGroups": [{ "filters": [filter] }] }))
            }
            Self::Read(id) => call("GET", &format!("{CONTACTS}/{id}"), &Value::Null),
            Self::Junk(body) => hookdrill::wire::Request { body: body.clone(), ..call("POST", CONTACTS, &Value::Null) },
        }
    }

    fn writes(&self) -> bool {
        matches!(self, Self::Create(..) | Self::Update(..))
    }
}

/// The properties of every contact as the effects tell them; a created contact's other properties are not in its effect.
fn replay(ledger: &mut BTreeMap<String, BTreeMap<String, String>>, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::ContactCreated { contact, email } => {
                let properties = email.iter().map(|email| ("email".to_owned(), email.clone())).collect();
                assert!(ledger.insert(contact.clone(), properties).is_none(), "{contact} was created twice");
            }
            Effect::ContactUpdated { contact, changed } => {
                let properties = ledger.get_mut(contact).expect("a contact that was created");
                for (name, (old, new)) in changed {
                    assert_ne!(old, new, "an equal write is no effect");
                    if name == "email" {
                        assert_eq!(properties.get(name), old.as_ref());
                    }
                    match new {
                        Some(value) => properties.insert(name.clone(), value.clone()),
                        None => properties.remove(name),
                    };
                }
            }
            Effect::TicketCreated { .. } | Effect::TicketUpdated { .. } => panic!("the CRM has no tickets"),
            other => panic!("no call here does that: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn the_crm_keeps_emails_unique_and_tells_every_change(calls in prop::collection::vec((crm_call(), 0..200_u64), 1..60)) {
        let options = CrmOptions { search_lag_ms: 100, ..CrmOptions::default() };
        let mut crm = Crm::new(&options);
        let mut told = BTreeMap::new();
        let mut now_ms = 0;
        for (one, pause) in &calls {
            now_ms += pause;
            let before = crm.contacts();
            let answered = crm.handle(now_ms, &one.request());
            prop_assert_eq!(answered.effects.is_empty(), crm.contacts() == before, "{:?}", one);
            prop_assert!(one.writes() || crm.contacts() == before);
            replay(&mut told, &answered.effects);

            let contacts = crm.contacts();
            let emails: Vec<String> = contacts.iter().filter_map(|c| c.properties.get("email")).map(|e| e.to_lowercase()).collect();
            prop_assert_eq!(emails.iter().collect::<BTreeSet<_>>().len(), emails.len());
        }
        let emails = |(id, properties): (&String, &BTreeMap<String, String>)| (id.clone(), properties.get("email").cloned());
        let ledger: BTreeMap<_, _> = crm.contacts().into_iter().map(|c| (c.id, c.properties)).collect();
        prop_assert_eq!(told.iter().map(emails).collect::<Vec<_>>(), ledger.iter().map(emails).collect::<Vec<_>>());
        // Once the index has caught up, a search finds each e-mail once.
        for (id, email) in ledger.iter().filter_map(|(id, properties)| Some((id, properties.get("email")?))) {
            let found = json(&crm.handle(now_ms + 100, &CrmCall::Search(email.to_uppercase()).request()).response);
            prop_assert_eq!((&found["total"], &found["results"][0]["id"]), (&json!(1), &json!(id)));
        }
    }

    #[test]
    fn the_desk_makes_one_ticket_for_a_key_in_its_time(
        calls in prop::collection::vec((prop::option::of(0..3_u8), 0..2_u8, 0..IDEMPOTENCY_KEY_MS), 1..40),
    ) {
        let mut desk = Desk::new(DeskOptions::default());
        let mut kept: BTreeMap<u8, (u64, u8)> = BTreeMap::new();
        let (mut now_ms, mut made) = (0, 0);
        for (key, external_id, pause) in calls {
            now_ms += pause;
            let body = json!({ "ticket": { "external_id": external_id, "comment": { "body": "help" } } });
            let mut request = call("POST", "/api/v2/tickets", &body);
            request.headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_string())));
            let answered = desk.handle(now_ms, &request);
            let alive = key.and_then(|key| kept.get(&key)).filter(|(at, _)| now_ms - at < IDEMPOTENCY_KEY_MS).copied();
            let (status, effects) = match alive {
                None => (201, 1),
                Some((_, first)) if first == external_id => (201, 0),
                Some(_) => (400, 0),
            };
            prop_assert_eq!((answered.response.status, answered.effects.len()), (status, effects));
            if alive.is_none() {
                kept.extend(key.map(|key| (key, (now_ms, external_id))));
            }
            made += effects;
            prop_assert_eq!(desk.tickets().len(), made);
        }
    }
}
