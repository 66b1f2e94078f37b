//! Fields of a ticket: as a caller writes them, as they are kept, as they are shown.
//!
//! Must not know: other tickets.

use super::{refusal::Refusal, users::AGENT};
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
    /// E-mail of the requester; none where it is the caller.
    pub(super) requester: Option<String>,
    pub(super) requester_id: u64,
    pub(super) status: String,
    pub(super) priority: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) tags: Vec<String>,
    /// All comments, the first one included.
    pub(super) comments: Vec<Comment>,
    /// What is only kept and shown: group, assignee, organization, own fields, …
    pub(super) others: Map<String, Value>,
    pub(super) deleted: bool,
    pub(super) updated_ms: u64,
}

/// Members of a ticket that are taken and shown as they are.
const OTHERS: [&str; 9] = [
    "assignee_id",
    "brand_id",
    "custom_fields",
    "due_at",
    "email_cc_ids",
    "follower_ids",
    "group_id",
    "organization_id",
    "ticket_form_id",
];

/// One comment of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Comment {
    number: u64,
    body: String,
    public: bool,
    pub(super) at_ms: u64,
}

impl Comment {
    pub(super) fn json(&self, at: String) -> Value {
        json!({
            "id": self.number, "type": "Comment", "author_id": AGENT, "body": self.body, "plain_body": self.body,
            "html_body": format!("<p>{}</p>", self.body), "public": self.public, "attachments": [],
            "via": { "channel": "api" }, "created_at": at,
        })
    }
}

/// Who a ticket is for, as a caller says it.
pub(super) enum Requester {
    Id(u64),
    Email { email: String, name: Option<String> },
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
        let mut shown = json!({
            "id": id,
            "external_id": self.external_id,
            "subject": self.subject,
            "raw_subject": self.subject,
            "description": self.description,
            "status": self.status,
            "priority": self.priority,
            "type": self.kind,
            "tags": self.tags,
            "requester_id": self.requester_id,
            "submitter_id": AGENT,
            "assignee_id": null,
            "group_id": null,
            "organization_id": null,
            "custom_fields": [],
            "is_public": true,
            "has_incidents": false,
            "via": { "channel": "api" },
            "created_at": created,
            "updated_at": updated,
        });
        self.others.iter().for_each(|(name, value)| shown[name] = value.clone());
        shown
    }
}

/// What a create or update writes: the members of `ticket`.
#[derive(Clone)]
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

    /// Reads `{"tickets": [{…}, …]}`.
    pub(super) fn parse_many(body: &[u8]) -> Result<Vec<Self>, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::no_json(&error))?;
        let wrong = || Refusal::invalid_attribute("tickets");
        let one = |ticket: &Value| ticket.as_object().cloned().map(Self).ok_or_else(wrong);
        body.get("tickets").and_then(Value::as_array).ok_or_else(wrong)?.iter().map(one).collect()
    }

    /// Reads members that stand in the body itself.
    pub(super) fn bare(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map(Self).map_err(|error| Refusal::no_json(&error))
    }

    /// The ticket that one of several names.
    pub(super) fn id(&self) -> Option<String> {
        self.text("id").ok().flatten().flatten()
    }

    /// Whether the caller still knows the newest state, when it asks for that to be looked at.
    pub(super) fn is_safe(&self, updated_at: &str) -> Result<(), Refusal> {
        let asked = matches!(self.0.get("safe_update"), Some(Value::Bool(true)))
            || self.0.get("safe_update").and_then(Value::as_str) == Some("true");
        if !asked {
            return Ok(());
        }
        let stamp = self.text("updated_stamp")?.flatten().ok_or_else(|| Refusal::invalid_attribute("updated_stamp"))?;
        if stamp.replace(".000Z", "Z").as_str() < updated_at { Err(Refusal::update_conflict()) } else { Ok(()) }
    }

    /// The ticket that these make.
    pub(super) fn create(&self, now_ms: u64) -> Result<Fields, Refusal> {
        let description = match self.comment()? {
            Some(comment) => Some(comment),
            None => self.text("description")?.flatten(),
        };
        let blank = || Refusal::record_invalid("base", "BlankValue", "Description: cannot be blank");
        let description = description.filter(|text| !text.trim().is_empty()).ok_or_else(blank)?;
        let comments = vec![Comment { number: 1, body: description.clone(), public: self.is_public(), at_ms: now_ms }];
        let empty = Fields {
            external_id: None,
            subject: String::new(),
            description,
            requester: None,
            requester_id: AGENT,
            status: "new".to_owned(),
            priority: None,
            kind: None,
            tags: Vec::new(),
            comments,
            others: Map::new(),
            deleted: false,
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
        if let Some(body) = self.comment()?.filter(|text| !text.trim().is_empty()) {
            let number = after.comments.len() as u64 + 1;
            after.comments.push(Comment { number, body, public: self.is_public(), at_ms: now_ms });
        }
        let mut after = self.apply(after)?;
        if let Some(more) = self.tag_list("additional_tags")? {
            let new: Vec<String> = more.into_iter().filter(|tag| !after.tags.contains(tag)).collect();
            after.tags.extend(new);
        }
        if let Some(fewer) = self.tag_list("remove_tags")? {
            after.tags.retain(|tag| !fewer.contains(tag));
        }
        Ok(after)
    }

    fn is_public(&self) -> bool {
        self.0.get("comment").and_then(|comment| comment.get("public")).and_then(Value::as_bool).unwrap_or(true)
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
        for name in OTHERS {
            let Some(value) = self.0.get(name) else { continue };
            fields.others.insert(name.to_owned(), value.clone());
            fields.others.retain(|_, value| !value.is_null());
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

    /// Who the ticket is for, when these say so.
    pub(super) fn requester(&self) -> Result<Option<Requester>, Refusal> {
        if let Some(id) = self.0.get("requester_id").filter(|id| !id.is_null()) {
            let id = id.as_u64().or_else(|| id.as_str()?.parse().ok());
            return id.map(|id| Some(Requester::Id(id))).ok_or_else(|| Refusal::invalid_attribute("requester_id"));
        }
        match self.0.get("requester") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(requester)) => match requester.get("email") {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(email)) if email.contains('@') => {
                    let name = requester.get("name").and_then(Value::as_str).map(str::to_owned);
                    Ok(Some(Requester::Email { email: email.trim().to_lowercase(), name }))
                }
                Some(_) => {
                    let description = "Requester: Email: is not properly formatted";
                    Err(Refusal::record_invalid("requester", "InvalidValue", description))
                }
            },
            Some(Value::String(email)) if email.contains('@') => {
                Ok(Some(Requester::Email { email: email.trim().to_lowercase(), name: None }))
            }
            Some(_) => Err(Refusal::invalid_attribute("requester")),
        }
    }

    /// Tags: a list, or one text with blanks between them; lower case, each once.
    pub(super) fn tags(&self) -> Result<Option<Vec<String>>, Refusal> {
        self.tag_list("tags")
    }

    fn tag_list(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let wrong = || Refusal::invalid_attribute(name);
        let texts: Vec<&str> = match self.0.get(name) {
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
