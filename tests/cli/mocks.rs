//! `hookdrill mocks` and `hookdrill shim` as they are typed: addresses, the page, the ledger, its reset; apps with hard-coded hosts.

use super::{hookdrill, scratch};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// A running `hookdrill mocks`.
pub(super) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(super) page: String,
    environment: Vec<(String, String)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub(super) fn start(more: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_hookdrill"))
            .args(["mocks", "--listen", "127.0.0.1:0", "--free-ports"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("started");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut running = Self { child, out, page: String::new(), environment: Vec::new() };
        running.read();
        running
    }

    fn read(&mut self) {
        let mut line = String::new();
        while self.out.read_line(&mut line).expect("a line") > 0 {
            if let Some(rest) = line.strip_prefix("what comes is shown on http://") {
                self.page = rest.split('/').next().expect("an address").to_owned();
            }
            if let Some((name, value)) = line.trim().split_once('=').filter(|_| line.starts_with("  ")) {
                self.environment.push((name.to_owned(), value.to_owned()));
            }
            if line.starts_with("Ctrl-C") {
                return;
            }
            line.clear();
        }
        let mut errors = String::new();
        let _ = self.child.stderr.take().expect("piped").read_to_string(&mut errors);
        panic!("it ended: {errors}");
    }

    pub(super) fn variable(&self, name: &str) -> &str {
        let found = self.environment.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("{name} in {:?}", self.environment)).1
    }

    fn ledger(&self) -> Value {
        let (status, _, body) = ask(&self.page, "GET", "/ledger.json", &[], "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

/// Status, head and body of one call over a connection of its own.
pub(super) fn ask(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(host).expect("a connection");
    let named = headers.iter().any(|(name, _)| *name == "host");
    let host = if named { String::new() } else { format!("host: {host}\r\n") };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

pub(super) fn host(url: &str) -> &str {
    url.strip_prefix("http://").expect("a URL")
}

/// A project file with a declared double, which is all that `mocks` reads of it.
fn project(folder: &Path) -> String {
    let mail = std::fs::read_to_string("docs/doubles/mail.toml").expect("a file");
    std::fs::write(folder.join("mail.toml"), mail).expect("written");
    let file = folder.join("hookdrill.toml");
    let text = "[target]\nwebhook = \"http://127.0.0.1:3000/hooks\"\nsecret_env = \"NOT_SET_HERE\"\n\n\
        [mocks.crm]\n[mocks.mail]\nfile = \"mail.toml\"\n";
    std::fs::write(&file, text).expect("written");
    file.to_str().expect("text").to_owned()
}

const CONTACTS: &str = "/crm/v3/objects/contacts";
const JSON: (&str, &str) = ("content-type", "application/json");
const TOKEN: (&str, &str) = ("authorization", "Bearer t");

#[test]
fn what_came_is_shown_on_a_page_and_as_json_until_it_is_reset() {
    let folder = scratch();
    let running = Running::start(&["--target", &project(folder.path())]);
    let contact = json!({ "properties": { "email": "<b>anna@example.com</b>" } }).to_string();
    let crm = host(running.variable("HUBSPOT_BASE_URL"));
    let mail = host(running.variable("MAIL_URL"));
    let contact_made = ask(crm, "POST", CONTACTS, &[JSON, TOKEN], &contact.replace("<b>", "").replace("</b>", ""));
    assert_eq!(contact_made.0, 201, "{contact_made:?}");
    let sent = json!({ "from": "s@example.com", "to": "<i>anna@example.com", "subject": "Paid", "tags": [{ "value": "receipt" }] });
    assert_eq!(ask(mail, "POST", "/emails", &[JSON, TOKEN], &sent.to_string()).0, 200);
    assert_eq!(ask(mail, "POST", "/nowhere", &[JSON, TOKEN], "{}").0, 404);

    let ledger = running.ledger();
    assert_eq!(ledger["contacts"][0]["properties"]["email"], "anna@example.com");
    let called: Vec<_> = ledger["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| {
            (call["call"]["double"].as_str(), call["call"]["operation"].as_str(), call["call"]["status"].as_u64())
        })
        .collect();
    let wanted = [("crm", "create_contact", 201), ("mail", "resend_send", 200), ("mail", "unknown", 404)];
    assert_eq!(called, wanted.map(|(double, operation, status)| (Some(double), Some(operation), Some(status))));
    assert_eq!(ledger["effects"][0]["effect"]["declared"]["effect"], "receipt");
    assert_eq!(ledger["counts"]["mail"], 2);

    let (status, head, page) = ask(&running.page, "GET", "/", &[], "");
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'") && !head.contains("access-control"), "{head}");
    for shown in ["create_contact", "mail.receipt", "&lt;i&gt;anna@example.com", "http-equiv=\"refresh\""] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("<i>anna"), "{page}");

    assert_eq!(ask(&running.page, "POST", "/reset", &[("origin", "https://evil.example.com")], "").0, 403);
    assert_eq!(ask(&running.page, "POST", "/reset", &[("sec-fetch-site", "cross-site")], "").0, 403);
    assert_eq!(ask(&running.page, "GET", "/ledger.json", &[("host", "evil.example.com")], "").0, 421);
    assert_eq!(ask(&running.page, "GET", "/reset", &[], "").0, 405);
    assert_eq!(running.ledger()["calls"].as_array().map(Vec::len), Some(3), "nothing of that is a reset");
    assert_eq!(ask(&running.page, "POST", "/reset", &[], "").0, 200);
    let ledger = running.ledger();
    assert_eq!(
        (ledger["contacts"].as_array().map(Vec::len), ledger["calls"].as_array().map(Vec::len)),
        (Some(0), Some(0))
    );
    let again = ask(crm, "POST", CONTACTS, &[JSON, TOKEN], &contact.replace("<b>", "").replace("</b>", ""));
    assert_eq!(again.0, 201, "the CRM is empty: {again:?}");
}

#[test]
fn a_port_that_is_taken_and_a_page_for_others_are_refused_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let done = hookdrill(&["mocks", "--listen", &address, "--free-ports"], &[]);
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stderr.contains("stop what listens there"), "{done}");
    let folder = scratch();
    let file = folder.path().join("hookdrill.toml");
    std::fs::write(&file, format!("[mocks.crm]\nlisten = \"{address}\"\n")).expect("written");
    let done =
        hookdrill(&["mocks", "--target", file.to_str().expect("text"), "--listen", "127.0.0.1:0", "--free-ports"], &[]);
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stderr.contains("for the CRM double: the port is taken"), "{done}");
    let done = hookdrill(&["mocks", "--listen", "0.0.0.0:0"], &[]);
    assert_eq!(done.code, 3, "{done}");
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_told_to() {
    let mut running = Running::start(&[]);
    let process = rustix::process::Pid::from_child(&running.child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("told");
    let status = running.child.wait().expect("an end");
    assert!(status.success(), "{status}");
}

/// Runs a script of an app that has its hosts hard-coded, with a shim; the lines that it prints.
fn with_shim(of: &str, program: &str, script: &str, clients: &[(&str, String)]) -> Option<String> {
    if Command::new(program).arg("--version").output().is_err() {
        crate::skip("an app with hard-coded hosts", &format!("{program} is not installed"));
        return None;
    }
    let running = Running::start(&[]);
    let folder = scratch();
    let to = folder.path().join("shim");
    let done = hookdrill(&["shim", of, "--to", to.to_str()?], &[]);
    assert_eq!(done.code, 0, "{done}");
    let variables =
        done.stdout.lines().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned()));
    let mut command = Command::new(program);
    command
        .arg(format!("tests/cli/shim/{script}"))
        .envs(variables)
        .env("HOOKDRILL_HOSTS", running.variable("HOOKDRILL_HOSTS"));
    for (name, value) in clients {
        let before = if of == "python" && *name == "PYTHONPATH" { format!("{}:", to.display()) } else { String::new() };
        command.env(name, before + value);
    }
    let output = command.output().expect("it ran");
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{errors}\n{said}");
    // Each line names a contact that was made: the double has them all, and each once.
    let emails: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("made ")).collect();
    let ledger = running.ledger();
    let held: Vec<&str> = ledger["contacts"]
        .as_array()
        .expect("contacts")
        .iter()
        .filter_map(|contact| contact["properties"]["email"].as_str())
        .collect();
    assert_eq!(held, emails, "{said}");
    Some(said)
}

