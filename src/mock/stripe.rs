//! Pure model of the part of Stripe's API that a subscription shop needs: customers, Checkout sessions with their hosted
//! page, subscriptions, and the list of events.
//!
//! Answers have the shape of API version 2025-09-30.clover whatever `Stripe-Version` asks for. Objects begin as those of the
//! recordings, with ids, times and amounts of their own. Must not know: sockets, clocks, faults.

mod events;
mod form;
mod keys;
mod refusal;

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
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    ListEvents,
    GetEvent(String),
    Unknown,
}

impl Route {
    fn of(request: &Request) -> Self {
        let segments = segments(&request.path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["v1", "events"]) => Self::ListEvents,
            ("GET", ["v1", "events", id]) => Self::GetEvent((*id).to_owned()),
            _ => Self::Unknown,
        }
    }

    const fn operation(&self) -> &'static str {
        match self {
            Self::ListEvents => "list_events",
            Self::GetEvent(_) => "get_event",
            Self::Unknown => "unknown",
        }
    }

    const fn scope(&self) -> Option<Scope> {
        match self {
            Self::ListEvents | Self::GetEvent(_) => Some(Scope::EventRead),
            Self::Unknown => None,
        }
    }
}

type Done = Result<(String, Vec<Effect>), Refusal>;

impl Stripe {
    /// An account without customers.
    pub const fn new(options: StripeOptions) -> Self {
        Self { options, events: Events::new(), answered: BTreeMap::new(), scopes_used: BTreeSet::new() }
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

    /// Ids and bodies of the events that the double made itself, from number `from` on: what is to be delivered.
    pub fn made_since(&self, from: usize) -> Vec<(String, Arc<str>)> {
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
        let (mut response, effects) = match self.answer(now_ms, &route, request) {
            Ok((body, effects)) => (json(body), effects),
            Err(refusal) => (refusal.response(), Vec::new()),
        };
        let id = correlation_id(now_ms, request).replace('-', "");
        response.headers.push(("request-id".into(), format!("req_{}", &id[..14])));
        response.headers.push(("stripe-version".into(), API_VERSION.into()));
        Answered { operation, response, effects }
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
            Route::ListEvents => self.events.list(now_ms, form).map(read),
            Route::GetEvent(id) => self.events.get(now_ms, id).map(read),
            Route::Unknown => Err(Refusal::unknown_url(&request.method, &request.path)),
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
