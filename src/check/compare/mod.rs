//! The oracle without expectations: each customer must end as one of the same story to whom nothing went wrong.
//!
//! Two people lived through each story without faults. In what those two differ nobody is held to it; in the rest everybody
//! must be as they are: what the app answers of a customer, contacts and tickets with all their fields, and how often each
//! other effect was had. Writes that only repeat or correct others are not counted: where they lead to is compared.
//! Must not know: targets, what a story means.

mod held;
mod mask;
mod names;
mod shape;
mod story;

use self::{
    held::{Held, Lists, answer, held},
    mask::{Difference, Known, Mask, Why, differences as differ, leaves, mask, visible},
    names::Names,
    shape::{Times, payload_times},
    story::{Other, Turn, older_values, turns},
};
use super::{
    anomaly::Anomaly,
    case::{Case, Chain, Clean, EndState, Person, is_genuine},
    finding::{Finding, exceeds},
    words,
};
use crate::{
    history::record::{Outcome, RunPhase},
    id::{EventId, InstanceId},
    plan::{clean::Pair, model::Instance},
    scenario::criterion::Bound,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Places that a verdict names as not compared, at most.
const MOST_PLACES: usize = 8;

/// What is different, for one person.
struct Wrong {
    what: String,
    anomaly: Anomaly,
    person: usize,
    evidence: Vec<u64>,
    /// Something is there that must not be: evidence even when the run has a gap.
    positive: bool,
}

/// What was compared in a run.
#[derive(Default)]
struct Compared {
    wrong: Vec<Wrong>,
    people: usize,
    /// Values that were compared, of all pairs together.
    values: usize,
    /// Contacts, tickets and other effects of the clean people.
    effects: usize,
    places: BTreeMap<String, Why>,
    /// Why somebody could not be compared.
    lacking: Vec<String>,
    /// Events that were refused even without faults.
    refused: BTreeSet<String>,
}

/// Differences between those to whom something went wrong and those to whom nothing did.
pub(super) fn differences(case: &Case<'_>, bound: Bound, ignored: &[String]) -> Finding {
    let expected = format!("{} from what a clean delivery leads to", words::bound(bound, "difference"));
    let finding = Finding::expecting(expected);
    let Some(clean) = &case.clean else {
        return finding
            .seeing("nothing to compare with")
            .inconclusive("the plan has no clean part; run it again with `--compare clean`");
    };
    if case.seen.began(RunPhase::Faults).is_none() {
        let why = case.gap.clone().unwrap_or_else(|| "the run never got beyond its clean part".to_owned());
        return finding.seeing("no clean delivery that came to its end").inconclusive(why);
    }
    let mut all = Compared::default();
    for left_out in &clean.plan.left_out {
        all.lacking.push(format!("{} cannot be compared: {}", left_out.person, left_out.why));
    }
    for pair in &clean.plan.pairs {
        match Standard::new(case, clean, pair, ignored) {
            Some(standard) => standard.hold_against(&mut all),
            None => all.lacking.push(format!("the people without faults of {} are not in the plan", pair.one)),
        }
    }
    strangers(case, clean, &mut all);
    judged(case, finding, bound, &all, clean.plan.pairs.len())
}

fn judged(case: &Case<'_>, finding: Finding, bound: Bound, all: &Compared, pairs: usize) -> Finding {
    let differing: BTreeSet<usize> =
        all.wrong.iter().map(|wrong| wrong.person).filter(|at| *at < case.people.len()).collect();
    let places: Vec<String> =
        all.places.iter().take(MOST_PLACES).map(|(path, why)| format!("{path} ({})", why.word())).collect();
    let more = all.places.len().saturating_sub(MOST_PLACES);
    let not_compared = match (places.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("; not compared: {}", places.join(", ")),
        (false, more) => format!("; not compared: {} and {more} more", places.join(", ")),
    };
    let refused: Vec<&str> = all.refused.iter().map(String::as_str).collect();
    let refused = if refused.is_empty() {
        String::new()
    } else {
        format!("; refused even without faults: {}", refused.join(", "))
    };
    let seen = format!(
        "{} held against {}: {} with {}; {} and {} compared{not_compared}{refused}",
        words::count(all.people, "customer"),
        words::count(pairs * 2, "clean one"),
        differing.len(),
        words::count(all.wrong.len(), "difference"),
        words::count(all.values, "value"),
        words::count(all.effects, "effect"),
    );
    let named = all.wrong.iter().map(|wrong| (wrong.anomaly, Some(wrong.person).filter(|at| *at < case.people.len())));
    let evidence = all.wrong.iter().flat_map(|wrong| wrong.evidence.clone());
    let finding = finding.seeing(seen).named(named).evidence(evidence);
    let texts: Vec<String> = all.wrong.iter().map(|wrong| wrong.what.clone()).collect();
    let positive = all.wrong.iter().filter(|wrong| wrong.positive).count() as u64;
    let count = all.wrong.len() as u64;
    if exceeds(bound, positive) {
        return finding.fail(words::few(&texts));
    }
    if exceeds(bound, count) {
        return finding.fail_if_whole(case, words::few(&texts));
    }
    if all.values == 0 && all.effects == 0 {
        let nothing = "the clean deliveries left nothing that could be compared: no answer of the app that stays the same, no effect";
        let why = all.lacking.first().cloned().unwrap_or_else(|| nothing.to_owned());
        return finding.inconclusive(case.gap.clone().unwrap_or(why));
    }
    match all.lacking.is_empty() {
        true => finding.counted(case, bound, count, "differences from the clean delivery"),
        false => finding.inconclusive(case.gap.clone().unwrap_or_else(|| words::few(&all.lacking))),
    }
}

/// What two people without faults ended with: what others of their kind are held to.
struct Standard<'c, 'a> {
    case: &'c Case<'a>,
    clean: &'c Clean<'a>,
    pair: &'c Pair,
    one: &'c Person<'a>,
    held: [Held<'a>; 2],
    /// Bodies of the first one's events, by story and place.
    bodies: BTreeMap<(String, usize), Value>,
    ignored: &'c [String],
    known: Known,
    /// The first one's names, where several stand for one.
    own_names: Names,
    /// The second one's names.
    other_names: Names,
}

impl<'c, 'a> Standard<'c, 'a> {
    fn new(case: &'c Case<'a>, clean: &'c Clean<'a>, pair: &'c Pair, ignored: &'c [String]) -> Option<Self> {
        let find =
            |id: &InstanceId| clean.people.iter().position(|person| person.instances.iter().any(|i| i.person == *id));
        let (one, other) = (find(&pair.one)?, find(&pair.other)?);
        let bodies = bodies(case, clean, &clean.people[one]);
        let mut payload = BTreeSet::new();
        bodies.values().for_each(|body| payload_times(body, &mut payload));
        let events = clean.people[one].instances.iter().filter_map(|i| clean.plan.events.get(&i.id)).flatten();
        let known = Known { events: events.map(ToString::to_string).collect(), times: Times::new(span(case), payload) };
        let other_names = names(case, clean, (&clean.people[other], &clean.people[one]), &bodies);
        let of = |at: usize, names: &Names| {
            held(case, (&clean.people[at], case.people.len() + at), &clean.chains, &clean.end, names)
        };
        let own_names = names(case, clean, (&clean.people[one], &clean.people[one]), &bodies);
        let held = [of(one, &own_names), of(other, &other_names)];
        Some(Self { case, clean, pair, one: &clean.people[one], held, bodies, ignored, known, own_names, other_names })
    }

    fn hold_against(&self, all: &mut Compared) {
        self.tell_refused(all);
        let masks = self.masks(all);
        for id in &self.pair.people {
            let mine = |person: &Person<'_>| person.instances.iter().any(|instance| instance.person == *id);
            let Some(at) = self.case.people.iter().position(mine) else { continue };
            all.people += 1;
            let names = names(self.case, self.clean, (&self.case.people[at], self.one), &self.bodies);
            let mut ends = self.case.ends.iter();
            let first_only = self.pair.brought_by_replay && !self.pair.without.is_empty();
            let before = all.wrong.len();
            while let Some(end) = ends.next().filter(|_| all.wrong.len() == before) {
                self.compare(all, &masks, (at, &names), end);
                if first_only {
                    break;
                }
            }
        }
    }

    /// Without faults an event should be taken; what is not, nobody gets.
    fn tell_refused(&self, all: &mut Compared) {
        let mine = |id: &InstanceId| self.one.instances.iter().any(|instance| instance.id == *id);
        for delivery in self.clean.plan.deliveries.iter().filter(|delivery| mine(&delivery.instance)) {
            let sent = self.case.seen.sent(&delivery.id);
            let acked = sent.iter().any(|s| s.reply.is_some_and(|reply| reply.what.outcome == Outcome::Acked));
            let last = sent.last().and_then(|s| s.reply).and_then(|reply| reply.what.status);
            if !acked {
                let with = last.map_or("no answer".to_owned(), |status| status.to_string());
                all.refused.insert(format!("{} ({with})", delivery.event_type));
            }
        }
    }

    /// What of each part is compared.
    fn masks(&self, all: &mut Compared) -> Masks<'a> {
        let [one, other] = &self.held;
        let chains: Vec<&Chain<'a>> = self.one.chains.iter().filter_map(|at| self.clean.chains.get(*at)).collect();
        let mut states = Vec::new();
        for (chain, readings) in chains.iter().zip(one.states.iter().zip(&other.states)) {
            let (Ok(a), Ok(b)) = readings else {
                let why = readings.0.as_ref().err().or(readings.1.as_ref().err());
                states.push(Err(why.cloned().unwrap_or_default()));
                continue;
            };
            let whole = [a, b].iter().all(|probe| probe.what.answer.is_some() || probe.what.known == Some(false));
            let (a, b) = (self.own_names.value(&answer(a.what, whole)), self.other_names.value(&answer(b.what, whole)));
            let label = if chains.len() > 1 { format!("${}", story_of(chain)) } else { "$".to_owned() };
            let masked = mask(&a, &b, &self.known).ignoring("$", self.ignored);
            masked.places(&label, &mut all.places);
            let clean = visible(&a, &masked);
            all.values += leaves(&clean);
            let turns = turns(self.case, chain, &self.own_names, (&masked, whole));
            states.push(Ok(StateMask { label, mask: masked, clean, whole, turns }));
        }
        let lists = match (&one.lists, &other.lists) {
            (Some(a), Some(b)) => {
                let part = |label: &str, a: &Value, b: &Value, all: &mut Compared| {
                    let masked = mask(a, b, &self.known).ignoring(label, &self.ignored_entries(label));
                    masked.places(label, &mut all.places);
                    all.effects += a.as_array().map_or(0, Vec::len);
                    all.values += leaves(&visible(a, &masked));
                    masked
                };
                let contacts = part("contact", &a.contacts, &b.contacts, all);
                Some((contacts, part("ticket", &a.tickets, &b.tickets, all)))
            }
            _ => None,
        };
        let effects = self.effect_masks(all);
        Masks { states, lists, effects }
    }

    fn effect_masks(&self, all: &mut Compared) -> BTreeMap<String, (Value, Mask)> {
        let [one, other] = &self.held;
        let mut effects = BTreeMap::new();
        for label in one.effects.keys().chain(other.effects.keys()) {
            if let Some(ignored) = self.leaves_out(label) {
                all.places.insert(ignored.to_owned(), Why::Ignored);
                continue;
            }
            let told = |held: &Held<'_>| -> Value {
                held.effects.get(label).map_or_else(|| Value::Array(Vec::new()), |done| done.told.clone().into())
            };
            let (a, b) = (told(one), told(other));
            let masked = mask(&a, &b, &self.known).ignoring(label, &self.ignored_entries(label));
            masked.places(label, &mut all.places);
            if !matches!(masked, Mask::Nothing(_)) {
                all.effects += if effects.contains_key(label) { 0 } else { a.as_array().map_or(0, Vec::len) };
                effects.insert(label.clone(), (visible(&a, &masked), masked));
            }
        }
        effects
    }

    /// What says that an effect is not compared, in its own words: its name, or `task` for all of those.
    fn leaves_out(&self, label: &str) -> Option<&'c str> {
        let kind = label.split(" `").next().unwrap_or(label);
        self.ignored.iter().map(String::as_str).find(|ignored| *ignored == label || *ignored == kind)
    }

    /// `contact.note` means that field of every contact.
    fn ignored_entries(&self, label: &str) -> Vec<String> {
        let field = |path: &String| match path.strip_prefix(&format!("{label}.")) {
            Some(rest) => format!("{label}[*].{rest}"),
            None => path.clone(),
        };
        self.ignored.iter().map(field).collect()
    }

    fn compare(&self, all: &mut Compared, masks: &Masks<'a>, (at, names): (usize, &Names), end: &EndState<'a>) {
        let case = self.case;
        let person = &case.people[at];
        let found = held(case, (person, at), &case.chains, end, names);
        let chains = person.chains.iter().map(|at| &case.chains[*at]);
        for ((state, reading), chain) in masks.states.iter().zip(&found.states).zip(chains.clone()) {
            let (state, probe) = match (state, reading) {
                (Ok(state), Ok(probe)) => (state, probe),
                (Err(why), _) | (_, Err(why)) => {
                    if case.seen.able("access_probe") || case.seen.able("state_probe") {
                        all.lacking.push(why.clone());
                    }
                    continue;
                }
            };
            let value = names.value(&answer(probe.what, state.whole));
            let value = visible(&value, &state.mask);
            let wrong = differ(&state.clean, &value, "$");
            if wrong.is_empty() {
                continue;
            }
            let other = Other { case, chain, end, turns: &state.turns };
            let anomaly = other.state(&value, probe.what.access, &wrong);
            for difference in wrong {
                let told = Difference { path: difference.path.replacen('$', &state.label, 1), ..difference.clone() };
                all.wrong.push(Wrong {
                    what: format!("{}: {} {}", chain.words(), told.words(), end.words()),
                    anomaly,
                    person: at,
                    evidence: vec![probe.n],
                    positive: false,
                });
            }
        }
        let state = all.wrong.iter().rev().find(|wrong| wrong.person == at).map(|wrong| wrong.anomaly);
        let Some(chain) = chains.into_iter().next() else { return };
        let turns: Vec<Turn<'_>> = masks.states.iter().flatten().next().map_or_else(Vec::new, |s| s.turns.clone());
        let other = Other { case, chain, end, turns: &turns };
        self.lists(all, masks, (at, &found), (&other, state));
        self.effects(all, masks, (at, &found), &other);
    }

    /// Contacts and tickets: how many there are, then what they say.
    fn lists(
        &self,
        all: &mut Compared,
        masks: &Masks<'a>,
        (at, found): (usize, &Held<'a>),
        (other, state): (&Other<'_, '_>, Option<Anomaly>),
    ) {
        let (Some((contacts, tickets)), Some(is), Some(clean)) = (&masks.lists, &found.lists, &self.held[0].lists)
        else {
            if self.case.seen.able("crm") || self.case.seen.able("support") {
                all.lacking.push("the state of the doubles was not recorded".to_owned());
            }
            return;
        };
        let who = self.case.people[at].words();
        for (label, mask, is_value, clean_value) in
            [("contact", contacts, &is.contacts, &clean.contacts), ("ticket", tickets, &is.tickets, &clean.tickets)]
        {
            let count = |value: &Value| value.as_array().map_or(0, Vec::len);
            let (has, due) = (count(is_value), count(clean_value));
            if matches!(mask, Mask::Nothing(_)) {
                continue;
            }
            if has != due {
                let anomaly = match (has > due, due) {
                    (true, 0) => Anomaly::Premature,
                    (true, _) => Anomaly::Duplicate,
                    (false, _) => state.unwrap_or_else(|| other.missing()),
                };
                let clean = words::count(due, label);
                let what = format!("{who}: {}, clean: {clean} {}", words::count(has, label), other.end.words());
                let evidence = self.makers(is);
                all.wrong.push(Wrong { what, anomaly, person: at, evidence, positive: has > due });
                continue;
            }
            let wrong = differ(&visible(clean_value, mask), &visible(is_value, mask), label);
            let older = older_values(self.case, &clean.ids);
            for difference in wrong {
                let field = difference.path.rsplit('.').next().unwrap_or_default();
                let was = |(name, value): &(String, String)| {
                    name == field && difference.found == Some(Value::from(value.as_str()))
                };
                let anomaly = state.unwrap_or_else(|| other.contact(older.iter().any(was)));
                let what = format!("{who}: {} {}", difference.words(), other.end.words());
                all.wrong.push(Wrong { what, anomaly, person: at, evidence: vec![is.n], positive: false });
            }
        }
    }

    /// The calls that made what the doubles hold, then the record of the state.
    fn makers(&self, lists: &Lists) -> Vec<u64> {
        use crate::history::record::Effect;
        let made = |effect: &Effect| match effect {
            Effect::ContactCreated { contact: id, .. } | Effect::TicketCreated { ticket: id, .. } => {
                lists.ids.contains(id)
            }
            _ => false,
        };
        let calls = self.case.seen.calls.iter().filter(|call| call.what.effects.iter().any(made));
        calls.map(|call| call.n).chain([lists.n]).collect()
    }

    fn effects(&self, all: &mut Compared, masks: &Masks<'a>, (at, found): (usize, &Held<'a>), other: &Other<'_, '_>) {
        let who = self.case.people[at].words();
        let masked = |label: &String| all.places.contains_key(label) && !masks.effects.contains_key(label);
        let labels: BTreeSet<String> = masks
            .effects
            .keys()
            .chain(found.effects.keys())
            .filter(|label| !masked(label) && self.leaves_out(label).is_none())
            .cloned()
            .collect();
        for label in labels {
            let none = (Vec::new(), Value::Array(Vec::new()));
            let (calls, told) =
                found.effects.get(&label).map_or(none, |done| (done.calls.clone(), done.told.clone().into()));
            let due = masks.effects.get(&label);
            let due_told = due.map_or_else(|| Value::Array(Vec::new()), |(value, _)| value.clone());
            let (has, due) = (calls.len(), due_told.as_array().map_or(0, Vec::len));
            if has == due {
                let mask = masks.effects.get(&label).map_or(&Mask::All, |(_, mask)| mask);
                for difference in differ(&due_told, &visible(&told, mask), &label) {
                    let what = format!("{who}: {} {}", difference.words(), other.end.words());
                    let anomaly = other.missing();
                    all.wrong.push(Wrong { what, anomaly, person: at, evidence: calls.clone(), positive: false });
                }
                continue;
            }
            let anomaly = match (has > due, due) {
                (true, 0) => Anomaly::Premature,
                (true, _) => Anomaly::Duplicate,
                (false, _) => other.missing(),
            };
            let times = |n: usize| words::count(n, "time");
            let what = format!("{who}: {label} {}, clean: {} {}", times(has), times(due), other.end.words());
            all.wrong.push(Wrong { what, anomaly, person: at, evidence: calls, positive: has > due });
        }
    }
}

