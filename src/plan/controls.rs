//! Who lives through the stories without faults, for comparison: two people for each kind of person that a plan has.
//!
//! People are of one kind when they live through the same stories and the faults take the same events from them for ever. Ids
//! of the two come from streams of their own: with them or without, the rest of the plan is the same.
//! Must not know: how one fault works, what is compared.

use super::{
    cast::{Draft, Life, Stage, failed_invoice, instance, millis, times},
    clean::{Clean, LeftOut, Pair},
    compile::{PlanError, given_to},
    faults::number_of,
    model::{Action, Delivery, DeliveryKind, Instance, Phase, PlannedStep, Reaction, Signing},
};
use crate::{
    id::{DeliveryId, InstanceId},
    stripe::rekey::Rekeyer,
};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of people, at most: with each come two further customers, and the time that their deliveries take.
const MOST_PAIRS: usize = 12;

/// So much later the second of two lives: what is written down to the second then differs between them.
const APART_MS: u64 = 1_300;

/// Between two events of one of them where the app can ask Stripe: what Stripe says must not run ahead of what was delivered,
/// and each delivery waits until the app has acted upon the one before it. Fewer the more there are.
const PACE_MS: u64 = 500;
/// All those times together, for one person, at most.
const PACES_MS: u64 = 25_000;

/// What makes people one kind: their stories, by index, and of each the events that never come.
type Kind = Vec<(usize, Vec<usize>)>;

/// The clean part of a plan, from the deliveries as the faults have left them. Bodies are kept in the stage.
/// `timed`: whether Stripe's own timeline is kept beside them.
pub(super) fn controls(
    stage: &mut Stage<'_>,
    drafts: &[Draft],
    steps: &[PlannedStep],
    timed: bool,
) -> Result<Clean, PlanError> {
    let mut clean = Clean::default();
    let mut people: BTreeMap<InstanceId, Vec<usize>> = BTreeMap::new();
    let mut order = Vec::new();
    for (at, life) in stage.lives.iter().enumerate() {
        let lives = people.entry(life.instance.person.clone()).or_insert_with(|| {
            order.push(life.instance.person.clone());
            Vec::new()
        });
        lives.push(at);
    }
    let fates = Fates::new(stage, drafts);
    clean.events = fates.events.clone();
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for person in order {
        let lives = &people[&person];
        if lives.iter().any(|life| fates.unsure.contains(life)) {
            let why = "what a fault takes from them may have come in another way";
            clean.left_out.push(LeftOut { person, why: why.to_owned() });
            continue;
        }
        let kind: Kind = lives.iter().map(|life| (fates.story[life], fates.missing(*life))).collect();
        if let Some(pair) = kinds.get(&kind) {
            clean.pairs[*pair].people.push(person);
            continue;
        }
        if clean.pairs.len() == MOST_PAIRS {
            let why = format!("their faults take other events than those of {MOST_PAIRS} kinds of people before them");
            clean.left_out.push(LeftOut { person, why });
            continue;
        }
        kinds.insert(kind, clean.pairs.len());
        let brought_by_replay = lives.iter().any(|life| fates.replayed.contains(life));
        let pair = add(stage, &mut clean, (lives, &fates), steps)?;
        clean.pairs.push(Pair { people: vec![person], brought_by_replay, ..pair });
    }
    if timed {
        clean.deliveries.sort_by_key(|delivery| delivery.at_ms);
        pace(&mut clean);
    }
    clean.deliveries.sort_by_key(|delivery| delivery.at_ms);
    clean.steps.sort_by_key(|step| step.at_ms);
    let digits = clean.deliveries.len().to_string().len().max(4);
    for (place, delivery) in clean.deliveries.iter_mut().enumerate() {
        delivery.id = DeliveryId::new(format!("c{:0digits$}", place + 1));
    }
    Ok(clean)
}

/// Moves what comes too soon after what the same person lives through before it; the order stays.
fn pace(clean: &mut Clean) {
    let Clean { instances, deliveries, steps, .. } = clean;
    let person = |of: &InstanceId| instances.iter().position(|i| i.id == *of).map(|at| &instances[at].person);
    // At the same time a step comes first.
    let mut acts: Vec<(Option<&InstanceId>, &mut u64)> = Vec::new();
    acts.extend(steps.iter_mut().map(|step| (person(&step.instance), &mut step.at_ms)));
    acts.extend(deliveries.iter_mut().map(|delivery| (person(&delivery.instance), &mut delivery.at_ms)));
    acts.sort_by_key(|(_, at_ms)| **at_ms);
    let mut count: BTreeMap<Option<&InstanceId>, u64> = BTreeMap::new();
    acts.iter().for_each(|(who, _)| *count.entry(*who).or_default() += 1);
    let mut earliest: BTreeMap<Option<&InstanceId>, u64> = BTreeMap::new();
    for (who, at_ms) in acts {
        let next = earliest.entry(who).or_default();
        *at_ms = (*at_ms).max(*next);
        *next = *at_ms + PACE_MS.min(PACES_MS / count[&who]);
    }
}

