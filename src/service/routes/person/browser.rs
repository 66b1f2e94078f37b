//! What a browser sends and keeps: cookies, where a form was sent from, where our pages may lead.
//!
//! Must not know: what pages show.

use crate::service::{
    server::{App, random_text},
    session::{SESSION_SECS, Seal},
};
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};

/// Who is there.
pub(super) struct Browser {
    /// The person who signed up in it.
    pub(super) person: Option<String>,
    /// The browser itself: also the anonymous session of its chat.
    pub(super) visitor: Option<String>,
}

/// Name of a cookie. Over https the prefix binds it to this host (RFC 6265bis, "__Host-").
fn cookie_name(app: &App, seal: Seal) -> String {
    let name = match seal {
        Seal::Person => "person",
        Seal::Visitor | Seal::Form => "visitor",
        Seal::Admin => "admin",
    };
    if app.is_https() { format!("__Host-hookdrill_{name}") } else { format!("hookdrill_{name}") }
}

impl Browser {
    /// Reads the cookies; what is not ours is as if it were not there.
    pub(super) fn of(app: &App, headers: &HeaderMap) -> Self {
        let open = |seal| {
            let name = cookie_name(app, seal);
            let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
            let value = pairs.flat_map(|text| text.split(';')).find_map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                (key == name).then(|| value.to_owned())
            });
            value.and_then(|value| app.sealer.open(seal, app.now(), &value))
        };
        Self { person: open(Seal::Person), visitor: open(Seal::Visitor) }
    }
}

/// A cookie of ours: out of reach of scripts, not sent along by other sites' forms.
pub(super) fn cookie(app: &App, seal: Seal, text: &str) -> Option<HeaderValue> {
    let (name, sealed) = (cookie_name(app, seal), app.sealer.seal(seal, app.now(), text));
    let secure = if app.is_https() { "; Secure" } else { "" };
    let line = format!("{name}={sealed}; Path=/; Max-Age={SESSION_SECS}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&line).ok()
}

/// The visitor's name, a new one when the browser has none, and the cookie that it then gets.
pub(super) fn visitor(app: &App, browser: &Browser) -> (String, Option<HeaderValue>) {
    match &browser.visitor {
        Some(known) => (known.clone(), None),
        // Without randomness from the system there is no visitor, and no form is accepted.
        None => match random_text() {
            Ok(new) => (new.clone(), cookie(app, Seal::Visitor, &new)),
            Err(_) => (String::new(), None),
        },
    }
}

/// Whether a form was sent from our own pages. Browsers say so by themselves (Fetch, "Sec-Fetch-Site"; Origin); what says
/// neither is no browser, and has no cookie that could be misused.
pub(super) fn is_own_form(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match (text("origin"), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
    }
}

/// Our own address: what is configured, but for a browser that came by another name of this machine, whose cookies
/// belong to that name.
pub(super) fn own_url(app: &App, headers: &HeaderMap) -> String {
    let configured = app.shop.url.clone().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let local = matches!(name, "localhost" | "127.0.0.1" | "[::1]") && port.bytes().all(|b| b.is_ascii_digit());
    if local && !app.public { format!("http://{host}") } else { configured }
}

/// Where Stripe's pages are: browsers hold a form to that even when it is answered by a redirect.
fn checkout_origin(app: &App) -> String {
    let own = app.stripe_url.as_deref().filter(|url| !url.ends_with("stripe.com")).and_then(|url| {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest
            .split('/')
            .next()
            .filter(|host| host.bytes().all(|b| b.is_ascii_graphic() && b != b';' && b != b','))?;
        Some(format!("{scheme}://{host}"))
    });
    own.unwrap_or_else(|| "https://checkout.stripe.com".to_owned())
}

/// Whether a person may be sent there to pay.
pub(super) fn is_checkout(app: &App, url: &str) -> bool {
    url.strip_prefix(&checkout_origin(app)).is_some_and(|rest| rest.starts_with('/'))
}

/// A page with forms.
pub(super) fn page(app: &App, text: String) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self' {}; frame-ancestors 'none'",
        checkout_origin(app)
    );
    let mut response = Html(text).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn forms_of_others_are_told_apart() {
        assert!(is_own_form(&with(&[])));
        assert!(is_own_form(&with(&[("origin", "http://a:1"), ("host", "a:1")])));
        assert!(is_own_form(&with(&[("sec-fetch-site", "same-origin"), ("origin", "null"), ("host", "a:1")])));
        assert!(!is_own_form(&with(&[("origin", "http://b:1"), ("host", "a:1")])));
        assert!(!is_own_form(&with(&[("origin", "null"), ("host", "a:1")])));
        assert!(!is_own_form(&with(&[("sec-fetch-site", "same-site")])));
        assert!(!is_own_form(&with(&[("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")])));
    }
}
