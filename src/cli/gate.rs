//! What stops a run before it begins: criteria and faults that the target cannot answer, a target that is not there.
//!
//! Must not know: how anything is run.

use super::find::Found;
use crate::{
    drive::{ask::Asker, project::Project},
    scenario::{
        criterion::{Criterion, Need},
        fault::{ALL_ATTEMPTS, FaultKind},
        model::{Body, Scenario, Step},
    },
};

/// A criterion that the target cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotJudged {
    /// Its place among the scenario's, from 0.
    pub(super) at: usize,
    /// Its name.
    pub(super) criterion: &'static str,
    /// What it needs, in words.
    pub(super) needs: Vec<String>,
}

impl NotJudged {
    /// `manual_steps (it needs a report of its queue, …)`.
    pub(super) fn words(&self) -> String {
        format!("{} (it needs a {})", self.criterion, self.needs.join(" and a "))
    }

    fn sentence(&self, target: &str) -> String {
        format!("`{}` cannot be judged on {target}: it needs a {}", self.criterion, self.needs.join(" and a "))
    }
}

/// The criteria of a scenario that the target of a project cannot be asked for.
fn not_judged(scenario: &Scenario, project: &Project) -> Vec<NotJudged> {
    let abilities = project.target.abilities();
    let able = |need: &Need| abilities.iter().any(|ability| *ability == need.word());
    let lacks = |criterion: &Criterion| -> Vec<String> {
        criterion.needs().iter().filter(|need| !able(need)).map(|need| need.describe().into_owned()).collect()
    };
    let all = scenario.criteria.iter().enumerate();
    let all = all.map(|(at, criterion)| NotJudged { at, criterion: criterion.name(), needs: lacks(criterion) });
    all.filter(|one| !one.needs.is_empty()).collect()
}

/// Takes out of a scenario what the target cannot be asked for, where something is left to judge; gives what it was.
fn trim(scenario: &mut Scenario, project: &Project) -> Vec<NotJudged> {
    let out = not_judged(scenario, project);
    // What was asked for on the command line is judged or nothing is.
    let compared = |one: &NotJudged| matches!(scenario.criteria[one.at], Criterion::DifferencesFromClean { .. });
    if out.len() == scenario.criteria.len() || out.iter().any(compared) {
        return Vec::new();
    }
    let mut at = 0..;
    scenario.criteria.retain(|_| {
        let this = at.next();
        out.iter().all(|one| Some(one.at) != this)
    });
    out
}

/// Everything that the target of a project cannot answer in a scenario, in words, criteria first; nothing when it can answer all.
pub(super) fn unanswerable(scenario: &Scenario, project: &Project) -> Vec<String> {
    let target = &project.target;
    let mut lacking: Vec<String> = not_judged(scenario, project).iter().map(|one| one.sentence(&target.name)).collect();
    if scenario.doubles.stripe && !target.stripe {
        // An event that never arrives is owed to whoever can ask for it.
        lacking.push("Stripe's API is there to be asked; give it to the app with `[mocks.stripe]`".to_owned());
    }
    if scenario.doubles.stripe && target.stripe && !target.fetches_events && owes_what_never_arrives(scenario) {
        let what = "events never arrive and are owed all the same, and `fetches_events` says that the app does not look for them in Stripe's list";
        lacking.push(what.to_owned());
    }
    if target.sign_up.is_none() && scenario.steps.iter().any(|s| matches!(s, Step::SignUp { .. })) {
        lacking.push("people sign up; say how, under `[pages.sign_up]`".to_owned());
    }
    if target.support_form.is_none() && scenario.steps.iter().any(|s| matches!(s, Step::Ask { .. })) {
        lacking.push("people ask for help, which is for the embedded service alone".to_owned());
    }
    lacking.extend(super::declared::lacking(scenario, Some(project)));
    let touched = |what: fn(&FaultKind) -> Option<Touched>| scenario.faults.iter().filter_map(move |f| what(&f.kind));
    for touched in touched(Touched::of) {
        let why = match touched {
            Touched::Process if !target.process => {
                "a service behind a URL cannot be killed or stopped; with a `command` under [target] hookdrill starts it itself"
            }
            Touched::Clock if !target.clock => "only the embedded service has a clock that can be wrong",
            Touched::Store if !target.store => "only the embedded service has a store that can be locked",
            Touched::Process | Touched::Clock | Touched::Store => continue,
        };
        if !lacking.iter().any(|known| known == why) {
            lacking.push(why.to_owned());
        }
    }
    lacking
}

