//! What was found: causes by name, how bad, and a whole diagnosis as it is written to JSON.
//!
//! Must not know: how a cause shows.

use serde::Serialize;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Events are lost, or forged ones are taken.
    Error,
    /// It works today.
    Warning,
    /// Good to know; not a finding.
    Note,
}

impl Severity {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// A cause that doctor names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause { $($(#[doc = $doc])* $variant,)* }

        impl Cause {
            /// All of them, the deepest first: where one hides others, the others are not looked for.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in JSON and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

causes! {
    /// The host has no address.
    HostNotFound = "host-not-found",
    /// Nobody listens there.
    ConnectionRefused = "connection-refused",
    /// Connected or not, nothing came back in time.
    NoAnswer = "no-answer",
    /// Answers are broken off.
    BrokenOff = "broken-off",
    /// TLS: nobody vouches for the certificate.
    TlsSelfSigned = "tls-self-signed",
    /// TLS: the certificate is over.
    TlsExpired = "tls-expired",
    /// TLS: the certificate has not begun.
    TlsNotYetValid = "tls-not-yet-valid",
    /// TLS: the certificate is for another name.
    TlsWrongName = "tls-wrong-name",
    /// TLS: the server does not send the certificate between its own and the authority's.
    TlsIncompleteChain = "tls-incomplete-chain",
    /// TLS: an authority that nobody knows.
    TlsUnknownAuthority = "tls-unknown-authority",
    /// TLS: only versions before 1.2.
    TlsTooOld = "tls-too-old",
    /// TLS: no handshake.
    TlsBroken = "tls-broken",
    /// A redirect from http to https.
    RedirectToHttps = "redirect-to-https",
    /// A redirect to another host, such as from the apex to www.
    RedirectToHost = "redirect-to-host",
    /// A redirect that adds or takes away the last slash.
    RedirectSlash = "redirect-slash",
    /// Any other redirect.
    Redirect = "redirect",
    /// A login stands in front.
    AuthInFront = "auth-in-front",
    /// A check against forged forms stands in front.
    CsrfInFront = "csrf-in-front",
    /// A firewall takes the sender for a robot.
    BotProtection = "bot-protection",
    /// Nothing is at this path.
    NotFound = "not-found",
    /// The path takes no POST.
    PostRefused = "post-refused",
    /// A page for people answers.
    PageAnswers = "page-answers",
    /// A limit on the rate of deliveries.
    RateLimit = "rate-limit",
    /// A variable that the app needs is not there.
    EnvironmentMissing = "environment-missing",
    /// Forged events are acknowledged.
    SignatureNotChecked = "signature-not-checked",
    /// A good delivery is answered 5xx.
    ServerError = "server-error",
    /// The content type that Stripe sends is refused.
    ContentTypeRefused = "content-type-refused",
    /// The body is read and written anew before it is verified.
    BodyReserialised = "body-reserialised",
    /// The body is parsed before it is verified.
    BodyParsed = "body-parsed",
    /// The app verifies with another secret.
    WrongSecret = "wrong-secret",
    /// An event of a type that the app does not know is refused.
    EventTypeRefused = "event-type-refused",
    /// An event written in another version of the API is refused.
    ApiVersionRefused = "api-version-refused",
    /// A good delivery is refused after it was verified.
    DeliveryRefused = "delivery-refused",
    /// Of several signatures only the first is tried.
    OnlyFirstSignature = "only-first-signature",
    /// Of several signatures only the last is tried.
    OnlyLastSignature = "only-last-signature",
    /// Several signatures are refused.
    SeveralSignaturesRefused = "several-signatures-refused",
    /// The time of a signature is not looked at.
    NoTolerance = "no-tolerance",
    /// Only signatures from the future are refused, old ones are not.
    OneSidedTolerance = "one-sided-tolerance",
    /// Signatures from the future are taken, old ones are not: as Stripe's own libraries do.
    FutureAccepted = "future-accepted",
    /// A bad signature is answered 5xx.
    ErrorOnBadSignature = "error-on-bad-signature",
    /// An answer lets a secret out.
    SecretInAnswer = "secret-in-answer",
    /// An answer to a wrong signature holds the right one.
    SignatureInAnswer = "signature-in-answer",
    /// An answer lets a stack trace out.
    TraceInAnswer = "stack-trace-in-answer",
    /// An answer lets a path or an error of the database out.
    InternalsInAnswer = "internals-in-answer",
    /// An event that was seen before is refused.
    RedeliveryRefused = "redelivery-refused",
    /// A body of a size that Stripe sends is refused.
    BodyLimit = "body-limit",
    /// Acknowledgements take long.
    SlowAnswer = "slow-answer",
    /// TLS: the certificate is over soon.
    TlsExpiresSoon = "tls-expires-soon",
    /// Not https.
    PlainHttp = "plain-http",
    /// Other sites may post.
    CorsOpen = "cors-open",
    /// A GET is answered as if something were there.
    GetAnswered = "get-answered",
    /// Answers may be kept and given again.
    Cacheable = "cacheable",
    /// The health endpoint does not answer 2xx.
    HealthMissing = "health-missing",
}

impl Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name.
    pub cause: Cause,
    /// How bad.
    pub severity: Severity,
    /// In a line.
    pub title: String,
    /// What was sent.
    pub sent: String,
    /// What came back.
    pub got: String,
    /// Why it matters.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// Numbers of the requests that show it.
    pub requests: Vec<usize>,
}

/// Something that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotJudged {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A request as it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// From 1.
    pub number: usize,
    /// What was sent.
    pub sent: String,
    /// What came back.
    pub got: String,
    /// Status code, when there was an answer.
    pub status: Option<u16>,
    /// Milliseconds.
    pub took_ms: u64,
}

/// How an examination ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing that loses events was found, and everything was judged.
    Sound,
    /// Something that loses events, or takes forged ones.
    Wrong,
    /// Nothing was found, but not everything could be judged.
    Inconclusive,
    /// Nobody answers.
    Unreachable,
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Version of this format.
    pub version: u32,
    /// The endpoint.
    pub url: String,
    /// When it was looked, UTC.
    pub at: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What is wrong, the root first.
    pub findings: Vec<Finding>,
    /// Good to know.
    pub notes: Vec<Finding>,
    /// What could not be judged.
    pub not_judged: Vec<NotJudged>,
    /// What was asked.
    pub requests: Vec<Asked>,
}

impl Diagnosis {
    /// What the summary says, in a sentence.
    pub fn summary(&self) -> String {
        let count = |severity| self.findings.iter().filter(|f| f.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let counted = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let found = match (errors, warnings) {
            (errors, 0) => counted(errors, "error"),
            (0, warnings) => counted(warnings, "warning"),
            (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        };
        match self.outcome {
            Outcome::Sound if warnings == 0 => "nothing found".to_owned(),
            Outcome::Sound | Outcome::Wrong => found,
            Outcome::Inconclusive if warnings == 0 => "nothing found; not everything could be judged".to_owned(),
            Outcome::Inconclusive => format!("{found}; not everything could be judged"),
            Outcome::Unreachable => "not reachable".to_owned(),
        }
    }
}
