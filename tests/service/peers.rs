//! A CRM and a support desk small enough to be read at a glance, as functions over requests.

use hookdrill::{
    service::{
        Service,
        upstream::{Transport, outcome, request},
    },
    time::Timestamp,
    wire::{Request, Response},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// What goes wrong with one call.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// This status, with `Retry-After` seconds.
    Answer(u16, Option<u64>),
    /// The peer does it, the reply is lost.
    LostReply,
    /// The peer never sees it.
    Unreached,
    /// The search index has not caught up: it finds nothing.
    Lag,
    /// The search index shows a contact that is gone, and there is nothing to write to.
    Ghost,
}

#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) external_id: String,
    pub(super) requester: Option<String>,
    pub(super) tags: Vec<String>,
    idempotency_key: Option<String>,
}

/// Both peers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) contacts: Vec<BTreeMap<String, String>>,
    pub(super) tickets: Vec<Ticket>,
    /// Properties of every task.
    pub(super) tasks: Vec<BTreeMap<String, String>>,
    /// Method and path of every call.
    pub(super) calls: Vec<String>,
    /// What goes wrong with the next calls, in order.
    pub(super) troubles: VecDeque<Trouble>,
}

impl Peers {
    /// Answers one call, as HTTP would.
    pub(super) fn call(&mut self, request: &Request) -> Result<Response, Transport> {
        self.calls.push(format!("{} {}", request.method, request.path));
        match self.troubles.pop_front() {
            None => Ok(self.answer(request)),
            Some(Trouble::Answer(status, after)) => {
                let mut response = Response::json(status, &json!({"message": "trouble"}));
                response.headers.extend(after.map(|secs| ("retry-after".to_owned(), secs.to_string())));
                Ok(response)
            }
            Some(Trouble::LostReply) => {
                self.answer(request);
                Err(Transport::TimedOut)
            }
            Some(Trouble::Unreached) => Err(Transport::Broken),
            Some(Trouble::Ghost) if request.method == "PATCH" => Ok(Response::json(404, &json!({}))),
            Some(Trouble::Ghost) => Ok(Response::json(200, &json!({"total": 1, "results": [{"id": "66"}]}))),
            Some(Trouble::Lag) => Ok(Response::json(200, &json!({"total": 0, "results": []}))),
        }
    }

    fn answer(&mut self, request: &Request) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/crm/v3/objects/contacts/search") => self.search(&body),
            ("POST", "/crm/v3/objects/contacts") => self.create(&body),
            ("POST", "/crm/v3/objects/tasks/search") => {
                let key = body["filterGroups"][0]["filters"][0]["value"].as_str();
                let found = self.tasks.iter().position(|task| task.get("sync_key").map(String::as_str) == key);
                let results: Vec<_> = found.map(|at| json!({"id": (at + 1).to_string()})).into_iter().collect();
                Response::json(200, &json!({"results": results}))
            }
            ("POST", "/crm/v3/objects/tasks") => {
                self.tasks.push(properties(&body));
                Response::json(201, &json!({"id": self.tasks.len().to_string()}))
            }
            ("POST", "/api/v2/tickets") => self.open(request.header("idempotency-key"), &body),
            ("GET", "/api/v2/tickets.json") => {
                let wanted = request.query("external_id").unwrap_or_default();
                let found = self.tickets.iter().enumerate().filter(|(_, ticket)| ticket.external_id == wanted);
                let found: Vec<_> = found.map(|(id, _)| json!({"id": id + 1})).collect();
                Response::json(200, &json!({"tickets": found}))
            }
            ("PATCH", path) => match self.contacts.get_mut(index(path)) {
                Some(contact) => {
                    contact.extend(properties(&body));
                    Response::json(200, &json!({"id": (index(path) + 1).to_string()}))
                }
                None => Response::json(404, &json!({})),
            },
            _ => Response::json(404, &json!({})),
        }
    }

    fn search(&self, body: &Value) -> Response {
        let fits = |contact: &BTreeMap<String, String>, filter: &Value| {
            let name = filter["propertyName"].as_str().unwrap_or_default();
            contact.get(name).map(String::as_str) == filter["value"].as_str()
        };
        let groups = body["filterGroups"].as_array().cloned().unwrap_or_default();
        let found = self.contacts.iter().enumerate().filter(|(_, contact)| {
            groups
                .iter()
                .any(|group| group["filters"].as_array().is_some_and(|all| all.iter().all(|f| fits(contact, f))))
        });
        let results: Vec<_> = found.map(|(id, held)| json!({"id": (id + 1).to_string(), "properties": held})).collect();
        Response::json(200, &json!({"total": results.len(), "results": results}))
    }

    fn create(&mut self, body: &Value) -> Response {
        let new = properties(body);
        let same = |held: &BTreeMap<String, String>| new.contains_key("email") && held.get("email") == new.get("email");
        if let Some(id) = self.contacts.iter().position(same) {
            let message = format!("Contact already exists. Existing ID: {}", id + 1);
            return Response::json(409, &json!({"message": message}));
        }
        self.contacts.push(new);
        Response::json(201, &json!({"id": self.contacts.len().to_string()}))
    }

    fn open(&mut self, key: Option<&str>, body: &Value) -> Response {
        let known = self.tickets.iter().position(|held| key.is_some() && held.idempotency_key.as_deref() == key);
        let id = known.unwrap_or_else(|| {
            let ticket = &body["ticket"];
            let tags = ticket["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            self.tickets.push(Ticket {
                external_id: ticket["external_id"].as_str().unwrap_or_default().to_owned(),
                requester: ticket["requester"]["email"].as_str().map(str::to_owned),
                tags: tags.map(str::to_owned).collect(),
                idempotency_key: key.map(str::to_owned),
            });
            self.tickets.len() - 1
        });
        Response::json(201, &json!({"ticket": {"id": id + 1}}))
    }
}

fn properties(body: &Value) -> BTreeMap<String, String> {
    let all = body["properties"].as_object().cloned().unwrap_or_default();
    all.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
}

fn index(path: &str) -> usize {
    let id = path.rsplit('/').next().and_then(|id| id.parse::<usize>().ok()).unwrap_or(0);
    id.wrapping_sub(1)
}

/// Works off every job that becomes ready within `span` of virtual time; answers when it stopped.
pub(super) fn drain(service: &mut Service, peers: &mut Peers, mut now: Timestamp, span: Duration) -> Timestamp {
    let end = now + span;
    loop {
        while let Some((lease, call)) = service.begin(now, "worker").expect("begin") {
            let answer = peers.call(&request(&call, "token"));
            let result = outcome(&call, answer.as_ref().map_err(|error| *error));
            service.finish(now, &lease, &result).expect("finish");
        }
        match service.next_ready().expect("next") {
            Some(next) if next <= end => now = now.max(next),
            _ => return now,
        }
    }
}
