//! What is asked: the probes, the requests that they are, and which come next after what was seen.
//!
//! Pure: the shell says what time it is. Must not know: sockets, what an answer means beyond whether to go on.

use super::{
    body::{API_VERSION, KNOWN_TYPE, OLD_API_VERSION, Spelling, UNKNOWN_TYPE, event, padded},
    families,
    seen::{Expected, Observation, Seen, TlsLook},
};
use crate::{
    stripe::signature::{header, sign},
    wire::Request,
};
use serde_json::Value;

/// How far `t` of the old and the future delivery lie from now: outside the 300 s of Stripe's libraries.
pub const AGE_S: i64 = 600;
/// Size of an event with a long invoice.
pub const INVOICE_BYTES: usize = 24 * 1024;
/// Size that an endpoint should bear.
pub const BIG_BYTES: usize = 256 * 1024;
/// Deliveries that are sent at once; Stripe sends more at the beginning of a month.
pub const BURST: u8 = 10;
/// Where a health endpoint often is, when none is named.
const HEALTH_GUESSES: [&str; 4] = ["/healthz", "/health", "/api/health", "/up"];

/// One thing that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Rightly signed, now, of a type that nobody knows, spelled as Stripe spells.
    Genuine,
    /// The same event again, signed afresh, as a retry is.
    Again,
    /// Rightly signed, of a type that Stripe has.
    Known,
    /// Rightly signed, written in an old version of the API.
    OtherVersion,
    /// Rightly signed, in another spelling.
    Spelled(Spelling),
    /// Rightly signed text that is no JSON.
    NotJson,
    /// Rightly signed, with a content type without `charset`.
    PlainType,
    /// Without a signature.
    Unsigned,
    /// Signed with a secret that nobody has.
    Forged,
    /// A signature header that is none.
    Garbage,
    /// The right signature of another body.
    Tampered,
    /// Two signatures, the good one first, as while a secret is rolled.
    GoodFirst,
    /// Two signatures, the good one last.
    GoodLast,
    /// Rightly signed ten minutes ago.
    Old,
    /// Rightly signed ten minutes ahead.
    Future,
    /// The size of a long invoice.
    Invoice,
    /// 256 KB.
    Big,
    /// A GET.
    Get,
    /// What a browser asks before another site may post.
    Preflight,
    /// A GET of a health endpoint: which of them.
    Health(u8),
    /// One of several at once.
    Burst(u8),
}

/// What is examined.
#[derive(Clone)]
pub struct Case {
    /// The endpoint.
    pub url: http::Uri,
    /// Its signing secret, when it is known.
    pub secret: Option<String>,
    /// Makes the ids of this examination its own.
    pub nonce: String,
    /// Health endpoint (a path, or a URL of the same host); guessed when absent.
    pub health: Option<String>,
    /// A type that the app is known to take.
    pub event_type: Option<String>,
    /// Variables that the app needs, and whether they are there.
    pub expected: Vec<Expected>,
}

/// Written by hand: the secret never reaches a log by way of `{:?}`.
impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Case({})", self.url)
    }
}

impl Case {
    /// What is known before anything was sent.
    pub fn seen(&self, tls: Option<TlsLook>, now_secs: i64) -> Seen {
        Seen {
            url: self.url.clone(),
            with_secret: self.secret.is_some(),
            secret_looks_right: self.secret.as_ref().is_none_or(|secret| secret.starts_with("whsec_")),
            health_named: self.health.is_some(),
            expected: self.expected.clone(),
            tls,
            now_secs,
            observations: Vec::new(),
        }
    }

