//! Conversations, and what tickets have in common with them: replies, states, tags, attributes, search.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    ADMIN, Done, Intercom, Kept, contacts, members, page::Page, query::Query, refusal::Refusal, route::Conversations,
    text_of,
};
use crate::{
    mock::{effect::Effect, lagged::Lagged},
    wire::{Request, Response},
};
use serde_json::{Map, Value, json};

/// First number of a conversation or ticket; later ones count up.
const FIRST: u64 = 215_470_001;

/// Start of the tag, and name of the attribute, that names a queue.
const QUEUE_TAG: &str = "queue_";
const QUEUE: &str = "queue";

/// Name of the attribute that is taken for the caller's key.
const KEY: &str = "external_id";

/// One version of a conversation or of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Thread {
    pub(super) ticket: bool,
    pub(super) contact: Option<u64>,
    pub(super) title: Option<String>,
    pub(super) body: String,
    /// `custom_attributes` of a conversation, `ticket_attributes` of a ticket.
    pub(super) attributes: Map<String, Value>,
    pub(super) state: State,
    pub(super) tags: Vec<u64>,
    pub(super) parts: Vec<Piece>,
    pub(super) read: bool,
    pub(super) deleted: bool,
    pub(super) updated_ms: u64,
}

/// Whether somebody still has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Open,
    Closed,
    Snoozed,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Snoozed => "snoozed",
        }
    }
}

/// Something that was said or done in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    kind: String,
    body: Option<String>,
    admin: bool,
    at_ms: u64,
}

impl Thread {
    pub(super) fn new(contact: Option<u64>, body: String, now_ms: u64) -> Self {
        Self {
            ticket: false,
            contact,
            title: None,
            body,
            attributes: Map::new(),
            state: State::Open,
            tags: Vec::new(),
            parts: Vec::new(),
            read: false,
            deleted: false,
            updated_ms: now_ms,
        }
    }

    fn attribute(&self, name: &str) -> Option<String> {
        text_of(self.attributes.get(name))
    }

    /// The caller's key: the attribute `external_id`, else all that the attributes say.
    pub(super) fn key(&self) -> Option<String> {
        let said = self.attributes.iter().filter(|(name, _)| !name.starts_with("_default_"));
        let said: Vec<String> = said.filter_map(|(_, value)| text_of(Some(value))).collect();
        self.attribute(KEY).or_else(|| Some(said.join(" ")).filter(|said| !said.is_empty()))
    }

    /// The title, else the first words.
    pub(super) fn subject(&self) -> String {
        let title = self.attribute("_default_title_").or_else(|| self.title.clone());
        title.unwrap_or_else(|| plain(&self.body))
    }

    /// The queue that a tag or the attribute `queue` names.
    pub(super) fn queue(&self, name: impl Fn(u64) -> Option<String>) -> Option<String> {
        let tags = self.tags.iter().filter_map(|tag| name(*tag));
        let tagged = tags.filter_map(|name| name.to_lowercase().strip_prefix(QUEUE_TAG).map(str::to_owned)).next();
        tagged.or_else(|| self.attribute(QUEUE))
    }

    pub(super) const fn state(&self) -> &'static str {
        self.state.word()
    }

    pub(super) fn set_attributes(&mut self, given: Option<&Value>) -> Result<(), Refusal> {
        match given {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Object(given)) => {
                self.attributes.extend(given.clone());
                self.attributes.retain(|_, value| !value.is_null());
                Ok(())
            }
            Some(_) => Err(Refusal::invalid("attributes must be an object")),
        }
    }
}

/// Without its tags.
fn plain(html: &str) -> String {
    let (mut inside, mut text) = (false, String::new());
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.trim().to_owned()
}

impl Intercom {
    pub(super) fn conversations_asked(&mut self, now_ms: u64, route: Conversations, request: &Request) -> Done {
        match route {
            Conversations::Create => self.create_conversation(now_ms, request),
            Conversations::List => {
                let all = self.threads.iter().filter(|(_, kept)| is_there(kept, false));
                let all = all.map(|(id, kept)| self.thread_json(*id, kept, kept.versions.current(), false)).collect();
                let page = Page::of_list(request)?;
                Ok((Response::json(200, &page.of("conversation.list", "conversations", all)), Vec::new()))
            }
            Conversations::Search => self.search_threads(now_ms, request, false),
            Conversations::Read(id) => {
                let id = self.thread(&id, false)?;
                Ok((self.told(id), Vec::new()))
            }
            Conversations::Update(id) => {
                let id = self.thread(&id, false)?;
                let body = members(request)?;
                let mut after = self.thread_now(id)?;
                after.set_attributes(body.get("custom_attributes"))?;
                after.read = body.get("read").and_then(Value::as_bool).unwrap_or(after.read);
                after.title = text_of(body.get("title")).or(after.title);
                let effect = self.write_thread(now_ms, id, after);
                Ok((self.told(id), effect.into_iter().collect()))
            }
            Conversations::Delete(id) => self.delete_thread(now_ms, &id, false),
            Conversations::Reply(id) => self.reply(now_ms, &id, request, false),
            Conversations::Manage(id) => self.manage(now_ms, &id, request),
            Conversations::Tag(id) => {
                let tag = self.tag_asked(request)?;
                self.tag_thread(now_ms, &id, tag, (false, true))
            }
            Conversations::Untag { thread, tag } => {
                let tag = self.tag(&tag)?;
                self.tag_thread(now_ms, &thread, tag, (false, false))
            }
        }
    }

