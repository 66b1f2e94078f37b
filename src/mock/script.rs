//! What happens to each call of the service: outages, troubles of single calls, kills. One decision for sockets and simulation.
//!
//! A *logical call* is counted once, however often a client library repeats it by itself. Two requests are the same logical
//! call when double, method and path are the same, a fault broke the earlier one, and either both carry the same
//! `Idempotency-Key` within [`KEYED_MS`], or query and body are the same too and the earlier one ended in a broken
//! connection less than [`UNKEYED_MS`] ago (what a library does at once on a fresh connection; an application waits
//! longer). A repetition meets what the first one met and advances no count, up to [`MOST_REPEATS`] times: libraries give
//! up after two.
//! Must not know: sockets, clocks; who reads the calls.

use super::{
    answer::{self, Answered},
    models::Models,
    outage::{self, Interference, Shape},
    stripe::Stripe,
    subject::Subjects,
};
use crate::{
    id::InstanceId,
    plan::model::{CallDoes, CallTrouble, KillAt, Outage, Plan},
    rng::Streams,
    scenario::{
        downstream::{AtCall, Moment, Which},
        fault::Double,
    },
    wire::{Request, Response},
};
use rand::RngExt;
use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// So long after a broken call the same `Idempotency-Key` is its repetition: Stripe's libraries wait half a second, then one.
const KEYED_MS: u64 = 1_500;

/// So long after a broken connection the same request without a key is its repetition.
const UNKEYED_MS: u64 = 50;

/// Repetitions that count as the same call.
const MOST_REPEATS: u32 = 2;

/// What a run does to the calls of its service, and how far it is with it.
#[derive(Clone, Debug)]
pub struct Script {
    stage: Stage,
    /// When the faults began: their times count from here.
    began_ms: u64,
    streams: Streams,
    outages: Vec<Outage>,
    troubles: Vec<Counted<CallTrouble>>,
    kills: Vec<Counted<(AtCall, u64)>>,
    broken: Vec<Broken>,
    subjects: Subjects,
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// None yet: the clean part of the plan.
    Clean,
    /// All faults are on.
    Faults,
    /// Those alone that are about a number of calls: they are finite, and their calls may come while the service drains.
    Draining,
    /// None.
    Over,
}

/// A fault of single calls with its counts.
#[derive(Clone, Debug)]
struct Counted<T> {
    what: T,
    /// Logical calls that fitted it.
    fitted: u32,
    /// Logical calls to which it happened.
    happened: u32,
}

impl<T> Counted<T> {
    const fn new(what: T) -> Self {
        Self { what, fitted: 0, happened: 0 }
    }
}

/// A call that a fault broke not long ago.
#[derive(Clone, Debug)]
struct Broken {
    same: Same,
    last_ms: u64,
    repeats: u32,
    decision: Decision,
}

/// What two requests of one logical call have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Same {
    number: u64,
    keyed: bool,
}

/// A call, as far as faults ask about it.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    of: Double,
    /// Whose errors it is answered with.
    shape: Shape,
    operation: &'a str,
    now_ms: u64,
    /// How long after now the next event comes of what it reads.
    next_ms: Option<u64>,
}

/// What is to happen to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Decision {
    /// How the caller sees it end, when not by an answer of the model.
    ending: Option<Ending>,
    /// In words; several are joined.
    fault: Option<String>,
    delay: Duration,
    lag_ms: Option<u64>,
    /// A read sees the state of so long ago.
    stale_ms: Option<u64>,
    kill_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// This answer, and the model hears nothing.
    Instead(Response),
    /// The model hears nothing; no answer.
    Unheard(Break),
    /// The model does it; no whole answer.
    Unseen(Break),
    /// The model does it; what comes back is no JSON.
    BrokenJson,
    /// The model does a batch but for so many of its inputs.
    InPart(u32),
}

/// How a connection ends that brings no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Break {
    /// Reset.
    Reset,
    /// Held open in silence.
    Silence,
    /// Closed after half of the answer.
    CutOff,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// What was asked, by its name in the history.
    pub operation: Cow<'static, str>,
    /// Answer with its delay, effects. The status of a call that gets no answer and was not done is 0.
    pub answered: Answered,
    /// How the connection ends when not by the whole answer.
    pub breaks: Option<Break>,
    /// Whether a fault kept the model's own answer from the caller.
    pub faulted: bool,
    /// What a fault did, in words.
    pub fault: Option<String>,
    /// Customers whom it names.
    pub about: Vec<InstanceId>,
    /// The service is to be killed now, and started again after so many milliseconds.
    pub kill_ms: Option<u64>,
}

