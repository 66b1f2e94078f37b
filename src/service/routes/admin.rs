//! The admin screen: log in with the token, look, put dead letters back to work.
//!
//! Must not know: what the screen looks like, how anything is decided.

use super::{failure, refusal, trouble};
use crate::service::{
    operations::Admin,
    overview,
    pages::admin as pages,
    server::{App, random_text},
    session::Seal,
};
use axum::{
    Router,
    extract::{
        DefaultBodyLimit, Form, Path, Query, State,
        rejection::{FormRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::sync::PoisonError;

/// Largest form: a token and a password.
const FORM_LIMIT: usize = 4 * 1024;
/// How long a log-in lasts, seconds.
const SESSION_SECS: i64 = 8 * 60 * 60;
/// How long the form of a log-in is good for, seconds.
const FORM_SECS: i64 = 60 * 60;
/// Where the screen is, and how far its cookie goes.
const HOME: &str = "/admin";
const LOGIN: &str = "/admin/login";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(HOME, get(home))
        .route(LOGIN, get(ask).post(log_in))
        .route("/admin/logout", post(log_out))
        .route("/admin/requeue", post(requeue_all))
        .route("/admin/jobs/{id}/requeue", post(requeue_one))
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
}

/// A form as it came, or why it does not read.
type Sent<T> = Result<Form<T>, FormRejection>;

/// Who is there: a name that is theirs alone, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    name: String,
    ends: i64,
    /// Logged in, and not merely shown the form of the log-in.
    trusted: bool,
}

impl Holder {
    fn new(now: i64, trusted: bool) -> Result<Self, getrandom::Error> {
        let ends = now + if trusted { SESSION_SECS } else { FORM_SECS };
        Ok(Self { name: random_text()?, ends, trusted })
    }

    fn text(&self) -> String {
        format!("{} {} {}", if self.trusted { "in" } else { "out" }, self.ends, self.name)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let trusted = match parts.next()? {
            "in" => true,
            "out" => false,
            _ => return None,
        };
        Some(Self { trusted, ends: parts.next()?.parse().ok()?, name: parts.next()?.to_owned() })
    }
}

fn cookie_name(app: &App) -> &'static str {
    if is_secure(app) { "__Secure-hookdrill_admin" } else { "hookdrill_admin" }
}

/// Whether browsers reach us over https only: a public service without it would show its cookie to everybody on the way.
fn is_secure(app: &App) -> bool {
    app.public || app.is_https()
}

/// Who the cookie says is there, unless it has ended or is not ours.
fn holder(app: &App, admin: &Admin, headers: &HeaderMap) -> Option<Holder> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, sealed) = pairs.find(|(name, _)| *name == cookie_name(app))?;
    let holder = Holder::read(&admin.sealer.open(Seal::Admin, app.now(), sealed)?)?;
    let ended = admin.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&holder.name);
    (holder.ends > app.now().secs() && !ended).then_some(holder)
}

/// Puts the cookie of `holder` into the answer.
fn remember(app: &App, admin: &Admin, holder: &Holder, mut response: Response) -> Response {
    let sealed = admin.sealer.seal(Seal::Admin, app.now(), &holder.text());
    set_cookie(app, &sealed, holder.ends - app.now().secs(), &mut response);
    response
}

fn set_cookie(app: &App, value: &str, seconds: i64, response: &mut Response) {
    let (name, secure) = (cookie_name(app), if is_secure(app) { "; Secure" } else { "" });
    let line = format!("{name}={value}; Path={HOME}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(line) = HeaderValue::from_str(&line) {
        response.headers_mut().insert(header::SET_COOKIE, line);
    }
}

fn page(status: StatusCode, text: String) -> Response {
    let policy = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; \
                  frame-ancestors 'none'";
    (status, [(header::CONTENT_SECURITY_POLICY, policy)], Html(text)).into_response()
}

#[derive(Debug, Default, Deserialize)]
struct Done {
    requeued: Option<u64>,
}

async fn home(State(app): State<App>, headers: HeaderMap, done: Result<Query<Done>, QueryRejection>) -> Response {
    let Some(admin) = &app.operations.admin else { return Redirect::to("/").into_response() };
    let Some(holder) = holder(&app, admin, &headers).filter(|holder| holder.trusted) else {
        return Redirect::to(LOGIN).into_response();
    };
    match app.read(|service, now| service.visit(|tx| overview::overview(tx, now))).await {
        Ok(seen) => {
            let done = done.ok().and_then(|Query(done)| done.requeued);
            page(StatusCode::OK, pages::overview(&seen, app.now(), &admin.sealer.token(&holder.name), done))
        }
        Err(error) => trouble(&error),
    }
}

