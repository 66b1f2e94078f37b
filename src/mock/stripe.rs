//! Pure model of Stripe's API: the objects of the stories as they stand at each point of Stripe's own timeline, what callers
//! make of them, and the shop of `hookdrill serve` with its hosted page.
//!
//! What is asked for in a version has the shape of that version. Objects that the double makes itself begin as those of the
//! recordings, with ids, times and amounts of their own. Must not know: sockets, clocks, faults.

mod catalog;
mod customers;
mod events;
mod expand;
mod form;
mod keys;
mod kinds;
mod lists;
mod made_up;
mod pay;
mod reads;
mod refusal;
mod route;
mod search;
mod sessions;
mod shapes;
mod subscriptions;
mod timeline;
mod versions;
mod view;
mod writes;

use super::{
    answer::{Answered, correlation_id, segments},
    effect::Effect,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
use events::Events;
use expand::Asked;
use form::Form;
use refusal::Refusal;
use route::Route;
use serde_json::Value;
use sessions::Session;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use catalog::{PRICES, Price};
pub use events::BadEvent;
pub use keys::{Scope, Scopes};

/// The version of what the double makes itself.
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
    /// What callers changed of the timeline's objects.
    patches: BTreeMap<String, Vec<view::Patch>>,
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

type Done = Result<(String, Vec<Effect>), Refusal>;

impl Stripe {
    /// An account without customers.
    pub fn new(options: StripeOptions) -> Self {
        Self {
            options,
            customers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            given_ids: 0,
            events: Events::new(),
            patches: BTreeMap::new(),
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
        self.handle_as_of(now_ms, now_ms, request)
    }

    /// As [`Self::handle`], where a read sees the state of `seen_ms`.
    pub fn handle_as_of(&mut self, now_ms: u64, seen_ms: u64, request: &Request) -> Answered {
        let route = Route::of(request);
        let operation = route.operation();
        self.advance(now_ms);
        if let Route::Hosted(id) = &route {
            return Answered { operation, response: self.hosted(now_ms, id, request), effects: Vec::new() };
        }
        let now_ms = if route.reads() { seen_ms } else { now_ms };
        let (mut response, effects) = match self.answer(now_ms, &route, request) {
            Ok(Answer { body, effects, replayed }) => (json(body, replayed), effects),
            Err(refusal) => (refusal.response(), Vec::new()),
        };
        let id = correlation_id(now_ms, request).replace('-', "");
        response.headers.push(("request-id".into(), format!("req_{}", &id[..14])));
        let asked = request.header("stripe-version").map(str::to_owned);
        let version = asked.unwrap_or_else(|| self.account_version(now_ms));
        response.headers.push(("stripe-version".into(), version));
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

    fn answer(&mut self, now_ms: u64, route: &Route, request: &Request) -> Result<Answer, Refusal> {
        let Some(scope) = route.scope() else { return Err(Refusal::unknown_url(&request.method, &request.path)) };
        keys::check(request, scope, self.options.scopes)?;
        let version = request.header("stripe-version");
        if let Some(version) = version.filter(|version| !is_version(version)) {
            return Err(Refusal::bad_version(version));
        }
        if route.is_about_invoice_payments() && version.is_some_and(|version| !versions::has_invoice_payments(version))
        {
            return Err(Refusal::unknown_url(&request.method, &request.path));
        }
        self.scopes_used.insert(scope);
        let mut form =
            if request.method == "POST" { Form::of_body(&request.body) } else { Form::of_query(&request.query) }?;
        if request.method == "DELETE" && !request.body.is_empty() {
            form = Form::of_body(&request.body)?;
        }
        let asked = Asked { now_ms, version };
        match request.header("idempotency-key").filter(|_| request.method == "POST") {
            Some(key) => self.once(asked, route, request, form, key.to_owned()),
            None => self.act(asked, route, request, &form).map(Answer::fresh),
        }
    }

    /// A key's first call acts; later ones with the same parameters get its answer. Refusals are not remembered.
    fn once(
        &mut self,
        asked: Asked<'_>,
        route: &Route,
        request: &Request,
        form: Form,
        key: String,
    ) -> Result<Answer, Refusal> {
        if let Some(before) = self.answered.get(&key) {
            let same = before.path == request.path && before.form == form;
            let answer = Answer { body: before.body.to_string(), effects: Vec::new(), replayed: true };
            return if same { Ok(answer) } else { Err(Refusal::key_reused(&key)) };
        }
        let (body, effects) = self.act(asked, route, request, &form)?;
        self.answered.insert(key, Remembered { path: request.path.clone(), form, body: body.as_str().into() });
        Ok(Answer { body, effects, replayed: false })
    }

    fn act(&mut self, asked: Asked<'_>, route: &Route, request: &Request, form: &Form) -> Done {
        let (now_ms, read) = (asked.now_ms, |body: String| (body, Vec::new()));
        match route {
            Route::Read(kind, id) => self.read(asked, *kind, id, form),
            Route::List(kind) => self.list(asked, *kind, form, None),
            Route::Search(kind) => self.search(asked, *kind, form),
            Route::Lines(id) => self.lines(asked, id, form),
            Route::SessionItems(id) => self.session_items(asked, id, form),
            Route::OfCustomer(kind, id) => self.of_customer(asked, *kind, id, form),
            Route::CreateCustomer => self.create_customer(now_ms, form),
            Route::UpdateCustomer(id) => self.update_customer(asked, id, form),
            Route::DeleteCustomer(id) => self.delete_customer(asked, id, form),
            Route::CreateSession => self.create_session(now_ms, request, form),
            Route::ExpireSession(id) => self.expire_session(asked, id, form),
            Route::UpdateSubscription(id) => self.update_subscription(asked, id, form),
            Route::CancelSubscription(id) => self.cancel_subscription(asked, id, form),
            Route::CreateRefund => self.create_refund(asked, form),
            Route::PayInvoice(id) => self.pay_invoice(asked, id, form),
            Route::VoidInvoice(id) => self.void_invoice(asked, id, form),
            Route::Amend(kind, id) => self.amend(asked, *kind, id, form),
            Route::OpenPortal => self.open_portal(asked, form),
            Route::ListEvents => self.events.list(now_ms, form).map(read),
            Route::GetEvent(id) => self.events.get(now_ms, id).map(read),
            Route::Hosted(_) | Route::Unknown => Err(Refusal::unknown_url(&request.method, &request.path)),
        }
    }
}

/// What a call leads to.
struct Answer {
    body: String,
    effects: Vec<Effect>,
    /// It is that of an earlier call under the same key.
    replayed: bool,
}

impl Answer {
    fn fresh((body, effects): (String, Vec<Effect>)) -> Self {
        Self { body, effects, replayed: false }
    }
}

fn json(body: String, replayed: bool) -> Response {
    let mut headers = vec![("content-type".into(), "application/json".into())];
    if replayed {
        headers.push(("idempotent-replayed".into(), "true".into()));
    }
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
