//! Pure model of an Intercom workspace: contacts, conversations, tickets and tags of one account behind one address.
//!
//! What is modelled is what breaks integrations: an e-mail or an external id is one user's and a second create gets 409 with the
//! id of the first (leads may share an e-mail), no key makes a conversation or a ticket unique, searches lag behind writes and
//! reads do not, and calls may be limited.
//! Must not know: sockets, clocks, faults.

mod contacts;
mod conversations;
mod page;
mod query;
mod refusal;
mod route;
mod tags;
mod tickets;

use super::{
    answer::{Answered, correlation_id, has_credentials},
    effect::{Contact, Effect, Ticket},
    lagged::Lagged,
    limit::Window,
};
use crate::{
    time::Timestamp,
    wire::{Request, Response},
};
use contacts::Person;
use conversations::Thread;
use refusal::Refusal;
pub use route::Part;
use route::Route;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Delay of the search index when nothing else is said; Intercom's guide to searching speaks of minutes at times.
pub const DEFAULT_SEARCH_LAG_MS: u64 = 250;

/// The span of Intercom's limit.
const WINDOW_MS: u64 = 10_000;

/// The teammate whom the caller's token stands for.
const ADMIN: &str = "5017691";

/// How the model behaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IntercomOptions {
    /// How long a search does not see a write, milliseconds.
    pub search_lag_ms: u64,
    /// Wall time of millisecond 0, for the times in answers.
    pub epoch: Timestamp,
    /// The workspace's own attributes of contacts: any other is refused. Every name is taken when absent.
    pub attributes: Option<BTreeSet<String>>,
    /// Calls that are allowed in ten seconds; no limit when absent.
    pub rate_limit: Option<u32>,
}

impl Default for IntercomOptions {
    fn default() -> Self {
        Self {
            search_lag_ms: DEFAULT_SEARCH_LAG_MS,
            epoch: super::crm::DEFAULT_EPOCH,
            attributes: None,
            rate_limit: None,
        }
    }
}

/// The workspace's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intercom {
    options: IntercomOptions,
    limit: Option<Window>,
    people: BTreeMap<u64, Kept<Person>>,
    /// Contacts that were merged, and into which.
    merged: BTreeMap<u64, u64>,
    /// Conversations and tickets, by one number.
    threads: BTreeMap<u64, Kept<Thread>>,
    /// Names of tags, by number.
    tags: BTreeMap<u64, String>,
}

/// Something with its time of making.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kept<T> {
    versions: Lagged<T>,
    created_ms: u64,
    given: bool,
}

type Done = Result<(Response, Vec<Effect>), Refusal>;

