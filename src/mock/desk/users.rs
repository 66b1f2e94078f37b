//! People whom the desk knows: requesters of tickets and those whom a client makes. An e-mail or an external id is one person's.
//!
//! Must not know: sockets, clocks, faults; tickets.

use super::{Desk, Done, page::page, refusal::Refusal, route::Users, tickets::listed_ids};
use crate::{
    mock::lagged::Lagged,
    wire::{Request, Response},
};
use serde_json::{Map, Value, json};

/// First user id: the agent whom the caller's token stands for. Later ones count up.
pub(super) const AGENT: u64 = 900_001;

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) email: Option<String>,
    external_id: Option<String>,
    role: String,
    phone: Option<String>,
    created_ms: u64,
    updated_ms: u64,
}

impl User {
    pub(super) fn agent() -> Self {
        Self { role: "admin".to_owned(), ..Self::new("Agent", Some("agent@example.com"), 0) }
    }

    pub(super) fn new(name: &str, email: Option<&str>, now_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            email: email.map(str::to_owned),
            external_id: None,
            role: "end-user".to_owned(),
            phone: None,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    fn written(mut self, user: &Map<String, Value>, now_ms: u64) -> Result<Self, Refusal> {
        let text = |name: &str| match user.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text.trim().to_owned()))),
            Some(Value::Number(number)) => Ok(Some(Some(number.to_string()))),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(Refusal::invalid_attribute(name)),
        };
        let before = self.clone();
        if let Some(name) = text("name")? {
            self.name = name.unwrap_or_default();
        }
        if let Some(email) = text("email")? {
            self.email = email.map(|email| email.to_lowercase());
        }
        if let Some(external_id) = text("external_id")? {
            self.external_id = external_id;
        }
        if let Some(phone) = text("phone")? {
            self.phone = phone;
        }
        if let Some(Some(role)) = text("role")? {
            self.role = role;
        }
        if self.name.is_empty() {
            return Err(Refusal::record_invalid("name", "BlankValue", "Name: is too short (minimum is 1 characters)"));
        }
        if self.email.as_deref().is_some_and(|email| !email.contains('@')) {
            return Err(Refusal::record_invalid("email", "InvalidValue", "Email: is not properly formatted"));
        }
        if self != before {
            self.updated_ms = now_ms;
        }
        Ok(self)
    }
}

impl Desk {
    pub(super) fn users(&mut self, now_ms: u64, users: &Users, request: &Request) -> Done {
        let one = |desk: &Self, status: u16, id: u64| {
            Ok((Response::json(status, &json!({ "user": desk.shown_user(id) })), Vec::new()))
        };
        match users {
            Users::Create => {
                let made = self.new_user(now_ms, &body(request)?)?;
                one(self, 201, made)
            }
            Users::CreateOrUpdate => {
                let user = body(request)?;
                match self.named(&user) {
                    Some(known) => {
                        self.change_user(now_ms, known, &user)?;
                        one(self, 200, known)
                    }
                    None => {
                        let made = self.new_user(now_ms, &user)?;
                        one(self, 201, made)
                    }
                }
            }
            Users::Update(id) => {
                let id = self.find_user(id)?;
                self.change_user(now_ms, id, &body(request)?)?;
                one(self, 200, id)
            }
            Users::Me => one(self, 200, AGENT),
            Users::Read(id) => one(self, 200, self.find_user(id)?),
            Users::List | Users::ShowMany => self.list_users(request),
            Users::Search => self.search_users(now_ms, request),
        }
    }

    fn list_users(&self, request: &Request) -> Done {
        let (ids, external_ids) = (listed_ids(request, "ids"), listed_ids(request, "external_ids"));
        let wanted = |(id, user): &(&u64, &Lagged<User>)| {
            let external = user.current().external_id.as_deref().unwrap_or_default();
            let by_id = ids.iter().any(|wanted| *wanted == id.to_string());
            let by_external = external_ids.iter().any(|wanted| wanted == external);
            (ids.is_empty() && external_ids.is_empty()) || by_id || by_external
        };
        let role = request.query("role");
        let shown = self.users.iter().filter(wanted);
        let shown = shown.filter(|(_, user)| role.is_none_or(|role| user.current().role == role));
        let shown: Vec<Value> = shown.map(|(id, _)| self.shown_user(*id)).collect();
        page("users", shown, request).map(|response| (response, Vec::new()))
    }

