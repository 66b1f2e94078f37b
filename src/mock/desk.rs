//! Pure model of a support desk with Zendesk's tickets API: no key is unique but the idempotency key, search lags.
//!
//! What is modelled is what breaks integrations: `external_id` is *not* unique, so two creates make two tickets unless
//! they carry the same `Idempotency-Key` (Zendesk's Support API introduction, "Idempotency"); listing by `external_id`
//! is consistent at once, search is not; an update may ask to be refused when the ticket has changed since; calls may be limited.
//! Must not know: sockets, clocks, faults.

mod fields;
mod jobs;
mod page;
mod query;
mod refusal;
mod route;
mod scope;
mod tickets;
mod users;

use super::{
    answer::{Answered, has_credentials},
    effect::{Effect, Ticket},
    lagged::Lagged,
    limit::Window,
    scopes,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
use fields::Fields;
use refusal::Refusal;
use route::Route;
pub use scope::{Scope, Scopes};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Delay of the search index when nothing else is said; Zendesk's own is often longer (its search guide speaks of minutes).
pub const DEFAULT_SEARCH_LAG_MS: u64 = 250;

/// How long an idempotency key is kept: two hours, as Zendesk says of its own. A service that retries a ticket later than
/// that makes a second one.
pub const IDEMPOTENCY_KEY_MS: u64 = 2 * 60 * 60 * 1000;

/// Longest idempotency key that Zendesk takes, characters.
const LONGEST_KEY: usize = 255;

/// The span of Zendesk's limit.
const MINUTE_MS: u64 = 60_000;

/// How the model behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeskOptions {
    /// How long a search does not see a write, milliseconds.
    pub search_lag_ms: u64,
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
    /// What the caller's token may do.
    pub scopes: Scopes,
    /// Calls that are allowed in a minute; no limit when absent.
    pub rate_limit: Option<u32>,
}

impl Default for DeskOptions {
    fn default() -> Self {
        Self {
            search_lag_ms: DEFAULT_SEARCH_LAG_MS,
            epoch: super::crm::DEFAULT_EPOCH,
            scopes: scope::of_the_service(),
            rate_limit: None,
        }
    }
}

/// The desk's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desk {
    options: DeskOptions,
    tickets: BTreeMap<u64, Stored>,
    /// Ids by external id: a list, for it is not unique.
    by_external_id: BTreeMap<String, Vec<u64>>,
    keys: BTreeMap<String, Kept>,
    users: BTreeMap<u64, Lagged<users::User>>,
    jobs: Vec<jobs::Job>,
    limit: Option<Window>,
    scopes_used: BTreeSet<Scope>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stored {
    versions: Lagged<Fields>,
    created_ms: u64,
}

/// The first answer to an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kept {
    at_ms: u64,
    request: Value,
    answer: Vec<u8>,
}

type Done = Result<(Response, Vec<Effect>), Refusal>;

impl Desk {
    /// From now on searches see a write this much later, milliseconds; returns what it was.
    pub(super) fn lag(&mut self, lag_ms: u64) -> u64 {
        std::mem::replace(&mut self.options.search_lag_ms, lag_ms)
    }

    /// A desk without tickets.
    pub fn new(options: DeskOptions) -> Self {
        Self {
            options,
            tickets: BTreeMap::new(),
            by_external_id: BTreeMap::new(),
            keys: BTreeMap::new(),
            users: BTreeMap::from([(users::AGENT, Lagged::new(0, users::User::agent()))]),
            jobs: Vec::new(),
            limit: options.rate_limit.map(|most| Window::new(most, MINUTE_MS)),
            scopes_used: BTreeSet::new(),
        }
    }