    /// The probes that come next; none when the examination is over.
    pub fn next(&self, seen: &Seen) -> Vec<Probe> {
        let asked = |probe: Probe| seen.observations.iter().any(|o| o.probe == probe);
        let first = if self.secret.is_some() { Probe::Genuine } else { Probe::Forged };
        if seen.tls.as_ref().is_some_and(|tls| tls.trouble.is_some()) {
            return Vec::new();
        }
        if !asked(first) {
            return vec![first];
        }
        if families::reach::blocked(seen) {
            return Vec::new();
        }
        if !asked(Probe::Unsigned) {
            let second = [Probe::Forged, Probe::Unsigned, Probe::Get];
            return second.into_iter().filter(|probe| !asked(*probe)).collect();
        }
        if families::reach::gated(seen) {
            return Vec::new();
        }
        if !asked(Probe::Preflight) {
            return self.main_part(seen);
        }
        // Last, so that a limit which it sets off spoils nothing else.
        if !asked(Probe::Burst(0)) {
            return (0..BURST).map(Probe::Burst).collect();
        }
        Vec::new()
    }

    fn main_part(&self, seen: &Seen) -> Vec<Probe> {
        let mut probes = Vec::new();
        match (self.secret.is_some(), seen.accepted(Probe::Genuine)) {
            (true, Some(true)) => probes.extend([
                Probe::Again,
                Probe::Known,
                Probe::OtherVersion,
                Probe::Spelled(Spelling::Node),
                Probe::Tampered,
                Probe::GoodFirst,
                Probe::GoodLast,
                Probe::Old,
                Probe::Future,
            ]),
            // Refused: the spellings tell why.
            (true, _) => {
                probes.extend(Spelling::OTHERS.map(Probe::Spelled));
                probes.extend([Probe::Known, Probe::OtherVersion, Probe::PlainType, Probe::NotJson]);
            }
            (false, _) => {}
        }
        probes.extend([Probe::Garbage, Probe::Invoice, Probe::Big, Probe::Preflight]);
        probes.extend((0..self.health_paths().len() as u8).map(Probe::Health));
        probes
    }

    fn health_paths(&self) -> Vec<String> {
        match &self.health {
            Some(named) => vec![named.clone()],
            None => HEALTH_GUESSES.map(str::to_owned).to_vec(),
        }
    }

    /// Where a probe goes.
    pub fn url_of(&self, probe: Probe) -> String {
        let Probe::Health(n) = probe else { return self.url.to_string() };
        let path = self.health_paths().into_iter().nth(usize::from(n)).unwrap_or_default();
        if path.starts_with("http://") || path.starts_with("https://") {
            return path;
        }
        let scheme = self.url.scheme_str().unwrap_or("http");
        let authority = self.url.authority().map_or("", http::uri::Authority::as_str);
        format!("{scheme}://{authority}/{}", path.trim_start_matches('/'))
    }

    /// The request of a probe at this moment. Method, headers and body; `path` is left to [`Case::url_of`].
    pub fn request(&self, probe: Probe, now_secs: i64) -> Request {
        let mut headers = vec![
            ("user-agent".to_owned(), "Stripe/1.0 (+https://stripe.com/docs/webhooks)".to_owned()),
            ("accept".to_owned(), "*/*; q=0.5, application/xml".to_owned()),
            ("cache-control".to_owned(), "no-cache".to_owned()),
        ];
        let plain = |method: &str, headers| Request { method: method.to_owned(), headers, ..Request::default() };
        match probe {
            Probe::Get | Probe::Health(_) => return plain("GET", headers),
            Probe::Preflight => {
                headers.extend([
                    ("origin".to_owned(), ORIGIN.to_owned()),
                    ("access-control-request-method".to_owned(), "POST".to_owned()),
                    ("access-control-request-headers".to_owned(), "content-type,stripe-signature".to_owned()),
                ]);
                return plain("OPTIONS", headers);
            }
            _ => {}
        }
        let body = self.body(probe, now_secs);
        let kind = if probe == Probe::PlainType { "application/json" } else { "application/json; charset=utf-8" };
        headers.push(("content-type".to_owned(), kind.to_owned()));
        if let Some(signature) = self.signature(probe, now_secs, &body) {
            headers.push(("stripe-signature".to_owned(), signature));
        }
        Request { method: "POST".to_owned(), headers, body, ..Request::default() }
    }

    /// The signature that a request lacks: in an answer it would let whoever asks sign what he likes.
    pub fn lacking_signature(&self, request: &Request) -> Option<String> {
        let (_, sent) = request.headers.iter().find(|(name, _)| name == "stripe-signature")?;
        let at = sent.split(',').find_map(|item| item.strip_prefix("t=")?.parse().ok())?;
        Some(sign(self.secret.as_deref()?, at, &request.body)).filter(|right| !sent.contains(right))
    }

