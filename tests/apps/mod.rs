//! hookdrill on an app of somebody else's: a small Node server that counts a purchase twice on a duplicate, and its sound twin.

mod compared;
mod driven;
mod gate;
mod planted;
mod started;

use crate::cli::{Finished, hookdrill, scratch};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub(crate) const SECRET: &str = "whsec_of_the_counting_shop";

pub(crate) struct App {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(file)
}

/// Starts the app on a free port; `None` where there is no Node.
pub(crate) fn start(sound: bool) -> Option<App> {
    let mut command = Command::new("node");
    let sound = if sound { "1" } else { "0" };
    command.arg(here("counter.mjs")).envs([("STRIPE_WEBHOOK_SECRET", SECRET), ("SOUND", sound), ("PORT", "0")]);
    serve(&mut command)
}

/// Starts an app that prints a line with its port at the end; `None` where its program is not installed.
pub(crate) fn serve(command: &mut Command) -> Option<App> {
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        crate::skip("an app of somebody's", &format!("{:?} is not installed", command.get_program()));
        return None;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let port = line.trim().rsplit(' ').next().and_then(|p| p.parse().ok()).expect("the app says its port");
    Some(App { child, port })
}

pub(crate) fn project(folder: &Path, port: u16) -> PathBuf {
    let file = folder.join("hookdrill.toml");
    let text = format!(
        r#"[target]
webhook = "http://127.0.0.1:{port}/webhook"
secret_env = "SHOP_SECRET"

[probe.customer]
http = "http://127.0.0.1:{port}/customers/{{customer}}"
access = "$.access == true"
values = {{ purchases = "$.purchases" }}
"#
    );
    std::fs::write(&file, text).expect("written");
    file
}

/// The blocks of the README that begin with `first`.
fn readme(first: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a README");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.starts_with(first)).map(str::to_owned).collect()
}

#[test]
fn the_examples_of_the_readme_are_valid() {
    let folder = scratch();
    let [project] = &readme("[target]")[..] else { panic!("one project file") };
    let [scenario] = &readme("version = 1")[..] else { panic!("one scenario") };
    let at = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file.to_str().expect("text").to_owned()
    };
    let (project, scenario) = (at("hookdrill.toml", project), at("example.toml", scenario));
    let linted = hookdrill(&["lint", &scenario], &[]);
    assert_eq!(linted.code, 0, "{linted}");
    // The reports cannot be written, which is only found out once the project file has been read and found good.
    let shipped = "scenarios/signup-and-checkout.toml";
    let reports = at("reports.txt", "");
    let done =
        hookdrill(&["run", shipped, "--target", &project, "--reports", &reports], &[("STRIPE_WEBHOOK_SECRET", SECRET)]);
    assert_eq!(done.code, 4, "{done}");
}

fn run_against(sound: bool) -> Option<Finished> {
    let app = start(sound)?;
    let folder = scratch();
    let project = project(folder.path(), app.port);
    let scenario = here("replay.toml");
    let reports = folder.path().join("reports");
    Some(hookdrill(
        &["run", scenario.to_str()?, "--target", project.to_str()?, "--reports", reports.to_str()?],
        &[("SHOP_SECRET", SECRET)],
    ))
}

#[test]
fn an_app_that_counts_a_duplicate_twice_fails() {
    let Some(done) = run_against(false) else { return };
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("probe_value"), "{done}");
    assert!(done.stdout.contains("replay_effects"), "{done}");
    assert!(!done.stdout.contains(SECRET), "{done}");
}

#[test]
fn its_sound_twin_passes() {
    let Some(done) = run_against(true) else { return };
    assert_eq!(done.code, 0, "{done}");
}