/// What of each part is compared, and what it must be.
struct Masks<'a> {
    states: Vec<Result<StateMask<'a>, String>>,
    /// Of contacts, and of tickets.
    lists: Option<(Mask, Mask)>,
    /// What is due of each effect.
    effects: BTreeMap<String, (Value, Mask)>,
}

struct StateMask<'a> {
    /// How paths into it begin.
    label: String,
    mask: Mask,
    clean: Value,
    /// Whether the app's whole answer is compared.
    whole: bool,
    turns: Vec<Turn<'a>>,
}

/// Contacts of nobody, where clean deliveries leave none: whom do they belong to?
fn strangers(case: &Case<'_>, clean: &Clean<'_>, all: &mut Compared) {
    let of_nobody = |end: &EndState<'_>| {
        let ledger = end.ledger?;
        let contacts =
            ledger.contacts.iter().filter(|contact| !contact.given && case.owners.of_contact(contact).is_empty());
        let tickets = ledger.tickets.iter().filter(|ticket| case.owners.of_ticket(ticket).is_none());
        Some((contacts.count(), tickets.count(), ledger.n))
    };
    let Some((contacts, tickets, _)) = of_nobody(&clean.end) else { return };
    let Some((more, further, n)) = case.ends.iter().filter_map(of_nobody).next_back() else { return };
    for (found, before, noun) in [(more, contacts, "contact"), (further, tickets, "ticket")] {
        if before == 0 && found > 0 {
            let what = format!("{} of nobody, clean: none", words::count(found, noun));
            let (anomaly, person) = (Anomaly::Orphan, usize::MAX);
            all.wrong.push(Wrong { what, anomaly, person, evidence: vec![n], positive: true });
        }
    }
}

