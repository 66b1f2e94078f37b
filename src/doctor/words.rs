//! Each cause in words: what it is, why it matters, what to do.
//!
//! Must not know: what was seen.

use super::finding::Cause;

/// A cause in words.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) why: &'static str,
    pub(super) fix: &'static str,
}

const fn words(title: &'static str, why: &'static str, fix: &'static str) -> Words {
    Words { title, why, fix }
}

/// The words of a cause.
pub(super) const fn of(cause: Cause) -> Words {
    match cause {
        Cause::HostNotFound
        | Cause::ConnectionRefused
        | Cause::NoAnswer
        | Cause::BrokenOff
        | Cause::PlainHttp
        | Cause::NotFound
        | Cause::PostRefused => reach(cause),
        Cause::RedirectToHttps
        | Cause::RedirectToHost
        | Cause::RedirectSlash
        | Cause::Redirect
        | Cause::AuthInFront
        | Cause::CsrfInFront
        | Cause::BotProtection
        | Cause::PageAnswers
        | Cause::RateLimit => in_front(cause),
        Cause::TlsSelfSigned
        | Cause::TlsExpired
        | Cause::TlsNotYetValid
        | Cause::TlsWrongName
        | Cause::TlsIncompleteChain
        | Cause::TlsUnknownAuthority
        | Cause::TlsTooOld
        | Cause::TlsBroken
        | Cause::TlsExpiresSoon => tls(cause),
        Cause::SignatureNotChecked
        | Cause::OnlyFirstSignature
        | Cause::OnlyLastSignature
        | Cause::SeveralSignaturesRefused
        | Cause::NoTolerance
        | Cause::OneSidedTolerance
        | Cause::FutureAccepted
        | Cause::ErrorOnBadSignature => checks(cause),
        Cause::EnvironmentMissing
        | Cause::ServerError
        | Cause::ContentTypeRefused
        | Cause::BodyReserialised
        | Cause::BodyParsed
        | Cause::WrongSecret
        | Cause::EventTypeRefused
        | Cause::ApiVersionRefused
        | Cause::DeliveryRefused
        | Cause::RedeliveryRefused => refusals(cause),
        Cause::SecretInAnswer
        | Cause::SignatureInAnswer
        | Cause::TraceInAnswer
        | Cause::InternalsInAnswer
        | Cause::BodyLimit
        | Cause::SlowAnswer
        | Cause::CorsOpen
        | Cause::GetAnswered
        | Cause::Cacheable
        | Cause::HealthMissing => surface(cause),
    }
}

const LOST: &str = "Stripe counts it as failed, tries again for three days in live mode, and then gives the event up.";

const fn reach(cause: Cause) -> Words {
    match cause {
        Cause::HostNotFound => words(
            "the host name has no address",
            LOST,
            "Look for a typing error in the URL, and whether the DNS record is there and public: ask a resolver that is not \
             your own.",
        ),
        Cause::ConnectionRefused => words(
            "nobody listens there",
            LOST,
            "Start the app, look at which address and port it listens (0.0.0.0 in a container, not 127.0.0.1), and whether a \
             firewall stands in between.",
        ),
        Cause::NoAnswer => words(
            "nothing comes back in time",
            LOST,
            "If not even a connection is made, a firewall drops the packets. If it is, the handler waits for something (a \
             database, a CRM) before it answers, or the body is never read: answer 2xx first and work afterwards from a queue.",
        ),
        Cause::BrokenOff => words(
            "the connection is closed without an answer",
            LOST,
            "Look into the app's log for a crash at this moment; look whether this port speaks https while the URL says http.",
        ),
        Cause::PlainHttp => words(
            "the URL is not https",
            "Stripe delivers live events to https alone; on the way anybody could read and keep them.",
            "Put TLS in front and register the https URL.",
        ),
        Cause::NotFound => words(
            "there is nothing at this path",
            LOST,
            "Compare the path with the route in the app: a prefix such as /api, a trailing slash, a name in other case; in \
             Next.js the file must be app/…/route.ts and export POST.",
        ),
        _ => words(
            "the path takes no POST",
            LOST,
            "Route POST to the webhook handler: in Next.js export a function named POST, in Django and Rails look at the \
             allowed methods of the route.",
        ),
    }
}

