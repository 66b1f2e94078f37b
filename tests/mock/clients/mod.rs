//! Client libraries complete a contract against the doubles over sockets, with nothing changed but the address.
//!
//! | Package | Is |
//! |---|---|
//! | npm `@hubspot/api-client`, PyPI `hubspot-api-client` | HubSpot's own |
//! | npm `node-zendesk`, PyPI `zenpy` | not Zendesk's own: it has none for Node or Python, these are the ones in use |
//! | npm `intercom-client`, PyPI `python-intercom` | Intercom's own |
//!
//! The doubles' clock is moved by the calls themselves, so that a lagging index lags by a number of calls and nothing waits.

use hookdrill::{
    mock::{
        crm::{Crm, CrmOptions, Scopes},
        desk::{self, Desk, DeskOptions},
        dialect::{Account, Dialects, Speaks},
        intercom::{Intercom, IntercomOptions},
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    scenario::fault::Double,
    wire::{Request, Response},
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc::unbounded_channel;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// So long every call takes; the search index lags by one and a half.
const CALL_MS: u64 = 1_000;
const LAG_MS: u64 = 1_500;

/// Folder with the packages, as `.ci/run` installs them: `node_modules/…` and `python/…`.
fn packages(package: &str, test: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let folder = std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from);
    let found = folder.filter(|folder| folder.join(package).exists());
    if found.is_none() {
        crate::skip(test, "HOOKDRILL_CLIENTS names no folder with the package (see .ci/run)");
    }
    found
}

/// The command that runs a contract: node for `.mjs`, Python for `.py`.
fn command(script: &str, packages: &Path) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mock/clients").join(script);
    let mut command = Command::new(if script.ends_with(".mjs") { "node" } else { "python3" });
    command.arg(path);
    if script.ends_with(".mjs") {
        command.env("PACKAGES", packages.join("node_modules"));
    } else {
        command.env("PYTHONPATH", packages.join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    }
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("it starts")
}

fn both(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn options() -> ModelOptions {
    let mut options = ModelOptions::default().for_any_target();
    (options.crm.search_lag_ms, options.desk.search_lag_ms) = (LAG_MS, LAG_MS);
    options.intercom.search_lag_ms = LAG_MS;
    options
}

async fn doubles(models: ModelOptions, call_ms: u64) -> Doubles {
    let at_ms = AtomicU64::new(0);
    Doubles::start(DoublesOptions {
        listen: std::collections::BTreeMap::new(),
        models,
        outages: Vec::new(),
        now_ms: Arc::new(move || at_ms.fetch_add(call_ms, Ordering::SeqCst)),
        calls: unbounded_channel().0,
    })
    .await
    .expect("doubles")
}

/// The contract of one client against all doubles; what the CRM and the desk keep then.
async fn contract(script: &str, package: &str, models: ModelOptions, call_ms: u64, part: &str) -> Option<Doubles> {
    let packages = packages(package, script)?;
    let doubles = doubles(models, call_ms).await;
    let mut command = command(script, &packages);
    command.env("CRM_URL", doubles.crm_url()).env("SUPPORT_URL", doubles.support_url()).env("PART", part);
    let output = run(command).await;
    assert!(output.status.success(), "{script}: {}", both(&output));
    assert!(both(&output).contains("all good"), "{script}: {}", both(&output));
    assert!(!doubles.url(Double::Crm).is_empty());
    Some(doubles)
}

/// A model behind a socket, each request spoiled on its way.
async fn spoiled(
    mut answer: impl FnMut(u64, &Request) -> Response + Send + 'static,
    spoil: impl Fn(&mut Request) + Send + Sync + 'static,
) -> MockServer {
    let server = MockServer::builder().disable_request_recording().start().await;
    let at_ms = AtomicU64::new(0);
    let answer = Mutex::new(move |now_ms: u64, request: &Request| answer(now_ms, request));
    let respond = move |request: &wiremock::Request| {
        let mut request = Request {
            method: request.method.as_str().to_owned(),
            path: request.url.path().to_owned(),
            query: request.url.query_pairs().into_owned().collect(),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: request.body.clone(),
        };
        spoil(&mut request);
        let now_ms = at_ms.fetch_add(CALL_MS, Ordering::SeqCst);
        let response = (answer.lock().expect("no panic"))(now_ms, &request);
        let template = ResponseTemplate::new(response.status).set_body_bytes(response.body);
        response
            .headers
            .iter()
            .fold(template, |template, (name, value)| template.append_header(name.as_str(), value.as_str()))
    };
    Mock::given(any()).respond_with(respond).mount(&server).await;
    server
}

/// The contract fails on a spoiled double, and says with `word` on what.
async fn fails(script: &str, package: &str, server: &MockServer, word: &str) {
    let Some(packages) = packages(package, script) else { return };
    let mut command = command(script, &packages);
    command.env("CRM_URL", server.uri()).env("SUPPORT_URL", server.uri()).env("PART", "whole");
    let output = run(command).await;
    assert!(!output.status.success(), "{script} passes on a spoiled double: {}", both(&output));
    assert!(both(&output).contains(word), "{script} fails for another reason: {}", both(&output));
}

const HUBSPOT: [(&str, &str); 2] =
    [("of_hubspot.mjs", "node_modules/@hubspot/api-client"), ("of_hubspot.py", "python/hubspot")];

#[tokio::test(flavor = "multi_thread")]
async fn hubspots_own_clients_complete_the_contract() {
    for (script, package) in HUBSPOT {
        let mut models = options();
        models.crm.properties = Some(["plan", "seats"].map(str::to_owned).into());
        models.crm.unique_properties = ["stripe_id".to_owned()].into();
        let Some(doubles) = contract(script, package, models, CALL_MS, "whole").await else { return };
        let (contacts, _) = doubles.ledger();
        let emails: Vec<_> = contacts.iter().filter_map(|contact| contact.properties.get("email")).collect();
        assert!(emails.iter().any(|email| *email == "ada@example.com"), "{script}: {emails:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hubspots_own_clients_read_the_limit() {
    for (script, package) in HUBSPOT {
        let mut models = options();
        models.crm.rate_limit = Some(3);
        // All calls at one moment: the fourth is too many.
        contract(script, package, models, 0, "limit").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hubspots_contract_fails_where_the_cursor_is_dropped() {
    for (script, package) in HUBSPOT {
        let mut crm = Crm::new(&CrmOptions {
            search_lag_ms: LAG_MS,
            scopes: Scopes::all(),
            properties: Some(["plan", "seats"].map(str::to_owned).into()),
            unique_properties: ["stripe_id".to_owned()].into(),
            ..CrmOptions::default()
        });
        let server = spoiled(
            move |now_ms, request| crm.handle(now_ms, request).response,
            |request| request.query.retain(|(name, _)| name != "after"),
        )
        .await;
        fails(script, package, &server, "the list comes in pages").await;
    }
}

const ZENDESK: [(&str, &str); 2] = [("of_zendesk.mjs", "node_modules/node-zendesk"), ("of_zendesk.py", "python/zenpy")];

#[tokio::test(flavor = "multi_thread")]
async fn zendesks_clients_in_use_complete_the_contract() {
    for (script, package) in ZENDESK {
        let Some(doubles) = contract(script, package, options(), CALL_MS, "whole").await else { return };
        let (_, tickets) = doubles.ledger();
        // Made 102, deleted one; a batch and its repetition by a library are told apart by their keys alone.
        assert_eq!(tickets.len(), 101, "{script}");
        assert!(tickets.iter().all(|ticket| ticket.queue.as_deref() == Some("billing")), "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zendesks_clients_in_use_read_the_limit() {
    for (script, package) in ZENDESK {
        let mut models = options();
        models.desk.rate_limit = Some(3);
        contract(script, package, models, 0, "limit").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zendesks_contract_fails_where_further_pages_are_not_told() {
    for (script, package) in ZENDESK {
        let scopes = desk::Scopes::all();
        let mut desk = Desk::new(DeskOptions { search_lag_ms: LAG_MS, scopes, ..DeskOptions::default() });
        let server = spoiled(
            move |now_ms, request| {
                let mut response = desk.handle(now_ms, request).response;
                // Without the cursor a library asks for the first page for ever; without a next page it stops too early.
                let mut body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
                if let Some(links) = body.get_mut("links") {
                    *links = serde_json::json!({});
                }
                if body.get("meta").is_some() {
                    body["meta"]["has_more"] = false.into();
                }
                if body.get("next_page").is_some() {
                    body["next_page"] = serde_json::Value::Null;
                }
                if !response.body.is_empty() {
                    response.body = body.to_string().into_bytes();
                }
                response
            },
            |_| {},
        )
        .await;
        fails(script, package, &server, "the list comes in pages").await;
    }
}

const INTERCOM: [(&str, &str); 2] =
    [("of_intercom.mjs", "node_modules/intercom-client"), ("of_intercom.py", "python/intercom")];

fn both_speak_intercom(rate_limit: Option<u32>) -> ModelOptions {
    let account = Account { speaks: Speaks::Intercom, rate_limit };
    options().speaking(&Dialects { crm: account.clone(), support: account, ..Dialects::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn intercoms_own_clients_complete_the_contract_at_both_addresses_of_one_workspace() {
    for (script, package) in INTERCOM {
        let models = both_speak_intercom(None);
        let Some(doubles) = contract(script, package, models, CALL_MS, "whole").await else { return };
        let (contacts, tickets) = doubles.ledger();
        assert_eq!((contacts.len(), tickets.len()), (7, 2), "{script}");
        let talk = &tickets[0];
        assert_eq!((talk.external_id.as_deref(), talk.queue.as_deref()), (Some("in_1"), Some("billing")), "{script}");
        assert_eq!(talk.requester.as_deref(), Some("ada@example.com"), "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn intercoms_own_clients_read_the_limit() {
    for (script, package) in INTERCOM {
        contract(script, package, both_speak_intercom(Some(3)), 0, "limit").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn intercoms_contract_fails_where_the_cursor_is_dropped() {
    for (script, package) in INTERCOM {
        let mut workspace = Intercom::new(&IntercomOptions { search_lag_ms: LAG_MS, ..IntercomOptions::default() });
        let server = spoiled(
            move |now_ms, request| workspace.handle(now_ms, request).response,
            |request| request.query.retain(|(name, _)| name != "starting_after"),
        )
        .await;
        fails(script, package, &server, "the list comes in pages").await;
    }
}
