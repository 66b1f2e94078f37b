//! The recurring job that compares what the peers hold with our own state: one look a step, a few customers a round.
//!
//! Downstream it only reads. A contact that says something else than it should is written anew by its own job.
//! Must not know: sockets, clocks, what disagrees with what.

use crate::{
    service::{
        account::{self, Account},
        alerts,
        audit::{self, Disagreement, Kind, Place, Round},
        config::Settings,
        job::{Job, Step, Task},
        queue,
        store::{ContactRow, StoreError, Tx},
        upstream::{Call, CallResult, Look, Seen},
    },
    time::Timestamp,
};

/// Customers that one round compares: a round is never a burst.
const CUSTOMERS: u32 = 5;

/// A look and what was there.
type Looked = (Look, Seen);

pub(super) fn call(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    settings: &Settings,
) -> Result<Option<Call>, StoreError> {
    let mut round = Round::read(tx)?;
    if settings.audit.is_none() && !round.full {
        return Ok(None);
    }
    loop {
        let account = match &round.party {
            Some(party) => account::of_party(tx, party)?,
            None => None,
        };
        if let Some(account) = account {
            let (look, seen) = next_look(tx, &account, &round.seen, settings)?;
            if let Some(look) = look {
                round.write(tx)?;
                return Ok(Some(Call::Look(look)));
            }
            conclude(tx, now, &account, &seen)?;
            end_account(&mut round);
        }
        if !next_account(tx, &mut round)? {
            end_round(now, job, &mut round, settings);
            round.write(tx)?;
            return Ok(None);
        }
    }
}

/// The look that is still lacking, or all of them. State that changes between two looks can change what is to be looked at:
/// then the answers do not fit the questions any more, and it begins anew.
fn next_look(
    tx: &mut Tx<'_>,
    account: &Account,
    seen: &[Seen],
    settings: &Settings,
) -> Result<(Option<Look>, Vec<Looked>), StoreError> {
    let looks = audit::looks(&audit::expected(tx, account)?, settings);
    let next = looks.get(seen.len()).cloned();
    Ok((next, looks.into_iter().zip(seen.iter().cloned()).collect()))
}

fn conclude(tx: &mut Tx<'_>, now: Timestamp, account: &Account, seen: &[Looked]) -> Result<(), StoreError> {
    let expected = audit::expected(tx, account)?;
    let disagreements = audit::compare(&expected, seen);
    for found in &disagreements {
        heal(tx, now, account, found)?;
    }
    audit::note(tx, now, account, disagreements)
}

/// What the service can put right by itself.
fn heal(tx: &mut Tx<'_>, now: Timestamp, account: &Account, found: &Disagreement) -> Result<(), StoreError> {
    match (found.place, found.kind) {
        (Place::Crm, Kind::Missing | Kind::Mismatched) => {
            for email in account.contact_emails(tx)? {
                let gone = found.what == "contact";
                let id = tx.contact(&email)?.and_then(|row| row.id).filter(|_| !gone);
                tx.put_contact(&email, &ContactRow { id, written: None })?;
                queue::enqueue(tx, now, Task::Contact { email })?;
            }
            Ok(())
        }
        (Place::Crm, Kind::Duplicated) => {
            // Only ids are counted, so the same pair is one however often it is seen.
            alerts::duplicate(tx, now, &format!("contact/{}", audit::key_of(account)))
        }
        (Place::Stripe | Place::Desk, _) => Ok(()),
    }
}

fn end_account(round: &mut Round) {
    round.party = None;
    round.seen.clear();
    round.left = round.left.saturating_sub(1);
}

/// Goes to the next account; false when the round is over. An account is looked at once, by its first party.
fn next_account(tx: &mut Tx<'_>, round: &mut Round) -> Result<bool, StoreError> {
    if round.position.is_some() && round.left == 0 && !round.full {
        return Ok(false);
    }
    if round.position.is_none() {
        round.left = CUSTOMERS;
    }
    for id in tx.party_ids()? {
        if round.position.as_ref().is_some_and(|position| id <= *position) {
            continue;
        }
        let account = account::of_party(tx, &id)?.filter(Account::is_from_stripe);
        round.position = Some(id.clone());
        if account.is_some_and(|account| audit::key_of(&account) == id) {
            round.party = Some(id);
            return Ok(true);
        }
    }
    round.position = None;
    Ok(false)
}

fn end_round(now: Timestamp, job: &mut Job, round: &mut Round, settings: &Settings) {
    if round.position.is_none() {
        round.whole = Some(now);
        round.full = false;
    }
    round.left = CUSTOMERS;
    match settings.audit {
        Some(interval) => job.schedule(now + interval),
        None => job.complete(now),
    }
}

pub(super) fn answer(tx: &mut Tx<'_>, now: Timestamp, job: &mut Job, result: &CallResult) -> Result<(), StoreError> {
    let mut round = Round::read(tx)?;
    let failed = match result {
        CallResult::Seen(seen) => {
            round.seen.push(seen.clone());
            job.advance(Step::First, now);
            None
        }
        CallResult::Later { what, after } => Some((what.as_str(), *after)),
        CallResult::Rejected { what } => Some((what.as_str(), None)),
        CallResult::Found(_)
        | CallResult::Created(_)
        | CallResult::Conflict(_)
        | CallResult::Updated
        | CallResult::Missing => Some(("the answer to another call", None)),
    };
    if let Some((what, after)) = failed {
        // This customer is passed over until the next round: a peer that is down must not hold up the others' turn.
        round.failed += 1;
        round.why = Some(what.to_owned());
        end_account(&mut round);
        super::put_off(job, now, after);
    }
    round.write(tx)
}