impl Script {
    /// Nothing but outages.
    pub fn of_outages(outages: Vec<Outage>) -> Self {
        let (streams, troubles, kills, broken) = (Streams::new(0), Vec::new(), Vec::new(), Vec::new());
        let (stage, began_ms) = (Stage::Faults, 0);
        Self { stage, began_ms, streams, outages, troubles, kills, broken, subjects: Subjects::default() }
    }

    /// All that a plan does to calls.
    pub fn new(plan: &Plan) -> Self {
        let kills = plan.kills.iter().filter_map(|kill| match &kill.at {
            KillAt::AtCall(call) => Some(Counted::new((call.clone(), kill.restart_after_ms))),
            KillAt::OnAckOf(_) | KillAt::AtMs(_) | KillAt::StopAt(_) | KillAt::AtPoint(_) => None,
        });
        Self {
            stage: if plan.clean.is_some() { Stage::Clean } else { Stage::Faults },
            streams: Streams::new(plan.seed),
            outages: plan.outages.clone(),
            troubles: plan.troubles.iter().cloned().map(Counted::new).collect(),
            kills: kills.collect(),
            subjects: Subjects::new(plan),
            ..Self::of_outages(Vec::new())
        }
    }

    /// The faults begin, where a clean part came before them.
    pub fn begin(&mut self, now_ms: u64) {
        if self.stage == Stage::Clean {
            (self.stage, self.began_ms) = (Stage::Faults, now_ms);
        }
    }

    /// The quiet phase begins: what is not about a number of calls is over.
    pub fn drain(&mut self) {
        self.stage = Stage::Draining;
        // What broke a call may be over: its repetition is a call of its own.
        self.broken.clear();
    }

    /// Ends it: from now on every call is answered by its model.
    pub fn end(&mut self) {
        self.stage = Stage::Over;
    }

    /// Faults of single calls that never happened, in words: no call fitted them, or too few.
    pub fn unused(&self) -> Vec<String> {
        let troubles = self.troubles.iter().filter(|trouble| trouble.happened == 0).map(|trouble| trouble.what.what());
        let kills =
            self.kills.iter().filter(|kill| kill.happened == 0).map(|kill| format!("kill {}", kill.what.0.what()));
        troubles.chain(kills).collect()
    }

    /// Feeds all that decides what comes next to `state`; the plan is not part of it.
    pub fn hash_state<H: Hasher>(&self, state: &mut H) {
        (self.stage, self.began_ms).hash(state);
        self.troubles.iter().for_each(|trouble| (trouble.fitted, trouble.happened).hash(state));
        self.kills.iter().for_each(|kill| (kill.fitted, kill.happened).hash(state));
        self.broken.iter().for_each(|broken| (broken.same, broken.last_ms, broken.repeats).hash(state));
    }

    /// Decides what happens to a call at `now_ms`, lets the model do what is to be done, and says what became of it.
    pub fn call(&mut self, models: &mut Models, of: Double, now_ms: u64, request: &Request) -> Called {
        let operation = models.operation(of, request);
        let about = self.subjects.of(models, of, request);
        let next_ms = self.next_event(models, of, now_ms, request);
        let asked = Asked { of, shape: models.shape(of), operation: &operation, now_ms, next_ms };
        let Decision { ending, fault, delay, lag_ms, stale_ms, kill_ms } = self.decide(asked, request);
        let unheard = |response| Answered { operation: answer::DECLARED, response, effects: Vec::new() };
        let done = |models: &mut Models| match stale_ms {
            Some(by_ms) => models.handle_stale(of, now_ms, by_ms, request),
            None => models.handle_lagging(of, now_ms, request, lag_ms),
        };
        let (mut answered, breaks, faulted) = match ending {
            None => (done(models), None, false),
            Some(Ending::Instead(response)) => {
                let missing = of == Double::Stripe && response.status == 404;
                (unheard(if missing { Stripe::not_visible(request) } else { response }), None, true)
            }
            Some(Ending::Unheard(breaks)) => (unheard(Response::default()), Some(breaks), true),
            Some(Ending::Unseen(breaks)) => (done(models), Some(breaks), true),
            Some(Ending::InPart(fails)) => (models.handle_in_part(of, now_ms, request, fails), None, true),
            Some(Ending::BrokenJson) => {
                let mut answered = done(models);
                let half = answered.response.body.len() / 2;
                answered.response.body.truncate(half);
                (answered, None, true)
            }
        };
        answered.response.delay = delay;
        Called { operation, answered, breaks, faulted, fault, about, kill_ms }
    }

