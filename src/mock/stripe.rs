//! Pure model of the part of Stripe's API that a subscription shop needs: customers, Checkout sessions with their hosted
//! page, subscriptions, and the list of events.
//!
//! Answers have the shape of API version 2025-09-30.clover whatever `Stripe-Version` asks for. Objects begin as those of the
//! recordings, with ids, times and amounts of their own. Must not know: sockets, clocks, faults.

mod catalog;
mod customers;
mod events;
mod form;
mod keys;
mod pay;
mod refusal;
mod sessions;
mod shapes;
mod subscriptions;

use super::{
    answer::{Answered, correlation_id, segments},
    effect::Effect,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
use events::Events;
use form::Form;
use refusal::Refusal;
use serde_json::Value;
use sessions::Session;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use catalog::{PRICES, Price};
pub use events::BadEvent;
pub use keys::{Scope, Scopes};

/// The version whose shapes are answered.
pub const API_VERSION: &str = "2025-09-30.clover";

/// How the model behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StripeOptions {
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
    /// What restricted keys (`rk_…`) may do.
    pub scopes: Scopes,
}

impl Default for StripeOptions {
    fn default() -> Self {
        Self { epoch: super::crm::DEFAULT_EPOCH, scopes: Scopes::of_the_service() }
    }
}

/// Stripe's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stripe {
    options: StripeOptions,
    customers: BTreeMap<String, Value>,
    sessions: BTreeMap<String, Session>,
    subscriptions: BTreeMap<String, Value>,
    /// Ids given so far.
    given_ids: u64,
    events: Events,
    /// Answers by `Idempotency-Key`.
    answered: BTreeMap<String, Remembered>,
    scopes_used: BTreeSet<Scope>,
}

/// What a key was used for, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Remembered {
    path: String,
    form: Form,
    body: Arc<str>,
}

enum Route {
    CreateCustomer,
    GetCustomer(String),
    CreateSession,
    GetSession(String),
    ExpireSession(String),
    ListSubscriptions,
    GetSubscription(String),
    UpdateSubscription(String),
    CancelSubscription(String),
    ListEvents,
    GetEvent(String),
    /// The hosted page.
    Hosted(String),
    Unknown,
}

impl Route {
    fn of(request: &Request) -> Self {
        let segments = segments(&request.path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let own = |id: &&str| (*id).to_owned();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["v1", "customers"]) => Self::CreateCustomer,
            ("GET", ["v1", "customers", id]) => Self::GetCustomer(own(id)),
            ("POST", ["v1", "checkout", "sessions"]) => Self::CreateSession,
            ("GET", ["v1", "checkout", "sessions", id]) => Self::GetSession(own(id)),
            ("POST", ["v1", "checkout", "sessions", id, "expire"]) => Self::ExpireSession(own(id)),
            ("GET", ["v1", "subscriptions"]) => Self::ListSubscriptions,
            ("GET", ["v1", "subscriptions", id]) => Self::GetSubscription(own(id)),
            ("POST", ["v1", "subscriptions", id]) => Self::UpdateSubscription(own(id)),
            ("DELETE", ["v1", "subscriptions", id]) => Self::CancelSubscription(own(id)),
            ("GET" | "POST", ["c", "pay", id]) => Self::Hosted(own(id)),
            ("GET", ["v1", "events"]) => Self::ListEvents,
            ("GET", ["v1", "events", id]) => Self::GetEvent(own(id)),
            _ => Self::Unknown,
        }
    }

    const fn operation(&self) -> &'static str {
        match self {
            Self::CreateCustomer => "create_customer",
            Self::GetCustomer(_) => "get_customer",
            Self::CreateSession => "create_session",
            Self::GetSession(_) => "get_session",
            Self::ExpireSession(_) => "expire_session",
            Self::ListSubscriptions => "list_subscriptions",
            Self::GetSubscription(_) => "get_subscription",
            Self::UpdateSubscription(_) => "update_subscription",
            Self::CancelSubscription(_) => "cancel_subscription",
            Self::Hosted(_) => "hosted_page",
            Self::ListEvents => "list_events",
            Self::GetEvent(_) => "get_event",
            Self::Unknown => "unknown",
        }
    }

    const fn scope(&self) -> Option<Scope> {
        match self {
            Self::CreateCustomer => Some(Scope::CustomerWrite),
            Self::GetCustomer(_) => Some(Scope::CustomerRead),
            Self::CreateSession | Self::ExpireSession(_) => Some(Scope::CheckoutSessionWrite),
            Self::GetSession(_) => Some(Scope::CheckoutSessionRead),
            Self::ListSubscriptions | Self::GetSubscription(_) => Some(Scope::SubscriptionRead),
            Self::UpdateSubscription(_) | Self::CancelSubscription(_) => Some(Scope::SubscriptionWrite),
            Self::ListEvents | Self::GetEvent(_) => Some(Scope::EventRead),
            Self::Hosted(_) | Self::Unknown => None,
        }
    }
}

type Done = Result<(String, Vec<Effect>), Refusal>;

impl Stripe {
    /// An account without customers.
    pub const fn new(options: StripeOptions) -> Self {
        Self {
            options,
            customers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            given_ids: 0,
            events: Events::new(),
            answered: BTreeMap::new(),
            scopes_used: BTreeSet::new(),
        }
    }