    /// By external id, or by words of name and e-mail. The index is behind.
    fn search_users(&self, now_ms: u64, request: &Request) -> Done {
        let (external_id, query) = (request.query("external_id"), request.query("query"));
        if external_id.is_none() && query.is_none() {
            return Err(Refusal::bad_query("`query` or `external_id` is needed"));
        }
        let mut shown = Vec::new();
        for (id, versions) in &self.users {
            let Some(user) = versions.indexed(now_ms) else { continue };
            let by_external = external_id.is_none_or(|wanted| user.external_id.as_deref() == Some(wanted));
            if by_external && query.is_none_or(|query| has_words(user, query)) {
                shown.push(self.user_json(*id, user));
            }
        }
        page("users", shown, request).map(|response| (response, Vec::new()))
    }

    pub(super) fn find_user(&self, id: &str) -> Result<u64, Refusal> {
        let id = id.parse().ok().filter(|id| self.users.contains_key(id));
        id.ok_or_else(Refusal::no_such_record)
    }

    /// The person who has the e-mail, or the external id, of `user`.
    fn named(&self, user: &Map<String, Value>) -> Option<u64> {
        let text = |name: &str| user.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let by_external =
            text("external_id").and_then(|wanted| self.with(|user| user.external_id.as_deref() == Some(wanted)));
        by_external.or_else(|| self.with_email(text("email")?))
    }

    fn with(&self, fits: impl Fn(&User) -> bool) -> Option<u64> {
        self.users.iter().find(|(_, user)| fits(user.current())).map(|(id, _)| *id)
    }

    /// Whose an e-mail is.
    pub(super) fn with_email(&self, email: &str) -> Option<u64> {
        let email = email.to_lowercase();
        self.with(|user| user.email.as_deref() == Some(email.as_str()))
    }

    fn new_user(&mut self, now_ms: u64, user: &Map<String, Value>) -> Result<u64, Refusal> {
        let made = User::new("", None, now_ms).written(user, now_ms)?;
        self.is_alone(&made, None)?;
        Ok(self.add_user(now_ms, made))
    }

    pub(super) fn add_user(&mut self, now_ms: u64, user: User) -> u64 {
        let id = self.users.last_key_value().map_or(AGENT, |(last, _)| last + 1);
        self.users.insert(id, Lagged::new(now_ms.saturating_add(self.options.search_lag_ms), user));
        id
    }

    fn change_user(&mut self, now_ms: u64, id: u64, user: &Map<String, Value>) -> Result<(), Refusal> {
        let Some(before) = self.users.get(&id).map(|user| user.current().clone()) else { return Ok(()) };
        let after = before.clone().written(user, now_ms)?;
        self.is_alone(&after, Some(id))?;
        let lag_ms = self.options.search_lag_ms;
        if let Some(versions) = self.users.get_mut(&id).filter(|_| after != before) {
            versions.write(now_ms, lag_ms, after);
        }
        Ok(())
    }

    fn is_alone(&self, user: &User, own: Option<u64>) -> Result<(), Refusal> {
        let email = user.email.as_deref().and_then(|email| self.with_email(email));
        if let Some(email) = user.email.as_deref().filter(|_| email.is_some() && email != own) {
            let description = format!("Email: {email} is already being used by another user");
            return Err(Refusal::record_invalid("email", "DuplicateValue", &description));
        }
        let wanted = user.external_id.as_deref();
        let external = wanted.and_then(|wanted| self.with(|user| user.external_id.as_deref() == Some(wanted)));
        if external.is_some() && external != own {
            let description = "External: External ID has already been taken";
            return Err(Refusal::record_invalid("external_id", "DuplicateValue", description));
        }
        Ok(())
    }

    fn shown_user(&self, id: u64) -> Value {
        self.users.get(&id).map_or(Value::Null, |user| self.user_json(id, user.current()))
    }

    fn user_json(&self, id: u64, user: &User) -> Value {
        json!({
            "id": id, "name": user.name, "email": user.email, "external_id": user.external_id, "role": user.role,
            "phone": user.phone, "active": true, "verified": false, "suspended": false, "tags": [], "user_fields": {},
            "organization_id": null, "created_at": self.at(user.created_ms), "updated_at": self.at(user.updated_ms),
        })
    }
}

fn has_words(user: &User, query: &str) -> bool {
    let text = format!("{} {}", user.name, user.email.as_deref().unwrap_or_default()).to_lowercase();
    let words: Vec<String> =
        query.to_lowercase().split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
    words.iter().all(|word| {
        let plain = word.strip_prefix("email:").or_else(|| word.strip_prefix("name:")).unwrap_or(word);
        matches!(word.as_str(), "type:user" | "role:end-user") || text.contains(plain)
    })
}

fn body(request: &Request) -> Result<Map<String, Value>, Refusal> {
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| Refusal::no_json(&error))?;
    match body.get("user") {
        Some(Value::Object(user)) => Ok(user.clone()),
        Some(_) | None => Err(Refusal::invalid_attribute("user")),
    }
}
