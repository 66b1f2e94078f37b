//! Declared doubles: the shipped examples, call by call, and the messages for files that are none.
//!
//! `UPDATE=1 cargo test` writes the messages anew; read the difference before it is committed.

use super::{call, json};
use hookdrill::{
    id::DoubleName,
    mock::{declared::Declared, effect::Effect},
    scenario::{
        declared::{DeclaredDouble, load, parse},
        schema,
    },
    time::Timestamp,
    wire::{Request, Response},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

const EPOCH: Timestamp = Timestamp::from_secs(1_780_315_200);

fn shipped(name: &str) -> DeclaredDouble {
    load(Path::new(&format!("docs/doubles/{name}.toml"))).unwrap_or_else(|errors| panic!("{errors}"))
}

fn started(name: &str) -> Declared {
    Declared::new(DoubleName::new(name).expect("a name"), Arc::new(shipped(name)), EPOCH)
}

fn of(text: &str) -> Declared {
    let text = format!("version = 1\nabout = \"Made by a test.\"\n{text}");
    let spec = parse(&text, Path::new("test.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    Declared::new(DoubleName::new("test").expect("a name"), Arc::new(spec), EPOCH)
}

fn with(request: Request, header: &str, value: &str) -> Request {
    let mut request = request;
    request.headers.push((header.to_owned(), value.to_owned()));
    request
}

/// Status, JSON (null where there is none), effects.
fn ask(double: &mut Declared, at_ms: u64, request: &Request) -> (u16, Value, Vec<Effect>) {
    let answered = double.handle(at_ms, request);
    let Response { status, body, .. } = answered.response;
    (status, serde_json::from_slice(&body).unwrap_or_default(), answered.effects)
}

fn effect(double: &str, name: &str, key: &str, fields: &[(&str, &str)]) -> Effect {
    Effect::Declared {
        double: DoubleName::new(double).expect("a name"),
        effect: name.to_owned(),
        key: key.to_owned(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn mails_of_three_senders_are_answered_in_their_own_shapes_and_counted_by_their_kind() {
    let mut mail = started("mail");
    let body = json!({"From": "shop@example.com", "To": "anna@example.com", "Subject": "Paid", "Tag": "receipt"});
    let send = with(call("POST", "/email", &body), "x-postmark-server-token", "t");
    assert_eq!(mail.operation(&send), "postmark_send");
    let (status, sent, effects) = ask(&mut mail, 1_500, &send);
    assert_eq!((status, &sent["To"], &sent["ErrorCode"]), (200, &body["To"], &json!(0)), "{sent}");
    assert_eq!(sent["SubmittedAt"], "2026-06-01T12:00:01.500Z");
    assert_eq!(sent["MessageID"].as_str().map(str::len), Some(36));
    assert_eq!(effects, [effect("mail", "receipt", "anna@example.com", &[("subject", "Paid")])]);
    let (status, refused, effects) = ask(&mut mail, 2_000, &call("POST", "/email", &body));
    assert_eq!((status, &refused["ErrorCode"], effects.len()), (422, &json!(300), 0));

    let resend = json!({"from": "s@example.com", "to": ["bo@example.com"], "subject": "Hello"});
    let (status, answer, effects) = ask(&mut mail, 3_000, &call("POST", "/emails", &resend));
    assert_eq!((status, answer["id"].is_string()), (200, true));
    assert_eq!(effects, [effect("mail", "mail", "[\"bo@example.com\"]", &[("subject", "Hello")])]);

    let grid = json!({"personalizations": [{"to": [{"email": "cy@example.com"}]}], "from": {"email": "s@example.com"},
        "subject": "Your card", "categories": ["dunning"]});
    let answered = mail.handle(4_000, &call("POST", "/v3/mail/send", &grid));
    assert_eq!((answered.response.status, answered.response.body.len()), (202, 0));
    assert!(answered.response.header("x-message-id").is_some_and(|id| id.len() == 24));
    assert_eq!(answered.effects, [effect("mail", "dunning", "cy@example.com", &[("subject", "Your card")])]);

    let (_, listed, effects) = ask(&mut mail, 5_000, &call("GET", "/mails", &Value::Null));
    assert_eq!((&listed["total"], &listed["next_page"], effects.len()), (&json!(3), &Value::Null, 0));
    let (_, listed, _) = ask(&mut mail, 5_000, &call("GET", "/mails?to=cy@example.com", &Value::Null));
    assert_eq!(listed["mails"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["mails"][0]["kind"], "dunning");
}

#[test]
fn a_repeated_call_gets_its_first_answer_and_does_nothing_until_the_key_is_forgotten() {
    let mut mail = started("mail");
    let body = json!({"from": "s@example.com", "to": "a@example.com", "subject": "x"});
    let send = with(call("POST", "/emails", &body), "idempotency-key", "k1");
    let first = ask(&mut mail, 0, &send);
    let again = ask(&mut mail, 10, &send);
    assert_eq!((first.0, &first.1), (again.0, &again.1));
    assert_eq!((first.2.len(), again.2.len()), (1, 0));
    let other = json!({"from": "s@example.com", "to": "b@example.com", "subject": "x"});
    let other = with(call("POST", "/emails", &other), "idempotency-key", "k1");
    assert_eq!(ask(&mut mail, 20, &other).0, 409);
    let day_ms = 24 * 60 * 60 * 1_000;
    assert_eq!(ask(&mut mail, day_ms, &send).2.len(), 1, "the key is forgotten");
    // A refusal is not kept: the caller may mend it.
    let bad = with(call("POST", "/emails", &json!({})), "idempotency-key", "k2");
    assert_eq!(ask(&mut mail, 30, &bad).0, 422);
    let good = with(call("POST", "/emails", &body), "idempotency-key", "k2");
    assert_eq!(ask(&mut mail, 40, &good).2.len(), 1);
}

#[test]
fn a_ledger_grants_once_for_each_reference_and_never_falls_below_zero() {
    let mut credits = started("credits");
    let grant = |reference: &str, amount: Value| {
        call("POST", "/v1/accounts/user_1/grants", &json!({"amount": amount, "reference": reference}))
    };
    let (status, made, effects) = ask(&mut credits, 0, &grant("in_1", json!(100)));
    assert_eq!((status, made), (201, json!({"id": "in_1", "amount": 100, "balance": 100})));
    assert_eq!(effects, [effect("credits", "grant", "in_1", &[("account", "user_1"), ("amount", "100")])]);
    let (status, refused, effects) = ask(&mut credits, 1, &grant("in_1", json!(100)));
    assert_eq!((status, &refused["error"]["code"], effects.len()), (409, &json!("already_granted"), 0));
    // The entry is taken back when the amount is no number: the reference is free again.
    assert_eq!(ask(&mut credits, 2, &grant("in_2", json!("many"))).0, 409);
    assert_eq!(ask(&mut credits, 3, &grant("in_2", json!(20))).1["balance"], 120);
    assert_eq!(ask(&mut credits, 3, &grant("in_3", json!(1.5))).0, 409);

    let debit = |account: &str, amount: i64| {
        call("POST", &format!("/v1/accounts/{account}/debits"), &json!({"amount": amount}))
    };
    assert_eq!(ask(&mut credits, 4, &debit("user_1", 120)).1, json!({"balance": 0}));
    assert_eq!(ask(&mut credits, 5, &debit("user_1", 1)).0, 402);
    assert_eq!(ask(&mut credits, 5, &debit("user_2", 1)).0, 402, "a debit makes no account");

    let plan = |plan: &str| call("PUT", "/v1/accounts/user_1/plan", &json!({"plan": plan}));
    let written = ask(&mut credits, 6, &plan("pro"));
    assert_eq!((written.1, written.2.len()), (json!({"plan": "pro", "accounts": 1}), 1));
    assert_eq!(ask(&mut credits, 7, &plan("pro")).2.len(), 0, "an equal write is no effect");
    let read = |double: &mut Declared| ask(double, 8, &call("GET", "/v1/accounts/user_1", &Value::Null));
    assert_eq!(read(&mut credits).1, json!({"balance": 0, "plan": "pro", "key": "user_1"}));
    assert_eq!(ask(&mut credits, 9, &call("DELETE", "/v1/accounts/user_1", &Value::Null)).0, 204);
    assert_eq!(read(&mut credits).0, 404);

    for reference in ["in_3", "in_4"] {
        ask(&mut credits, 10, &grant(reference, json!(1)));
    }
    let page = |double: &mut Declared, query: &str| {
        ask(double, 11, &call("GET", &format!("/v1/grants?account=user_1{query}"), &Value::Null)).1
    };
    let first = page(&mut credits, "");
    assert_eq!(first["data"], json!([{"id": "in_1", "amount": 100}, {"id": "in_2", "amount": 20}]));
    assert_eq!((&first["has_more"], &first["next_page"]), (&json!(true), &json!(2)));
    let second = page(&mut credits, "&page=2");
    assert_eq!((second["data"].as_array().map(Vec::len), &second["has_more"]), (Some(2), &json!(false)));
    assert_eq!(page(&mut credits, "&page=99")["data"], json!([]));
    // Without its token it does nothing.
    let bare = Request { headers: Vec::new(), ..grant("in_9", json!(1)) };
    assert_eq!(ask(&mut credits, 12, &bare).0, 401);
}

#[test]
fn slack_takes_json_and_forms_and_is_limited() {
    let mut slack = started("slack");
    let hook = call("POST", "/services/T1/B1/secret", &json!({"text": "cus_1 paid"}));
    let answered = slack.handle(0, &hook);
    assert_eq!((answered.response.status, answered.response.body.as_slice()), (200, b"ok".as_slice()));
    assert_eq!(answered.effects, [effect("slack", "message", "cus_1 paid", &[("channel", "B1")])]);
    assert_eq!(slack.operation(&hook), "webhook");
    let form = Request {
        method: "POST".into(),
        path: "/api/chat.postMessage".into(),
        headers: vec![
            ("content-type".into(), "application/x-www-form-urlencoded".into()),
            ("authorization".into(), "Bearer x".into()),
        ],
        body: b"channel=C1&text=Paid+by+a%40example.com".to_vec(),
        ..Request::default()
    };
    let (status, said, effects) = ask(&mut slack, 0, &form);
    assert_eq!((status, &said["ok"], &said["ts"]), (200, &json!(true), &json!("1780315200.2")));
    assert_eq!(effects, [effect("slack", "message", "Paid by a@example.com", &[("channel", "C1")])]);
    let bare = Request { headers: Vec::new(), ..call("POST", "/api/chat.postMessage", &json!({"text": "x"})) };
    assert_eq!(ask(&mut slack, 0, &bare).1["error"], "not_authed");
    let unknown = slack.handle(0, &call("POST", "/services/T1", &Value::Null));
    assert_eq!((unknown.response.status, unknown.response.body.as_slice()), (404, b"no_service".as_slice()));
    assert_eq!(slack.operation(&call("GET", "/services/T1/B1/secret", &Value::Null)), "unknown");
    for _ in 0..100 {
        slack.handle(5_000, &hook);
    }
    let limited = slack.handle(5_400, &hook);
    assert_eq!((limited.response.status, limited.response.header("retry-after")), (429, Some("1")));
    assert_eq!(json(&limited.response)["error"], "ratelimited");
    assert_eq!(slack.handle(6_000, &hook).response.status, 200);
}

#[test]
fn the_same_calls_give_the_same_ids_and_no_two_calls_the_same() {
    let route = "[[route]]\nname = \"make\"\nmethod = \"POST\"\npath = \"/\"\n\
        answer = { json = { a = \"{new.uuid}\", b = \"{new.hex}\", n = \"{new.number}\", t = \"{{x}} {new.number}\" } }\n";
    let (mut one, mut other) = (of(route), of(route));
    let made: Vec<Value> = (0..50).map(|_| ask(&mut one, 0, &call("POST", "/", &Value::Null)).1).collect();
    let again: Vec<Value> = (0..50).map(|_| ask(&mut other, 0, &call("POST", "/", &Value::Null)).1).collect();
    assert_eq!(made, again);
    let mut ids: Vec<&str> = made.iter().flat_map(|made| [made["a"].as_str(), made["b"].as_str()]).flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
    assert_eq!((&made[1]["n"], &made[1]["t"]), (&json!(2), &json!("{x} 2")));
}

#[test]
fn every_bad_double_gives_its_message() {
    let mut different = Vec::new();
    let files = files("fixtures/bad-doubles");
    assert!(files.len() >= 7, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a file");
        let name = Path::new(path.file_name().expect("a name"));
        let shown = parse(&text, name).expect_err(&format!("{} is bad", path.display())).to_string();
        let expected = path.with_extension("stderr");
        #[expect(clippy::disallowed_methods, reason = "a test may be told to rewrite what it expects")]
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &shown).expect("written");
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        if wanted != shown {
            different.push(format!("{}\n--- expected\n{wanted}--- shown\n{shown}", path.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_schema_takes_what_the_reader_takes_and_refuses_what_is_bad_in_form() {
    let schema = schema::double();
    jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    assert!(!schema.to_string().contains("parameter\""), "a double has no [matrix]");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for path in files("docs/doubles") {
        let text = std::fs::read_to_string(&path).expect("a file");
        parse(&text, &path).unwrap_or_else(|errors| panic!("{errors}"));
        let json: Value = toml::from_str(&text).expect("TOML");
        let wrong: Vec<String> =
            validator.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("\n"));
    }
    for name in ["heads", "routes", "values", "version"] {
        let text = std::fs::read_to_string(format!("fixtures/bad-doubles/{name}.toml")).expect("a file");
        let text = text.replace("2026-01-01", "1");
        let json: Value = toml::from_str(&text).expect("TOML");
        assert!(!validator.is_valid(&json), "{name}");
    }
}

#[test]
fn the_documentation_says_every_key_and_holds_only_doubles_that_can_be_read() {
    let text = std::fs::read_to_string("docs/declared-doubles.md").expect("a file");
    let mut keys = Vec::new();
    keys_of(&schema::double(), &mut keys);
    for key in keys {
        let written = [format!("`{key}`"), format!("{key} = "), format!("[{key}]"), format!("{key},")];
        assert!(written.iter().any(|written| text.contains(written)), "`{key}` is not in it");
    }
    let mut read = 0;
    for block in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        if block.starts_with("version = 1") {
            parse(block, Path::new("docs/declared-doubles.md")).unwrap_or_else(|errors| panic!("{errors}"));
            read += 1;
        }
    }
    assert!(read >= 1);
}

fn keys_of(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if let ("properties", Value::Object(properties)) = (key.as_str(), value) {
                    found.extend(properties.keys().cloned());
                }
                keys_of(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys_of(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
