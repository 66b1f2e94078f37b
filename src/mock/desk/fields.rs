//! Fields of a ticket: as a caller writes them, as they are kept, as they are shown.
//!
//! Must not know: other tickets.

use super::refusal::Refusal;
use crate::mock::effect::Ticket;
use serde_json::{Map, Value, json};

/// Statuses in the order in which Zendesk compares them.
pub(super) const STATUSES: [&str; 6] = ["new", "open", "pending", "hold", "solved", "closed"];
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];
const TYPES: [&str; 4] = ["problem", "incident", "question", "task"];

/// Start of the tag that names a ticket's queue.
const QUEUE_TAG: &str = "queue_";

/// One version of one ticket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fields {
    pub(super) external_id: Option<String>,
    pub(super) subject: String,
    pub(super) description: String,
    pub(super) requester: Option<String>,
    pub(super) status: String,
    pub(super) priority: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) tags: Vec<String>,
    /// Comments in all, the first one included.
    pub(super) comments: u32,
    pub(super) updated_ms: u64,
}

impl Fields {
    /// The queue that the tags name.
    pub(super) fn queue(&self) -> Option<String> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(QUEUE_TAG)).map(str::to_owned)
    }

    /// The ticket as the ledger keeps it.
    pub(super) fn ticket(&self, id: u64, created_ms: u64) -> Ticket {
        Ticket {
            id: id.to_string(),
            external_id: self.external_id.clone(),
            subject: self.subject.clone(),
            queue: self.queue(),
            requester: self.requester.clone(),
            status: self.status.clone(),
            tags: self.tags.clone(),
            created_ms,
        }
    }

    /// The ticket in Zendesk's shape.
    pub(super) fn json(&self, id: u64, created: &str, updated: &str) -> Value {
        json!({
            "id": id,
            "external_id": self.external_id,
            "subject": self.subject,
            "raw_subject": self.subject,
            "description": self.description,
            "status": self.status,
            "priority": self.priority,
            "type": self.kind,
            "tags": self.tags,
            "via": { "channel": "api" },
            "created_at": created,
            "updated_at": updated,
        })
    }
}

/// What a create or update writes: the members of `ticket`.
pub(super) struct Writes(Map<String, Value>);

impl Writes {
    /// Reads `{"ticket": {…}}`.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::no_json(&error))?;
        match body {
            Value::Object(mut members) => match members.remove("ticket") {
                Some(Value::Object(ticket)) => Ok(Self(ticket)),
                Some(_) | None => Err(Refusal::invalid_attribute("ticket")),
            },
            _ => Err(Refusal::invalid_attribute("ticket")),
        }
    }

    /// The ticket that these make.
    pub(super) fn create(&self, now_ms: u64) -> Result<Fields, Refusal> {
        let description = match self.comment()? {
            Some(comment) => Some(comment),
            None => self.text("description")?.flatten(),
        };
        let blank = || Refusal::record_invalid("base", "BlankValue", "Description: cannot be blank");
        let description = description.filter(|text| !text.trim().is_empty()).ok_or_else(blank)?;
        let empty = Fields {
            external_id: None,
            subject: String::new(),
            description,
            requester: self.requester()?,
            status: "new".to_owned(),
            priority: None,
            kind: None,
            tags: Vec::new(),
            comments: 1,
            updated_ms: now_ms,
        };
        self.apply(empty)
    }

    /// The ticket after these; equal to `before` when nothing is another value now.
    pub(super) fn update(&self, before: &Fields, now_ms: u64) -> Result<Fields, Refusal> {
        if before.status == "closed" {
            return Err(Refusal::record_invalid("status", "InvalidValue", "Status: closed prevents ticket update"));
        }
        let mut after = before.clone();
        if self.comment()?.is_some_and(|text| !text.trim().is_empty()) {
            after.comments = after.comments.saturating_add(1);
        }
        after.requester = self.requester()?.or(after.requester);
        let mut after = self.apply(after)?;
        if after != *before {
            after.updated_ms = now_ms;
        }
        Ok(after)
    }

    fn apply(&self, mut fields: Fields) -> Result<Fields, Refusal> {
        if let Some(external_id) = self.text("external_id")? {
            fields.external_id = external_id;
        }
        if let Some(subject) = self.text("subject")? {
            fields.subject = subject.unwrap_or_default();
        }
        if let Some(Some(status)) = self.one_of("status", &STATUSES)? {
            fields.status = status;
        }
        if let Some(priority) = self.one_of("priority", &PRIORITIES)? {
            fields.priority = priority;
        }
        if let Some(kind) = self.one_of("type", &TYPES)? {
            fields.kind = kind;
        }
        if let Some(tags) = self.tags()? {
            fields.tags = tags;
        }
        Ok(fields)
    }

    /// A text member: absent, cleared, or written. Numbers are taken as text, as Zendesk does for `external_id`.
    fn text(&self, name: &str) -> Result<Option<Option<String>>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
            Some(Value::Number(number)) => Ok(Some(Some(number.to_string()))),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(Refusal::invalid_attribute(name)),
        }
    }

    fn one_of(&self, name: &str, known: &[&str]) -> Result<Option<Option<String>>, Refusal> {
        let text = self.text(name)?;
        match &text {
            Some(Some(value)) if !known.contains(&value.as_str()) => {
                let description = format!("{name}: {value} is not one of {}", known.join(", "));
                Err(Refusal::record_invalid(name, "InvalidValue", &description))
            }
            Some(_) | None => Ok(text),
        }
    }

    fn comment(&self) -> Result<Option<String>, Refusal> {
        let wrong = || Refusal::invalid_attribute("comment");
        match self.0.get("comment") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Object(comment)) => match comment.get("body").or_else(|| comment.get("html_body")) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(_) => Err(wrong()),
            },
            Some(_) => Err(wrong()),
        }
    }

    /// E-mail of the requester, when one is named by e-mail.
    fn requester(&self) -> Result<Option<String>, Refusal> {
        match self.0.get("requester") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(requester)) => match requester.get("email") {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(email)) if email.contains('@') => Ok(Some(email.trim().to_lowercase())),
                Some(_) => {
                    let description = "Requester: Email: is not properly formatted";
                    Err(Refusal::record_invalid("requester", "InvalidValue", description))
                }
            },
            Some(_) => Err(Refusal::invalid_attribute("requester")),
        }
    }

    /// Tags: a list, or one text with blanks between them; lower case, each once.
    fn tags(&self) -> Result<Option<Vec<String>>, Refusal> {
        let wrong = || Refusal::invalid_attribute("tags");
        let texts: Vec<&str> = match self.0.get("tags") {
            None => return Ok(None),
            Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect::<Result<_, _>>()?
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => return Err(wrong()),
        };
        let mut tags: Vec<String> = Vec::new();
        for tag in texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_lowercase) {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(Some(tags))
    }
}