    fn event(&self, probe: Probe, now_secs: i64) -> Value {
        let id = |what: &str| format!("evt_doctor{}{what}", self.nonce);
        let plain = |what: &str| event(&id(what), UNKNOWN_TYPE, API_VERSION, now_secs);
        match probe {
            Probe::Genuine | Probe::Again => event(&id("genuine"), self.type_of_all(), API_VERSION, now_secs),
            Probe::Known => event(&id("known"), KNOWN_TYPE, API_VERSION, now_secs),
            Probe::OtherVersion => event(&id("version"), self.type_of_all(), OLD_API_VERSION, now_secs),
            Probe::Invoice => padded(event(&id("invoice"), self.type_of_all(), API_VERSION, now_secs), INVOICE_BYTES),
            Probe::Big => padded(event(&id("big"), self.type_of_all(), API_VERSION, now_secs), BIG_BYTES),
            Probe::Burst(n) => event(&id(&format!("burst{n}")), self.type_of_all(), API_VERSION, now_secs),
            Probe::Spelled(spelling) => {
                let what = format!("spelled{}", spelling.word().to_lowercase());
                event(&id(&what), self.type_of_all(), API_VERSION, now_secs)
            }
            Probe::PlainType | Probe::GoodFirst | Probe::GoodLast | Probe::Old | Probe::Future => {
                event(&id(&format!("{probe:?}").to_lowercase()), self.type_of_all(), API_VERSION, now_secs)
            }
            Probe::NotJson
            | Probe::Unsigned
            | Probe::Forged
            | Probe::Garbage
            | Probe::Tampered
            | Probe::Get
            | Probe::Preflight
            | Probe::Health(_) => plain("refused"),
        }
    }

    fn type_of_all(&self) -> &str {
        self.event_type.as_deref().unwrap_or(UNKNOWN_TYPE)
    }

    fn body(&self, probe: Probe, now_secs: i64) -> Vec<u8> {
        match probe {
            Probe::NotJson => b"{\"id\": \"evt_doctor\", this is no JSON".to_vec(),
            Probe::Spelled(spelling) => spelling.write(&self.event(probe, now_secs)),
            _ => Spelling::Stripe.write(&self.event(probe, now_secs)),
        }
    }

    fn signature(&self, probe: Probe, now: i64, body: &[u8]) -> Option<String> {
        let other = format!("whsec_nobody{}", self.nonce);
        let secret = self.secret.as_deref().unwrap_or(&other);
        let good = |at: i64| sign(secret, at, body);
        let bad = || sign(&other, now, body);
        Some(match probe {
            Probe::Unsigned => return None,
            Probe::Garbage => "not a signature".to_owned(),
            Probe::Forged => header(now, &[bad()]),
            Probe::Tampered => header(now, &[sign(secret, now, &[body, b" "].concat())]),
            Probe::GoodFirst => header(now, &[good(now), bad()]),
            Probe::GoodLast => header(now, &[bad(), good(now)]),
            Probe::Old => header(now - AGE_S, &[good(now - AGE_S)]),
            Probe::Future => header(now + AGE_S, &[good(now + AGE_S)]),
            _ => header(now, &[good(now)]),
        })
    }