    /// How long after now the next event comes of what a read is about; asked where a fault waits for it.
    fn next_event(&self, models: &Models, of: Double, now_ms: u64, request: &Request) -> Option<u64> {
        let waits = |trouble: &Counted<CallTrouble>| matches!(trouble.what.does, CallDoes::Overtaken { .. });
        let wanted = of == Double::Stripe && self.troubles.iter().any(waits);
        wanted.then(|| models.stripe.next_event_ms(now_ms, request)).flatten()
    }

    fn decide(&mut self, asked: Asked<'_>, request: &Request) -> Decision {
        let Asked { of, shape, operation, now_ms, .. } = asked;
        let now_ms = now_ms.saturating_sub(self.began_ms);
        let asked = Asked { now_ms, ..asked };
        let mut decision = match self.stage {
            Stage::Faults => self.outage(of, shape, operation, now_ms),
            Stage::Draining => Decision::default(),
            Stage::Clean | Stage::Over => return Decision::default(),
        };
        if self.troubles.is_empty() && self.kills.is_empty() {
            return decision;
        }
        let same = Same::new(of, request);
        self.broken.retain(|broken| broken.is_recent(now_ms));
        if let Some(broken) = self.broken.iter_mut().find(|b| b.same == same && b.repeats < MOST_REPEATS) {
            (broken.last_ms, broken.repeats) = (now_ms, broken.repeats + 1);
            return broken.decision.clone();
        }
        self.troubles(&mut decision, asked, request);
        self.kills(&mut decision, of, operation);
        // A repetition after a kill comes from another process: it is a call of its own.
        if decision.ending.is_some() && decision.kill_ms.is_none() {
            self.broken.retain(|broken| broken.same != same);
            self.broken.push(Broken { same, last_ms: now_ms, repeats: 0, decision: decision.clone() });
        }
        decision
    }

    fn outage(&self, of: Double, shape: Shape, operation: &str, now_ms: u64) -> Decision {
        let Interference { answer, delay, fault } = outage::decide(&self.outages, of, shape, operation, now_ms);
        Decision { ending: answer.map(Ending::Instead), fault, delay, ..Decision::default() }
    }

