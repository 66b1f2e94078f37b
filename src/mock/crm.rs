//! Pure model of a CRM with HubSpot's contacts and tasks API (v3): reads and creates are consistent at once, search lags.
//!
//! What is modelled is what breaks integrations: an e-mail belongs to one contact whatever its letter case, a create that
//! loses the race gets 409 with the id of the winner, and a search right after a write does not see it (HubSpot's guide
//! "search the CRM", section on limitations). Property definitions are not: any property name is accepted.
//! Must not know: sockets, clocks, faults.

mod batch;
mod merge;
mod properties;
mod refusal;
mod scope;
mod search;
mod tasks;

use super::{
    answer::{Answered, has_credentials, segments},
    effect::{Contact, Effect},
    lagged::Lagged,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
pub use scope::{Scope, Scopes};

use super::scopes;
use properties::{View, differences, email_key, written};
use refusal::Refusal;
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

/// How the model behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CrmOptions {
    /// How long a search does not see a write, milliseconds.
    pub search_lag_ms: u64,
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
    /// What the caller's token may do.
    pub scopes: Scopes,
}

impl Default for CrmOptions {
    fn default() -> Self {
        Self { search_lag_ms: DEFAULT_SEARCH_LAG_MS, epoch: DEFAULT_EPOCH, scopes: scope::of_the_service() }
    }
}

/// The CRM's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Crm {
    options: CrmOptions,
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
}

enum Route {
    Search,
    Create,
    Read(String),
    Update(String),
    Merge,
    Upsert,
    SearchTasks,
    CreateTask,
    ReadTask(String),
    WrongMethod(&'static str),
    Unknown,
}

impl Route {
    fn of(request: &Request) -> Self {
        let segments = segments(&request.path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["crm", "v3", "objects", "contacts", rest @ ..] => Self::of_contacts(rest, &request.method),
            ["crm", "v3", "objects", "tasks", rest @ ..] => Self::of_tasks(rest, &request.method),
            _ => Self::Unknown,
        }
    }

    fn of_tasks(rest: &[&str], method: &str) -> Self {
        match (rest, method) {
            (["search"], "POST") => Self::SearchTasks,
            ([], "POST") => Self::CreateTask,
            ([] | ["search"], _) => Self::WrongMethod("POST"),
            ([id], "GET") => Self::ReadTask((*id).to_owned()),
            ([_], _) => Self::WrongMethod("GET"),
            _ => Self::Unknown,
        }
    }

    fn of_contacts(rest: &[&str], method: &str) -> Self {
        match (rest, method) {
            (["merge"], "POST") => Self::Merge,
            (["batch", "upsert"], "POST") => Self::Upsert,
            (["batch", "upsert"], _) => Self::WrongMethod("POST"),
            (["search"], "POST") => Self::Search,
            ([], "POST") => Self::Create,
            ([] | ["search" | "merge"], _) => Self::WrongMethod("POST"),
            ([id], "GET") => Self::Read((*id).to_owned()),
            ([id], "PATCH") => Self::Update((*id).to_owned()),
            ([_], _) => Self::WrongMethod("GET, PATCH"),
            _ => Self::Unknown,
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Search => "search_contacts",
            Self::Create => "create_contact",
            Self::Read(_) => "get_contact",
            Self::Update(_) => "update_contact",
            Self::Merge => "merge_contacts",
            Self::Upsert => "upsert_contacts",
            Self::SearchTasks => "search_tasks",
            Self::CreateTask => "create_task",
            Self::ReadTask(_) => "get_task",
            Self::WrongMethod(_) | Self::Unknown => "unknown",
        }
    }

    fn scope(&self) -> Option<Scope> {
        match self {
            Self::Search | Self::Read(_) | Self::SearchTasks | Self::ReadTask(_) => Some(Scope::ContactsRead),
            Self::Create | Self::Update(_) | Self::Merge | Self::Upsert | Self::CreateTask => {
                Some(Scope::ContactsWrite)
            }
            Self::WrongMethod(_) | Self::Unknown => None,
        }
    }
}

type Done = Result<(Response, Vec<Effect>), Refusal>;

impl Crm {
    /// From now on searches see a write this much later, milliseconds; returns what it was.
    pub(super) fn lag(&mut self, lag_ms: u64) -> u64 {
        std::mem::replace(&mut self.options.search_lag_ms, lag_ms)
    }