const REDIRECTED: &str =
    "Stripe does not follow redirects: a 3xx is a failed delivery, and the event is tried again until it is given up.";

const fn in_front(cause: Cause) -> Words {
    match cause {
        Cause::RedirectToHttps => words(
            "http is redirected to https",
            REDIRECTED,
            "Register the https address at Stripe, the one that is shown above.",
        ),
        Cause::RedirectToHost => words(
            "it redirects to another host",
            REDIRECTED,
            "Register the host that answers itself (with or without www), or leave the webhook path out of the redirect.",
        ),
        Cause::RedirectSlash => words(
            "it redirects for a slash at the end",
            REDIRECTED,
            "Register the URL exactly as the route has it, with or without the last slash; or leave the path out of the rule \
             (Django APPEND_SLASH, Next.js trailingSlash, nginx).",
        ),
        Cause::Redirect => words(
            "it redirects",
            REDIRECTED,
            "Register the address that answers itself, or leave the webhook path out of the redirect.",
        ),
        Cause::AuthInFront => words(
            "a login stands in front of the handler",
            "Stripe cannot log in: good deliveries get the same answer as bad ones, and the handler never sees them.",
            "Take the webhook path out of the login (middleware matcher, before_action, decorator, basic auth of a staging \
             site, protection of preview deployments). The signature is what tells Stripe from others.",
        ),
        Cause::CsrfInFront => words(
            "a check against forged forms (CSRF) stands in front of the handler",
            "Stripe has no cookie and no token of your forms: every delivery is refused before it is verified.",
            "Take the webhook path out of it: @csrf_exempt in Django, skip_forgery_protection in Rails, validateCsrfTokens \
             except in Laravel. The signature does its work.",
        ),
        Cause::BotProtection => words(
            "a firewall takes the sender for a robot",
            "Stripe is one, and cannot solve its question: deliveries never reach the handler.",
            "Let POSTs to the webhook path pass the firewall, or those from Stripe's published addresses.",
        ),
        Cause::PageAnswers => words(
            "a page for people answers, not a webhook handler",
            "It says 200 to everything, so Stripe believes that events were taken while nobody has seen them.",
            "The path falls through to the pages of the app (a catch-all route of a single-page app): correct the path, or \
             route it to the handler before the catch-all.",
        ),
        _ => words(
            "a limit on the rate of requests refuses deliveries",
            "Stripe sends in bursts (renewals at the beginning of a month); a 429 is a failed delivery and comes back later, \
             out of order.",
            "Take the webhook path out of the limit. If the work is too much, queue it and answer 2xx at once.",
        ),
    }
}

const fn tls(cause: Cause) -> Words {
    const WHY: &str =
        "Stripe verifies certificates and hangs up: no event is ever delivered. A browser may still show the page.";
    match cause {
        Cause::TlsSelfSigned => words(
            "the certificate is self-signed",
            WHY,
            "Get one from a public authority (Let's Encrypt, your host), or put a proxy with one in front.",
        ),
        Cause::TlsExpired => {
            words("the certificate is over", WHY, "Renew it, and look why it was not renewed by itself.")
        }
        Cause::TlsNotYetValid => {
            words("the certificate is not valid yet", WHY, "Correct the clock of whoever made it, or wait.")
        }
        Cause::TlsWrongName => words(
            "the certificate is for another name",
            WHY,
            "Get one that names this host (www and the apex are two names), or register the host that it names.",
        ),
        Cause::TlsIncompleteChain => words(
            "a certificate is missing between the server's and the authority's",
            "Browsers fetch or remember it and show nothing; Stripe does not, and hangs up.",
            "Let the server send the whole chain: fullchain.pem instead of cert.pem, in nginx ssl_certificate, in Apache \
             SSLCertificateFile.",
        ),
        Cause::TlsUnknownAuthority => words(
            "the certificate is from an authority that nobody knows",
            WHY,
            "Get one from a public authority. For a private one on the way, --ca-file trusts it for this examination; Stripe \
             never does.",
        ),
        Cause::TlsTooOld => words(
            "it speaks no TLS newer than 1.1",
            "Stripe delivers over TLS 1.2 or newer: there is no handshake.",
            "Switch TLS 1.2 and 1.3 on (ssl_protocols in nginx, the policy of the load balancer).",
        ),
        Cause::TlsExpiresSoon => words(
            "the certificate ends soon",
            "From then on no event is delivered, and nothing in the app will say so.",
            "Renew it now, and look why it was not renewed by itself.",
        ),
        _ => words(
            "there is no TLS handshake",
            "Stripe cannot deliver.",
            "Look whether this port speaks https at all, and what the server's log says about the handshake.",
        ),
    }
}