    /// What the history calls this request.
    pub fn operation(request: &Request) -> &'static str {
        Route::of(request).operation()
    }

    /// Wall time of millisecond 0.
    pub const fn epoch(&self) -> Timestamp {
        self.options.epoch
    }

    /// An event of the run, which `GET /v1/events` lists from `at_ms` on. `body` is the event as JSON and is listed byte for
    /// byte. It is not one that the double makes, so nobody delivers it from here.
    ///
    /// # Errors
    /// [`BadEvent`] when `body` is no event.
    pub fn give_event(&mut self, at_ms: u64, body: impl Into<Arc<str>>) -> Result<(), BadEvent> {
        self.events.give(at_ms, body.into())
    }

    /// Ids and bodies of the events that the double made itself by `now_ms`, from number `from` on: what is to be delivered.
    pub fn made_since(&mut self, now_ms: u64, from: usize) -> Vec<(String, Arc<str>)> {
        self.advance(now_ms);
        let made = self.events.made_since(from).iter();
        made.map(|entry| (entry.id.clone(), Arc::clone(&entry.body))).collect()
    }

    /// What callers have used of what their keys allow.
    pub const fn scopes_used(&self) -> &BTreeSet<Scope> {
        &self.scopes_used
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, now_ms: u64, request: &Request) -> Answered {
        let route = Route::of(request);
        let operation = route.operation();
        self.advance(now_ms);
        if let Route::Hosted(id) = &route {
            return Answered { operation, response: self.hosted(now_ms, id, request), effects: Vec::new() };
        }
        let (mut response, effects) = match self.answer(now_ms, &route, request) {
            Ok((body, effects)) => (json(body), effects),
            Err(refusal) => (refusal.response(), Vec::new()),
        };
        let id = correlation_id(now_ms, request).replace('-', "");
        response.headers.push(("request-id".into(), format!("req_{}", &id[..14])));
        response.headers.push(("stripe-version".into(), API_VERSION.into()));
        Answered { operation, response, effects }
    }

    /// What has happened by itself until `now_ms`: sessions expire, subscriptions end with their period.
    fn advance(&mut self, now_ms: u64) {
        let now = self.secs(now_ms);
        for id in self.overdue_sessions(now) {
            self.expire(now_ms, &id);
        }
        for id in self.ended_subscriptions(now) {
            self.end(now_ms, &id);
        }
    }

    /// Unix seconds at `now_ms`.
    fn secs(&self, now_ms: u64) -> i64 {
        let since = i64::try_from(now_ms).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.options.epoch.millis().saturating_add(since)).secs()
    }

    /// An id that was not given before, the same in every run with the same epoch.
    fn fresh(&mut self, prefix: &str, length: usize) -> String {
        self.given_ids += 1;
        let seed = [prefix, &self.options.epoch.millis().to_string(), &self.given_ids.to_string()];
        format!("{prefix}{}", shapes::token(&seed, length, "aA1"))
    }

    fn answer(&mut self, now_ms: u64, route: &Route, request: &Request) -> Done {
        let Some(scope) = route.scope() else { return Err(Refusal::unknown_url(&request.method, &request.path)) };
        keys::check(request, scope, self.options.scopes)?;
        if let Some(version) = request.header("stripe-version").filter(|version| !is_version(version)) {
            return Err(Refusal::bad_version(version));
        }
        self.scopes_used.insert(scope);
        let form =
            if request.method == "POST" { Form::of_body(&request.body) } else { Form::of_query(&request.query) }?;
        match request.header("idempotency-key").filter(|_| request.method == "POST") {
            Some(key) => self.once(now_ms, route, request, form, key.to_owned()),
            None => self.act(now_ms, route, request, &form),
        }
    }

    /// A key's first call acts; later ones with the same parameters get its answer. Refusals are not remembered.
    fn once(&mut self, now_ms: u64, route: &Route, request: &Request, form: Form, key: String) -> Done {
        if let Some(before) = self.answered.get(&key) {
            let same = before.path == request.path && before.form == form;
            return if same { Ok((before.body.to_string(), vec![])) } else { Err(Refusal::key_reused(&key)) };
        }
        let (body, effects) = self.act(now_ms, route, request, &form)?;
        self.answered.insert(key, Remembered { path: request.path.clone(), form, body: body.as_str().into() });
        Ok((body, effects))
    }

    fn act(&mut self, now_ms: u64, route: &Route, request: &Request, form: &Form) -> Done {
        let read = |body: String| (body, Vec::new());
        match route {
            Route::CreateCustomer => self.create_customer(now_ms, form),
            Route::GetCustomer(id) => self.get_customer(id),
            Route::CreateSession => self.create_session(now_ms, request, form),
            Route::GetSession(id) => self.get_session(id),
            Route::ExpireSession(id) => self.expire_session(now_ms, id),
            Route::ListSubscriptions => self.list_subscriptions(form),
            Route::GetSubscription(id) => self.get_subscription(id),
            Route::UpdateSubscription(id) => self.update_subscription(now_ms, id, form),
            Route::CancelSubscription(id) => self.cancel_subscription(now_ms, id, form),
            Route::ListEvents => self.events.list(now_ms, form).map(read),
            Route::GetEvent(id) => self.events.get(now_ms, id).map(read),
            Route::Hosted(_) | Route::Unknown => Err(Refusal::unknown_url(&request.method, &request.path)),
        }
    }
}

fn json(body: String) -> Response {
    let headers = vec![("content-type".into(), "application/json".into())];
    Response { status: 200, headers, body: body.into_bytes(), ..Response::default() }
}

/// `2025-09-30.clover`, or an older one without a name.
fn is_version(text: &str) -> bool {
    let (date, name) = text.split_once('.').map_or((text, None), |(date, name)| (date, Some(name)));
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    let dated = matches!(parts[..], [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2));
    dated && name.is_none_or(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}
