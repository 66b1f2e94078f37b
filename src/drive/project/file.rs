//! The tables of a project file as they are typed, and their JSON Schema.
//!
//! Must not know: what the values mean (`reader` and `mocks` do).

use super::mocks::{Mocks, MocksSchema};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Where webhooks go, which secret signs them, how a customer's state is read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The project file of hookdrill")]
pub(super) struct File {
    /// The app that is tested.
    pub(super) target: TargetTable,
    /// Doubles that your app calls instead of its CRM and its support desk.
    #[serde(default)]
    #[schemars(with = "MocksSchema")]
    pub(super) mocks: Mocks,
    /// How state is read.
    #[serde(default)]
    pub(super) probe: Probes,
    /// What a buyer sees.
    #[serde(default)]
    pub(super) pages: Pages,
    /// What is done for each customer before their story begins, in this order.
    #[serde(default)]
    pub(super) seed: Vec<AskTable>,
    /// What is done before each scenario, in this order.
    #[serde(default)]
    pub(super) reset: Vec<AskTable>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["secret_env"] }, { "required": ["secret_file"] }]))]
pub(super) struct TargetTable {
    /// Address of the webhook endpoint: one for everybody; {port} is that of the process that takes the webhooks.
    #[schemars(with = "String")]
    pub(super) webhook: Spanned<String>,
    /// The environment variable that holds the signing secret (whsec_…); never the secret itself.
    #[schemars(with = "Option<String>")]
    pub(super) secret_env: Option<Spanned<String>>,
    /// A file that holds the signing secret, by its path from this one.
    #[schemars(with = "Option<String>")]
    pub(super) secret_file: Option<Spanned<String>>,
    /// The variable that holds the secret of a second endpoint of yours.
    #[schemars(with = "Option<String>")]
    pub(super) second_secret_env: Option<Spanned<String>>,
    /// A file that holds the secret of a second endpoint of yours.
    #[schemars(with = "Option<String>")]
    pub(super) second_secret_file: Option<Spanned<String>>,
    /// The variable that holds the secret that was rolled away.
    #[schemars(with = "Option<String>")]
    pub(super) old_secret_env: Option<Spanned<String>>,
    /// A file that holds the secret that was rolled away.
    #[schemars(with = "Option<String>")]
    pub(super) old_secret_file: Option<Spanned<String>>,
    /// Hosts besides this machine that may be tested.
    #[serde(default)]
    pub(super) allow_hosts: Vec<String>,
    /// The command that starts the app, as a list of words; no shell reads it. {port}, {scratch} and addresses of doubles are
    /// filled in.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) command: Option<Spanned<Vec<String>>>,
    /// Where commands are started, by its path from this file.
    #[schemars(with = "Option<String>")]
    pub(super) cwd: Option<Spanned<String>>,
    /// Variables of every process of the app, and of commands of probes and seeds.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) env: BTreeMap<String, Spanned<String>>,
    /// Address that answers with less than 500 once the app is ready; without it the port is looked at.
    #[schemars(with = "Option<String>")]
    pub(super) ready: Option<Spanned<String>>,
    /// How long that may take, like 30s.
    #[schemars(with = "Option<String>")]
    pub(super) ready_within: Option<Spanned<String>>,
    /// The command that kills the app, instead of SIGKILL to its process group: for containers.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) kill_command: Option<Spanned<Vec<String>>>,
    /// Whether a process that died by itself is started again, as a supervisor does it (true).
    #[schemars(with = "Option<bool>")]
    pub(super) restart: Option<Spanned<bool>>,
    /// How long your app may take to go on with what a dead process held or a peer refused, like 35s: after kills and outages so long
    /// nothing is judged.
    #[schemars(with = "Option<String>")]
    pub(super) recovers_within: Option<Spanned<String>>,
    /// Several processes of one app, instead of one command; they are started in this order.
    #[serde(default)]
    pub(super) process: Vec<ProcessTable>,
}

/// One process of an app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessTable {
    /// What it is called; its output goes to the file <name>.log of the run's folder.
    #[schemars(with = "String")]
    pub(super) name: Spanned<String>,
    /// The command that starts it, as a list of words.
    #[schemars(with = "Vec<String>")]
    pub(super) command: Spanned<Vec<String>>,
    /// Where it is started, by its path from this file; else as [target] says.
    #[schemars(with = "Option<String>")]
    pub(super) cwd: Option<Spanned<String>>,
    /// Variables besides those of [target].
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) env: BTreeMap<String, Spanned<String>>,
    /// Address that answers with less than 500 once it is ready.
    #[schemars(with = "Option<String>")]
    pub(super) ready: Option<Spanned<String>>,
    /// How long that may take, like 30s.
    #[schemars(with = "Option<String>")]
    pub(super) ready_within: Option<Spanned<String>>,
    /// The command that kills it, instead of SIGKILL to its process group.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) kill_command: Option<Spanned<Vec<String>>>,
    /// How many of it run, each on a port of its own; deliveries go round.
    #[schemars(with = "Option<u32>")]
    pub(super) copies: Option<Spanned<u32>>,
}

