//! Signed events without end: one story of the fixtures, lived by one new customer after another.

use hookdrill::stripe::{
    import::ImportOptions,
    recording::Recording,
    signature::{header, sign},
};
use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Secret of the endpoint.
pub(crate) const SECRET: &str = "whsec_of_the_load_bench_0123456789";

/// The events of one story with places for a number.
pub(crate) struct Events {
    templates: Vec<Vec<String>>,
    next: u64,
}

impl Events {
    /// The purchase of the fixtures.
    pub(crate) fn load() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkout-subscription");
        let recording = Recording::load(&folder, ImportOptions::default()).expect("a recording");
        let story = recording.story.as_ref().expect("a story");
        let named = [&story.customer, &story.subscription, &story.session, &story.user].into_iter().flatten();
        let mut words: Vec<String> = named.cloned().collect();
        for recorded in &recording.events {
            words.push(recorded.event.id.to_string());
            let object = recorded.event.object();
            words.extend(object["id"].as_str().map(str::to_owned));
        }
        words.extend(story.email.as_ref().and_then(|email| email.split('@').next()).map(|name| format!("{name}@")));
        // The longest first: a short one may stand inside it.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.dedup();
        let template = |body: &str| cut(body, &words);
        Self { templates: recording.events.iter().map(|r| template(&r.event.body)).collect(), next: 0 }
    }

    /// The next `count` events as whole HTTP requests, signed now.
    pub(crate) fn requests(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.request()).collect()
    }

    fn request(&mut self) -> Vec<u8> {
        let all = self.templates.len() as u64;
        // A hundred customers live through their stories side by side.
        let (block, within) = (self.next / (100 * all), self.next % (100 * all));
        let (event, customer) = (within / 100, block * 100 + within % 100);
        self.next += 1;
        let body = self.templates[usize::try_from(event).unwrap_or(0)].join(&format!("{customer:010}"));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let at = i64::try_from(since.as_secs()).expect("before the end of time");
        let signature = header(at, &[sign(SECRET, at, body.as_bytes())]);
        format!(
            "POST /webhooks/stripe HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json; charset=utf-8\r\n\
             user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\nstripe-signature: {signature}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// The pieces of `body` between the places where a number goes: at the end of each word's first part, so that prefixes stay.
fn cut(body: &str, words: &[String]) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = body;
    'next: while let Some(first) = rest.chars().next() {
        for word in words {
            if let Some(after) = rest.strip_prefix(word.as_str()) {
                let keep = if word.ends_with('@') { word.len() - 1 } else { word.len().saturating_sub(10) };
                let piece = pieces.last_mut().expect("never empty");
                piece.push_str(&word[..keep]);
                pieces.push(if word.ends_with('@') { "@".to_owned() } else { String::new() });
                rest = after;
                continue 'next;
            }
        }
        pieces.last_mut().expect("never empty").push(first);
        rest = &rest[first.len_utf8()..];
    }
    pieces
}
