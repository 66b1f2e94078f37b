//! Pure model of a declared double: finds the route, does to the state what it says, counts effects, fills in the answer.
//!
//! Must not know: sockets, clocks, faults, the file that it was read from, who counts.

mod fill;
mod state;

use super::{
    answer::{Answered, DECLARED, segments},
    effect::Effect,
};
use crate::{
    id::DoubleName,
    scenario::declared::{
        Action, Answer, Body, Condition, DeclaredDouble, EffectRule, Idempotency, Part, Route, Source, Test,
    },
    time::Timestamp,
    wire::{Request, Response},
};
use fill::{Scope, like, text_of};
use serde_json::Value;
use sha2::{Digest, Sha256};
use state::{Done, State, Undo};
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// Name of a call that no route fits.
pub const UNKNOWN: &str = "unknown";

/// First answers that are kept for repeated calls, at most; the ones that end first go first.
const MOST_KEPT: usize = 10_000;

/// A declared double and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    name: DoubleName,
    spec: Arc<DeclaredDouble>,
    /// Wall time of millisecond 0.
    epoch: Timestamp,
    state: State,
    /// Calls of routes so far.
    served: u64,
    /// Window of the rate limit, and calls in it.
    window: (u64, u64),
    kept: BTreeMap<String, Kept>,
}

/// The first answer to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    until_ms: u64,
    /// Digest of the call.
    same: Vec<u8>,
    response: Response,
}

impl Hash for Declared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.served, self.window, self.kept.len()).hash(state);
        self.state.hash(state);
    }
}

impl Declared {
    /// An empty one; `epoch` is the wall time of millisecond 0.
    pub fn new(name: DoubleName, spec: Arc<DeclaredDouble>, epoch: Timestamp) -> Self {
        let (state, kept) = (State::default(), BTreeMap::new());
        Self { name, spec, epoch, state, served: 0, window: (0, 0), kept }
    }

    /// What the history calls this request: the name of its route, or `unknown`.
    pub fn operation(&self, request: &Request) -> &str {
        self.route(request).map_or(UNKNOWN, |(route, _)| route.name.as_str())
    }

    /// Texts of what the double holds of those whom a request names by a key in its path, and the key of a repeated call.
    pub fn texts_about(&self, request: &Request) -> Vec<String> {
        let Some((_, parameters)) = self.route(request) else { return Vec::new() };
        let key = self.spec.idempotency.as_ref().map(|idempotency| &idempotency.key);
        let header = match key {
            Some(Source::Header(name)) => request.header(name).map(str::to_owned),
            _ => None,
        };
        parameters.values().flat_map(|key| self.state.texts(key)).chain(header).collect()
    }

    /// Answers one call at `now_ms` after the start of the run.
    pub fn handle(&mut self, now_ms: u64, request: &Request) -> Answered {
        let (response, effects) = self.answered(now_ms, request);
        Answered { operation: DECLARED, response, effects }
    }

    fn route(&self, request: &Request) -> Option<(&Route, BTreeMap<String, String>)> {
        let at = segments(&request.path);
        // The root has no parts.
        let at = if at == [""] { Vec::new() } else { at };
        let mut scope = None;
        self.spec.routes.iter().filter(|route| route.method == request.method).find_map(|route| {
            let parameters = parameters(&route.path, &at)?;
            if route.when.is_empty() {
                return Some((route, parameters));
            }
            let scope = scope.get_or_insert_with(|| Scope::of(request));
            scope.path.clone_from(&parameters);
            hold(&route.when, scope, &self.state).then_some((route, parameters))
        })
    }

