//! What stands around the webhook: it turns deliveries away before anybody looks at their signature, and answers what is no
//! event. In the sound service nothing turns away; the deliberate defects are those of proxies, frameworks and middleware.
//!
//! Pure, so that the simulated server has the same door as the live one. Must not know: what is in a body.

use super::defects::{Defect, Defects};

/// A delivery, as far as the door looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// Path of the request.
    pub path: &'a str,
    /// What a proxy says of the way to it (`X-Forwarded-Proto`).
    pub forwarded_proto: Option<&'a str>,
    /// Whether it carries a cookie.
    pub cookie: bool,
    /// Bytes of the body.
    pub length: usize,
}

/// What body parsers of web frameworks take at most when nobody has told them otherwise.
const SMALL_BODY: usize = 100 * 1024;

/// The status and the words that a delivery is turned away with, if it is.
pub fn turned_away(knock: &Knock<'_>, defects: &Defects) -> Option<(u16, &'static str)> {
    if defects.has(Defect::RedirectsSlash) && knock.path.ends_with('/') {
        return Some((308, "without the slash"));
    }
    if defects.has(Defect::RedirectsPlainHttp) && knock.forwarded_proto == Some("http") {
        return Some((301, "over https"));
    }
    if defects.has(Defect::CsrfInFront) && !knock.cookie {
        return Some((403, "the form's token is missing"));
    }
    if defects.has(Defect::SmallBodies) && knock.length > SMALL_BODY {
        return Some((413, "the body is too large"));
    }
    defects.has(Defect::SecretUnsetFails).then_some((500, "the request cannot be handled"))
}

/// How a body that is no event is answered, however well it is signed.
pub fn no_event(defects: &Defects) -> (u16, &'static str) {
    if defects.has(Defect::MalformedAccepted) {
        return (200, "received");
    }
    if defects.has(Defect::MalformedFails) {
        return (500, "the request cannot be handled");
    }
    (400, "the body is not an event")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_defect_turns_away() {
        let odd = Knock { path: "/webhooks/stripe/", forwarded_proto: Some("http"), cookie: false, length: 200_000 };
        assert_eq!(turned_away(&odd, &Defects::none()), None);
        let plain = Knock { path: "/webhooks/stripe", forwarded_proto: None, cookie: true, length: 2_000 };
        for (defect, status) in [
            (Defect::RedirectsSlash, 308),
            (Defect::RedirectsPlainHttp, 301),
            (Defect::CsrfInFront, 403),
            (Defect::SmallBodies, 413),
        ] {
            let defects = Defects::from_iter([defect]);
            assert_eq!(turned_away(&odd, &defects).map(|(status, _)| status), Some(status));
            assert_eq!(turned_away(&plain, &defects), None, "{defect:?}");
        }
    }
}
