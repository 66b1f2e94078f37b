//! Deliveries: how many owed events arrived and took effect, how many were lost, how many were acknowledged in vain.
//!
//! Several deliveries of one event are one event. An indefinite attempt is neither acknowledged nor refused.
//! Must not know: what an event means.

use super::{
    anomaly::Anomaly,
    case::{Case, Fate, Owed},
    diagnosis,
    effect::{self, Took},
    finding::{Finding, exceeds},
    sample, words,
};
use crate::scenario::criterion::Bound;
use std::collections::{BTreeMap, BTreeSet};

/// Owed events that were acknowledged and took effect, as a share.
pub(super) fn success_rate(case: &Case<'_>, above: f64) -> Finding {
    let percent = words_percent(above);
    let finding = Finding::expecting(format!(
        "more than {percent} of the owed events acknowledged and in effect, with 95 % confidence"
    ));
    if case.events.is_empty() {
        return finding.seeing("no owed event").inconclusive("the plan owes no event, so there is no share of them");
    }
    let ends: Vec<Took> = case.chains.iter().map(|chain| effect::took(case, chain)).collect();
    let good = |event: &&Owed<'_>| heard(event, &ends[event.chain]) && !matches!(ends[event.chain], Took::No(..));
    let (ok, bad): (Vec<_>, Vec<_>) = case.events.iter().partition(|event| good(event));
    let (n, lost) = (case.events.len() as u64, bad.len() as u64);
    let seen = format!(
        "{} of {} ({}); at least {} with 95 % confidence{}",
        ok.len(),
        words::count(case.events.len(), "event"),
        words_percent(ok.len() as f64 / n as f64),
        words_percent(sample::lower_bound(n, lost)),
        by_acks(case),
    );
    let first = bad.first().map(|event| event.chain);
    let finding = finding
        .seeing(seen)
        .named(named(case, &bad))
        .evidence(bad.iter().flat_map(|event| shown(case, event, &ends[event.chain])));
    let given_up = bad.iter().filter(|event| event.fate == Fate::GivenUp).count() as f64;
    if (n as f64 - given_up) / (n as f64) < above {
        let why = format!("{given_up} of {n} events were never acknowledged and the sender gave up");
        return finding.about(person(case, first)).fail(why);
    }
    if (n - lost) as f64 / (n as f64) < above {
        let why = format!("{lost} of {n} events failed: {}", reasons(case, &bad, &ends));
        return finding.about(person(case, first)).fail_if_whole(case, why);
    }
    if let Some(why) = unreadable(case, &ends) {
        return finding.inconclusive(why);
    }
    if sample::shows_above(n, lost, above) {
        return finding.pass_if_whole(case, format!("{lost} of {n} events failed, few enough to show it"));
    }
    finding.inconclusive(match sample::needed(lost, above) {
        Some(needed) => {
            format!("too few events to tell: with {lost} failed it needs at least {needed} events, here are {n}")
        }
        None => "no number of events can show this much; ask for `events_lost = { exactly = 0 }` instead".to_owned(),
    })
}

/// Owed events that were never acknowledged.
pub(super) fn events_lost(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} lost", words::bound(bound, "event")));
    if case.events.is_empty() {
        return finding.seeing("no owed event").inconclusive("the plan owes no event, so none could be lost");
    }
    let ends: Vec<Took> = case.chains.iter().map(|chain| effect::took(case, chain)).collect();
    let is_lost = |event: &&Owed<'_>| event.fate != Fate::Open && !heard(event, &ends[event.chain]);
    let lost: Vec<&Owed<'_>> = case.events.iter().filter(is_lost).collect();
    let fetched = case.events.iter().filter(|event| event.fate == Fate::Undelivered).count();
    let unread = case
        .events
        .iter()
        .any(|event| event.fate == Fate::Undelivered && matches!(ends[event.chain], Took::Unreadable(_)));
    let open = case.events.iter().filter(|event| event.fate == Fate::Open).count();
    let unfinished = if open > 0 { format!(", {open} not finished") } else { String::new() };
    let gone = lost.iter().filter(|event| event.fate == Fate::Undelivered).count();
    let acked = case.events.len() - lost.len() - open - (fetched - gone);
    let by_asking = if fetched > gone { format!(", {} fetched", fetched - gone) } else { String::new() };
    let seen = format!(
        "{}: {acked} acknowledged{by_asking}, {} lost{unfinished}",
        words::count(case.events.len(), "owed event"),
        lost.len()
    );
    if unread {
        let why = "whether an event that never arrived was fetched shows in its effect, which could not be read";
        return finding.seeing(seen).inconclusive(case.gap.clone().unwrap_or_else(|| why.to_owned()));
    }
    finding
        .seeing(seen)
        .evidence(lost.iter().flat_map(|event| last_attempts(case, event)))
        .about(person(case, lost.first().map(|event| event.chain)))
        .named(named(case, &lost))
        .counted(case, bound, lost.len() as u64, "events were never acknowledged until the sender gave up")
}

