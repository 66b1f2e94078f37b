//! The full second replay: nothing more may happen, for everything has happened already.
//!
//! Must not know: how the service tells a replay from a first delivery.

use super::{
    anomaly::Anomaly,
    case::{Case, Chain, acked},
    declared, diagnosis, effect,
    finding::{Finding, exceeds},
    words,
};
use crate::{
    history::record::{Call, Effect, Probe, RunPhase},
    plan::model::Phase,
    scenario::criterion::Bound,
};

/// Effects that the replay added or changed.
pub(super) fn effects(case: &Case<'_>, bound: Bound) -> Finding {
    let finding =
        Finding::expecting(format!("{} added or changed by the full second replay", words::bound(bound, "effect")));
    let Some(began) = case.seen.began(RunPhase::Replay) else {
        let why = "the run has no replay phase; ask for one with `duplicate = { …, spacing = \"after_everything\" }`";
        return finding.seeing("no replay").inconclusive(case.gap.clone().unwrap_or(why.to_owned()));
    };
    let replayed: Vec<_> = case.plan.deliveries.iter().filter(|d| d.phase == Phase::Replay).collect();
    let heard = replayed.iter().filter(|delivery| acked(&case.seen, delivery)).count();
    let mut found: Vec<(String, u64)> = Vec::new();
    let mut named = Vec::new();
    for call in case.seen.calls.iter().filter(|call| call.n > began) {
        for effect in &call.what.effects {
            let Some(text) = effect_words(effect) else { continue };
            found.push((text, call.n));
            let went_back = matches!(effect, Effect::ContactUpdated { contact, changed }
                if changed.iter().any(|(name, (_, now))| held_before(case, began, contact, name, now.as_ref())));
            named.push((if went_back { Anomaly::Stale } else { Anomaly::Duplicate }, owner(case, call.what, effect)));
        }
    }
    for chain in &case.chains {
        if let Some((text, n)) = changed(case, chain) {
            found.push((text, n));
            named.push((diagnosis::customer(case, chain).unwrap_or(Anomaly::Duplicate), Some(chain.person)));
        }
    }
    let seen = format!(
        "{} replayed, {heard} acknowledged: {}",
        words::count(replayed.len(), "delivery"),
        words::count(found.len(), "effect")
    );
    let finding = finding.seeing(seen).evidence(found.iter().map(|(_, n)| *n)).named(named);
    let texts: Vec<String> = found.iter().map(|(text, _)| text.clone()).collect();
    if exceeds(bound, found.len() as u64) {
        return finding.fail(words::few(&texts));
    }
    if heard == 0 {
        let why = "no replayed delivery was acknowledged, so nothing was put to the test".to_owned();
        return finding.inconclusive(case.gap.clone().unwrap_or(why));
    }
    if let Some(why) = blind(case).filter(|_| bound.holds(found.len() as u64)) {
        return finding.inconclusive(case.gap.clone().unwrap_or(why));
    }
    finding.counted(case, bound, found.len() as u64, "effects came with the replay")
}

/// Why nothing could have been seen of a replay's effects: a state that was not read, or nothing there to be doubled.
fn blind(case: &Case<'_>) -> Option<String> {
    let mut known = false;
    for end in &case.ends {
        for chain in case.chains.iter().filter(|chain| !effect::nobody_to_ask(case, chain, end)) {
            match effect::reading(case, chain, end) {
                Ok(probe) => known |= probe.what.known == Some(true),
                Err(why) => return Some(why),
            }
        }
    }
    let effects = case.seen.calls.iter().any(|call| !call.what.effects.is_empty());
    let nothing = "nothing had taken effect before the replay, so there was nothing that it could have doubled";
    (!known && !effects).then(|| nothing.to_owned())
}

fn effect_words(effect: &Effect) -> Option<String> {
    match effect {
        Effect::ContactCreated { contact, .. } => Some(format!("contact {contact} was made")),
        Effect::ContactUpdated { contact, changed } if !changed.is_empty() => {
            let names: Vec<&str> = changed.keys().map(String::as_str).collect();
            Some(format!("{} of contact {contact} changed", names.join(", ")))
        }
        Effect::ContactUpdated { .. } => None,
        Effect::TicketCreated { ticket, .. } => Some(format!("ticket {ticket} was opened")),
        Effect::TicketUpdated { ticket } => Some(format!("ticket {ticket} changed")),
        Effect::TaskCreated { task, .. } => Some(format!("task {task} was made")),
        Effect::SessionOpened { session } => Some(format!("Checkout session {session} was opened")),
        Effect::SubscriptionCanceled { subscription } => Some(format!("subscription {subscription} was cancelled")),
        Effect::Declared { double, effect, key, .. } if key.is_empty() => Some(format!("{double}.{effect} happened")),
        Effect::Declared { double, effect, key, .. } => Some(format!("{double}.{effect} {key} happened")),
        // Says something of the service, not of a customer.
        Effect::AlertRaised { .. } => None,
    }
}

/// A customer whose state the replay changed, by the last probe before it and the one after.
fn changed(case: &Case<'_>, chain: &Chain<'_>) -> Option<(String, u64)> {
    chain.links.iter().find_map(|link| {
        let before = case.seen.last_probe(&link.id, RunPhase::Quiet)?;
        let after = case.seen.last_probe(&link.id, RunPhase::QuietAfterReplay)?;
        differs(before.what, after.what).then(|| (format!("the state of {} changed", chain.words()), after.n))
    })
}

fn differs(before: &Probe, after: &Probe) -> bool {
    if before.error.is_some() || after.error.is_some() {
        return false;
    }
    match (&before.digest, &after.digest) {
        (Some(before), Some(after)) => before != after,
        (None, _) | (_, None) => {
            let state = |p: &Probe| (p.known, p.access, p.status.clone(), p.plan.clone(), p.values.clone());
            state(before) != state(after)
        }
    }
}

/// Whether a property of a contact had this value before, and another one when the replay began.
fn held_before(case: &Case<'_>, began: u64, contact: &str, name: &str, value: Option<&String>) -> bool {
    let earlier = case.seen.calls.iter().take_while(|call| call.n < began).flat_map(|call| &call.what.effects);
    let mut changes = earlier.filter_map(|effect| match effect {
        Effect::ContactUpdated { contact: of, changed } if of == contact => changed.get(name),
        _ => None,
    });
    changes.any(|(before, _)| before.as_ref() == value)
}

/// Whose effect it is: the person of its contact, as far as it can be told.
fn owner(case: &Case<'_>, call: &Call, effect: &Effect) -> Option<usize> {
    match effect {
        Effect::ContactCreated { email, .. } => case.owners.of_email(email.as_deref()?),
        Effect::ContactUpdated { contact: id, .. } | Effect::TaskCreated { contact: Some(id), .. } => {
            let has = |person: &usize| case.ends.iter().any(|end| end.contacts[*person].iter().any(|c| c.id == *id));
            (0..case.people.len()).find(has)
        }
        Effect::TicketCreated { ticket, .. } | Effect::TicketUpdated { ticket } => {
            let has = |person: &usize| case.ends.iter().any(|end| end.tickets[*person].iter().any(|t| t.id == *ticket));
            (0..case.people.len()).find(has)
        }
        Effect::Declared { .. } => declared::people(case, effect, call).into_iter().next(),
        Effect::TaskCreated { contact: None, .. }
        | Effect::SessionOpened { .. }
        | Effect::SubscriptionCanceled { .. }
        | Effect::AlertRaised { .. } => None,
    }
}
