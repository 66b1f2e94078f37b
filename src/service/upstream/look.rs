//! Calls that only read, for reconciliation and for the comparison of what the peers hold: Stripe's events and
//! subscriptions, contacts of the CRM, tickets of the desk.
//!
//! Must not know: sockets, jobs, clocks, what follows from what was read.

use super::{Fields, Parts, Upstream, id_text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use std::sync::Arc;

/// Most entries of a page that Stripe gives (Stripe's API reference, "Pagination").
const EVENTS_ON_PAGE: u32 = 100;

/// Most subscriptions of one customer that are compared; nobody has more.
const MOST_SUBSCRIPTIONS: u32 = 100;

/// Most contacts that one search lists: more than that of one person are not one disagreement but a broken import.
const MOST_CONTACTS: u32 = 20;

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// A page of Stripe's events, newest first.
    Events {
        /// The event after which (in the list, so: older than which) the page begins.
        after: Option<String>,
    },
    /// All subscriptions of a Stripe customer, the ended ones too.
    Subscriptions {
        /// Stripe customer id.
        customer: String,
    },
    /// All contacts with this e-mail or one of these Stripe customers. The index behind it lags.
    Contacts {
        /// E-mail in lower case.
        email: String,
        /// Stripe customer ids.
        customers: Vec<String>,
    },
    /// All tickets with this key; this listing does not lag.
    Tickets {
        /// Our key.
        external_id: String,
    },
}

/// What was there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A page of Stripe's events.
    #[serde(skip)]
    Events(EventPage),
    /// Subscriptions of one customer; `None` when Stripe does not know the customer.
    Subscriptions(Option<Vec<SubscriptionSeen>>),
    /// Contacts.
    Contacts(Vec<ContactSeen>),
    /// Tickets.
    Tickets(Vec<TicketSeen>),
}

/// A page of `GET /v1/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventPage {
    /// Newest first.
    pub events: Vec<Listed>,
    /// Entries that are no events, or have no id.
    pub malformed: u64,
    /// Whether older ones follow.
    pub more: bool,
}

/// One event of a page. Its body is read only when it is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// `evt_…`
    pub id: String,
    /// Unix seconds.
    pub created: i64,
    /// The event as it stands in the list.
    pub body: Arc<str>,
}

/// A subscription as Stripe has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SubscriptionSeen {
    /// `sub_…`
    pub id: String,
    /// Stripe's status.
    pub status: String,
}

/// A ticket as the desk has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TicketSeen {
    /// The desk's id.
    pub id: String,
    /// Since when it is solved, in the desk's words: its last change. Zendesk has the very moment in another list only.
    pub solved_at: Option<String>,
}

/// A contact as the CRM has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContactSeen {
    /// The CRM's id.
    pub id: String,
    /// Its properties among those that are ours, and its e-mail.
    pub properties: Fields,
}

impl Look {
    /// Which peer is asked.
    pub const fn upstream(&self) -> Upstream {
        match self {
            Self::Events { .. } | Self::Subscriptions { .. } => Upstream::Stripe,
            Self::Contacts { .. } => Upstream::Crm,
            Self::Tickets { .. } => Upstream::Desk,
        }
    }
}

/// The call as HTTP.
pub(super) fn parts(look: &Look) -> Parts {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match look {
        Look::Events { after } => {
            let mut query = vec![pair("limit", &EVENTS_ON_PAGE.to_string())];
            query.extend(after.as_deref().map(|after| pair("starting_after", after)));
            ("GET", "/v1/events".to_owned(), query, None)
        }
        Look::Subscriptions { customer } => {
            let limit = MOST_SUBSCRIPTIONS.to_string();
            let query = vec![pair("customer", customer), pair("status", "all"), pair("limit", &limit)];
            ("GET", "/v1/subscriptions".to_owned(), query, None)
        }
        Look::Contacts { email, customers } => {
            let mut body = super::crm::search(email, customers);
            body["limit"] = json!(MOST_CONTACTS);
            body["properties"] = json!([
                "email",
                "stripe_customer_id",
                "app_user_id",
                "subscription_status",
                "plan",
                "access",
                "last_paid_date"
            ]);
            ("POST", "/crm/v3/objects/contacts/search".to_owned(), vec![], Some(body))
        }
        Look::Tickets { external_id } => {
            ("GET", "/api/v2/tickets.json".to_owned(), vec![pair("external_id", external_id)], None)
        }
    }
}

