//! The project file (`hookdrill.toml`) next to a user's app: where webhooks go, which secret signs them, how state is read.
//!
//! Must not know: the environment (secrets are looked up by the caller's function), scenarios.

use super::{
    probe::{Expression, ProbeSpec},
    signing::SigningSecrets,
    target::{SignUp, Target},
    template::PLACEHOLDERS,
};
use crate::{redact::Redactor, scenario::fault::Double};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, net::SocketAddr, path::Path};
use toml::Spanned;

/// A project file, checked.
#[derive(Clone, Debug)]
pub struct Project {
    /// The target that it describes.
    pub target: Target,
    /// Where doubles listen; on a free port when not named.
    pub listen: BTreeMap<Double, SocketAddr>,
}

/// Why a project file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// It cannot be read.
    #[error("cannot read {path}: {what}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        what: std::io::Error,
    },
    /// It is no project file.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: String,
        /// With line, column and the line itself.
        what: String,
    },
    /// A value in it cannot be used.
    #[error("{path}:{line}: {what}")]
    Value {
        /// The file.
        path: String,
        /// 1-based.
        line: usize,
        /// What is wrong and what to write instead.
        what: String,
    },
}

/// Where webhooks go, which secret signs them, how a customer's state is read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "The project file of hookdrill")]
struct File {
    /// The app that is tested.
    target: TargetTable,
    /// Doubles that your app calls instead of its CRM and its support desk.
    #[serde(default)]
    mocks: Mocks,
    /// How state is read.
    #[serde(default)]
    probe: Probes,
    /// What a buyer sees.
    #[serde(default)]
    pages: Pages,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["secret_env"] }, { "required": ["secret_file"] }]))]
