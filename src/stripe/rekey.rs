//! STAND-IN of the scenario branch, only so that it compiles and its tests run: take the stripe branch's file.

use super::{event::Event, recording::Recording};
use crate::rng::Streams;
use std::collections::BTreeMap;

/// Stand-in.
#[derive(Clone, Debug)]
pub struct Rekeyer {
    tokens: BTreeMap<String, String>,
}

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn same_length(streams: Streams, key: &str, original: &str) -> String {
    let keep = original.rfind('_').map_or(0, |at| at + 1);
    let digest = streams.digest(&format!("rekey/{key}/{original}"));
    let tail = (keep..original.len()).map(|i| char::from(LETTERS[usize::from(digest[i % 32]) % 62]));
    original[..keep].chars().chain(tail).collect()
}

fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => {
            let prefix = text.split('_').next().unwrap_or("");
            if ["evt", "cus", "sub", "in", "cs", "pi", "ch", "user"].contains(&prefix) && text.len() > 5 {
                into.push(text.clone());
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        serde_json::Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "type" && *key != "object" && *key != "event")
            .for_each(|(key, item)| {
                let _ = key;
                collect(item, into);
            }),
        _ => {}
    }
    if let serde_json::Value::Object(map) = value
        && let Some(inner @ serde_json::Value::Object(_)) = map.get("object")
    {
        collect(inner, into);
    }
}

impl Rekeyer {
    /// Stand-in.
    pub fn new(seed: u64, instance: &str, person: &str, recording: &Recording) -> Self {
        let streams = Streams::new(seed);
        let mut found = Vec::new();
        for recorded in &recording.events {
            collect(&serde_json::from_str(&recorded.event.body).unwrap_or_default(), &mut found);
        }
        let mut tokens: BTreeMap<String, String> =
            found.into_iter().map(|t| (t.clone(), same_length(streams, instance, &t))).collect();
        if let Some(story) = &recording.story {
            for id in [&story.customer, &story.subscription, &story.session].into_iter().flatten() {
                tokens.insert(id.clone(), same_length(streams, instance, id));
            }
            if let Some(user) = &story.user {
                tokens.insert(user.clone(), same_length(streams, person, user));
            }
            if let Some(email) = &story.email {
                let name = same_length(streams, person, "abcdefgh").to_lowercase();
                tokens.insert(email.clone(), format!("{name}@example.com"));
            }
        }
        Self { tokens }
    }

    /// Stand-in.
    pub fn rekey(&self, event: &Event, shift_secs: i64) -> Event {
        let mut body = event.body.to_string();
        for (from, to) in &self.tokens {
            body = body.replace(&format!("\"{from}\""), &format!("\"{to}\""));
        }
        let created = event.created + shift_secs;
        body = body.replace(&format!("\"created\":{}", event.created), &format!("\"created\":{created}"));
        Event::parse(&body).unwrap_or_else(|_| event.clone())
    }

    /// Stand-in.
    pub fn token(&self, original: &str) -> String {
        self.tokens.get(original).cloned().unwrap_or_else(|| original.to_owned())
    }
}
