//! Effects of declared doubles: counted for each customer, by what their key, their fields or their call names.

use super::script::{Script, call, email};
use hookdrill::{
    check::{anomaly::Anomaly, verdict::Validity},
    history::record::{Call, Effect, Record, RunPhase},
    id::DoubleName,
    scenario::{
        criterion::{Bound, Criterion, EffectName},
        fault::Double,
    },
};

fn mail() -> DoubleName {
    DoubleName::new("mail").expect("a name")
}

fn receipts(bound: Bound) -> Criterion {
    let of = EffectName { double: mail(), effect: "receipt".to_owned() };
    Criterion::EffectsPerCustomer { of, story: None, bound }
}

fn effect(name: &str, key: &str) -> Effect {
    Effect::Declared { double: mail(), effect: name.to_owned(), key: key.to_owned(), fields: Default::default() }
}

fn sent(effect: Effect, about: &[&str]) -> (u64, Record) {
    let Record::Call(made) = call("send", vec![effect]) else { panic!("a call") };
    let about = about.iter().map(|id| (*id).into()).collect();
    (400, Record::Call(Call { double: Double::Declared(mail()), about, ..made }))
}

/// Three customers of an app that sends mail, without any.
fn sound() -> Script {
    let mut script = Script::sound(3);
    script.able("declared mail");
    script
}

/// The same, each with a receipt: told by the key, by a field, by the call.
fn receipted() -> Script {
    let mut script = sound();
    let mut fielded = effect("receipt", "m_2");
    if let Effect::Declared { fields, .. } = &mut fielded {
        fields.insert("subject".to_owned(), "Receipt for cus_2".to_owned());
    }
    let records = vec![
        sent(effect("receipt", &format!("<{}>", email(1).to_uppercase())), &[]),
        sent(fielded, &["buy/1"]),
        sent(effect("receipt", ""), &["buy/3"]),
        sent(effect("newsletter", &email(1)), &[]),
    ];
    script.before(RunPhase::Quiet, records);
    script
}

#[test]
fn each_customer_has_the_one_that_names_them() {
    let verdict = receipted().is(receipts(Bound::Exactly(1)), Validity::Pass);
    assert_eq!(verdict.seen, "3 customers: 3 with 1");
    receipted().is(receipts(Bound::AtMost(1)), Validity::Pass);
}

#[test]
fn a_second_one_is_a_duplicate_and_a_missing_one_is_lost() {
    let mut twice = receipted();
    twice.before(RunPhase::Quiet, vec![sent(effect("receipt", &email(2)), &[])]);
    let verdict = twice.is(receipts(Bound::Exactly(1)), Validity::Fail);
    assert_eq!(verdict.anomaly, Some(Anomaly::Duplicate));
    assert!(
        verdict.why.contains("buyer2@example.com (buy/2) has 2 mail.receipts (m_2, buyer2@example.com)"),
        "{}",
        verdict.why
    );
    assert_eq!(verdict.evidence.len(), 2);
    assert!(
        verdict.chain.iter().any(|step| step.contains("the service called mail (send): caused receipt")),
        "{:?}",
        verdict.chain
    );

    let mut lost = sound();
    lost.before(
        RunPhase::Quiet,
        vec![sent(effect("receipt", &email(1)), &[]), sent(effect("receipt", &email(3)), &[])],
    );
    let verdict = lost.is(receipts(Bound::Exactly(1)), Validity::Fail);
    assert_eq!(verdict.anomaly, Some(Anomaly::Lost));
    lost.is(receipts(Bound::AtMost(1)), Validity::Pass);

    let verdict = receipted().is(receipts(Bound::Exactly(0)), Validity::Fail);
    assert_eq!(verdict.anomaly, Some(Anomaly::Premature));
}

#[test]
fn nothing_is_shown_by_a_double_that_nobody_called_by_a_target_without_it_and_by_a_run_that_was_cut() {
    let verdict = sound().is(receipts(Bound::AtMost(1)), Validity::Inconclusive);
    assert!(verdict.why.contains("nothing ever called `mail`"), "{}", verdict.why);
    let mut other = sound();
    other.before(RunPhase::Quiet, vec![sent(effect("newsletter", &email(1)), &[])]);
    other.is(receipts(Bound::AtMost(1)), Validity::Inconclusive);
    other.is(receipts(Bound::Exactly(0)), Validity::Pass);
    let mut without = receipted();
    without.unable("declared mail");
    without.is(receipts(Bound::Exactly(1)), Validity::Inconclusive);
    let mut cut = receipted();
    cut.cut_short();
    cut.is(receipts(Bound::Exactly(1)), Validity::Inconclusive);
    // What is there too often stays so.
    cut.records.insert(5, sent(effect("receipt", &email(1)), &[]));
    cut.is(receipts(Bound::Exactly(1)), Validity::Fail);
}

#[test]
fn one_about_nobody_is_told_where_one_is_missing() {
    let mut script = sound();
    let records = vec![
        sent(effect("receipt", "typo@example.com"), &[]),
        sent(effect("receipt", &email(1)), &[]),
        sent(effect("receipt", &email(3)), &[]),
    ];
    script.before(RunPhase::Quiet, records);
    let verdict = script.is(receipts(Bound::Exactly(1)), Validity::Fail);
    assert!(verdict.why.contains("about no customer of this run: typo@example.com"), "{}", verdict.why);
    assert_eq!(verdict.seen, "3 customers: 1 with 0, 2 with 1; 1 about nobody of this run");
}

#[test]
fn a_replay_that_sends_again_and_a_forged_customer_who_gets_mail_are_seen() {
    let mut script = receipted();
    script.replay();
    script.before(RunPhase::QuietAfterReplay, vec![sent(effect("receipt", &email(1)), &[])]);
    let verdict = script.is(Criterion::ReplayEffects(Bound::Exactly(0)), Validity::Fail);
    assert_eq!(verdict.anomaly, Some(Anomaly::Duplicate));
    assert!(verdict.why.contains("mail.receipt buyer1@example.com happened"), "{}", verdict.why);

    let mut forged = receipted();
    forged.ghost();
    forged.bad(
        hookdrill::plan::model::DeliveryKind::Malformed(hookdrill::scenario::fault::MalformedBody::Empty),
        Some(400),
    );
    forged.before(RunPhase::Quiet, vec![sent(effect("receipt", &email(999)), &[])]);
    let verdict = forged.judge(Criterion::ForgeryTraces(Bound::Exactly(0)));
    assert!(verdict.why.contains("mail.receipt buyer999@example.com names"), "{verdict:#?}");
}