/// Unix milliseconds between which the app's clock was during the run.
fn span(case: &Case<'_>) -> (i64, i64) {
    let from = case.seen.start.map_or(0, |start| start.started.millis());
    let until = from.saturating_add(i64::try_from(case.seen.last_ms).unwrap_or(i64::MAX));
    let off = case.plan.clock.iter().map(|clock| clock.offset_ms);
    let (behind, ahead) = (off.clone().min().unwrap_or(0).min(0), off.max().unwrap_or(0).max(0));
    (from.saturating_add(behind), until.saturating_add(ahead))
}

/// Bodies of the events of a person without faults, by story and place.
fn bodies(case: &Case<'_>, clean: &Clean<'_>, person: &Person<'_>) -> BTreeMap<(String, usize), Value> {
    let mut bodies = BTreeMap::new();
    for instance in &person.instances {
        let events = clean.plan.events.get(&instance.id).into_iter().flatten().enumerate();
        for (place, event) in events {
            if let Some(body) = body(case, clean, event) {
                bodies.insert((instance.story.clone(), place), body);
            }
        }
    }
    bodies
}

/// The body of an event as it was first planned.
fn body(case: &Case<'_>, clean: &Clean<'_>, event: &EventId) -> Option<Value> {
    let of_the_run = case.deliveries_of(event).iter().copied().find(|delivery| is_genuine(delivery));
    let of_clean = || clean.plan.deliveries.iter().find(|delivery| delivery.event.as_ref() == Some(event));
    let delivery = of_the_run.or_else(of_clean)?;
    serde_json::from_str(case.plan.bodies.get(&delivery.body)?).ok()
}