/// What the faults have made of the events of each life.
struct Fates {
    story: BTreeMap<usize, usize>,
    /// Events that a fault takes away for ever.
    missing: BTreeMap<usize, BTreeSet<usize>>,
    /// Lives of which such an event comes in a replay.
    replayed: BTreeSet<usize>,
    /// Lives of which nobody can say whether such an event comes.
    unsure: BTreeSet<usize>,
    events: BTreeMap<InstanceId, Vec<crate::id::EventId>>,
}

impl Fates {
    fn new(stage: &Stage<'_>, drafts: &[Draft]) -> Self {
        let mut fates = Self {
            story: BTreeMap::new(),
            missing: BTreeMap::new(),
            replayed: BTreeSet::new(),
            unsure: BTreeSet::new(),
            events: BTreeMap::new(),
        };
        let genuine = drafts.iter().filter(|draft| draft.kind == DeliveryKind::Genuine);
        let mut ids: BTreeMap<(usize, usize), &Draft> = BTreeMap::new();
        for draft in genuine {
            ids.insert((draft.life, draft.index), draft);
        }
        for ((life, index), draft) in ids {
            fates.story.insert(life, draft.story);
            let id = stage.lives[life].instance.id.clone();
            fates.events.entry(id).or_default().extend(draft.event.clone());
            let same = || drafts.iter().filter(move |other| (other.life, other.index) == (life, index));
            if draft.owed {
                continue;
            }
            fates.missing.entry(life).or_default().insert(index);
            for other in same() {
                match other.kind {
                    DeliveryKind::Genuine | DeliveryKind::Duplicate if other.phase == Phase::Replay => {
                        fates.replayed.insert(life);
                    }
                    DeliveryKind::Duplicate if !other.owed => {}
                    DeliveryKind::Duplicate
                    | DeliveryKind::SecondEvent
                    | DeliveryKind::SecondEndpoint
                    | DeliveryKind::OddlySigned(_) => {
                        fates.unsure.insert(life);
                    }
                    DeliveryKind::Genuine
                    | DeliveryKind::Forged(_)
                    | DeliveryKind::Malformed(_)
                    | DeliveryKind::UnknownType
                    | DeliveryKind::Foreign(_) => {}
                }
            }
        }
        fates
    }

    fn missing(&self, life: usize) -> Vec<usize> {
        self.missing.get(&life).into_iter().flatten().copied().collect()
    }
}

/// Adds two people who live as the person of these lives does, without faults.
fn add(
    stage: &mut Stage<'_>,
    clean: &mut Clean,
    (lives, fates): (&[usize], &Fates),
    steps: &[PlannedStep],
) -> Result<Pair, PlanError> {
    let number = clean.pairs.len() + 1;
    // Times stay those of the plan, for an app may do something by itself when its time has come; but nobody queues up.
    let first = lives.iter().copied().min_by_key(|life| stage.lives[*life].start_ms);
    let place = |life: usize| number_of(&stage.lives[life].instance).map_or(0, |number| u64::from(number.max(1) - 1));
    let waited = |life: usize| place(life) * millis(stage.scenario.stories[fates.story[&life]].stagger);
    let began_ms = first.map_or(0, waited);
    let names = ["a", "b"].map(|side| format!("clean-{number}{side}"));
    for (name, from_ms) in names.iter().zip([0, APART_MS]) {
        for life in lives {
            let without = fates.missing(*life);
            let copy = Copy { name, lives, life: *life, story: fates.story[life], began_ms, from_ms };
            copy.live(stage, clean, &without, steps)?;
        }
    }
    let person = |name: &String| lives.first().map(|life| renamed(&stage.lives[*life].instance.person, name));
    let without = lives.iter().flat_map(|life| {
        let story = &stage.lives[*life].instance.story;
        fates.missing(*life).into_iter().map(move |index| (story.clone(), index))
    });
    let without = without.collect();
    let [one, other] = names.each_ref().map(|name| person(name).unwrap_or_else(|| InstanceId::new(name.clone())));
    Ok(Pair { one, other, people: Vec::new(), without, brought_by_replay: false })
}

