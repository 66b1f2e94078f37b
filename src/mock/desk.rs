//! Pure model of a support desk with Zendesk's tickets API: no key is unique but the idempotency key, search lags.
//!
//! What is modelled is what breaks integrations: `external_id` is *not* unique, so two creates make two tickets unless
//! they carry the same `Idempotency-Key` (Zendesk's Support API introduction, "Idempotency"); listing by `external_id`
//! is consistent at once, search is not.
//! Must not know: sockets, clocks, faults.

mod fields;
mod page;
mod query;
mod refusal;
mod scope;

use super::{
    answer::{Answered, has_credentials, segments},
    effect::{Effect, Ticket},
    lagged::Lagged,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
pub use scope::{Scope, Scopes};

use super::scopes;
use fields::{Fields, Writes};
use page::page;
use query::Query;
use refusal::Refusal;
use serde_json::{Value, json};
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

/// How the model behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeskOptions {
    /// How long a search does not see a write, milliseconds.
    pub search_lag_ms: u64,
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
    /// What the caller's token may do.
    pub scopes: Scopes,
}

impl Default for DeskOptions {
    fn default() -> Self {
        Self { search_lag_ms: DEFAULT_SEARCH_LAG_MS, epoch: super::crm::DEFAULT_EPOCH, scopes: scope::of_the_service() }
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

enum Route {
    Create,
    List,
    Read(String),
    Update(String),
    Search,
    Unknown,
}

impl Route {
    fn of(request: &Request) -> Self {
        let mut segments = segments(&request.path);
        if let Some(plain) = segments.last().and_then(|last| last.strip_suffix(".json")).map(str::to_owned) {
            segments.pop();
            segments.push(plain);
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["api", "v2", rest @ ..] = segments.as_slice() else { return Self::Unknown };
        match (rest, request.method.as_str()) {
            (["tickets"], "POST") => Self::Create,
            (["tickets"], "GET") => Self::List,
            (["tickets", id], "GET") => Self::Read((*id).to_owned()),
            (["tickets", id], "PUT") => Self::Update((*id).to_owned()),
            (["search"], "GET") => Self::Search,
            _ => Self::Unknown,
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Create => "create_ticket",
            Self::List => "list_tickets",
            Self::Read(_) => "get_ticket",
            Self::Update(_) => "update_ticket",
            Self::Search => "search_tickets",
            Self::Unknown => "unknown",
        }
    }

    fn scope(&self) -> Option<Scope> {
        match self {
            Self::List | Self::Read(_) => Some(Scope::TicketsRead),
            Self::Create | Self::Update(_) => Some(Scope::TicketsWrite),
            Self::Search => Some(Scope::Read),
            Self::Unknown => None,
        }
    }
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
        let done =
            if has_credentials(request) { self.answer(now_ms, route, request) } else { Err(Refusal::no_credentials()) };
        let (response, effects) = done.unwrap_or_else(|refusal| (refusal.response(), Vec::new()));
        Answered { operation, response, effects }
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
            Route::List => self.list(request),
            Route::Read(id) => {
                let (id, stored) = self.find(&id)?;
                Ok((ticket_response(200, &self.json(id, stored, stored.versions.current())), Vec::new()))
            }
            Route::Update(id) => self.update(now_ms, &id, request),
            Route::Search => self.search(now_ms, request),
            Route::Unknown => Err(Refusal::no_such_endpoint()),
        }
    }

    /// All tickets by id, as they are now.
    pub fn tickets(&self) -> Vec<Ticket> {
        let ticket = |(id, stored): (&u64, &Stored)| stored.versions.current().ticket(*id, stored.created_ms);
        self.tickets.iter().map(ticket).collect()
    }

    /// A create, made at most once for one idempotency key. Only a create that worked is kept: one that was refused made
    /// nothing, so a corrected request may use its key.
    fn create_once(&mut self, now_ms: u64, request: &Request) -> Done {
        let Some(key) = request.header("idempotency-key") else { return self.create(now_ms, request) };
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(Refusal::bad_key(format!("an idempotency key has 1 to {LONGEST_KEY} characters")));
        }
        self.keys.retain(|_, kept| now_ms.saturating_sub(kept.at_ms) < IDEMPOTENCY_KEY_MS);
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| Refusal::no_json(&error))?;
        if let Some(kept) = self.keys.get(key) {
            if kept.request != body {
                return Err(Refusal::bad_key("the key was used before with another request body".to_owned()));
            }
            let mut again = Response::json(201, &Value::Null);
            again.body.clone_from(&kept.answer);
            again.headers.push(("x-idempotency-lookup".into(), "hit".into()));
            return Ok((again, Vec::new()));
        }
        let (mut response, effects) = self.create(now_ms, request)?;
        let kept = Kept { at_ms: now_ms, request: body, answer: response.body.clone() };
        self.keys.insert(key.to_owned(), kept);
        response.headers.push(("x-idempotency-lookup".into(), "miss".into()));
        Ok((response, effects))
    }

    fn create(&mut self, now_ms: u64, request: &Request) -> Done {
        let fields = Writes::parse(&request.body)?.create(now_ms)?;
        let id = self.tickets.last_key_value().map_or(1, |(last, _)| last + 1);
        let effect = Effect::TicketCreated {
            ticket: id.to_string(),
            external_id: fields.external_id.clone(),
            queue: fields.queue(),
        };
        if let Some(external) = &fields.external_id {
            self.by_external_id.entry(external.clone()).or_default().push(id);
        }
        let versions = Lagged::new(now_ms.saturating_add(self.options.search_lag_ms), fields);
        let stored = Stored { versions, created_ms: now_ms };
        let shown = self.json(id, &stored, stored.versions.current());
        self.tickets.insert(id, stored);
        Ok((ticket_response(201, &shown), vec![effect]))
    }

    fn update(&mut self, now_ms: u64, id: &str, request: &Request) -> Done {
        let (id, stored) = self.find(id)?;
        let before = stored.versions.current();
        let after = Writes::parse(&request.body)?.update(before, now_ms)?;
        if after == *before {
            return Ok((ticket_response(200, &self.json(id, stored, before)), Vec::new()));
        }
        if after.external_id != before.external_id {
            let (old, new) = (before.external_id.clone(), after.external_id.clone());
            self.by_external_id.entry(old.unwrap_or_default()).or_default().retain(|other| *other != id);
            if let Some(new) = new {
                self.by_external_id.entry(new).or_default().push(id);
            }
        }
        let lag_ms = self.options.search_lag_ms;
        if let Some(stored) = self.tickets.get_mut(&id) {
            stored.versions.write(now_ms, lag_ms, after);
        }
        let (_, stored) = self.find(&id.to_string())?;
        let shown = self.json(id, stored, stored.versions.current());
        Ok((ticket_response(200, &shown), vec![Effect::TicketUpdated { ticket: id.to_string() }]))
    }

    fn list(&self, request: &Request) -> Done {
        let tickets: Vec<Value> = match request.query("external_id") {
            Some(external) => {
                let mut ids = self.by_external_id.get(external).cloned().unwrap_or_default();
                ids.sort_unstable();
                let stored = ids.into_iter().filter_map(|id| Some((id, self.tickets.get(&id)?)));
                stored.map(|(id, stored)| self.json(id, stored, stored.versions.current())).collect()
            }
            None => self.tickets.iter().map(|(id, s)| self.json(*id, s, s.versions.current())).collect(),
        };
        page("tickets", tickets, request).map(|response| (response, Vec::new()))
    }

    fn search(&self, now_ms: u64, request: &Request) -> Done {
        let query = Query::parse(request.query("query").unwrap_or_default())?;
        let found = self.tickets.iter().filter_map(|(id, stored)| {
            let fields = stored.versions.indexed(now_ms).filter(|fields| query.matches(fields))?;
            let mut shown = self.json(*id, stored, fields);
            shown["result_type"] = json!("ticket");
            Some(shown)
        });
        page("results", found.collect(), request).map(|response| (response, Vec::new()))
    }

    fn find(&self, id: &str) -> Result<(u64, &Stored), Refusal> {
        let id = id.parse().map_err(|_| Refusal::no_such_record())?;
        self.tickets.get(&id).map(|stored| (id, stored)).ok_or_else(Refusal::no_such_record)
    }

    fn json(&self, id: u64, stored: &Stored, fields: &Fields) -> Value {
        // Zendesk's times are whole seconds.
        let at = |ms: u64| {
            let at = self.options.epoch + Duration::from_millis(ms);
            Timestamp::from_secs(at.secs()).to_string().replace(".000Z", "Z")
        };
        fields.json(id, &at(stored.created_ms), &at(fields.updated_ms))
    }
}

fn ticket_response(status: u16, ticket: &Value) -> Response {
    Response::json(status, &json!({ "ticket": ticket }))
}
