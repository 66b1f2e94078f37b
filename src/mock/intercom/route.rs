//! What a request asks of the workspace, by its method and path.
//!
//! Must not know: the workspace's state, bodies.

use crate::{mock::answer::segments, wire::Request};

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Contacts(Contacts),
    Conversations(Conversations),
    Tickets(Tickets),
    Tags,
    MakeTag,
    Me,
    Admins,
    TicketTypes,
    Unknown,
}

/// The two halves of a workspace that an app may treat as its CRM and as its support desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Contacts and tags.
    Contacts,
    /// Conversations and tickets.
    Support,
}

/// Of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Contacts {
    Create,
    List,
    Search,
    Merge,
    ByExternalId(String),
    Read(String),
    Update(String),
    Delete(String),
    Archive(String),
    Unarchive(String),
    Tags(String),
    Tag(String),
    Untag { contact: String, tag: String },
}

/// Of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conversations {
    Create,
    List,
    Search,
    Read(String),
    Update(String),
    Delete(String),
    Reply(String),
    Manage(String),
    Tag(String),
    Untag { thread: String, tag: String },
}

/// Of tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tickets {
    Create,
    Search,
    Read(String),
    Update(String),
    Delete(String),
    Reply(String),
    Tag(String),
    Untag { thread: String, tag: String },
}

impl Route {
    pub(super) fn of(request: &Request) -> Self {
        let segments = segments(&request.path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        match (segments.as_slice(), method) {
            (["contacts", rest @ ..], _) => of_contacts(rest, method).map_or(Self::Unknown, Self::Contacts),
            (["conversations", rest @ ..], _) => {
                of_conversations(rest, method).map_or(Self::Unknown, Self::Conversations)
            }
            (["tickets", rest @ ..], _) => of_tickets(rest, method).map_or(Self::Unknown, Self::Tickets),
            (["tags"], "GET") => Self::Tags,
            (["tags"], "POST") => Self::MakeTag,
            (["me"], "GET") => Self::Me,
            (["admins"], "GET") => Self::Admins,
            (["ticket_types"], "GET") => Self::TicketTypes,
            _ => Self::Unknown,
        }
    }

    /// Its name in the history: the words of the other doubles where they do the same.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Contacts(route) => match route {
                Contacts::Create => "create_contact",
                Contacts::List => "list_contacts",
                Contacts::Search => "search_contacts",
                Contacts::Merge => "merge_contacts",
                Contacts::ByExternalId(_) | Contacts::Read(_) => "get_contact",
                Contacts::Update(_) | Contacts::Unarchive(_) => "update_contact",
                Contacts::Delete(_) | Contacts::Archive(_) => "delete_contact",
                Contacts::Tags(_) => "list_tags",
                Contacts::Tag(_) | Contacts::Untag { .. } => "tag_contact",
            },
            Self::Conversations(route) => match route {
                Conversations::Create => "create_ticket",
                Conversations::List => "list_tickets",
                Conversations::Search => "search_tickets",
                Conversations::Read(_) => "get_ticket",
                Conversations::Update(_) | Conversations::Reply(_) | Conversations::Manage(_) => "update_ticket",
                Conversations::Delete(_) => "delete_ticket",
                Conversations::Tag(_) | Conversations::Untag { .. } => "update_tags",
            },
            Self::Tickets(route) => match route {
                Tickets::Create => "create_ticket",
                Tickets::Search => "search_tickets",
                Tickets::Read(_) => "get_ticket",
                Tickets::Update(_) | Tickets::Reply(_) => "update_ticket",
                Tickets::Delete(_) => "delete_ticket",
                Tickets::Tag(_) | Tickets::Untag { .. } => "update_tags",
            },
            Self::Tags => "list_tags",
            Self::MakeTag => "create_tag",
            Self::Me => "get_user",
            Self::Admins => "list_users",
            Self::TicketTypes | Self::Unknown => "unknown",
        }
    }

    pub(super) fn part(&self) -> Part {
        match self {
            Self::Contacts(_) | Self::Tags | Self::MakeTag | Self::Unknown => Part::Contacts,
            Self::Conversations(_) | Self::Tickets(_) | Self::Me | Self::Admins | Self::TicketTypes => Part::Support,
        }
    }
}

fn of_contacts(rest: &[&str], method: &str) -> Option<Contacts> {
    let own = |id: &str| id.to_owned();
    Some(match (rest, method) {
        ([], "POST") => Contacts::Create,
        ([], "GET") => Contacts::List,
        (["search"], "POST") => Contacts::Search,
        (["merge"], "POST") => Contacts::Merge,
        (["find_by_external_id", id], "GET") => Contacts::ByExternalId(own(id)),
        ([id], "GET") => Contacts::Read(own(id)),
        ([id], "PUT") => Contacts::Update(own(id)),
        ([id], "DELETE") => Contacts::Delete(own(id)),
        ([id, "archive"], "POST") => Contacts::Archive(own(id)),
        ([id, "unarchive"], "POST") => Contacts::Unarchive(own(id)),
        ([id, "tags"], "GET") => Contacts::Tags(own(id)),
        ([id, "tags"], "POST") => Contacts::Tag(own(id)),
        ([id, "tags", tag], "DELETE") => Contacts::Untag { contact: own(id), tag: own(tag) },
        _ => return None,
    })
}

fn of_conversations(rest: &[&str], method: &str) -> Option<Conversations> {
    let own = |id: &str| id.to_owned();
    Some(match (rest, method) {
        ([], "POST") => Conversations::Create,
        ([], "GET") => Conversations::List,
        (["search"], "POST") => Conversations::Search,
        ([id], "GET") => Conversations::Read(own(id)),
        ([id], "PUT") => Conversations::Update(own(id)),
        ([id], "DELETE") => Conversations::Delete(own(id)),
        ([id, "reply"], "POST") => Conversations::Reply(own(id)),
        ([id, "parts"], "POST") => Conversations::Manage(own(id)),
        ([id, "tags"], "POST") => Conversations::Tag(own(id)),
        ([id, "tags", tag], "DELETE") => Conversations::Untag { thread: own(id), tag: own(tag) },
        _ => return None,
    })
}

fn of_tickets(rest: &[&str], method: &str) -> Option<Tickets> {
    let own = |id: &str| id.to_owned();
    Some(match (rest, method) {
        ([], "POST") => Tickets::Create,
        (["search"], "POST") => Tickets::Search,
        ([id], "GET") => Tickets::Read(own(id)),
        ([id], "PUT") => Tickets::Update(own(id)),
        ([id], "DELETE") => Tickets::Delete(own(id)),
        ([id, "reply"], "POST") => Tickets::Reply(own(id)),
        ([id, "tags"], "POST") => Tickets::Tag(own(id)),
        ([id, "tags", tag], "DELETE") => Tickets::Untag { thread: own(id), tag: own(tag) },
        _ => return None,
    })
}
