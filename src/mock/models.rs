//! All doubles of one run behind one door, so that the socket and the simulation ask them in the same way.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    alerts::Alerts,
    answer::{self, Answered},
    crm::{Crm, CrmOptions},
    declared::{Declared, UNKNOWN},
    desk::{Desk, DeskOptions},
    dialect::{Account, Dialects, Speaks},
    effect::{Contact, Effect, Ticket},
    intercom::{Intercom, IntercomOptions, Part},
    outage::Shape,
    scopes::Scopes,
    stripe::{Stripe, StripeOptions},
};
use crate::{
    id::DoubleName,
    scenario::{declared::DeclaredDouble, fault::Double},
    wire::{Request, Response},
};
use serde_json::json;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// How the models behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOptions {
    /// The CRM.
    pub crm: CrmOptions,
    /// The support desk.
    pub desk: DeskOptions,
    /// The workspace of those that speak Intercom.
    pub intercom: IntercomOptions,
    /// What the CRM's double and the support desk's speak.
    pub speaks: [Speaks; 2],
    /// Stripe's API.
    pub stripe: StripeOptions,
    /// Declared doubles by their names.
    pub declared: BTreeMap<DoubleName, Arc<DeclaredDouble>>,
    /// Wall time of millisecond 0 for declared doubles.
    pub epoch: crate::time::Timestamp,
}

impl ModelOptions {
    /// The defaults, with `epoch` as the wall time of millisecond 0.
    pub fn at(epoch: crate::time::Timestamp) -> Self {
        Self {
            crm: CrmOptions { epoch, ..CrmOptions::default() },
            desk: DeskOptions { epoch, ..DeskOptions::default() },
            intercom: IntercomOptions { epoch, ..IntercomOptions::default() },
            speaks: [Speaks::Usual; 2],
            stripe: StripeOptions { epoch, ..StripeOptions::default() },
            declared: BTreeMap::new(),
            epoch,
        }
    }

    /// For a target other than the reference service: what its tokens may do is not ours to say.
    #[must_use]
    pub fn for_any_target(mut self) -> Self {
        (self.crm.scopes, self.desk.scopes) = (Scopes::all(), Scopes::all());
        self.stripe.scopes = super::stripe::Scopes::all();
        self
    }

    /// As a project file asks for.
    #[must_use]
    pub fn speaking(mut self, asked: &Dialects) -> Self {
        self.crm.rate_limit = asked.crm.rate_limit;
        self.desk.rate_limit = asked.support.rate_limit;
        self.crm.properties.clone_from(&asked.properties);
        self.crm.unique_properties.clone_from(&asked.unique_properties);
        self.speaks = [asked.crm.speaks, asked.support.speaks];
        self.intercom.attributes.clone_from(&asked.properties);
        let limit = |account: &Account| account.rate_limit.filter(|_| account.speaks == Speaks::Intercom);
        self.intercom.rate_limit = limit(&asked.crm).or(limit(&asked.support));
        self
    }
}

/// The models and their state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Models {
    /// The CRM.
    pub crm: Crm,
    /// The support desk.
    pub desk: Desk,
    /// The workspace of those that speak Intercom.
    pub intercom: Intercom,
    speaks: [Speaks; 2],
    /// Stripe's API.
    pub stripe: Stripe,
    /// The receiver of alerts.
    pub alerts: Alerts,
    /// Declared doubles by their names.
    pub declared: BTreeMap<DoubleName, Declared>,
}

impl Models {
    /// Empty models.
    pub fn new(options: &ModelOptions) -> Self {
        Self {
            crm: Crm::new(&options.crm),
            desk: Desk::new(options.desk),
            intercom: Intercom::new(&options.intercom),
            speaks: options.speaks,
            stripe: Stripe::new(options.stripe),
            alerts: Alerts::default(),
            declared: options
                .declared
                .iter()
                .map(|(name, spec)| (*name, Declared::new(*name, Arc::clone(spec), options.epoch)))
                .collect(),
        }
    }

    fn is_intercom(&self, of: Double) -> bool {
        let [crm, support] = self.speaks;
        matches!((of, crm, support), (Double::Crm, Speaks::Intercom, _) | (Double::Support, _, Speaks::Intercom))
    }

    /// The double that a request is about: one Intercom workspace is reached at two addresses, and an app may know only one.
    pub fn whose(&self, of: Double, request: &Request) -> Double {
        if !self.is_intercom(of) {
            return of;
        }
        let about = match Intercom::part(request) {
            Part::Contacts => Double::Crm,
            Part::Support => Double::Support,
        };
        if self.is_intercom(about) { about } else { of }
    }

    /// All contacts of the CRM and all tickets of the support desk, as they are now.
    pub fn ledger(&self) -> (Vec<Contact>, Vec<Ticket>) {
        let contacts = match self.is_intercom(Double::Crm) {
            true => self.intercom.contacts(),
            false => self.crm.contacts(),
        };
        let tickets = match self.is_intercom(Double::Support) {
            true => self.intercom.tickets(),
            false => self.desk.tickets(),
        };
        (contacts, tickets)
    }

