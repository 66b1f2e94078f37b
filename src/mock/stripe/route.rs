//! Which call a request is: its name in a history, and what a key needs for it.
//!
//! Must not know: the double's state.

use super::{keys::Scope, kinds::Kind, segments};
use crate::wire::Request;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Read(Kind, String),
    List(Kind),
    Search(Kind),
    /// Lines of an invoice.
    Lines(String),
    /// What a Checkout session sells.
    SessionItems(String),
    /// Payment methods, subscriptions of a customer.
    OfCustomer(Kind, String),
    CreateCustomer,
    UpdateCustomer(String),
    DeleteCustomer(String),
    CreateSession,
    ExpireSession(String),
    UpdateSubscription(String),
    CancelSubscription(String),
    CreateRefund,
    PayInvoice(String),
    VoidInvoice(String),
    /// Metadata and description of an object.
    Amend(Kind, String),
    OpenPortal,
    ListEvents,
    GetEvent(String),
    /// The hosted page.
    Hosted(String),
    Unknown,
}

impl Route {
    pub(super) fn of(request: &Request) -> Self {
        let segments = segments(&request.path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let own = |id: &&str| (*id).to_owned();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["v1", "customers"]) => Self::CreateCustomer,
            ("POST", ["v1", "customers", id]) => Self::UpdateCustomer(own(id)),
            ("DELETE", ["v1", "customers", id]) => Self::DeleteCustomer(own(id)),
            ("GET", ["v1", "customers", id, "payment_methods"]) => Self::OfCustomer(Kind::PaymentMethod, own(id)),
            ("GET", ["v1", "customers", id, "subscriptions"]) => Self::OfCustomer(Kind::Subscription, own(id)),
            ("POST", ["v1", "checkout", "sessions"]) => Self::CreateSession,
            ("POST", ["v1", "checkout", "sessions", id, "expire"]) => Self::ExpireSession(own(id)),
            ("GET", ["v1", "checkout", "sessions", id, "line_items"]) => Self::SessionItems(own(id)),
            ("POST", ["v1", "subscriptions", id]) => Self::UpdateSubscription(own(id)),
            ("DELETE", ["v1", "subscriptions", id]) => Self::CancelSubscription(own(id)),
            ("POST", ["v1", "refunds"]) => Self::CreateRefund,
            ("GET", ["v1", "invoices", id, "lines"]) => Self::Lines(own(id)),
            ("POST", ["v1", "invoices", id, "pay"]) => Self::PayInvoice(own(id)),
            ("POST", ["v1", "invoices", id, "void"]) => Self::VoidInvoice(own(id)),
            ("POST", ["v1", "invoices", id]) => Self::Amend(Kind::Invoice, own(id)),
            ("POST", ["v1", "charges", id]) => Self::Amend(Kind::Charge, own(id)),
            ("POST", ["v1", "payment_intents", id]) => Self::Amend(Kind::PaymentIntent, own(id)),
            ("POST", ["v1", "billing_portal", "sessions"]) => Self::OpenPortal,
            ("GET" | "POST", ["c", "pay", id]) => Self::Hosted(own(id)),
            ("GET", ["v1", "events"]) => Self::ListEvents,
            ("GET", ["v1", "events", id]) => Self::GetEvent(own(id)),
            ("GET", ["v1", rest @ ..]) => Self::of_kind(rest).unwrap_or(Self::Unknown),
            _ => Self::Unknown,
        }
    }

    /// What each kind has alike.
    fn of_kind(path: &[&str]) -> Option<Self> {
        let has = |kind: &Kind, place: usize| !kind.row().operations[place].is_empty();
        if let Some(kind) = Kind::of_path(&path.join("/")) {
            return has(&kind, 1).then_some(Self::List(kind));
        }
        let (id, path) = path.split_last()?;
        let kind = Kind::of_path(&path.join("/"))?;
        match *id {
            "search" => has(&kind, 2).then_some(Self::Search(kind)),
            "" => None,
            id => Some(Self::Read(kind, id.to_owned())),
        }
    }

    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Read(kind, _) => kind.row().operations[0],
            Self::List(kind) | Self::OfCustomer(kind, _) => kind.row().operations[1],
            Self::Search(kind) => kind.row().operations[2],
            Self::Lines(_) => "list_invoice_lines",
            Self::SessionItems(_) => "list_session_items",
            Self::CreateCustomer => "create_customer",
            Self::UpdateCustomer(_) => "update_customer",
            Self::DeleteCustomer(_) => "delete_customer",
            Self::CreateSession => "create_session",
            Self::ExpireSession(_) => "expire_session",
            Self::UpdateSubscription(_) => "update_subscription",
            Self::CancelSubscription(_) => "cancel_subscription",
            Self::CreateRefund => "create_refund",
            Self::PayInvoice(_) => "pay_invoice",
            Self::VoidInvoice(_) => "void_invoice",
            Self::Amend(Kind::Charge, _) => "update_charge",
            Self::Amend(Kind::PaymentIntent, _) => "update_payment_intent",
            Self::Amend(..) => "update_invoice",
            Self::OpenPortal => "create_portal_session",
            Self::Hosted(_) => "hosted_page",
            Self::ListEvents => "list_events",
            Self::GetEvent(_) => "get_event",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn scope(&self) -> Option<Scope> {
        match self {
            Self::Read(kind, _) | Self::List(kind) | Self::Search(kind) | Self::OfCustomer(kind, _) => {
                Some(kind.row().scope)
            }
            Self::Lines(_) => Some(Scope::InvoiceRead),
            Self::SessionItems(_) => Some(Scope::CheckoutSessionRead),
            Self::CreateCustomer | Self::UpdateCustomer(_) | Self::DeleteCustomer(_) => Some(Scope::CustomerWrite),
            Self::CreateSession | Self::ExpireSession(_) => Some(Scope::CheckoutSessionWrite),
            Self::UpdateSubscription(_) | Self::CancelSubscription(_) => Some(Scope::SubscriptionWrite),
            Self::CreateRefund | Self::Amend(Kind::Charge, _) => Some(Scope::ChargeWrite),
            Self::Amend(Kind::PaymentIntent, _) => Some(Scope::PaymentIntentWrite),
            Self::PayInvoice(_) | Self::VoidInvoice(_) | Self::Amend(..) => Some(Scope::InvoiceWrite),
            Self::OpenPortal => Some(Scope::PortalWrite),
            Self::ListEvents | Self::GetEvent(_) => Some(Scope::EventRead),
            Self::Hosted(_) | Self::Unknown => None,
        }
    }

    /// Whether it is about something that older versions do not have.
    pub(super) const fn is_about_invoice_payments(&self) -> bool {
        matches!(self, Self::Read(Kind::InvoicePayment, _) | Self::List(Kind::InvoicePayment))
    }

    /// Whether the call leaves everything as it is.
    pub(super) const fn reads(&self) -> bool {
        matches!(
            self,
            Self::Read(..)
                | Self::List(_)
                | Self::Search(_)
                | Self::Lines(_)
                | Self::SessionItems(_)
                | Self::OfCustomer(..)
                | Self::ListEvents
                | Self::GetEvent(_)
        )
    }
}