struct TargetTable {
    /// Address of the webhook endpoint: one for everybody, without braces.
    #[schemars(with = "String")]
    webhook: Spanned<String>,
    /// The environment variable that holds the signing secret (whsec_…); never the secret itself.
    #[schemars(with = "Option<String>")]
    secret_env: Option<Spanned<String>>,
    /// A file that holds the signing secret, by its path from this one.
    #[schemars(with = "Option<String>")]
    secret_file: Option<Spanned<String>>,
    /// The variable that holds the secret of a second endpoint of yours.
    #[schemars(with = "Option<String>")]
    second_secret_env: Option<Spanned<String>>,
    /// A file that holds the secret of a second endpoint of yours.
    #[schemars(with = "Option<String>")]
    second_secret_file: Option<Spanned<String>>,
    /// The variable that holds the secret that was rolled away.
    #[schemars(with = "Option<String>")]
    old_secret_env: Option<Spanned<String>>,
    /// A file that holds the secret that was rolled away.
    #[schemars(with = "Option<String>")]
    old_secret_file: Option<Spanned<String>>,
    /// Hosts besides this machine that may be tested.
    #[serde(default)]
    allow_hosts: Vec<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mocks {
    /// The CRM.
    crm: Option<MockTable>,
    /// The support desk; a tag `queue_billing` puts a ticket into the queue `billing`.
    support: Option<MockTable>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MockTable {
    /// Address on this machine, like 127.0.0.1:4101; a free port when absent.
    #[schemars(with = "Option<String>")]
    listen: Option<Spanned<String>>,
    /// Whose API it speaks: hubspot, or zendesk.
    #[schemars(with = "Option<String>")]
    dialect: Option<Spanned<String>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Probes {
    /// How a customer's state is read.
    customer: Option<CustomerProbe>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CustomerProbe {
    /// Address that answers with JSON; {customer}, {subscription}, {session}, {user}, {email} and {key} are filled in.
    #[schemars(with = "String")]
    http: Spanned<String>,
    /// JSONPath, alone or compared, that is true when the customer has access.
    #[schemars(with = "String")]
    access: Spanned<String>,
    /// JSONPath of the subscription's status.
    #[schemars(with = "Option<String>")]
    status: Option<Spanned<String>>,
    /// JSONPath of the plan.
    #[schemars(with = "Option<String>")]
    plan: Option<Spanned<String>>,
    /// JSONPaths of numbers that the criterion probe_value may bound, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    values: BTreeMap<String, Spanned<String>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pages {
    /// Where Checkout sends the buyer back to.
    #[schemars(with = "Option<String>")]
    success: Option<Spanned<String>>,
    /// How a person signs up.
    sign_up: Option<SignUpTable>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignUpTable {
    /// Address that takes a POST of JSON.
    #[schemars(with = "String")]
    url: Spanned<String>,
    /// Its body; braces are filled in.
    #[serde(default)]
    json: BTreeMap<String, String>,
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

/// The name of a variable and of a file, of which one may be given.
type Places<'a> = (&'a Option<Spanned<String>>, &'a Option<Spanned<String>>);

struct Reader<'a> {
    path: String,
    text: &'a str,
    allow_hosts: Vec<String>,
}

/// Reads a project file. `secret_of` looks up an environment variable; `seed` makes the wrong secret of forged deliveries.
///
/// # Errors
/// [`ProjectError`] with the place; nothing has been sent then.
pub fn load(path: &Path, seed: u64, secret_of: &dyn Fn(&str) -> Option<String>) -> Result<Project, ProjectError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|what| ProjectError::Read { path: shown.clone(), what })?;
    // The parser shows the line: if somebody has written the secret itself there, it must not be shown.
    let redacted = |what: String| Redactor::new(&[]).text(what.trim_end());
    let file: File = toml::from_str(&text)
        .map_err(|error| ProjectError::Format { path: shown.clone(), what: redacted(error.to_string()) })?;
    let reader = Reader { path: shown, text: &text, allow_hosts: file.target.allow_hosts.clone() };
    let secrets = reader.secrets(&file.target, path, seed, secret_of)?;
    let target = Target {
        name: file.target.webhook.get_ref().clone(),
        webhook: reader.webhook(&file.target.webhook)?,
        secrets,
        probe: file.probe.customer.as_ref().map(|p| reader.probe(p)).transpose()?,
        queue: None,
        success_page: file.pages.success.as_ref().map(|p| reader.url(p)).transpose()?,
        sign_up: match &file.pages.sign_up {
            Some(table) => Some(SignUp { url: reader.url(&table.url)?, json: table.json.clone() }),
            None => None,
        },
        support_form: None,
        crm: file.mocks.crm.is_some(),
        support: file.mocks.support.is_some(),
        stripe: false,
        alerts: false,
        process: false,
    };
    Ok(Project {
        target,
        listen: [
            (Double::Crm, reader.listen(file.mocks.crm.as_ref(), "hubspot")?),
            (Double::Support, reader.listen(file.mocks.support.as_ref(), "zendesk")?),
        ]
        .into_iter()
        .filter_map(|(double, address)| Some((double, address?)))
        .collect(),
    })
}

impl Reader<'_> {
    fn wrong<T>(&self, at: &Spanned<T>, what: String) -> ProjectError {
        let before = self.text.get(..at.span().start).unwrap_or_default();
        let what = Redactor::new(&[]).text(&what);
        ProjectError::Value { path: self.path.clone(), line: before.matches('\n').count() + 1, what }
    }

    /// Webhooks of all customers go to one place: there is nobody whose name could be filled in.
    fn webhook(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        if url.get_ref().contains(['{', '}']) {
            return Err(self.wrong(url, "`webhook` is one URL for everybody; write it without braces".to_owned()));
        }
        self.url(url)
    }

    /// Only this machine, unless the host is named: a test tool must not reach what it was not pointed at.
    fn url(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        let text = url.get_ref();
        // Braces are no URL characters; a stand-in keeps the check on scheme and host.
        let plain = text.replace(['{', '}'], "x");
        let parsed: http::Uri = plain.parse().map_err(|_| self.wrong(url, format!("`{text}` is not a URL")))?;
        self.braces(url)?;
        // The library keeps a port that is none to itself; `host:99999` would quietly become port 80.
        let authority = parsed.authority().map_or("", |a| a.as_str());
        let after_host = authority.rsplit(['@', ']']).next().unwrap_or_default();
        if after_host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(self.wrong(url, format!("`{text}` has a port that is none; ports go from 1 to 65535")));
        }
        if authority.contains('@') {
            let what = "a user name or password in a URL would stand in every report; leave it out";
            return Err(self.wrong(url, what.to_owned()));
        }
        let host = parsed.host().unwrap_or_default();
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || host.is_empty() {
            return Err(self.wrong(url, format!("`{text}` is not an http or https URL; write the whole of it")));
        }
        let loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !loopback && !self.allow_hosts.iter().any(|allowed| allowed == host) {
            let what = format!(
                "`{host}` is not this machine; if it may be tested, write `allow_hosts = [\"{host}\"]` under [target]"
            );
            return Err(self.wrong(url, what));
        }
        Ok(text.clone())
    }

    /// Every brace names something that can be filled in.
    fn braces(&self, url: &Spanned<String>) -> Result<(), ProjectError> {
        let mut rest = url.get_ref().as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            if !PLACEHOLDERS.contains(&name) {
                let known = PLACEHOLDERS.map(|p| format!("{{{p}}}")).join(", ");
                return Err(self.wrong(url, format!("`{{{name}}}` cannot be filled in; there are {known}")));
            }
            rest = behind;
        }
        Ok(())
    }

