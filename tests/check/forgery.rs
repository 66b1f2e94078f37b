//! Forged deliveries and bad payloads.

use super::script::{Script, call, contact, email, probe, ticket};
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{Effect, Outcome, Probe, ProcessEvent, Record, RunPhase},
    plan::model::{
        ClockOff,
        DeliveryKind::{Forged, Genuine, Malformed, UnknownType},
        Reaction, TransportStep,
    },
    scenario::{
        criterion::{Bound, Criterion},
        fault::{BadSignature::WrongSecret, MalformedBody},
        transport::Transport,
    },
};

const NO_TRACE: Criterion = Criterion::ForgeryTraces(Bound::Exactly(0));
const SAFE: Criterion = Criterion::UnsafeErrors(Bound::Exactly(0));

fn forged(status: Option<u16>) -> Script {
    let mut script = Script::sound(1);
    script.ghost();
    script.bad(Forged(WrongSecret), status);
    script
}

#[test]
fn a_forged_delivery_must_be_refused() {
    assert_eq!(forged(Some(400)).is(NO_TRACE, Pass).seen, "1 forged delivery, 1 answered: 0 traces");
    let accepted = forged(Some(204)).is(NO_TRACE, Fail);
    assert!(accepted.why.contains("was accepted"), "{}", accepted.why);
    forged(None).is(NO_TRACE, Inconclusive);
    Script::sound(1).is(NO_TRACE, Inconclusive);
    let mut cut = forged(Some(400));
    cut.cut_short();
    cut.is(NO_TRACE, Inconclusive);
}

#[test]
fn a_customer_who_does_not_exist_leaves_no_trace() {
    let spoiled: [fn(&mut Script); 5] = [
        |s| s.before(RunPhase::Quiet, vec![(9, probe("ghost/1", false))]),
        |s| {
            s.before(RunPhase::Quiet, vec![(9, probe("ghost/1", true))]);
            s.probes(|probe| probe.access = Some(probe.instance.as_str() != "ghost/1"));
        },
        |s| s.ledgers(|contacts, _| contacts.push(contact(999))),
        |s| s.ledgers(|_, tickets| tickets.push(ticket("1", Some("x-sub_999"), None, 1))),
        |s| {
            let effect = Effect::ContactCreated { contact: "9".into(), email: Some(email(999)) };
            s.before(RunPhase::Quiet, vec![(9, call("create_contact", vec![effect]))]);
        },
    ];
    for (i, spoil) in spoiled.iter().enumerate() {
        let mut script = forged(Some(400));
        spoil(&mut script);
        let verdict = script.judge(NO_TRACE);
        assert_eq!((verdict.validity, verdict.evidence.len()), (Fail, 1), "{i}: {verdict:#?}");
    }
}

/// An app may answer 200 with closed access for whomever it is asked about; that is no trace. Our own service answers 404.
#[test]
fn an_empty_answer_is_no_trace() {
    let empty = |spoil: fn(&mut Probe)| {
        let mut script = forged(Some(400));
        let mut record = probe("ghost/1", false);
        if let Record::Probe(probe) = &mut record {
            (probe.access, probe.status, probe.plan) = (Some(false), Some("none".into()), None);
            probe.values = [("seats".to_owned(), 0)].into();
            spoil(probe);
        }
        script.before(RunPhase::Quiet, vec![(9, record)]);
        script
    };
    let mut script = empty(|_| {});
    script.is(NO_TRACE, Fail);
    let elsewhere = |script: &mut Script| {
        if let (_, Record::Start(start)) = &mut script.records[0] {
            start.target = "http://127.0.0.1:3000/hook".into();
        }
    };
    elsewhere(&mut script);
    script.is(NO_TRACE, Pass);
    let spoiled: [fn(&mut Probe); 3] = [
        |probe| probe.access = Some(true),
        |probe| probe.status = Some("active".into()),
        |probe| *probe.values.entry("seats".into()).or_default() = 1,
    ];
    for spoil in spoiled {
        let mut script = empty(spoil);
        elsewhere(&mut script);
        script.is(NO_TRACE, Fail);
    }
}