    /// Name of the operation that `request` asks for, also when it will be refused or never reaches the model.
    pub fn operation(request: &Request) -> &'static str {
        Route::of(request).operation()
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, now_ms: u64, request: &Request) -> Answered {
        let route = Route::of(request);
        let operation = route.operation();
        if !has_credentials(request) {
            return Answered { operation, response: Refusal::no_credentials().response(), effects: Vec::new() };
        }
        let headers = match self.limited(now_ms) {
            Ok(headers) => headers,
            Err(response) => return Answered { operation, response, effects: Vec::new() },
        };
        let done = self.answer(now_ms, route, request);
        let (mut response, effects) = done.unwrap_or_else(|refusal| (refusal.response(), Vec::new()));
        response.headers.extend(headers);
        Answered { operation, response, effects }
    }

    /// The headers that tell how far the limit is used up; a 429 when it is.
    fn limited(&mut self, now_ms: u64) -> Result<Vec<(String, String)>, Response> {
        let Some(limit) = &mut self.limit else { return Ok(Vec::new()) };
        let taken = limit.take(now_ms);
        let headers = limit_headers(limit.most(), taken.unwrap_or(0));
        match taken {
            Ok(_) => Ok(headers),
            Err(wait_ms) => {
                let mut response = refusal::too_many();
                response.headers.push(("retry-after".to_owned(), wait_ms.div_ceil(1_000).to_string()));
                response.headers.extend(headers);
                Err(response)
            }
        }
    }

    /// Names of the scopes that calls have made use of so far; refused calls use none.
    pub fn scopes_used(&self) -> Vec<String> {
        scopes::names(&self.scopes_used)
    }

    /// From now on the caller's token may do this.
    pub fn grant(&mut self, scopes: Scopes) {
        self.options.scopes = scopes;
    }

    fn answer(&mut self, now_ms: u64, route: Route, request: &Request) -> Done {
        let scope = route.scope();
        if let Some(scope) = scope.filter(|scope| !scope::allows(self.options.scopes, *scope)) {
            return Err(Refusal::missing_scope(scope));
        }
        let done = self.carry_out(now_ms, route, request);
        self.scopes_used.extend(scope.filter(|_| done.is_ok()));
        done
    }

    fn carry_out(&mut self, now_ms: u64, route: Route, request: &Request) -> Done {
        match route {
            Route::Create => self.create_once(now_ms, request),
            Route::CreateMany => self.create_many(now_ms, request),
            Route::List => self.list(request, None),
            Route::ListOf(user) => self.list(request, Some(&user)),
            Route::Count => self.count(),
            Route::ShowMany => self.show_many(request),
            Route::Read(id) => self.read(&id),
            Route::Update(id) => self.update(now_ms, &id, request),
            Route::UpdateMany => self.update_many(now_ms, request),
            Route::Delete(id) => self.delete(now_ms, &id),
            Route::Comments(id) => self.comments(&id, request),
            Route::Tags(id) => self.tags(&id),
            Route::ChangeTags(id, change) => self.change_tags(now_ms, &id, change, request),
            Route::Search => self.search(now_ms, request),
            Route::SearchCount => self.search_count(now_ms, request),
            Route::Job(id) => self.job(&id, request),
            Route::Jobs => self.list_jobs(request),
            Route::Users(users) => self.users(now_ms, &users, request),
            Route::Unknown => Err(Refusal::no_such_endpoint()),
        }
    }

    /// All tickets by id, as they are now; none that was deleted.
    pub fn tickets(&self) -> Vec<Ticket> {
        let there = |stored: &Stored| !stored.versions.current().deleted;
        let ticket = |(id, stored): (&u64, &Stored)| stored.versions.current().ticket(*id, stored.created_ms);
        self.tickets.iter().filter(|(_, stored)| there(stored)).map(ticket).collect()
    }

    /// Zendesk's times are whole seconds.
    fn at(&self, ms: u64) -> String {
        let at = self.options.epoch + Duration::from_millis(ms);
        Timestamp::from_secs(at.secs()).to_string().replace(".000Z", "Z")
    }
}

fn limit_headers(most: usize, left: usize) -> Vec<(String, String)> {
    let names = [
        ("x-rate-limit", most),
        ("x-rate-limit-remaining", left),
        ("ratelimit-limit", most),
        ("ratelimit-remaining", left),
    ];
    names.map(|(name, count)| (name.to_owned(), count.to_string())).to_vec()
}

/// A 429 in Zendesk's shape, for a call that never reached the model.
pub(super) fn rate_limited() -> Response {
    refusal::too_many()
}
