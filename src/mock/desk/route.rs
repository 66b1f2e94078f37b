//! What a request asks of the desk, by its method and path, and what that needs.
//!
//! Must not know: the desk's state, bodies.

use super::scope::Scope;
use crate::{mock::answer::segments, wire::Request};

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Create,
    CreateMany,
    List,
    ListOf(String),
    Count,
    ShowMany,
    Read(String),
    Update(String),
    UpdateMany,
    Delete(String),
    Comments(String),
    Tags(String),
    ChangeTags(String, TagChange),
    Search,
    SearchCount,
    Job(String),
    Jobs,
    Users(Users),
    Unknown,
}

/// What is done with the tags of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagChange {
    Set,
    Add,
    Remove,
}

/// What is done with users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Users {
    Create,
    CreateOrUpdate,
    List,
    ShowMany,
    Me,
    Read(String),
    Update(String),
    Search,
}

impl Route {
    pub(super) fn of(request: &Request) -> Self {
        let mut segments = segments(&request.path);
        if let Some(plain) = segments.last().and_then(|last| last.strip_suffix(".json")).map(str::to_owned) {
            segments.pop();
            segments.push(plain);
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        match segments.as_slice() {
            ["api", "v2", "tickets", rest @ ..] => Self::of_tickets(rest, method),
            ["api", "v2", "users", rest @ ..] => Self::of_users(rest, method),
            ["api", "v2", "search"] | ["api", "v2", "search", "export"] if method == "GET" => Self::Search,
            ["api", "v2", "search", "count"] if method == "GET" => Self::SearchCount,
            ["api", "v2", "job_statuses"] | ["api", "v2", "job_statuses", "show_many"] if method == "GET" => Self::Jobs,
            ["api", "v2", "job_statuses", id] if method == "GET" => Self::Job((*id).to_owned()),
            _ => Self::Unknown,
        }
    }

    fn of_tickets(rest: &[&str], method: &str) -> Self {
        let own = |id: &str| id.to_owned();
        match (rest, method) {
            ([], "POST") => Self::Create,
            ([], "GET") => Self::List,
            (["create_many"], "POST") => Self::CreateMany,
            (["update_many"], "PUT") => Self::UpdateMany,
            (["show_many"], "GET") => Self::ShowMany,
            (["count"], "GET") => Self::Count,
            ([id], "GET") => Self::Read(own(id)),
            ([id], "PUT") => Self::Update(own(id)),
            ([id], "DELETE") => Self::Delete(own(id)),
            ([id, "comments"], "GET") => Self::Comments(own(id)),
            ([id, "tags"], "GET") => Self::Tags(own(id)),
            ([id, "tags"], "POST") => Self::ChangeTags(own(id), TagChange::Set),
            ([id, "tags"], "PUT") => Self::ChangeTags(own(id), TagChange::Add),
            ([id, "tags"], "DELETE") => Self::ChangeTags(own(id), TagChange::Remove),
            _ => Self::Unknown,
        }
    }

    fn of_users(rest: &[&str], method: &str) -> Self {
        Self::Users(match (rest, method) {
            ([], "POST") => Users::Create,
            ([], "GET") => Users::List,
            (["create_or_update"], "POST") => Users::CreateOrUpdate,
            (["show_many"], "GET") => Users::ShowMany,
            (["search"], "GET") => Users::Search,
            (["me"], "GET") => Users::Me,
            ([id], "GET") => Users::Read((*id).to_owned()),
            ([id], "PUT") => Users::Update((*id).to_owned()),
            ([id, "tickets", "requested"], "GET") => return Self::ListOf((*id).to_owned()),
            _ => return Self::Unknown,
        })
    }

    /// Its name in the history.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Create => "create_ticket",
            Self::CreateMany => "create_tickets",
            Self::List | Self::ListOf(_) | Self::Count => "list_tickets",
            Self::ShowMany => "get_tickets",
            Self::Read(_) => "get_ticket",
            Self::Update(_) => "update_ticket",
            Self::UpdateMany => "update_tickets",
            Self::Delete(_) => "delete_ticket",
            Self::Comments(_) => "list_comments",
            Self::Tags(_) | Self::ChangeTags(..) => "update_tags",
            Self::Search | Self::SearchCount => "search_tickets",
            Self::Job(_) | Self::Jobs => "get_job",
            Self::Users(Users::Create | Users::CreateOrUpdate) => "create_user",
            Self::Users(Users::List | Users::ShowMany) => "list_users",
            Self::Users(Users::Me | Users::Read(_)) => "get_user",
            Self::Users(Users::Update(_)) => "update_user",
            Self::Users(Users::Search) => "search_users",
            Self::Unknown => "unknown",
        }
    }

    /// What the caller's token must be allowed to do.
    pub(super) fn scope(&self) -> Option<Scope> {
        match self {
            Self::List
            | Self::ListOf(_)
            | Self::Count
            | Self::ShowMany
            | Self::Read(_)
            | Self::Comments(_)
            | Self::Tags(_)
            | Self::Job(_)
            | Self::Jobs => Some(Scope::TicketsRead),
            Self::Create
            | Self::CreateMany
            | Self::Update(_)
            | Self::UpdateMany
            | Self::Delete(_)
            | Self::ChangeTags(..) => Some(Scope::TicketsWrite),
            Self::Search | Self::SearchCount => Some(Scope::Read),
            Self::Users(Users::List | Users::ShowMany | Users::Me | Users::Read(_) | Users::Search) => {
                Some(Scope::UsersRead)
            }
            Self::Users(Users::Create | Users::CreateOrUpdate | Users::Update(_)) => Some(Scope::UsersWrite),
            Self::Unknown => None,
        }
    }
}
