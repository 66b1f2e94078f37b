//! Delivers the events that the Stripe double makes, as Stripe does: signed afresh at each attempt, each event by itself,
//! again after a growing wait until it is taken.
//!
//! Must not know: plans, what an event means.

use super::{clock::wall_now, http::Sender};
use crate::{
    history::record::Outcome,
    stripe::{
        headers::delivery_headers,
        retry::RetrySchedule,
        signature::{Secret, header, sign},
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How often the double is asked for new events.
const LOOK: Duration = Duration::from_millis(50);
/// Longest that an endpoint may take, as with `stripe listen`.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where events go.
#[derive(Clone, Debug)]
pub struct Deliverer {
    /// The endpoint.
    pub url: String,
    /// Its signing secret.
    pub secret: Secret,
    /// Waits between attempts.
    pub retries: RetrySchedule,
}

/// Waits of a person's try-out: a service that restarts is served within seconds, and one that stays away for minutes too.
pub fn patient() -> RetrySchedule {
    RetrySchedule::custom([1, 2, 4, 8, 15, 30, 60, 60, 60, 60].map(Duration::from_secs).into())
}

impl Deliverer {
    /// Delivers what `made` answers (events from a number on, with their ids) until it is dropped.
    pub async fn run(self, made: impl Fn(usize) -> Vec<(String, Arc<str>)> + Send) {
        let (sender, mut under_way, mut seen) = (Sender::new(), JoinSet::new(), 0);
        loop {
            let events = made(seen);
            seen += events.len();
            for (id, body) in events {
                under_way.spawn(self.clone().deliver(sender.clone(), id, body));
            }
            while under_way.try_join_next().is_some() {}
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn deliver(self, sender: Sender, id: String, body: Arc<str>) {
        for attempt in 1.. {
            if self.attempt(&sender, &body).await {
                return;
            }
            let Some(wait) = self.retries.wait_after(attempt) else { break };
            tokio::time::sleep(wait).await;
        }
        eprintln!("deliverer: failed to deliver {id}: the endpoint did not take it in any attempt");
    }

    async fn attempt(&self, sender: &Sender, body: &str) -> bool {
        let now = wall_now().secs();
        let signature = header(now, &[sign(self.secret.expose(), now, body.as_bytes())]);
        let headers = delivery_headers(std::slice::from_ref(&signature));
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = sender.send("POST", &self.url, &headers, body, TIMEOUT).await;
        answer.is_ok_and(|answer| answer.outcome == Outcome::Acked)
    }
}
