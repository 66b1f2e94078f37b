//! Tickets after they were opened: each has a document with its queue, and a recurring job asks the desk which are solved.
//!
//! A person at the desk solves them, and no call tells us. Must not know: sockets, clocks, how a ticket is opened.

use crate::{
    service::{
        config::Settings,
        job::{Job, Step, Task},
        store::{Shelf, StoreError, Tx},
        support::{requests, rules::Queue},
        upstream::{Call, CallResult, Look, Seen},
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Open tickets that one round asks about: a round is never a burst.
const TICKETS: u32 = 20;

/// Where the round stands.
const CURSOR: &str = "tickets";

/// What is kept of a ticket, by our key of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    queue: Option<String>,
    /// When the desk had it, Unix seconds.
    opened_at: i64,
    /// When it was solved, as the desk says it.
    solved_at: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Round {
    /// The last key that was asked about.
    after: String,
    asked: u32,
}

fn read<T: for<'d> Deserialize<'d>>(tx: &mut Tx<'_>, shelf: Shelf, key: &str) -> Result<Option<T>, StoreError> {
    let broken = |error| StoreError::Broken(format!("{key} cannot be read: {error}"));
    tx.doc(shelf, key)?.map(|text| serde_json::from_str(&text).map_err(broken)).transpose()
}

fn write(tx: &mut Tx<'_>, shelf: Shelf, key: &str, document: &impl Serialize) -> Result<(), StoreError> {
    let text = serde_json::to_string(document).map_err(|error| StoreError::Refuse(error.to_string()))?;
    tx.put_doc(shelf, key, &text)
}

/// Notes that the desk has the ticket of a job.
pub(super) fn opened(tx: &mut Tx<'_>, now: Timestamp, task: &Task) -> Result<(), StoreError> {
    let queue = match task {
        Task::Ticket { .. } | Task::Dispute { .. } => Some(Queue::Billing),
        Task::Onboarding { .. } => Some(Queue::Onboarding),
        Task::Request { request } => requests::find(tx, request)?.and_then(|kept| kept.queue),
        Task::Contact { .. }
        | Task::LooseContact { .. }
        | Task::FollowUp { .. }
        | Task::Reconcile
        | Task::Audit
        | Task::Tickets
        | Task::Activation { .. }
        | Task::Alert { .. } => return Ok(()),
    };
    let key = task.external_id();
    if tx.doc(Shelf::Ticket, &key)?.is_some() {
        return Ok(());
    }
    let queue = queue.map(|queue| queue.name().to_owned());
    write(tx, Shelf::Ticket, &key, &Document { queue, opened_at: now.secs(), solved_at: None })
}

pub(super) fn call(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    settings: &Settings,
) -> Result<Option<Call>, StoreError> {
    let Some(interval) = settings.audit else { return Ok(None) };
    let mut round: Round = read(tx, Shelf::Cursor, CURSOR)?.unwrap_or_default();
    let open = |(key, text): &(String, String)| {
        let document: Option<Document> = serde_json::from_str(text).ok();
        *key > round.after && document.is_some_and(|document| document.solved_at.is_none())
    };
    let next = tx.docs(Shelf::Ticket, "")?.into_iter().find(open).filter(|_| round.asked < TICKETS);
    let Some((key, _)) = next else {
        // From the first one again when all were asked about.
        let after = if round.asked < TICKETS { String::new() } else { round.after };
        write(tx, Shelf::Cursor, CURSOR, &Round { after, asked: 0 })?;
        job.schedule(now + interval);
        return Ok(None);
    };
    round = Round { after: key.clone(), asked: round.asked + 1 };
    write(tx, Shelf::Cursor, CURSOR, &round)?;
    Ok(Some(Call::Look(Look::Tickets { external_id: key })))
}

pub(super) fn answer(tx: &mut Tx<'_>, now: Timestamp, job: &mut Job, result: &CallResult) -> Result<(), StoreError> {
    let asked = match result {
        CallResult::Seen(Seen::Tickets(tickets)) => {
            let round: Round = read(tx, Shelf::Cursor, CURSOR)?.unwrap_or_default();
            let solved = tickets.iter().find_map(|ticket| ticket.solved_at.clone());
            let document: Option<Document> = read(tx, Shelf::Ticket, &round.after)?;
            if let Some((document, solved)) = document.zip(solved) {
                write(tx, Shelf::Ticket, &round.after, &Document { solved_at: Some(solved), ..document })?;
            }
            job.advance(Step::First, now);
            return Ok(());
        }
        CallResult::Later { after, .. } => *after,
        CallResult::Seen(Seen::Events(_) | Seen::Subscriptions(_) | Seen::Contacts(_))
        | CallResult::Rejected { .. }
        | CallResult::Found(_)
        | CallResult::Created(_)
        | CallResult::Conflict(_)
        | CallResult::Updated
        | CallResult::Missing => None,
    };
    // This ticket is passed over until the next round.
    super::put_off(job, now, asked);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{store::Store, upstream::TicketSeen};
    use std::time::Duration;

    #[test]
    fn a_ticket_is_open_until_the_desk_says_that_it_is_solved() {
        let (mut store, mut settings) = (Store::memory(), Settings::default());
        settings.audit = Some(Duration::from_secs(60));
        let at = Timestamp::from_secs;
        let task = Task::Dispute { dispute: "dp_1".to_owned(), party: "cus_1".to_owned() };
        store.transact(|tx| opened(tx, at(100), &task)).expect("noted");
        store.transact(|tx| opened(tx, at(200), &task)).expect("once only");
        let document = |store: &mut Store| store.transact(|tx| read::<Document>(tx, Shelf::Ticket, "dispute:dp_1"));
        let open = Document { queue: Some("billing".to_owned()), opened_at: 100, solved_at: None };
        assert_eq!(document(&mut store), Ok(Some(open.clone())));
        let mut job = Job::new(1, Task::Tickets, at(0));
        let mut ask = |store: &mut Store, told: Option<&str>| {
            let call = store.transact(|tx| call(tx, at(300), &mut job, &settings)).expect("a call");
            let seen = TicketSeen { id: "7".to_owned(), solved_at: told.map(str::to_owned) };
            let seen = CallResult::Seen(Seen::Tickets(vec![seen]));
            if call.is_some() {
                store.transact(|tx| answer(tx, at(300), &mut job, &seen)).expect("taken");
            }
            call
        };
        let look = || Some(Call::Look(Look::Tickets { external_id: "dispute:dp_1".to_owned() }));
        assert_eq!((ask(&mut store, None), ask(&mut store, None)), (look(), None), "then the round is over");
        assert_eq!(document(&mut store), Ok(Some(open.clone())));
        let solved = Some("2026-11-24T05:00:00Z");
        assert_eq!((ask(&mut store, solved), ask(&mut store, None)), (look(), None));
        assert_eq!(document(&mut store), Ok(Some(Document { solved_at: solved.map(str::to_owned), ..open })));
        assert_eq!(ask(&mut store, None), None, "nothing is open");
    }
}