    fn create_conversation(&mut self, now_ms: u64, request: &Request) -> Done {
        let body = members(request)?;
        let text = text_of(body.get("body")).ok_or_else(|| Refusal::missing("body is needed"))?;
        let from = body.get("from").ok_or_else(|| Refusal::missing("from is needed"))?;
        let contact = self.participant(now_ms, from, false)?.0;
        let mut thread = Thread::new(Some(contact), text.clone(), now_ms);
        thread.title = text_of(body.get("subject"));
        let (id, effect) = self.add_thread(now_ms, thread);
        let message = json!({
            "type": "user_message",
            "id": format!("4034{id}"),
            "created_at": self.secs(now_ms),
            "body": text,
            "message_type": "inapp",
            "conversation_id": id.to_string(),
        });
        Ok((Response::json(200, &message), vec![effect]))
    }

    /// Who takes part: by id, external id or e-mail. A new e-mail makes a lead where `new` allows it.
    pub(super) fn participant(
        &mut self,
        now_ms: u64,
        named: &Value,
        new: bool,
    ) -> Result<(u64, Option<Effect>), Refusal> {
        let text = |name: &str| text_of(named.get(name));
        let unknown = || Refusal::not_found("User Not Found");
        if let Some(id) = text("id").or_else(|| text("intercom_user_id")) {
            return Ok((self.person(&id)?, None));
        }
        if let Some(external) = text("external_id").or_else(|| text("user_id")) {
            return self.user_with_external_id(&external).map(|id| (id, None)).ok_or_else(unknown);
        }
        let email = text("email").ok_or_else(|| Refusal::missing("a contact is named by id, external_id or email"))?;
        match self.user_with_email(&email) {
            Some(id) => Ok((id, None)),
            None if new => {
                let (id, effect) = self.add_person(now_ms, Self::lead_with_email(&email))?;
                Ok((id, Some(effect)))
            }
            None => Err(unknown()),
        }
    }

    pub(super) fn add_thread(&mut self, now_ms: u64, thread: Thread) -> (u64, Effect) {
        let id = self.threads.last_key_value().map_or(FIRST, |(last, _)| last + 1);
        let effect = Effect::TicketCreated {
            ticket: id.to_string(),
            external_id: thread.key(),
            queue: thread.queue(|tag| self.tags.get(&tag).cloned()),
        };
        let versions = Lagged::new(self.seen_from(now_ms), thread);
        self.threads.insert(id, Kept { versions, created_ms: now_ms, given: false });
        (id, effect)
    }

    pub(super) fn write_thread(&mut self, now_ms: u64, id: u64, mut after: Thread) -> Option<Effect> {
        let lag_ms = self.options.search_lag_ms;
        let kept = self.threads.get_mut(&id)?;
        if *kept.versions.current() == after {
            return None;
        }
        after.updated_ms = now_ms;
        kept.versions.write(now_ms, lag_ms, after);
        Some(Effect::TicketUpdated { ticket: id.to_string() })
    }