    /// A CRM without contacts.
    pub fn new(options: CrmOptions) -> Self {
        Self {
            options,
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
        let done = if has_credentials(request) {
            self.answer(now_ms, route, request, fails)
        } else {
            Err(Refusal::no_credentials())
        };
        let (response, effects) = done.unwrap_or_else(|refusal| (refusal.response(now_ms, request), Vec::new()));
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

    fn answer(&mut self, now_ms: u64, route: Route, request: &Request, fails: usize) -> Done {
        let scope = route.scope();
        if let Some(scope) = scope.filter(|scope| !self.options.scopes.allows(*scope)) {
            return Err(Refusal::missing_scope(scope));
        }
        let done = match route {
            Route::Upsert => self.upsert(now_ms, request, fails),
            other => self.carry_out(now_ms, other, request),
        };
        self.scopes_used.extend(scope.filter(|_| done.is_ok()));
        done
    }

    fn carry_out(&mut self, now_ms: u64, route: Route, request: &Request) -> Done {
        match route {
            Route::Merge => self.merge_asked(now_ms, request),
            Route::Upsert => self.upsert(now_ms, request, 0),
            Route::SearchTasks => self.search_tasks(now_ms, request),
            Route::CreateTask => self.create_task(now_ms, request),
            Route::ReadTask(key) => self.read_task(&key, request),
            Route::Search => self.search(now_ms, request),
            Route::Create => self.create(now_ms, request),
            Route::Read(key) => self.read(&key, request),
            Route::Update(key) => self.update(now_ms, &key, request),
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
        let version = Version { properties: all, updated_ms: 0 };
        self.store(id, Stored { versions: Lagged::new(0, version), created_ms: 0, given: true });
        id.to_string()
    }

    /// Properties of a contact, as they are now.
    pub fn properties(&self, id: &str) -> Option<&BTreeMap<String, String>> {
        let stored = self.contacts.get(&id.parse().ok()?)?;
        Some(&stored.versions.current().properties)
    }

    /// All contacts by id, as they are now.
    pub fn contacts(&self) -> Vec<Contact> {
        let contact = |(id, stored): (&u64, &Stored)| Contact {
            id: id.to_string(),
            properties: stored.versions.current().properties.clone(),
            created_ms: stored.created_ms,
            given: stored.given,
        };
        self.contacts.iter().map(contact).collect()
    }

    fn search(&self, now_ms: u64, request: &Request) -> Done {
        let search = search::Search::parse(&request.body)?;
        let indexed = self.contacts.iter().filter_map(|(id, stored)| {
            let version = stored.versions.indexed(now_ms)?;
            Some(self.view(*id, stored, version))
        });
        Ok((Response::json(200, &search.answer(indexed, &properties::default_names())), Vec::new()))
    }

    fn create(&mut self, now_ms: u64, request: &Request) -> Done {
        let mut properties = BTreeMap::new();
        for (name, value) in written(&request.body)? {
            properties.extend(value.map(|value| (name, value)));
        }
        let email = properties.get("email").cloned();
        self.email_is_free(email.as_deref(), None)?;
        let id = self.next_id();
        let versions =
            Lagged::new(now_ms.saturating_add(self.options.search_lag_ms), Version { properties, updated_ms: now_ms });
        self.store(id, Stored { versions, created_ms: now_ms, given: false });
        Ok((self.shown(201, id, &[]), vec![Effect::ContactCreated { contact: id.to_string(), email }]))
    }

    fn read(&self, key: &str, request: &Request) -> Done {
        let id = self.find(key, request)?;
        let wanted: Vec<String> = request
            .query
            .iter()
            .filter(|(name, _)| name == "properties")
            .flat_map(|(_, value)| value.split(','))
            .map(str::to_owned)
            .collect();
        let wanted = if wanted.is_empty() { properties::default_names() } else { wanted };
        Ok((self.shown(200, id, &wanted), Vec::new()))
    }

    fn update(&mut self, now_ms: u64, key: &str, request: &Request) -> Done {
        let id = self.find(key, request)?;
        let writes = written(&request.body)?;
        let before = self.contacts.get(&id).map(|stored| stored.versions.current().properties.clone());
        let mut properties = before.unwrap_or_default();
        let changed = differences(&properties, writes);
        if changed.is_empty() {
            return Ok((self.shown(200, id, &[]), Vec::new()));
        }
        if let Some((old, new)) = changed.get("email") {
            self.email_is_free(new.as_deref(), Some(id))?;
            self.emails.remove(&email_key(old.as_deref().unwrap_or_default()));
            self.emails.extend(new.as_deref().map(|email| (email_key(email), id)));
        }
        for (name, (_, new)) in &changed {
            match new {
                Some(value) => properties.insert(name.clone(), value.clone()),
                None => properties.remove(name),
            };
        }
        if let Some(stored) = self.contacts.get_mut(&id) {
            stored.versions.write(now_ms, self.options.search_lag_ms, Version { properties, updated_ms: now_ms });
        }
        Ok((self.shown(200, id, &[]), vec![Effect::ContactUpdated { contact: id.to_string(), changed }]))
    }

    fn email_is_free(&self, email: Option<&str>, owner: Option<u64>) -> Result<(), Refusal> {
        match email.and_then(|email| self.emails.get(&email_key(email))) {
            Some(other) if Some(*other) != owner => Err(Refusal::contact_exists(*other)),
            Some(_) | None => Ok(()),
        }
    }

    fn find(&self, key: &str, request: &Request) -> Result<u64, Refusal> {
        let id = match request.query("idProperty") {
            None | Some("hs_object_id") => key.parse().ok().map(|id| self.living(id)),
            Some("email") => self.emails.get(&email_key(key)).copied(),
            Some(other) => return Err(Refusal::invalid(format!("`{other}` is not a unique property of contacts"))),
        };
        id.filter(|id| self.contacts.contains_key(id)).ok_or_else(|| Refusal::not_found("resource not found"))
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

    /// The contact as it is now; all its properties when `wanted` is empty.
    fn shown(&self, status: u16, id: u64, wanted: &[String]) -> Response {
        let shown = |stored: &Stored| self.view(id, stored, stored.versions.current()).json(wanted);
        Response::json(status, &self.contacts.get(&id).map_or(Value::Null, shown))
    }

    fn view<'a>(&self, id: u64, stored: &Stored, version: &'a Version) -> View<'a> {
        let at = |ms: u64| (self.options.epoch + Duration::from_millis(ms)).to_string();
        View { id, properties: &version.properties, created: at(stored.created_ms), updated: at(version.updated_ms) }
    }
}

/// Body of an error in HubSpot's shape, for answers that do not come from the model.
pub(super) fn error_body(category: &str, message: &str, correlation_id: &str) -> Value {
    json!({ "status": "error", "message": message, "correlationId": correlation_id, "category": category })
}
