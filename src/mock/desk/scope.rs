//! What a token of the desk may do, by Zendesk's names for OAuth tokens.
//!
//! Must not know: the desk's state.

/// One scope of a Zendesk token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read and list tickets.
    TicketsRead,
    /// Open and change tickets.
    TicketsWrite,
    /// Read everything; the search needs it, since it finds more than tickets.
    Read,
    /// Read, list and search users.
    UsersRead,
    /// Make and change users.
    UsersWrite,
}

impl crate::mock::scopes::Scope for Scope {
    const ALL: &'static [Self] =
        &[Self::TicketsRead, Self::TicketsWrite, Self::Read, Self::UsersRead, Self::UsersWrite];

    fn name(self) -> &'static str {
        match self {
            Self::TicketsRead => "tickets:read",
            Self::TicketsWrite => "tickets:write",
            Self::Read => "read",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
        }
    }
}

/// A set of them.
pub type Scopes = crate::mock::scopes::Scopes<Scope>;

/// What the reference service's one token needs.
pub(super) fn of_the_service() -> Scopes {
    Scopes::of(&[Scope::TicketsRead, Scope::TicketsWrite])
}

/// Whether `scopes` allow what needs `scope`.
pub(super) fn allows(scopes: Scopes, scope: Scope) -> bool {
    let reads = matches!(scope, Scope::TicketsRead | Scope::UsersRead);
    scopes.allows(scope) || (reads && scopes.allows(Scope::Read))
}