    /// The endpoint's own secret; that of a second endpoint of the same app and the one that was rolled away, where they are
    /// named: nobody can guess whether the app knows those.
    fn secrets(
        &self,
        table: &TargetTable,
        path: &Path,
        seed: u64,
        secret_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<SigningSecrets, ProjectError> {
        let read = |key, places| self.secret(&table.webhook, (key, places), path, secret_of);
        let Some(own) = read("secret", (&table.secret_env, &table.secret_file))? else {
            let what = "say where the signing secret is: either `secret_env` (a variable's name) or `secret_file`";
            return Err(self.wrong(&table.webhook, what.to_owned()));
        };
        let second = read("second_secret", (&table.second_secret_env, &table.second_secret_file))?;
        let old = read("old_secret", (&table.old_secret_env, &table.old_secret_file))?;
        if [&second, &old].into_iter().flatten().any(|other| *other == own) {
            let what = "the second or the old secret is the endpoint's own; give the other one, or leave it out";
            return Err(self.wrong(&table.webhook, what.to_owned()));
        }
        let mut secrets = SigningSecrets::new(own, seed);
        if let Some(second) = second {
            secrets = secrets.with_second(second);
        }
        if let Some(old) = old {
            secrets = secrets.with_old(old);
        }
        Ok(secrets)
    }

    /// One secret from a variable or a file; none when neither is named.
    fn secret(
        &self,
        webhook: &Spanned<String>,
        (key, (env, file)): (&str, Places<'_>),
        path: &Path,
        secret_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, ProjectError> {
        let secret = match (env, file) {
            (None, None) => return Ok(None),
            (Some(name), None) => secret_of(name.get_ref()).ok_or_else(|| {
                self.wrong(
                    name,
                    format!(
                        "`{key}_env` is the name of a variable, and the environment has no {}; set it to the endpoint's whsec_… secret",
                        name.get_ref()
                    ),
                )
            })?,
            (None, Some(file)) => {
                let beside = path.parent().unwrap_or(Path::new(".")).join(file.get_ref());
                std::fs::read_to_string(&beside)
                    .map_err(|error| self.wrong(file, format!("cannot read {}: {error}", file.get_ref())))?
            }
            (Some(name), Some(_)) => {
                let what = format!("say where the secret is: either `{key}_env` (a variable's name) or `{key}_file`");
                return Err(self.wrong(name, what));
            }
        };
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            return Err(
                self.wrong(webhook, format!("the signing secret of `{key}` is empty").replace(" of `secret`", ""))
            );
        }
        Ok(Some(secret))
    }

    fn expression(&self, text: &Spanned<String>) -> Result<Expression, ProjectError> {
        Expression::parse(text.get_ref()).map_err(|error| self.wrong(text, error.to_string()))
    }

    fn probe(&self, table: &CustomerProbe) -> Result<ProbeSpec, ProjectError> {
        let optional = |text: &Option<Spanned<String>>| text.as_ref().map(|t| self.expression(t)).transpose();
        let mut values = BTreeMap::new();
        for (name, text) in &table.values {
            values.insert(name.clone(), self.expression(text)?);
        }
        Ok(ProbeSpec {
            http: self.url(&table.http)?,
            access: self.expression(&table.access)?,
            status: optional(&table.status)?,
            plan: optional(&table.plan)?,
            values,
        })
    }

    fn listen(&self, table: Option<&MockTable>, dialect: &str) -> Result<Option<SocketAddr>, ProjectError> {
        let Some(table) = table else { return Ok(None) };
        if let Some(wanted) = &table.dialect
            && wanted.get_ref() != dialect
        {
            return Err(self
                .wrong(wanted, format!("the dialect `{}` is not known here; write \"{dialect}\"", wanted.get_ref())));
        }
        let Some(listen) = &table.listen else { return Ok(None) };
        let address: SocketAddr = listen.get_ref().parse().map_err(|_| {
            self.wrong(listen, format!("`{}` is no address; write it as \"127.0.0.1:4101\"", listen.get_ref()))
        })?;
        if !address.ip().is_loopback() {
            return Err(self.wrong(
                listen,
                format!("a double listens on this machine only; write \"127.0.0.1:{}\"", address.port()),
            ));
        }
        Ok(Some(address))
    }
}
