//! Who lives through what: the instances of every story with their re-keyed events and the times at which these would
//! leave if nothing went wrong.
//!
//! Must not know: faults.

use super::{
    compile::PlanError,
    model::{DeliveryKind, Instance, Phase, Reaction, Signing, TransportStep, Turn},
};
use crate::{
    id::{CustomerId, EventId, InstanceId, InvoiceId, SubscriptionId, UserId},
    rng::Streams,
    scenario::model::{Scenario, Spacing, StoryUse},
    stripe::{
        event::Event,
        recording::{After, Expectation, Recording},
        rekey::{Rekeyer, Who},
    },
    time::Timestamp,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, time::Duration};

/// No genuine delivery leaves before this: there is room for a forged one ahead of it.
const LEAD_MS: u64 = 100;

/// A delivery before it has its id.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    /// Index of the story in the scenario.
    pub(super) story: usize,
    /// Index of the instance in the plan.
    pub(super) life: usize,
    /// Index of the ghost in the plan's ghosts, when its content is that of a ghost.
    pub(super) ghost: Option<usize>,
    /// Index of the event in the recording.
    pub(super) index: usize,
    /// Event id in the body.
    pub(super) event: Option<EventId>,
    /// Event type.
    pub(super) event_type: String,
    /// What kind of delivery.
    pub(super) kind: DeliveryKind,
    /// Hash of the body.
    pub(super) body: String,
    /// When it leaves; of one with a `genuine` it is settled at the end.
    pub(super) at_ms: u64,
    /// In which phase.
    pub(super) phase: Phase,
    /// How it is signed.
    pub(super) signature: Signing,
    /// Lost attempts.
    pub(super) drop_first: u32,
    /// What happens on the way to the attempts after those.
    pub(super) transport: Vec<TransportStep>,
    /// Right reaction.
    pub(super) expect: Reaction,
    /// Whether an effect is owed.
    pub(super) owed: bool,
    /// Faults that made or changed it.
    pub(super) faults: Vec<usize>,
    /// Index of the genuine draft that it goes with: its time follows from that one's, whatever faults come later.
    pub(super) genuine: Option<usize>,
    /// How much later than that one it leaves.
    pub(super) offset_ms: i64,
    /// Of a replayed delivery: in which pass it comes, from 0.
    pub(super) pass: u32,
}

/// One customer living through one story.
#[derive(Clone)]
pub(super) struct Life<'s> {
    /// What the plan says of it.
    pub(super) instance: Instance,
    /// What it lives through.
    pub(super) recording: &'s Recording,
    /// Seconds by which its payloads are shifted.
    pub(super) shift_secs: i64,
    /// When its first genuine delivery leaves without faults.
    pub(super) start_ms: u64,
    /// When its last genuine delivery leaves without faults.
    pub(super) end_ms: u64,
}

/// Bodies by the hex SHA-256 of their bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bodies(pub(super) BTreeMap<String, String>);

impl Bodies {
    /// Keeps a body and returns its hash.
    pub(super) fn keep(&mut self, body: &str) -> String {
        let hash = hex::encode(Sha256::digest(body.as_bytes()));
        self.0.entry(hash.clone()).or_insert_with(|| body.to_owned());
        hash
    }

    /// The body of a hash.
    pub(super) fn get(&self, hash: &str) -> &str {
        self.0.get(hash).map_or("", String::as_str)
    }
}

/// Everything that faults work on.
#[derive(Clone)]
pub(super) struct Stage<'s> {
    /// The scenario.
    pub(super) scenario: &'s Scenario,
    /// The seed of all ids.
    pub(super) keys: u64,
    /// The random streams of the seed.
    pub(super) streams: Streams,
    /// The customers, by story and number.
    pub(super) lives: Vec<Life<'s>>,
    /// The deliveries.
    pub(super) drafts: Vec<Draft>,
    /// Their bodies.
    pub(super) bodies: Bodies,
    /// Customers who do not exist.
    pub(super) ghosts: Vec<Instance>,
    /// Which of them imitates which of `lives`, by index.
    pub(super) ghost_of: BTreeMap<usize, usize>,
}

