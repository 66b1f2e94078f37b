//! `hookdrill audit --events` on a small app with a database of its own, which missed a few webhooks.

use super::{
    Finished, hookdrill,
    mocks::{Running, ask, host},
    scratch,
};
use hookdrill::stripe::{event::Event, import::ImportOptions, recording::Recording, rekey::Rekeyer};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What happened to somebody, and which of it the app heard of.
struct Person {
    name: &'static str,
    stories: &'static [&'static str],
    missed: &'static [&'static str],
}

const SOUND: [Person; 4] = [
    Person { name: "buyer", stories: &["checkout-subscription"], missed: &[] },
    Person { name: "leaver", stories: &["checkout-subscription", "cancel-immediately"], missed: &[] },
    Person { name: "late", stories: &["checkout-subscription", "renewal-failed-recovered"], missed: &[] },
    Person { name: "window", stories: &["checkout-expired"], missed: &[] },
];

const PLANTED: [Person; 6] = [
    Person { name: "lost", stories: &["checkout-subscription"], missed: &["*"] },
    Person {
        name: "ghost",
        stories: &["checkout-subscription", "cancel-immediately"],
        missed: &["customer.subscription.deleted"],
    },
    Person {
        name: "stale",
        stories: &["checkout-subscription", "upgrade-proration"],
        missed: &["customer.subscription.updated"],
    },
    Person { name: "twice", stories: &["checkout-subscription"], missed: &[] },
    Person { name: "nowhere", stories: &["checkout-subscription"], missed: &[] },
    Person { name: "dunned", stories: &["checkout-subscription", "renewal-failed-canceled"], missed: &[] },
];

struct Lived {
    customer: String,
    email: String,
    events: Vec<Event>,
}

