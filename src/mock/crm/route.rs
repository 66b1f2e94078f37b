//! What a request asks of the CRM, by its method and path, and what that needs.
//!
//! Must not know: the CRM's state, bodies.

use super::scope::Scope;
use crate::{mock::answer::segments, wire::Request};

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Search,
    Create,
    List,
    Read(String),
    Update(String),
    Archive(String),
    Purge,
    Merge,
    Batch(Verb),
    SearchTasks,
    CreateTask,
    ReadTask(String),
    Definitions,
    Define,
    Definition(String),
    Associations(Ends, Link),
    WrongMethod(&'static str),
    Unknown,
}

/// What is done with each input of a batch of contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Read,
    Update,
    Upsert,
    Archive,
}

/// Which kinds of objects an association joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) from: Kind,
    pub(super) to: Kind,
}

/// A kind of object that this double keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Contact,
    Task,
    /// One of which it keeps none.
    Other,
}

impl Kind {
    /// By name or by HubSpot's number for it.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "contacts" | "contact" | "0-1" => Self::Contact,
            "tasks" | "task" | "0-27" => Self::Task,
            _ => Self::Other,
        }
    }
}

/// What is done with associations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// v4: from one object, all.
    List(String),
    /// v4: from one to another; `bare` takes no body.
    Put { from: String, to: String, bare: bool },
    /// v4.
    Remove { from: String, to: String },
    /// v3 and v4.
    BatchRead(Version),
    /// v3 and v4.
    BatchPut { version: Version, bare: bool },
    /// v3 and v4.
    BatchRemove(Version),
}

/// Which of HubSpot's two shapes of associations is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V4,
}

