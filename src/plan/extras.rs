//! Deliveries besides the genuine ones: forgeries, events of others, second events, a second endpoint; and genuine ones in
//! another form.
//!
//! Must not know: targets, clocks, what the service answers.

use super::{
    bodies,
    cast::{Bodies, Draft, Stage, instance, millis},
    faults::{BEFORE_MS, Picks},
    model::{DeliveryKind, Instance, Phase, Reaction, Signing},
};
use crate::{
    id::EventId,
    rng::Streams,
    scenario::forms::{BadSignature, BodyForm, Expects, Foreign, GoodSignature},
    stripe::rekey::Rekeyer,
};
use rand::RngExt;
use serde_json::{Value, json};
use std::time::Duration;

/// What the plan calls the reaction that a scenario expects.
pub(super) const fn reaction(expects: Expects) -> Reaction {
    match expects {
        Expects::Accept => Reaction::Accept,
        Expects::Refuse => Reaction::Refuse,
        Expects::Either => Reaction::Either,
    }
}

/// Another spelling or shape, of every copy that exists so far.
pub(super) fn body(stage: &mut Stage<'_>, n: usize, picks: &Picks, how: BodyForm) {
    for at in picks.within_run(&stage.drafts) {
        stage.drafts[at].body = formed(&mut stage.bodies, &stage.drafts[at].body, how);
        stage.drafts[at].faults.push(n);
    }
}

/// The hash of a kept body in another form.
pub(super) fn formed(kept: &mut Bodies, hash: &str, how: BodyForm) -> String {
    let text = bodies::form(how, kept.get(hash));
    kept.keep(&text)
}

/// A good signature of another form, at every copy that exists so far.
pub(super) fn signed(stage: &mut Stage<'_>, n: usize, picks: &Picks, how: GoodSignature) {
    for at in picks.within_run(&stage.drafts) {
        stage.drafts[at].signature = Signing::Good(how);
        stage.drafts[at].faults.push(n);
    }
}

/// All leave at one moment.
pub(super) fn burst(stage: &mut Stage<'_>, n: usize, picks: &Picks, at: Duration) {
    for draft in picks.within_run(&stage.drafts) {
        stage.drafts[draft].at_ms = millis(at);
        stage.drafts[draft].faults.push(n);
    }
}

/// A bad signature before the genuine delivery. What must be refused has the content of a customer who does not exist,
/// under the id of the genuine event; what may be accepted is the genuine body, for then it must do no harm.
pub(super) fn forged(stage: &mut Stage<'_>, n: usize, picks: &Picks, signature: BadSignature, expects: Expects) {
    let mut ghosts = Ghosts::default();
    for at in picks.genuine(&stage.drafts) {
        let genuine = stage.drafts[at].clone();
        let bad = Signing::Bad(signature);
        if expects != Expects::Refuse {
            let kind = DeliveryKind::OddlySigned(signature);
            stage.drafts.push(Draft { signature: bad, ..extra(&genuine, at, kind, reaction(expects), n) });
            continue;
        }
        let (ghost, body) = ghosts.imitate(stage, &genuine, |_| {});
        let kind = DeliveryKind::Forged(signature);
        stage.drafts.push(Draft {
            ghost: Some(ghost),
            body,
            signature: bad,
            ..extra(&genuine, at, kind, Reaction::Refuse, n)
        });
    }
}

/// An event of somebody or something else before the genuine one.
pub(super) fn foreign(stage: &mut Stage<'_>, n: usize, picks: &Picks, how: Foreign, expects: Expects) {
    let mut ghosts = Ghosts::default();
    for at in picks.genuine(&stage.drafts) {
        let genuine = stage.drafts[at].clone();
        let draft = extra(&genuine, at, DeliveryKind::Foreign(how), reaction(expects), n);
        let id = other_id(genuine.event.as_ref().map_or("", EventId::as_str), n, stage.streams);
        let draft = match how {
            Foreign::ConnectAccount | Foreign::OtherMode => {
                let (ghost, body) = ghosts.imitate(stage, &genuine, |event| strange(event, how, &id));
                Draft { ghost: Some(ghost), event: Some(EventId::new(id)), body, ..draft }
            }
            Foreign::OtherProduct => {
                let event: Value = serde_json::from_str(stage.bodies.get(&genuine.body)).unwrap_or_default();
                let body = stage.bodies.keep(&format!("{:#}", other_product(&event, &id)));
                Draft { event: Some(EventId::new(id)), event_type: OTHER_PRODUCT.to_owned(), body, ..draft }
            }
            Foreign::Thin | Foreign::EventBridge => {
                let event: Value = serde_json::from_str(stage.bodies.get(&genuine.body)).unwrap_or_default();
                let body = if how == Foreign::Thin { thin(&event, &id) } else { eventbridge(event, &id) };
                let body = stage.bodies.keep(&format!("{body:#}"));
                Draft { event: None, event_type: how.word().to_owned(), body, ..draft }
            }
        };
        stage.drafts.push(draft);
    }
}

/// The same change under the id of another event, after the genuine one.
pub(super) fn second_event(stage: &mut Stage<'_>, n: usize, picks: &Picks, spacing: Duration, expects: Expects) {
    for at in picks.genuine(&stage.drafts) {
        let genuine = stage.drafts[at].clone();
        let first = genuine.event.as_ref().map_or("", EventId::as_str);
        let id = other_id(first, n, stage.streams);
        let text = stage.bodies.get(&genuine.body).replacen(&format!("\"{first}\""), &format!("\"{id}\""), 1);
        let body = stage.bodies.keep(&text);
        stage.drafts.push(Draft {
            event: Some(EventId::new(id)),
            body,
            offset_ms: i64::try_from(millis(spacing)).unwrap_or(i64::MAX),
            ..extra(&genuine, at, DeliveryKind::SecondEvent, reaction(expects), n)
        });
    }
}

