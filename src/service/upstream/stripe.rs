//! Calls to Stripe's API that a person waits for: open a Checkout session, look at one, cancel.
//!
//! They are the only calls downstream that are made inside a request, for a person cannot be sent to a page that does not
//! exist yet. They carry an idempotency key or change nothing when repeated, so a second click does no harm.
//! Must not know: sockets, pages, the store.

use super::Transport;
use crate::wire::{Request, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The API version whose shapes are read.
const VERSION: &str = "2025-09-30.clover";

/// One question to Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Open a Checkout session.
    Open(Opening),
    /// Look at a Checkout session.
    Look {
        /// Its id.
        session: String,
    },
    /// Let a subscription end with its period.
    Cancel {
        /// Its id.
        subscription: String,
    },
}

/// What a Checkout session is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The app's user id.
    pub user: String,
    /// E-mail that the page begins with.
    pub email: String,
    /// Stripe customer, when there is one already: Checkout then makes no second.
    pub customer: Option<String>,
    /// What is bought.
    pub price: String,
    /// Sessions that this person opened before; the same number opens the same session.
    pub number: u64,
    /// Our own address, without a slash at the end.
    pub base: String,
}

/// Stripe's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A session: its id, where it is paid while it is open, and whether it was paid.
    Session {
        /// Its id.
        id: String,
        /// The hosted page, while it is open.
        url: Option<String>,
        /// Whether it is complete.
        complete: bool,
    },
    /// It is done.
    Done,
    /// There is no such thing, or it is over already.
    Gone,
}

impl Opening {
    /// The same for every repetition of one wish, another one for any other.
    fn key(&self) -> String {
        let number = self.number.to_string();
        let customer = self.customer.as_deref().unwrap_or_default();
        let parts = [&self.user, &self.email, customer, &self.price, &number, &self.base];
        format!("checkout-{}", hex::encode(Sha256::digest(parts.join("\n"))))
    }

    fn form(&self) -> Vec<(&'static str, String)> {
        let whose = match &self.customer {
            Some(customer) => ("customer", customer.clone()),
            None => ("customer_email", self.email.clone()),
        };
        vec![
            ("mode", "subscription".to_owned()),
            ("line_items[0][price]", self.price.clone()),
            ("line_items[0][quantity]", "1".to_owned()),
            whose,
            ("client_reference_id", self.user.clone()),
            ("metadata[user_id]", self.user.clone()),
            ("subscription_data[metadata][user_id]", self.user.clone()),
            ("success_url", format!("{}/checkout/success?session_id={{CHECKOUT_SESSION_ID}}", self.base)),
            ("cancel_url", format!("{}/?canceled=1", self.base)),
        ]
    }
}

/// The question as an HTTP request, relative to the API's base URL.
pub fn request(ask: &Ask, key: &str) -> Request {
    let (method, path, form, idempotency) = match ask {
        Ask::Open(opening) => ("POST", "/v1/checkout/sessions".to_owned(), opening.form(), Some(opening.key())),
        Ask::Look { session } => ("GET", format!("/v1/checkout/sessions/{session}"), vec![], None),
        Ask::Cancel { subscription } => {
            let form = vec![("cancel_at_period_end", "true".to_owned())];
            ("POST", format!("/v1/subscriptions/{subscription}"), form, None)
        }
    };
    let mut headers =
        vec![("authorization".to_owned(), format!("Bearer {key}")), ("stripe-version".to_owned(), VERSION.to_owned())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    if method == "POST" {
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    }
    headers.extend(idempotency.map(|key| ("idempotency-key".to_owned(), key)));
    Request { method: method.to_owned(), path, query: vec![], headers, body: body.into_bytes() }
}

/// What an answer means; an error says why there is none, without anything from its body.
///
/// # Errors
/// Words for the operator's log.
pub fn read(ask: &Ask, answer: Result<&Response, Transport>) -> Result<Answer, String> {
    let response = match answer {
        Ok(response) => response,
        Err(Transport::TimedOut) => return Err("no answer in time".to_owned()),
        Err(Transport::Broken) => return Err("the connection broke".to_owned()),
    };
    match (response.status, ask) {
        (200..=299, Ask::Cancel { .. }) => Ok(Answer::Done),
        (200..=299, Ask::Open(_) | Ask::Look { .. }) => {
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            let id = body["id"].as_str().filter(|id| is_id(id));
            let id = id.ok_or_else(|| format!("{} with a body that does not read", response.status))?.to_owned();
            let url = body["url"].as_str().map(str::to_owned);
            Ok(Answer::Session { id, url, complete: body["status"] == "complete" })
        }
        (400 | 404, Ask::Look { .. } | Ask::Cancel { .. }) => Ok(Answer::Gone),
        (status, _) => Err(status.to_string()),
    }
}

/// Whether a text may be an id of Stripe's, and so stand in a path or a link.
pub fn is_id(text: &str) -> bool {
    (4..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn opening() -> Opening {
        Opening {
            user: "ada".into(),
            email: "ada+x@example.com".into(),
            customer: None,
            price: "price_1".into(),
            number: 0,
            base: "http://127.0.0.1:1".into(),
        }
    }

    #[test]
    fn one_wish_has_one_key() {
        let key = |opening: Opening| request(&Ask::Open(opening), "rk").header("idempotency-key").map(str::to_owned);
        assert_eq!(key(opening()), key(opening()));
        assert_ne!(key(opening()), key(Opening { number: 1, ..opening() }));
        assert_ne!(key(opening()), key(Opening { email: "b@example.com".into(), ..opening() }));
        let sent = String::from_utf8(request(&Ask::Open(opening()), "rk").body).expect("text");
        assert!(
            sent.contains("customer_email=ada%2Bx%40example.com") && sent.contains("%7BCHECKOUT_SESSION_ID%7D"),
            "{sent}"
        );
        let known = Opening { customer: Some("cus_1".into()), ..opening() };
        assert!(!String::from_utf8(request(&Ask::Open(known), "rk").body).expect("text").contains("customer_email"));
    }

    #[test]
    fn answers_are_read_and_nothing_of_a_refusal_is_told() {
        let answer = |status, body: &Value| read(&Ask::Open(opening()), Ok(&Response::json(status, body)));
        let open = json!({"id": "cs_1", "url": "http://x", "status": "open"});
        let session = Answer::Session { id: "cs_1".into(), url: Some("http://x".into()), complete: false };
        assert_eq!(answer(200, &open), Ok(session));
        assert!(answer(200, &json!({"id": "../x"})).is_err());
        assert_eq!(answer(402, &json!({"error": {"message": "secret words"}})), Err("402".into()));
        let look = Ask::Look { session: "cs_1".into() };
        assert_eq!(read(&look, Ok(&Response::json(404, &json!({})))), Ok(Answer::Gone));
        assert!(read(&look, Err(Transport::TimedOut)).is_err());
    }
}
