//! Pure model of a CRM with HubSpot's contacts and tasks API (v3): reads and creates are consistent at once, search lags.
//!
//! What is modelled is what breaks integrations: an e-mail belongs to one contact whatever its letter case, a create that
//! loses the race gets 409 with the id of the winner, a search right after a write does not see it (HubSpot's guide
//! "search the CRM", section on limitations), a batch may be done in part, and calls may be limited.
//! Must not know: sockets, clocks, faults.

mod associations;
mod batch;
mod contacts;
mod definitions;
mod merge;
mod properties;
mod refusal;
mod route;
mod scope;
mod search;
mod tasks;

use super::{
    answer::{Answered, correlation_id, has_credentials},
    effect::{Contact, Effect},
    lagged::Lagged,
    limit::Window,
    scopes,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
use definitions::Definitions;
use properties::{View, email_key};
use refusal::{Policy, Refusal, limit_headers, too_many};
use route::{Route, Verb};
pub use scope::{Scope, Scopes};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Delay of the search index when nothing else is said. HubSpot names no figure; users see a fraction of a second up to
/// several seconds.
pub const DEFAULT_SEARCH_LAG_MS: u64 = 250;

/// 2026-01-01T00:00:00Z, for runs that name no other wall time.
pub(super) const DEFAULT_EPOCH: Timestamp = Timestamp::from_secs(1_767_225_600);

/// First contact id; later ones count up.
const FIRST_ID: u64 = 1001;

/// The span of HubSpot's rolling limit.
const WINDOW_MS: u64 = 10_000;

/// Searches that HubSpot allows a token in a second (its usage guidelines).
const SEARCHES_A_SECOND: u32 = 5;

/// How the model behaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrmOptions {
    /// How long a search does not see a write, milliseconds.
    pub search_lag_ms: u64,
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
    /// What the caller's token may do.
    pub scopes: Scopes,
    /// The account's own properties: any other name, HubSpot's own aside, is refused. Every name is taken when absent.
    pub properties: Option<BTreeSet<String>>,
    /// Own properties of which no two contacts may have the same value.
    pub unique_properties: BTreeSet<String>,
    /// Calls that are allowed in ten seconds, and with it five searches in a second; no limit when absent.
    pub rate_limit: Option<u32>,
}

impl Default for CrmOptions {
    fn default() -> Self {
        Self {
            search_lag_ms: DEFAULT_SEARCH_LAG_MS,
            epoch: DEFAULT_EPOCH,
            scopes: scope::of_the_service(),
            properties: None,
            unique_properties: BTreeSet::new(),
            rate_limit: None,
        }
    }
}

