//! Criteria as data: what must hold at the end of a run. The judges are in `check`.
//!
//! Must not know: how a criterion is judged.

use crate::{id::DoubleName, stripe::recording::Access, time::format_duration};
use std::{borrow::Cow, collections::BTreeSet, time::Duration};

/// One `[[criterion]]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Criterion {
    /// Owed events that were acknowledged at last and took effect, as a share of the owed ones; judged by its one-sided
    /// 95 % bound.
    SuccessRate {
        /// Strictly above this share, 0 to 1.
        above: f64,
    },
    /// Owed events that were never acknowledged.
    EventsLost(Bound),
    /// Acknowledged events whose effect is missing at the end.
    AckedWithoutEffect(Bound),
    /// CRM contacts of each customer whose story says that there is one.
    ContactsPerCustomer(Bound),
    /// Fields that the CRM's own people wrote and that the service changed.
    ContactFieldsOverwritten(Bound),
    /// Tickets in `queue` for each failed invoice.
    TicketsPerFailedInvoice {
        /// How many.
        bound: Bound,
        /// In which queue.
        queue: String,
    },
    /// Tickets for each request of a person, and for each beginning that got stuck, in the queue where it belongs.
    TicketsPerRequest(Bound),
    /// Tasks in the CRM for each subscription that ended and for each invoice that failed.
    CrmTasks(Bound),
    /// Access at the end.
    Access {
        /// As this, or as each story says.
        is: AccessIs,
    },
    /// Status and plan at the end, as each story says.
    CustomerState,
    /// Time from the first planned send of the event that completes the Checkout until access is open.
    Activation {
        /// 95th percentile at most this.
        p95_within: Duration,
    },
    /// Time from the planned send of a genuine delivery until its reply.
    AckLatency {
        /// 95th percentile at most this.
        p95_within: Duration,
    },
    /// Forged deliveries that were accepted or left a trace.
    ForgeryTraces(Bound),
    /// Bad payloads answered otherwise than by a safe 4xx (no stack trace, no secret, no internals).
    UnsafeErrors(Bound),
    /// Dead letters, customers in disagreement, tickets in no queue: what a person would have to repair.
    ManualSteps(Bound),
    /// Effects that a second full replay added or changed.
    ReplayEffects(Bound),
    /// Visits that did not show what a buyer must see.
    FailedVisits(Bound),
    /// A number that the probe reads for each customer.
    ProbeValue {
        /// Name of the value in the project file.
        name: String,
        /// What it must be.
        bound: Bound,
    },
    /// Effects of one kind that a declared double counted for each customer.
    EffectsPerCustomer {
        /// Which.
        of: EffectName,
        /// Story whose customers are meant; all stories when absent.
        story: Option<String>,
        /// How many.
        bound: Bound,
    },
    /// Secrets in files, looked through at the end of a live run.
    SecretsFound {
        /// Files and folders, by their path from where hookdrill runs; `{run}` is the run's own folder.
        paths: Vec<String>,
        /// How many.
        bound: Bound,
    },
    /// Points that Lighthouse gives a page at the end of a live run.
    Lighthouse {
        /// The page; `{target}` is scheme, host and port of the webhook.
        url: String,
        /// Each category reaches so many.
        at_least: u8,
        /// Which; all but `seo` when empty.
        categories: Vec<String>,
        /// Measured so often; the middle counts.
        runs: u32,
    },
    /// Kinds of alerts that were raised: exactly these, each once for its key. None at all when it is empty.
    Alerts(BTreeSet<String>),
    /// What is otherwise, for a customer, than for one of the same story to whom nothing went wrong.
    DifferencesFromClean {
        /// How many.
        bound: Bound,
        /// Paths that may differ, with all below them: `$.history`, `contact.note`.
        ignore: Vec<String>,
    },
}

/// A kind of effect of a declared double, in files `mail.receipt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectName {
    /// Which double.
    pub double: DoubleName,
    /// Its effect.
    pub effect: String,
}

impl std::fmt::Display for EffectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.double, self.effect)
    }
}

/// What access must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessIs {
    /// This, for every customer.
    This(Access),
    /// As the story of each customer says.
    AsStory,
}

/// A bound on a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Just this many.
    Exactly(u64),
    /// This many or fewer.
    AtMost(u64),
}

impl Bound {
    /// Whether `count` keeps it.
    pub fn holds(self, count: u64) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::AtMost(most) => count <= most,
        }
    }
}

/// What a criterion needs to be told of the target before it can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A probe that reads access.
    AccessProbe,
    /// A probe that reads status and plan.
    StateProbe,
    /// A probe that reads the named value.
    ValueProbe,
    /// The CRM double is in use.
    Crm,
    /// The support double is in use.
    Support,
    /// The Stripe API double is in use.
    Stripe,
    /// The receiver of alerts is in use.
    Alerts,
    /// Pages that a person can visit.
    Pages,
    /// The service reports its queue (pending jobs, dead letters).
    Queue,
    /// The target is a process that can be killed.
    Process,
    /// The declared double of this name is in use.
    Declared(DoubleName),
}

