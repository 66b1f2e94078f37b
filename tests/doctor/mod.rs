//! Misconfigured endpoints, each with one thing planted: doctor is to name it first. And sound ones: it is to find nothing.

mod certificates;
mod endpoint;

use crate::cli::{Finished, hookdrill, scratch};
use certificates::{Chain, chain, self_signed};
use endpoint::{Endpoint, Planted, SECRET};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const ENVIRONMENT: [(&str, &str); 1] = [("STRIPE_WEBHOOK_SECRET", SECRET)];

/// Everything that doctor says about an endpoint; nothing of it may hold the secret.
fn examined(url: &str, more: &[&str]) -> (Value, Finished) {
    let mut arguments = vec!["doctor", url, "--json", "--health", "/healthz"];
    arguments.extend(more);
    let done = hookdrill(&arguments, &ENVIRONMENT);
    assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "the secret is said");
    let json = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    (json, done)
}

fn first_of(diagnosis: &Value) -> &str {
    diagnosis["findings"][0]["cause"].as_str().unwrap_or("nothing")
}

fn causes(diagnosis: &Value) -> Vec<&str> {
    diagnosis["findings"].as_array().expect("findings").iter().filter_map(|f| f["cause"].as_str()).collect()
}

/// The planted cause is named, and nothing else is.
fn names(planted: Planted, cause: &str, code: i32, more: &[&str]) {
    let endpoint = Endpoint::start(planted);
    let (diagnosis, done) = examined(&endpoint.url, more);
    assert_eq!(causes(&diagnosis), [cause], "{planted:?}: {done}");
    assert_eq!(done.code, code, "{planted:?}: {done}");
    for finding in diagnosis["findings"].as_array().expect("findings") {
        for part in ["title", "sent", "got", "why", "fix"] {
            assert!(finding[part].as_str().is_some_and(|text| !text.is_empty()), "{planted:?}: no {part} in {finding}");
        }
    }
    assert!(diagnosis["requests"].as_array().expect("requests").len() <= 40, "{planted:?}: too many requests");
}

#[test]
fn what_stands_in_front_of_the_handler_is_named() {
    for (planted, cause) in [
        (Planted::RedirectSlash, "redirect-slash"),
        (Planted::RedirectHttps, "redirect-to-https"),
        (Planted::RedirectWww, "redirect-to-host"),
        (Planted::RedirectLogin, "auth-in-front"),
        (Planted::Csrf, "csrf-in-front"),
        (Planted::Csrf419, "csrf-in-front"),
        (Planted::BasicAuth, "auth-in-front"),
        (Planted::JsonAuth, "auth-in-front"),
        (Planted::LoginPage, "auth-in-front"),
        (Planted::BotProtection, "bot-protection"),
        (Planted::PageAnswers, "page-answers"),
        (Planted::NotFound, "not-found"),
        (Planted::PostRefused, "post-refused"),
    ] {
        names(planted, cause, 1, &[]);
    }
}

#[test]
fn what_the_handler_does_wrong_is_named() {
    for (planted, cause, code) in [
        (Planted::WrongSecret, "wrong-secret", 1),
        (Planted::Reserialised, "body-reserialised", 1),
        (Planted::OnlyFirst, "only-first-signature", 1),
        (Planted::OnlyLast, "only-last-signature", 1),
        (Planted::NoTolerance, "no-tolerance", 1),
        (Planted::OneSided, "one-sided-tolerance", 1),
        (Planted::FailsOnBadSignature, "error-on-bad-signature", 1),
        (Planted::FailsOnGood, "server-error", 1),
        (Planted::SecretInError, "secret-in-answer", 1),
        (Planted::SignatureInError, "signature-in-answer", 1),
        (Planted::TraceInError, "stack-trace-in-answer", 1),
        (Planted::SqlInError, "internals-in-answer", 1),
        (Planted::TypeRefused, "event-type-refused", 1),
        (Planted::TypeRefusedAlike, "event-type-refused", 1),
        (Planted::ForgedAccepted, "signature-not-checked", 1),
        (Planted::UnsignedAccepted, "signature-not-checked", 1),
        (Planted::ContentType, "content-type-refused", 1),
        (Planted::TinyBodies, "body-limit", 1),
        (Planted::RedeliveryRefused, "redelivery-refused", 1),
        (Planted::ApiVersion, "api-version-refused", 1),
        (Planted::NoHealth, "health-missing", 1),
    ] {
        names(planted, cause, code, &[]);
    }
}

/// Warnings are listed; only `--strict` fails for them.
#[test]
fn what_works_today_is_a_warning() {
    for (planted, cause) in [
        (Planted::GetAnswered, "get-answered"),
        (Planted::Cors, "cors-open"),
        (Planted::Cacheable, "cacheable"),
        (Planted::SmallBodies, "body-limit"),
        (Planted::Slow, "slow-answer"),
    ] {
        names(planted, cause, 0, &[]);
    }
    names(Planted::Cors, "cors-open", 1, &["--strict"]);
}