    fn answered(&mut self, now_ms: u64, request: &Request) -> (Response, Vec<Effect>) {
        let spec = Arc::clone(&self.spec);
        let mut scope = Scope::of(request);
        scope.now = self.epoch + Duration::from_millis(now_ms);
        let Some((name, parameters)) = self.route(request).map(|(route, path)| (route.name.clone(), path)) else {
            return (self.response(&spec.unknown, &scope), Vec::new());
        };
        let Some(route) = spec.routes.iter().find(|route| route.name == name) else {
            return (self.response(&spec.unknown, &scope), Vec::new());
        };
        self.served += 1;
        scope.path = parameters;
        scope.new = (self.name, self.served);
        if let Some(refusal) = self.refused(&spec, now_ms, request, &scope) {
            return (refusal, Vec::new());
        }
        let key = spec.idempotency.as_ref().and_then(|on| key_of(on, route, &scope, &self.state));
        let same = || digest(request);
        if let (Some(on), Some(key)) = (&spec.idempotency, &key)
            && let Some(kept) = self.kept.get(key).filter(|kept| kept.until_ms > now_ms)
        {
            let again = kept.same == same();
            let response = if again { kept.response.clone() } else { self.response(&on.conflict, &scope) };
            return (response, Vec::new());
        }
        let (response, effects) = self.done(route, scope);
        if let (Some(on), Some(key)) = (&spec.idempotency, key)
            && (200..300).contains(&response.status)
        {
            self.keep(key, now_ms, on.keep, Kept { until_ms: 0, same: same(), response: response.clone() });
        }
        (response, effects)
    }

    /// Whether a call of a route is refused before anything is looked at.
    fn refused(&mut self, spec: &DeclaredDouble, now_ms: u64, request: &Request, scope: &Scope) -> Option<Response> {
        if let Some(auth) = &spec.auth {
            let given = request.header(&auth.header).filter(|given| !given.trim().is_empty());
            let fits = |given: &str| auth.like.as_ref().is_none_or(|wanted| like(wanted, given));
            if !given.is_some_and(fits) {
                return Some(self.response(&auth.refusal, scope));
            }
        }
        let limit = spec.rate_limit.as_ref()?;
        let per_ms = u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX).max(1);
        let window = now_ms / per_ms;
        self.window = if self.window.0 == window { (window, self.window.1 + 1) } else { (window, 1) };
        if self.window.1 <= limit.calls {
            return None;
        }
        let mut response = self.response(&limit.refusal, scope);
        if response.header("retry-after").is_none() {
            let left_ms = (window + 1) * per_ms - now_ms;
            response.headers.push(("retry-after".to_owned(), left_ms.div_ceil(1000).max(1).to_string()));
        }
        Some(response)
    }

    fn done(&mut self, route: &Route, mut scope: Scope) -> (Response, Vec<Effect>) {
        if route.need.iter().any(|source| scope.value(source, &self.state).is_none_or(|value| is_blank(&value))) {
            return (self.response(&route.refusal, &scope), Vec::new());
        }
        let (mut undo, mut changed) = (Undo::default(), false);
        for action in &route.actions {
            match self.act(action, &mut scope, &mut undo) {
                Ok(has_changed) => changed |= has_changed,
                Err(refusal) => {
                    self.state.undo(undo);
                    let refusal = match refusal {
                        Refusal::Of(action) => &action.otherwise,
                        Refusal::NoKey => &route.refusal,
                        Refusal::Full => {
                            let why = serde_json::json!({ "error": "the double is full; start it anew or reset it" });
                            return (Response::json(507, &why), Vec::new());
                        }
                    };
                    return (self.response(refusal, &scope), Vec::new());
                }
            }
        }
        let counts = |rule: &&EffectRule| (changed || !rule.if_changed) && hold(&rule.when, &scope, &self.state);
        let effects = route.effects.iter().filter(counts).map(|rule| self.effect(rule, &scope)).collect();
        (self.response(&route.answer, &scope), effects)
    }

    fn act<'a>(&mut self, action: &'a Action, scope: &mut Scope, undo: &mut Undo) -> Result<bool, Refusal<'a>> {
        let done = self.state.act(action, scope, undo);
        let (shown, changed) = match done {
            Done::Item { shown, changed } => (Some(shown), changed),
            Done::Listed => (None, false),
            Done::Not => return Err(Refusal::Of(action)),
            Done::NoKey => return Err(Refusal::NoKey),
            Done::Full => return Err(Refusal::Full),
        };
        if let Some(shown) = shown {
            scope.results.insert(action.result.clone(), shown);
        }
        Ok(changed)
    }

    fn effect(&self, rule: &EffectRule, scope: &Scope) -> Effect {
        let filled = rule.fields.iter().map(|(name, template)| (name.clone(), scope.text(template, &self.state)));
        Effect::Declared {
            double: self.name,
            effect: rule.name.clone(),
            key: scope.text(&rule.key, &self.state),
            fields: filled.filter(|(_, value)| !value.is_empty()).collect(),
        }
    }

    fn response(&self, answer: &Answer, scope: &Scope) -> Response {
        let mut headers: Vec<(String, String)> =
            answer.headers.iter().map(|(name, template)| (name.clone(), scope.text(template, &self.state))).collect();
        let (kind, body) = match &answer.body {
            Body::Empty => ("", Vec::new()),
            Body::Text(template) => ("text/plain; charset=utf-8", scope.text(template, &self.state).into_bytes()),
            Body::Json(json) => ("application/json", scope.json(json, &self.state).to_string().into_bytes()),
        };
        if !kind.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        Response { status: answer.status, headers, body, delay: Duration::ZERO }
    }

    fn keep(&mut self, key: String, now_ms: u64, keep: Duration, kept: Kept) {
        if self.kept.len() >= MOST_KEPT {
            self.kept.retain(|_, kept| kept.until_ms > now_ms);
        }
        if self.kept.len() >= MOST_KEPT
            && let Some(first) = self.kept.iter().min_by_key(|(_, kept)| kept.until_ms).map(|(key, _)| key.clone())
        {
            self.kept.remove(&first);
        }
        let until_ms = now_ms.saturating_add(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        self.kept.insert(key, Kept { until_ms, ..kept });
    }
}

