//! Contacts for each customer, and fields that the CRM's own people wrote.

use super::script::{Script, call, contact, email};
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{Effect, RunPhase},
    plan::model::PlannedContact,
    scenario::criterion::{Bound, Criterion},
};

const ONE: Criterion = Criterion::ContactsPerCustomer(Bound::Exactly(1));
const UNTOUCHED: Criterion = Criterion::ContactFieldsOverwritten(Bound::Exactly(0));

#[test]
fn a_second_contact_fails_by_email_in_any_case_or_by_customer_id() {
    assert_eq!(Script::sound(3).is(ONE, Pass).seen, "3 customers: 3 with 1");
    let by_email = ("email", email(2).to_uppercase());
    let by_id = ("stripe_customer_id", "cus_2".to_owned());
    let by_mention = ("note", "imported from cus_2, see there".to_owned());
    for (name, value) in [by_email, by_id, by_mention] {
        let mut script = Script::sound(3);
        script.ledgers(|contacts, _| {
            let mut second = contact(77);
            second.properties = [(name.to_owned(), value.clone())].into();
            contacts.push(second);
        });
        let effects = vec![Effect::ContactCreated { contact: "77".into(), email: None }];
        script.before(RunPhase::Quiet, vec![(900, call("create_contact", effects))]);
        let failed = script.is(ONE, Fail);
        assert_eq!(failed.seen, "3 customers: 2 with 1, 1 with 2", "{name}");
        assert!(failed.why.contains("buyer2@example.com (buy/2) has 2 contacts (2, 77)"), "{}", failed.why);
        assert!(failed.chain.iter().any(|line| line.contains("made contact 77")), "{failed:#?}");
        assert_eq!(failed.evidence.len(), 3, "two calls and the ledger: {failed:#?}");
        script.cut_short();
        script.is(ONE, Fail);
    }
}

#[test]
fn a_missing_contact_fails_a_whole_run_only() {
    let mut script = Script::sound(2);
    script.ledgers(|contacts, _| contacts.truncate(1));
    assert_eq!(script.is(ONE, Fail).seen, "2 customers: 1 with 0, 1 with 1");
    script.is(Criterion::ContactsPerCustomer(Bound::AtMost(1)), Pass);
    script.cut_short();
    script.is(ONE, Inconclusive);
    script.unable("crm");
    assert_eq!(script.is(ONE, Inconclusive).why, "the target has no CRM double (`[mocks.crm]`)");
}

#[test]
fn a_story_without_contact_must_have_none_but_for_a_given_one() {
    let mut script = Script::sound(2);
    script.plan.instances[0].end.as_mut().expect("an end").contacts = 0;
    let failed = script.is(ONE, Fail);
    assert!(failed.why.contains("although their story ends without one"), "{}", failed.why);
    script.ledgers(|contacts, _| contacts[0].given = true);
    assert_eq!(script.is(ONE, Pass).seen, "1 customer: 1 with 1; 1 customer who must have none");
    script.plan.instances[1].end.as_mut().expect("an end").contacts = 0;
    script.ledgers(|contacts, _| contacts.clear());
    script.is(ONE, Inconclusive);
}

#[test]
fn customers_who_are_one_person_share_a_contact() {
    let mut script = Script::sound(2);
    script.plan.instances[1].person = "buy/1".into();
    script.plan.instances[1].email = Some(email(1));
    script.is(ONE, Fail);
    script.ledgers(|contacts, _| contacts.truncate(1));
    assert_eq!(script.is(ONE, Pass).seen, "1 customer: 1 with 1");
}

#[test]
fn a_contact_that_mixes_two_people_counts_for_both() {
    let mut script = Script::sound(2);
    script.ledgers(|contacts, _| {
        contacts[0].properties.insert("stripe_customer_id".into(), "cus_2".into());
    });
    assert_eq!(script.is(ONE, Fail).seen, "2 customers: 1 with 1, 1 with 2");
}

fn given() -> Script {
    let mut script = Script::sound(2);
    let properties = [("email", email(1)), ("phone", "555".into()), ("owner", "Ada".into())];
    let properties = properties.map(|(name, value)| (name.to_owned(), value));
    script.plan.given.push(PlannedContact { instance: "buy/1".into(), properties: properties.clone().into() });
    script.ledgers(|contacts, _| {
        contacts[0].given = true;
        contacts[0].properties.extend(properties.clone());
    });
    script
}

#[test]
fn given_fields_must_keep_their_values() {
    assert_eq!(given().is(UNTOUCHED, Pass).seen, "0 of 3 fields in 1 given contact changed");
    let mut lower = given();
    lower.ledgers(|contacts, _| {
        contacts[0].properties.insert("email".into(), email(1).to_uppercase());
    });
    lower.is(UNTOUCHED, Pass);
    let mut changed = given();
    changed.ledgers(|contacts, _| {
        contacts[0].properties.insert("phone".into(), "556".into());
    });
    let failed = changed.is(UNTOUCHED, Fail);
    assert_eq!(failed.why, "`phone` of contact 1 was `555` and is `556`");
    changed.is(Criterion::ContactFieldsOverwritten(Bound::AtMost(1)), Pass);
    let mut emptied = given();
    emptied.ledgers(|contacts, _| {
        contacts[0].properties.remove("owner");
    });
    emptied.is(UNTOUCHED, Fail);
    let mut gone = given();
    gone.ledgers(|contacts, _| {
        contacts.remove(0);
    });
    assert_eq!(gone.is(UNTOUCHED, Fail).seen, "3 of 3 fields in 1 given contact changed");
}

#[test]
fn a_change_that_was_taken_back_counts() {
    let mut script = given();
    let change = |from: &str, to: &str| {
        let changed = [("phone".to_owned(), (Some(from.to_owned()), Some(to.to_owned())))];
        (300, call("update_contact", vec![Effect::ContactUpdated { contact: "1".into(), changed: changed.into() }]))
    };
    script.before(RunPhase::Quiet, vec![change("555", "1"), change("1", "555")]);
    assert_eq!(script.is(UNTOUCHED, Fail).why, "`phone` of contact 1 was `555` and was set to `1`");
}

#[test]
fn without_given_contacts_or_a_whole_run_nothing_is_shown() {
    Script::sound(1).is(UNTOUCHED, Inconclusive);
    let mut cut = given();
    cut.cut_short();
    cut.is(UNTOUCHED, Inconclusive);
}
