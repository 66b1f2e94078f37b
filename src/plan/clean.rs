//! The clean part of a plan: customers to whom the stories happen once, in order and without faults, before the faults begin.
//! What becomes of the others is held against them.
//!
//! They are no customers of the plan itself: whoever counts those does not meet them. Deliveries, steps and customers of this
//! part are numbered on from those of the plan (`Plan::delivery`, `Plan::step`, `Plan::instance`).
//! Must not know: how it is made (`controls`) or carried out, what is compared.

use super::model::{Delivery, Instance, Plan, PlannedContact, PlannedStep};
use crate::id::{EventId, InstanceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Customers without faults, two for each kind of person that the plan has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clean {
    /// Who is compared with whom.
    pub pairs: Vec<Pair>,
    /// People with whom nobody can be compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The customers without faults.
    pub instances: Vec<Instance>,
    /// What is sent to them, times from the start of this part; each leaves when its time has come and the one before it is
    /// done with.
    pub deliveries: Vec<Delivery>,
    /// What they do, each request once.
    pub steps: Vec<PlannedStep>,
    /// Contacts of theirs that exist before the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<PlannedContact>,
    /// Paths that may differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Events of each customer who is compared, in recorded order.
    pub events: BTreeMap<InstanceId, Vec<EventId>>,
}

/// Two people without faults, and those who must end as they did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The first, by the person of their instances.
    pub one: InstanceId,
    /// The second.
    pub other: InstanceId,
    /// Whom they stand for, by the person of their instances.
    pub people: Vec<InstanceId>,
    /// Events that the faults take from these people for ever, so that the two do not get them either: story and place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<(String, usize)>,
    /// Whether a replay brings them after all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brought_by_replay: bool,
}

/// Somebody with whom nobody can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Who, by the person of their instances.
    pub person: InstanceId,
    /// Why.
    pub why: String,
}

impl Plan {
    /// A delivery by its number; those of the clean part follow those of the plan.
    pub fn delivery(&self, index: usize) -> &Delivery {
        match index.checked_sub(self.deliveries.len()) {
            Some(more) if self.clean.is_some() => &self.clean_part().deliveries[more],
            _ => &self.deliveries[index],
        }
    }

    /// A step by its number, as [`Self::delivery`].
    pub fn step(&self, index: usize) -> &PlannedStep {
        match index.checked_sub(self.steps.len()) {
            Some(more) if self.clean.is_some() => &self.clean_part().steps[more],
            _ => &self.steps[index],
        }
    }

    /// A customer by their number, as [`Self::delivery`].
    pub fn instance(&self, index: usize) -> &Instance {
        match index.checked_sub(self.instances.len()) {
            Some(more) if self.clean.is_some() => &self.clean_part().instances[more],
            _ => &self.instances[index],
        }
    }

    /// Whether the app's whole answer about a customer is kept: it is compared.
    pub fn keeps_answers(&self, instance: usize, last: bool) -> bool {
        self.clean.is_some() && (last || instance >= self.instances.len())
    }

    /// Every customer by number: those of the plan, then those of the clean part.
    pub fn everybody(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().chain(self.clean_part().instances)
    }

    /// Every contact that exists before the run.
    pub fn all_given(&self) -> impl Iterator<Item = &PlannedContact> {
        self.given.iter().chain(self.clean_part().given)
    }

    /// What Stripe's list holds of the clean part, and from when on; nothing where nobody can ask for it.
    pub fn listed_clean(&self) -> impl Iterator<Item = (u64, &str)> {
        let deliveries =
            self.clean_part().deliveries.iter().filter(|_| self.stripe.is_some() || self.timeline.is_some());
        deliveries.filter_map(|d| Some((d.at_ms, self.bodies.get(&d.body)?.as_str())))
    }

    /// The clean part; empty where there is none.
    pub fn clean_part(&self) -> CleanPart<'_> {
        self.clean.as_ref().map_or_else(CleanPart::default, |clean| CleanPart {
            instances: &clean.instances,
            deliveries: &clean.deliveries,
            steps: &clean.steps,
            given: &clean.given,
        })
    }
}

/// The lists of a clean part.
#[derive(Clone, Copy, Debug, Default)]
pub struct CleanPart<'p> {
    /// [`Clean::instances`].
    pub instances: &'p [Instance],
    /// [`Clean::deliveries`].
    pub deliveries: &'p [Delivery],
    /// [`Clean::steps`].
    pub steps: &'p [PlannedStep],
    /// [`Clean::given`].
    pub given: &'p [PlannedContact],
}
