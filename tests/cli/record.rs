//! `hookdrill record` between a sender that behaves like `stripe listen` and an app, over real sockets.

use super::{Finished, hookdrill, scratch};
use crate::stripe::planted;
use hookdrill::stripe::signature::{header, sign};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

const SECRET: &str = "whsec_of_the_recorded_account_0123456789";

/// What the app received, head and body of each request.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// An app that answers every request with the same bytes.
fn app(answer: &'static str) -> (u16, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let received = Received::default();
    let keep = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keep = Arc::clone(&keep);
            std::thread::spawn(move || {
                let mut stream = stream;
                let Some(request) = read_message(&mut stream) else { return };
                keep.lock().expect("kept").push(request);
                drop(stream.write_all(answer.as_bytes()));
            });
        }
    });
    (port, received)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// Head and body, up to the length that the head tells.
fn read_message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let line =
                |line: &str| line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>());
            let length = head.lines().find_map(line).and_then(Result::ok).unwrap_or(0);
            if bytes.len() >= at + 4 + length {
                return Some((head, bytes[at + 4..at + 4 + length].to_vec()));
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

struct Recording {
    child: Child,
    port: u16,
    said: Option<std::thread::JoinHandle<String>>,
    errors: Option<std::thread::JoinHandle<String>>,
}

impl Recording {
    fn start(folder: &Path, forward: &str, arguments: &[&str], secret: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hookdrill"))
            .args(["record", "--listen", "127.0.0.1:0", "--forward-to", forward, "--to"])
            .arg(folder)
            .args(arguments)
            .env("STRIPE_WEBHOOK_SECRET", secret)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("a line");
        let port =
            first.trim().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{first}"));
        let read = |mut from: Box<dyn Read + Send>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                from.read_to_string(&mut text).map(|_| text).expect("text")
            })
        };
        let errors = read(Box::new(child.stderr.take().expect("piped")));
        Self { child, port, said: Some(read(Box::new(lines))), errors: Some(errors) }
    }

    /// Ctrl-C.
    fn stop(mut self) -> Finished {
        let interrupt = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(interrupt.expect("kill is there").success());
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        let text = |thread: Option<std::thread::JoinHandle<String>>| thread.expect("once").join().expect("read");
        Finished { code, stdout: text(self.said.take()), stderr: text(self.errors.take()) }
    }

    /// As the CLI posts it: Go's client with the headers that Stripe sent over the websocket.
    fn post(&self, body: &str, more: &str) -> (String, Vec<u8>) {
        let now = hookdrill::drive::clock::wall_now().secs();
        let signature = header(now, &[sign(SECRET, now, body.as_bytes())]);
        let request = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n\
             Content-Length: {}\r\nAccept: */*; q=0.5, application/xml\r\nCache-Control: no-cache\r\n\
             Content-Type: application/json; charset=utf-8\r\nStripe-Signature: {signature}\r\n{more}\
             Accept-Encoding: gzip\r\n\r\n{body}",
            self.port,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(request.as_bytes()).expect("written");
        read_message(&mut stream).expect("an answer")
    }

    /// Each in a thread of its own, as the CLI has a goroutine for each.
    fn post_all(&self, bodies: &[String]) {
        std::thread::scope(|scope| {
            let posts: Vec<_> = bodies.iter().map(|body| scope.spawn(|| self.post(body, "").0)).collect();
            for post in posts {
                let head = post.join().expect("posted");
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            }
        });
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every file below a folder with its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("read")).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
    found.sort();
    found
}

fn log(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("deliveries/log.jsonl")).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn story(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("a story").flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

fn small(id: &str, more: &str) -> String {
    format!(
        "{{\n  \"id\": \"{id}\",\n  \"object\": \"event\",\n  \"created\": 5,\n  \"livemode\": false,\n  \"type\": \"invoice.paid\",\n  \
         \"data\": {{\n    \"object\": {{\"id\": \"in_1Sx00Qp7RtVb2aaaaaaaa\"{more}}}\n  }}\n}}"
    )
}

#[test]
fn what_passes_is_passed_on_as_it_is_and_answered_as_the_app_does() {
    let home = scratch();
    let answer = "HTTP/1.1 418 Odd\r\nX-App: one\r\nX-App: two\r\nSet-Cookie: sid=cookie-of-the-app\r\nX-Hop: gone\r\n\
        Location: http://127.0.0.1:1/elsewhere\r\nContent-Length: 5\r\nConnection: close, X-Hop\r\n\r\nhello";
    let (port, received) = app(answer);
    let to = home.path().join("story");
    let recording =
        Recording::start(&to, &format!("http://127.0.0.1:{port}/hook?key=k-of-the-url"), &["--no-scrub"], SECRET);
    let body = small("evt_1", ", \"customer_email\": \"zo\\u00eb@private.dev\"");
    let own = "X-Mixed-Case: Kept\r\nCookie: session=cookie-of-a-person\r\nAuthorization: Bearer token-of-a-tunnel\r\n";
    let (head, text) = recording.post(&body, own);
    assert!(head.starts_with("HTTP/1.1 418"), "{head}");
    assert_eq!((text, head.to_lowercase().matches("x-app:").count()), (b"hello".to_vec(), 2), "{head}");
    assert!(
        head.contains("cookie-of-the-app") && head.contains("elsewhere") && !head.to_lowercase().contains("x-hop"),
        "{head}"
    );
    let (request, passed) = received.lock().expect("kept").pop().expect("one request");
    assert_eq!(String::from_utf8_lossy(&passed), body);
    for line in [
        "POST /hook?key=k-of-the-url HTTP/1.1",
        "X-Mixed-Case: Kept",
        "Authorization: Bearer token-of-a-tunnel",
        "Accept: */*; q=0.5, application/xml",
        "Accept-Encoding: gzip",
    ] {
        assert!(request.contains(line), "{request}");
    }
    assert!(request.to_lowercase().contains(&format!("host: 127.0.0.1:{port}")), "{request}");
    assert_eq!(std::fs::read_to_string(to.join("0001-invoice.paid.json")).expect("kept"), body);
    let again = body.replace("\"object\": \"event\",", "\"object\": \"event\", \"pending_webhooks\": 3,");
    recording.post(&again, "");
    recording.post(&body.replace("zo\\u00eb", "other"), "");
    recording.post("{\"hello\": 1}", "");
    recording.post("no json", "");
    let done = recording.stop();
    assert_eq!(done.code, 0, "{done}");
    assert!(done.stderr.contains("WARNING: --no-scrub") && done.stdout.contains("5 deliveries of 1 events"), "{done}");
    let lines = log(&to);
    let deliveries: Vec<_> = lines.iter().filter(|line| line.get("delivery").is_some()).collect();
    assert_eq!(deliveries.len(), 5);
    assert_eq!((&deliveries[0]["signature"], &deliveries[0]["attempt"]), (&"valid".into(), &1.into()));
    assert_eq!((&deliveries[1]["file"], &deliveries[1]["attempt"]), (&deliveries[0]["file"], &2.into()));
    assert_eq!(deliveries[2]["file"], "deliveries/0003.json");
    assert_eq!((&deliveries[3]["note"], &deliveries[4]["note"]), (&"no Stripe event".into(), &"no JSON".into()));
    assert!(lines.iter().filter(|line| line.get("answer").is_some()).all(|line| line["status"] == 418));
    let all: String = files(&to).into_iter().map(|(_, text)| text).collect();
    for secret in ["cookie-of-a-person", "cookie-of-the-app", "token-of-a-tunnel", "k-of-the-url", SECRET] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(all.contains(",v1="), "the header itself is kept with the original bytes");
}