impl Intercom {
    /// A workspace without contacts.
    pub fn new(options: &IntercomOptions) -> Self {
        Self {
            limit: options.rate_limit.map(|most| Window::new(most, WINDOW_MS)),
            options: options.clone(),
            people: BTreeMap::new(),
            merged: BTreeMap::new(),
            threads: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// From now on searches see a write this much later, milliseconds; returns what it was.
    pub(super) fn lag(&mut self, lag_ms: u64) -> u64 {
        std::mem::replace(&mut self.options.search_lag_ms, lag_ms)
    }

    /// Name of the operation that `request` asks for, also when it will be refused or never reaches the model.
    pub fn operation(request: &Request) -> &'static str {
        Route::of(request).operation()
    }

    /// Which part of the workspace `request` is about, whatever address it came to.
    pub fn part(request: &Request) -> Part {
        Route::of(request).part()
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, now_ms: u64, request: &Request) -> Answered {
        let route = Route::of(request);
        let operation = route.operation();
        let id = correlation_id(now_ms, request);
        if !has_credentials(request) {
            return Answered { operation, response: Refusal::no_credentials().response(&id), effects: Vec::new() };
        }
        let headers = match self.limited(now_ms, &id) {
            Ok(headers) => headers,
            Err(response) => return Answered { operation, response, effects: Vec::new() },
        };
        let done = self.answer(now_ms, route, request);
        let (mut response, effects) = done.unwrap_or_else(|refusal| (refusal.response(&id), Vec::new()));
        response.headers.extend(headers);
        Answered { operation, response, effects }
    }

    /// The headers that tell how far the limit is used up; a 429 when it is.
    fn limited(&mut self, now_ms: u64, id: &str) -> Result<Vec<(String, String)>, Response> {
        let Some(limit) = &mut self.limit else { return Ok(Vec::new()) };
        let (taken, most) = (limit.take(now_ms), limit.most());
        let wait_ms = taken.err().unwrap_or(WINDOW_MS);
        let reset = self.secs(now_ms.saturating_add(wait_ms)) + 1;
        let headers = vec![
            ("x-ratelimit-limit".to_owned(), most.to_string()),
            ("x-ratelimit-remaining".to_owned(), taken.unwrap_or(0).to_string()),
            ("x-ratelimit-reset".to_owned(), reset.to_string()),
        ];
        if taken.is_ok() {
            return Ok(headers);
        }
        let mut response = refusal::too_many(Some(most), id);
        response.headers.extend(headers);
        Err(response)
    }

    fn answer(&mut self, now_ms: u64, route: Route, request: &Request) -> Done {
        match route {
            Route::Contacts(route) => self.contacts_asked(now_ms, route, request),
            Route::Conversations(route) => self.conversations_asked(now_ms, route, request),
            Route::Tickets(route) => self.tickets_asked(now_ms, route, request),
            Route::Tags => Ok((Response::json(200, &self.all_tags()), Vec::new())),
            Route::MakeTag => self.make_tag(request),
            Route::Me => Ok((Response::json(200, &self.admin()), Vec::new())),
            Route::Admins => {
                Ok((Response::json(200, &json!({ "type": "admin.list", "admins": [self.admin()] })), Vec::new()))
            }
            Route::TicketTypes => {
                Ok((Response::json(200, &json!({ "type": "list", "data": [tickets::kind()] })), Vec::new()))
            }
            Route::Unknown => Err(Refusal::not_found("Resource Not Found")),
        }
    }

    fn admin(&self) -> Value {
        json!({
            "type": "admin", "id": ADMIN, "name": "Agent", "email": "agent@example.com", "email_verified": true,
            "has_inbox_seat": true, "team_ids": [],
            "app": { "type": "app", "id_code": contacts::WORKSPACE, "name": "hookdrill", "created_at": self.secs(0) },
        })
    }

    /// A contact made by the workspace's own people before the run: no effect of the service, and visible to search at once.
    /// Returns its id. What a contact that already has this e-mail lacks is added to it.
    pub fn give(&mut self, properties: BTreeMap<String, String>) -> String {
        let person = Person::given(properties);
        let known = person.email().and_then(|email| self.user_with_email(email));
        let id = known.unwrap_or_else(|| self.next_person());
        let before = known.and_then(|id| self.people.get(&id)).map(|kept| kept.versions.current().clone());
        let person = before.map_or_else(|| person.clone(), |before| before.joined(&person));
        self.people.insert(id, Kept { versions: Lagged::new(0, person), created_ms: 0, given: true });
        contacts::id_text(id)
    }

    /// Properties of a contact, as they are now: its fields and its own attributes.
    pub fn properties(&self, id: &str) -> Option<BTreeMap<String, String>> {
        let kept = self.people.get(&self.living(contacts::number(id)?))?;
        Some(kept.versions.current().flat())
    }

    /// All contacts, as they are now; none that is archived or was merged away.
    pub fn contacts(&self) -> Vec<Contact> {
        let there = self.people.iter().filter(|(_, kept)| !kept.versions.current().archived);
        let contact = |(id, kept): (&u64, &Kept<Person>)| Contact {
            id: contacts::id_text(*id),
            properties: kept.versions.current().flat(),
            created_ms: kept.created_ms,
            given: kept.given,
        };
        there.map(contact).collect()
    }

    /// All conversations and tickets, as they are now.
    pub fn tickets(&self) -> Vec<Ticket> {
        let ticket = |(id, kept): (&u64, &Kept<Thread>)| {
            let thread = kept.versions.current();
            Ticket {
                id: id.to_string(),
                external_id: thread.key(),
                subject: thread.subject(),
                queue: thread.queue(|tag| self.tags.get(&tag).cloned()),
                requester: thread.contact.and_then(|id| self.email_of(id)),
                status: thread.state().to_owned(),
                tags: thread.tags.iter().filter_map(|tag| self.tags.get(tag).cloned()).collect(),
                created_ms: kept.created_ms,
            }
        };
        self.threads.iter().filter(|(_, kept)| !kept.versions.current().deleted).map(ticket).collect()
    }

    fn secs(&self, ms: u64) -> i64 {
        (self.options.epoch + Duration::from_millis(ms)).secs()
    }

    fn seen_from(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.options.search_lag_ms)
    }
}

/// A 429 in Intercom's shape, for a call that never reached the model.
pub(super) fn rate_limited(id: &str) -> Response {
    refusal::too_many(None, id)
}

/// Body of an error in Intercom's shape.
pub(super) fn error_body(code: &str, message: &str, id: &str) -> Value {
    json!({ "type": "error.list", "request_id": id, "errors": [{ "code": code, "message": message }] })
}

/// The members of a body that is an object.
fn members(request: &Request) -> Result<serde_json::Map<String, Value>, Refusal> {
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| Refusal::no_json(&error))?;
    match body {
        Value::Object(members) => Ok(members),
        _ => Err(Refusal::invalid("the body must be a JSON object")),
    }
}

/// A text as a caller writes it; numbers are taken too.
fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
