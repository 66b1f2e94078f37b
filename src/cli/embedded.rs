//! The embedded reference service as a target: how the child is started and how it is asked.
//!
//! Must not know: plans, verdicts.

use super::Failure;
use crate::{
    drive::{
        ask::{Headers, Question},
        probe::{Expression, ExpressionError, ProbeSpec},
        process::ServiceCommand,
        signing::{SigningSecrets, made_up_secret},
        target::{SignUp, Target},
        template::Given,
    },
    scenario::model::Doubles as ScenarioDoubles,
    service::{
        Secret, Settings,
        config::{Alerting, RECONCILE},
        defects::Defects,
        store::PostgresAt,
    },
    time::format_duration,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a worker of the embedded service may hold a job, live and simulated.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
/// Variable with the endpoint's signing secret; several, of other endpoints or of a roll, with commas between.
pub(crate) const WEBHOOK_SECRET: &str = "STRIPE_WEBHOOK_SECRET";
/// Variable with the CRM's token.
pub(crate) const CRM_TOKEN: &str = "HOOKDRILL_CRM_TOKEN";
/// Variable with the support desk's token.
pub(crate) const SUPPORT_TOKEN: &str = "HOOKDRILL_SUPPORT_TOKEN";

/// Variable with the URL of a PostgreSQL database.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";
/// Variable with a file of certificates to trust when connecting to PostgreSQL; its own tools know it too.
pub(crate) const ROOT_CERTIFICATES: &str = "PGSSLROOTCERT";
/// In the place of a file: the database that [`DATABASE_URL`] names.
pub(crate) const POSTGRES: &str = "postgres";

/// Where the embedded service keeps its data.
pub(crate) enum ServedFrom {
    /// An SQLite file.
    File(PathBuf),
    /// A schema of the database that [`DATABASE_URL`] names.
    Schema(String),
}

/// The schema of that name in the database that the environment names.
///
/// # Errors
/// [`Failure::Usage`] when it names none.
pub(crate) fn postgres(schema: &str) -> Result<PostgresAt, Failure> {
    let url = super::environment(DATABASE_URL).ok_or_else(|| {
        Failure::Usage(format!(
            "the environment has no {DATABASE_URL}; set it to something like postgresql://user:password@host:5432/database"
        ))
    })?;
    let certificates = super::environment(ROOT_CERTIFICATES).map(PathBuf::from);
    Ok(PostgresAt::new(Secret::new(url)).in_schema(schema).trusting(certificates))
}

/// Variable with the key of Stripe's API.
pub(crate) const STRIPE_KEY: &str = "STRIPE_API_KEY";
/// Variable with the key that signs cookies and forms.
pub(crate) const SESSION_KEY: &str = "HOOKDRILL_SESSION_KEY";

/// Variable with the token that opens the admin screen.
pub(crate) const ADMIN_TOKEN: &str = "HOOKDRILL_ADMIN_TOKEN";
/// Variable with the token that opens the metrics of a public service.
pub(crate) const METRICS_TOKEN: &str = "HOOKDRILL_METRICS_TOKEN";

/// Secrets of one run of the embedded service: made up, nobody's.
#[derive(Clone)]
pub(crate) struct EmbeddedSecrets {
    webhook: String,
    second_endpoint: String,
    crm: String,
    support: String,
    stripe: String,
}

impl EmbeddedSecrets {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            webhook: made_up_secret(seed, "webhook"),
            second_endpoint: made_up_secret(seed, "webhook of a second endpoint"),
            crm: format!("pat-crm-{}", &made_up_secret(seed, "crm")[6..]),
            support: format!("pat-support-{}", &made_up_secret(seed, "support")[6..]),
            stripe: format!("rk_test_{}", &made_up_secret(seed, "stripe")[6..]),
        }
    }

    pub(crate) fn all(&self) -> [&str; 5] {
        [&self.webhook, &self.second_endpoint, &self.crm, &self.support, &self.stripe]
    }
}

/// Variable with the URL to which alerts are posted.
pub(crate) const ALERT_URL: &str = "HOOKDRILL_ALERT_URL";

/// Where the child finds its peers.
pub(crate) struct Peers {
    pub(crate) crm: String,
    pub(crate) support: String,
    /// Stripe's API, when the scenario gives it.
    pub(crate) stripe: Option<String>,
    /// The receiver of alerts, when the scenario gives it.
    pub(crate) alerts: Option<String>,
}

/// A live run is not kept waiting for as long as a service in production may be.
const LIVE_RECONCILE: Duration = Duration::from_secs(1);
/// The same for the time after which a Checkout without access is told.
const LIVE_ACTIVATION: Duration = Duration::from_secs(3);

