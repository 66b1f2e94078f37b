//! All doubles of one run behind one door, so that the socket and the simulation ask them in the same way.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    alerts::Alerts,
    answer::{self, Answered},
    crm::{Crm, CrmOptions},
    desk::{Desk, DeskOptions},
    dialect::Dialects,
    outage::Shape,
    scopes::Scopes,
    stripe::{Stripe, StripeOptions},
};
use crate::{
    scenario::fault::Double,
    wire::{Request, Response},
};
use serde_json::json;
use std::borrow::Cow;

/// How the models behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOptions {
    /// The CRM.
    pub crm: CrmOptions,
    /// The support desk.
    pub desk: DeskOptions,
    /// Stripe's API.
    pub stripe: StripeOptions,
}

impl ModelOptions {
    /// The defaults, with `epoch` as the wall time of millisecond 0.
    pub fn at(epoch: crate::time::Timestamp) -> Self {
        Self {
            crm: CrmOptions { epoch, ..CrmOptions::default() },
            desk: DeskOptions { epoch, ..DeskOptions::default() },
            stripe: StripeOptions { epoch, ..StripeOptions::default() },
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
    /// Stripe's API.
    pub stripe: Stripe,
    /// The receiver of alerts.
    pub alerts: Alerts,
}

impl Models {
    /// Empty models.
    pub fn new(options: &ModelOptions) -> Self {
        Self {
            crm: Crm::new(&options.crm),
            desk: Desk::new(options.desk),
            stripe: Stripe::new(options.stripe),
            alerts: Alerts::default(),
        }
    }

    /// Whose errors a double writes.
    pub fn shape(&self, of: Double) -> Shape {
        match of {
            Double::Crm => Shape::HubSpot,
            Double::Support => Shape::Zendesk,
            Double::Stripe => Shape::Stripe,
            Double::Alerts | Double::Declared(_) => Shape::Plain,
        }
    }

    /// What the history calls this request, whoever answers it.
    pub fn operation(&self, of: Double, request: &Request) -> Cow<'static, str> {
        let operation = match of {
            Double::Crm => Crm::operation(request),
            Double::Support => Desk::operation(request),
            Double::Stripe => Stripe::operation(request),
            Double::Alerts => Alerts::operation(request),
            Double::Declared(_) => "unknown",
        };
        operation.into()
    }

    /// As [`Self::handle`], where what this call writes reaches a search index `lag_ms` later instead of the usual time.
    pub fn handle_lagging(&mut self, of: Double, now_ms: u64, request: &Request, lag_ms: Option<u64>) -> Answered {
        let Some(lag_ms) = lag_ms else { return self.handle(of, now_ms, request) };
        let usual = (self.crm.lag(lag_ms), self.desk.lag(lag_ms));
        let answered = self.handle(of, now_ms, request);
        self.crm.lag(usual.0);
        self.desk.lag(usual.1);
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
            Double::Crm => self.crm.handle_in_part(now_ms, request, fails as usize),
            Double::Support | Double::Stripe | Double::Alerts | Double::Declared(_) => self.handle(of, now_ms, request),
        }
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, of: Double, now_ms: u64, request: &Request) -> Answered {
        match of {
            Double::Crm => self.crm.handle(now_ms, request),
            Double::Support => self.desk.handle(now_ms, request),
            Double::Stripe => self.stripe.handle(now_ms, request),
            Double::Alerts => self.alerts.handle(now_ms, request),
            Double::Declared(name) => Answered {
                operation: answer::DECLARED,
                response: Response::json(404, &json!({ "error": format!("there is no double `{name}`") })),
                effects: Vec::new(),
            },
        }
    }
}
