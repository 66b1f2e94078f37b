//! Which anomaly explains what is wrong with one customer: the criterion says what, the history says how it came about.
//!
//! Where several names would fit, the first of these that the evidence supports is the one (what had to happen before comes
//! before what follows from it):
//!
//! 1. *premature*: access is open and the story never gives it, or the status is right and nobody has paid for it.
//! 2. *unbounded redelivery*: an owed event was never acknowledged, and each attempt that came through whole was answered,
//!    but not by 2xx. *lost*: it was never acknowledged for another reason (it never arrived; nobody fetched it).
//! 3. *lost*: by its own count the service holds fewer events than it acknowledged.
//! 4. *poisoned*: of an acknowledged event nothing is to be seen, and before its first acknowledgement came a delivery with
//!    its id that had to be refused. A failed attempt of the genuine one is none: what follows from that is lost.
//! 5. *orphan*: the app knows the customer, but not whose it is: status and plan are right and access never opened; or the
//!    event that completes the Checkout, which tells the person, never came; or an effect is missing and one is nobody's.
//! 6. *resurrected*: the story ended the access and the ending event was acknowledged; after that a probe found it ended, or
//!    an event from before the end was acknowledged; yet it is live.
//! 7. *stale*: the state is the one after an earlier event of the story, and a snapshot of that time was in a race with a
//!    newer one of the same kind of object: it was answered after that one had come, or both are of one second.
//! 8. *lost*: whatever else is missing. Without a race no order of events explains it.
//!
//! Must not know: which criterion asks, what a service does inside.

use super::{
    anomaly::Anomaly,
    case::{Case, Chain, EndState, Fate, Owed, is_genuine},
    effect::{self, Took},
};
use crate::{
    history::{
        lookup::Sent,
        record::{Outcome, Probe, RunPhase},
    },
    id::EventId,
    plan::model::{Delivery, Phase, Reaction, Turn},
    scenario::transport::{Transport, Treatment},
    stripe::recording::{Access, Expectation},
};
use serde_json::Value;

/// Statuses of a subscription that nobody has paid for.
const UNPAID: [&str; 5] = ["incomplete", "incomplete_expired", "past_due", "unpaid", "paused"];

/// Statuses that nothing comes back from.
const ENDED: [&str; 2] = ["canceled", "incomplete_expired"];