/// Something that the app, its database or a command is asked or told: exactly one of `http`, `sql` and `command`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["sql"] }, { "required": ["command"] }]))]
pub(super) struct AskTable {
    /// Address that takes the request.
    #[schemars(with = "Option<String>")]
    pub(super) http: Option<Spanned<String>>,
    /// Headers of the request: of each its name and the variable that holds the value (`Authorization = "ADMIN_HEADER"`).
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) headers_env: BTreeMap<String, Spanned<String>>,
    /// Method of the request: POST unless something else is said.
    #[schemars(with = "Option<String>")]
    pub(super) method: Option<Spanned<String>>,
    /// Body of the request; braces in its texts are filled in.
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub(super) json: Option<Spanned<serde_json::Map<String, serde_json::Value>>>,
    /// Statement with parameters like :customer, which are bound.
    #[schemars(with = "Option<String>")]
    pub(super) sql: Option<Spanned<String>>,
    /// Where the statement goes: sqlite:<path>, or postgres://… without a password.
    #[schemars(with = "Option<String>")]
    pub(super) database: Option<Spanned<String>>,
    /// The variable that holds the URL of the database.
    #[schemars(with = "Option<String>")]
    pub(super) database_env: Option<Spanned<String>>,
    /// Command, as a list of words; no shell reads it.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) command: Option<Spanned<Vec<String>>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Probes {
    /// How a customer's state is read.
    pub(super) customer: Option<CustomerProbe>,
    /// How it is read whether the app has stored an event: {event} or :event is its id. 404, no row, `null` and `false` say that
    /// it has not. For `hookdrill audit`.
    pub(super) event: Option<EventProbe>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["sql"] }, { "required": ["command"] }]))]
pub(super) struct CustomerProbe {
    /// Address that answers with JSON; {customer}, {subscription}, {session}, {user}, {email} and {key} are filled in. 404: the
    /// app does not know the customer.
    #[schemars(with = "Option<String>")]
    pub(super) http: Option<Spanned<String>>,
    /// Headers of the request: of each its name and the variable that holds the value (`Authorization = "ADMIN_HEADER"`).
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) headers_env: BTreeMap<String, Spanned<String>>,
    /// Statement with parameters like :customer, which are bound; the first row is the answer. No row: the app does not know
    /// the customer.
    #[schemars(with = "Option<String>")]
    pub(super) sql: Option<Spanned<String>>,
    /// Where the statement goes: sqlite:<path>, or postgres://… without a password.
    #[schemars(with = "Option<String>")]
    pub(super) database: Option<Spanned<String>>,
    /// The variable that holds the URL of the database.
    #[schemars(with = "Option<String>")]
    pub(super) database_env: Option<Spanned<String>>,
    /// Command that prints JSON, as a list of words. `null`, or exit status 44: the app does not know the customer.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) command: Option<Spanned<Vec<String>>>,
    /// JSONPath, alone or compared, that is true when the customer has access.
    #[schemars(with = "String")]
    pub(super) access: Spanned<String>,
    /// JSONPath of the subscription's status.
    #[schemars(with = "Option<String>")]
    pub(super) status: Option<Spanned<String>>,
    /// JSONPath of the plan.
    #[schemars(with = "Option<String>")]
    pub(super) plan: Option<Spanned<String>>,
    /// JSONPaths of numbers that the criterion probe_value may bound, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) values: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["sql"] }, { "required": ["command"] }]))]
pub(super) struct EventProbe {
    /// Address that answers with JSON.
    #[schemars(with = "Option<String>")]
    pub(super) http: Option<Spanned<String>>,
    /// Headers of the request: of each its name and the variable that holds the value (`Authorization = "ADMIN_HEADER"`).
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) headers_env: BTreeMap<String, Spanned<String>>,
    /// Statement with the parameter :event, which is bound.
    #[schemars(with = "Option<String>")]
    pub(super) sql: Option<Spanned<String>>,
    /// Where the statement goes: sqlite:<path>, or postgres://… without a password.
    #[schemars(with = "Option<String>")]
    pub(super) database: Option<Spanned<String>>,
    /// The variable that holds the URL of the database.
    #[schemars(with = "Option<String>")]
    pub(super) database_env: Option<Spanned<String>>,
    /// Command that prints JSON, as a list of words; exit status 44: not stored.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) command: Option<Spanned<Vec<String>>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pages {
    /// Where Checkout sends the buyer back to.
    #[schemars(with = "Option<String>")]
    pub(super) success: Option<Spanned<String>>,
    /// How a person signs up.
    pub(super) sign_up: Option<SignUpTable>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpTable {
    /// Address that takes a POST of JSON.
    #[schemars(with = "String")]
    pub(super) url: Spanned<String>,
    /// Its body; braces are filled in.
    #[serde(default)]
    pub(super) json: BTreeMap<String, String>,
}

/// The JSON Schema of a project file, made from the types that it is read into.
pub fn schema() -> serde_json::Value {
    let mut settings = schemars::generate::SchemaSettings::draft07();
    // An absent key is left out; TOML has no null.
    settings.transforms.push(Box::new(schemars::transform::RecursiveTransform(not_null)));
    settings.into_generator().into_root_schema_for::<File>().to_value()
}

fn not_null(schema: &mut schemars::Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("default");
    if let Some(serde_json::Value::Array(types)) = object.get_mut("type") {
        types.retain(|one| one != "null");
        if let [alone] = types.as_slice() {
            let alone = alone.clone();
            object.insert("type".to_owned(), alone);
        }
    }
    if let Some(serde_json::Value::Array(some)) = object.get_mut("anyOf") {
        some.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
    }
}