/// The CRM's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Crm {
    search_lag_ms: u64,
    epoch: Timestamp,
    scopes: Scopes,
    definitions: Definitions,
    limits: Option<(Window, Window)>,
    contacts: BTreeMap<u64, Stored>,
    /// Whose an e-mail is, by [`email_key`].
    emails: BTreeMap<String, u64>,
    /// Contacts that were merged, and into which.
    merged: BTreeMap<u64, u64>,
    tasks: BTreeMap<u64, tasks::Task>,
    scopes_used: BTreeSet<Scope>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stored {
    versions: Lagged<Version>,
    created_ms: u64,
    given: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Version {
    properties: BTreeMap<String, String>,
    updated_ms: u64,
    /// In the recycle bin: nothing finds it but who asks for what is archived.
    archived: bool,
}

impl Stored {
    fn is_archived(&self) -> bool {
        self.versions.current().archived
    }
}

type Done = Result<(Response, Vec<Effect>), Refusal>;

impl Crm {
    /// From now on searches see a write this much later, milliseconds; returns what it was.
    pub(super) fn lag(&mut self, lag_ms: u64) -> u64 {
        std::mem::replace(&mut self.search_lag_ms, lag_ms)
    }

    /// A CRM without contacts.
    pub fn new(options: &CrmOptions) -> Self {
        let limits =
            options.rate_limit.map(|most| (Window::new(most, WINDOW_MS), Window::new(SEARCHES_A_SECOND, 1_000)));
        Self {
            search_lag_ms: options.search_lag_ms,
            epoch: options.epoch,
            scopes: options.scopes,
            definitions: Definitions::new(options.properties.as_ref(), &options.unique_properties),
            limits,
            contacts: BTreeMap::new(),
            emails: BTreeMap::new(),
            merged: BTreeMap::new(),
            tasks: BTreeMap::new(),
            scopes_used: BTreeSet::new(),
        }
    }

    /// Name of the operation that `request` asks for, also when it will be refused or never reaches the model.
    pub fn operation(request: &Request) -> &'static str {
        Route::of(request).operation()
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, now_ms: u64, request: &Request) -> Answered {
        self.handle_in_part(now_ms, request, 0)
    }

    /// As [`Self::handle`], where the last `fails` inputs of a batch fail.
    pub(super) fn handle_in_part(&mut self, now_ms: u64, request: &Request, fails: usize) -> Answered {
        let route = Route::of(request);
        let operation = route.operation();
        if !has_credentials(request) {
            let response = Refusal::no_credentials().response(now_ms, request);
            return Answered { operation, response, effects: Vec::new() };
        }
        let headers = match self.limited(now_ms, &route, request) {
            Ok(headers) => headers,
            Err(response) => return Answered { operation, response, effects: Vec::new() },
        };
        let done = self.answer(now_ms, route, request, fails);
        let (mut response, effects) = done.unwrap_or_else(|refusal| (refusal.response(now_ms, request), Vec::new()));
        response.headers.extend(headers);
        Answered { operation, response, effects }
    }

    /// The headers that tell how far the limit is used up; a 429 when it is.
    fn limited(&mut self, now_ms: u64, route: &Route, request: &Request) -> Result<Vec<(String, String)>, Response> {
        let Some((all, searches)) = &mut self.limits else { return Ok(Vec::new()) };
        let refused = |policy, most| Err(too_many(policy, most, &correlation_id(now_ms, request)));
        if route.is_search() && searches.take(now_ms).is_err() {
            return refused(Policy::Secondly, None);
        }
        match all.take(now_ms) {
            Ok(_) if route.is_search() => Ok(Vec::new()),
            Ok(left) => Ok(limit_headers(all.most(), left).to_vec()),
            Err(_) => refused(Policy::TenSecondly, Some(all.most())),
        }
    }

    /// Names of the scopes that calls have made use of so far; refused calls use none.
    pub fn scopes_used(&self) -> Vec<String> {
        scopes::names(&self.scopes_used)
    }

    /// From now on the caller's token may do this.
    pub fn grant(&mut self, scopes: Scopes) {
        self.scopes = scopes;
    }

    fn answer(&mut self, now_ms: u64, route: Route, request: &Request, fails: usize) -> Done {
        let scope = route.scope();
        if let Some(scope) = scope.filter(|scope| !self.scopes.allows(*scope)) {
            return Err(Refusal::missing_scope(scope));
        }
        let done = self.carry_out(now_ms, route, request, fails);
        self.scopes_used.extend(scope.filter(|_| done.is_ok()));
        done
    }

    fn carry_out(&mut self, now_ms: u64, route: Route, request: &Request, fails: usize) -> Done {
        match route {
            Route::Search => self.search(now_ms, request),
            Route::Create => self.create(now_ms, request),
            Route::List => self.list(request),
            Route::Read(key) => self.read(&key, request),
            Route::Update(key) => self.update(now_ms, &key, request),
            Route::Archive(key) => self.archive(now_ms, &key, request),
            Route::Purge => self.purge(request),
            Route::Merge => self.merge_asked(now_ms, request),
            Route::Batch(Verb::Read) => self.read_batch(now_ms, request),
            Route::Batch(Verb::Archive) => self.archive_batch(now_ms, request),
            Route::Batch(verb) => self.write_batch(now_ms, verb, request, fails),
            Route::SearchTasks => self.search_tasks(now_ms, request),
            Route::CreateTask => self.create_task(now_ms, request),
            Route::ReadTask(key) => self.read_task(&key, request),
            Route::Definitions => self.list_definitions(),
            Route::Define => self.define(now_ms, request),
            Route::Definition(name) => self.read_definition(&name),
            Route::Associations(ends, link) => self.associations(now_ms, ends, &link, request),
            Route::WrongMethod(allowed) => Err(Refusal::wrong_method(allowed)),
            Route::Unknown => Err(Refusal::not_found("resource not found")),
        }
    }

    /// A contact made by the CRM's own people before the run: no effect of the service, and visible to search at once.
    /// Returns its id. Properties of a contact that already has this e-mail are added to that contact, for the people
    /// cannot make it twice either.
    pub fn give(&mut self, mut properties: BTreeMap<String, String>) -> String {
        properties.retain(|_, value| !value.is_empty());
        let known = properties.get("email").and_then(|email| self.emails.get(&email_key(email)).copied());
        let id = known.unwrap_or_else(|| self.next_id());
        let before =
            known.and_then(|id| self.contacts.get(&id)).map(|stored| stored.versions.current().properties.clone());
        let mut all = before.unwrap_or_default();
        all.extend(properties);
        let version = Version { properties: all, updated_ms: 0, archived: false };
        self.store(id, Stored { versions: Lagged::new(0, version), created_ms: 0, given: true });
        id.to_string()
    }

    /// Properties of a contact, as they are now.
    pub fn properties(&self, id: &str) -> Option<&BTreeMap<String, String>> {
        let stored = self.contacts.get(&id.parse().ok()?)?;
        Some(&stored.versions.current().properties)
    }

    /// All contacts by id, as they are now; none that is archived.
    pub fn contacts(&self) -> Vec<Contact> {
        let contact = |(id, stored): (&u64, &Stored)| Contact {
            id: id.to_string(),
            properties: stored.versions.current().properties.clone(),
            created_ms: stored.created_ms,
            given: stored.given,
        };
        self.contacts.iter().filter(|(_, stored)| !stored.is_archived()).map(contact).collect()
    }

    fn next_id(&self) -> u64 {
        let last =
            self.contacts.last_key_value().map(|(id, _)| *id).max(self.merged.last_key_value().map(|(id, _)| *id));
        last.map_or(FIRST_ID, |last| last + 1)
    }

    fn store(&mut self, id: u64, stored: Stored) {
        self.emails.extend(stored.versions.current().properties.get("email").map(|email| (email_key(email), id)));
        self.contacts.insert(id, stored);
    }

    fn at(&self, ms: u64) -> String {
        (self.epoch + Duration::from_millis(ms)).to_string()
    }

    fn view<'a>(&self, id: u64, stored: &Stored, version: &'a Version) -> View<'a> {
        View { id, version, created: self.at(stored.created_ms), updated: self.at(version.updated_ms) }
    }
}

/// Body of an error in HubSpot's shape, for answers that do not come from the model.
pub(super) fn error_body(category: &str, message: &str, correlation_id: &str) -> Value {
    json!({ "status": "error", "message": message, "correlationId": correlation_id, "category": category })
}

/// A 429 in HubSpot's shape, for a call that never reached the model.
pub(super) fn rate_limited(operation: &str, correlation_id: &str) -> Response {
    let policy = if operation.starts_with("search_") { Policy::Secondly } else { Policy::TenSecondly };
    too_many(policy, None, correlation_id)
}