#[test]
fn bad_payloads_get_a_safe_4xx() {
    let answered = |status| {
        let mut script = forged(Some(401));
        script.bad(Malformed(MalformedBody::Empty), status);
        script
    };
    assert_eq!(answered(Some(400)).is(SAFE, Pass).seen, "2 bad payloads, 2 answers back: 0 unsafe");
    assert!(answered(Some(500)).is(SAFE, Fail).why.contains("(malformed) was answered 500 instead of a 4xx"));
    answered(Some(200)).is(SAFE, Fail);
    assert!(answered(None).is(SAFE, Inconclusive).why.contains("1 bad payload got no answer"));
    let mut crashed = answered(None);
    crashed.before(RunPhase::Quiet, vec![(50_002, Record::Process { event: ProcessEvent::Died, detail: None })]);
    assert!(crashed.is(SAFE, Fail).why.contains("the service crashed on"));
    Script::sound(1).is(SAFE, Inconclusive);
}

#[test]
fn an_attempt_that_breaks_on_its_way_is_a_bad_payload_and_the_next_one_is_not() {
    let answered = |how, status| {
        let mut script = forged(Some(400));
        let id = script.bad(Malformed(MalformedBody::Empty), status);
        let delivery = script.plan.deliveries.last_mut().expect("just added");
        (delivery.kind, delivery.expect) = (Genuine, Reaction::Accept);
        delivery.transport = vec![TransportStep { how, attempts: Some(1) }];
        script.attempt(50_010, &id, 2, Some(Outcome::Acked));
        script
    };
    for how in [Transport::Truncated, Transport::Empty, Transport::InvalidUtf8] {
        assert_eq!(answered(how, Some(400)).is(SAFE, Pass).seen, "2 bad payloads, 2 answers back: 0 unsafe");
        assert!(answered(how, Some(500)).is(SAFE, Fail).why.contains(&format!("({}) was answered 500", how.what())));
        answered(how, Some(200)).is(SAFE, Fail);
    }
    // What may be accepted, and what nobody can answer, is no bad payload.
    for how in [Transport::Gzip, Transport::AbortMidBody] {
        assert_eq!(answered(how, Some(500)).is(SAFE, Pass).seen, "1 bad payload, 1 answer back: 0 unsafe");
    }
}

#[test]
fn any_answer_that_gives_something_away_is_unsafe() {
    let mut script = forged(Some(400));
    script.replies(|reply| {
        if reply.status == Some(400) {
            reply.leaks = vec!["stack trace".into()];
        }
    });
    assert!(script.is(SAFE, Fail).why.contains("shows: stack trace"));
    let mut page = forged(Some(400));
    page.visit(300, Some("active"), |visit| visit.leaks = vec!["internals".into()]);
    page.is(SAFE, Fail);
    let mut once = forged(Some(500));
    once.replies(|reply| {
        if reply.status == Some(500) {
            reply.leaks = vec!["internals".into(), "secret".into()];
        }
    });
    assert!(once.is(SAFE, Fail).seen.ends_with("1 unsafe"), "one answer counts once");
}

#[test]
fn an_event_of_an_unknown_type_must_be_acknowledged() {
    for (status, validity) in [(Some(200), Pass), (Some(400), Fail), (Some(500), Fail)] {
        let mut script = Script::sound(1);
        script.bad(Malformed(MalformedBody::Empty), Some(400));
        script.bad(UnknownType, status);
        script.is(SAFE, validity);
    }
}

#[test]
fn what_looks_stale_by_a_clock_that_is_far_ahead_must_be_refused() {
    let ahead = |offset_ms| {
        let mut script = Script::sound(1);
        script.plan.clock = vec![ClockOff { from_ms: 0, until_ms: Some(1_000), offset_ms }];
        script
    };
    let accepted = ahead(400_000).is(NO_TRACE, Fail);
    assert!(accepted.why.contains("stale by the service's clock"), "{}", accepted.why);
    assert_eq!(accepted.seen, "3 stale attempts; 0 forged deliveries, 0 answered: 3 traces");
    // Within the tolerance, and behind, nothing is asked for: then there is nothing to judge.
    for offset_ms in [60_000, 300_000, -400_000] {
        ahead(offset_ms).is(NO_TRACE, Inconclusive);
    }
    // Refused meanwhile, accepted when the clock is right.
    let mut script = ahead(400_000);
    for delivery in ["d0001", "d0002", "d0003"] {
        script.resent(delivery, &[Some(Outcome::Refused), Some(Outcome::Acked)]);
    }
    script.is(NO_TRACE, Pass);
}
