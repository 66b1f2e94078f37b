//! What is driven: where webhooks go, how state is read, which pages there are.
//!
//! Must not know: how the target came about (a child process, a URL of the user's).

use super::{ask::Question, probe::ProbeSpec, signing::SigningSecrets, template::Given};
use crate::{id::DoubleName, scenario::criterion::Need};
use std::{collections::BTreeMap, time::Duration};

/// A running target.
#[derive(Clone, Debug)]
pub struct Target {
    /// In words, for reports.
    pub name: String,
    /// Where webhooks go.
    pub webhook: String,
    /// Secrets for signing.
    pub secrets: SigningSecrets,
    /// How a customer's state is read.
    pub probe: Option<ProbeSpec>,
    /// How it is read whether an event is stored; for the audit.
    pub event_probe: Option<Question>,
    /// Where the service reports its queue.
    pub queue: Option<String>,
    /// The success page, with braces.
    pub success_page: Option<String>,
    /// How a person signs up.
    pub sign_up: Option<SignUp>,
    /// Where people ask for help, as the reference service takes it.
    pub support_form: Option<String>,
    /// Whether it sends its CRM calls to our double.
    pub crm: bool,
    /// Whether it sends its support calls to our double.
    pub support: bool,
    /// Whether it asks our double of Stripe's API.
    pub stripe: bool,
    /// Whether it finds events that never arrived in Stripe's list.
    pub fetches_events: bool,
    /// How long it may take to go on with what a dead process held or a peer refused.
    pub recovers_within: Duration,
    /// Whether it posts its alerts to our receiver.
    pub alerts: bool,
    /// Declared doubles that it calls.
    pub declared: Vec<DoubleName>,
    /// Whether hookdrill started it: then it can be killed and stopped.
    pub process: bool,
    /// Whether its clock can be wrong.
    pub clock: bool,
    /// Whether its store can be locked.
    pub store: bool,
    /// What is done for each customer before their story begins.
    pub seeds: Vec<Question>,
    /// What is done before each scenario.
    pub resets: Vec<Question>,
    /// What the run fills into all of these texts.
    pub given: Given,
}

/// A sign-up request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignUp {
    /// Where it is posted.
    pub url: String,
    /// JSON fields with braces in their values.
    pub json: BTreeMap<String, String>,
}

impl Target {
    /// What it can be asked, in the words that the history uses.
    pub fn abilities(&self) -> Vec<String> {
        let probe = self.probe.as_ref();
        [
            ("access_probe", probe.is_some()),
            ("state_probe", probe.is_some_and(|p| p.status.is_some() && p.plan.is_some())),
            ("value_probe", probe.is_some_and(|p| !p.values.is_empty())),
            ("crm", self.crm),
            ("support", self.support),
            ("stripe", self.stripe),
            ("alerts", self.alerts),
            ("pages", self.success_page.is_some()),
            ("queue", self.queue.is_some()),
            ("process", self.process),
            ("clock", self.clock),
            ("store", self.store),
        ]
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name.to_owned())
        .chain(self.declared.iter().map(|name| Need::declared(*name)))
        .collect()
    }
}