/// One life without faults, after that of somebody else.
struct Copy<'a> {
    /// `clean-1a`: in the place of the number.
    name: &'a str,
    /// All lives of the person.
    lives: &'a [usize],
    life: usize,
    story: usize,
    /// How much earlier it begins than in the plan.
    began_ms: u64,
    /// How much later.
    from_ms: u64,
}

impl Copy<'_> {
    fn live(
        &self,
        stage: &mut Stage<'_>,
        clean: &mut Clean,
        without: &[usize],
        steps: &[PlannedStep],
    ) -> Result<(), PlanError> {
        let life = &stage.lives[self.life];
        let (recording, shift_secs) = (life.recording, life.shift_secs);
        let (id, person) = (renamed(&life.instance.id, self.name), renamed(&life.instance.person, self.name));
        let root = renamed(root(&stage.lives, self.lives, &life.instance), self.name);
        let rekeyer = Rekeyer::new(stage.keys, root.as_str(), person.as_str(), recording);
        let mut copy = instance(id.as_str(), &life.instance.story, person.as_str(), &rekeyer, recording);
        copy.continues = life.instance.continues.as_ref().map(|before| renamed(before, self.name));
        let times = times(recording, stage.scenario.stories[self.story].spacing, life.start_ms);
        let mine: Vec<PlannedStep> = steps.iter().filter(|step| step.instance == life.instance.id).cloned().collect();
        let (of, mut events) = (life.instance.id.clone(), Vec::new());
        for (index, (recorded, at_ms)) in recording.events.iter().zip(&times).enumerate() {
            let event = rekeyer.rekey(&recorded.event, shift_secs);
            events.push(event.id.clone());
            copy.failed_invoices.extend(failed_invoice(&event));
            if without.contains(&index) {
                continue;
            }
            let body = stage.bodies.keep(&event.body);
            clean.deliveries.push(Delivery {
                id: DeliveryId::new(""),
                instance: id.clone(),
                event: Some(event.id),
                event_type: event.kind,
                kind: DeliveryKind::Genuine,
                body,
                at_ms: self.moved(*at_ms),
                phase: Phase::Clean,
                signature: Signing::Genuine,
                drop_first: 0,
                transport: Vec::new(),
                expect: Reaction::Accept,
                owed: true,
                faults: Vec::new(),
            });
        }
        for contact in stage.scenario.given.iter().filter(|contact| contact.story == copy.story) {
            clean.given.push(given_to(&copy, contact)?);
        }
        clean.steps.extend(self.steps(mine, (&of, &id)));
        clean.events.insert(id, events);
        clean.instances.push(copy);
        Ok(())
    }

    fn moved(&self, at_ms: u64) -> u64 {
        (at_ms + self.from_ms).saturating_sub(self.began_ms)
    }

    /// Each request once, and one look at each page.
    fn steps(&self, steps: Vec<PlannedStep>, (of, id): (&InstanceId, &InstanceId)) -> Vec<PlannedStep> {
        let mut done = BTreeSet::new();
        let mut kept = Vec::new();
        for mut step in steps {
            let what = match step.action {
                Action::SignUp => "sign-up".to_owned(),
                Action::Visit(page) => format!("{page:?}"),
                Action::Ask => step.ticket.as_ref().map(|ticket| ticket.key.clone()).unwrap_or_default(),
            };
            if !done.insert(what) {
                continue;
            }
            if let Some(ticket) = &mut step.ticket {
                ticket.key = ticket.key.replacen(of.as_str(), id.as_str(), 1);
            }
            kept.push(PlannedStep { at_ms: self.moved(step.at_ms), instance: id.clone(), ..step });
        }
        kept
    }
}

/// `purchase/3` as `purchase/clean-1a`.
fn renamed(id: &InstanceId, name: &str) -> InstanceId {
    let story = id.as_str().rsplit_once('/').map_or(id.as_str(), |(story, _)| story);
    InstanceId::new(format!("{story}/{name}"))
}

/// The instance with which a chain of stories begins: all are re-keyed under its name.
fn root<'i>(all: &'i [Life<'_>], lives: &[usize], of: &'i Instance) -> &'i InstanceId {
    let find = |id: &InstanceId| lives.iter().map(|life| &all[*life].instance).find(|instance| instance.id == *id);
    let mut at = of;
    while let Some(before) = at.continues.as_ref().and_then(find) {
        at = before;
    }
    &at.id
}
