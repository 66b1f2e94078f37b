//! What a person pays for, how to stop, and the chat's door.
//!
//! Must not know: how anything is decided.

use super::{
    browser::{Browser, is_own_form, page, visitor},
    checkout::{refused, to},
    trouble_page,
};
use crate::service::{
    pages,
    person::{self, Billing},
    server::App,
    store::StoreError,
    upstream::stripe::{Answer, Ask},
};
use axum::{
    Json,
    extract::{Form, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

async fn held(app: &App, user: &str) -> Result<Billing, StoreError> {
    let user = user.to_owned();
    app.read(move |service, now| service.visit(|tx| person::billing(tx, now, &user))).await
}

pub(super) async fn billing(State(app): State<App>, headers: HeaderMap) -> Response {
    let Some(user) = Browser::of(&app, &headers).person else { return page(&app, pages::nobody()) };
    match held(&app, &user).await {
        Ok(held) => page(&app, pages::billing(&held)),
        Err(error) => trouble_page(&app, &error),
    }
}

pub(super) async fn ask(State(app): State<App>, headers: HeaderMap) -> Response {
    let Some(user) = Browser::of(&app, &headers).person else { return page(&app, pages::nobody()) };
    match held(&app, &user).await {
        Ok(held) if held.subscription.is_some() => page(&app, pages::cancel(&held, &app.sealer.token(&user))),
        Ok(_) => to("/billing"),
        Err(error) => trouble_page(&app, &error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    token: String,
}

/// Stripe is asked inside the request: the person is told whether it went through. Asking twice is asking once.
// Costs a call to Stripe: the place for a rate limit by address is the route of this handler.
pub(super) async fn cancel(
    State(app): State<App>,
    headers: HeaderMap,
    sent: Result<Form<Sent>, FormRejection>,
) -> Response {
    let Ok(Form(sent)) = sent else { return refused(&app, StatusCode::BAD_REQUEST) };
    let person = Browser::of(&app, &headers).person;
    let Some(user) = person.filter(|user| is_own_form(&headers) && app.sealer.is_token(user, &sent.token)) else {
        return refused(&app, StatusCode::FORBIDDEN);
    };
    let subscription = match held(&app, &user).await {
        Ok(held) => held.subscription,
        Err(error) => return trouble_page(&app, &error),
    };
    let Some(subscription) = subscription else { return to("/billing") };
    match app.client.ask(&Ask::Cancel { subscription: subscription.clone() }).await {
        // What Stripe has no more, it has told us of, or will: the page shows what its event says.
        Ok(Answer::Done | Answer::Gone | Answer::Session { .. }) => {
            let noted = app.with(move |service, now| service.visit(|tx| person::cancel_asked(tx, now, &subscription)));
            match noted.await {
                Ok(()) => to("/billing"),
                Err(error) => trouble_page(&app, &error),
            }
        }
        Err(why) => {
            tracing::warn!("failed to ask Stripe to cancel: {why}");
            let mut response = page(&app, pages::outage("/billing/cancel", &[("token", &sent.token)]));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

async fn entitled(app: &App, browser: Browser) -> Result<person::Entitlement, StoreError> {
    app.read(move |service, _| {
        service.visit(|tx| person::entitlement(tx, browser.person.as_deref(), browser.visitor.as_deref()))
    })
    .await
}

pub(super) async fn chat(State(app): State<App>, headers: HeaderMap) -> Response {
    let browser = Browser::of(&app, &headers);
    // The visitor's cookie is the anonymous session of the chat; it becomes the customer's at sign-up.
    let (_, new) = visitor(&app, &browser);
    match entitled(&app, browser).await {
        Ok(entitlement) => {
            let mut response = page(&app, pages::chat(entitlement));
            response.headers_mut().extend(new.map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err(error) => trouble_page(&app, &error),
    }
}

// Asked by the chat at every message: the place for a rate limit by address is the route of this handler.
pub(super) async fn entitlement(State(app): State<App>, headers: HeaderMap) -> Response {
    match entitled(&app, Browser::of(&app, &headers)).await {
        Ok(entitlement) => Json(entitlement).into_response(),
        Err(error) => super::super::trouble(&error),
    }
}
