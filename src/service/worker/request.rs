//! The jobs that open the one ticket of a request to support, and of somebody who began and is not active.
//!
//! Must not know: sockets, clocks, how a request was routed.

use crate::{
    service::{
        account::{self, Account},
        config::Settings,
        job::{Job, Step},
        reading::CheckoutEnd,
        store::{StoreError, Tx},
        support::{
            requests::{self, Kept},
            rules::Queue,
        },
        trail,
        upstream::Call,
    },
    time::{Timestamp, format_duration},
};

/// Longest part of a message in a subject line, characters.
const SUBJECT: usize = 60;

pub(super) fn call(tx: &mut Tx<'_>, job: &mut Job, request: &str) -> Result<Option<Call>, StoreError> {
    let Some(kept) = requests::find(tx, request)? else { return Ok(None) };
    let external_id = job.task.external_id();
    if job.step == Step::Find {
        return Ok(Some(Call::FindTicket { external_id }));
    }
    // Whatever becomes of this attempt, the next one looks first.
    job.step = Step::Find;
    let Kept { asked, requester, customer, queue, rule, .. } = kept;
    let first: String = asked.message.trim().lines().next().unwrap_or_default().chars().take(SUBJECT).collect();
    let routed = queue.map_or("no queue", Queue::name);
    let whose = customer.map(|customer| format!(" Stripe customer {customer}.")).unwrap_or_default();
    let tags = queue.map(|queue| format!("queue_{}", queue.name())).into_iter();
    Ok(Some(Call::CreateTicket {
        external_id,
        keyed: true,
        subject: format!("Request: {first}"),
        body: format!("{}\n\n(Routed to {routed} by the rule {rule}.{whose})", asked.message.trim()),
        tags: tags.chain([format!("rule_{rule}"), "request".to_owned()]).collect(),
        requester,
    }))
}

pub(super) fn onboarding(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    party: &str,
    settings: &Settings,
) -> Result<Option<Call>, StoreError> {
    let Some(account) = account::of_party(tx, party)? else { return Ok(None) };
    let external_id = job.task.external_id();
    if job.step == Step::Find {
        return Ok(Some(Call::FindTicket { external_id }));
    }
    if account.access() || was_active(tx, &account)? {
        return Ok(None);
    }
    if waits_for_its_bank(&account) {
        job.schedule(now + settings.onboarding_after);
        return Ok(None);
    }
    if !requests::claim_onboarding(tx, &account, job.id)? {
        return Ok(None);
    }
    job.step = Step::Find;
    let who = account.user().or_else(|| account.customer()).unwrap_or("somebody");
    Ok(Some(Call::CreateTicket {
        external_id,
        keyed: true,
        subject: format!("Not active after {}: {who}", format_duration(settings.onboarding_after)),
        body: format!("{who} began and never became active. Ask whether they need help."),
        tags: ["queue_onboarding", "rule_stuck-onboarding", "stuck_onboarding"].map(str::to_owned).to_vec(),
        requester: account.emails().first().map(|email| (*email).to_owned()),
    }))
}

fn was_active(tx: &mut Tx<'_>, account: &Account) -> Result<bool, StoreError> {
    Ok(trail::of_account(tx, account)?.iter().any(|entry| entry.after.access))
}

/// A bank takes days to pay: whoever waits for it needs no help.
fn waits_for_its_bank(account: &Account) -> bool {
    account.parties.values().flat_map(|party| party.checkouts.values()).any(|end| *end == CheckoutEnd::Unpaid)
}