    /// A contact made by the CRM's own people before the run; returns its id.
    pub fn give(&mut self, properties: BTreeMap<String, String>) -> String {
        if self.is_intercom(Double::Crm) { self.intercom.give(properties) } else { self.crm.give(properties) }
    }

    /// Properties of a contact that the path of a call names, as they are now.
    pub(super) fn properties(&self, of: Double, contact: &str) -> BTreeMap<String, String> {
        match (self.is_intercom(of), of) {
            (true, _) => self.intercom.properties(contact.split('/').next().unwrap_or_default()).unwrap_or_default(),
            (false, Double::Crm) => self.crm.properties(contact).cloned().unwrap_or_default(),
            (false, _) => BTreeMap::new(),
        }
    }

    /// What an Intercom workspace did, as far as it stands for the CRM or for the support desk.
    fn intercom(&mut self, now_ms: u64, request: &Request) -> Answered {
        let (crm, support) = (self.is_intercom(Double::Crm), self.is_intercom(Double::Support));
        let mut answered = self.intercom.handle(now_ms, request);
        answered.effects.retain(|effect| match effect {
            Effect::TicketCreated { .. } | Effect::TicketUpdated { .. } => support,
            _ => crm,
        });
        answered
    }

    /// Whose errors a double writes.
    pub fn shape(&self, of: Double) -> Shape {
        match of {
            Double::Crm | Double::Support if self.is_intercom(of) => Shape::Intercom,
            Double::Crm => Shape::HubSpot,
            Double::Support => Shape::Zendesk,
            Double::Stripe => Shape::Stripe,
            Double::Alerts | Double::Declared(_) => Shape::Plain,
        }
    }

    /// What the history calls this request, whoever answers it.
    pub fn operation(&self, of: Double, request: &Request) -> Cow<'static, str> {
        let operation = match of {
            Double::Crm | Double::Support if self.is_intercom(of) => Intercom::operation(request),
            Double::Crm => Crm::operation(request),
            Double::Support => Desk::operation(request),
            Double::Stripe => Stripe::operation(request),
            Double::Alerts => Alerts::operation(request),
            Double::Declared(name) => {
                let declared = self.declared.get(&name);
                return Cow::Owned(declared.map_or(UNKNOWN, |double| double.operation(request)).to_owned());
            }
        };
        operation.into()
    }

    /// As [`Self::handle`], where what this call writes reaches a search index `lag_ms` later instead of the usual time.
    pub fn handle_lagging(&mut self, of: Double, now_ms: u64, request: &Request, lag_ms: Option<u64>) -> Answered {
        let Some(lag_ms) = lag_ms else { return self.handle(of, now_ms, request) };
        let usual = (self.crm.lag(lag_ms), self.desk.lag(lag_ms), self.intercom.lag(lag_ms));
        let answered = self.handle(of, now_ms, request);
        self.crm.lag(usual.0);
        self.desk.lag(usual.1);
        self.intercom.lag(usual.2);
        answered
    }

    /// As [`Self::handle`], where a read of Stripe's sees the state of `by_ms` ago.
    pub fn handle_stale(&mut self, of: Double, now_ms: u64, by_ms: u64, request: &Request) -> Answered {
        match of {
            Double::Stripe => self.stripe.handle_as_of(now_ms, now_ms.saturating_sub(by_ms), request),
            Double::Crm | Double::Support | Double::Alerts | Double::Declared(_) => self.handle(of, now_ms, request),
        }
    }

    /// As [`Self::handle`], where the last `fails` inputs of a batch fail; what is no batch is done as ever.
    pub fn handle_in_part(&mut self, of: Double, now_ms: u64, request: &Request, fails: u32) -> Answered {
        match of {
            Double::Crm if !self.is_intercom(of) => self.crm.handle_in_part(now_ms, request, fails as usize),
            Double::Crm | Double::Support | Double::Stripe | Double::Alerts | Double::Declared(_) => {
                self.handle(of, now_ms, request)
            }
        }
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, of: Double, now_ms: u64, request: &Request) -> Answered {
        match of {
            Double::Crm | Double::Support if self.is_intercom(of) => self.intercom(now_ms, request),
            Double::Crm => self.crm.handle(now_ms, request),
            Double::Support => self.desk.handle(now_ms, request),
            Double::Stripe => self.stripe.handle(now_ms, request),
            Double::Alerts => self.alerts.handle(now_ms, request),
            Double::Declared(name) => match self.declared.get_mut(&name) {
                Some(double) => double.handle(now_ms, request),
                None => Answered {
                    operation: answer::DECLARED,
                    response: Response::json(404, &json!({ "error": format!("there is no double `{name}`") })),
                    effects: Vec::new(),
                },
            },
        }
    }
}