impl Route {
    pub(super) fn of(request: &Request) -> Self {
        let segments = segments(&request.path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        match segments.as_slice() {
            ["crm", "v3", "objects", "contacts" | "contact" | "0-1", rest @ ..] => Self::of_contacts(rest, method),
            ["crm", "v3", "objects", "tasks" | "task" | "0-27", rest @ ..] => Self::of_tasks(rest, method),
            ["crm", "v3", "properties", "contacts" | "contact" | "0-1", rest @ ..] => Self::of_properties(rest, method),
            ["crm", "v4", "objects", from, id, "associations", rest @ ..] => Self::of_links(from, id, rest, method),
            ["crm", "v3", "associations", from, to, "batch", rest @ ..] => {
                Self::of_batch_links(Version::V3, from, to, rest, method)
            }
            ["crm", "v4", "associations", from, to, "batch", rest @ ..] => {
                Self::of_batch_links(Version::V4, from, to, rest, method)
            }
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
            (["gdpr-delete"], "POST") => Self::Purge,
            (["search"], "POST") => Self::Search,
            (["batch", verb], method) => Self::of_batch(verb, method),
            ([], "POST") => Self::Create,
            ([], "GET") => Self::List,
            ([], _) => Self::WrongMethod("GET, POST"),
            (["search" | "merge" | "gdpr-delete"], _) => Self::WrongMethod("POST"),
            ([id], "GET") => Self::Read((*id).to_owned()),
            ([id], "PATCH") => Self::Update((*id).to_owned()),
            ([id], "DELETE") => Self::Archive((*id).to_owned()),
            ([_], _) => Self::WrongMethod("GET, PATCH, DELETE"),
            _ => Self::Unknown,
        }
    }

    fn of_batch(verb: &str, method: &str) -> Self {
        let verb = match verb {
            "create" => Verb::Create,
            "read" => Verb::Read,
            "update" => Verb::Update,
            "upsert" => Verb::Upsert,
            "archive" => Verb::Archive,
            _ => return Self::Unknown,
        };
        if method == "POST" { Self::Batch(verb) } else { Self::WrongMethod("POST") }
    }

    fn of_properties(rest: &[&str], method: &str) -> Self {
        match (rest, method) {
            ([], "GET") => Self::Definitions,
            ([], "POST") => Self::Define,
            ([], _) => Self::WrongMethod("GET, POST"),
            ([name], "GET") => Self::Definition((*name).to_owned()),
            ([_], _) => Self::WrongMethod("GET"),
            _ => Self::Unknown,
        }
    }

    fn of_links(from: &str, id: &str, rest: &[&str], method: &str) -> Self {
        let from_id = id.to_owned();
        let (to, link) = match (rest, method) {
            ([to], "GET") => (to, Link::List(from_id)),
            (["default", to, id], "PUT") => (to, Link::Put { from: from_id, to: (*id).to_owned(), bare: true }),
            ([to, id], "PUT") => (to, Link::Put { from: from_id, to: (*id).to_owned(), bare: false }),
            ([to, id], "DELETE") => (to, Link::Remove { from: from_id, to: (*id).to_owned() }),
            ([_] | ["default", _, _] | [_, _], _) => return Self::WrongMethod("GET, PUT, DELETE"),
            _ => return Self::Unknown,
        };
        Self::Associations(Ends { from: Kind::of(from), to: Kind::of(to) }, link)
    }

    fn of_batch_links(version: Version, from: &str, to: &str, rest: &[&str], method: &str) -> Self {
        let link = match rest {
            ["read"] => Link::BatchRead(version),
            ["create"] => Link::BatchPut { version, bare: false },
            ["associate", "default"] if version == Version::V4 => Link::BatchPut { version, bare: true },
            ["archive"] => Link::BatchRemove(version),
            _ => return Self::Unknown,
        };
        let ends = Ends { from: Kind::of(from), to: Kind::of(to) };
        if method == "POST" { Self::Associations(ends, link) } else { Self::WrongMethod("POST") }
    }

    /// Its name in the history.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Search => "search_contacts",
            Self::Create => "create_contact",
            Self::List => "list_contacts",
            Self::Read(_) => "get_contact",
            Self::Update(_) => "update_contact",
            Self::Archive(_) | Self::Purge => "delete_contact",
            Self::Merge => "merge_contacts",
            Self::Batch(Verb::Create) => "create_contacts",
            Self::Batch(Verb::Read) => "get_contacts",
            Self::Batch(Verb::Update) => "update_contacts",
            Self::Batch(Verb::Upsert) => "upsert_contacts",
            Self::Batch(Verb::Archive) => "delete_contacts",
            Self::SearchTasks => "search_tasks",
            Self::CreateTask => "create_task",
            Self::ReadTask(_) => "get_task",
            Self::Definitions => "list_properties",
            Self::Define => "create_property",
            Self::Definition(_) => "get_property",
            Self::Associations(_, Link::List(_) | Link::BatchRead(_)) => "list_associations",
            Self::Associations(_, Link::Put { .. } | Link::BatchPut { .. }) => "create_association",
            Self::Associations(_, Link::Remove { .. } | Link::BatchRemove(_)) => "delete_association",
            Self::WrongMethod(_) | Self::Unknown => "unknown",
        }
    }

    /// What the caller's token must be allowed to do.
    pub(super) fn scope(&self) -> Option<Scope> {
        match self {
            Self::Search
            | Self::List
            | Self::Read(_)
            | Self::Batch(Verb::Read)
            | Self::SearchTasks
            | Self::ReadTask(_)
            | Self::Associations(_, Link::List(_) | Link::BatchRead(_)) => Some(Scope::ContactsRead),
            Self::Create
            | Self::Update(_)
            | Self::Archive(_)
            | Self::Purge
            | Self::Merge
            | Self::Batch(Verb::Create | Verb::Update | Verb::Upsert | Verb::Archive)
            | Self::CreateTask
            | Self::Associations(
                _,
                Link::Put { .. } | Link::BatchPut { .. } | Link::Remove { .. } | Link::BatchRemove(_),
            ) => Some(Scope::ContactsWrite),
            Self::Definitions | Self::Definition(_) => Some(Scope::SchemasRead),
            Self::Define => Some(Scope::SchemasWrite),
            Self::WrongMethod(_) | Self::Unknown => None,
        }
    }

    /// Whether it asks a search index, which has a limit of its own.
    pub(super) fn is_search(&self) -> bool {
        matches!(self, Self::Search | Self::SearchTasks)
    }
}