/// What a 2xx means; `None` when the body is not what was asked for.
pub(super) fn success(look: &Look, body: &[u8]) -> Option<Seen> {
    if let Look::Events { .. } = look {
        return events(body).map(Seen::Events);
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    match look {
        Look::Events { .. } => None,
        Look::Subscriptions { .. } => {
            let seen = |entry: &Value| {
                let text = |name: &str| entry[name].as_str().map(str::to_owned);
                Some(SubscriptionSeen { id: text("id")?, status: text("status")? })
            };
            let all: Option<Vec<_>> = body["data"].as_array()?.iter().map(seen).collect();
            all.map(|all| Seen::Subscriptions(Some(all)))
        }
        Look::Contacts { .. } => {
            let all: Option<Vec<_>> = body["results"].as_array()?.iter().map(contact).collect();
            all.map(Seen::Contacts)
        }
        Look::Tickets { .. } => {
            let all: Option<Vec<_>> = body["tickets"].as_array()?.iter().map(ticket).collect();
            all.map(Seen::Tickets)
        }
    }
}

/// What Stripe answers of a customer that it does not have.
pub(super) fn missing(look: &Look) -> Option<Seen> {
    match look {
        Look::Subscriptions { .. } => Some(Seen::Subscriptions(None)),
        Look::Events { .. } | Look::Contacts { .. } | Look::Tickets { .. } => None,
    }
}

fn ticket(entry: &Value) -> Option<TicketSeen> {
    let is_solved = matches!(entry["status"].as_str(), Some("solved" | "closed"));
    let solved_at = entry["updated_at"].as_str().filter(|_| is_solved).map(str::to_owned);
    Some(TicketSeen { id: id_text(&entry["id"])?, solved_at })
}

fn contact(entry: &Value) -> Option<ContactSeen> {
    let text = |(name, value): (&String, &Value)| value.as_str().map(|text| (name.clone(), text.to_owned()));
    let properties = entry["properties"].as_object()?.iter().filter_map(text).collect();
    Some(ContactSeen { id: id_text(&entry["id"])?, properties })
}

#[derive(Deserialize)]
struct List<'b> {
    #[serde(borrow)]
    data: Vec<&'b RawValue>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    created: i64,
}

fn events(body: &[u8]) -> Option<EventPage> {
    let list: List<'_> = serde_json::from_slice(body).ok()?;
    let mut page = EventPage { more: list.has_more, ..EventPage::default() };
    for entry in list.data {
        match serde_json::from_str::<Head>(entry.get()) {
            Ok(Head { id, created }) => page.events.push(Listed { id, created, body: entry.get().into() }),
            Err(_) => page.malformed += 1,
        }
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_each_body_and_counts_what_is_no_event() {
        let body = r#"{"object": "list", "has_more": true, "data": [
            {"id": "evt_2",  "created": 20, "odd": [1]}, 7, {"id": "evt_x"}, {"id": "evt_1", "created": 10}]}"#;
        let Some(Seen::Events(page)) = success(&Look::Events { after: None }, body.as_bytes()) else {
            panic!("a page");
        };
        let ids: Vec<_> = page.events.iter().map(|listed| (listed.id.as_str(), listed.created)).collect();
        assert_eq!((ids, page.malformed, page.more), (vec![("evt_2", 20), ("evt_1", 10)], 2, true));
        assert_eq!(&*page.events[0].body, r#"{"id": "evt_2",  "created": 20, "odd": [1]}"#);
        assert_eq!(success(&Look::Events { after: None }, b"{}"), None);
    }

    #[test]
    fn pages_go_on_after_an_event() {
        let (method, path, query, _) = parts(&Look::Events { after: Some("evt_9".into()) });
        assert_eq!((method, path.as_str()), ("GET", "/v1/events"));
        assert_eq!(query, [("limit".into(), "100".into()), ("starting_after".into(), "evt_9".into())]);
    }

    #[test]
    fn contacts_and_subscriptions_are_read_whole_or_not_at_all() {
        let contacts = Look::Contacts { email: "a@x".into(), customers: vec![] };
        let body = br#"{"results": [{"id": "7", "properties": {"plan": "pro", "owner": null}}]}"#;
        let properties = Fields::from([("plan".to_owned(), "pro".to_owned())]);
        assert_eq!(success(&contacts, body), Some(Seen::Contacts(vec![ContactSeen { id: "7".into(), properties }])));
        let subscriptions = Look::Subscriptions { customer: "cus_1".into() };
        assert_eq!(success(&subscriptions, br#"{"data": [{"id": "sub_1"}]}"#), None);
        assert_eq!(missing(&subscriptions), Some(Seen::Subscriptions(None)));
    }
}
