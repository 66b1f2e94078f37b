//! Apps that hookdrill starts, kills and starts again itself: a small Python shop over SQLite, alone and in several processes.

use super::here;
use crate::cli::{Finished, hookdrill, scratch};
use std::{net::TcpStream, path::PathBuf, time::Duration};

/// A folder with a project file and a scenario, and what a run of both leaves there.
pub(crate) struct Drill {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What the shop is started with, and how its customers are read.
pub(crate) const SHOP: &str = r#"[target]
webhook = "http://127.0.0.1:{port}/webhook"
secret_env = "STRIPE_WEBHOOK_SECRET"
command = ["sh", "-c", "python3 SHOP; exit $?"]
ready = "http://127.0.0.1:{port}/health"
env = { PORT = "{port}", DB = "{scratch}/shop.db", CRM_URL = "{crm_url}", PLANT = "PLANTED" }

[mocks.crm]

[probe.customer]
sql = "select status, access, purchases, raw, since from customers where id = :customer"
database = "sqlite:{scratch}/shop.db"
access = "$.access == 1"
values = { purchases = "$.purchases" }
"#;

/// One customer's purchase, each event twice, under a fault.
pub(crate) fn scenario(faults: &str, criteria: &str) -> String {
    format!(
        "version = 1\nname = \"shop\"\nabout = \"A purchase at the shop.\"\n\
         [delivery]\nretry = [\"300ms\", \"600ms\", \"1s\", \"2s\", \"3s\", \"3s\"]\n\
         [[story]]\nname = \"purchase\"\nrecording = \"checkout-subscription\"\ninstances = 2\n\
         {faults}\n{criteria}\n"
    )
}

/// Access for everybody, one purchase and one contact each, no event lost.
pub(crate) const CRITERIA: &str = "[[criterion]]\naccess = { is = \"granted\" }\n\
    [[criterion]]\nevents_lost = { exactly = 0 }\n\
    [[criterion]]\nprobe_value = { name = \"purchases\", exactly = 1 }\n";

impl Drill {
    /// `project` may name the shop as `SHOP`, and what is planted in it as `PLANTED`.
    pub(crate) fn new(project: &str, planted: &str, scenario: &str) -> Option<Self> {
        if std::process::Command::new("python3").arg("--version").output().is_err() {
            crate::skip("an app of Python's", "python3 is not installed");
            return None;
        }
        let folder = scratch();
        let shop = here("shop.py").display().to_string();
        let project = project.replace("SHOP", &shop).replace("PLANTED", planted);
        std::fs::write(folder.path().join("hookdrill.toml"), project).expect("written");
        std::fs::write(folder.path().join("shop.toml"), scenario).expect("written");
        Some(Self { folder, environment: Vec::new() })
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn run(&self) -> Finished {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let (scenario, project, reports) = (at("shop.toml"), at("hookdrill.toml"), at("reports"));
        let environment: Vec<(&str, &str)> = self.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        hookdrill(&["run", &scenario, "--target", &project, "--reports", &reports], &environment)
    }

    /// The folder of the run.
    pub(crate) fn left(&self) -> PathBuf {
        let runs = std::fs::read_dir(self.folder.path().join("reports/shop")).expect("runs");
        runs.flatten().map(|entry| entry.path()).next().expect("a run")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.left().join(name)).expect(name)
    }
}

/// The port on which the shop said that it listens, the last time that it said so.
fn port(log: &str) -> u16 {
    let line = log.lines().rev().find_map(|line| line.strip_prefix("listening on "));
    line.and_then(|port| port.trim().parse().ok()).expect("a port")
}

fn refuses(port: u16) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        TcpStream::connect(("127.0.0.1", port)).is_err()
    })
}

#[test]
fn an_app_is_started_killed_and_started_again_with_all_that_it_started() {
    let kill = "[[fault]]\nkill = { on_ack_of = \"checkout.session.completed\", restart_after = \"200ms\" }\n\
        [[fault]]\nduplicate = { of = \"*\", copies = 2, spacing = \"100ms\" }\n";
    let contacts = "[[criterion]]\ncontacts_per_customer = { exactly = 1 }\n";
    let Some(drill) = Drill::new(SHOP, "", &scenario(kill, &format!("{CRITERIA}{contacts}"))) else { return };
    let done = drill.with("HOOKDRILL_ADMIN_TOKEN", "a-token-of-hookdrills-own");
    let drill = done;
    let done = drill.run();
    assert_eq!(done.code, 0, "{done}");
    let log = drill.file("app.log");
    assert!(log.matches("listening on").count() >= 2, "it was started again: {log}");
    assert!(log.contains("[hookdrill] killed"), "{log}");
    assert!(refuses(port(&log)), "nothing is left running, not even what `sh` started");
    assert!(log.contains("the secret is") && !log.contains("whsec_"), "no secret in any file: {log}");
    assert!(log.contains("hookdrill's None"), "hookdrill's own variables are not handed on: {log}");
    let history = drill.file("history.jsonl");
    assert!(history.contains("\"killed\"") && !history.contains("\"died\""), "{history}");
}

#[test]
fn an_app_that_counts_twice_fails() {
    let twice = "[[fault]]\nduplicate = { of = \"*\", copies = 2, spacing = \"100ms\" }\n";
    let Some(drill) = Drill::new(SHOP, "no_dedupe", &scenario(twice, CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("purchases"), "{done}");
}