    /// Of several troubles the first that ends the call does so, the longest delay counts; each counts for itself.
    fn troubles(&mut self, decision: &mut Decision, asked: Asked<'_>, request: &Request) {
        let Asked { of, shape, operation, .. } = asked;
        for Counted { what: trouble, fitted, happened } in &mut self.troubles {
            if trouble.of != of || !fits(trouble, asked, request) {
                continue;
            }
            *fitted += 1;
            let wanted = match trouble.which {
                Which::All => self.stage == Stage::Faults,
                Which::First(first) => *fitted <= first,
                Which::Nth(nth) => *fitted == nth,
            };
            let mut rng = self.streams.stream(&format!("fault/{}/call/{fitted}", trouble.fault));
            if !wanted || rng.random::<f64>() >= trouble.probability {
                continue;
            }
            *happened += 1;
            let ends = |ending| decision.ending.is_none().then_some(ending);
            let ending = match trouble.does {
                CallDoes::Answer { status, retry_after_s } => {
                    ends(Ending::Instead(outage::answer(shape, operation, status, retry_after_s)))
                }
                CallDoes::Hang => ends(Ending::Unheard(Break::Silence)),
                CallDoes::Reset => ends(Ending::Unheard(Break::Reset)),
                CallDoes::LostReply => ends(Ending::Unseen(Break::Reset)),
                CallDoes::TruncatedAnswer => ends(Ending::Unseen(Break::CutOff)),
                CallDoes::MalformedJson => ends(Ending::BrokenJson),
                CallDoes::PartialBatch { fails } => ends(Ending::InPart(fails)),
                CallDoes::LongTail { p50_ms, p99_ms } => {
                    decision.delay = decision.delay.max(long_tail(p50_ms, p99_ms, rng.random_range(1..=A_MILLION)));
                    decision.say(trouble.does.what());
                    None
                }
                CallDoes::Slow { least_ms, most_ms } => {
                    let drawn = Duration::from_millis(rng.random_range(least_ms..=most_ms.max(least_ms)));
                    decision.delay = decision.delay.max(drawn);
                    decision.say(trouble.does.what());
                    None
                }
                CallDoes::LaggingIndex { by_ms } => {
                    decision.lag_ms = decision.lag_ms.max(Some(by_ms));
                    decision.say(trouble.does.what());
                    None
                }
                CallDoes::Overtaken { by_ms } => {
                    let held = Duration::from_millis(asked.next_ms.unwrap_or(0).saturating_add(by_ms));
                    decision.delay = decision.delay.max(held);
                    decision.say(trouble.does.what());
                    None
                }
                CallDoes::StaleRead { by_ms } => {
                    decision.stale_ms = decision.stale_ms.max(Some(by_ms));
                    decision.say(trouble.does.what());
                    None
                }
            };
            if ending.is_some() {
                decision.ending = ending;
                decision.say(trouble.does.what());
            }
        }
    }

    fn kills(&mut self, decision: &mut Decision, of: Double, operation: &str) {
        for Counted { what: (at, restart_after_ms), fitted, happened } in &mut self.kills {
            if at.of != of || at.operation.as_deref().is_some_and(|wanted| wanted != operation) {
                continue;
            }
            *fitted += 1;
            if *fitted == at.nth {
                *happened += 1;
                decision.kill_ms = Some(*restart_after_ms);
                decision.ending = Some(match at.moment {
                    Moment::Before => Ending::Unheard(Break::Silence),
                    Moment::After => Ending::Unseen(Break::Silence),
                });
                decision.say(format!("held, and the service killed {} it takes effect", at.moment.word()));
            }
        }
    }
}

impl Decision {
    fn say(&mut self, what: String) {
        self.fault = Some(self.fault.take().map_or(what.clone(), |said| format!("{said}; {what}")));
    }
}

impl Broken {
    /// Whether a repetition may still come.
    fn is_recent(&self, now_ms: u64) -> bool {
        let within_ms = match (&self.decision.ending, self.same.keyed) {
            (_, true) => KEYED_MS,
            (Some(Ending::Unheard(_) | Ending::Unseen(_)), false) => UNKEYED_MS,
            (Some(Ending::Instead(_) | Ending::BrokenJson | Ending::InPart(_)) | None, false) => 0,
        };
        now_ms.saturating_sub(self.last_ms) < within_ms
    }
}

impl Same {
    fn new(of: Double, request: &Request) -> Self {
        let mut state = DefaultHasher::new();
        (of.word(), &request.method, &request.path).hash(&mut state);
        let key = request.header("idempotency-key");
        match key {
            Some(key) => key.hash(&mut state),
            None => (&request.query, &request.body).hash(&mut state),
        }
        Self { number: state.finish(), keyed: key.is_some() }
    }
}

/// Draws are whole numbers up to this, so that every machine computes the same time from one.
const A_MILLION: u64 = 1_000_000;

