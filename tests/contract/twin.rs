//! A running twin for tests, at a time that stands still.

use hookdrill::{
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    plan::model::{CallDoes, CallTrouble, Plan},
    scenario::{downstream::Which, fault::Double},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::mpsc::unbounded_channel;

/// Doubles of which the Stripe twin is asked.
pub(crate) struct Twin {
    pub(crate) doubles: Doubles,
    runtime: tokio::runtime::Runtime,
}

/// A fault of some calls of one operation.
pub(crate) fn trouble(does: CallDoes, operation: &str, which: Which) -> CallTrouble {
    let (fault, of, probability) = (0, Double::Stripe, 1.0);
    let operation = Some(operation.to_owned());
    CallTrouble { fault, of, operation, about: Vec::new(), which, from_ms: 0, until_ms: None, probability, does }
}

impl Twin {
    pub(crate) fn at(now_ms: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        // Nobody reads the calls.
        let (told, _) = unbounded_channel();
        let options = DoublesOptions {
            listen: BTreeMap::new(),
            models: ModelOptions::default(),
            outages: Vec::new(),
            now_ms: Arc::new(move || now_ms),
            calls: told,
        };
        let doubles = runtime.block_on(Doubles::start(options)).expect("doubles");
        Self { doubles, runtime }
    }

    pub(crate) fn follow(&self, troubles: Vec<CallTrouble>) {
        self.doubles.follow(&Plan { troubles, ..crate::mock::relay::plan(Vec::new(), Vec::new()) });
    }

    pub(crate) fn url(&self) -> String {
        self.doubles.url(Double::Stripe)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.ask(path);
        (status, body)
    }

    pub(crate) fn ask(&self, path: &str) -> (u16, hyper::HeaderMap, Value) {
        let url = format!("{}{path}", self.url());
        self.runtime.block_on(async {
            let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
            let request = hyper::Request::get(url).header("Authorization", "Bearer sk_test_of_the_twin");
            let answer = client.request(request.body(Full::default()).expect("a request")).await.expect("an answer");
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = answer.into_body().collect().await.expect("a body").to_bytes();
            (status, headers, serde_json::from_slice(&body).expect("JSON"))
        })
    }
}
