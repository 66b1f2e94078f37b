//! A plan as a schedule to read: `hookdrill plan`.
//!
//! Plain text, the same on every terminal. Must not know: how a plan is made or carried out.

use super::model::{
    Action, CallDoes, CallTrouble, Delivery, DeliveryKind, KillAt, Outage, Phase, Plan, PlannedStep, Reaction, Signing,
    TransportStep,
};
use crate::scenario::{
    downstream::Which,
    fault::{ALL_ATTEMPTS, Place},
    model::Page,
};
use std::fmt::Write;

/// The schedule: customers, faults, deliveries in order, steps, outages, kills.
pub fn timeline(plan: &Plan) -> String {
    let mut out = String::new();
    head(&mut out, plan);
    faults(&mut out, plan);
    for (phase, title) in [
        (
            Phase::Faults,
            "deliveries (when, id, whose, what; the right answer and what is owed; what is special, and by which fault)",
        ),
        (Phase::Replay, "replay after the quiet phase"),
    ] {
        let rows: Vec<[String; 6]> =
            plan.deliveries.iter().filter(|delivery| delivery.phase == phase).map(delivery_row).collect();
        table(&mut out, title, &rows);
    }
    let clean: Vec<[String; 6]> = plan.clean_part().deliveries.iter().map(delivery_row).collect();
    table(&mut out, "without faults, before all this: for comparison", &clean);
    table(&mut out, "steps without faults", &plan.clean_part().steps.iter().map(step_row).collect::<Vec<_>>());
    table(&mut out, "steps", &plan.steps.iter().map(step_row).collect::<Vec<_>>());
    table(&mut out, "outages", &plan.outages.iter().map(outage_row).collect::<Vec<_>>());
    table(&mut out, "calls", &plan.troubles.iter().map(trouble_row).collect::<Vec<_>>());
    let of_the_service = plan.windows_of_the_service().into_iter().map(|window| {
        let until = window.until_ms.map_or("the end".to_owned(), seconds);
        [format!("{} to {until}", seconds(window.from_ms)), window.what]
    });
    table(&mut out, "the service", &of_the_service.collect::<Vec<_>>());
    let kills = plan.kills.iter().map(|kill| {
        let on = match &kill.at {
            KillAt::OnAckOf(delivery) => format!("on the first acknowledgement of {delivery}"),
            KillAt::AtMs(at_ms) if kill.lot.is_some() => format!("one process at {}", seconds(*at_ms)),
            KillAt::AtMs(at_ms) => format!("at {}", seconds(*at_ms)),
            KillAt::StopAt(at_ms) => format!("told to stop at {}", seconds(*at_ms)),
            KillAt::AtPoint(point) => format!("at scheduling point {point}"),
            KillAt::AtCall(call) => call.what(),
        };
        [on, format!("started again {} later", seconds(kill.restart_after_ms))]
    });
    table(&mut out, "kills", &kills.collect::<Vec<_>>());
    let given = plan.given.iter().map(|contact| {
        let properties: Vec<String> =
            contact.properties.iter().map(|(name, text)| format!("{name}={text:?}")).collect();
        [contact.instance.to_string(), properties.join(" ")]
    });
    table(&mut out, "contacts before the run", &given.collect::<Vec<_>>());
    out
}

fn head(out: &mut String, plan: &Plan) {
    let waits: Vec<String> = plan.retry_waits_ms.iter().map(|wait| seconds(*wait)).collect();
    let retries = if waits.is_empty() { "none".to_owned() } else { waits.join(", ") };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{} (seed {}, payload epoch {})", plan.scenario, plan.seed, plan.epoch);
    let ghosts = plan.instances.iter().filter(|instance| instance.ghost).count();
    let _ = writeln!(
        out,
        "instances: {}; deliveries: {}, of which owed: {}; retries after {retries}; time-out {}; quiet budget {}",
        plan.instances.len() - ghosts,
        plan.deliveries.len(),
        plan.deliveries.iter().filter(|delivery| delivery.owed).count(),
        seconds(plan.timeout_ms),
        seconds(plan.quiet_budget_ms),
    );
    let rows = plan.instances.iter().map(|instance| {
        let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
        let note = match (&instance.continues, instance.ghost) {
            (_, true) => "does not exist".to_owned(),
            (Some(earlier), false) => format!("continues {earlier}"),
            (None, false) if instance.person != instance.id => format!("same person as {}", instance.person),
            (None, false) => String::new(),
        };
        let customer = text(instance.customer.as_ref().map(crate::id::CustomerId::as_str));
        [instance.id.to_string(), customer, text(instance.email.as_deref()), note]
    });
    table(out, "instances", &rows.collect::<Vec<_>>());
}