#[expect(clippy::disallowed_methods, reason = "the clients are where CI says")]
fn clients() -> Option<String> {
    std::env::var("HOOKDRILL_CLIENTS").ok()
}

#[test]
fn a_node_app_with_hard_coded_hosts_reaches_the_doubles() {
    let folder = clients().map(|clients| ("CLIENTS", format!("{clients}/")));
    let Some(said) = with_shim("node", "node", "app.mjs", &folder.into_iter().collect::<Vec<_>>()) else { return };
    for way in ["fetch", "https", "named", "agent", "other host"] {
        assert!(said.contains(way), "{way}: {said}");
    }
    match clients() {
        Some(_) => {
            let clients = ["node-fetch", "official stripe", "official hubspot"];
            assert!(clients.iter().all(|client| said.contains(client)), "{said}");
        }
        None => crate::skip("official clients of Node behind a shim", "HOOKDRILL_CLIENTS is not set"),
    }
}

#[test]
fn a_python_app_with_hard_coded_hosts_reaches_the_doubles() {
    let folder = clients().map(|clients| ("PYTHONPATH", format!("{clients}/python")));
    let Some(said) = with_shim("python", "python3", "app.py", &folder.into_iter().collect::<Vec<_>>()) else { return };
    for way in ["http.client", "urllib", "asyncio", "other host"] {
        assert!(said.contains(way), "{way}: {said}");
    }
    match clients() {
        Some(_) => {
            assert!(said.contains("requests") && said.contains("httpx") && said.contains("official stripe"), "{said}")
        }
        None => crate::skip("libraries of Python behind a shim", "HOOKDRILL_CLIENTS is not set"),
    }
}

#[test]
fn a_shim_overwrites_nothing_of_anybody_else_and_says_what_is_wrong_with_its_hosts() {
    let folder = scratch();
    std::fs::write(folder.path().join("sitecustomize.py"), "print('mine')\n").expect("written");
    let done = hookdrill(&["shim", "python", "--to", folder.path().to_str().expect("text")], &[]);
    assert_eq!(done.code, 3, "{done}");
    assert!(hookdrill(&["shim", "node"], &[]).stdout.contains("tls.connect"));
    if Command::new("node").arg("--version").output().is_err() {
        return;
    }
    let to = folder.path().join("node");
    hookdrill(&["shim", "node", "--to", to.to_str().expect("text")], &[]);
    for hosts in ["api.hubapi.com", "a.example.com=https://127.0.0.1:1", "a.example.com=http://example.com:80"] {
        let output = Command::new("node")
            .args(["--require", to.join("hookdrill-shim.cjs").to_str().expect("text"), "-e", "1"])
            .env("HOOKDRILL_HOSTS", hosts)
            .output()
            .expect("it ran");
        assert!(!output.status.success(), "{hosts}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("HOOKDRILL_HOSTS"), "{hosts}");
    }
}
