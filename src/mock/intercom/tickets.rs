//! Tickets: like conversations, with a type, attributes of their own and a state of the workspace.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    Done, Intercom, Kept,
    conversations::{State, Thread},
    members,
    refusal::Refusal,
    route::Tickets,
    text_of,
};
use crate::wire::Request;
use serde_json::{Value, json};

/// States of tickets: number, category, whether one of it is open.
const STATES: [(&str, &str, State); 4] = [
    ("1", "submitted", State::Open),
    ("2", "in_progress", State::Open),
    ("3", "waiting_on_customer", State::Snoozed),
    ("4", "resolved", State::Closed),
];

/// The one type that this workspace has; any other number is taken for it.
pub(super) fn kind() -> Value {
    json!({ "type": "ticket_type", "id": "1", "category": "Customer", "name": "Request", "description": "", "icon": "🎟️", "workspace_id": super::contacts::WORKSPACE, "archived": false })
}

impl Intercom {
    pub(super) fn tickets_asked(&mut self, now_ms: u64, route: Tickets, request: &Request) -> Done {
        match route {
            Tickets::Create => self.create_ticket(now_ms, request),
            Tickets::Search => self.search_threads(now_ms, request, true),
            Tickets::Read(id) => {
                let id = self.thread(&id, true)?;
                Ok((self.told(id), Vec::new()))
            }
            Tickets::Update(id) => self.update_ticket(now_ms, &id, request),
            Tickets::Delete(id) => self.delete_thread(now_ms, &id, true),
            Tickets::Reply(id) => self.reply(now_ms, &id, request, true),
            Tickets::Tag(id) => {
                let tag = self.tag_asked(request)?;
                self.tag_thread(now_ms, &id, tag, (true, true))
            }
            Tickets::Untag { thread, tag } => {
                let tag = self.tag(&tag)?;
                self.tag_thread(now_ms, &thread, tag, (true, false))
            }
        }
    }

    fn create_ticket(&mut self, now_ms: u64, request: &Request) -> Done {
        let body = members(request)?;
        text_of(body.get("ticket_type_id")).ok_or_else(|| Refusal::missing("ticket_type_id is needed"))?;
        let named = body.get("contacts").and_then(Value::as_array).and_then(|all| all.first());
        let named = named.ok_or_else(|| Refusal::missing("contacts names who the ticket is for"))?;
        let (contact, made) = self.participant(now_ms, named, true)?;
        let mut thread = Thread { ticket: true, ..Thread::new(Some(contact), String::new(), now_ms) };
        thread.set_attributes(body.get("ticket_attributes"))?;
        let (id, effect) = self.add_thread(now_ms, thread);
        Ok((self.told(id), made.into_iter().chain([effect]).collect()))
    }

    fn update_ticket(&mut self, now_ms: u64, id: &str, request: &Request) -> Done {
        let id = self.thread(id, true)?;
        let body = members(request)?;
        let mut after = self.thread_now(id)?;
        after.set_attributes(body.get("ticket_attributes"))?;
        if let Some(open) = body.get("open").and_then(Value::as_bool) {
            after.state = if open { State::Open } else { State::Closed };
        }
        let asked = text_of(body.get("ticket_state_id")).or_else(|| text_of(body.get("state")));
        if let Some(asked) = asked {
            let known = STATES.iter().find(|(number, category, _)| *number == asked || *category == asked);
            let (_, _, state) =
                known.ok_or_else(|| Refusal::invalid(format!("ticket state `{asked}` is not known")))?;
            after.state = *state;
        }
        let effect = self.write_thread(now_ms, id, after);
        Ok((self.told(id), effect.into_iter().collect()))
    }

    pub(super) fn ticket_json(&self, id: u64, kept: &Kept<Thread>, thread: &Thread, whole: bool) -> Value {
        let state = STATES.iter().find(|(_, _, state)| *state == thread.state);
        let (number, category, _) = state.copied().unwrap_or(STATES[0]);
        let mut shown = json!({
            "type": "ticket",
            "id": id.to_string(),
            "ticket_id": (id % 1_000_000).to_string(),
            "category": "Customer",
            "ticket_attributes": thread.attributes,
            "ticket_state": {
                "type": "ticket_state", "id": number, "category": category, "internal_label": category,
                "external_label": category,
            },
            "ticket_type": kind(),
            "contacts": { "type": "contact.list", "contacts": self.thread_contacts(thread) },
            "admin_assignee_id": "0",
            "team_assignee_id": "0",
            "created_at": self.secs(kept.created_ms),
            "updated_at": self.secs(thread.updated_ms),
            "open": thread.state != State::Closed,
            "tags": { "type": "tag.list", "tags": self.thread_tags(thread) },
            "is_shared": true,
        });
        if whole {
            let parts = self.thread_parts(id, thread);
            shown["ticket_parts"] =
                json!({ "type": "ticket_part.list", "ticket_parts": parts, "total_count": parts.len() });
        }
        shown
    }
}
