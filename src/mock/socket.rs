//! The doubles behind real sockets: one wiremock server in front of each model, a relay of ours in front of that, and a
//! record of every call.
//!
//! wiremock answers the calls of one server one after the other; a model is locked only while it computes an answer, and
//! delays are awaited by wiremock outside of any lock. Recording is off, `expect` is unused (it panics on drop). wiremock
//! still keeps a copy of each matched request until the server is dropped, about the size of the request.
//! Must not know: who reads the calls.

use super::{
    effect::{Contact, Ticket},
    models::{ModelOptions, Models},
    relay::{self, Relay},
    script::{Called, Script},
    stripe::BadEvent,
};
use crate::{
    history::record::Call,
    plan::model::{Outage, Plan},
    scenario::fault::Double,
    wire::{Request, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc::UnboundedSender;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// Milliseconds after the start of the run, at the moment of the call.
pub type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What the doubles are started with.
pub struct DoublesOptions {
    /// Where doubles listen; on a free port of the loopback interface when not named.
    pub listen: BTreeMap<Double, SocketAddr>,
    /// How the models behave.
    pub models: ModelOptions,
    /// When they misbehave.
    pub outages: Vec<Outage>,
    /// The run's clock.
    pub now_ms: Now,
    /// Where every call is reported, with the time at which it came; a closed receiver is no error.
    pub calls: UnboundedSender<(u64, Call)>,
}

impl fmt::Debug for DoublesOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoublesOptions")
            .field("listen", &self.listen)
            .field("models", &self.models)
            .field("outages", &self.outages)
            .finish_non_exhaustive()
    }
}

/// Why the doubles did not start.
#[derive(Debug, thiserror::Error)]
pub enum DoublesError {
    /// Another program listens there.
    #[error(
        "listen on {address} for the {} double: the port is taken; stop what listens there, or choose another port (0 takes a free one)",
        name(.double)
    )]
    PortTaken {
        /// Which double.
        double: Double,
        /// Where it should listen.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("listen on {address} for the {} double: {reason}", name(.double))]
    Listen {
        /// Which double.
        double: Double,
        /// Where it should listen.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
}

fn name(double: &Double) -> &str {
    match double {
        Double::Crm => "CRM",
        Double::Support => "support",
        Double::Stripe => "Stripe API",
        Double::Alerts => "alerts",
        Double::Declared(name) => name.as_str(),
    }
}

/// Running doubles; they stop when this is dropped.
#[derive(Debug)]
pub struct Doubles {
    servers: BTreeMap<Double, (Relay, MockServer)>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    now_ms: Now,
    calls: UnboundedSender<(u64, Call)>,
}

#[derive(Debug)]
struct State {
    options: ModelOptions,
    /// Calls that were answered, and how many are at most.
    answered: (u64, Option<u64>),
    models: Models,
    script: Script,
    kills_ms: Vec<u64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Doubles {
    /// Starts all doubles.
    ///
    /// # Errors
    /// [`DoublesError`] when an address cannot be listened on; then none runs.
    pub async fn start(options: DoublesOptions) -> Result<Self, DoublesError> {
        let declared = options.models.declared.keys().map(|name| Double::Declared(*name));
        let listeners = Double::WORDS
            .iter()
            .map(|(_, double)| *double)
            .chain(declared)
            .map(|double| Ok((double, listen(double, options.listen.get(&double).copied())?)))
            .collect::<Result<Vec<_>, DoublesError>>()?;
        let script = Script::of_outages(options.outages);
        let state = State {
            models: Models::new(&options.models),
            options: options.models,
            answered: (0, None),
            script,
            kills_ms: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), now_ms: options.now_ms, calls: options.calls });
        let mut servers = BTreeMap::new();
        for (double, listener) in listeners {
            let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            let server = serve(double, &shared).await;
            let relay = Relay::start(listener, *server.address());
            let relay = relay.map_err(|reason| DoublesError::Listen { double, address, reason })?;
            servers.insert(double, (relay, server));
        }
        Ok(Self { servers, shared })
    }

    /// Base URL of a double, without a slash at the end.
    pub fn url(&self, of: Double) -> String {
        self.servers.get(&of).map(|(relay, _)| url(relay.address())).unwrap_or_default()
    }

    /// After so many calls everything is answered 507 until [`Self::reset`]: for doubles that run for days.
    pub fn limit(&self, most: u64) {
        self.shared.state().answered.1 = Some(most);
    }

    /// Empties every double, and lets go of what is kept of calls.
    pub async fn reset(&self) {
        {
            let mut state = self.shared.state();
            state.models = Models::new(&state.options);
            state.answered.0 = 0;
        }
        for (double, (_, server)) in &self.servers {
            // wiremock keeps the calls of a mock until it is taken away.
            server.reset().await;
            mount(server, *double, &self.shared).await;
        }
    }

    /// Every double with its base URL, in the order of their words.
    pub fn listening(&self) -> Vec<(Double, String)> {
        self.servers.keys().map(|double| (*double, self.url(*double))).collect()
    }

    /// Base URL of every double with the name that stands for it in braces, as in `{crm_url}`.
    pub fn addresses(&self) -> BTreeMap<String, String> {
        let name = |double: &Double| match double {
            Double::Stripe => "stripe_api_url".to_owned(),
            Double::Declared(name) => name.brace(),
            Double::Crm | Double::Support | Double::Alerts => format!("{}_url", double.word()),
        };
        self.servers.keys().map(|double| (name(double), self.url(*double))).collect()
    }

    /// Base URL of the CRM, without a slash at the end.
    pub fn crm_url(&self) -> String {
        self.url(Double::Crm)
    }

    /// Base URL of the support desk, without a slash at the end.
    pub fn support_url(&self) -> String {
        self.url(Double::Support)
    }

    /// A contact made by the CRM's own people before the run; returns its id. See [`Crm::give`].
    pub fn give_contact(&self, properties: BTreeMap<String, String>) -> String {
        self.shared.state().models.give(properties)
    }

    /// Events that the Stripe double made itself; see [`super::stripe::Stripe::made_since`].
    pub fn made_events(&self, from: usize) -> Vec<(String, Arc<str>)> {
        let mut state = self.shared.state();
        let now_ms = (self.shared.now_ms)();
        state.models.stripe.made_since(now_ms, from)
    }

    /// All contacts and tickets as they are now.
    pub fn ledger(&self) -> (Vec<Contact>, Vec<Ticket>) {
        let state = self.shared.state();
        state.models.ledger()
    }

    /// An event that Stripe's list holds from `at_ms` on.
    ///
    /// # Errors
    /// When the body is no event.
    pub fn give_event(&self, at_ms: u64, body: &str) -> Result<(), BadEvent> {
        self.shared.state().models.stripe.give_event(at_ms, body)
    }

    /// From now on all happens to calls that a plan asks for: outages, troubles of single calls, kills.
    pub fn follow(&self, plan: &Plan) {
        self.shared.state().script = Script::new(plan);
    }

    /// A kill that a call has asked for since the last time: until when the service stays dead, milliseconds. The call is
    /// held until its caller is gone.
    pub fn take_kill(&self) -> Option<u64> {
        self.shared.state().kills_ms.pop()
    }

    /// Begins the faults of a plan with a clean part, whose times count from now; those of another have begun already.
    pub fn faults_begin(&self) {
        let now_ms = (self.shared.now_ms)();
        self.shared.state().script.begin(now_ms);
    }

    /// Ends all faults but those that are about a number of calls: the quiet phase begins.
    pub fn faults_off(&self) {
        self.shared.state().script.drain();
    }

    /// Ends all faults.
    pub fn faults_over(&self) {
        self.shared.state().script.end();
    }

    /// Faults of single calls that never happened, in words.
    pub fn unused_faults(&self) -> Vec<String> {
        self.shared.state().script.unused()
    }
}

