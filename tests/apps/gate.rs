//! What stops a run instead of judging it: each way really happens here, and is said in words with exit code 4. And what must not
//! stop one: apps with a fault of their own, which are judged.

use super::started::{CRITERIA, Drill, SHOP, scenario};
use crate::cli::Finished;
use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

/// A shop behind a URL: started here, not by hookdrill.
struct Shop {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SECRET: &str = "whsec_of_the_shop_behind_a_url";

fn shop(planted: &str) -> Option<Shop> {
    use std::io::{BufRead, BufReader};
    let folder = crate::cli::scratch();
    let child = Command::new("python3")
        .arg(super::here("shop.py"))
        .env("PORT", "0")
        .env("DB", folder.path().join("shop.db"))
        .env("PLANT", planted)
        .env("STRIPE_WEBHOOK_SECRET", SECRET)
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        crate::skip("an app of Python's", "python3 is not installed");
        return None;
    };
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let port = lines.find_map(|line| line.ok()?.strip_prefix("listening on ")?.parse().ok()).expect("a port");
    std::thread::spawn(move || lines.for_each(drop));
    Some(Shop { child, port, _folder: folder })
}

fn behind_a_url(port: u16) -> String {
    format!(
        "[target]\nwebhook = \"http://127.0.0.1:{port}/webhook\"\nsecret_env = \"URL_SECRET\"\n\
         [probe.customer]\nhttp = \"http://127.0.0.1:{port}/customers/{{customer}}\"\naccess = \"$.access == 1\"\n\
         values = {{ purchases = \"$.purchases\" }}\n"
    )
}

fn run(shop: &Shop, secret: &str) -> Option<(Drill, Finished)> {
    let drill = Drill::new(&behind_a_url(shop.port), "", &scenario("", CRITERIA))?.with("URL_SECRET", secret);
    let done = drill.run();
    Some((drill, done))
}

#[test]
fn a_wrong_secret_stops_the_run() {
    let Some(shop) = shop("") else { return };
    let Some((drill, done)) = run(&shop, "whsec_another_one") else { return };
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("the signing secret is not the one that the app has"), "{done}");
    assert!(!drill.left().join("verdicts.json").exists(), "nothing was judged");
    let Some((_, right)) = run(&shop, SECRET) else { return };
    assert_eq!(right.code, 0, "{right}");
}

#[test]
fn an_app_that_refuses_everything_stops_the_run() {
    let Some(shop) = shop("refuses_all") else { return };
    let Some((_, done)) = run(&shop, SECRET) else { return };
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("whatever is rightly signed is answered 400"), "{done}");
}

#[test]
fn an_app_that_refuses_unknown_types_as_it_refuses_forgeries_is_judged() {
    let Some(shop) = shop("refuses_unknown") else { return };
    let Some((drill, done)) = run(&shop, SECRET) else { return };
    assert_eq!(done.code, 0, "{done}");
    assert!(drill.file("history.jsonl").contains("unknown type was answered 400, badly signed 400"));
}

#[test]
fn an_app_that_verifies_another_spelling_of_the_body_is_judged() {
    let Some(shop) = shop("reserialises") else { return };
    let Some((_, done)) = run(&shop, SECRET) else { return };
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("events_lost"), "{done}");
}

#[test]
fn an_app_that_dies_of_an_unknown_type_is_judged() {
    let Some(drill) = Drill::new(SHOP, "dies_on_unknown", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 0, "it is started again, and has all that follows: {done}");
    assert!(drill.file("history.jsonl").contains("\"died\""));
}

#[test]
fn a_target_that_goes_down_during_the_run_stops_it() {
    let Some(mut shop) = shop("") else { return };
    let slow = "[[fault]]\ndelay = { of = \"checkout.session.completed\", by = \"2s\" }\n";
    let text = scenario(slow, CRITERIA);
    let Some(drill) = Drill::new(&behind_a_url(shop.port), "", &text) else { return };
    let drill = drill.with("URL_SECRET", SECRET);
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| drill.run());
        while !drill.folder().join("reports/shop").exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::thread::sleep(std::time::Duration::from_millis(700));
        let _ = shop.child.kill();
        let _ = shop.child.wait();
        run.join().expect("it ends")
    });
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("went down during the run"), "{done}");
    assert!(!drill.left().join("verdicts.json").exists(), "nothing was judged");
}

#[test]
fn a_port_that_is_taken_stops_the_run() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let own = SHOP.replace("http://127.0.0.1:{port}/", &format!("http://127.0.0.1:{port}/"));
    let Some(drill) = Drill::new(&own, "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains(&format!("the port {port} of `webhook` is taken")), "{done}");
    let double = SHOP.replace("[mocks.crm]", &format!("[mocks.crm]\nlisten = \"127.0.0.1:{port}\""));
    let Some(drill) = Drill::new(&double, "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    assert!(
        done.stdout.contains(&format!("listen on 127.0.0.1:{port} for the CRM double: the port is taken")),
        "{done}"
    );
}