/// What explains the wrong state of a customer at the end of a phase.
pub(super) fn state(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Anomaly {
    let probe = effect::reading(case, chain, end).ok();
    let held = Held::of(probe.map(|probe| probe.what));
    let truth = chain.end();
    if held.open && truth.is_some_and(|truth| nobody_paid(truth, held.status)) {
        return Anomaly::Premature;
    }
    if let Some(anomaly) = unheard(case, chain).or_else(|| not_held(case)) {
        return anomaly;
    }
    let Some(truth) = truth else { return Anomaly::Lost };
    let turns: Vec<&Turn> = chain.links.iter().flat_map(|link| &link.turns).collect();
    let like_held: Vec<bool> = turns.iter().map(|turn| held.fits(&turn.right, truth)).collect();
    // What came after the last turn that fits is what has no effect; all of it where none fits.
    let applied = like_held.iter().rposition(|fits| *fits).map_or(0, |at| at + 1);
    if turns[applied..].iter().any(|turn| poisoned(case, &turn.event)) {
        return Anomaly::Poisoned;
    }
    let right = held.status == truth.status && held.plan == truth.plan && effect::opened(case, chain).is_none();
    if truth.access.is_open() && !held.open && held.known && (right || untold(case, chain)) {
        return Anomaly::Orphan;
    }
    let events: Vec<&EventId> = turns.iter().map(|turn| &turn.event).collect();
    let races = Races::new(case, end.phase, &events);
    if !truth.access.is_open() && held.live(truth) && revived(case, chain, end, &turns, &races) {
        return Anomaly::Resurrected;
    }
    let pairs = (0..turns.len()).flat_map(|older| (older + 1..turns.len()).map(move |newer| (older, newer)));
    let mut pairs = pairs.filter(|(older, newer)| like_held[*older] && !like_held[*newer]);
    if pairs.any(|(older, newer)| races.of_a_kind(older, newer)) { Anomaly::Stale } else { Anomaly::Lost }
}

/// What explains that an effect for a person (contact, ticket, task) is not there.
pub(super) fn missing(case: &Case<'_>, person: usize, end: Option<&EndState<'_>>) -> Anomaly {
    let chains = || case.people[person].chains.iter().map(|at| &case.chains[*at]);
    let unheard = chains().find_map(|chain| unheard(case, chain));
    if let Some(anomaly) = unheard.or_else(|| not_held(case)) {
        return anomaly;
    }
    if case.events.iter().any(|event| case.chains[event.chain].person == person && poisoned(case, event.id)) {
        return Anomaly::Poisoned;
    }
    match end {
        Some(end) if of_nobody(case, end) || chains().any(|chain| is_untold(case, chain, end)) => Anomaly::Orphan,
        Some(end) => chains().find_map(|chain| wrong_state(case, chain, end)).unwrap_or(Anomaly::Lost),
        None => Anomaly::Lost,
    }
}

/// What explains that a customer's end is wrong in whatever way; `None` when it is right or cannot be read.
pub(super) fn customer(case: &Case<'_>, chain: &Chain<'_>) -> Option<Anomaly> {
    let at_end = |end| wrong_state(case, chain, end).or_else(|| wrong_effects(case, chain, end));
    case.ends.iter().find_map(at_end)
}

/// What explains that an owed event is not good: it was never heard of, or the customer's end is wrong.
pub(super) fn event(case: &Case<'_>, event: &Owed<'_>) -> Anomaly {
    match event.fate {
        Fate::Acked | Fate::Open => customer(case, &case.chains[event.chain]).unwrap_or(Anomaly::Lost),
        Fate::GivenUp | Fate::Undelivered => never_acked(case, event),
    }
}

fn wrong_state(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Option<Anomaly> {
    let truth = chain.end()?;
    let parts = [effect::access(case, chain, end, truth.access.is_open()), effect::state(case, chain, end, truth)];
    parts.iter().any(|part| matches!(part, Took::No(..))).then(|| state(case, chain, end))
}

fn wrong_effects(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> Option<Anomaly> {
    let counts = [effect::contact_count(case, chain, end), effect::ticket_count(case, chain, end)];
    counts.into_iter().flatten().find_map(|count| match count {
        (found, least, most) if (least..=most).contains(&found) => None,
        (_, _, 0) => Some(Anomaly::Premature),
        (found, _, most) if found > most => Some(Anomaly::Duplicate),
        _ => Some(missing(case, chain.person, Some(end))),
    })
}

/// Whether open access, with this status, is paid by nobody.
fn nobody_paid(truth: &Expectation, status: &str) -> bool {
    match truth.access {
        Access::None => true,
        Access::Revoked => status == truth.status && UNPAID.contains(&status),
        Access::Granted => false,
    }
}

/// An owed event of this customer that was never acknowledged, by its anomaly.
pub(super) fn unheard(case: &Case<'_>, chain: &Chain<'_>) -> Option<Anomaly> {
    let mine = case.events.iter().filter(|event| event.chain == chain.at);
    let never = mine.filter(|event| matches!(event.fate, Fate::GivenUp | Fate::Undelivered));
    never.map(|event| never_acked(case, event)).min()
}

/// Lost, when the service itself says that it lacks events that it acknowledged.
pub(super) fn not_held(case: &Case<'_>) -> Option<Anomaly> {
    case.not_stored.filter(|(missing, _)| *missing > 0).map(|_| Anomaly::Lost)
}

fn never_acked(case: &Case<'_>, event: &Owed<'_>) -> Anomaly {
    let attempts = event.deliveries.iter().flat_map(|d| case.seen.sent(&d.id).iter().map(move |sent| (*d, sent)));
    let whole: Vec<&Sent<'_>> = attempts.filter(|(d, sent)| came_whole(d, sent)).map(|(_, sent)| sent).collect();
    let answered = |sent: &&Sent<'_>| sent.reply.is_some_and(|reply| reply.what.status.is_some());
    match !whole.is_empty() && whole.iter().all(answered) {
        true => Anomaly::UnboundedRedelivery,
        false => Anomaly::Lost,
    }
}

/// Whether an attempt arrived as it should be, so that accepting it was right.
fn came_whole(delivery: &Delivery, sent: &Sent<'_>) -> bool {
    let way = delivery.on_the_way(sent.attempt.what.attempt);
    let sound = way.is_none_or(|how| how.treatment() == Treatment::Accept);
    // A connection that nobody took (the service is down) is refused without a status.
    let taken = sent.reply.is_some_and(|reply| reply.what.status.is_some() || reply.what.outcome != Outcome::Refused);
    sound && taken && !sent.attempt.what.dropped
}

/// Whether, before an event was first acknowledged, something with its id came that had to be refused.
pub(super) fn poisoned(case: &Case<'_>, event: &EventId) -> bool {
    let Some(acked) = acked_sends(case, event, RunPhase::QuietAfterReplay).iter().map(|(left, _)| *left).min() else {
        return false;
    };
    case.deliveries_of(event).iter().any(|delivery| {
        let bad = |sent: &&Sent<'_>| {
            let way = delivery.on_the_way(sent.attempt.what.attempt);
            let broken = matches!(way, Some(Transport::Truncated | Transport::InvalidUtf8));
            (delivery.expect == Reaction::Refuse || broken) && !sent.attempt.what.dropped
        };
        case.seen.sent(&delivery.id).iter().filter(bad).any(|sent| sent.attempt.n < acked)
    })
}

/// Whether the end of a story took effect, or could have, and something from before it came afterwards.
fn revived(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>, turns: &[&Turn], races: &Races) -> bool {
    let last_open = turns.iter().rposition(|turn| turn.right.access.is_open());
    let Some(ending) = last_open.map(|at| at + 1).filter(|at| *at < turns.len()) else { return false };
    let Some((_, answered)) = acked_sends(case, &turns[ending].event, end.phase).into_iter().min() else {
        return false;
    };
    let probes = chain.links.iter().flat_map(|link| case.seen.probes(&link.id));
    let mut closed = probes.filter(|probe| probe.n > answered && probe.what.access == Some(false));
    let terminal = chain.end().is_some_and(|truth| ENDED.contains(&truth.status.as_str()));
    let late = || (0..ending).any(|older| races.overtaken(older, ending));
    closed.any(|probe| end.ledger.is_none_or(|ledger| probe.n < ledger.n)) || (terminal && late())
}

/// Whether the app knows a customer of whom the Checkout's own event never told.
fn is_untold(case: &Case<'_>, chain: &Chain<'_>, end: &EndState<'_>) -> bool {
    untold(case, chain) && effect::reading(case, chain, end).is_ok_and(|probe| probe.what.known == Some(true))
}

/// Whether the event that completes the Checkout, and says whose it is, never arrived.
fn untold(case: &Case<'_>, chain: &Chain<'_>) -> bool {
    let arrived = |sent: &Sent<'_>| !sent.attempt.what.dropped;
    let came = |event: &EventId| {
        let sent = case.deliveries_of(event).iter().filter(|d| is_genuine(d)).flat_map(|d| case.seen.sent(&d.id));
        sent.into_iter().any(arrived)
    };
    chain.links.iter().filter_map(|link| link.completes_with.as_ref()).any(|event| !came(event))
}

/// Whether the CRM or the desk holds something of the service that belongs to no customer of this run.
fn of_nobody(case: &Case<'_>, end: &EndState<'_>) -> bool {
    let Some(ledger) = end.ledger else { return false };
    let contacts = ledger.contacts.iter().filter(|contact| !contact.given);
    let mut contacts = contacts.filter(|contact| case.owners.of_contact(contact).is_empty());
    contacts.next().is_some() || ledger.tickets.iter().any(|ticket| case.owners.of_ticket(ticket).is_none())
}

/// Attempts of an event that were acknowledged until the end of a phase: records of attempt and reply.
pub(super) fn acked_sends(case: &Case<'_>, event: &EventId, until: RunPhase) -> Vec<(u64, u64)> {
    let counts = |delivery: &&&Delivery| {
        is_genuine(delivery) && (delivery.phase == Phase::Faults || until == RunPhase::QuietAfterReplay)
    };
    let sent = case.deliveries_of(event).iter().filter(counts).flat_map(|delivery| case.seen.sent(&delivery.id));
    let acked = sent.filter_map(|sent| {
        let reply = sent.reply.filter(|reply| reply.what.outcome == Outcome::Acked)?;
        Some((sent.attempt.n, reply.n))
    });
    acked.collect()
}

/// What the app holds of a customer.
struct Held<'a> {
    known: bool,
    open: bool,
    status: &'a str,
    plan: &'a str,
}

impl<'a> Held<'a> {
    fn of(probe: Option<&'a Probe>) -> Self {
        let word = |field: Option<&'a String>| field.map(String::as_str).filter(|f| !f.is_empty()).unwrap_or("none");
        Self {
            known: probe.is_some_and(|probe| probe.known == Some(true)),
            open: probe.is_some_and(|probe| probe.access == Some(true)),
            status: word(probe.and_then(|probe| probe.status.as_ref())),
            plan: word(probe.and_then(|probe| probe.plan.as_ref())),
        }
    }

    /// Whether it is what was right at another time, in all that is not right now.
    fn fits(&self, then: &Expectation, now: &Expectation) -> bool {
        let fields = [
            (self.open == now.access.is_open(), self.open == then.access.is_open()),
            (self.status == now.status, self.status == then.status),
            (self.plan == now.plan, self.plan == then.plan),
        ];
        fields.iter().any(|(right, _)| !right) && fields.iter().all(|(right, fits)| *right || *fits)
    }

    /// Whether what should have ended is live.
    fn live(&self, truth: &Expectation) -> bool {
        let ended = |status: &str| ENDED.contains(&status) || status == "none";
        self.open || (ENDED.contains(&truth.status.as_str()) && !ended(self.status))
    }
}

/// Which events of a customer came out of order, or cannot be told apart by their time.
pub(super) struct Races {
    /// Of each turn: first acknowledged attempt, last acknowledging reply.
    sent: Vec<Option<(u64, u64)>>,
    /// Of each turn: second in which Stripe made it, kind of object that it shows.
    said: Vec<Option<(i64, String)>>,
}

impl Races {
    pub(super) fn new(case: &Case<'_>, until: RunPhase, events: &[&EventId]) -> Self {
        let sent = |event: &&EventId| {
            let sends = acked_sends(case, event, until);
            Some((sends.iter().map(|(left, _)| *left).min()?, sends.iter().map(|(_, answered)| *answered).max()?))
        };
        let said = |event: &&EventId| {
            let genuine = case.deliveries_of(event).iter().find(|delivery| is_genuine(delivery))?;
            let body: Value = serde_json::from_str(case.plan.bodies.get(&genuine.body)?).ok()?;
            let object = body.pointer("/data/object/object").and_then(Value::as_str)?;
            Some((body.get("created")?.as_i64()?, object.to_owned()))
        };
        Self { sent: events.iter().map(sent).collect(), said: events.iter().map(said).collect() }
    }

    /// Whether the older one was answered after the newer one had left.
    pub(super) fn overtaken(&self, older: usize, newer: usize) -> bool {
        match (self.sent[older], self.sent[newer]) {
            (Some((_, answered)), Some((left, _))) => answered > left,
            (None, _) | (_, None) => false,
        }
    }

    /// Whether two snapshots of one kind of object raced.
    pub(super) fn of_a_kind(&self, older: usize, newer: usize) -> bool {
        match (&self.said[older], &self.said[newer]) {
            (Some((one, kind)), Some((other, same))) => kind == same && (one == other || self.overtaken(older, newer)),
            // Without bodies the order alone has to do.
            (None, _) | (_, None) => self.overtaken(older, newer),
        }
    }
}