#[test]
fn a_limit_on_the_rate_is_named_and_spoils_nothing_else() {
    names(Planted::RateLimit, "rate-limit", 1, &[]);
    names(Planted::LowRateLimit, "rate-limit", 1, &[]);
}

#[test]
fn who_does_not_answer_is_named_with_exit_4() {
    names(Planted::Silent, "no-answer", 4, &["--timeout", "300ms"]);
    names(Planted::BrokenOff, "broken-off", 4, &[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (diagnosis, done) = examined(&format!("http://{free}/hook"), &[]);
    assert_eq!((first_of(&diagnosis), done.code), ("connection-refused", 4), "{done}");
    let (diagnosis, done) = examined("http://no-such-host.invalid/hook", &["--allow-host", "no-such-host.invalid"]);
    assert_eq!((first_of(&diagnosis), done.code), ("host-not-found", 4), "{done}");
}

fn behind_tls(chain: &Chain, trusted: bool) -> (Value, Finished) {
    let endpoint = Endpoint::behind_tls(chain);
    let folder = scratch();
    let file = chain.file(&folder);
    let more = ["--ca-file", file.to_str().expect("text")];
    examined(&endpoint.url, if trusted { &more } else { &[] })
}

#[test]
fn what_is_wrong_with_tls_is_named() {
    for (chain, trusted, cause) in [
        (self_signed(), false, "tls-self-signed"),
        (chain("127.0.0.1", (-90, -2), true), true, "tls-expired"),
        (chain("127.0.0.1", (2, 90), true), true, "tls-not-yet-valid"),
        (chain("shop.example", (-1, 90), true), true, "tls-wrong-name"),
        (chain("127.0.0.1", (-1, 90), false), true, "tls-incomplete-chain"),
        (chain("127.0.0.1", (-1, 90), true), false, "tls-unknown-authority"),
        (chain("127.0.0.1", (-80, 2), true), true, "tls-expires-soon"),
    ] {
        let (diagnosis, done) = behind_tls(&chain, trusted);
        assert_eq!((causes(&diagnosis), done.code), (vec![cause], 1), "{done}");
    }
    let (diagnosis, done) = behind_tls(&chain("127.0.0.1", (-80, 10), true), true);
    assert_eq!((causes(&diagnosis), done.code), (vec!["tls-expires-soon"], 0), "{done}");
}

/// A process that prints its port; killed when dropped.
struct Foreign {
    child: Child,
    url: String,
}

impl Foreign {
    fn start(command: &mut Command, scheme: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).env("STRIPE_WEBHOOK_SECRET", SECRET).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { child, url: format!("{scheme}://127.0.0.1:{}/hook", line.trim()) }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor").join(name)
}

fn packages(what: &str, package: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let folder = std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join(package).exists());
    if folder.is_none() {
        crate::skip(what, "HOOKDRILL_CLIENTS names no folder with the package (see .ci/run)");
    }
    folder
}

fn node(mode: &str) -> Option<Foreign> {
    let folder = packages("doctor on the npm package stripe", "node_modules/stripe")?;
    let mut command = Command::new("node");
    command.arg(script("endpoint.mjs")).arg(mode).env("PACKAGES", folder.join("node_modules"));
    Some(Foreign::start(&mut command, "http"))
}

fn python(mode: &str) -> Option<Foreign> {
    let folder = packages("doctor on the PyPI package stripe", "python/stripe")?;
    let mut command = Command::new("python3");
    command.arg(script("endpoint.py")).arg(mode).env("PYTHONPATH", folder.join("python"));
    Some(Foreign::start(&mut command, "http"))
}

#[test]
fn how_stripes_own_libraries_are_connected_wrongly_is_named() {
    let wrong = [
        (node("stringified"), "body-reserialised", "JSON.stringify"),
        (node("parsed"), "body-parsed", ""),
        (python("dumped"), "body-reserialised", "json.dumps"),
        (python("flask-other-secret"), "wrong-secret", ""),
    ];
    for (endpoint, cause, writer) in wrong {
        let Some(endpoint) = endpoint else { continue };
        let (diagnosis, done) = examined(&endpoint.url, &[]);
        assert_eq!((causes(&diagnosis), done.code), (vec![cause], 1), "{done}");
        assert!(diagnosis["findings"][0]["title"].as_str().expect("a title").contains(writer), "{done}");
    }
}

#[test]
fn tls_before_1_2_is_named() {
    if Command::new("node").arg("--version").output().is_err() {
        return crate::skip("doctor on TLS 1.1", "node is not here");
    }
    let folder = scratch();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name").self_signed(&key);
    let (key_file, own_file) = (folder.path().join("key.pem"), folder.path().join("own.pem"));
    std::fs::write(&key_file, key.serialize_pem()).expect("written");
    std::fs::write(&own_file, own.expect("signed").pem()).expect("written");
    let mut command = Command::new("node");
    command.arg(script("endpoint.mjs")).arg("tls-too-old").args([&key_file, &own_file]);
    let endpoint = Foreign::start(&mut command, "https");
    let (diagnosis, done) = examined(&endpoint.url, &[]);
    assert_eq!((causes(&diagnosis), done.code), (vec!["tls-too-old"], 1), "{done}");
}

fn sound(name: &str, (diagnosis, done): (Value, Finished)) {
    assert_eq!(causes(&diagnosis), Vec::<&str>::new(), "{name}: {done}");
    assert_eq!((done.code, diagnosis["outcome"].as_str()), (0, Some("sound")), "{name}: {done}");
    assert!(diagnosis["requests"].as_array().is_some_and(|asked| asked.len() > 15), "{name}: too little was asked");
}

#[test]
fn nothing_is_found_on_sound_endpoints() {
    sound("plain", examined(&Endpoint::start(Planted::Nothing).url, &[]));
    sound("behind TLS", behind_tls(&chain("127.0.0.1", (-1, 90), true), true));
    for (name, endpoint) in
        [("npm stripe", node("sound")), ("PyPI stripe", python("sound")), ("Flask", python("flask"))]
    {
        let Some(endpoint) = endpoint else { continue };
        let (diagnosis, done) = examined(&endpoint.url, &[]);
        assert_eq!(diagnosis["notes"].as_array().map(Vec::len), Some(1), "{name}: {done}");
        assert_eq!(diagnosis["notes"][0]["cause"], "future-accepted", "{name}: {done}");
        sound(name, (diagnosis, done));
    }
}

#[test]
fn nothing_is_found_on_the_reference_service() {
    let served = crate::cli::served_for_doctor();
    let url = format!("http://{}/webhooks/stripe", served.address());
    let done = hookdrill(&["doctor", &url, "--json"], &[("STRIPE_WEBHOOK_SECRET", served.webhook_secret())]);
    let diagnosis = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    sound("hookdrill serve", (diagnosis, done));
}

#[test]
fn without_a_secret_it_says_what_it_could_not_judge() {
    let ask = |planted: Planted| {
        let endpoint = Endpoint::start(planted);
        let done = hookdrill(&["doctor", &endpoint.url, "--json", "--health", "/healthz"], &[]);
        let json: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
        (json, done)
    };
    let (diagnosis, done) = ask(Planted::Nothing);
    assert_eq!((done.code, causes(&diagnosis).len()), (2, 0), "{done}");
    assert!(diagnosis["not_judged"][0]["why"].as_str().is_some_and(|why| why.contains("--secret-env")), "{done}");
    for (planted, cause) in [
        (Planted::ForgedAccepted, "signature-not-checked"),
        (Planted::FailsOnBadSignature, "error-on-bad-signature"),
        (Planted::Csrf, "csrf-in-front"),
        (Planted::TinyBodies, "body-limit"),
        (Planted::RateLimit, "rate-limit"),
    ] {
        let (diagnosis, done) = ask(planted);
        assert_eq!((first_of(&diagnosis), done.code), (cause, 1), "{planted:?}: {done}");
    }
}

#[test]
fn variables_that_the_app_needs_are_looked_up() {
    let endpoint = Endpoint::start(Planted::Nothing);
    let here = ["--expect-env", "STRIPE_WEBHOOK_SECRET", "--expect-env", "HOOKDRILL_NOT_THERE"];
    let (diagnosis, done) = examined(&endpoint.url, &here);
    assert_eq!((causes(&diagnosis), done.code), (vec!["environment-missing"], 1), "{done}");
    assert!(diagnosis["findings"][0]["title"].as_str().expect("a title").contains("HOOKDRILL_NOT_THERE"), "{done}");
    let folder = scratch();
    let file = folder.path().join(".env");
    std::fs::write(&file, "# of the app\nexport A=1\nB=\nC='x y'\n").expect("written");
    let file = file.to_str().expect("text");
    let (diagnosis, _) = examined(&endpoint.url, &["--env-file", file, "--expect-env", "A", "--expect-env", "C"]);
    assert_eq!(causes(&diagnosis), Vec::<&str>::new());
    let (diagnosis, _) = examined(&endpoint.url, &["--env-file", file, "--expect-env", "B"]);
    assert!(diagnosis["findings"][0]["got"].as_str().expect("got").contains("B: set to nothing"));
}

#[test]
fn it_asks_only_hosts_that_it_may_and_says_what_to_type() {
    for (arguments, words) in [
        (vec!["doctor", "https://shop.example/hook"], "--allow-host shop.example"),
        (vec!["doctor", "shop.example/hook"], "not a URL"),
        (vec!["doctor", "http://a:b@127.0.0.1/"], "user name or password"),
        (vec!["doctor", "http://127.0.0.1:99999/"], "port"),
        (vec!["doctor", "http://127.0.0.1:1/", "--secret-env", "HOOKDRILL_NONE"], "HOOKDRILL_NONE"),
        (vec!["doctor", "http://127.0.0.1:1/", "--health", "http://shop.example/up"], "another host"),
        (vec!["doctor"], "URL"),
    ] {
        let done = hookdrill(&arguments, &[]);
        assert!(done.code == 3 && done.stderr.contains(words), "{arguments:?}: {done}");
    }
}

#[test]
fn the_project_file_says_where_and_with_which_secret() {
    let endpoint = Endpoint::start(Planted::Nothing);
    let folder = scratch();
    let file = folder.path().join("hookdrill.toml");
    // Something listens where the file has its double: `hookdrill mocks`, for one.
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let double = held.local_addr().expect("an address");
    let text = format!(
        "[target]\nwebhook = \"{}\"\nsecret_env = \"OF_THE_SHOP\"\n[mocks.crm]\nlisten = \"{double}\"\n",
        endpoint.url
    );
    std::fs::write(&file, text).expect("written");
    let arguments = ["doctor", "--target", file.to_str().expect("text"), "--json", "--health", "/healthz"];
    let done = hookdrill(&arguments, &[("OF_THE_SHOP", SECRET)]);
    assert_eq!(done.code, 0, "{done}");
}

#[test]
fn an_app_that_is_started_for_runs_is_started_for_this_too() {
    let Some(packages) = packages("doctor on an app that it starts", "python/stripe") else { return };
    let folder = scratch();
    let file = folder.path().join("hookdrill.toml");
    let asked = |mode: &str, port: &str| {
        let text = format!(
            "[target]\nwebhook = \"http://127.0.0.1:{{port}}/hook\"\nsecret_env = \"STRIPE_WEBHOOK_SECRET\"\n\
             command = [\"python3\", {:?}, \"{mode}\"]\nready = \"http://127.0.0.1:{{port}}/healthz\"\n\
             env = {{ PORT = \"{port}\", PYTHONPATH = {:?}, CRM = \"{{crm_url}}\" }}\n\n[mocks.crm]\n",
            script("endpoint.py").display(),
            packages.join("python").display()
        );
        std::fs::write(&file, text).expect("written");
        hookdrill(&["doctor", "--target", file.to_str().expect("text"), "--json", "--health", "/healthz"], &[])
    };
    let done = asked("sound", "{port}");
    let diagnosis: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    sound("started", (diagnosis, done));
    let done = asked("dumped", "{port}");
    let diagnosis: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    assert_eq!((causes(&diagnosis), done.code), (vec!["body-reserialised"], 1), "{done}");
    let done = asked("sound", "{port}9999");
    assert!(done.code == 4 && done.stderr.contains("did not get ready"), "{done}");
}

#[test]
fn the_page_to_hand_on_is_escaped_and_holds_no_secret() {
    let folder = scratch();
    for planted in [Planted::SecretInError, Planted::Csrf, Planted::Nothing] {
        let page = folder.path().join("page.html");
        let endpoint = Endpoint::start(planted);
        let done = hookdrill(&["doctor", &endpoint.url, "--handover", page.to_str().expect("text")], &ENVIRONMENT);
        let html = std::fs::read_to_string(&page).expect("a page");
        assert!(!html.contains(SECRET) && !done.stdout.contains(SECRET), "{done}");
        assert!(html.contains(&endpoint.url) && html.contains("What was asked"), "{html}");
        assert!(!html.contains("<script") && !html.contains("<no customer>"), "not escaped: {html}");
    }
}

#[test]
fn the_text_says_what_was_sent_and_what_to_do() {
    let endpoint = Endpoint::start(Planted::NoTolerance);
    let done = hookdrill(&["doctor", &endpoint.url], &ENVIRONMENT);
    for words in ["error: the time of a signature", "[no-tolerance]", "  sent  ", "  got   200", "  do    "] {
        assert!(done.stdout.contains(words), "{words}: {done}");
    }
}

#[test]
fn every_cause_is_in_the_documentation() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md")).expect("a page");
    for cause in hookdrill::doctor::Cause::ALL {
        assert!(page.contains(&format!("`{}`", cause.name())), "{} is not in docs/doctor.md", cause.name());
    }
}