impl Need {
    /// Its word among the abilities of a history.
    pub fn word(self) -> Cow<'static, str> {
        let word = match self {
            Self::AccessProbe => "access_probe",
            Self::StateProbe => "state_probe",
            Self::ValueProbe => "value_probe",
            Self::Crm => "crm",
            Self::Support => "support",
            Self::Stripe => "stripe",
            Self::Alerts => "alerts",
            Self::Pages => "pages",
            Self::Queue => "queue",
            Self::Process => "process",
            Self::Declared(name) => return Cow::Owned(Self::declared(name)),
        };
        Cow::Borrowed(word)
    }

    /// The ability to be called through the declared double of a name.
    pub fn declared(name: DoubleName) -> String {
        format!("declared {name}")
    }

    /// What it is, in words that follow "it needs a".
    pub fn describe(self) -> Cow<'static, str> {
        let what = match self {
            Self::AccessProbe => "probe that reads a customer's access (`[probe.customer]` with `access`)",
            Self::StateProbe => "probe that reads status and plan (`status` and `plan` in `[probe.customer]`)",
            Self::ValueProbe => "probe that reads named values (`values` in `[probe.customer]`)",
            Self::Crm => "CRM double (`[mocks.crm]`)",
            Self::Support => "support double (`[mocks.support]`)",
            Self::Stripe => "double of Stripe's API (`[mocks.stripe]`)",
            Self::Alerts => "receiver of alerts, which only the embedded service is given",
            Self::Pages => "success page (`[pages]`)",
            Self::Queue => "report of its queue, which only the embedded service gives",
            Self::Process => "process that hookdrill started",
            Self::Declared(name) => {
                return Cow::Owned(format!("declared double `{name}` (`[mocks.{name}]` with `file`)"));
            }
        };
        Cow::Borrowed(what)
    }
}