/// How the stories of a scenario are tied together; indices into its stories.
struct Ties {
    /// First story of the chain that each continues: its ids are used.
    root: Vec<usize>,
    /// First story with the same person.
    person: Vec<usize>,
    /// Story that each continues.
    continues: Vec<Option<usize>>,
    /// Payload shift of each story's chain, seconds.
    shift_secs: Vec<i64>,
}

/// Lays out every genuine delivery.
pub(super) fn cast(scenario: &Scenario, seed: u64, epoch: Timestamp) -> Result<Stage<'_>, PlanError> {
    let ties = Ties::new(&scenario.stories, epoch)?;
    let mut stage = Stage {
        scenario,
        keys: keys(scenario, seed, epoch),
        streams: Streams::new(seed),
        lives: Vec::new(),
        drafts: Vec::new(),
        bodies: Bodies::default(),
        ghosts: Vec::new(),
        ghost_of: BTreeMap::new(),
    };
    let mut first_life = Vec::new();
    for (story, used) in scenario.stories.iter().enumerate() {
        first_life.push(stage.lives.len());
        for n in 0..used.instances {
            let before = ties.continues[story].map(|earlier| first_life[earlier] + n as usize);
            let start_ms = match before.map(|life| stage.lives.get(life)) {
                Some(Some(life)) => life.end_ms + millis(used.after),
                Some(None) => return Err(PlanError::CountMismatch { story: used.name.clone() }),
                None => LEAD_MS + millis(used.after) + u64::from(n) * millis(used.stagger),
            };
            stage.enter(&ties, story, n + 1, start_ms);
        }
    }
    Ok(stage)
}

/// Seed of the ids. Scenarios run one after another against one database, and the same one again tomorrow: with the ids of
/// an earlier run an app would rightly ignore every event, and its state would be yesterday's. So scenario and epoch count.
fn keys(scenario: &Scenario, seed: u64, epoch: Timestamp) -> u64 {
    let digest = Streams::new(seed).digest(&format!("keys/{}/{}", epoch.millis(), scenario.name));
    digest.iter().take(8).fold(0, |keys, byte| keys << 8 | u64::from(*byte))
}

impl Ties {
    fn new(stories: &[StoryUse], epoch: Timestamp) -> Result<Self, PlanError> {
        let (mut root, mut person, mut continues): (Vec<usize>, Vec<usize>, Vec<_>) = Default::default();
        for (n, story) in stories.iter().enumerate() {
            let above = |name: &Option<String>| match name {
                None => Ok(None),
                Some(name) => match stories[..n].iter().position(|other| other.name == *name) {
                    Some(found) => Ok(Some(found)),
                    None => Err(PlanError::UnknownStory { story: story.name.clone(), named: name.clone() }),
                },
            };
            let (earlier, same) = (above(&story.continues)?, above(&story.same_person_as)?);
            root.push(earlier.map_or(n, |earlier| root[earlier]));
            person.push(earlier.or(same).map_or(n, |tied| person[tied]));
            continues.push(earlier);
        }
        let mut last = vec![i64::MIN; stories.len()];
        for (n, story) in stories.iter().enumerate() {
            let newest = story.recording.events.iter().map(|recorded| recorded.event.created).max();
            let newest = newest.ok_or_else(|| PlanError::EmptyRecording { story: story.name.clone() })?;
            last[root[n]] = last[root[n]].max(newest);
        }
        let shift_secs = root.iter().map(|root| epoch.secs().saturating_sub(last[*root])).collect();
        Ok(Self { root, person, continues, shift_secs })
    }
}

