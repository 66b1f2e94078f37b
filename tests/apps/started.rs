//! Apps that hookdrill starts, kills and starts again itself: a small Python shop over SQLite, alone and in several processes.

use super::here;
use crate::cli::{Finished, hookdrill, scratch};
use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

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
         [delivery]\nretry = [\"300ms\", \"600ms\", \"1s\", \"2s\", \"3s\"]\n[quiet]\nbudget = \"15s\"\n\
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

    /// The same with another project file.
    pub(crate) fn with_project(self, project: &str) -> Self {
        let project = project.replace("SHOP", &here("shop.py").display().to_string()).replace("PLANTED", "");
        std::fs::write(self.folder.path().join("hookdrill.toml"), project).expect("written");
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The run by itself, which the test ends.
    pub(crate) fn command(&self) -> std::process::Command {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hookdrill"));
        command.args(["run", "--quiet"]).arg(at("shop.toml")).arg("--target").arg(at("hookdrill.toml"));
        command.arg("--reports").arg(at("reports")).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
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
    let drill = drill.with("HOOKDRILL_ADMIN_TOKEN", "a-token-of-hookdrills-own");
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
    let said = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("note what the app wrote is in ") && said.contains("app.log"), "{done}");
}

/// A customer who waits for long: there is time to kill hookdrill itself.
fn slow() -> String {
    scenario("[[fault]]\ndelay = { of = \"checkout.session.completed\", by = \"30s\" }\n", CRITERIA)
}

/// Starts the run, waits until the app listens, sends hookdrill a signal, and returns the app's port.
#[cfg(unix)]
fn ended_by(drill: &Drill, signal: &str) -> u16 {
    let mut hookdrill = drill.command().spawn().expect("it starts");
    let log = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let runs = std::fs::read_dir(drill.folder().join("reports/shop")).ok()?;
        let log = std::fs::read_to_string(runs.flatten().next()?.path().join("app.log")).ok()?;
        log.contains("listening on").then_some(log)
    });
    let port = port(&log.expect("the app starts"));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "it runs");
    let told = std::process::Command::new("kill").args([signal, &hookdrill.id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    hookdrill.wait().expect("it ends");
    port
}

#[cfg(unix)]
#[test]
fn nothing_is_left_running_when_hookdrill_is_killed_or_interrupted() {
    for signal in ["-KILL", "-INT"] {
        let Some(drill) = Drill::new(SHOP, "", &slow()) else { return };
        let port = ended_by(&drill, signal);
        assert!(refuses(port), "{signal}: the app is gone, with what it started");
    }
}

/// Two web processes and a worker.
const PROCESSES: &str = r#"[target]
webhook = "http://127.0.0.1:{port}/webhook"
secret_env = "STRIPE_WEBHOOK_SECRET"
env = { DB = "{scratch}/shop.db", PLANT = "PLANTED" }

[[target.process]]
name = "worker"
command = ["python3", "SHOP", "worker"]

[[target.process]]
name = "web"
command = ["python3", "SHOP"]
env = { PORT = "{port}" }
ready = "http://127.0.0.1:{port}/health"
copies = 2

[probe.customer]
http = "http://127.0.0.1:{port}/customers/{customer}"
access = "$.access == 1"
values = { purchases = "$.purchases" }
"#;

#[test]
fn several_processes_of_one_app_are_killed_one_by_one_and_stopped_together() {
    let faults = "[[fault]]\nrandom_kills = { times = 4, from = \"100ms\", for = \"1500ms\", restart_after = \"100ms\" }\n\
        [[fault]]\nstop = { at = \"2500ms\", restart_after = \"200ms\" }\n\
        [[fault]]\nduplicate = { of = \"*\", copies = 2, spacing = \"500ms\" }\n";
    let Some(drill) = Drill::new(PROCESSES, "", &scenario(faults, CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 0, "{done}");
    for name in ["worker.log", "web-1.log", "web-2.log"] {
        let log = drill.file(name);
        assert!(log.contains("[hookdrill] told to stop"), "{name}: {log}");
        assert!(log.matches("[hookdrill] started").count() >= 2, "{name}: {log}");
    }
    let ports: Vec<u16> = ["web-1.log", "web-2.log"].iter().map(|name| port(&drill.file(name))).collect();
    assert_ne!(ports[0], ports[1]);
    assert!(ports.into_iter().all(refuses));
    assert!(drill.file("history.jsonl").contains("of 3"), "each of the three may be killed");
}

#[test]
fn a_crash_at_a_call_of_the_app_is_a_crash_of_the_app() {
    let kill = "[[fault]]\nkill = { at_call = { of = \"crm\", operation = \"create_contact\", nth = 1, moment = \"after\" }, \
        restart_after = \"200ms\" }\n";
    let contacts = "[[criterion]]\ncontacts_per_customer = { exactly = 1 }\n";
    let Some(drill) = Drill::new(SHOP, "", &scenario(kill, &format!("{CRITERIA}{contacts}"))) else { return };
    let done = drill.run();
    assert_eq!(done.code, 0, "{done}");
    assert!(drill.file("app.log").contains("[hookdrill] killed"));
}

#[test]
fn a_process_that_dies_by_itself_is_started_again_and_that_is_told() {
    let Some(drill) = Drill::new(SHOP, "dies_once", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 0, "{done}");
    let history = drill.file("history.jsonl");
    assert!(history.contains("\"died\"") && history.contains("exit status: 7"), "{history}");
    let left = SHOP.replace("command =", "restart = false\ncommand =");
    let Some(drill) = Drill::new(&left, "dies_once", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 1, "nobody starts it again, and that is judged: {done}");
    assert!(done.stdout.contains("events_lost"), "{done}");
}

#[test]
fn seeds_make_the_users_that_an_app_wants() {
    let seeds = "\n[[seed]]\nhttp = \"http://127.0.0.1:{port}/users\"\njson = { id = \"{user}\", email = \"{email}\" }\n\
        [[seed]]\nsql = \"insert into users values (:user, :email) on conflict do nothing; select 1\"\n\
        database = \"sqlite:{scratch}/shop.db\"\n\
        [[seed]]\ncommand = [\"python3\", \"-c\", \"import sys; assert sys.argv[1].startswith('u'), sys.argv\", \"u{user}\"]\n\
        [[reset]]\nsql = \"delete from users\"\ndatabase = \"sqlite:{scratch}/shop.db\"\n";
    let story = scenario("", CRITERIA);
    let Some(drill) = Drill::new(&format!("{SHOP}{seeds}"), "needs_user", &story) else { return };
    let done = drill.run();
    assert_eq!(done.code, 0, "{done}");
    let Some(without) = Drill::new(SHOP, "needs_user", &story) else { return };
    let done = without.run();
    assert_eq!(done.code, 1, "without them it refuses: {done}");
}

#[test]
fn a_command_can_be_asked() {
    let ask = "import json,os,sqlite3,sys; c=sqlite3.connect(os.environ['DB']); \
        r=c.execute('select access, purchases from customers where id=?',(sys.argv[1],)).fetchone(); \
        sys.exit(44) if r is None else print(json.dumps({'access': bool(r[0]), 'purchases': r[1]}))";
    let (head, _) = SHOP.split_once("sql = ").expect("a probe");
    let project = format!(
        "{head}command = [\"python3\", \"-c\", \"{ask}\", \"{{customer}}\"]\naccess = \"$.access\"\n\
         values = {{ purchases = \"$.purchases\" }}\n"
    );
    let Some(drill) = Drill::new(&project, "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 0, "{done}");
    let broken = project.replace("import json", "raise SystemExit('out of order'); import json");
    let Some(drill) = Drill::new(&broken, "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 2, "no reading is no evidence: {done}");
    assert!(drill.file("history.jsonl").contains("ended with exit status: 1, and said: out of order"));
}