fn lived(person: &Person) -> Lived {
    let mut all = Lived { customer: String::new(), email: String::new(), events: Vec::new() };
    for story in person.stories {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(story);
        let recording = Recording::load(&folder, ImportOptions::default()).expect("a story");
        let rekeyer = Rekeyer::new(1, person.name, person.name, &recording);
        all.customer = rekeyer.token("cus_TZbnffBNpdag7f");
        all.email = rekeyer.token("ada@example.com");
        all.events.extend(recording.events.iter().map(|recorded| rekeyer.rekey(&recorded.event, 0)));
    }
    all
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

impl App {
    fn start(database: &Path) -> Option<Self> {
        let script = crate::apps::here("audited.py");
        let child = Command::new("python3").arg(script).env("DB", database).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            crate::skip("an app of Python's", "python3 is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        Some(Self { child, port })
    }

    fn hear(&self, event: &Event) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let head = format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", event.body.len());
        stream.write_all((head + &event.body).as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{answer}");
    }
}

/// The world: an export, an app that heard what it heard, a CRM and a desk as they export it.
struct World {
    home: tempfile::TempDir,
    app: App,
    people: Vec<(&'static str, Lived)>,
}

impl World {
    fn of(people: &[&Person]) -> Option<Self> {
        let home = scratch();
        let app = App::start(&home.path().join("app.db"))?;
        let mut all = Vec::new();
        for person in people {
            let lived = lived(person);
            let missed = |event: &&Event| person.missed.iter().any(|kind| *kind == "*" || *kind == event.kind);
            lived.events.iter().filter(|event| !missed(event)).for_each(|event| app.hear(event));
            all.push((person.name, lived));
        }
        let lines: Vec<String> =
            all.iter().flat_map(|(_, lived)| &lived.events).map(|event| event.body.replace('\n', "")).collect();
        std::fs::write(home.path().join("events.jsonl"), lines.join("\n")).expect("written");
        let (mut contacts, mut tickets) = ("Record ID,Email\n".to_owned(), Vec::new());
        for (number, (name, lived)) in all.iter().enumerate() {
            let copies = match *name {
                "twice" => 2,
                "nowhere" | "window" => 0,
                _ => 1,
            };
            for copy in 0..copies {
                contacts += &format!("{number}{copy},{}\n", lived.email.to_uppercase());
            }
            if *name == "late" {
                tickets.push(serde_json::json!({ "id": number, "requester": lived.email, "external_id": "k" }));
            }
        }
        std::fs::write(home.path().join("contacts.csv"), contacts).expect("written");
        std::fs::write(home.path().join("tickets.json"), serde_json::json!({ "tickets": tickets }).to_string())
            .expect("written");
        Some(Self { home, app, people: all })
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().expect("text").to_owned()
    }

    fn project(&self, probes: &str) -> String {
        let text = format!(
            "[target]\nwebhook = \"http://127.0.0.1:{}/\"\nsecret_env = \"SECRET_THAT_IS_NOT_SET\"\n{probes}",
            self.app.port
        );
        std::fs::write(self.home.path().join("hookdrill.toml"), text).expect("written");
        self.path("hookdrill.toml")
    }

    fn by_sql(&self) -> String {
        let database = format!("database = \"sqlite:{}\"", self.path("app.db"));
        self.project(&format!(
            "[probe.customer]\nsql = \"select status, plan, access from customers where id = :customer\"\n{database}\n\
             access = \"$.access == 1\"\nstatus = \"$.status\"\nplan = \"$.plan\"\n\
             [probe.event]\nsql = \"select id from events where id = :event\"\n{database}\n"
        ))
    }

    fn by_http(&self) -> String {
        let url = format!("http://127.0.0.1:{}", self.app.port);
        self.project(&format!(
            "[probe.customer]\nhttp = \"{url}/customers/{{customer}}\"\naccess = \"$.access == 1\"\nstatus = \"$.status\"\nplan = \"$.plan\"\n\
             [probe.event]\nhttp = \"{url}/events/{{event}}\"\n"
        ))
    }

    fn by_command(&self) -> String {
        let script = "import json, sqlite3, sys\nkind, name, file = sys.argv[1:]\n\
            rows = sqlite3.connect(file)\nrows.row_factory = sqlite3.Row\n\
            row = rows.execute(f'select * from {kind} where id = ?', (name,)).fetchone()\n\
            print(json.dumps(dict(row))) if row else sys.exit(44)\n";
        std::fs::write(self.home.path().join("ask.py"), script).expect("written");
        let command = |kind: &str, name: &str| {
            format!("command = [\"python3\", {:?}, {kind:?}, {name:?}, {:?}]", self.path("ask.py"), self.path("app.db"))
        };
        let (customer, event) = (command("customers", "{customer}"), command("events", "{event}"));
        self.project(&format!(
            "[probe.customer]\n{customer}\naccess = \"$.access == 1\"\nstatus = \"$.status\"\nplan = \"$.plan\"\n\
             [probe.event]\n{event}\n"
        ))
    }

    fn audit(&self, project: &str, more: &[&str]) -> Finished {
        let (events, contacts, tickets) =
            (self.path("events.jsonl"), self.path("contacts.csv"), self.path("tickets.json"));
        let mut all = vec!["audit", "--events", &events, "--target", project, "--crm", &contacts, "--desk", &tickets];
        all.extend(["--ticket-for", "invoice.payment_failed"]);
        all.extend(more);
        hookdrill(&all, &[])
    }

    fn name(&self, customer: &str) -> &'static str {
        self.people.iter().find(|(_, lived)| lived.customer == customer).map_or("nobody", |(name, _)| name)
    }

    /// Name, place, kind and what of each finding; events by their type.
    fn findings(&self, done: &Finished) -> BTreeSet<String> {
        let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done}"));
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let one = |finding: &Value| {
            let what = if finding["place"] == "events" { text(finding, "stripe") } else { text(finding, "what") };
            let name = self.name(&text(finding, "customer"));
            format!("{name}: {} {} {what}", text(finding, "place"), text(finding, "kind"))
        };
        report["findings"].as_array().expect("findings").iter().map(one).collect()
    }
}

#[test]
fn an_app_that_heard_everything_agrees() {
    let Some(world) = World::of(&SOUND.iter().collect::<Vec<_>>()) else { return };
    for project in [world.by_sql(), world.by_http()] {
        let done = world.audit(&project, &[]);
        assert_eq!(done.code, 0, "{done}");
        assert!(done.stdout.contains("0 of 3 customers in disagreement"), "{done}");
    }
}

#[test]
fn an_app_may_be_asked_by_commands() {
    let Some(world) = World::of(&[&SOUND[1], &PLANTED[1]]) else { return };
    let done = world.audit(&world.by_command(), &["--json"]);
    let expected = ["ghost: app mismatched access", "ghost: app mismatched status"].map(str::to_owned);
    let missing = "ghost: events missing customer.subscription.deleted".to_owned();
    assert_eq!((done.code, world.findings(&done)), (1, expected.into_iter().chain([missing]).collect()), "{done}");
}

/// An app in staging that calls `hookdrill mocks`: what those hold is the CRM and the desk.
#[test]
fn crm_and_desk_may_be_what_the_doubles_hold() {
    let Some(world) = World::of(&SOUND.iter().collect::<Vec<_>>()) else { return };
    let mocks = Running::start(&[]);
    let (crm, desk) = (host(mocks.variable("HUBSPOT_BASE_URL")), host(mocks.variable("ZENDESK_URL")));
    let headers = [("content-type", "application/json"), ("authorization", "Bearer t")];
    let contact = |email: &str| {
        let body = serde_json::json!({ "properties": { "email": email } }).to_string();
        assert_eq!(ask(crm, "POST", "/crm/v3/objects/contacts", &headers, &body).0, 201);
    };
    let of = |name: &str| &world.people.iter().find(|(known, _)| *known == name).expect("lived").1.email;
    let audited = || {
        let (ledger, events) = (format!("http://{}/ledger.json", mocks.page), world.path("events.jsonl"));
        let mut all = vec!["audit", "--events", &events, "--crm", &ledger, "--desk", &ledger, "--json"];
        all.extend(["--ticket-for", "invoice.payment_failed"]);
        hookdrill(&all, &[])
    };
    for name in ["buyer", "leaver"] {
        contact(of(name));
    }
    let done = audited();
    let lacking = ["late: crm missing contact", "late: desk missing ticket"].map(str::to_owned);
    assert_eq!((done.code, world.findings(&done)), (1, lacking.into()), "{done}");
    contact(of("late"));
    let requester = serde_json::json!({ "email": of("late"), "name": "Late" });
    let ticket = serde_json::json!({ "subject": "unpaid", "comment": { "body": "x" }, "requester": requester });
    let ticket = serde_json::json!({ "ticket": ticket }).to_string();
    assert_eq!(ask(desk, "POST", "/api/v2/tickets.json", &headers, &ticket).0, 201);
    let done = audited();
    assert_eq!(done.code, 0, "{done}");
}

#[test]
fn what_is_missing_mismatched_or_duplicated_is_named_for_each_customer() {
    let Some(world) = World::of(&SOUND.iter().chain(&PLANTED).collect::<Vec<_>>()) else { return };
    let expected: BTreeSet<String> = [
        "lost: app missing customer",
        "ghost: app mismatched access",
        "ghost: app mismatched status",
        "ghost: events missing customer.subscription.deleted",
        "stale: app mismatched plan",
        "stale: events missing customer.subscription.updated",
        "twice: crm duplicated contact",
        "nowhere: crm missing contact",
        "dunned: desk missing ticket",
    ]
    .map(str::to_owned)
    .into();
    for project in [world.by_sql(), world.by_http()] {
        let done = world.audit(&project, &["--json"]);
        assert_eq!(done.code, 1, "{done}");
        let mut found = world.findings(&done);
        let lost: BTreeSet<String> =
            found.iter().filter(|one| one.starts_with("lost: events missing")).cloned().collect();
        assert!(lost.len() > 5, "each event of whom the app never heard: {lost:?}");
        found.retain(|one| !lost.contains(one));
        assert_eq!(found, expected, "{done}");
    }
    let done = world.audit(&world.by_sql(), &[]);
    assert!(done.code == 1 && done.stdout.contains("WHERE") && done.stdout.contains("evt_"), "{done}");
    for (_, lived) in &world.people {
        assert!(!done.stdout.contains(&lived.email), "addresses are hidden: {done}");
    }
}

#[test]
fn an_export_that_does_not_reach_back_or_is_old_gives_no_verdict() {
    let Some(world) = World::of(&SOUND.iter().chain(&PLANTED).collect::<Vec<_>>()) else { return };
    let project = world.by_sql();
    // Only the end of each story: nobody is born in it.
    let tail: Vec<String> = world
        .people
        .iter()
        .flat_map(|(_, lived)| lived.events.iter().filter(|event| event.kind == "customer.subscription.deleted"))
        .map(|event| event.body.replace('\n', ""))
        .collect();
    assert!(!tail.is_empty());
    std::fs::write(world.home.path().join("tail.jsonl"), tail.join("\n")).expect("written");
    let tail = world.path("tail.jsonl");
    let done = hookdrill(&["audit", "--events", &tail, "--target", &world.project(&only_customers(&world))], &[]);
    assert!(done.code == 2 && done.stdout.contains("from before the export"), "{done}");
    let done = hookdrill(&["audit", "--events", &tail, "--target", &project, "--one-subscription"], &[]);
    assert_eq!(done.code, 1, "the one who was not told of the end: {done}");
    let done = world.audit(&project, &["--exported-at", "1770000000", "--json"]);
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    let kinds: BTreeSet<&str> =
        report["findings"].as_array().expect("findings").iter().filter_map(|f| f["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["duplicated"]), "an old export only shows what is there twice: {done}");
}

fn only_customers(world: &World) -> String {
    let database = world.path("app.db");
    format!(
        "[probe.customer]\nsql = \"select access from customers where id = :customer\"\ndatabase = \"sqlite:{database}\"\naccess = \"$.access == 1\"\n"
    )
}

#[test]
fn an_app_that_does_not_answer_is_no_app_that_disagrees() {
    let Some(world) = World::of(&[&SOUND[0]]) else { return };
    let (project, events) = (world.by_http(), world.path("events.jsonl"));
    drop(world.app);
    let done = hookdrill(&["audit", "--events", &events, "--target", &project], &[]);
    assert!(done.code == 4 && done.stderr.contains("cannot be asked"), "{done}");
    let missing = PathBuf::from(&events).with_file_name("no.csv");
    for (arguments, says) in [
        (vec!["audit", "--events", &events], "nothing to compare with"),
        (vec!["audit", "--events", &events, "--crm", missing.to_str().expect("text")], "no.csv"),
        (vec!["audit", "--crm", "x.csv"], "--events"),
        (vec!["audit", "--events", "nowhere.jsonl", "--crm", &events], "nowhere.jsonl"),
    ] {
        let done = hookdrill(&arguments, &[]);
        assert!(done.code == 3 && done.stderr.contains(says), "{arguments:?}: {done}");
    }
}