    /// A reply of the contact opens the conversation again; a note is for the people of the workspace alone.
    pub(super) fn reply(&mut self, now_ms: u64, id: &str, request: &Request, ticket: bool) -> Done {
        let id = self.thread(id, ticket)?;
        let body = members(request)?;
        let kind = body.get("message_type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let admin = body.get("type").and_then(Value::as_str) == Some("admin");
        if !matches!((kind.as_str(), admin), ("comment", _) | ("note", true)) {
            return Err(Refusal::invalid("message_type must be comment, or note of an admin"));
        }
        let text = text_of(body.get("body")).ok_or_else(|| Refusal::missing("body is needed"))?;
        if !admin {
            self.participant(now_ms, &Value::Object(body), false)?;
        }
        let mut after = self.thread_now(id)?;
        if !admin {
            after.state = State::Open;
        }
        let piece = Piece { kind, body: Some(text), admin, at_ms: now_ms };
        after.parts.push(piece);
        let effect = self.write_thread(now_ms, id, after);
        // A reply to a ticket is answered with the reply, one to a conversation with all of it.
        let part = || self.thread_now(id).ok().and_then(|thread| self.thread_parts(id, &thread).pop());
        let response = if ticket { Response::json(200, &part().unwrap_or_default()) } else { self.told(id) };
        Ok((response, effect.into_iter().collect()))
    }

    fn manage(&mut self, now_ms: u64, id: &str, request: &Request) -> Done {
        let id = self.thread(id, false)?;
        let body = members(request)?;
        let kind = body.get("message_type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut after = self.thread_now(id)?;
        after.state = match kind.as_str() {
            "close" => State::Closed,
            "open" => State::Open,
            "snoozed" => State::Snoozed,
            "assignment" => after.state,
            other => {
                return Err(Refusal::invalid(format!(
                    "message_type `{other}` is not one of close, open, snoozed, assignment"
                )));
            }
        };
        after.parts.push(Piece { kind, body: text_of(body.get("body")), admin: true, at_ms: now_ms });
        let effect = self.write_thread(now_ms, id, after);
        Ok((self.told(id), effect.into_iter().collect()))
    }

    pub(super) fn tag_thread(&mut self, now_ms: u64, id: &str, tag: u64, (ticket, on): (bool, bool)) -> Done {
        let id = self.thread(id, ticket)?;
        let mut after = self.thread_now(id)?;
        if after.tags.contains(&tag) != on {
            after.tags.retain(|own| *own != tag);
            after.tags.extend(on.then_some(tag));
        }
        let effect = self.write_thread(now_ms, id, after);
        Ok((Response::json(200, &self.tag_json(tag)), effect.into_iter().collect()))
    }

    pub(super) fn delete_thread(&mut self, now_ms: u64, id: &str, ticket: bool) -> Done {
        let number = self.thread(id, ticket)?;
        let after = Thread { deleted: true, ..self.thread_now(number)? };
        let effect = self.write_thread(now_ms, number, after);
        let object = if ticket { "ticket" } else { "conversation" };
        let told = json!({ "id": id, "object": object, "deleted": true });
        Ok((Response::json(200, &told), effect.into_iter().collect()))
    }

    pub(super) fn search_threads(&self, now_ms: u64, request: &Request, ticket: bool) -> Done {
        let body = members(request)?;
        let (query, page) = (Query::parse(&body)?, Page::of_search(&body)?);
        let mut found = Vec::new();
        for (id, kept) in &self.threads {
            let Some(thread) = kept.versions.indexed(now_ms).filter(|t| !t.deleted && t.ticket == ticket) else {
                continue;
            };
            let field = |name: &str| self.searched_thread(*id, kept, thread, name);
            if query.matches(&field)? {
                found.push(self.thread_json(*id, kept, thread, false));
            }
        }
        let (kind, name) = if ticket { ("ticket.list", "tickets") } else { ("conversation.list", "conversations") };
        Ok((Response::json(200, &page.of(kind, name, found)), Vec::new()))
    }

    fn searched_thread(&self, id: u64, kept: &Kept<Thread>, thread: &Thread, name: &str) -> Option<Vec<String>> {
        let own = ["custom_attributes.", "ticket_attributes.", "custom_attribute.", "ticket_attribute."];
        if let Some(name) = own.iter().find_map(|start| name.strip_prefix(start)) {
            return Some(thread.attribute(name).into_iter().collect());
        }
        let contact = || thread.contact.map(|id| self.living(id));
        Some(match name {
            "id" => vec![id.to_string()],
            "created_at" => vec![self.secs(kept.created_ms).to_string()],
            "updated_at" => vec![self.secs(thread.updated_ms).to_string()],
            "open" => vec![(thread.state == State::Open).to_string()],
            "state" => vec![thread.state().to_owned()],
            "read" => vec![thread.read.to_string()],
            "source.body" => vec![plain(&thread.body)],
            "source.subject" | "title" => vec![thread.subject()],
            "contact_ids" => contact().map(contacts::id_text).into_iter().collect(),
            "source.author.email" | "contact_email" => contact().and_then(|id| self.email_of(id)).into_iter().collect(),
            "tag_ids" => thread.tags.iter().map(u64::to_string).collect(),
            _ => return None,
        })
    }

    /// The number of a conversation, or of a ticket, by its id.
    pub(super) fn thread(&self, id: &str, ticket: bool) -> Result<u64, Refusal> {
        let found = id.parse().ok().filter(|id| self.threads.get(id).is_some_and(|kept| is_there(kept, ticket)));
        found.ok_or_else(|| Refusal::not_found("Resource Not Found"))
    }

    pub(super) fn thread_now(&self, id: u64) -> Result<Thread, Refusal> {
        let kept = self.threads.get(&id).ok_or_else(|| Refusal::not_found("Resource Not Found"))?;
        Ok(kept.versions.current().clone())
    }

    pub(super) fn told(&self, id: u64) -> Response {
        let shown = |kept: &Kept<Thread>| self.thread_json(id, kept, kept.versions.current(), true);
        Response::json(200, &self.threads.get(&id).map_or(Value::Null, shown))
    }

    /// In Intercom's shape; lists and searches show no parts.
    fn thread_json(&self, id: u64, kept: &Kept<Thread>, thread: &Thread, whole: bool) -> Value {
        if thread.ticket {
            self.ticket_json(id, kept, thread, whole)
        } else {
            self.conversation_json(id, kept, thread, whole)
        }
    }

    fn conversation_json(&self, id: u64, kept: &Kept<Thread>, thread: &Thread, whole: bool) -> Value {
        let mut shown = json!({
            "type": "conversation",
            "id": id.to_string(),
            "title": thread.title,
            "created_at": self.secs(kept.created_ms),
            "updated_at": self.secs(thread.updated_ms),
            "waiting_since": null,
            "snoozed_until": null,
            "open": thread.state != State::Closed,
            "state": thread.state(),
            "read": thread.read,
            "priority": "not_priority",
            "admin_assignee_id": null,
            "team_assignee_id": null,
            "tags": { "type": "tag.list", "tags": self.thread_tags(thread) },
            "source": {
                "type": "conversation", "id": format!("4034{id}"), "delivered_as": "customer_initiated",
                "subject": thread.title, "body": thread.body, "author": self.author(thread), "attachments": [],
                "url": null, "redacted": false,
            },
            "contacts": { "type": "contact.list", "contacts": self.thread_contacts(thread) },
            "teammates": { "type": "admin.list", "teammates": [] },
            "custom_attributes": thread.attributes,
            "linked_objects": { "type": "list", "data": [], "total_count": 0, "has_more": false },
            "ai_agent_participated": false,
        });
        if whole {
            let parts = self.thread_parts(id, thread);
            shown["conversation_parts"] =
                json!({ "type": "conversation_part.list", "conversation_parts": parts, "total_count": parts.len() });
        }
        shown
    }

    pub(super) fn thread_tags(&self, thread: &Thread) -> Vec<Value> {
        thread.tags.iter().map(|tag| self.tag_json(*tag)).collect()
    }

    fn author(&self, thread: &Thread) -> Value {
        let Some(id) = thread.contact.map(|id| self.living(id)) else { return Value::Null };
        json!({ "type": "user", "id": contacts::id_text(id), "name": null, "email": self.email_of(id) })
    }

    pub(super) fn thread_contacts(&self, thread: &Thread) -> Vec<Value> {
        let one = |id: u64| {
            let properties = self.properties(&contacts::id_text(id)).unwrap_or_default();
            json!({ "type": "contact", "id": contacts::id_text(id), "external_id": properties.get("external_id") })
        };
        thread.contact.map(|id| one(self.living(id))).into_iter().collect()
    }

    pub(super) fn thread_parts(&self, id: u64, thread: &Thread) -> Vec<Value> {
        let part = |(place, piece): (usize, &Piece)| {
            let author = if piece.admin {
                json!({ "type": "admin", "id": ADMIN, "name": "Agent" })
            } else {
                self.author(thread)
            };
            json!({
                "type": if thread.ticket { "ticket_part" } else { "conversation_part" },
                "id": (id * 1_000 + place as u64).to_string(),
                "part_type": piece.kind,
                "body": piece.body,
                "created_at": self.secs(piece.at_ms),
                "updated_at": self.secs(piece.at_ms),
                "notified_at": self.secs(piece.at_ms),
                "assigned_to": null,
                "author": author,
                "attachments": [],
                "redacted": false,
            })
        };
        thread.parts.iter().enumerate().map(part).collect()
    }
}

fn is_there(kept: &Kept<Thread>, ticket: bool) -> bool {
    let thread = kept.versions.current();
    !thread.deleted && thread.ticket == ticket
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_title_or_the_words_of_the_body() {
        let mut thread = Thread::new(None, "<p>Payment of <b>in_1</b> failed</p>".to_owned(), 0);
        assert_eq!(thread.subject(), "Payment of in_1 failed");
        thread.title = Some("Dunning".to_owned());
        assert_eq!(thread.subject(), "Dunning");
    }

    #[test]
    fn the_key_is_the_attribute_of_that_name_or_what_all_say() {
        let mut thread = Thread::new(None, String::new(), 0);
        assert_eq!(thread.key(), None);
        thread
            .set_attributes(Some(&json!({ "invoice": "in_1", "try": 2, "_default_title_": "x" })))
            .expect("an object");
        assert_eq!(thread.key().as_deref(), Some("in_1 2"));
        thread.set_attributes(Some(&json!({ "external_id": "in_2" }))).expect("an object");
        assert_eq!(thread.key().as_deref(), Some("in_2"));
    }
}
