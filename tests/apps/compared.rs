//! `--compare clean` on an app of which nobody has said what is right: imported events without a story, a probe without more than
//! access or no probe at all. What is wrong is found and has its name; the sound twin passes.

use super::here;
use crate::cli::{Finished, hookdrill, scratch};
use hookdrill::check::verdict::{Verdict, Verdicts};
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

const SECRET: &str = "whsec_of_the_compared_shop";

/// What opens the pages of the shop's administrators.
const TOKEN: &str = "a-token-that-nobody-else-has";

/// The events: a purchase, an upgrade, the end announced; without a word on what is right.
const EVENTS: &[(&str, &str)] = &[
    ("checkout-subscription", "customer.created"),
    ("checkout-subscription", "checkout.session.completed"),
    ("checkout-subscription", "customer.subscription.created"),
    ("checkout-subscription", "invoice.paid"),
    ("upgrade-proration", "customer.subscription.updated"),
    ("cancel-at-period-end", "customer.subscription.updated"),
];

/// Writes the recording `bare` below a folder.
fn recording(folder: &Path) {
    let bare = folder.join("bare");
    std::fs::create_dir_all(&bare).expect("made");
    for (n, (story, kind)) in EVENTS.iter().enumerate() {
        let entries = std::fs::read_dir(Path::new("fixtures").join(story)).expect("a recording");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        let wanted = files.iter().find(|path| path.to_string_lossy().ends_with(&format!("{kind}.json")));
        std::fs::copy(wanted.expect("an event"), bare.join(format!("{:02}-{kind}.json", n + 1))).expect("copied");
    }
}

/// Not a single criterion stands in it.
fn scenario(faults: &str) -> String {
    format!(
        "version = 1\nname = \"compared\"\nabout = \"Nobody says what is right.\"\n\n[[story]]\nname = \"shop\"\n\
         recording = \"bare\"\ninstances = 3\nspacing = \"50ms\"\n\n{faults}\n"
    )
}

struct App {
    child: Child,
    port: u16,
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(mode: &str, crm: Option<u16>) -> Option<App> {
    let mut command = Command::new("node");
    command.arg(here("compared.mjs")).env("STRIPE_WEBHOOK_SECRET", SECRET).env("MODE", mode).env("PORT", "0");
    if let Some(crm) = crm {
        command.env("CRM", format!("http://127.0.0.1:{crm}"));
    }
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        crate::skip("an app compared with itself", "node is not installed");
        return None;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let port = line.trim().rsplit(' ').next().and_then(|p| p.parse().ok()).expect("the app says its port");
    Some(App { child, port })
}

/// Runs the app under faults, compared with a clean delivery: how it ended, and the verdict.
fn compared(project: &str, faults: &str) -> (Finished, Verdict) {
    let folder = scratch();
    recording(folder.path());
    let at = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file.to_str().expect("text").to_owned()
    };
    let (scenario, project) = (at("compared.toml", &scenario(faults)), at("hookdrill.toml", project));
    let (fixtures, reports) = (folder.path().to_str().expect("text"), folder.path().join("reports"));
    let mut arguments = vec!["run", &scenario, "--target", &project, "--fixtures", fixtures, "--compare", "clean"];
    arguments.extend(["--reports", reports.to_str().expect("text")]);
    let done = hookdrill(&arguments, &[("SHOP_SECRET", SECRET), ("ADMIN_HEADER", &format!("Bearer {TOKEN}"))]);
    let runs = std::fs::read_dir(reports.join("compared")).unwrap_or_else(|error| panic!("{error}: {done}"));
    let run = runs.map(|run| run.expect("a run").path()).next().expect("a run");
    let verdicts = std::fs::read_to_string(run.join("verdicts.json")).unwrap_or_else(|error| panic!("{error}: {done}"));
    let verdicts: Verdicts = serde_json::from_str(&verdicts).expect("verdicts");
    let checked = hookdrill(&["check", run.to_str().expect("text")], &[]);
    assert_eq!(checked.code, done.code, "judged again alike: {checked}");
    for file in std::fs::read_dir(&run).expect("a run").flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        assert!(!text.contains(TOKEN), "{}", file.path().display());
    }
    let verdict = verdicts.verdicts.into_iter().find(|verdict| verdict.criterion == "differences_from_clean");
    (done, verdict.expect("compared"))
}

fn with_probe(port: u16) -> String {
    format!(
        "[target]\nwebhook = \"http://127.0.0.1:{port}/webhook\"\nsecret_env = \"SHOP_SECRET\"\n\n[probe.customer]\n\
         http = \"http://127.0.0.1:{port}/customers/{{customer}}\"\naccess = \"$.status == 'active'\"\n"
    )
}