fn faults(out: &mut String, plan: &Plan) {
    let rows = plan.faults.iter().enumerate().map(|(n, fault)| [format!("[{n}]"), fault.clone()]);
    table(out, "faults (number, what happens; what stays owed)", &rows.collect::<Vec<_>>());
}

fn delivery_row(delivery: &Delivery) -> [String; 6] {
    let faults: String = delivery.faults.iter().map(|fault| format!("[{fault}]")).collect();
    [
        seconds(delivery.at_ms),
        delivery.id.to_string(),
        delivery.instance.to_string(),
        delivery.event_type.clone(),
        expected(delivery),
        [what(delivery), faults].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
    ]
}

fn expected(delivery: &Delivery) -> String {
    let reaction = match delivery.expect {
        Reaction::Accept => "2xx",
        Reaction::Refuse => "4xx",
        Reaction::Either => "2xx or 4xx",
    };
    format!("{reaction}, {}", if delivery.owed { "effect owed" } else { "nothing owed" })
}

fn what(delivery: &Delivery) -> String {
    let kind = match delivery.kind {
        DeliveryKind::Genuine => None,
        DeliveryKind::Duplicate => Some("duplicate".to_owned()),
        DeliveryKind::Forged(signature) => Some(format!("forged ({})", signature.word())),
        DeliveryKind::Malformed(_) => Some("malformed".to_owned()),
        DeliveryKind::UnknownType => Some("unknown type".to_owned()),
        DeliveryKind::OddlySigned(signature) => Some(format!("signed oddly ({})", signature.word())),
        DeliveryKind::SecondEvent => Some("second event".to_owned()),
        DeliveryKind::SecondEndpoint => Some("second endpoint".to_owned()),
        DeliveryKind::Foreign(how) => Some(format!("foreign ({})", how.word())),
    };
    let signed = match delivery.signature {
        Signing::Genuine | Signing::Bad(_) | Signing::SecondEndpoint => None,
        Signing::Good(how) => Some(how.what().to_owned()),
        Signing::Rolled(Place::First) => Some("two signatures, the first good".to_owned()),
        Signing::Rolled(Place::Last) => Some("two signatures, the last good".to_owned()),
    };
    let lost = match delivery.drop_first {
        0 => None,
        1 => Some("first attempt lost".to_owned()),
        ALL_ATTEMPTS => Some("never arrives".to_owned()),
        first => Some(format!("first {first} attempts lost")),
    };
    let on_the_way = on_the_way(&delivery.transport);
    [kind, signed, lost, on_the_way].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn on_the_way(steps: &[TransportStep]) -> Option<String> {
    let of = |(n, step): (usize, &TransportStep)| {
        let attempts = match (step.attempts, n) {
            (None, 0) => "each attempt".to_owned(),
            (None, _) => "each attempt then".to_owned(),
            (Some(1), 0) => "first attempt".to_owned(),
            (Some(1), _) => "the next".to_owned(),
            (Some(attempts), 0) => format!("first {attempts} attempts"),
            (Some(attempts), _) => format!("the next {attempts}"),
        };
        format!("{attempts} {}", step.how.what())
    };
    let said: Vec<String> = steps.iter().enumerate().map(of).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn step_row(step: &PlannedStep) -> [String; 4] {
    let action = match step.action {
        Action::SignUp => "signs up",
        Action::Ask => "asks for help",
        Action::Visit(Page::Success) => "visits the success page",
    };
    [seconds(step.at_ms), step.instance.to_string(), action.to_owned(), format!("{:?}", step.agent).to_lowercase()]
}

fn outage_row(outage: &Outage) -> [String; 3] {
    let window = format!("{} to {}", seconds(outage.from_ms), seconds(outage.until_ms));
    [window, outage.of.word().to_owned(), outage.what()]
}

impl Outage {
    /// What happens to a call meanwhile, in words; the history says it in the same ones.
    pub fn what(&self) -> String {
        match (self.answer, self.retry_after_s) {
            (Some(status), Some(after)) => format!("answers {status}, Retry-After {after}"),
            (Some(status), None) => format!("answers {status}"),
            (None, _) => format!("takes {}", seconds(self.delay_ms)),
        }
    }
}

fn trouble_row(trouble: &CallTrouble) -> [String; 4] {
    let window = match (trouble.from_ms, trouble.until_ms) {
        (0, None) => "any time".to_owned(),
        (from_ms, None) => format!("from {}", seconds(from_ms)),
        (from_ms, Some(until_ms)) => format!("{} to {}", seconds(from_ms), seconds(until_ms)),
    };
    let call = format!("{} {}", trouble.of.word(), trouble.operation.as_deref().unwrap_or("any call"));
    let which = match trouble.which {
        Which::All => "each".to_owned(),
        Which::First(first) => format!("the first {first}"),
        Which::Nth(nth) => format!("number {nth}"),
    };
    let about = match trouble.about.as_slice() {
        [] => String::new(),
        names => format!(" that names {}", names.iter().find(|name| name.contains('@')).unwrap_or(&names[0])),
    };
    let chance = if trouble.probability < 1.0 { format!(", chance {}", trouble.probability) } else { String::new() };
    [window, call, format!("{which}{about}{chance}"), format!("{} [{}]", trouble.does.what(), trouble.fault)]
}

impl CallDoes {
    /// What happens, in words; the history says it in the same ones.
    pub fn what(self) -> String {
        match self {
            Self::Answer { status, retry_after_s: None } => format!("answers {status}"),
            Self::Answer { status, retry_after_s: Some(after) } => format!("answers {status}, Retry-After {after}"),
            Self::Slow { least_ms, most_ms } if least_ms == most_ms => format!("takes {}", seconds(least_ms)),
            Self::Slow { least_ms, most_ms } => format!("takes {} to {}", seconds(least_ms), seconds(most_ms)),
            Self::LongTail { p50_ms, p99_ms } => {
                format!("takes mostly {}, rarely {}", seconds(p50_ms), seconds(p99_ms))
            }
            Self::PartialBatch { fails } => format!("does a batch but for its last {fails}"),
            Self::Hang => "never answers".to_owned(),
            Self::Reset => "connection reset, nothing done".to_owned(),
            Self::LostReply => "done, but the reply is lost".to_owned(),
            Self::MalformedJson => "done, but the answer is broken JSON".to_owned(),
            Self::TruncatedAnswer => "done, but the answer is cut off".to_owned(),
            Self::LaggingIndex { by_ms } => format!("done, and searches see it {} later", seconds(by_ms)),
            Self::Overtaken { by_ms } => {
                format!("the state of when it came, answered {} after the next event", seconds(by_ms))
            }
            Self::StaleRead { by_ms } => format!("the state of {} ago", seconds(by_ms)),
        }
    }
}

/// `0.120s`; from a minute on `4h00m00.120s`.
fn seconds(millis: u64) -> String {
    let (hours, minutes, rest) = (millis / 3_600_000, millis / 60_000 % 60, millis % 60_000);
    match (hours, minutes) {
        (0, 0) => format!("{}.{:03}s", rest / 1000, rest % 1000),
        (0, _) => format!("{minutes}m{:02}.{:03}s", rest / 1000, rest % 1000),
        _ => format!("{hours}h{minutes:02}m{:02}.{:03}s", rest / 1000, rest % 1000),
    }
}

/// A title and rows in columns; the first column is right-aligned when it holds times. Nothing when there are no rows.
fn table<const N: usize>(out: &mut String, title: &str, rows: &[[String; N]]) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let times = rows.iter().all(|row| row[0].ends_with('s') && row[0].starts_with(|c: char| c.is_ascii_digit()));
    let _ = writeln!(out, "\n{title}");
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ =
                if column == 0 && times { write!(line, "  {cell:>width$}") } else { write!(line, "  {cell:width$}") };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