/// A time from a Pareto distribution (of shape 1, moved) that has the two percentiles; `rank` is the draw, 1 the slowest of a
/// million. Nothing is slower than one in a thousand, about ten times the 99th percentile.
fn long_tail(p50_ms: u64, p99_ms: u64, rank: u64) -> Duration {
    // t = a + b / s, where s is the part of the calls that are slower: a + 2b is the median, a + 100b the 99th percentile.
    let (p50_us, p99_us) = (i128::from(p50_ms) * 1000, i128::from(p99_ms) * 1000);
    let b = (p99_us - p50_us) / 98;
    let slower = i128::from(rank.max(A_MILLION / 1000));
    let micros = p50_us - 2 * b + b * i128::from(A_MILLION) / slower;
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn fits(trouble: &CallTrouble, asked: Asked<'_>, request: &Request) -> bool {
    let Asked { operation, now_ms, .. } = asked;
    // Only what is followed by an event can be overtaken, and only a read can be out of date.
    let overtaken = matches!(trouble.does, CallDoes::Overtaken { .. });
    let stale = matches!(trouble.does, CallDoes::StaleRead { .. });
    if (overtaken && asked.next_ms.is_none()) || (stale && request.method != "GET") {
        return false;
    }
    let in_time = now_ms >= trouble.from_ms && trouble.until_ms.is_none_or(|until_ms| now_ms < until_ms);
    let asked = match (&trouble.operation, trouble.does) {
        (Some(wanted), _) => wanted == operation,
        // What is not written reaches no index.
        (None, CallDoes::LaggingIndex { .. }) => operation.starts_with("create_") || operation.starts_with("update_"),
        (None, CallDoes::PartialBatch { .. }) => operation == "upsert_contacts",
        (None, _) => true,
    };
    in_time && asked && (trouble.about.is_empty() || trouble.about.iter().any(|name| names(request, name)))
}

/// Whether a request names something, in its path, its query or its body.
fn names(request: &Request, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    let path = request.path.replace("%40", "@");
    let body = || request.body.windows(name.len()).any(|part| part == name.as_bytes());
    path.contains(name) || request.query.iter().any(|(_, value)| value.contains(name)) || body()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::models::ModelOptions;

    fn trouble(does: CallDoes, which: Which) -> CallTrouble {
        let (operation, about) = (Some("create_contact".to_owned()), Vec::new());
        let (fault, of, probability) = (0, Double::Crm, 1.0);
        CallTrouble { fault, of, operation, about, which, from_ms: 0, until_ms: None, probability, does }
    }

    fn script(troubles: Vec<CallTrouble>) -> Script {
        let troubles = troubles.into_iter().map(Counted::new).collect();
        Script { troubles, ..Script::of_outages(Vec::new()) }
    }

    fn create(email: &str, key: Option<&str>) -> Request {
        let mut headers = vec![("authorization".to_owned(), "Bearer x".to_owned())];
        headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
        let body = format!("{{\"properties\":{{\"email\":\"{email}\"}}}}").into_bytes();
        let (method, path) = ("POST".to_owned(), "/crm/v3/objects/contacts".to_owned());
        Request { method, path, headers, body, ..Request::default() }
    }

    fn calls(script: &mut Script, calls: &[(u64, Request)]) -> Vec<Called> {
        let mut models = Models::new(&ModelOptions::default());
        calls.iter().map(|(at_ms, request)| script.call(&mut models, Double::Crm, *at_ms, request)).collect()
    }

    fn broken(script: &mut Script, list: &[(u64, Request)]) -> Vec<bool> {
        calls(script, list).iter().map(|called| called.faulted).collect()
    }

    #[test]
    fn first_and_nth_count_the_calls_that_fit() {
        let list: Vec<_> = (0..4).map(|n| (n * 1_000, create(&format!("c{n}@example.com"), None))).collect();
        let answer = CallDoes::Answer { status: 500, retry_after_s: None };
        assert_eq!(broken(&mut script(vec![trouble(answer, Which::First(2))]), &list), [true, true, false, false]);
        assert_eq!(broken(&mut script(vec![trouble(answer, Which::Nth(3))]), &list), [false, false, true, false]);
        let about = CallTrouble { about: vec!["c2@example.com".to_owned()], ..trouble(answer, Which::All) };
        assert_eq!(broken(&mut script(vec![about]), &list), [false, false, true, false]);
        let window = CallTrouble { from_ms: 1_000, until_ms: Some(2_000), ..trouble(answer, Which::All) };
        assert_eq!(broken(&mut script(vec![window]), &list), [false, true, false, false]);
        let nobody = CallTrouble { about: vec![String::new()], ..trouble(answer, Which::All) };
        assert_eq!(broken(&mut script(vec![nobody]), &list), [false; 4]);
    }

    #[test]
    fn chances_come_from_the_seed_and_are_those_that_were_asked_for() {
        let list: Vec<_> = (0..1_000).map(|n| (n * 1_000, create(&format!("c{n}@example.com"), None))).collect();
        let of = |seed| {
            let half = CallTrouble { probability: 0.25, ..trouble(CallDoes::Reset, Which::All) };
            broken(&mut Script { streams: Streams::new(seed), ..script(vec![half]) }, &list)
        };
        let hits = of(1).into_iter().filter(|hit| *hit).count();
        assert!((200..300).contains(&hits), "{hits} of 1000");
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn a_long_tail_has_the_percentiles_that_were_asked_for() {
        let list: Vec<_> = (0..20_000).map(|n| (n * 1_000, create(&format!("c{n}@example.com"), None))).collect();
        let does = CallDoes::LongTail { p50_ms: 20, p99_ms: 2_000 };
        let mut script = script(vec![trouble(does, Which::All)]);
        let mut models = Models::new(&ModelOptions::default());
        let mut took: Vec<u128> = list
            .iter()
            .map(|(at_ms, request)| {
                let called = script.call(&mut models, Double::Crm, *at_ms, request);
                assert!(!called.faulted, "slow is no failure");
                called.answered.response.delay.as_micros()
            })
            .collect();
        took.sort_unstable();
        let (median, p99, longest) = (took[10_000], took[19_800], took[19_999]);
        assert!((18_000..22_000).contains(&median), "{median}");
        assert!((1_600_000..2_500_000).contains(&p99), "{p99}");
        assert!((2_000_000..=21_000_000).contains(&longest), "{longest}");
        assert_eq!(long_tail(50, 50, 1), Duration::from_millis(50), "no tail");
    }

    #[test]
    fn a_batch_is_done_in_part_and_other_calls_are_left_alone() {
        let does = CallDoes::PartialBatch { fails: 1 };
        let mut script = script(vec![CallTrouble { operation: None, ..trouble(does, Which::First(1)) }]);
        let input =
            |email: &str| format!("{{\"id\":\"{email}\",\"idProperty\":\"email\",\"properties\":{{\"phase\":\"x\"}}}}");
        let body = format!("{{\"inputs\":[{},{}]}}", input("a@example.com"), input("b@example.com"));
        let path = "/crm/v3/objects/contacts/batch/upsert".to_owned();
        let batch = Request { path, body: body.into_bytes(), ..create("", None) };
        let called = calls(&mut script, &[(0, create("c@example.com", None)), (10, batch.clone()), (20, batch)]);
        let statuses: Vec<_> = called.iter().map(|called| called.answered.response.status).collect();
        let effects: Vec<_> = called.iter().map(|called| called.answered.effects.len()).collect();
        assert_eq!((statuses, effects), (vec![201, 207, 200], vec![1, 1, 1]), "{called:?}");
        let told: serde_json::Value = serde_json::from_slice(&called[1].answered.response.body).expect("JSON");
        assert_eq!((&told["numErrors"], &told["errors"][0]["context"]["ids"][0]), (&1.into(), &"b@example.com".into()));
        assert_eq!(told["results"][0]["new"], true);
    }

    #[test]
    fn a_library_that_repeats_a_call_does_not_advance_the_script() {
        let same = |at_ms, key| (at_ms, create("anna@example.com", key));
        let reset = || script(vec![trouble(CallDoes::Reset, Which::First(1))]);
        // At once on a fresh connection: the same call, broken again; the application's own try later is the second.
        assert_eq!(broken(&mut reset(), &[same(0, None), same(10, None), same(200, None)]), [true, true, false]);
        // With its key, however the library waits; a library gives up after two.
        let keyed = [same(0, Some("k")), same(500, Some("k")), same(1_500, Some("k")), same(1_600, Some("k"))];
        assert_eq!(broken(&mut reset(), &keyed), [true, true, true, false]);
        // Another key is another call; so is another body.
        assert_eq!(broken(&mut reset(), &[same(0, Some("k")), same(1, Some("l"))]), [true, false]);
        assert_eq!(broken(&mut reset(), &[same(0, None), (1, create("bo@example.com", None))]), [true, false]);
        // An error that was answered is the application's to repeat.
        let error = CallDoes::Answer { status: 503, retry_after_s: None };
        let answered = &mut script(vec![trouble(error, Which::First(1))]);
        assert_eq!(broken(answered, &[same(0, None), same(1, None)]), [true, false]);
    }

    #[test]
    fn the_model_does_what_the_caller_does_not_see_and_nothing_else() {
        for (does, done, breaks) in [
            (CallDoes::LostReply, 1, Some(Break::Reset)),
            (CallDoes::TruncatedAnswer, 1, Some(Break::CutOff)),
            (CallDoes::MalformedJson, 1, None),
            (CallDoes::Reset, 0, Some(Break::Reset)),
            (CallDoes::Hang, 0, Some(Break::Silence)),
            (CallDoes::Answer { status: 403, retry_after_s: None }, 0, None),
        ] {
            let called = calls(&mut script(vec![trouble(does, Which::All)]), &[(0, create("a@example.com", None))]);
            let [called] = called.as_slice() else { panic!("one call") };
            assert_eq!(
                (called.answered.effects.len(), called.breaks, called.faulted),
                (done, breaks, true),
                "{does:?}"
            );
            assert_eq!(called.fault.as_deref(), Some(does.what().as_str()));
            if does == CallDoes::MalformedJson {
                assert!(serde_json::from_slice::<serde_json::Value>(&called.answered.response.body).is_err());
            }
        }
    }

    #[test]
    fn a_kill_holds_the_nth_call_before_or_after_its_effect_once() {
        for (moment, done) in [(Moment::Before, 0), (Moment::After, 1)] {
            let at = AtCall { of: Double::Crm, operation: Some("create_contact".to_owned()), nth: 2, moment };
            let kills = vec![Counted::new((at, 700))];
            let mut script = Script { kills, ..Script::of_outages(Vec::new()) };
            let list: Vec<_> = (0..3).map(|n| (n, create(&format!("c{n}@example.com"), None))).collect();
            let called = calls(&mut script, &list);
            let kills: Vec<_> = called.iter().map(|called| called.kill_ms).collect();
            assert_eq!(kills, [None, Some(700), None]);
            assert_eq!((called[1].answered.effects.len(), called[1].breaks), (done, Some(Break::Silence)));
        }
    }

    #[test]
    fn while_the_service_drains_only_counted_faults_go_on_and_what_never_happened_is_told() {
        let list: Vec<_> = (0..3).map(|n| (n * 1_000, create(&format!("c{n}@example.com"), None))).collect();
        let error = CallDoes::Answer { status: 500, retry_after_s: None };
        let mut each = script(vec![trouble(error, Which::All)]);
        each.drain();
        assert_eq!(broken(&mut each, &list), [false; 3]);
        assert_eq!(each.unused(), ["crm create_contact: answers 500 [0]"]);
        let mut second = script(vec![trouble(error, Which::Nth(2))]);
        second.drain();
        assert_eq!(broken(&mut second, &list), [false, true, false]);
        assert!(second.unused().is_empty());
        let mut over = script(vec![trouble(error, Which::Nth(2))]);
        over.end();
        assert_eq!(broken(&mut over, &list), [false; 3]);
    }

    #[test]
    fn a_lagging_index_shows_a_write_later_and_an_end_ends_everything() {
        let mut models = Models::new(&ModelOptions::default());
        let mut script = script(vec![
            trouble(CallDoes::LaggingIndex { by_ms: 5_000 }, Which::All),
            trouble(CallDoes::Slow { least_ms: 10, most_ms: 20 }, Which::All),
        ]);
        let made = script.call(&mut models, Double::Crm, 0, &create("a@example.com", None));
        assert!(!made.faulted && made.fault.as_deref().is_some_and(|fault| fault.contains("5.000s")), "{made:?}");
        assert!((10..=20).contains(&made.answered.response.delay.as_millis()));
        assert_eq!(script.unused(), [] as [String; 0]);
        script.end();
        let body =
            br#"{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"a@example.com"}]}]}"#;
        let find = Request { path: "/crm/v3/objects/contacts/search".into(), body: body.to_vec(), ..create("", None) };
        let mut total = |at_ms| {
            let called = script.call(&mut models, Double::Crm, at_ms, &find);
            assert_eq!(called.fault, None);
            serde_json::from_slice::<serde_json::Value>(&called.answered.response.body).expect("JSON")["total"].clone()
        };
        assert_eq!((total(4_999), total(5_000)), (0.into(), 1.into()));
    }
}