#[test]
fn an_app_that_is_down_is_said_in_words_and_recorded() {
    let home = scratch();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let to = home.path().join("story");
    let recording = Recording::start(&to, &format!("http://127.0.0.1:{closed}"), &[], "");
    let (head, text) = recording.post(&small("evt_1", ""), "");
    let text = String::from_utf8(text).expect("text");
    assert!(
        head.starts_with("HTTP/1.1 502") && text.contains("no answer from the app") && text.contains("is recorded"),
        "{head}\n{text}"
    );
    let (head, text) = recording.post(&small("evt_2", "").replace("\"livemode\": false", "\"livemode\": true"), "");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert!(String::from_utf8(text).expect("text").contains("--allow-livemode"));
    let done = recording.stop();
    assert!(done.code == 0 && done.stdout.contains("signature not checked"), "{done}");
    let lines = log(&to);
    assert_eq!((lines.len(), &lines[1]["status"]), (2, &502.into()));
    assert!(!files(&to).iter().any(|(_, text)| text.contains("evt_2")), "nothing of live mode is kept");
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let home = scratch();
    let (port, _) = app(OK);
    let to = home.path().join("story");
    let mut recording = Recording::start(&to, &format!("http://127.0.0.1:{port}"), &[], SECRET);
    let answered: Arc<Mutex<Vec<String>>> = Arc::default();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (answered, port) = (Arc::clone(&answered), recording.port);
            scope.spawn(move || {
                for n in 0.. {
                    let id = format!("evt_1Kill{thread}x{n}");
                    let body = small(&id, "");
                    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
                    let request = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    if stream.write_all(request.as_bytes()).is_err() || read_message(&mut stream).is_none() {
                        return;
                    }
                    answered.lock().expect("kept").push(id);
                }
            });
        }
        while answered.lock().expect("kept").len() < 40 {
            std::thread::yield_now();
        }
        recording.child.kill().expect("killed");
    });
    let lines = std::fs::read_to_string(to.join("deliveries/log.jsonl")).expect("a log");
    let events: String =
        files(&to).into_iter().filter(|(name, _)| name.ends_with("invoice.paid.json")).map(|(_, text)| text).collect();
    let answered = answered.lock().expect("kept").clone();
    for id in &answered {
        assert!(lines.contains(&format!("\"{id}\"")) && events.contains(&format!("\"{id}\"")), "{id}");
    }
    let answers = lines.lines().filter(|line| line.starts_with("{\"answer\"")).count();
    assert!(answers >= answered.len(), "{answers} of {}", answered.len());
    let linted = hookdrill(&["lint", to.to_str().expect("text")], &[]);
    assert_eq!(linted.code, 0, "no half-written file: {linted}");
}