impl Shared {
    /// A responder that panicked leaves a model that is whole: answers are computed before anything is stored.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time, effect and report of a call are taken under one lock, so that the order of the calls is that of the effects.
    fn answer(&self, double: Double, request: &Request) -> Response {
        let mut guard = self.state();
        let now_ms = (self.now_ms)();
        let state = &mut *guard;
        state.answered.0 += 1;
        if state.answered.1.is_some_and(|most| state.answered.0 > most) {
            return Response::json(507, &serde_json::json!({ "error": "the doubles are full; reset them" }));
        }
        let double = state.models.whose(double, request);
        let called = state.script.call(&mut state.models, double, now_ms, request);
        state.kills_ms.extend(called.kill_ms);
        let Called { operation, answered, breaks, faulted, fault, about, .. } = called;
        let (operation, status) = (operation.into_owned(), answered.response.status);
        let call = Call { double, operation, status, faulted, fault, about, effects: answered.effects };
        // Nobody listens any more when the run is over: then there is nothing to record.
        self.calls.send((now_ms, call)).ok();
        let mut response = answered.response;
        response.headers.extend(breaks.map(|breaks| (relay::MARK.to_owned(), relay::mark(breaks).to_owned())));
        response
    }
}

fn listen(double: Double, address: Option<SocketAddr>) -> Result<TcpListener, DoublesError> {
    let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    TcpListener::bind(address).map_err(|reason| match reason.kind() {
        io::ErrorKind::AddrInUse => DoublesError::PortTaken { double, address },
        _ => DoublesError::Listen { double, address, reason },
    })
}

/// The server behind the relay, on a free port of its own.
async fn serve(double: Double, shared: &Arc<Shared>) -> MockServer {
    let server = MockServer::builder().disable_request_recording().start().await;
    mount(&server, double, shared).await;
    server
}

async fn mount(server: &MockServer, double: Double, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let respond = move |request: &wiremock::Request| template(shared.answer(double, &wire_request(request)));
    Mock::given(any()).respond_with(respond).mount(server).await;
}

fn wire_request(request: &wiremock::Request) -> Request {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Request {
        method: request.method.as_str().to_owned(),
        path: request.url.path().to_owned(),
        query: request.url.query_pairs().into_owned().collect(),
        headers: request.headers.iter().map(header).collect(),
        body: request.body.clone(),
    }
}

/// wiremock panics on a status or header that is none; ours come from a plan file, so they are checked here.
fn template(response: Response) -> ResponseTemplate {
    // 0 is that of a call without an answer, which the relay never lets out.
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
    });
    let template =
        headers.fold(ResponseTemplate::new(status), |template, (name, value)| template.append_header(name, value));
    template.set_body_bytes(response.body).set_delay(response.delay)
}

/// An address that stands for every interface cannot be called: the loopback one can.
fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(host, address.port()))
}