#[test]
fn an_app_that_does_not_start_stops_the_run_with_what_it_said() {
    let Some(drill) = Drill::new(SHOP, "fails_to_start", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    let said = "`app` did not get ready and ended (exit status: 2); it said: cannot find the configuration";
    assert!(done.stdout.contains(said), "{done}");
    assert!(!done.stdout.contains("whsec_0"), "{done}");
    let nowhere = SHOP.replace("\"sh\", \"-c\", \"python3 SHOP; exit $?\"", "\"no-such-program-anywhere\"");
    let Some(drill) = Drill::new(&nowhere, "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("cannot start `app` (no-such-program-anywhere)"), "{done}");
    let late = SHOP.replace("/health\"", "/webhook\"").replace("\nenv =", "\nready_within = \"1s\"\nenv =");
    let late = late.replace("python3 SHOP", "sleep 30; python3 SHOP");
    let Some(drill) = Drill::new(&late, "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("`app` did not get ready within 1 s; it said: nothing"), "{done}");
}

#[test]
fn a_seed_that_fails_stops_the_run() {
    let seed = "\n[[seed]]\nsql = \"insert into nowhere values (:user)\"\ndatabase = \"sqlite:{scratch}/shop.db\"\n";
    let Some(drill) = Drill::new(&format!("{SHOP}{seed}"), "", &scenario("", CRITERIA)) else { return };
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    let said = "seed 1 (`insert into nowhere values (:user)`) for purchase/1 failed: no such table: nowhere";
    assert!(done.stdout.contains(said), "{done}");
}

/// Waits until the run is in its quiet phase and every delivery is answered.
fn quiet(drill: &Drill) {
    let begun = (0..1200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        let runs = std::fs::read_dir(drill.folder().join("reports/shop")).into_iter().flatten().flatten();
        runs.map(|run| std::fs::read_to_string(run.path().join("history.jsonl")).unwrap_or_default()).any(|history| {
            let many = |kind: &str| history.matches(&format!("\"kind\":\"{kind}\"")).count();
            history.contains("\"phase\":\"quiet\"") && many("attempt") == many("reply")
        })
    });
    assert!(begun, "the run gets that far");
}

#[test]
fn a_file_that_goes_away_stops_the_run() {
    let Some(drill) = Drill::new("", "", &scenario("", CRITERIA).replace("[quiet]", "[quiet]\nleast = \"4s\"")) else {
        return;
    };
    let file = drill.folder().join("shop.db");
    let project = SHOP.replace("{scratch}/shop.db", &file.display().to_string());
    let drill = drill.with_project(&project);
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| drill.run());
        quiet(&drill);
        for ending in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{ending}", file.display())));
        }
        run.join().expect("it ends")
    });
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("the probe's database is gone"), "{done}");
    assert!(!drill.left().join("verdicts.json").exists(), "nothing was judged");
}

#[cfg(unix)]
#[test]
fn a_server_that_is_gone_before_or_during_the_run_stops_it() {
    let Some(server) = crate::service::postgres::private("a probe's PostgreSQL that goes away", &[]) else { return };
    let probe = "sql = \"select true as access, 1 as purchases where :customer <> ''\"\ndatabase_env = \"URL_OF_DATABASE\"\n\
        access = \"$.access\"\nvalues = { purchases = \"$.purchases\" }\n";
    let (head, _) = SHOP.split_once("sql = ").expect("a probe");
    let text = scenario("", CRITERIA).replace("[quiet]", "[quiet]\nleast = \"4s\"");
    let text = text.replace("access = { is = \"granted\" }", "ack_latency = { p95_within = \"1m\" }");
    let Some(drill) = Drill::new(&format!("{head}{probe}"), "", &text) else { return };
    let drill = drill.with("URL_OF_DATABASE", &server.url());
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| drill.run());
        quiet(&drill);
        drop(server);
        run.join().expect("it ends")
    });
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("the probe's database is gone"), "{done}");
    let done = drill.run();
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("is not there: cannot connect to PostgreSQL"), "{done}");
    assert!(!done.stdout.contains("postgresql://"), "{done}");
}

#[cfg(unix)]
#[test]
fn the_embedded_services_own_server_that_is_gone_stops_the_run() {
    let Some(server) = crate::service::postgres::private("a PostgreSQL that goes away", &[]) else { return };
    let text = scenario("", CRITERIA).replace("[quiet]", "[quiet]\nleast = \"3s\"");
    let Some(drill) = Drill::new("", "", &text) else { return };
    let url = server.url();
    let at = |name: &str| drill.folder().join(name).display().to_string();
    let arguments = ["run", &at("shop.toml"), "--reports", &at("reports"), "--database", "postgres"];
    let run = || crate::cli::hookdrill(&arguments, &[("DATABASE_URL", &url)]);
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(run);
        quiet(&drill);
        drop(server);
        running.join().expect("it ends")
    });
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("the service's database is gone"), "{done}");
    let done = run();
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("cannot connect to PostgreSQL"), "{done}");
}

#[test]
fn an_app_that_does_not_look_for_lost_events_is_not_asked_for_those_that_never_arrive() {
    let folder = crate::cli::scratch();
    let file = folder.path().join("hookdrill.toml");
    let asked = |project: &str| {
        std::fs::write(&file, project).expect("written");
        let arguments = ["run", "shipped/dropped-event-repaired-live", "--target", file.to_str().expect("text")];
        crate::cli::hookdrill(&arguments, &[("SECRET_OF_NOBODY", "whsec_of_nobody")])
    };
    let project = "[target]\nwebhook = \"http://127.0.0.1:1/\"\nsecret_env = \"SECRET_OF_NOBODY\"\n\n[mocks.stripe]\n";
    let why = "`fetches_events` says that the app does not look for them in Stripe's list";
    let done = asked(&format!("{project}fetches_events = false\n"));
    assert!(done.code == 3 && done.stderr.contains(why), "{done}");
    assert!(!asked(project).stderr.contains(why), "that is for the app to say");
}