#[test]
fn nobody_is_left_in_a_recording_and_scrubbing_again_takes_out_the_rest() {
    let home = scratch();
    let (port, received) = app(OK);
    let (values, bodies) = (planted::values(), planted::bodies());
    // Short numbers turn up by chance in what a random key makes.
    let long: Vec<String> = values.iter().filter(|value| value.len() >= 6).cloned().collect();
    assert!(long.len() > 170);
    let (kept, clean) = (home.path().join("kept"), home.path().join("clean"));
    for (folder, arguments) in [(&kept, &["--no-scrub", "--quiet"][..]), (&clean, &["--quiet"])] {
        let recording = Recording::start(folder, &format!("http://127.0.0.1:{port}"), arguments, SECRET);
        recording.post_all(&bodies);
        let done = recording.stop();
        assert_eq!(done.code, 0, "{done}");
        let mut passed: Vec<Vec<u8>> = received.lock().expect("kept").drain(..).map(|(_, body)| body).collect();
        passed.sort();
        let mut sent: Vec<Vec<u8>> = bodies.iter().map(|body| body.clone().into_bytes()).collect();
        sent.sort();
        assert_eq!(passed, sent, "the app sees the original bytes");
    }
    let scrubbed = home.path().join("scrubbed");
    let done = hookdrill(&["scrub", kept.to_str().expect("text"), "--to", scrubbed.to_str().expect("text")], &[]);
    assert!(done.code == 0 && done.stdout.contains("60 events"), "{done}");
    let text = |folder: &Path| files(folder).into_iter().map(|(_, text)| text + "\n").collect::<String>();
    assert_eq!(planted::found(&text(&kept), &values).len(), 200, "the search sees all of them before");
    for folder in [&clean, &scrubbed] {
        let found = planted::found(&text(folder), &long);
        assert!(found.is_empty(), "{}: {found:?}", folder.display());
        assert!(!text(folder).contains(SECRET));
    }
    assert!(!text(&scrubbed).contains(",v1=0") && text(&scrubbed).contains("v1=[not kept]"));
}