async fn ask(State(app): State<App>) -> Response {
    login_form(&app, StatusCode::OK, None)
}

/// The form, for a browser that is known from now on by this form alone.
fn login_form(app: &App, status: StatusCode, wrong: Option<&str>) -> Response {
    let Some(admin) = &app.operations.admin else { return Redirect::to("/").into_response() };
    match Holder::new(app.now().secs(), false) {
        Ok(holder) => {
            let text = pages::login(&admin.sealer.token(&holder.name), wrong);
            remember(app, admin, &holder, page(status, text))
        }
        Err(error) => failure(&format!("failed to make a form: {error}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    token: String,
    admin_token: String,
}

async fn log_in(State(app): State<App>, headers: HeaderMap, form: Sent<LogIn>) -> Response {
    let Some(admin) = &app.operations.admin else { return Redirect::to("/").into_response() };
    let (Ok(Form(form)), Some(shown)) = (form, holder(&app, admin, &headers)) else { return stale(&app) };
    if !admin.sealer.is_token(&shown.name, &form.token) {
        return stale(&app);
    }
    let given = form.admin_token.trim();
    // Compared by their digests, in a time that says nothing about where they differ.
    if !admin.sealer.is_token(given, &admin.sealer.token(admin.token.expose().trim())) {
        tracing::warn!("somebody typed a wrong admin token");
        return login_form(&app, StatusCode::FORBIDDEN, Some("That is not the admin token."));
    }
    match Holder::new(app.now().secs(), true) {
        // A new name: whoever knew the one of the form knows nothing of the session.
        Ok(holder) => {
            tracing::info!("somebody logged in as admin");
            remember(&app, admin, &holder, Redirect::to(HOME).into_response())
        }
        Err(error) => failure(&format!("failed to begin a session: {error}")),
    }
}

fn stale(app: &App) -> Response {
    login_form(app, StatusCode::FORBIDDEN, Some("This page was too old, or was not sent from here. Please try again."))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pressed {
    token: String,
}

/// The admin who pressed a button of ours, or the answer for anybody else.
fn pressed<'a>(app: &'a App, headers: &HeaderMap, form: Sent<Pressed>) -> Option<(&'a Admin, Holder)> {
    let admin = app.operations.admin.as_ref()?;
    let holder = holder(app, admin, headers).filter(|holder| holder.trusted)?;
    let Form(form) = form.ok()?;
    admin.sealer.is_token(&holder.name, &form.token).then_some((admin, holder))
}

async fn log_out(State(app): State<App>, headers: HeaderMap, form: Sent<Pressed>) -> Response {
    let Some((admin, holder)) = pressed(&app, &headers, form) else { return stale(&app) };
    {
        let mut ended = admin.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let now = app.now().secs();
        // Only those that would still open: what is left is bounded by the log-ins of eight hours.
        ended.retain(|_, ends| *ends > now);
        ended.insert(holder.name, holder.ends);
    }
    let mut response = Redirect::to(LOGIN).into_response();
    set_cookie(&app, "", 0, &mut response);
    response
}

async fn requeue_all(State(app): State<App>, headers: HeaderMap, form: Sent<Pressed>) -> Response {
    match pressed(&app, &headers, form) {
        Some(_) => requeue(&app, None).await,
        None => stale(&app),
    }
}

async fn requeue_one(
    State(app): State<App>,
    id: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    form: Sent<Pressed>,
) -> Response {
    match (pressed(&app, &headers, form), id) {
        (Some(_), Ok(Path(id))) => requeue(&app, Some(id)).await,
        (Some(_), Err(_)) => refusal(StatusCode::NOT_FOUND, "there is no such job"),
        (None, _) => stale(&app),
    }
}

async fn requeue(app: &App, one: Option<u64>) -> Response {
    match app.with(move |service, now| service.requeue_by_hand(now, one)).await {
        Ok(requeued) => {
            app.wake.notify_one();
            tracing::info!(requeued, "an admin put dead letters back to work");
            Redirect::to(&format!("{HOME}?requeued={requeued}")).into_response()
        }
        Err(error) => trouble(&error),
    }
}