const fn checks(cause: Cause) -> Words {
    match cause {
        Cause::SignatureNotChecked => words(
            "events with a bad signature, or with none, are acknowledged",
            "Anybody who knows the URL can say that a customer has paid. (If they are refused inside and answered 2xx, that \
             looks the same from outside, and a wrong secret would lose every event without anybody noticing.)",
            "Verify the signature over the raw body with Stripe's library before anything else, and answer 400 when it fails.",
        ),
        Cause::OnlyFirstSignature => words(
            "of several signatures only the first is tried",
            "While a secret is rolled, Stripe signs with both for up to a day, and the order is not promised: half of the \
             deliveries may fail.",
            "Try every `v1` of the header, or leave the verification to Stripe's library.",
        ),
        Cause::OnlyLastSignature => words(
            "of several signatures only the last is tried",
            "While a secret is rolled, Stripe signs with both for up to a day, and the order is not promised: half of the \
             deliveries may fail.",
            "Try every `v1` of the header (a parser into a map keeps the last one), or leave it to Stripe's library.",
        ),
        Cause::SeveralSignaturesRefused => words(
            "a header with two signatures is refused",
            "While a secret is rolled, Stripe signs with both for up to a day: every delivery fails then.",
            "Try every `v1` of the header, or leave the verification to Stripe's library.",
        ),
        Cause::NoTolerance => words(
            "the time of a signature is not looked at",
            "Whoever has one delivery (from a log, a proxy) can send it again for ever.",
            "Refuse what was signed more than five minutes ago or ahead: pass a tolerance of 300 seconds, not 0 and not none \
             (0 switches the check off in several libraries).",
        ),
        Cause::OneSidedTolerance => words(
            "old signatures are taken, only those from the future are refused",
            "Whoever has one delivery (from a log, a proxy) can send it again for ever.",
            "The difference is taken the wrong way round: compare the absolute value of now - t with 300 seconds.",
        ),
        Cause::FutureAccepted => words(
            "signatures from the future are taken",
            "Stripe's own libraries for Node, Python, Ruby and Go do the same, so this is no mistake of yours; nobody can make \
             such a signature without the secret.",
            "Nothing has to be done. Those of PHP, .NET and Rust refuse both.",
        ),
        _ => words(
            "a bad signature is answered with a server error",
            "A 5xx says that the app is broken: alarms go off for every forged request, and Stripe tries again what can never \
             succeed.",
            "Catch the library's signature error and answer 400.",
        ),
    }
}