impl<'s> Stage<'s> {
    /// Adds one instance and its genuine deliveries.
    fn enter(&mut self, ties: &Ties, story: usize, number: u32, start_ms: u64) {
        let stories = &self.scenario.stories;
        let used = &stories[story];
        let recording = used.recording.as_ref();
        let of = |index: usize| format!("{}/{number}", stories[index].name);
        let (key, person) = (of(ties.root[story]), of(ties.person[story]));
        let rekeyer = Rekeyer::new(self.keys, &key, &person, recording);
        let mut instance = instance(&of(story), &used.name, &person, &rekeyer, recording);
        instance.continues = ties.continues[story].map(|earlier| InstanceId::new(of(earlier)));
        instance.end = recording.story.as_ref().map(|truth| truth.end.clone());
        let completes_with = recording.story.as_ref().and_then(|truth| truth.completes_with.as_deref());
        let shift_secs = ties.shift_secs[story];
        let times = times(recording, used.spacing, start_ms);
        for (index, (recorded, at_ms)) in recording.events.iter().zip(&times).enumerate() {
            let event = rekeyer.rekey(&recorded.event, shift_secs);
            if completes_with == Some(recorded.file.as_str()) {
                instance.completes_with = Some(event.id.clone());
            }
            instance.turns.extend(turn(recording, &recorded.file, &event.id));
            if let Some(invoice) = failed_invoice(&event).filter(|invoice| !instance.failed_invoices.contains(invoice))
            {
                instance.failed_invoices.push(invoice);
            }
            let body = self.bodies.keep(&event.body);
            self.drafts.push(genuine(story, self.lives.len(), index, event, body, *at_ms));
        }
        let end_ms = times.last().copied().unwrap_or(start_ms);
        self.lives.push(Life { instance, recording, shift_secs, start_ms, end_ms });
    }
}

fn genuine(story: usize, life: usize, index: usize, event: Event, body: String, at_ms: u64) -> Draft {
    Draft {
        story,
        life,
        ghost: None,
        index,
        event: Some(event.id),
        event_type: event.kind,
        kind: DeliveryKind::Genuine,
        body,
        at_ms,
        phase: Phase::Faults,
        signature: Signing::Genuine,
        drop_first: 0,
        transport: Vec::new(),
        expect: Reaction::Accept,
        owed: true,
        faults: Vec::new(),
        genuine: None,
        offset_ms: 0,
        pass: 0,
    }
}

/// An instance with the ids that the re-keyer gives it.
pub(super) fn instance(id: &str, story: &str, person: &str, rekeyer: &Rekeyer, recording: &Recording) -> Instance {
    let truth = recording.story.as_ref().map(|story| {
        let (user, email, customer) = (story.user.clone(), story.email.clone(), story.customer.clone());
        Who { user, email, customer, subscription: story.subscription.clone(), session: story.session.clone() }
    });
    // Nobody wrote down whom imported traffic is about.
    let who = truth.unwrap_or_else(|| Who::of(recording));
    let token = |original: &Option<String>| original.as_ref().map(|original| rekeyer.token(original));
    Instance {
        id: InstanceId::new(id),
        story: story.to_owned(),
        continues: None,
        person: InstanceId::new(person),
        user: token(&who.user).map(UserId::new),
        email: token(&who.email),
        customer: token(&who.customer).map(CustomerId::new),
        subscription: token(&who.subscription).map(SubscriptionId::new),
        session: token(&who.session),
        completes_with: None,
        failed_invoices: Vec::new(),
        end: None,
        turns: Vec::new(),
        ghost: false,
    }
}

/// What is right after an event, where somebody wrote it down.
fn turn(recording: &Recording, file: &str, event: &EventId) -> Option<Turn> {
    let after = recording.story.as_ref()?.after.iter().find(|after| after.event == file)?;
    let After { event: _, access, status, plan, contacts, tickets } = after.clone();
    Some(Turn { event: event.clone(), right: Expectation { access, status, plan, contacts, tickets } })
}

pub(super) fn failed_invoice(event: &Event) -> Option<InvoiceId> {
    if event.kind != "invoice.payment_failed" {
        return None;
    }
    event.object().get("id").and_then(|id| id.as_str()).map(InvoiceId::new)
}

/// When each event leaves. Recorded spacing never goes back: an event made earlier but delivered later leaves together
/// with the one before it.
pub(super) fn times(recording: &Recording, spacing: Spacing, start_ms: u64) -> Vec<u64> {
    let first = recording.events.first().map_or(0, |recorded| recorded.event.created);
    let mut newest = first;
    let at = |(n, created): (usize, i64)| match spacing {
        Spacing::Every(gap) => start_ms.saturating_add((n as u64).saturating_mul(millis(gap))),
        Spacing::Recorded => {
            newest = newest.max(created);
            let since = u64::try_from(newest.saturating_sub(first)).unwrap_or(0);
            start_ms.saturating_add(since.saturating_mul(1000))
        }
    };
    recording.events.iter().map(|recorded| recorded.event.created).enumerate().map(at).collect()
}

/// Whole milliseconds of a span.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