#[test]
fn a_recording_of_the_clis_shape_is_replayed_with_good_signatures() {
    let home = scratch();
    let (port, _) = app(OK);
    let to = home.path().join("bought");
    let recording = Recording::start(&to, &format!("http://127.0.0.1:{port}/webhook"), &[], SECRET);
    recording.post_all(&story("checkout-subscription"));
    let done = recording.stop();
    assert!(done.code == 0 && done.stdout.contains("signature valid"), "{done}");
    let (folder, reports) = (to.to_str().expect("text"), home.path().join("reports"));
    let reports = reports.to_str().expect("text");
    let done = hookdrill(&["run", folder, "--reports", reports], &[]);
    assert_eq!(done.code, 0, "the embedded service takes them: {done}");
    for (program, script, package, variable) in [
        ("node", "official.mjs", "node_modules/stripe", "PACKAGES"),
        ("python3", "official.py", "python/stripe", "PYTHONPATH"),
    ] {
        #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
        let clients = std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from);
        let Some(clients) = clients.filter(|clients| clients.join(package).exists()) else {
            crate::skip("replay to an official library", "HOOKDRILL_CLIENTS names no folder with it (see .ci/run)");
            continue;
        };
        let packages = clients.join(package).parent().expect("a folder").to_owned();
        let child = Command::new(program)
            .arg(crate::apps::here(script))
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
            .env(variable, packages)
            .stdout(Stdio::piped())
            .spawn();
        let mut child = Running(child.expect("it starts"));
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let port: u16 = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        let project = home.path().join("hookdrill.toml");
        let text = format!("[target]\nwebhook = \"http://127.0.0.1:{port}/webhook\"\nsecret_env = \"SHOP_SECRET\"\n");
        std::fs::write(&project, text).expect("written");
        let run = |secret: &str| {
            let arguments = ["run", folder, "--target", project.to_str().expect("text"), "--reports", reports];
            hookdrill(&arguments, &[("SHOP_SECRET", secret)])
        };
        let done = run(SECRET);
        assert_eq!(done.code, 0, "{program}: {done}");
        let wrong = run("whsec_of_another_account_0123456789");
        assert_ne!(wrong.code, 0, "{program} looks at the signature: {wrong}");
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_would_reach_other_machines_or_overwrite_is_refused() {
    let home = scratch();
    let there = home.path().to_str().expect("text");
    let to = home.path().join("story");
    let to = to.to_str().expect("text");
    for (arguments, says) in [
        (&["--forward-to", "http://app.example.com/hook", "--to", to][..], "--allow-remote"),
        (&["--forward-to", "http://127.0.0.1:1", "--listen", "0.0.0.0:0", "--to", to], "--allow-remote"),
        (&["--forward-to", "127.0.0.1:3000", "--to", to], "http://"),
        (&["--forward-to", "http://user:password@127.0.0.1:1", "--to", to], "password"),
        (&["--forward-to", "http://localhost:4243/", "--to", to], "go round"),
        (&["--forward-to", "http://127.0.0.1:1", "--to", there], "exists already"),
    ] {
        let all: Vec<&str> = std::iter::once("record").chain(arguments.iter().copied()).collect();
        let done = hookdrill(&all, &[]);
        assert!(done.code == 3 && done.stderr.contains(says), "{arguments:?}: {done}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let done = hookdrill(&["record", "--forward-to", "http://127.0.0.1:1", "--listen", &address, "--to", to], &[]);
    assert!(done.code == 4 && done.stderr.contains("cannot listen"), "{done}");
    assert!(!Path::new(to).exists());
}
