//! What a valid scenario means. Everything here has been checked: names resolve, numbers are in range.
//!
//! Must not know: TOML, spans, files.

use super::{criterion::Criterion, fault::Fault};
use crate::{
    id::DoubleName,
    stripe::{recording::Recording, retry::RetrySchedule},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Most instances of one story: ten thousand customers are a load test already, and each keeps its bodies in the plan.
pub const MAX_INSTANCES: u32 = 10_000;

/// Most deliveries of one plan, and most steps: a plan is held in memory and saved as one file.
pub const MAX_DELIVERIES: u64 = 100_000;

/// One scenario, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Short name, unique among the shipped ones.
    pub name: String,
    /// File stem, used for folders: lower case, digits and dashes.
    pub slug: String,
    /// What it shows, in a sentence or two.
    pub about: String,
    /// The regression tests and promises that it covers, in words.
    pub covers: Vec<String>,
    /// Where it can run.
    pub body: Body,
    /// Why a sound app may fail it, when one may: an app of the user's is asked it only by name.
    pub asks_more: Option<String>,
    /// Customer stories, in file order.
    pub stories: Vec<StoryUse>,
    /// What the person does, in file order.
    pub steps: Vec<Step>,
    /// Contacts that the CRM's own people made before the run.
    pub given: Vec<GivenContact>,
    /// What goes wrong, in file order; the index names each fault's random stream.
    pub faults: Vec<Fault>,
    /// How deliveries are made and repeated.
    pub delivery: DeliveryOptions,
    /// Budget of the quiet phase.
    pub quiet: Quiet,
    /// Which further doubles the embedded service is given.
    pub doubles: Doubles,
    /// Declared doubles that the target must call; `declared` under `[doubles]`.
    pub declared: Vec<DoubleName>,
    /// How the simulated body behaves; means nothing to a live run.
    pub simulation: Simulation,
    /// What must hold, in file order.
    pub criteria: Vec<Criterion>,
}

/// Where a scenario can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Real sockets only, with the reason why.
    Live {
        /// Why it cannot be simulated.
        reason: String,
    },
    /// Virtual time only: it waits too long for a real clock.
    Simulated,
    /// Either.
    Both,
}

/// One `[[story]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryUse {
    /// Name within the scenario.
    pub name: String,
    /// The recording, loaded.
    pub recording: Arc<Recording>,
    /// How many re-keyed customers live through it.
    pub instances: u32,
    /// Story of this scenario whose customers go on here (same number of instances).
    pub continues: Option<String>,
    /// Story of this scenario whose person (user id and e-mail) buys here again, as another Stripe customer.
    pub same_person_as: Option<String>,
    /// When its first delivery leaves, after the start of the run, or after the last planned genuine delivery (before
    /// faults) of the story that it continues.
    pub after: Duration,
    /// Gap between the deliveries of one instance.
    pub spacing: Spacing,
    /// Gap between the starts of two instances; not used by a story that continues another, which starts as that ends.
    pub stagger: Duration,
}

impl StoryUse {
    /// Event types of the recording, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.recording.events.iter().map(|recorded| recorded.event.kind.as_str())
    }
}

/// Gap between the deliveries of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// The same gap between any two.
    Every(Duration),
    /// As the events' own `created` say.
    Recorded,
}

/// One `[[step]]`: what a person does at a time of the run, for every instance of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Signs up in the app.
    SignUp {
        /// Story whose people do it.
        story: String,
        /// After the start of that instance.
        at: Duration,
        /// Browser that they use.
        agent: Agent,
        /// Queue of the ticket that opens by itself because they never become active.
        ticket: Option<String>,
    },
    /// Asks for help.
    Ask {
        /// Story whose people do it.
        story: String,
        /// What they write.
        message: String,
        /// What they choose on the form.
        category: Option<String>,
        /// Queue in which the one ticket belongs.
        queue: String,
        /// After the start of that instance.
        at: Duration,
        /// How often the same request is sent: a person who presses the button again.
        times: u32,
        /// Gap between two.
        every: Duration,
        /// Browser that they use.
        agent: Agent,
    },
    /// Looks at a page, `times` times.
    Visit {
        /// Story whose people do it.
        story: String,
        /// Which page.
        page: Page,
        /// After the start of that instance.
        at: Duration,
        /// How often.
        times: u32,
        /// Gap between two visits.
        every: Duration,
        /// Browser that they use.
        agent: Agent,
    },
}

/// A page of the app that a person looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// Where Checkout sends the buyer back to.
    Success,
}

/// The browser that a person uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// A desktop browser.
    #[default]
    Desktop,
    /// A phone.
    Mobile,
}

/// A contact that exists in the CRM before the run, one for each instance of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenContact {
    /// Story whose people have one.
    pub story: String,
    /// Property names and values; `{email}` and `{user}` are filled in for each instance.
    pub properties: BTreeMap<String, String>,
}

/// `[delivery]`: how deliveries are made and repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryOptions {
    /// When a refused or indefinite delivery is tried again.
    pub retry: RetrySchedule,
    /// After this long without an answer an attempt is indefinite.
    pub timeout: Duration,
}

/// `[quiet]`: how long retries and jobs may take to drain once all faults are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Budget; used up means inconclusive, never pass.
    pub budget: Duration,
    /// It lasts this long at least: for what comes late by design, a poll or an alert.
    pub least: Duration,
}

/// `[doubles]`: what the embedded service is given besides CRM and desk. Without them it neither polls nor alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubles {
    /// Stripe's API, whose list of events holds each genuine event from the time at which it was made.
    pub stripe: bool,
    /// A receiver of alerts.
    pub alerts: bool,
}

/// A span of time that is drawn from the seed, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl From<Duration> for Between {
    fn from(span: Duration) -> Self {
        Self { least: span, most: span }
    }
}

/// `[simulation]`: how the simulated body behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Service processes over one store.
    pub processes: u32,
    /// Workers of each.
    pub workers: u32,
    /// One way over the network, to and from the service.
    pub network: Between,
    /// What the service takes before each of its transactions.
    pub step: Between,
    /// One way to and from a double.
    pub call: Between,
}

impl Default for Simulation {
    fn default() -> Self {
        let between = |least, most| Between { least: Duration::from_millis(least), most: Duration::from_millis(most) };
        Self { processes: 1, workers: 2, network: between(1, 4), step: between(0, 2), call: between(1, 5) }
    }
}