const fn refusals(cause: Cause) -> Words {
    match cause {
        Cause::EnvironmentMissing => words(
            "variables that the app needs are not there",
            "An app that starts without them fails at the first event, or quietly does half of the work.",
            "Set them where the app runs, and let it refuse to start without them.",
        ),
        Cause::ServerError => words(
            "a good delivery is answered with a server error",
            LOST,
            "Look into the app's log at this moment. Before verification it is mostly a secret that is not set; after it, a \
             handler that expects fields which this event has not.",
        ),
        Cause::ContentTypeRefused => words(
            "the content type of Stripe's deliveries is refused",
            LOST,
            "Take `application/json; charset=utf-8` (the parameter too), or do not look at the content type at all.",
        ),
        Cause::BodyReserialised => words(
            "the body is read and written anew before it is verified",
            "The signature covers bytes. Stripe's spelling differs from what your language writes, so every real event is \
             refused, while tests that sign their own JSON pass.",
            "Verify the raw body: express.raw() on this route before express.json(), await req.text() in Next.js, request.body \
             in Django, request.raw_post in Rails, io.ReadAll(r.Body) in Go.",
        ),
        Cause::BodyParsed => words(
            "the body is parsed before it is verified",
            "The signature covers bytes, and those are gone when a parser has read them: every real event is refused.",
            "Keep JSON parsers away from this route, or keep the raw bytes: express.raw() before express.json(), bodyParser \
             off in Next.js pages, a verify callback in Fastify and Nest.",
        ),
        Cause::WrongSecret => words(
            "the app verifies with another secret",
            "Good deliveries get the same answer as forged ones: every event is lost.",
            "Give the app the secret of this very endpoint: test and live have different ones, so has each endpoint, and `stripe \
             listen` has its own. Look for a blank or a quote around it, and restart the app. If it is right, the app may \
             refuse this type of event as if it were forged: name one that it takes with --event-type.",
        ),
        Cause::EventTypeRefused => words(
            "events of a type that the app does not know are refused",
            "Stripe adds types, and an endpoint may be subscribed to more than it needs; refused ones come back for three days, \
             and an endpoint that keeps failing is disabled.",
            "Answer 2xx to every event whose signature is good, known or not.",
        ),
        Cause::ApiVersionRefused => words(
            "events written in another version of Stripe's API are refused",
            "Libraries of Go and .NET compare versions: after an upgrade of either side every event is refused.",
            "Pin the version of the endpoint at Stripe to that of the library, or tell the library to ignore the difference.",
        ),
        Cause::DeliveryRefused => words(
            "a good delivery is refused after it was verified",
            LOST,
            "Look into the app's log at this moment. If it only takes certain events, name one with --event-type.",
        ),
        _ => words(
            "an event that was seen before is refused",
            "Stripe delivers more than once, also after a 2xx: a refused repetition comes back for three days, and an endpoint \
             that keeps failing is disabled.",
            "Answer 2xx to an event that is known already, and do nothing.",
        ),
    }
}

const fn surface(cause: Cause) -> Words {
    match cause {
        Cause::SecretInAnswer => words(
            "an answer lets a secret out",
            "Whoever asks can read it, and sign events or call Stripe with it.",
            "Roll the secret now, and answer errors with a fixed text.",
        ),
        Cause::SignatureInAnswer => words(
            "the answer to a wrong signature tells the right one",
            "Whoever asks is told how to sign an event of his own: sent once more, it is taken.",
            "Answer a fixed text, and never write the expected signature into an error.",
        ),
        Cause::TraceInAnswer => words(
            "an answer shows a stack trace",
            "It tells strangers which code runs and where; Stripe shows it to all who may see the Dashboard.",
            "Switch the debug pages off (NODE_ENV=production, DEBUG = False) and answer errors with a fixed text.",
        ),
        Cause::InternalsInAnswer => words(
            "an answer shows a path or an error of the database",
            "It tells strangers how the app is built.",
            "Answer errors with a fixed text, and write the rest to the log.",
        ),
        Cause::BodyLimit => words(
            "a body of a size that Stripe sends is refused",
            "Invoices with many lines and objects with much metadata are that large: just those events are lost.",
            "Raise the limit of this route to 1 MB or more (express.json({ limit }), client_max_body_size in nginx, \
             DATA_UPLOAD_MAX_MEMORY_SIZE in Django, MaxBytesReader in Go).",
        ),
        Cause::SlowAnswer => words(
            "acknowledgements take long",
            "A sender that waits too long counts the delivery as failed and sends it again while the first is still worked on.",
            "Store the event, answer 2xx, and do the work afterwards.",
        ),
        Cause::CorsOpen => words(
            "pages of other sites may post to the endpoint",
            "Browsers have no business here; an open endpoint lets any page try deliveries from its visitors' browsers.",
            "Leave the webhook path out of the CORS middleware.",
        ),
        Cause::GetAnswered => words(
            "a GET is answered as if something were there",
            "Crawlers and link previews call it; if it does something, they do it too, and a proxy may keep the answer.",
            "Answer 405 to everything but POST.",
        ),
        Cause::Cacheable => words(
            "answers may be kept by a cache",
            "A proxy that answers from its store acknowledges events that the app has never seen.",
            "Send `Cache-Control: no-store`, and leave the path out of the CDN's rules.",
        ),
        _ => words(
            "there is no health endpoint",
            "Whoever starts, deploys or watches the app cannot tell whether it is ready.",
            "Answer 200 at a path that needs no login, and name it with --health.",
        ),
    }
}