/// What a simulated service decides by, with the pauses and limits of production: waiting costs nothing there.
pub(crate) fn settings(defects: Defects, doubles: ScenarioDoubles) -> Settings {
    Settings {
        defects,
        lease: LEASE,
        reconcile: doubles.stripe.then_some(RECONCILE),
        stripe: doubles.stripe,
        alerting: doubles.alerts.then(Alerting::default),
        ..Settings::default()
    }
}

/// The child's command line. Secrets are in its environment, never among the arguments.
pub(crate) fn command(
    secrets: &EmbeddedSecrets,
    database: &ServedFrom,
    log: &Path,
    peers: &Peers,
    defects: &[String],
) -> std::io::Result<ServiceCommand> {
    let mut arguments: Vec<String> =
        ["serve", "--until-stdin-closes", "--database"].map(str::to_owned).into_iter().collect();
    match database {
        ServedFrom::File(path) => arguments.push(path.display().to_string()),
        // Its URL is in the environment, which the child shares.
        ServedFrom::Schema(name) => {
            arguments.extend([POSTGRES.to_owned(), "--database-schema".to_owned(), name.clone()]);
        }
    }
    for (name, value) in [("--crm-url", &peers.crm), ("--support-url", &peers.support)] {
        arguments.extend([name.to_owned(), value.clone()]);
    }
    if let Some(url) = &peers.stripe {
        arguments.extend(["--stripe-url".to_owned(), url.clone()]);
        arguments.extend(["--reconcile".to_owned(), format_duration(LIVE_RECONCILE)]);
    }
    if peers.alerts.is_some() {
        arguments.extend(["--activation-alert".to_owned(), format_duration(LIVE_ACTIVATION)]);
    }
    // Readings of its own in the middle of a drill would be counted as calls.
    arguments.extend(["--audit".to_owned(), "0s".to_owned()]);
    // A kill leaves jobs leased; a run need not wait as long for them as a service in production may.
    arguments.extend(["--lease".to_owned(), format_duration(LEASE)]);
    // All customers of a run come from one address.
    arguments.extend(["--rate-limit", "0"].map(str::to_owned));
    for defect in defects {
        arguments.extend(["--defect".to_owned(), defect.clone()]);
    }
    Ok(ServiceCommand {
        program: std::env::current_exe()?,
        arguments,
        environment: vec![
            (WEBHOOK_SECRET.to_owned(), format!("{},{}", secrets.webhook, secrets.second_endpoint)),
            (CRM_TOKEN.to_owned(), secrets.crm.clone()),
            (SUPPORT_TOKEN.to_owned(), secrets.support.clone()),
            (STRIPE_KEY.to_owned(), secrets.stripe.clone()),
            (ALERT_URL.to_owned(), peers.alerts.clone().unwrap_or_default()),
        ],
        log: log.to_owned(),
    })
}

/// How the running child is asked.
pub(crate) fn target(
    url: &str,
    secrets: &EmbeddedSecrets,
    seed: u64,
    doubles: ScenarioDoubles,
) -> Result<Target, ExpressionError> {
    let json = [("user", "{user}"), ("email", "{email}")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    Ok(Target {
        name: "embedded reference service".to_owned(),
        webhook: format!("{url}/webhooks/stripe"),
        secrets: SigningSecrets::new(secrets.webhook.clone(), seed).with_second(secrets.second_endpoint.clone()),
        probe: Some(ProbeSpec {
            ask: Question::Http {
                method: "GET".to_owned(),
                url: format!("{url}/api/customers/{{key}}"),
                headers: Headers::default(),
                json: None,
            },
            access: Expression::parse("$.access")?,
            status: Some(Expression::parse("$.status")?),
            plan: Some(Expression::parse("$.plan")?),
            values: BTreeMap::from([
                ("paid".to_owned(), Expression::parse("$.paid_minor")?),
                ("purchases".to_owned(), Expression::parse("$.purchases")?),
            ]),
        }),
        event_probe: None,
        queue: Some(format!("{url}/internal/status")),
        success_page: Some(format!("{url}/checkout/success?session_id={{session}}")),
        sign_up: Some(SignUp { url: format!("{url}/api/signup"), json: BTreeMap::from(json) }),
        support_form: Some(format!("{url}/api/support")),
        crm: true,
        support: true,
        stripe: doubles.stripe,
        fetches_events: doubles.stripe,
        // It says itself when its queue is empty.
        recovers_within: Duration::ZERO,
        alerts: doubles.alerts,
        declared: Vec::new(),
        process: true,
        clock: true,
        store: true,
        seeds: Vec::new(),
        resets: Vec::new(),
        given: Given::default(),
    })
}
