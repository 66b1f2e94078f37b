//! Requests for help and tasks in the CRM, judged.

use super::script::{Script, call, ticket};
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{Effect, RunPhase},
    plan::model::{Action, PlannedTicket},
    scenario::criterion::{Bound, Criterion},
};

/// The first customer asked once, acknowledged with `status`, and has the given tickets' queues.
fn asked(status: u16, queues: &[Option<&str>]) -> Script {
    let mut script = Script::sound(2);
    script.visit(1_000, None, |visit| {
        (visit.action, visit.status, visit.ticket) = (Action::Ask, Some(status), Some("k".to_owned()));
    });
    let step = script.plan.steps.last_mut().expect("a step");
    step.action = Action::Ask;
    step.ticket = Some(PlannedTicket {
        key: "k".to_owned(),
        queue: "billing".to_owned(),
        message: Some("refund".to_owned()),
        category: None,
    });
    script.ledgers(|_, tickets| {
        let all = queues.iter().enumerate();
        tickets.extend(all.map(|(n, queue)| ticket(&(n + 1).to_string(), None, *queue, 1)));
    });
    script
}

#[test]
fn a_request_has_one_ticket_in_its_queue() {
    let one = Criterion::TicketsPerRequest(Bound::Exactly(1));
    assert_eq!(asked(202, &[Some("billing")]).is(one.clone(), Pass).seen, "1 request: 1 ticket");
    for wrong in [vec![], vec![Some("feedback")], vec![None], vec![Some("billing"); 2]] {
        asked(202, &wrong).is(one.clone(), Fail);
    }
    // One that nobody acknowledged may have come through or not, but never twice.
    asked(503, &[Some("billing"); 2]).is(one.clone(), Fail);
    asked(503, &[]).is(one.clone(), Inconclusive);
    Script::sound(1).is(one, Inconclusive);
}

#[test]
fn a_failed_invoice_has_one_task() {
    let one = Criterion::CrmTasks(Bound::Exactly(1));
    let script = |subjects: &[&str]| {
        let mut script = Script::sound(1);
        script.plan.instances[0].failed_invoices = vec!["in_1A".into()];
        let made = |(n, subject): (usize, &&str)| Effect::TaskCreated {
            task: n.to_string(),
            contact: None,
            subject: (*subject).to_owned(),
        };
        let effects = subjects.iter().enumerate().map(made).collect();
        script.before(RunPhase::Quiet, vec![(900, call("create_task", effects))]);
        script
    };
    script(&["Payment failed: in_1A"]).is(one.clone(), Pass);
    script(&[]).is(one.clone(), Fail);
    script(&["in_1A", "again in_1A"]).is(one.clone(), Fail);
    let stray = script(&["in_1A", "in_1AB"]).is(one.clone(), Fail);
    assert!(stray.why.contains("names no invoice"), "{}", stray.why);
    Script::sound(1).is(one, Inconclusive);
}
