//! Reads the head of a declared double and what no table can know by itself: routes that are never reached, collections that
//! nothing is put into.
//!
//! Must not know: files, how a call is answered.

use super::{
    Answer, Auth, DeclaredDouble, Does, Idempotency, Json, Part, RateLimit, Route,
    answers::{answer, of_call},
    routes::{self, entries},
    template::Known,
};
use crate::scenario::{
    error::{ScenarioErrorKind as Kind, suggest},
    load::{read_said, read_version},
    raw::{At, Fields, Mistakes, fields},
    shape::{Shape, Tie},
};
use std::{collections::BTreeSet, time::Duration};
use toml::de::DeTable;

/// For how long a first answer is kept when nothing is said: as Stripe does.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Most calls that a rate limit may allow.
const MOST_CALLS: u64 = 1_000_000;

/// Reads a whole file.
pub(super) fn read(document: &DeTable<'_>, mistakes: &mut Mistakes) -> Option<DeclaredDouble> {
    let mut root = Fields::new("the double", 0..0, document);
    if !read_version(&mut root, mistakes) {
        return None;
    }
    let about = read_said(&mut root, "about", mistakes);
    let auth = auth(&mut root, mistakes);
    let rate_limit = rate_limit(&mut root, mistakes);
    let idempotency = idempotency(&mut root, mistakes);
    let nowhere = Answer::json(404, Json::said("error", "there is no such route"));
    let unknown = answer(&mut root, "unknown", nowhere, &Known::default(), mistakes);
    root.tie(Tie::AtLeast(&["route"]));
    let found = entries(&mut root, "route", mistakes);
    if found.is_empty() {
        let help = "add a [[route]] with name, method and path";
        mistakes.add_help(root.span(), Kind::MissingKey, "there is no [[route]]: nothing would be answered", help);
    }
    let all = found.len();
    let routes: Vec<At<Route>> = found.into_iter().filter_map(|entry| routes::route(entry, mistakes)).collect();
    root.close(mistakes);
    if routes.len() == all {
        together(&routes, mistakes);
    }
    let routes = routes.into_iter().map(|at| at.value).collect();
    Some(DeclaredDouble { about: about?, auth, rate_limit, idempotency, unknown, routes })
}

fn auth(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Auth> {
    let mut on = fields(root.get_as("auth", Shape::Inner)?, "[auth]", mistakes)?;
    let header = on.need_text_as("header", Shape::Said, mistakes).map(|typed| typed.value.to_lowercase());
    let like = on.text_as("like", Shape::Said, mistakes).map(|typed| typed.value.to_owned());
    let usual = Answer::json(401, Json::said("error", "unauthorized"));
    let refusal = answer(&mut on, "refusal", usual, &Known::default(), mistakes);
    on.close(mistakes);
    Some(Auth { header: header?, like, refusal })
}

fn rate_limit(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<RateLimit> {
    let mut on = fields(root.get_as("rate_limit", Shape::Inner)?, "[rate_limit]", mistakes)?;
    let calls = on.need_count("calls", 1..MOST_CALLS + 1, mistakes);
    let per = on.need_positive("per", mistakes);
    let usual = Answer::json(429, Json::said("error", "too many requests"));
    let refusal = answer(&mut on, "refusal", usual, &Known::default(), mistakes);
    on.close(mistakes);
    Some(RateLimit { calls: calls?.value, per: per?, refusal })
}

fn idempotency(root: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Idempotency> {
    let mut on = fields(root.get_as("idempotency", Shape::Inner)?, "[idempotency]", mistakes)?;
    let key = on.need_text_as("key", Shape::Said, mistakes);
    let key = key.and_then(|typed| of_call(&typed, &Known::default(), mistakes));
    let keep = on.positive("keep", KEPT, mistakes);
    let usual = Answer::json(409, Json::said("error", "this key came with another content before"));
    let conflict = answer(&mut on, "conflict", usual, &Known::default(), mistakes);
    on.close(mistakes);
    Some(Idempotency { key: key?, keep, conflict })
}

/// What shows in all routes together.
fn together(routes: &[At<Route>], mistakes: &mut Mistakes) {
    for (n, route) in routes.iter().enumerate() {
        let before = || routes[..n].iter().map(|at| &at.value);
        if before().any(|other| other.name == route.value.name) {
            let message = format!("there is a route `{}` already", route.value.name);
            mistakes.add_help(&route.span, Kind::DuplicateName, message, "faults address a route by its name");
        }
        if let Some(other) = before().find(|other| other.when.is_empty() && same_place(other, &route.value)) {
            let message = format!("`{}` is never reached: `{}` takes its calls", route.value.name, other.name);
            mistakes.add_help(&route.span, Kind::Conflict, message, "put the one with `when` first");
        }
    }
    let actions = || routes.iter().flat_map(|at| at.value.actions.iter().map(move |action| (action, &at.span)));
    let filled: BTreeSet<&str> = actions()
        .filter(|(action, _)| match action.does {
            Does::Insert { .. } | Does::Upsert { .. } | Does::Add { create: true, .. } => true,
            Does::Update { .. }
            | Does::Delete { .. }
            | Does::Find { .. }
            | Does::List { .. }
            | Does::Add { create: false, .. } => false,
        })
        .map(|(action, _)| action.collection.as_str())
        .collect();
    let names: Vec<&str> = filled.iter().copied().collect();
    for (action, span) in actions().filter(|(action, _)| !filled.contains(action.collection.as_str())) {
        let message = format!("nothing is ever put into `{}`", action.collection);
        mistakes.add_help(span, Kind::Conflict, message, suggest(&action.collection, &names));
    }
}

fn same_place(one: &Route, other: &Route) -> bool {
    let same = |(a, b): (&Part, &Part)| match (a, b) {
        (Part::Literal(a), Part::Literal(b)) => a == b,
        // A parameter takes any text.
        (Part::Parameter(_), _) => true,
        (Part::Literal(_), Part::Parameter(_)) => false,
    };
    one.method == other.method && one.path.len() == other.path.len() && one.path.iter().zip(&other.path).all(same)
}
