//! From the first page to Checkout and back.
//!
//! Stripe is asked inside the request here: the person cannot be sent to a payment page that does not exist yet. The call
//! has a time-out and an idempotency key that is the same for every repetition, so a double click opens one session.
//! Must not know: how anything is decided.

use super::{
    SignUp,
    browser::{Browser, cookie, is_checkout, is_own_form, own_url, page, visitor},
    trouble_page,
};
use crate::service::{
    pages::{self, Typed},
    person::{self, Start},
    server::App,
    session::Seal,
    upstream::stripe::{Answer, Ask, Opening},
};
use axum::{
    extract::{
        Form, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Arrival {
    #[serde(default)]
    canceled: Option<String>,
}

pub(super) async fn home(
    State(app): State<App>,
    headers: HeaderMap,
    arrival: Result<Query<Arrival>, QueryRejection>,
) -> Response {
    let canceled = arrival.is_ok_and(|Query(arrival)| arrival.canceled.is_some());
    form(&app, &headers, &Typed { canceled, ..Typed::default() }, StatusCode::OK)
}

fn form(app: &App, headers: &HeaderMap, typed: &Typed<'_>, status: StatusCode) -> Response {
    let (visitor, new) = visitor(app, &Browser::of(app, headers));
    let token = app.sealer.token(&visitor);
    let mut response = page(app, pages::sign_up(&Typed { token: &token, ..*typed }));
    *response.status_mut() = status;
    response.headers_mut().extend(new.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    user: String,
    email: String,
    token: String,
}

/// Where a person who signs up goes.
enum Way {
    To(String),
    Taken,
    Outage(String),
}

// Costs a call to Stripe: the place for a rate limit by address is the route of this handler.
pub(super) async fn sign_up(
    State(app): State<App>,
    headers: HeaderMap,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    let browser = Browser::of(&app, &headers);
    let Ok(Form(filled)) = filled else { return refused(&app, StatusCode::BAD_REQUEST) };
    let whom = browser.visitor.clone().filter(|visitor| app.sealer.is_token(visitor, &filled.token));
    let Some(visitor) = whom.filter(|_| is_own_form(&headers)) else { return refused(&app, StatusCode::FORBIDDEN) };
    let signing = SignUp { user: filled.user.trim().to_owned(), email: filled.email.trim().to_owned() };
    let typed = |field, words| Typed {
        user: &signing.user,
        email: &signing.email,
        wrong: Some((field, words)),
        ..Typed::default()
    };
    if let Some((field, words)) = signing.wrong() {
        return form(&app, &headers, &typed(field, words), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let proven = browser.person.as_deref() == Some(signing.user.as_str());
    match way(&app, &headers, &signing, visitor, proven).await {
        Ok(Way::To(url)) => {
            let mut response = to(&url);
            let known = cookie(&app, Seal::Person, &signing.user);
            response.headers_mut().extend(known.map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Ok(Way::Taken) => {
            let words = "This user name is taken. If it is yours, go on in the browser in which you signed up.";
            form(&app, &headers, &typed("user", words), StatusCode::CONFLICT)
        }
        Ok(Way::Outage(why)) => {
            tracing::warn!("failed to ask Stripe for a Checkout session: {why}");
            let fields = [("user", signing.user.as_str()), ("email", &signing.email), ("token", &filled.token)];
            let mut response = page(&app, pages::outage("/signup", &fields));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
        Err(error) => trouble_page(&app, &error),
    }
}

async fn way(
    app: &App,
    headers: &HeaderMap,
    signing: &SignUp,
    visitor: String,
    proven: bool,
) -> Result<Way, crate::service::store::StoreError> {
    let (user, email) = (signing.user.clone(), signing.email.clone());
    let begun = app
        .with(move |service, now| {
            let settings = service.settings().clone();
            service.visit(|tx| person::start(tx, now, &settings, &user, &email, &visitor, proven))
        })
        .await?;
    let (customer, opened, before) = match begun {
        Start::Taken => return Ok(Way::Taken),
        Start::Active => return Ok(Way::To("/billing".to_owned())),
        Start::Go { customer, opened, session } => (customer, opened, session),
    };
    app.wake.notify_one();
    if let Some(session) = before {
        // One session at a time: an open one goes on, a paid one is not paid again.
        match app.client.ask(&Ask::Look { session }).await {
            Ok(Answer::Session { id, complete: true, .. }) => {
                return Ok(Way::To(format!("/checkout/success?session_id={id}")));
            }
            Ok(Answer::Session { url: Some(url), .. }) if is_checkout(app, &url) => return Ok(Way::To(url)),
            Ok(Answer::Session { .. } | Answer::Done | Answer::Gone) => {}
            Err(why) => return Ok(Way::Outage(why)),
        }
    }
    let opening = Opening {
        user: signing.user.clone(),
        email: signing.email.clone(),
        customer,
        price: app.shop.price.clone(),
        number: opened,
        base: own_url(app, headers),
    };
    match app.client.ask(&Ask::Open(opening)).await {
        Ok(Answer::Session { id, url: Some(url), .. }) if is_checkout(app, &url) => {
            let user = signing.user.clone();
            app.with(move |service, now| service.visit(|tx| person::opened(tx, now, &user, &id, opened))).await?;
            Ok(Way::To(url))
        }
        Ok(Answer::Session { .. } | Answer::Done | Answer::Gone) => {
            Ok(Way::Outage("a session without a page".to_owned()))
        }
        Err(why) => Ok(Way::Outage(why)),
    }
}

pub(super) fn to(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(url) => (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A form that is not ours, or that lost its cookie.
pub(super) fn refused(app: &App, status: StatusCode) -> Response {
    let text = "The form was not sent from our page, or your browser keeps no cookies. Please open the page again.";
    let mut response = page(app, pages::words("Please try that again", text, ("/", "Open the page again")));
    *response.status_mut() = status;
    response
}

#[derive(Deserialize)]
pub(super) struct Visit {
    #[serde(default)]
    session_id: String,
}

pub(super) async fn success(State(app): State<App>, visit: Result<Query<Visit>, QueryRejection>) -> Response {
    let session = visit.map(|Query(visit)| visit.session_id).unwrap_or_default();
    let found = app.read(move |service, now| service.visit(|tx| person::activation(tx, now, &session))).await;
    match found {
        Ok(state) => page(&app, pages::success(state)),
        Err(error) => {
            // The person is not to be frightened by a busy moment: the page looks again by itself.
            tracing::warn!("failed to {error}");
            let mut response = page(&app, pages::success(person::Activation::Pending));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}
