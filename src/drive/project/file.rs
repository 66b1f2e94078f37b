//! The tables of a project file as they are typed, and their JSON Schema.
//!
//! Must not know: what the values mean (`reader` and `mocks` do).

use super::mocks::Mocks;
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
    pub(super) mocks: Mocks,
    /// How state is read.
    #[serde(default)]
    pub(super) probe: Probes,
    /// What a buyer sees.
    #[serde(default)]
    pub(super) pages: Pages,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["secret_env"] }, { "required": ["secret_file"] }]))]
pub(super) struct TargetTable {
    /// Address of the webhook endpoint: one for everybody, without braces.
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
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Probes {
    /// How a customer's state is read.
    pub(super) customer: Option<CustomerProbe>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerProbe {
    /// Address that answers with JSON; {customer}, {subscription}, {session}, {user}, {email} and {key} are filled in.
    #[schemars(with = "String")]
    pub(super) http: Spanned<String>,
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
