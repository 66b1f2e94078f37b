//! What a project file says of the doubles that an app calls: which API they speak, and how strict they are.
//!
//! Must not know: sockets, files, how a dialect works.

use std::collections::BTreeSet;

/// Which API the double of the CRM and that of the support desk speak, and what their accounts allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialects {
    /// The CRM's double.
    pub crm: Account,
    /// The support desk's double.
    pub support: Account,
    /// Own properties of contacts; see [`super::crm::CrmOptions::properties`].
    pub properties: Option<BTreeSet<String>>,
    /// See [`super::crm::CrmOptions::unique_properties`].
    pub unique_properties: BTreeSet<String>,
}

/// What one double's account is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Whose API it speaks.
    pub speaks: Speaks,
    /// Calls that it allows in the vendor's own window; no limit when absent.
    pub rate_limit: Option<u32>,
}

/// Whose API a double speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// HubSpot's for the CRM, Zendesk's for the support desk.
    #[default]
    Usual,
    /// Intercom's. Where both doubles speak it they are one workspace, reached at two addresses.
    Intercom,
}