    /// What a probe sends, in words.
    pub fn words(&self, probe: Probe) -> String {
        let good = "a rightly signed event";
        let kind = self.type_of_all();
        match probe {
            Probe::Genuine => format!("{good} of the type {kind}, spelled as Stripe spells it"),
            Probe::Again => "the same event once more, signed afresh, as a retry".to_owned(),
            Probe::Known => format!("{good} of the type {KNOWN_TYPE}"),
            Probe::OtherVersion => format!("{good} in API version {OLD_API_VERSION} (the others: {API_VERSION})"),
            Probe::Spelled(spelling) => format!("{good}, spelled as {} writes it", spelling.writer()),
            Probe::NotJson => "rightly signed text that is no JSON".to_owned(),
            Probe::PlainType => format!("{good} with Content-Type: application/json, without charset"),
            Probe::Unsigned => "an event without Stripe-Signature".to_owned(),
            Probe::Forged => "an event signed with a secret that nobody has".to_owned(),
            Probe::Garbage => "an event with `Stripe-Signature: not a signature`".to_owned(),
            Probe::Tampered => "an event with the signature of another body".to_owned(),
            Probe::GoodFirst => "two signatures, the good one first, as while a secret is rolled".to_owned(),
            Probe::GoodLast => "two signatures, the good one last, as while a secret is rolled".to_owned(),
            Probe::Old => format!("{good}, `t` {AGE_S} s ago"),
            Probe::Future => format!("{good}, `t` {AGE_S} s ahead"),
            Probe::Invoice => format!("{} of {} KB, as a long invoice has", self.some_event(), INVOICE_BYTES / 1024),
            Probe::Big => format!("{} of {} KB", self.some_event(), BIG_BYTES / 1024),
            Probe::Get => "GET of the endpoint".to_owned(),
            Probe::Preflight => format!("OPTIONS with `Origin: {ORIGIN}`"),
            Probe::Health(_) => format!("GET {}", self.url_of(probe)),
            Probe::Burst(_) => format!(
                "{} of {BURST} events at once",
                if self.secret.is_some() { "one" } else { "a badly signed one" }
            ),
        }
    }

    const fn some_event(&self) -> &'static str {
        if self.secret.is_some() { "a rightly signed event" } else { "a badly signed event" }
    }

    /// An observation of this case.
    pub fn observed(&self, probe: Probe, answer: super::Answer, took_ms: u64, leaks: Vec<String>) -> Observation {
        Observation { probe, sent: self.words(probe), answer, took_ms, leaks }
    }
}

/// A site that nobody has.
const ORIGIN: &str = "https://doctor.example";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::signature::{Tolerance, verify};

    fn case(secret: Option<&str>) -> Case {
        Case {
            url: http::Uri::from_static("http://127.0.0.1:1/hook"),
            secret: secret.map(str::to_owned),
            nonce: "1".to_owned(),
            health: None,
            event_type: None,
            expected: Vec::new(),
        }
    }

    #[test]
    fn each_probe_is_signed_as_it_says() {
        let case = case(Some("whsec_known"));
        let judge = |probe: Probe| {
            let request = case.request(probe, 1_000_000);
            verify(request.header("stripe-signature"), &request.body, &["whsec_known"], Tolerance::DEFAULT, 1_000_000)
        };
        let good = [
            Probe::Genuine,
            Probe::Again,
            Probe::Known,
            Probe::OtherVersion,
            Probe::Spelled(Spelling::Go),
            Probe::NotJson,
            Probe::PlainType,
            Probe::GoodFirst,
            Probe::GoodLast,
            Probe::Invoice,
            Probe::Big,
            Probe::Burst(3),
        ];
        for probe in good {
            assert_eq!(judge(probe), Ok(()), "{probe:?}");
        }
        for probe in [Probe::Unsigned, Probe::Forged, Probe::Garbage, Probe::Tampered, Probe::Old, Probe::Future] {
            assert!(judge(probe).is_err(), "{probe:?}");
        }
        assert_eq!(case.request(Probe::Get, 0).method, "GET");
    }

    #[test]
    fn without_a_secret_nothing_is_rightly_signed_and_little_is_asked() {
        let case = case(None);
        let mut seen = case.seen(None, 0);
        let mut asked = Vec::new();
        loop {
            let next = case.next(&seen);
            if next.is_empty() {
                break;
            }
            for probe in next {
                asked.push(probe);
                let answer = super::super::Answer::Answered { status: 400, headers: Vec::new(), text: String::new() };
                seen.observations.push(case.observed(probe, answer, 1, Vec::new()));
            }
        }
        assert!(!asked.contains(&Probe::Genuine) && asked.contains(&Probe::Forged) && asked.contains(&Probe::Burst(9)));
        assert!(asked.len() < 30, "{}", asked.len());
    }
}
