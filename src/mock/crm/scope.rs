//! What a token of the CRM may do. HubSpot counts tasks to the contacts that they stand beside (its tasks guide, "Scope
//! requirements").
//!
//! Must not know: the CRM's state.

/// One scope of a HubSpot token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read and search contacts and tasks.
    ContactsRead,
    /// Make, change and merge them.
    ContactsWrite,
    /// Read which properties contacts have.
    SchemasRead,
    /// Make further properties.
    SchemasWrite,
}

impl crate::mock::scopes::Scope for Scope {
    const ALL: &'static [Self] = &[Self::ContactsRead, Self::ContactsWrite, Self::SchemasRead, Self::SchemasWrite];

    fn name(self) -> &'static str {
        match self {
            Self::ContactsRead => "crm.objects.contacts.read",
            Self::ContactsWrite => "crm.objects.contacts.write",
            Self::SchemasRead => "crm.schemas.contacts.read",
            Self::SchemasWrite => "crm.schemas.contacts.write",
        }
    }
}

/// A set of them.
pub type Scopes = crate::mock::scopes::Scopes<Scope>;

/// What the reference service's one token needs.
pub(super) fn of_the_service() -> Scopes {
    Scopes::of(&[Scope::ContactsRead, Scope::ContactsWrite])
}