/// The names of one person as those of another who lives through the same stories.
fn names(
    case: &Case<'_>,
    clean: &Clean<'_>,
    (mine, theirs): (&Person<'_>, &Person<'_>),
    bodies: &BTreeMap<(String, usize), Value>,
) -> Names {
    let mut names = Names::default();
    let same = |instance: &Instance| theirs.instances.iter().find(|other| other.story == instance.story);
    for (instance, other) in mine.instances.iter().filter_map(|instance| Some((instance, same(instance)?))) {
        names.learn_instance(instance, other);
        let events = |instance: &Instance| clean.plan.events.get(&instance.id).into_iter().flatten();
        for (place, (event, as_event)) in events(instance).zip(events(other)).enumerate() {
            names.learn_event(event, as_event);
            let theirs = bodies.get(&(instance.story.clone(), place));
            if let (Some(theirs), Some(mine)) = (theirs, body(case, clean, event)) {
                names.learn(&mine, theirs);
            }
        }
    }
    let customers: Vec<&str> = theirs.instances.iter().filter_map(|i| Some(i.customer.as_ref()?.as_str())).collect();
    names.one_customer(&customers.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    names
}

fn story_of<'c>(chain: &'c Chain<'_>) -> &'c str {
    chain.links.first().map_or("", |link| link.story.as_str())
}
