//! Asks a user's app what it holds, through the probes of its project file.
//!
//! Must not know: what the answers should be.

use super::super::Failure;
use crate::{
    check::audit::{
        compare::{Reading, Reads, Sides},
        expected::Expected,
    },
    drive::{
        ask::{Answered, AskError, Asker, Question},
        http::Sender,
        probe::{Expression, ProbeSpec},
        project::{self, Project, Surroundings},
        template::Given,
    },
    id::{CustomerId, InstanceId, SubscriptionId, UserId},
    plan::model::Instance,
};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::{sync::Semaphore, task::JoinSet};

/// Questions at a time: an audit must not be what brings the app down.
const AT_ONCE: usize = 8;

/// Asks about every customer, and about every event when the project says how.
pub(super) async fn app(file: &Path, expected: &[Expected], sides: &mut Sides) -> Result<(), Failure> {
    let project = project(file)?;
    let Some(probe) = project.target.probe.clone() else {
        let what = "has no [probe.customer], so nothing says what the app holds; write one";
        return Err(Failure::Usage(format!("{}: {what}", file.display())));
    };
    sides.reads = Reads { status: probe.status.is_some(), plan: probe.plan.is_some() };
    let asker = Arc::new(Asker::new(Sender::new()));
    let given = project.target.given.clone();
    reachable(&asker, &probe.ask, &given).await?;
    let customers = expected.iter().map(|one| (one.customer.clone(), instance(one)));
    let customers: Vec<(String, Instance)> = customers.collect();
    let probe = Arc::new(probe);
    sides.app = Some(
        each(customers, |(name, instance)| {
            let (asker, probe, given) = (Arc::clone(&asker), Arc::clone(&probe), given.clone());
            async move { (name, reading(&asker, &probe, &given, &instance).await) }
        })
        .await?,
    );
    let Some(question) = project.target.event_probe.clone() else { return Ok(()) };
    reachable(&asker, &question, &given).await?;
    let question = Arc::new(question);
    let events: Vec<String> = expected.iter().flat_map(|one| one.seen.iter().map(|seen| seen.event.clone())).collect();
    sides.events = Some(
        each(events, |event| {
            let (asker, question, given) = (Arc::clone(&asker), Arc::clone(&question), given.clone());
            async move {
                let stored = stored(&asker, &question, &given, &event).await;
                (event, stored)
            }
        })
        .await?,
    );
    Ok(())
}

/// A database that is gone stops the audit: it says nothing of anybody.
async fn reachable(asker: &Asker, question: &Question, given: &Given) -> Result<(), Failure> {
    asker.reach(question, given).await.map_err(|error| Failure::Broken(error.to_string()))
}

async fn each<I, T, F>(items: Vec<I>, ask: impl Fn(I) -> F) -> Result<BTreeMap<String, T>, Failure>
where
    F: Future<Output = (String, T)> + Send + 'static,
    T: Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    for item in items {
        let (places, question) = (Arc::clone(&places), ask(item));
        asked.spawn(async move {
            let _place = places.acquire_owned().await;
            question.await
        });
    }
    let mut answers = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        let (name, answer) = answer.map_err(|error| Failure::Broken(error.to_string()))?;
        answers.insert(name, answer);
    }
    Ok(answers)
}

async fn reading(asker: &Asker, spec: &ProbeSpec, given: &Given, instance: &Instance) -> Reading {
    match asker.read(&spec.ask, given, Some(instance)).await {
        Ok(Answered::Unknown) => Reading::Stranger,
        Ok(Answered::Known { value, .. }) => {
            let text = |expression: &Option<Expression>| expression.as_ref().and_then(|e| e.text(&value));
            Reading::Known { access: spec.access.is_true(&value), status: text(&spec.status), plan: text(&spec.plan) }
        }
        Err(AskError::Gone(why) | AskError::Lacking(why) | AskError::Failed(why)) => Reading::Failed(why),
    }
}

/// Whether an event is stored: no row, a 404, `null`, `false` and nothing at all mean that it is not.
async fn stored(asker: &Asker, question: &Question, given: &Given, event: &str) -> Result<bool, String> {
    let plain = event.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain {
        return Err("its id has characters that no id of Stripe's has".to_owned());
    }
    match asker.read(question, &given.clone().with("event", event), None).await {
        Ok(Answered::Unknown) => Ok(false),
        Ok(Answered::Known { value, .. }) => {
            Ok(!matches!(value, serde_json::Value::Null | serde_json::Value::Bool(false)))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn instance(one: &Expected) -> Instance {
    let id = InstanceId::new(one.customer.clone());
    Instance {
        story: "audit".to_owned(),
        continues: None,
        person: id.clone(),
        id,
        user: one.user.clone().map(UserId::new),
        email: one.emails.last().cloned(),
        customer: Some(CustomerId::new(one.customer.clone())),
        subscription: one.subscription.clone().map(SubscriptionId::new),
        session: one.session.clone(),
        completes_with: None,
        failed_invoices: Vec::new(),
        end: None,
        turns: Vec::new(),
        ghost: false,
    }
}

/// The project file. Nothing is signed here, so a signing secret that is not set is no reason to stop.
fn project(file: &Path) -> Result<Project, Failure> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let target = table.get("target").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let signing: Vec<String> = ["secret_env", "second_secret_env", "old_secret_env"]
        .iter()
        .filter_map(|key| target.get(*key)?.as_str().map(str::to_owned))
        .collect();
    let variable = |name: &str| {
        let unused = || signing.iter().any(|signing| signing == name).then(|| "whsec_not_used_by_an_audit".to_owned());
        super::super::environment(name).or_else(unused)
    };
    let surroundings = Surroundings { variable: &variable, own: Vec::new(), seed: 0 };
    project::load(file, &surroundings).map_err(|error| Failure::Usage(error.to_string()))
}