/// Whether events of it never arrive; where Stripe's list can be asked they stay owed.
fn owes_what_never_arrives(scenario: &Scenario) -> bool {
    let never = |kind: &FaultKind| matches!(kind, FaultKind::Drop { first: ALL_ATTEMPTS, .. });
    scenario.faults.iter().any(|fault| never(&fault.kind))
}

/// What of the target a fault touches.
#[derive(Clone, Copy)]
enum Touched {
    Process,
    Clock,
    Store,
}

impl Touched {
    fn of(kind: &FaultKind) -> Option<Self> {
        match kind {
            FaultKind::Kill { .. }
            | FaultKind::KillAtCall(_)
            | FaultKind::Down { .. }
            | FaultKind::RandomKills { .. }
            | FaultKind::Stop { .. } => Some(Self::Process),
            FaultKind::Clock { .. } => Some(Self::Clock),
            FaultKind::StoreBusy { .. } => Some(Self::Store),
            // A crash at a point runs in virtual time alone, which is said elsewhere.
            FaultKind::Crash { .. }
            | FaultKind::Duplicate { .. }
            | FaultKind::Reorder { .. }
            | FaultKind::Delay { .. }
            | FaultKind::Drop { .. }
            | FaultKind::Forged { .. }
            | FaultKind::Malformed { .. }
            | FaultKind::UnknownType { .. }
            | FaultKind::SecretRoll { .. }
            | FaultKind::SecondEvent { .. }
            | FaultKind::SecondEndpoint { .. }
            | FaultKind::Foreign { .. }
            | FaultKind::Body { .. }
            | FaultKind::Signed { .. }
            | FaultKind::Burst { .. }
            | FaultKind::Outage { .. }
            | FaultKind::Slow { .. }
            | FaultKind::Transport(_)
            | FaultKind::Downstream(_) => None,
        }
    }
}

/// Takes out of the scenarios that need not be judged whole what the target cannot be asked for, and checks the others.
///
/// # Errors
/// What cannot be judged in a scenario that must be judged whole, in words: said before anything is sent, not after.
pub(super) fn prepare(found: &mut [Found], project: &Project, partly: bool) -> Result<(), String> {
    for found in found.iter_mut().filter(|found| partly || !found.strict) {
        found.not_judged = trim(&mut found.scenario, project);
    }
    judgeable(found, project)
}

fn judgeable(found: &[Found], project: &Project) -> Result<(), String> {
    let mut wrong = Vec::new();
    for f in found.iter().filter(|f| f.named && f.scenario.body != Body::Simulated) {
        let criteria = not_judged(&f.scenario, project).len();
        for (n, why) in unanswerable(&f.scenario, project).into_iter().enumerate() {
            let (path, slug) = (f.path.display(), &f.scenario.slug);
            let partly = if n < criteria { "--partly judges the rest; " } else { "" };
            wrong.push(format!("{path}: {why} ({partly}--filter '!{slug}' leaves the scenario out)"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Databases of probes, seeds and resets are asked for before anything is started: without them nothing can be said.
pub(super) async fn databases(project: &Project) -> Result<(), String> {
    let target = &project.target;
    let asker = Asker::default();
    let read = target.probe.iter().map(|probe| &probe.ask);
    for question in read.chain(&target.seeds).chain(&target.resets) {
        let reached = asker.reach(question, &target.given).await;
        reached.map_err(|error| format!("the database of {} is not there: {error}", question.words()))?;
    }
    Ok(())
}

/// A target that is down is a broken run, not a service that loses events.
pub(super) async fn reachable(url: &str) -> Result<(), String> {
    let uri: http::Uri = url.parse().map_err(|_| format!("`{url}` is not a URL"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let connecting = tokio::net::TcpStream::connect((host.as_str(), port));
    match tokio::time::timeout(std::time::Duration::from_secs(5), connecting).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("nothing answers at {host}:{port} ({error})")),
        Err(_) => Err(format!("nothing answers at {host}:{port} within 5 s")),
    }
}