fn with_double(port: u16, crm: u16) -> String {
    format!(
        "[target]\nwebhook = \"http://127.0.0.1:{port}/webhook\"\nsecret_env = \"SHOP_SECRET\"\n\n[mocks.crm]\n\
         listen = \"127.0.0.1:{crm}\"\n"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

const LATE_UPDATE: &str = "[[fault]]\ndelay = { of = \"customer.subscription.updated#1\", by = \"1s\" }\n\
                           [[fault]]\nduplicate = { of = \"*\", copies = 2, spacing = \"100ms\" }";

const TWICE: &str = "[[fault]]\nduplicate = { of = \"*\", copies = 2, spacing = \"100ms\" }";

const CRM_DOWN: &str = "[[fault]]\noutage = { of = \"crm\", for = \"2s\", answer = 503 }";

#[test]
fn an_older_snapshot_that_wins_is_stale_and_only_a_probe_is_needed() {
    let Some(app) = start("older-wins", None) else { return };
    let (done, verdict) = compared(&with_probe(app.port), LATE_UPDATE);
    assert_eq!((done.code, verdict.anomaly.map(|a| a.word())), (1, Some("stale")), "{verdict:#?}\n{done}");
    assert!(verdict.why.contains("$.ending is false, clean: true"), "{verdict:#?}");
    assert!(verdict.seen.contains("$.row (two clean deliveries differ there)"), "{verdict:#?}");
    let Some(app) = start("sound", None) else { return };
    let (done, verdict) = compared(&with_probe(app.port), LATE_UPDATE);
    assert_eq!(done.code, 0, "{verdict:#?}\n{done}");
}

#[test]
fn a_second_contact_is_a_duplicate_and_only_a_double_is_needed() {
    let crm = free_port();
    let Some(app) = start("second-contact", Some(crm)) else { return };
    let (done, verdict) = compared(&with_double(app.port, crm), TWICE);
    assert_eq!((done.code, verdict.anomaly.map(|a| a.word())), (1, Some("duplicate")), "{verdict:#?}\n{done}");
    assert!(verdict.why.contains("2 contacts, clean: 1 contact"), "{verdict:#?}");
    let crm = free_port();
    let Some(app) = start("sound", Some(crm)) else { return };
    let (done, verdict) = compared(&with_double(app.port, crm), TWICE);
    assert_eq!(done.code, 0, "{verdict:#?}\n{done}");
}

#[test]
fn a_contact_that_an_outage_swallows_is_lost() {
    let crm = free_port();
    let Some(app) = start("swallows", Some(crm)) else { return };
    let (done, verdict) = compared(&with_double(app.port, crm), CRM_DOWN);
    assert_eq!((done.code, verdict.anomaly.map(|a| a.word())), (1, Some("lost")), "{verdict:#?}\n{done}");
    let crm = free_port();
    let Some(app) = start("sound", Some(crm)) else { return };
    let (done, verdict) = compared(&with_double(app.port, crm), CRM_DOWN);
    assert_eq!(done.code, 0, "{verdict:#?}\n{done}");
}

/// hookdrill starts the app itself, kills it, and starts it again.
fn started(mode: &str) -> String {
    format!(
        "[target]\nwebhook = \"http://127.0.0.1:{{port}}/webhook\"\nsecret_env = \"STRIPE_WEBHOOK_SECRET\"\n\
         command = [\"node\", {:?}]\nready = \"http://127.0.0.1:{{port}}/health\"\n\
         env = {{ PORT = \"{{port}}\", MODE = \"{mode}\", STORE = \"{{scratch}}/store.json\" }}\n\n[probe.customer]\n\
         http = \"http://127.0.0.1:{{port}}/customers/{{customer}}\"\naccess = \"$.status == 'active'\"\n",
        here("compared.mjs").to_str().expect("text")
    )
}

const KILLED: &str = "[[fault]]\nkill = { on_ack_of = \"customer.subscription.updated#2\" }";

#[test]
fn what_is_forgotten_in_a_crash_is_lost() {
    if Command::new("node").arg("--version").output().is_err() {
        return crate::skip("an app that is killed", "node is not installed");
    }
    let (done, verdict) = compared(&started("forgets"), KILLED);
    assert_eq!((done.code, verdict.anomaly.map(|a| a.word())), (1, Some("lost")), "{verdict:#?}\n{done}");
    let (done, verdict) = compared(&started("sound"), KILLED);
    assert_eq!(done.code, 0, "{verdict:#?}\n{done}");
}

#[test]
fn an_app_that_cannot_be_asked_is_not_judged() {
    let Some(app) = start("sound", None) else { return };
    let project = with_probe(app.port).replace("/customers/", "/nothing/");
    let (done, verdict) = compared(&project, TWICE);
    assert_eq!(done.code, 2, "{verdict:#?}\n{done}");
}

#[test]
fn an_app_that_wants_to_know_who_asks_is_told_by_a_header_that_no_file_shows() {
    let open = |project: String| {
        project
            .replace("access = \"$.status", "headers_env = { Authorization = \"ADMIN_HEADER\" }\naccess = \"$.status")
    };
    let closed = |project: String| project.replace("env = { PORT", &format!("env = {{ TOKEN = {TOKEN:?}, PORT"));
    let (done, verdict) = compared(&open(closed(started("sound"))), TWICE);
    assert_eq!(done.code, 0, "{verdict:#?}\n{done}");
    assert!(verdict.seen.contains("compared"), "{verdict:#?}");
    let (done, verdict) = compared(&closed(started("sound")), TWICE);
    assert_eq!(done.code, 2, "{verdict:#?}\n{done}");
}

#[test]
fn of_a_folder_an_app_is_asked_what_it_can_be_asked_and_no_more_than_a_sound_one_gives() {
    let Some(app) = start("sound", None) else { return };
    let folder = scratch();
    recording(folder.path());
    std::fs::create_dir(folder.path().join("all")).expect("made");
    let at = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file.to_str().expect("text").to_owned()
    };
    let lost = "[[criterion]]\nevents_lost = { exactly = 0 }\n";
    let plain = scenario(lost);
    at("all/plain.toml", &plain);
    let more = plain.replacen("about", "asks_more = \"nobody gives it\"\nabout", 1);
    let more = at("all/more.toml", &more.replacen("compared", "more", 1));
    let unanswerable = scenario(&format!("{KILLED}\n{lost}")).replacen("compared", "killed", 1);
    let unanswerable = at("all/killed.toml", &unanswerable);
    let queue = "[[criterion]]\nmanual_steps = { exactly = 0 }\n";
    let partly = scenario(&format!("{queue}{lost}")).replacen("compared", "partly", 1);
    let partly = at("all/partly.toml", &partly);
    let project = at("hookdrill.toml", &with_probe(app.port));
    let (fixtures, reports) = (folder.path().to_str().expect("text"), folder.path().join("reports"));
    let with = |path: &str, more: &[&str]| {
        let reports = reports.to_str().expect("text");
        let arguments = ["run", path, "--target", &project, "--fixtures", fixtures, "--reports", reports];
        hookdrill(&[&arguments[..], more].concat(), &[("SHOP_SECRET", SECRET)])
    };
    let run = |path: &str| with(path, &[]);
    let all = run(folder.path().join("all").to_str().expect("text"));
    assert!(all.code == 0 && all.stdout.contains("2 scenarios: 2 passed"), "{all}");
    let said = all.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("a sound app may fail it: nobody gives it; name its file to run it"), "{all}");
    assert!(said.contains("cannot be killed"), "{all}");
    let lacks = "not judged: manual_steps (it needs a report of its queue, which only the embedded service gives)";
    assert!(said.contains(lacks) && said.contains("Every criterion that could be judged held"), "{all}");
    let junit = std::fs::read_to_string(reports.join("junit.xml")).expect("written");
    assert!(junit.contains("<skipped") && junit.contains("manual_steps"), "{junit}");
    let refused = run(&partly);
    assert!(refused.code == 3 && refused.stderr.contains("--partly judges the rest"), "{refused}");
    let judged = with(&partly, &["--partly"]);
    assert!(judged.code == 0 && judged.stdout.contains("1 of 1 held"), "{judged}");
    for stored in std::fs::read_dir(reports.join("partly")).expect("runs").flatten() {
        let again = hookdrill(&["check", stored.path().to_str().expect("text")], &[]);
        assert!(again.code == 0 && again.stdout.contains("not judged: manual_steps"), "{again}");
    }
    let named = run(&more);
    assert!(named.code == 0 && named.stdout.contains("1 scenario: 1 passed"), "{named}");
    let named = run(&unanswerable);
    assert!(named.code == 3 && named.stderr.contains("cannot be killed"), "{named}");
    assert!(!named.stderr.contains("--partly"), "it would not help: {named}");
}
