//! The person's way through the pages, in a real browser, against the service and the doubles over real sockets.

mod admin;
pub(crate) mod browser;
mod clients;
mod lighthouse;
mod newcomer;
mod purchase;

use hookdrill::{
    drive::clock::RunClock,
    drive::deliverer::{Deliverer, patient},
    history::record::Call,
    mock::{
        effect::Effect,
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    scenario::fault::Double,
    service::{Config, Secret, run},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

const SECRET: &str = "whsec_of_the_pages";

/// The service, the doubles and what carries events from one to the other.
pub(crate) struct Shop {
    /// The service's address.
    pub(crate) url: String,
    pub(crate) doubles: Arc<Doubles>,
    calls: mpsc::UnboundedReceiver<(u64, Call)>,
    held: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Shop {
    pub(crate) async fn open(change: impl FnOnce(&mut Config)) -> Self {
        let clock = RunClock::start();
        let (told, calls) = mpsc::unbounded_channel();
        let options = DoublesOptions {
            listen: BTreeMap::new(),
            models: ModelOptions::at(clock.started()),
            outages: Vec::new(),
            now_ms: Arc::new(move || clock.now_ms()),
            calls: told,
        };
        let doubles = Arc::new(Doubles::start(options).await.expect("doubles"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut config = Config::new(Secret::new(SECRET), doubles.crm_url(), doubles.support_url());
        config.stripe_url = Some(doubles.url(Double::Stripe));
        config.stripe_key = Secret::new("rk_test_of_the_pages_0000");
        change(&mut config);
        let held = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { run(listener, config, std::future::pending()).await.expect("served") });
        let deliverer =
            Deliverer { url: format!("{url}/webhooks/stripe"), secret: Secret::new(SECRET), retries: patient() };
        let (from, hold) = (Arc::clone(&doubles), Arc::clone(&held));
        tasks.spawn(deliverer.run(
            move |number| {
                if hold.load(Ordering::SeqCst) { Vec::new() } else { from.made_events(number) }
            },
        ));
        Self { url, doubles, calls, held, _tasks: tasks }
    }

    /// Holds webhooks back, or lets them go.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Checkout sessions that the double opened since the last time that this was asked.
    pub(crate) fn sessions(&mut self) -> usize {
        let mut count = 0;
        while let Ok((_, call)) = self.calls.try_recv() {
            count += call.effects.iter().filter(|effect| matches!(effect, Effect::SessionOpened { .. })).count();
        }
        count
    }

    /// Events of that type that the double made.
    pub(crate) fn made(&self, kind: &str) -> usize {
        let made = self.doubles.made_events(0);
        made.iter().filter(|(_, body)| body.contains(&format!("\"type\": \"{kind}\""))).count()
    }
}

/// For what must not happen, and so cannot be waited for.
pub(crate) async fn a_while() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}
