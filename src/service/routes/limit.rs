//! Who may ask, and how often: other sites may not, and what costs money is limited for each address.
//!
//! The webhook is never limited: its sender is known by its signature. Must not know: what the routes do.

use super::refusal;
use crate::service::{config::Config, listener::PeerAddress, server::App};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::HashMapStateStore,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What costs money, or could be guessed at: its name, and where it begins in a path. Reading a page is free.
const COSTLY: [(&str, &str); 6] = [
    ("support", "/api/support"),
    ("chat", "/api/chat"),
    ("sign_up", "/api/signup"),
    ("sign_up", "/signup"),
    ("checkout", "/api/checkout"),
    (LOGIN, "/admin/login"),
];
const LOGIN: &str = "login";

/// Attempts to log in, a minute and address, whatever else is limited.
const LOGINS: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// Addresses that are told apart at a time; beyond it all share one allowance, so that memory stays bounded.
const ADDRESSES: usize = 10_000;

type Buckets = RateLimiter<(&'static str, IpAddr), HashMapStateStore<(&'static str, IpAddr)>, DefaultClock>;

/// The allowances of all addresses.
pub(in crate::service) struct Limits {
    costly: Option<Buckets>,
    logins: Buckets,
    asked: AtomicU64,
    trust_proxy: bool,
}

impl Limits {
    /// Full allowances.
    pub(in crate::service) fn new(config: &Config) -> Self {
        let buckets = |a_minute| RateLimiter::hashmap(Quota::per_minute(a_minute));
        Self {
            costly: config.rate_limit.map(buckets),
            logins: buckets(LOGINS),
            asked: AtomicU64::new(0),
            trust_proxy: config.trust_proxy,
        }
    }

    /// How long this address has to wait before it may ask, if it has to.
    fn wait(&self, what: &'static str, address: IpAddr) -> Option<Duration> {
        let buckets = if what == LOGIN { &self.logins } else { self.costly.as_ref()? };
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(256) {
            buckets.retain_recent();
        }
        let crowded = buckets.len() >= ADDRESSES;
        let key = if crowded { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { network(address) };
        let refused = buckets.check_key(&(what, key)).err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }
}

/// Whoever has one address of IPv6 has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn costly(path: &str) -> Option<&'static str> {
    let begins = |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    COSTLY.iter().find(|(_, start)| begins(start)).map(|(what, _)| *what)
}

/// The address that counts: the peer's, or what the nearest proxy says it was called from.
fn address(request: &Request, trust_proxy: bool) -> IpAddr {
    let peer = request.extensions().get::<PeerAddress>().map(|peer| peer.0.ip());
    let named = trust_proxy.then(|| last_hop(request.headers())).flatten();
    named.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// The last hop of `Forwarded` (RFC 7239) or `X-Forwarded-For`: the one that our own proxy has seen. What stands before it
/// comes from the caller.
fn last_hop(headers: &HeaderMap) -> Option<IpAddr> {
    let last = |name: &str| {
        let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        value.rsplit(',').next().map(str::trim)
    };
    let forwarded = last("forwarded").and_then(|hop| {
        let pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, node)| node.trim_matches('"'))
    });
    forwarded.or_else(|| last("x-forwarded-for")).and_then(node)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    text.rsplit_once(':')?.0.parse().ok()
}

/// Refuses who asks for something costly too often.
pub(super) async fn allow(State(app): State<App>, request: Request, next: Next) -> Response {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let what = costly(request.uri().path()).filter(|what| !reading || *what == "chat");
    let wait = what.and_then(|what| {
        let wait = app.operations.limits.wait(what, address(&request, app.operations.limits.trust_proxy))?;
        Some((what, wait))
    });
    let Some((what, wait)) = wait else { return next.run(request).await };
    app.operations.metrics.rate_limited(what);
    let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests; try again later");
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// Refuses what the browser of a visitor sends for another site. Machines send none of these headers.
pub(super) async fn same_site(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return refusal(StatusCode::FORBIDDEN, "other sites may not ask");
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && is_foreign(headers) {
        return refusal(StatusCode::FORBIDDEN, "other sites may not ask");
    }
    next.run(request).await
}

/// Whether a browser says that another site asks. `Sec-Fetch-Site` is the browser's own word; older ones and plain HTTP
/// have `Origin` alone.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_none() || authority != text("host")
}