/// Acknowledged events whose effect is missing at the end.
pub(super) fn acked_without_effect(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} acknowledged without its effect", words::bound(bound, "event")));
    if case.nothing_is_written() {
        let why = "no story says what is right at the end (imported traffic), so effects cannot be judged";
        return finding.seeing("no written truth").inconclusive(why);
    }
    let ends: Vec<Took> = case.chains.iter().map(|chain| effect::took(case, chain)).collect();
    let acked: Vec<&Owed<'_>> = case.events.iter().filter(|event| event.fate == Fate::Acked).collect();
    if acked.is_empty() {
        return finding.seeing("no acknowledged event").inconclusive("no event was acknowledged, so none in vain");
    }
    let vain: Vec<&Owed<'_>> = acked.iter().copied().filter(|e| matches!(ends[e.chain], Took::No(..))).collect();
    let missing = effect::not_stored(case);
    // An event that was not stored mostly lacks its effect too: counting both would count it twice.
    let count = (vain.len() as u64).max(missing.map_or(0, |(missing, _)| missing));
    let stored = missing.map_or(String::new(), |(missing, _)| format!(", {missing} not stored"));
    let seen = format!(
        "{}: {} of customers whose end is wrong{stored}",
        words::count(acked.len(), "acknowledged event"),
        vain.len()
    );
    let finding = finding
        .seeing(seen)
        .evidence(vain.iter().flat_map(|event| shown(case, event, &ends[event.chain])))
        .evidence(missing.filter(|(missing, _)| *missing > 0).map(|(_, n)| n))
        .about(person(case, vain.first().map(|event| event.chain)))
        .named(named(case, &vain));
    if exceeds(bound, count) {
        let why = match vain.is_empty() {
            true => "the service acknowledged more events than it stored".to_owned(),
            false => reasons(case, &vain, &ends),
        };
        return finding.fail_if_whole(case, why);
    }
    if let Some(why) = unreadable(case, &ends) {
        return finding.inconclusive(why);
    }
    finding.counted(case, bound, count, "acknowledged events lack their effect")
}

/// Whether the service has an event: it acknowledged it, or it fetched one that never arrived, which its effect shows.
fn heard(event: &Owed<'_>, end: &Took) -> bool {
    match event.fate {
        Fate::Acked => true,
        Fate::Undelivered => matches!(end, Took::Yes | Took::Unreadable(_)),
        Fate::GivenUp | Fate::Open => false,
    }
}

fn person(case: &Case<'_>, chain: Option<usize>) -> Option<usize> {
    chain.map(|chain| case.chains[chain].person)
}

/// What the failure of each of these events is called.
fn named(case: &Case<'_>, bad: &[&Owed<'_>]) -> Vec<(Anomaly, Option<usize>)> {
    // The events of one customer that arrived share its end, and so its name.
    let mut ends: BTreeMap<usize, Anomaly> = BTreeMap::new();
    let name = |event: &&Owed<'_>| {
        let anomaly = match event.fate {
            Fate::Acked => *ends.entry(event.chain).or_insert_with(|| diagnosis::event(case, event)),
            Fate::GivenUp | Fate::Undelivered | Fate::Open => diagnosis::event(case, event),
        };
        (anomaly, person(case, Some(event.chain)))
    };
    bad.iter().map(name).collect()
}

fn by_acks(case: &Case<'_>) -> String {
    let unsaid = case.events.iter().filter(|event| case.chains[event.chain].end().is_none()).count();
    match unsaid {
        0 => String::new(),
        n if n == case.events.len() => ", by acknowledgements alone: no story says what is right".to_owned(),
        n => format!(", {n} of them by acknowledgements alone: their story does not say what is right"),
    }
}

fn unreadable(case: &Case<'_>, ends: &[Took]) -> Option<String> {
    let whys = case.events.iter().filter_map(|event| match &ends[event.chain] {
        Took::Unreadable(why) => Some(why),
        Took::Yes | Took::No(..) | Took::Unsaid => None,
    });
    whys.into_iter().next().map(|why| case.gap.clone().unwrap_or_else(|| why.clone()))
}

/// Why these events are bad: customers with a wrong end, then events that never arrived.
fn reasons(case: &Case<'_>, bad: &[&Owed<'_>], ends: &[Took]) -> String {
    let chains: BTreeSet<usize> = bad.iter().map(|event| event.chain).collect();
    let wrong = chains.iter().filter_map(|chain| match &ends[*chain] {
        Took::No(what, _) => Some(format!("{}: {what}", case.chains[*chain].words())),
        Took::Yes | Took::Unreadable(_) | Took::Unsaid => None,
    });
    let unheard = bad.iter().filter(|event| event.fate != Fate::Acked);
    let unheard = unheard.map(|event| format!("{} was never acknowledged", event.id));
    words::few(&wrong.chain(unheard).collect::<Vec<_>>())
}

fn shown(case: &Case<'_>, event: &Owed<'_>, end: &Took) -> Vec<u64> {
    match end {
        Took::No(_, records) if event.fate == Fate::Acked => records.clone(),
        Took::No(..) | Took::Yes | Took::Unreadable(_) | Took::Unsaid => last_attempts(case, event),
    }
}

/// The last record of each delivery of an event.
fn last_attempts(case: &Case<'_>, event: &Owed<'_>) -> Vec<u64> {
    let last = event.deliveries.iter().filter_map(|delivery| case.seen.sent(&delivery.id).last());
    last.map(|sent| sent.reply.map_or(sent.attempt.n, |reply| reply.n)).collect()
}

/// A share as per cent, never rounded up to a rounder number than it is.
fn words_percent(share: f64) -> String {
    let text = format!("{:.2}", (share * 10_000.0 + 1e-6).floor() / 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::words_percent;

    #[test]
    fn per_cents_are_rounded_down() {
        let texts = [1.0, 0.99, 0.99999, 0.5, 0.0, 0.0375].map(words_percent);
        assert_eq!(texts, ["100 %", "99 %", "99.99 %", "50 %", "0 %", "3.75 %"]);
    }
}