/// The same event at the same moment, from a second endpoint with a secret of its own.
pub(super) fn second_endpoint(stage: &mut Stage<'_>, n: usize, picks: &Picks, expects: Expects) {
    for at in picks.genuine(&stage.drafts) {
        let genuine = stage.drafts[at].clone();
        stage.drafts.push(Draft {
            signature: Signing::SecondEndpoint,
            offset_ms: 0,
            ..extra(&genuine, at, DeliveryKind::SecondEndpoint, reaction(expects), n)
        });
    }
}

/// Customers who do not exist, one for all faults that imitate the same instance. Genuine drafts stand instance by
/// instance: one re-keyer at a time is enough.
#[derive(Default)]
struct Ghosts {
    current: Option<(usize, usize, Rekeyer)>,
}

impl Ghosts {
    /// The place of the ghost, and the hash of the genuine event's imitation under the genuine id, changed by `change`.
    fn imitate(&mut self, stage: &mut Stage<'_>, genuine: &Draft, change: impl Fn(&mut Value)) -> (usize, String) {
        let (of, ghost, rekeyer) = match self.current.take() {
            Some(current) if current.0 == genuine.life => current,
            _ => ghost(stage, genuine.life),
        };
        let life = &stage.lives[genuine.life];
        let imitation = rekeyer.rekey(&life.recording.events[genuine.index].event, life.shift_secs);
        let id = genuine.event.as_ref().map_or("", EventId::as_str);
        let mut text = imitation.body.replace(&format!("\"{}\"", imitation.id), &format!("\"{id}\""));
        let mut event: Value = serde_json::from_str(&text).unwrap_or_default();
        let before = event.clone();
        change(&mut event);
        if event != before {
            text = format!("{event:#}");
        }
        let body = stage.bodies.keep(&text);
        self.current = Some((of, ghost, rekeyer));
        (ghost, body)
    }
}

/// Index of the instance, index of its ghost, re-keyer of its content.
fn ghost(stage: &mut Stage<'_>, of: usize) -> (usize, usize, Rekeyer) {
    let life = &stage.lives[of];
    let id = format!("{}/ghost", life.instance.id);
    let rekeyer = Rekeyer::new(stage.keys, &id, &id, life.recording);
    let ghosts = &mut stage.ghosts;
    let place = *stage.ghost_of.entry(of).or_insert_with(|| {
        let ghost = instance(&id, &life.instance.story, &id, &rekeyer, life.recording);
        ghosts.push(Instance { ghost: true, ..ghost });
        ghosts.len() - 1
    });
    (of, place, rekeyer)
}

fn strange(event: &mut Value, how: Foreign, id: &str) {
    let live = event.get("livemode").and_then(Value::as_bool).unwrap_or(false);
    let Some(envelope) = event.as_object_mut() else { return };
    envelope.insert("id".to_owned(), id.into());
    match how {
        Foreign::ConnectAccount => drop(envelope.insert("account".to_owned(), json!("acct_1ConnectedElsewhere"))),
        Foreign::OtherMode => drop(envelope.insert("livemode".to_owned(), json!(!live))),
        Foreign::OtherProduct | Foreign::Thin | Foreign::EventBridge => {}
    }
}

/// An event type of Stripe Identity, which has no customer.
const OTHER_PRODUCT: &str = "identity.verification_session.verified";

fn other_product(genuine: &Value, id: &str) -> Value {
    let session = id.replace("evt_", "vs_");
    json!({
        "id": id,
        "object": "event",
        "api_version": genuine["api_version"],
        "created": genuine["created"],
        "data": {"object": {"id": session, "object": "identity.verification_session", "status": "verified", "type": "document"}},
        "livemode": genuine["livemode"],
        "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "type": OTHER_PRODUCT,
    })
}

fn thin(genuine: &Value, id: &str) -> Value {
    let object = genuine.pointer("/data/object/id").cloned().unwrap_or(Value::Null);
    json!({
        "id": id,
        "object": "v2.core.event",
        "type": format!("v1.{}", genuine["type"].as_str().unwrap_or_default()),
        "created": "2026-01-01T00:00:00.000Z",
        "livemode": genuine["livemode"],
        "context": null,
        "related_object": {"id": object, "type": genuine.pointer("/data/object/object"), "url": null},
        "reason": null,
    })
}

fn eventbridge(genuine: Value, id: &str) -> Value {
    json!({
        "version": "0",
        "id": id,
        "detail-type": genuine["type"],
        "source": "aws.partner/stripe.com/ed_test_elsewhere",
        "account": "000000000000",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": genuine,
    })
}

/// An event id of the same length that belongs to no recorded event.
pub(super) fn other_id(genuine: &str, n: usize, streams: Streams) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rng = streams.stream(&format!("fault/{n}/unknown/{genuine}"));
    let length = genuine.len().saturating_sub("evt_".len()).max(14);
    let letters = (0..length).map(|_| char::from(LETTERS[(rng.random::<u32>() % 62) as usize]));
    "evt_".chars().chain(letters).collect()
}

/// An extra delivery that goes with a genuine one: nothing is owed for it.
pub(super) fn extra(genuine: &Draft, at: usize, kind: DeliveryKind, expect: Reaction, n: usize) -> Draft {
    Draft {
        kind,
        phase: Phase::Faults,
        signature: Signing::Genuine,
        drop_first: 0,
        transport: Vec::new(),
        expect,
        owed: false,
        faults: vec![n],
        genuine: Some(at),
        offset_ms: -(BEFORE_MS as i64),
        ..genuine.clone()
    }
}
