//! What a scenario asks of declared doubles against what there is: said before anything is sent.
//!
//! Must not know: how a double answers, how anything is run.

use super::{Failure, find::Found};
use crate::{
    drive::project::Project,
    scenario::{criterion::Criterion, error::suggest, fault::Double, fault::FaultKind, model::Scenario},
};

/// What keeps a scenario from being run: nothing for one that asks for no declared double.
pub(crate) fn lacking(scenario: &Scenario, project: Option<&Project>) -> Vec<String> {
    let Some(project) = project else {
        let names: Vec<String> = scenario.declared.iter().map(|name| format!("`{name}`")).collect();
        let what = format!(
            "it needs {}, which is declared in a project file and which the embedded service does not call; \
             name your app: --target hookdrill.toml",
            names.join(" and ")
        );
        return if names.is_empty() { Vec::new() } else { vec![what] };
    };
    let missing = scenario.declared.iter().filter(|name| !project.declared.contains_key(name));
    let mut lacks: Vec<String> = missing
        .map(|name| {
            format!("the target has no double `{name}`; declare it: [mocks.{name}] with file = \"{name}.toml\"")
        })
        .collect();
    for (of, operation) in scenario.faults.iter().filter_map(|fault| operation(&fault.kind)) {
        let Double::Declared(name) = of else { continue };
        let Some(double) = project.declared.get(&name) else { continue };
        let routes = double.route_names();
        if !routes.contains(&operation) {
            lacks.push(format!("`{name}` has no route `{operation}`; {}", one_line(&suggest(operation, &routes))));
        }
    }
    for criterion in &scenario.criteria {
        let Criterion::EffectsPerCustomer { of, .. } = criterion else { continue };
        let Some(double) = project.declared.get(&of.double) else { continue };
        let effects = double.effect_names();
        if !effects.contains(&of.effect.as_str()) {
            let help = one_line(&suggest(&of.effect, &effects));
            lacks.push(format!("`{}` counts no effect `{}`; {help}", of.double, of.effect));
        }
    }
    lacks
}

/// Refuses scenarios that cannot be run for want of a declared double, with the file of each.
///
/// # Errors
/// [`Failure::Usage`] with all that is lacking.
pub(crate) fn runnable(found: &[Found], project: Option<&Project>) -> Result<(), Failure> {
    let lacks = found.iter().flat_map(|f| {
        let file = f.path.display();
        lacking(&f.scenario, project).into_iter().map(move |what| format!("{file}: {what}"))
    });
    let lacks: Vec<String> = lacks.collect();
    if lacks.is_empty() { Ok(()) } else { Err(Failure::Usage(lacks.join("\n"))) }
}

fn operation(kind: &FaultKind) -> Option<(Double, &str)> {
    match kind {
        FaultKind::Downstream(fault) => Some((fault.calls.of, fault.calls.operation.as_deref()?)),
        FaultKind::KillAtCall(kill) => Some((kill.at.of, kill.at.operation.as_deref()?)),
        _ => None,
    }
}

fn one_line(help: &str) -> String {
    help.replace('\n', " ")
}