/// Why nothing is done.
enum Refusal<'a> {
    /// An action cannot be done.
    Of(&'a Action),
    /// A key is empty.
    NoKey,
    /// There is room for no further item.
    Full,
}

/// The key of a call that may be repeated; a read always may.
fn key_of(on: &Idempotency, route: &Route, scope: &Scope, state: &State) -> Option<String> {
    let key = scope.value(&on.key, state).map(|value| text_of(&value)).filter(|key| !key.trim().is_empty());
    key.filter(|_| route.idempotent && route.method != "GET")
}

fn digest(request: &Request) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [request.method.as_bytes(), request.path.as_bytes(), &request.body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    for (name, value) in &request.query {
        hash.update(format!("{name}={value}&"));
    }
    hash.finalize().to_vec()
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// The parameters of a path that fits.
fn parameters(path: &[Part], at: &[String]) -> Option<BTreeMap<String, String>> {
    if path.len() != at.len() {
        return None;
    }
    let mut parameters = BTreeMap::new();
    for (part, text) in path.iter().zip(at) {
        match part {
            Part::Literal(wanted) if wanted == text => {}
            Part::Literal(_) => return None,
            Part::Parameter(_) if text.is_empty() => return None,
            Part::Parameter(name) => drop(parameters.insert(name.clone(), text.clone())),
        }
    }
    Some(parameters)
}

fn hold(conditions: &[Condition], scope: &Scope, state: &State) -> bool {
    conditions.iter().all(|condition| {
        let value = scope.value(&condition.of, state).filter(|value| !value.is_null());
        match (&condition.test, value) {
            (Test::Present(wanted), value) => value.is_some() == *wanted,
            (Test::Is(_) | Test::Like(_), None) => false,
            // Of a form or a query everything is text.
            (Test::Is(wanted), Some(value)) => value == *wanted || text_of(&value) == text_of(wanted),
            (Test::Like(wanted), Some(value)) => like(wanted, &text_of(&value)),
        }
    })
}