impl Criterion {
    /// Every key of a `[[criterion]]`.
    pub const NAMES: &'static [&'static str] = &[
        "success_rate",
        "events_lost",
        "acked_without_effect",
        "contacts_per_customer",
        "contact_fields_overwritten",
        "tickets_per_failed_invoice",
        "tickets_per_request",
        "crm_tasks",
        "access",
        "customer_state",
        "activation",
        "ack_latency",
        "forgery_traces",
        "unsafe_errors",
        "manual_steps",
        "replay_effects",
        "failed_visits",
        "probe_value",
        "effects_per_customer",
        "secrets_found",
        "lighthouse",
        "alerts",
        "differences_from_clean",
    ];

    /// Its key in a scenario file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SuccessRate { .. } => "success_rate",
            Self::EventsLost(_) => "events_lost",
            Self::AckedWithoutEffect(_) => "acked_without_effect",
            Self::ContactsPerCustomer(_) => "contacts_per_customer",
            Self::ContactFieldsOverwritten(_) => "contact_fields_overwritten",
            Self::TicketsPerFailedInvoice { .. } => "tickets_per_failed_invoice",
            Self::TicketsPerRequest(_) => "tickets_per_request",
            Self::CrmTasks(_) => "crm_tasks",
            Self::Access { .. } => "access",
            Self::CustomerState => "customer_state",
            Self::Activation { .. } => "activation",
            Self::AckLatency { .. } => "ack_latency",
            Self::ForgeryTraces(_) => "forgery_traces",
            Self::UnsafeErrors(_) => "unsafe_errors",
            Self::ManualSteps(_) => "manual_steps",
            Self::ReplayEffects(_) => "replay_effects",
            Self::FailedVisits(_) => "failed_visits",
            Self::ProbeValue { .. } => "probe_value",
            Self::EffectsPerCustomer { .. } => "effects_per_customer",
            Self::SecretsFound { .. } => "secrets_found",
            Self::Lighthouse { .. } => "lighthouse",
            Self::Alerts(_) => "alerts",
            Self::DifferencesFromClean { .. } => "differences_from_clean",
        }
    }

    /// What the target must offer so that it can be judged at all.
    pub fn needs(&self) -> Vec<Need> {
        match self {
            Self::EventsLost(_)
            | Self::AckLatency { .. }
            | Self::UnsafeErrors(_)
            | Self::ForgeryTraces(_)
            | Self::SecretsFound { .. }
            | Self::Lighthouse { .. } => Vec::new(),
            // A probe or a double; whichever there is, is compared.
            Self::DifferencesFromClean { .. } => Vec::new(),
            Self::ContactsPerCustomer(_) | Self::ContactFieldsOverwritten(_) => vec![Need::Crm],
            Self::CrmTasks(_) => vec![Need::Crm],
            Self::TicketsPerFailedInvoice { .. } | Self::TicketsPerRequest(_) => vec![Need::Support],
            // A replay shows in the probe's answer; calls of the doubles are counted besides where there are any.
            Self::SuccessRate { .. }
            | Self::AckedWithoutEffect(_)
            | Self::ReplayEffects(_)
            | Self::Access { .. }
            | Self::Activation { .. } => vec![Need::AccessProbe],
            Self::CustomerState => vec![Need::StateProbe],
            Self::ManualSteps(_) => vec![Need::Queue],
            Self::FailedVisits(_) => vec![Need::Pages],
            Self::ProbeValue { .. } => vec![Need::ValueProbe],
            Self::EffectsPerCustomer { of, .. } => vec![Need::Declared(of.double)],
            Self::Alerts(_) => vec![Need::Alerts],
        }
    }

    /// What is expected, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::SuccessRate { above } => {
                format!("more than {} of the owed events acknowledged and in effect", percent(*above))
            }
            Self::EventsLost(bound) => format!("{} lost", bound.of("owed event")),
            Self::AckedWithoutEffect(bound) => format!("{} without effect at the end", bound.of("acknowledged event")),
            Self::ContactsPerCustomer(bound) => format!("{} for each customer", bound.of("contact")),
            Self::ContactFieldsOverwritten(bound) => {
                format!("{} overwritten that the CRM's own people wrote", bound.of("contact field"))
            }
            Self::TicketsPerFailedInvoice { bound, queue } => {
                format!("{} in queue {queue} for each failed invoice", bound.of("ticket"))
            }
            Self::TicketsPerRequest(bound) => format!("{} for each request, in its queue", bound.of("ticket")),
            Self::CrmTasks(bound) => {
                format!("{} in the CRM for each failed invoice and ended subscription", bound.of("task"))
            }
            Self::Access { is: AccessIs::AsStory } => "access as the story of each customer says".to_owned(),
            Self::Access { is: AccessIs::This(access) } => {
                format!("access {} for every customer", access_word(*access))
            }
            Self::CustomerState => "status and plan as the story of each customer says".to_owned(),
            Self::Activation { p95_within } => {
                format!("95 % of buyers have access within {}", format_duration(*p95_within))
            }
            Self::AckLatency { p95_within } => {
                format!("95 % of genuine deliveries answered within {}", format_duration(*p95_within))
            }
            Self::ForgeryTraces(bound) => format!("{} accepted or leaving a trace", bound.of("forged delivery")),
            Self::UnsafeErrors(bound) => format!("{} to a bad payload", bound.of("unsafe answer")),
            Self::ManualSteps(bound) => format!("{} left for a person", bound.of("repair")),
            Self::ReplayEffects(bound) => format!("{} of a second full replay", bound.of("effect")),
            Self::FailedVisits(bound) => {
                format!("{} that did not show what a buyer must see", bound.of("visit"))
            }
            Self::SecretsFound { paths, bound } => format!("{} in {}", bound.of("secret"), paths.join(", ")),
            Self::Lighthouse { url, at_least, .. } => format!("{url} reaches {at_least} points in each category"),
            Self::Alerts(kinds) if kinds.is_empty() => "no alert".to_owned(),
            Self::Alerts(kinds) => {
                let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
                format!("the alerts {}, each once, and no other", kinds.join(", "))
            }
            Self::EffectsPerCustomer { of, bound, story: None } => {
                format!("{} {of} for each customer", bound.number())
            }
            Self::EffectsPerCustomer { of, bound, story: Some(story) } => {
                format!("{} {of} for each customer of {story}", bound.number())
            }
            Self::ProbeValue { name, bound } => format!("{name} is {} for each customer", bound.number()),
            Self::DifferencesFromClean { bound, .. } => {
                format!("{} from what a clean delivery of the same story leads to", bound.of("difference"))
            }
        }
    }
}

impl Bound {
    /// `exactly 1 contact`, `at most 2 contacts`.
    fn of(self, thing: &str) -> String {
        let (Self::Exactly(number) | Self::AtMost(number)) = self;
        let plural = match thing.strip_suffix('y') {
            _ if number == 1 => thing.to_owned(),
            Some(stem) => format!("{stem}ies"),
            None => format!("{thing}s"),
        };
        format!("{} {plural}", self.number())
    }

    fn number(self) -> String {
        match self {
            Self::Exactly(number) => format!("exactly {number}"),
            Self::AtMost(number) => format!("at most {number}"),
        }
    }
}

/// `0.99` as `99 %`, `0.995` as `99.5 %`.
fn percent(share: f64) -> String {
    let digits = format!("{:.4}", share * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

const fn access_word(access: Access) -> &'static str {
    match access {
        Access::None => "never given",
        Access::Granted => "granted",
        Access::Revoked => "revoked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_read_as_sentences() {
        for (criterion, words) in [
            (Criterion::SuccessRate { above: 0.995 }, "more than 99.5 % of the owed events acknowledged and in effect"),
            (Criterion::EventsLost(Bound::Exactly(0)), "exactly 0 owed events lost"),
            (Criterion::ContactsPerCustomer(Bound::Exactly(1)), "exactly 1 contact for each customer"),
            (Criterion::ForgeryTraces(Bound::AtMost(2)), "at most 2 forged deliveries accepted or leaving a trace"),
            (Criterion::Activation { p95_within: Duration::from_secs(120) }, "95 % of buyers have access within 2m"),
        ] {
            assert_eq!(criterion.describe(), words);
            assert!(Criterion::NAMES.contains(&criterion.name()));
        }
    }
}
