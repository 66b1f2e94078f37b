//! The headers of a real delivery, so that middleware, firewalls and content negotiation of the app meet what they
//! will meet in production.
//!
//! Must not know: HTTP libraries. `Host`, `Content-Length` and the connection belong to the client that sends.

/// Headers of one attempt, names in lower case. `signatures` are the values of `Stripe-Signature`, a line each; none leaves it out.
///
/// Values as captured from a real delivery (Braze's documentation of its Stripe webhook, HTTP/1.1 POST). The odd
/// `Accept` is Stripe's own: old Rails servers log the request "as XML" because of it. `Accept-Encoding` is kept, so an
/// app may answer with gzip. The capture does not show `Content-Type`; its charset is what recordings report.
pub fn delivery_headers(signatures: &[String]) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("cache-control", "no-cache".to_owned()),
        ("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)".to_owned()),
        ("accept-encoding", "gzip".to_owned()),
        ("accept", "*/*; q=0.5, application/xml".to_owned()),
        ("content-type", "application/json; charset=utf-8".to_owned()),
    ];
    headers.extend(signatures.iter().map(|value| ("stripe-signature", value.clone())));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_left_out_when_there_is_none() {
        let with = delivery_headers(&["t=1,v1=ab".to_owned()]);
        assert_eq!(with.last(), Some(&("stripe-signature", "t=1,v1=ab".to_owned())));
        let without = delivery_headers(&[]);
        assert_eq!(without[..], with[..with.len() - 1]);
        assert!(with.iter().all(|(name, _)| *name == name.to_lowercase()));
    }
}
