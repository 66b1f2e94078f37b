//! The sound service against the truth that is written by hand beside each recording.

use super::peers::{Peers, drain};
use hookdrill::{
    rng::Streams,
    service::{Defect, Received, Service, Settings, store::Store},
    stripe::{
        event::Event,
        recording::{Expectation, Story},
    },
    time::Timestamp,
};
use rand::{RngExt, seq::SliceRandom};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

type Recording = (Story, Vec<(String, Event)>);

fn load(folder: &Path) -> Recording {
    let text = std::fs::read_to_string(folder.join("story.toml")).expect("story.toml");
    let story: Story = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    let event = |file: PathBuf| {
        let body = std::fs::read_to_string(&file).expect("an event file");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        (name, Event::parse(&body).expect("an event"))
    };
    (story, files.into_iter().map(event).collect())
}

fn recordings() -> BTreeMap<String, Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folders = std::fs::read_dir(&root).expect("the recordings of the project");
    let folders = folders.map(|entry| entry.expect("an entry").path()).filter(|path| path.join("story.toml").is_file());
    let all: BTreeMap<_, _> = folders.map(|folder| load(&folder)).map(|all| (all.0.name.clone(), all)).collect();
    assert!(!all.is_empty(), "fixtures/ holds no recording");
    all
}

/// The events that come before a story, from the story that it goes on from.
fn before(all: &BTreeMap<String, Recording>, story: &Story) -> Vec<Event> {
    let Some(name) = &story.continues else { return Vec::new() };
    let (parent, events) = &all[name];
    before(all, parent).into_iter().chain(events.iter().map(|(_, event)| event.clone())).collect()
}

struct World {
    service: Service,
    peers: Peers,
    now: Timestamp,
}

impl World {
    fn new(defects: &[Defect]) -> Self {
        let settings = Settings { defects: defects.iter().copied().collect(), ..Settings::default() };
        let service = Service::new(Store::memory(), settings);
        Self { service, peers: Peers::default(), now: Timestamp::from_secs(1_800_000_000) }
    }

    fn deliver(&mut self, event: &Event) {
        let received = self.service.receive(self.now, event).expect("received");
        assert!(matches!(received, Received::Settled(_)));
    }

    fn drain(&mut self) {
        self.now = drain(&mut self.service, &mut self.peers, self.now, Duration::from_secs(60));
    }

    /// What is not as it should be, if anything.
    fn difference(&mut self, story: &Story, expected: &Expectation) -> Option<String> {
        let key = story.customer.as_deref().or(story.user.as_deref()).expect("whom it is about");
        let seen = match self.service.customer(key).expect("read") {
            Some(view) => (view.access, view.status, view.plan),
            None => (false, "none".to_owned(), "none".to_owned()),
        };
        let wanted = (expected.access.is_open(), expected.status.clone(), expected.plan.clone());
        let mut queues: BTreeMap<String, u32> = BTreeMap::new();
        for tag in self.peers.tickets.iter().flat_map(|ticket| &ticket.tags) {
            if let Some(queue) = tag.strip_prefix("queue_") {
                *queues.entry(queue.to_owned()).or_default() += 1;
            }
        }
        let effects = (self.peers.contacts.len(), queues);
        let wanted_effects = (expected.contacts as usize, expected.tickets.clone());
        let status = self.service.status().expect("read");
        let settled = (status.pending, status.dead, status.drift) == (0, 0, 0);
        (seen != wanted || effects != wanted_effects || !settled)
            .then(|| format!("{seen:?}, {effects:?}, {status:?}; expected {wanted:?}, {wanted_effects:?}, all settled"))
    }

    fn compare(&mut self, story: &Story, expected: &Expectation, place: &str) {
        if let Some(difference) = self.difference(story, expected) {
            panic!("{} {place}: {difference}", story.name);
        }
    }
}

#[test]
fn in_order_every_event_leaves_what_its_story_says() {
    let all = recordings();
    for (story, events) in all.values() {
        let mut world = World::new(&[]);
        before(&all, story).iter().for_each(|event| world.deliver(event));
        assert_eq!(story.after.len(), events.len(), "{}: one [[after]] an event", story.name);
        for ((file, event), after) in events.iter().zip(&story.after) {
            assert_eq!(file, &after.event, "{}", story.name);
            world.deliver(event);
            world.drain();
            let expected = Expectation {
                access: after.access,
                status: after.status.clone(),
                plan: after.plan.clone(),
                contacts: after.contacts,
                tickets: after.tickets.clone(),
            };
            world.compare(story, &expected, file);
        }
        world.compare(story, &story.end, "[end]");
    }
}

/// Every event of a story and of those before it, some twice, in an order that depends on the seed alone.
fn scramble(all: &BTreeMap<String, Recording>, recording: &Recording, seed: u64, world: &mut World) {
    let (story, events) = recording;
    let mut rng = Streams::new(seed).stream(&story.name);
    let mut order = before(all, story);
    order.extend(events.iter().map(|(_, event)| event.clone()));
    let copies: Vec<_> = order.iter().filter(|_| rng.random_bool(0.3)).cloned().collect();
    order.extend(copies);
    order.shuffle(&mut rng);
    for event in &order {
        world.deliver(event);
        if rng.random_bool(0.5) {
            world.drain();
        }
    }
    world.drain();
}

#[test]
fn shuffled_copied_and_torn_every_story_ends_the_same() {
    let all = recordings();
    for recording in all.values() {
        for seed in 0..30 {
            let mut world = World::new(&[]);
            scramble(&all, recording, seed, &mut world);
            world.compare(&recording.0, &recording.0.end, &format!("[end], seed {seed}"));
        }
    }
}

#[test]
fn the_stories_notice_a_service_that_goes_by_arrival() {
    let all = recordings();
    if all.is_empty() {
        return;
    }
    for defect in [Defect::NoDedupe, Defect::LastArrivalWins, Defect::UpdateRevives, Defect::ContactOnEveryEvent] {
        let noticed = all.values().any(|recording| {
            (0..30).any(|seed| {
                let mut world = World::new(&[defect]);
                scramble(&all, recording, seed, &mut world);
                world.difference(&recording.0, &recording.0.end).is_some()
            })
        });
        assert!(noticed, "{}", defect.name());
    }
}