/// Whether the request names this machine. Behind a proxy, or by a name that was made to point here, it does not.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let authority = host.parse::<http::uri::Authority>();
    let Ok(host) = authority.as_ref().map(|authority| authority.host().trim_matches(['[', ']'])) else { return false };
    let named = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    named || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::config::Secret;

    fn limits(a_minute: u32) -> Limits {
        let mut config = Config::new(Secret::new("whsec_1"), "http://127.0.0.1:1", "http://127.0.0.1:2");
        config.rate_limit = NonZeroU32::new(a_minute);
        Limits::new(&config)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().expect("a name"), v.parse().expect("a value"))).collect()
    }

    #[test]
    fn each_address_and_each_thing_has_its_own_allowance() {
        let limits = limits(2);
        for _ in 0..2 {
            assert_eq!(limits.wait("support", ip("192.0.2.1")), None);
        }
        let wait = limits.wait("support", ip("192.0.2.1")).expect("has to wait");
        assert!(wait > Duration::from_secs(20) && wait <= Duration::from_secs(30), "{wait:?}");
        assert_eq!(limits.wait("chat", ip("192.0.2.1")), None);
        assert_eq!(limits.wait("support", ip("192.0.2.2")), None);
        assert_eq!(limits.wait("support", ip("2001:db8::1")), None);
        assert_eq!(limits.wait("support", ip("2001:db8::2")), None);
        assert!(limits.wait("support", ip("2001:db8::3")).is_some(), "the same /64");
        assert!(limits.wait("support", ip("::ffff:192.0.2.1")).is_some(), "the same address");
    }

    #[test]
    fn logins_are_limited_always_and_memory_is_bounded() {
        let off = limits(0);
        assert!((0..1000).all(|_| off.wait("support", ip("192.0.2.1")).is_none()));
        assert!((0..11).any(|_| off.wait(LOGIN, ip("192.0.2.1")).is_some()));
        let many = limits(1);
        for n in 0..u32::try_from(ADDRESSES).expect("small") + 500 {
            many.wait("support", IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)));
        }
        let held = many.costly.as_ref().map_or(0, RateLimiter::len);
        assert!(held <= ADDRESSES + 1, "{held}");
        assert!(many.wait("support", ip("192.0.2.9")).is_some(), "newcomers share what is left");
    }

    #[test]
    fn only_what_costs_money_is_counted() {
        assert_eq!(costly("/api/support"), Some("support"));
        assert_eq!(costly("/api/chat/session"), Some("chat"));
        assert_eq!(costly("/admin/login"), Some("login"));
        for free in ["/webhooks/stripe", "/webhooks/stripe/", "/api/supporters", "/admin", "/healthz", "/metrics"] {
            assert_eq!(costly(free), None, "{free}");
        }
    }

    #[test]
    fn the_last_hop_is_the_one_that_counts() {
        let hop = |pairs: &[(&'static str, &str)]| last_hop(&headers(pairs));
        assert_eq!(hop(&[("x-forwarded-for", "198.51.100.9, 192.0.2.7")]), Some(ip("192.0.2.7")));
        assert_eq!(hop(&[("x-forwarded-for", "192.0.2.7:4711")]), Some(ip("192.0.2.7")));
        assert_eq!(
            hop(&[("forwarded", "for=198.51.100.9, for=\"[2001:db8::7]:80\";proto=https")]),
            Some(ip("2001:db8::7"))
        );
        assert_eq!(hop(&[("x-forwarded-for", "unknown")]), None);
        assert_eq!(hop(&[]), None);
        let mut twice = headers(&[("x-forwarded-for", "198.51.100.9")]);
        twice.append("x-forwarded-for", HeaderValue::from_static("192.0.2.7"));
        assert_eq!(last_hop(&twice), Some(ip("192.0.2.7")));
    }

    #[test]
    fn other_sites_are_told_from_our_own_and_from_machines() {
        let foreign = |pairs: &[(&'static str, &str)]| is_foreign(&headers(pairs));
        assert!(!foreign(&[]) && !foreign(&[("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[("origin", "http://localhost:4242"), ("host", "localhost:4242")]));
        for pairs in [
            [("sec-fetch-site", "cross-site"), ("host", "localhost")],
            [("sec-fetch-site", "same-site"), ("host", "localhost")],
            [("origin", "https://evil.example"), ("host", "localhost")],
            [("origin", "null"), ("host", "localhost")],
        ] {
            assert!(foreign(&pairs), "{pairs:?}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "localhost:4242", "127.0.0.1:4242", "[::1]:4242", "app.localhost"] {
            assert!(is_local(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil.example:4242"] {
            assert!(!is_local(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }
}
