//! Rules of the Intercom model.

use super::{call, json};
use hookdrill::{
    mock::{
        dialect::{Account, Dialects, Speaks},
        effect::Effect,
        intercom::{Intercom, IntercomOptions},
        models::{ModelOptions, Models},
        outage::Shape,
    },
    scenario::fault::Double,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn intercom() -> Intercom {
    Intercom::new(&IntercomOptions { search_lag_ms: 100, ..IntercomOptions::default() })
}

fn ask(of: &mut Intercom, now_ms: u64, method: &str, path: &str, body: Value) -> (u16, Value, Vec<Effect>) {
    let answered = of.handle(now_ms, &call(method, path, &body));
    (answered.response.status, json(&answered.response), answered.effects)
}

fn create(of: &mut Intercom, body: Value) -> (u16, Value, Vec<Effect>) {
    ask(of, 0, "POST", "/contacts", body)
}

fn id(told: &Value) -> String {
    told["id"].as_str().expect("an id").to_owned()
}

fn found(of: &mut Intercom, now_ms: u64, path: &str, field: &str, value: &str) -> u64 {
    let query = json!({ "query": { "field": field, "operator": "=", "value": value } });
    let (status, told, _) = ask(of, now_ms, "POST", path, query);
    assert_eq!(status, 200, "{told}");
    told["total_count"].as_u64().expect("a count")
}

#[test]
fn an_email_or_an_external_id_is_one_users() {
    let mut of = intercom();
    let (status, ada, effects) = create(
        &mut of,
        json!({ "email": "Ada@example.com", "external_id": "u1", "custom_attributes": { "plan": "pro" } }),
    );
    assert_eq!(
        (status, &ada["role"], &ada["email"], ada["id"].as_str().map(str::len)),
        (200, &json!("user"), &json!("ada@example.com"), Some(24))
    );
    assert!(
        matches!(effects.as_slice(), [Effect::ContactCreated { email: Some(email), .. }] if email == "ada@example.com")
    );
    for second in [json!({ "email": "ADA@example.com" }), json!({ "external_id": "u1" })] {
        let (status, told, effects) = create(&mut of, second);
        let message = format!("A contact matching those details already exists with id={}", id(&ada));
        assert_eq!(
            (status, effects.len(), &told["errors"][0]["code"], &told["errors"][0]["message"]),
            (409, 0, &json!("conflict"), &json!(message))
        );
        assert_eq!(told["type"], "error.list");
    }
    // Leads may share an e-mail.
    assert_eq!(create(&mut of, json!({ "role": "lead", "email": "ada@example.com" })).0, 200);
    let (_, bo, _) = create(&mut of, json!({ "email": "bo@example.com" }));
    assert_eq!(ask(&mut of, 1, "PUT", &format!("/contacts/{}", id(&bo)), json!({ "email": "ada@example.com" })).0, 409);
    for bad in [
        json!({}),
        json!({ "email": "nobody" }),
        json!({ "role": "boss" }),
        json!({ "email": "c@example.com", "custom_attributes": { "a": [] } }),
    ] {
        assert_eq!(create(&mut of, bad).0, 400);
    }
    assert_eq!(of.contacts().len(), 3);
    assert_eq!(of.contacts()[0].properties["plan"], "pro");
}

#[test]
fn an_archived_contact_keeps_what_is_its_alone() {
    let mut of = intercom();
    let (_, ada, _) = create(&mut of, json!({ "email": "ada@example.com" }));
    let path = format!("/contacts/{}", id(&ada));
    let (status, told, effects) = ask(&mut of, 1, "POST", &format!("{path}/archive"), Value::Null);
    assert_eq!((status, &told["archived"], effects.len(), of.contacts().len()), (200, &json!(true), 1, 0));
    let (status, told, _) = create(&mut of, json!({ "email": "ada@example.com" }));
    let message = format!("An archived contact matching those details already exists with id={}", id(&ada));
    assert_eq!((status, &told["errors"][0]["message"]), (409, &json!(message)));
    assert_eq!(ask(&mut of, 2, "GET", &path, Value::Null).0, 404);
    assert_eq!(ask(&mut of, 3, "POST", &format!("{path}/unarchive"), Value::Null).0, 200);
    assert_eq!(ask(&mut of, 4, "DELETE", &path, Value::Null).1["deleted"], true);
    assert_eq!(create(&mut of, json!({ "email": "ada@example.com" })).0, 200);
}

#[test]
fn searches_lag_and_reads_do_not() {
    let mut of = intercom();
    let (_, ada, _) = create(&mut of, json!({ "email": "ada@example.com", "external_id": "u1" }));
    assert_eq!(
        (
            found(&mut of, 99, "/contacts/search", "email", "ADA@example.com"),
            found(&mut of, 100, "/contacts/search", "email", "ada@example.com")
        ),
        (0, 1)
    );
    assert_eq!(ask(&mut of, 0, "GET", "/contacts/find_by_external_id/u1", Value::Null).1["id"], ada["id"]);
    let path = format!("/contacts/{}", id(&ada));
    let (_, _, effects) =
        ask(&mut of, 200, "PUT", &path, json!({ "custom_attributes": { "plan": "pro" }, "name": "Ada" }));
    let [Effect::ContactUpdated { changed, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(changed["plan"], (None, Some("pro".to_owned())));
    assert!(ask(&mut of, 210, "PUT", &path, json!({ "name": "Ada" })).2.is_empty(), "an equal write is no effect");
    assert_eq!(
        (
            found(&mut of, 299, "/contacts/search", "custom_attributes.plan", "pro"),
            found(&mut of, 300, "/contacts/search", "custom_attributes.plan", "pro")
        ),
        (0, 1)
    );
}

#[test]
fn a_lead_is_merged_into_a_user_and_its_id_leads_there() {
    let mut of = intercom();
    let (_, user, _) = create(&mut of, json!({ "external_id": "u1" }));
    let (_, lead, _) =
        create(&mut of, json!({ "role": "lead", "email": "ada@example.com", "custom_attributes": { "plan": "pro" } }));
    let merge = |of: &mut Intercom, from: &Value, into: &Value| {
        ask(of, 5, "POST", "/contacts/merge", json!({ "from": from["id"], "into": into["id"] }))
    };
    assert_eq!(merge(&mut of, &user, &lead).0, 400);
    let (status, merged, effects) = merge(&mut of, &lead, &user);
    assert_eq!(
        (status, &merged["id"], &merged["email"], effects.len()),
        (200, &user["id"], &json!("ada@example.com"), 1)
    );
    assert_eq!(ask(&mut of, 6, "GET", &format!("/contacts/{}", id(&lead)), Value::Null).1["id"], user["id"]);
    assert_eq!(of.contacts().len(), 1);
}

#[test]
fn a_conversation_is_a_ticket_of_the_ledger_with_key_queue_and_requester() {
    let mut of = intercom();
    let (_, ada, _) = create(&mut of, json!({ "email": "ada@example.com" }));
    let begin = json!({ "from": { "type": "user", "id": ada["id"] }, "body": "<p>Payment of in_1 failed</p>" });
    let (status, message, effects) = ask(&mut of, 0, "POST", "/conversations", begin.clone());
    assert_eq!((status, &message["type"], effects.len()), (200, &json!("user_message"), 1));
    let talk = message["conversation_id"].as_str().expect("an id").to_owned();
    let path = format!("/conversations/{talk}");
    assert_eq!(
        ask(&mut of, 1, "PUT", &path, json!({ "custom_attributes": { "external_id": "dunning_in_1" } })).2.len(),
        1
    );
    let (_, tag, _) = ask(&mut of, 1, "POST", "/tags", json!({ "name": "queue_billing" }));
    assert_eq!(
        ask(&mut of, 1, "POST", "/tags", json!({ "name": "Queue_Billing" })).1["id"],
        tag["id"],
        "a name is one tag"
    );
    ask(&mut of, 2, "POST", &format!("{path}/tags"), json!({ "id": tag["id"], "admin_id": "1" }));
    let kept = &of.tickets()[0];
    assert_eq!(
        (kept.external_id.as_deref(), kept.queue.as_deref(), kept.requester.as_deref()),
        (Some("dunning_in_1"), Some("billing"), Some("ada@example.com"))
    );
    assert_eq!(
        (kept.subject.as_str(), kept.status.as_str(), kept.tags.as_slice()),
        ("Payment of in_1 failed", "open", &["queue_billing".to_owned()][..])
    );
    // Nothing makes a conversation unique: twice is two.
    assert_eq!((ask(&mut of, 3, "POST", "/conversations", begin).2.len(), of.tickets().len()), (1, 2));

    let close = json!({ "message_type": "close", "type": "admin", "admin_id": "1" });
    let (_, closed, _) = ask(&mut of, 10, "POST", &format!("{path}/parts"), close);
    assert_eq!(
        (&closed["state"], &closed["open"], &closed["conversation_parts"]["total_count"]),
        (&json!("closed"), &json!(false), &json!(1))
    );
    let reply = json!({ "message_type": "comment", "type": "user", "intercom_user_id": ada["id"], "body": "still" });
    assert_eq!(
        ask(&mut of, 11, "POST", &format!("{path}/reply"), reply).1["state"],
        "open",
        "who answers opens it again"
    );
    assert_eq!(
        (
            found(&mut of, 105, "/conversations/search", "tag_ids", tag["id"].as_str().expect("an id")),
            found(&mut of, 102, "/conversations/search", "open", "true")
        ),
        (1, 1)
    );
    let (_, list, _) = ask(&mut of, 11, "GET", "/conversations?per_page=1", Value::Null);
    assert_eq!((list["conversations"].as_array().map(Vec::len), &list["total_count"]), (Some(1), &json!(2)));
    assert_eq!(ask(&mut of, 12, "DELETE", &path, Value::Null).1["deleted"], true);
    assert_eq!((ask(&mut of, 13, "GET", &path, Value::Null).0, of.tickets().len()), (404, 1));
}

#[test]
fn a_ticket_has_attributes_a_state_and_a_contact_that_may_be_new() {
    let mut of = intercom();
    let ticket = json!({
        "ticket_type_id": "1",
        "contacts": [{ "email": "ada@example.com" }],
        "ticket_attributes": { "_default_title_": "Payment failed", "_default_description_": "declined", "external_id": "in_1", "queue": "billing" },
    });
    let (status, made, effects) = ask(&mut of, 0, "POST", "/tickets", ticket);
    assert_eq!(
        (status, &made["type"], &made["ticket_state"]["category"]),
        (200, &json!("ticket"), &json!("submitted"))
    );
    let [Effect::ContactCreated { .. }, Effect::TicketCreated { external_id, queue, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((external_id.as_deref(), queue.as_deref()), (Some("in_1"), Some("billing")));
    assert_eq!(of.tickets()[0].subject, "Payment failed");
    let path = format!("/tickets/{}", id(&made));
    let (_, solved, effects) = ask(&mut of, 5, "PUT", &path, json!({ "ticket_state_id": "4" }));
    assert_eq!((&solved["open"], effects.len(), of.tickets()[0].status.as_str()), (&json!(false), 1, "closed"));
    assert_eq!(
        ask(
            &mut of,
            6,
            "POST",
            &format!("{path}/reply"),
            json!({ "message_type": "note", "type": "admin", "admin_id": "1", "body": "done" })
        )
        .1["part_type"],
        "note"
    );
    assert_eq!(found(&mut of, 200, "/tickets/search", "ticket_attribute.external_id", "in_1"), 1);
    assert_eq!(ask(&mut of, 7, "GET", &path.replace("tickets", "conversations"), Value::Null).0, 404);
    assert_eq!(ask(&mut of, 7, "POST", "/tickets", json!({ "ticket_type_id": "1" })).0, 400);
}

#[test]
fn lists_and_searches_come_in_pages() {
    let mut of = intercom();
    for n in 0..5 {
        create(&mut of, json!({ "email": format!("p{n}@example.com") }));
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    for _ in 0..4 {
        let (_, page, _) =
            ask(&mut of, 500, "GET", &format!("/contacts?per_page=2&starting_after={after}"), Value::Null);
        seen.extend(page["data"].as_array().expect("data").iter().map(id));
        match page["pages"]["next"]["starting_after"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen.iter().collect::<std::collections::BTreeSet<_>>().len()), (5, 5));
    let search = json!({ "query": { "field": "email", "operator": "~", "value": "@example.com" }, "pagination": { "per_page": 4, "starting_after": "after_4" } });
    let (_, last, _) = ask(&mut of, 500, "POST", "/contacts/search", search);
    assert_eq!(
        (last["data"].as_array().map(Vec::len), last["pages"].get("next"), &last["pages"]["total_pages"]),
        (Some(1), None, &json!(2))
    );
    assert_eq!(ask(&mut of, 500, "GET", "/contacts?starting_after=x", Value::Null).0, 400);
}

#[test]
fn attributes_that_are_not_listed_and_calls_beyond_the_limit_are_refused() {
    let options = IntercomOptions {
        attributes: Some(["plan".to_owned()].into()),
        rate_limit: Some(3),
        ..IntercomOptions::default()
    };
    let mut of = Intercom::new(&options);
    let (status, told, _) =
        create(&mut of, json!({ "email": "a@example.com", "custom_attributes": { "colour": "red" } }));
    assert_eq!((status, &told["errors"][0]["message"]), (400, &json!("Custom attribute 'colour' does not exist")));
    assert_eq!(create(&mut of, json!({ "email": "a@example.com", "custom_attributes": { "plan": "pro" } })).0, 200);
    let third = of.handle(0, &call("GET", "/me", &Value::Null));
    assert_eq!((third.response.status, third.response.header("x-ratelimit-remaining")), (200, Some("0")));
    let fourth = of.handle(0, &call("GET", "/me", &Value::Null));
    assert_eq!((fourth.response.status, fourth.response.header("x-ratelimit-reset")), (429, Some("1767225611")));
    assert_eq!(json(&fourth.response)["errors"][0]["code"], "rate_limit_exceeded");
    assert_eq!(of.handle(10_000, &call("GET", "/me", &Value::Null)).response.status, 200);
    let mut anonymous = call("GET", "/me", &Value::Null);
    anonymous.headers.clear();
    assert_eq!(json(&of.handle(10_001, &anonymous).response)["errors"][0]["code"], "unauthorized");
}

#[test]
fn given_contacts_are_seen_at_once_and_never_twice() {
    let mut of = intercom();
    let given = |of: &mut Intercom, pairs: &[(&str, &str)]| {
        of.give(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>())
    };
    let first = given(&mut of, &[("email", "ada@example.com"), ("owner", "7")]);
    assert_eq!(found(&mut of, 0, "/contacts/search", "email", "ada@example.com"), 1);
    assert_eq!(given(&mut of, &[("email", "ada@example.com"), ("vip", "yes")]), first);
    let contacts = of.contacts();
    assert!(
        contacts.len() == 1
            && contacts[0].given
            && contacts[0].properties["owner"] == "7"
            && contacts[0].properties["vip"] == "yes"
    );
}

#[test]
fn a_call_counts_for_the_double_that_it_is_about_whichever_address_it_came_to() {
    let models = |crm, support| {
        let account = |speaks| Account { speaks, rate_limit: None };
        let asked = Dialects { crm: account(crm), support: account(support), ..Dialects::default() };
        Models::new(&ModelOptions::default().speaking(&asked))
    };
    let (contacts, talks) = (call("GET", "/contacts", &Value::Null), call("GET", "/conversations", &Value::Null));
    let both = models(Speaks::Intercom, Speaks::Intercom);
    for address in [Double::Crm, Double::Support] {
        assert_eq!((both.whose(address, &contacts), both.whose(address, &talks)), (Double::Crm, Double::Support));
        assert_eq!(both.shape(address), Shape::Intercom);
    }
    // Only what stands for the CRM counts where the support desk is another one.
    let mut crm = models(Speaks::Intercom, Speaks::Usual);
    assert_eq!((crm.whose(Double::Crm, &talks), crm.whose(Double::Support, &talks)), (Double::Crm, Double::Support));
    let made = crm.handle(Double::Crm, 0, &call("POST", "/contacts", &json!({ "email": "ada@example.com" })));
    let talk = json!({ "from": { "id": json(&made.response)["id"] }, "body": "help" });
    let opened = crm.handle(Double::Crm, 0, &call("POST", "/conversations", &talk));
    assert_eq!((made.effects.len(), opened.response.status, opened.effects.len()), (1, 200, 0));
    assert_eq!((crm.ledger().0.len(), crm.ledger().1.len()), (1, 0));
}
