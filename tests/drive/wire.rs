//! Faults of the signature and delivery families from the receiving side: what a peer that reads raw bytes from a socket
//! really gets of each, in one run of the real binary with one story a fault.

use crate::cli::{hookdrill, scratch};
use hookdrill::{
    plan::model::{Delivery, DeliveryKind, Plan},
    scenario::{
        fault::MalformedBody,
        fault_words,
        forms::{BadSignature, BodyForm, Foreign, GoodSignature},
        transport::Transport,
        trouble_words,
    },
    stripe::signature::sign,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

const OWN: &str = "whsec_of_the_endpoint";
const SECOND: &str = "whsec_of_the_second_endpoint";
const OLD: &str = "whsec_that_was_rolled_away";

/// A request as it came.
#[derive(Clone)]
struct Came {
    /// Milliseconds after the peer began.
    at_ms: u64,
    /// Unix second of its arrival.
    wall: i64,
    head: String,
    body: Vec<u8>,
}

impl std::fmt::Debug for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "after {} ms {:?}, {} bytes", self.at_ms, self.signatures(), self.body.len())
    }
}

impl Came {
    /// Values of every `Stripe-Signature` line, in order.
    fn signatures(&self) -> Vec<&str> {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.filter(|(name, _)| name.eq_ignore_ascii_case("stripe-signature")).map(|(_, value)| value.trim()).collect()
    }

    fn only(&self) -> &str {
        let [one] = self.signatures()[..] else { panic!("one header line: {:?}", self.head) };
        one
    }

    /// `t` and each `v1` of the one header line.
    fn parts(&self) -> (i64, Vec<&str>) {
        let pairs: Vec<_> = self.only().split(',').filter_map(|pair| pair.split_once('=')).collect();
        let t = pairs.iter().find(|(name, _)| *name == "t").and_then(|(_, t)| t.parse().ok());
        (t.expect("a time"), pairs.iter().filter(|(name, _)| *name == "v1").map(|(_, v1)| *v1).collect())
    }

    fn age(&self) -> i64 {
        self.wall - self.parts().0
    }

    fn is_signed_by(&self, secret: &str) -> bool {
        let (t, v1) = self.parts();
        v1 == [sign(secret, t, &self.body)]
    }

    /// Whether it is signed as a genuine delivery is.
    fn is_plain(&self) -> bool {
        let [one] = self.signatures()[..] else { return false };
        let signed = one.strip_prefix("t=").and_then(|one| one.split_once(",v1="));
        let Some((t, v1)) = signed.and_then(|(t, v1)| Some((t.parse().ok()?, v1))) else { return false };
        fresh(self) && v1 == sign(OWN, t, &self.body)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What came of one story.
struct Story<'a> {
    planned: Vec<&'a Delivery>,
    /// In order of arrival, with the delivery whose body it is.
    came: Vec<(&'a Delivery, Came)>,
    /// The genuine bodies, as recorded.
    recorded: Vec<&'a str>,
}

impl Story<'_> {
    fn of(&self, wanted: impl Fn(DeliveryKind) -> bool) -> Vec<&Came> {
        self.came.iter().filter(|(planned, _)| wanted(planned.kind)).map(|(_, came)| came).collect()
    }

    /// What did not come with the genuine body.
    fn extra(&self) -> &Came {
        let extras = self.of(|kind| !matches!(kind, DeliveryKind::Genuine));
        let [one] = extras[..] else { panic!("one extra request: {:?}", self.came) };
        one
    }

    fn genuine(&self) -> &Came {
        let genuine = self.of(|kind| kind == DeliveryKind::Genuine);
        let [one] = genuine[..] else { panic!("one genuine request: {:?}", self.came) };
        one
    }

    /// The forgery of the two that came; the other is well signed, under the same id.
    fn forgery(&self) -> &Came {
        let [(_, one), (_, other)] = &self.came[..] else { panic!("two requests: {:?}", self.came) };
        let (forged, genuine) = if one.is_plain() { (other, one) } else { (one, other) };
        assert!(genuine.is_plain() && !forged.is_plain(), "{:?}", self.came);
        assert_eq!(forged.json()["id"], genuine.json()["id"]);
        forged
    }
}

type Check = fn(&Story<'_>);
type Checks = &'static [(&'static str, Check)];

fn fresh(came: &Came) -> bool {
    (0..=2).contains(&came.age())
}

const BAD: &[(&str, Check)] = &[
    ("wrong_secret", |s| assert!(fresh(s.forgery()) && !s.forgery().is_signed_by(OWN))),
    ("other_endpoint", |s| assert!(fresh(s.forgery()) && !s.forgery().is_signed_by(OWN))),
    ("old_secret", |s| assert!(fresh(s.forgery()) && s.forgery().is_signed_by(OLD))),
    ("stale_301s", |s| assert!((301..=303).contains(&s.forgery().age()) && s.forgery().is_signed_by(OWN))),
    ("stale_10m", |s| assert!((600..=602).contains(&s.forgery().age()) && s.forgery().is_signed_by(OWN))),
    ("future_10m", |s| assert!((-600..=-598).contains(&s.forgery().age()) && s.forgery().is_signed_by(OWN))),
    ("tampered_body", |s| {
        let (t, v1) = s.forgery().parts();
        assert_eq!(v1, [sign(OWN, t, &[&s.forgery().body[..], b" "].concat())]);
    }),
    ("reserialised_body", |s| {
        let (t, v1) = s.forgery().parts();
        let json = s.forgery().json();
        let others = [json.to_string(), format!("{json:#}\n")].map(|text| sign(OWN, t, text.as_bytes()));
        assert!(!s.forgery().is_signed_by(OWN) && others.contains(&v1[0].to_owned()), "{v1:?}");
    }),
    ("missing_header", |s| assert!(s.forgery().signatures().is_empty())),
    ("empty_header", |s| assert_eq!(s.forgery().signatures(), [""])),
    ("garbage", |s| assert!(!s.forgery().only().contains("v1="))),
    ("very_long_header", |s| assert!(s.forgery().only().len() > 12_000 && !s.forgery().is_signed_by(OWN))),
    ("no_t", |s| assert!(s.forgery().only().starts_with("v1=") && !s.forgery().only().contains("t="))),
    ("no_v1", |s| assert!(s.forgery().parts().1.is_empty())),
    ("only_v0", |s| assert!(s.forgery().parts().1.is_empty() && s.forgery().only().contains(",v0="))),
    ("truncated_hex", |s| assert_eq!(s.forgery().parts().1[0].len(), 62)),
    ("upper_case_hex", |s| {
        let (t, v1) = s.forgery().parts();
        assert_eq!(v1, [sign(OWN, t, &s.forgery().body).to_uppercase()]);
    }),
    ("duplicate_header", |s| {
        let lines = s.forgery().signatures();
        let good = |line: &str| {
            let (t, v1) = line.split_once(",v1=").expect("a signature");
            v1 == sign(OWN, t[2..].parse().expect("a time"), &s.forgery().body)
        };
        assert_eq!(lines.iter().map(|line| good(line)).collect::<Vec<_>>(), [false, true], "two lines on the wire");
    }),
];

const GOOD: &[(&str, Check)] = &[
    ("two_v1_good_first", |s| assert_eq!(which_good(s.genuine()), [true, false])),
    ("two_v1_good_last", |s| assert_eq!(which_good(s.genuine()), [false, true])),
    ("with_v0", |s| assert!(s.genuine().is_signed_by(OWN) && s.genuine().only().contains(",v0="))),
    ("unknown_scheme", |s| assert!(s.genuine().is_signed_by(OWN) && s.genuine().only().contains(",v2="))),
    ("age_290s", |s| assert!(s.genuine().is_signed_by(OWN) && (290..=292).contains(&s.genuine().age()))),
];

fn which_good(came: &Came) -> Vec<bool> {
    let (t, v1) = came.parts();
    v1.iter().map(|v1| *v1 == sign(OWN, t, &came.body)).collect()
}

const FOREIGN: &[(&str, Check)] = &[
    ("other_product", |s| {
        assert!(s.extra().json()["type"].as_str().is_some_and(|kind| kind.starts_with("identity.")));
    }),
    ("connect_account", |s| {
        assert!(s.extra().json()["account"].is_string() && s.genuine().json()["account"].is_null())
    }),
    ("other_mode", |s| assert_ne!(s.extra().json()["livemode"], s.genuine().json()["livemode"])),
    ("thin_event", |s| assert!(s.extra().json()["data"].is_null() && s.extra().json()["related_object"].is_object())),
    ("eventbridge", |s| assert_eq!(s.extra().json()["detail"]["type"], s.genuine().json()["type"])),
];

const MALFORMED: &[(&str, Check)] = &[
    ("truncated_json", |s| assert!(s.extra().json().is_null() && s.extra().is_signed_by(OWN))),
    ("empty", |s| assert!(s.extra().body.is_empty() && s.extra().is_signed_by(OWN))),
    ("not_an_event", |s| assert!(s.extra().json()["type"].is_null() && s.extra().is_signed_by(OWN))),
];

/// What a body must hold; each is rightly signed besides.
const BODIES: &[(&str, Check)] = &[
    ("white_space", |s| assert!(text_of(s).contains("\r\n\t "))),
    ("unicode_escapes", |s| assert!(text_of(s).contains("\\/") || text_of(s).contains("\\u00"))),
    ("key_order", |s| {
        let text = text_of(s);
        assert!(text.find("\"type\"").expect("a type") < text.find("\"data\"").expect("data"), "{text}");
    }),
    ("big_integers", |s| assert!(text_of(s).contains("18446744073709551615"))),
    ("large", |s| assert!(text_of(s).len() > 200_000)),
    ("period_on_items", |s| {
        assert!(object(s)["current_period_end"].is_null());
        assert!(object(s)["items"]["data"][0]["current_period_end"].is_number());
    }),
    ("period_on_top", |s| {
        assert!(object(s)["current_period_end"].is_number());
        assert!(object(s)["items"]["data"][0]["current_period_end"].is_null());
    }),
    ("invoice_parent", |s| assert!(object(s)["parent"]["subscription_details"].is_object())),
    ("invoice_subscription", |s| assert!(object(s)["parent"].is_null() && object(s)["subscription"].is_string())),
    ("expanded", |s| assert!(object(s)["customer"]["id"].is_string())),
    ("references", |s| assert!(object(s)["customer"].is_string())),
    ("unknown_values", |s| assert!(text_of(s).contains("\"aurora\""))),
    ("missing_optional", |s| assert!(!text_of(s).contains("\"default_payment_method\""))),
    ("extra_fields", |s| assert!(object(s)["constellation"].is_object())),
];

fn formed<'s>(s: &'s Story<'_>) -> &'s Came {
    let wanted = |came: &&(&Delivery, Came)| came.0.event_type != "invoice.created" && !came.0.faults.is_empty();
    let (_, came) = s.came.iter().find(wanted).expect("one in another form");
    assert!(came.is_signed_by(OWN));
    came
}

fn text_of<'s>(s: &'s Story<'_>) -> &'s str {
    std::str::from_utf8(&formed(s).body).expect("UTF-8")
}

fn object(s: &Story<'_>) -> Value {
    formed(s).json()["data"]["object"].clone()
}

/// Other faults of deliveries, by their word.
const OTHERS: &[(&str, &str, Check)] = &[
    ("duplicate", "duplicate = { of = \"*\", copies = 3, spacing = \"300ms\" }", |s| {
        let at: Vec<u64> = s.came.iter().map(|(_, came)| came.at_ms).collect();
        assert!(at.len() == 3 && at[1] >= at[0] + 150 && at[2] >= at[1] + 150, "{at:?}");
        assert!(s.came.iter().all(|(_, came)| came.is_signed_by(OWN) && came.body == s.came[0].1.body));
    }),
    ("reorder", "reorder = { reverse = true }", |s| {
        let came: Vec<&[u8]> = s.came.iter().map(|(_, came)| &came.body[..]).collect();
        let recorded: Vec<&[u8]> = s.recorded.iter().rev().map(|body| body.as_bytes()).collect();
        assert!(came.len() == 3 && came == recorded, "{:?}", s.came);
    }),
    ("delay", "delay = { of = \"*\", by = \"2s\" }", |s| assert!(s.genuine().at_ms >= 1_500)),
    ("drop", "drop = { of = \"*\", first = 2 }", |s| {
        assert!(s.genuine().at_ms >= 400, "the third attempt alone arrives")
    }),
    ("burst", "burst = { of = \"*\", at = \"2s\" }", |s| {
        let at: Vec<u64> = s.came.iter().map(|(_, came)| came.at_ms).collect();
        assert!(at.len() == 3 && at[0] >= 1_500 && at[2] - at[0] < 1_000, "{at:?}");
    }),
    ("second_event", "second_event = { of = \"*\", spacing = \"50ms\" }", |s| {
        let (first, second) = (s.genuine().json(), s.extra().json());
        assert!(first["id"] != second["id"] && first["data"] == second["data"] && s.extra().is_signed_by(OWN));
    }),
    ("second_endpoint", "second_endpoint = { of = \"*\" }", |s| {
        let mut secrets = s.came.iter().map(|(_, came)| (came.is_signed_by(OWN), came.is_signed_by(SECOND)));
        let secrets: BTreeSet<_> = secrets.by_ref().collect();
        assert_eq!(secrets, BTreeSet::from([(true, false), (false, true)]));
    }),
    ("unknown_type", "unknown_type = { before = \"*\" }", |s| {
        assert!(s.extra().is_signed_by(OWN) && s.extra().json()["data"] == s.genuine().json()["data"]);
        assert_ne!(s.extra().json()["type"], s.genuine().json()["type"]);
    }),
    ("secret_roll", "secret_roll = { from = \"0s\", good = \"last\" }", |s| {
        assert_eq!(which_good(s.genuine()), [false, true]);
    }),
];

/// Every row: name of its story, fault, what is checked.
fn rows() -> Vec<(String, String, Check)> {
    let mut rows = Vec::new();
    let families: [(&str, &str, Checks); 4] = [
        ("forged", "forged = { of = \"*\", signature = \"WORD\"", BAD),
        ("signed", "signed = { of = \"*\", how = \"WORD\"", GOOD),
        ("foreign", "foreign = { before = \"*\", how = \"WORD\"", FOREIGN),
        ("malformed", "malformed = { before = \"*\", body = \"WORD\"", MALFORMED),
    ];
    for (family, fault, checks) in families {
        rows.extend(
            checks.iter().map(|(word, check)| (format!("{family}-{word}"), fault.replace("WORD", word), *check)),
        );
    }
    let of = |word: &str| if word.starts_with("invoice") { "invoice.paid" } else { "*" };
    rows.extend(BODIES.iter().map(|(word, check)| {
        (format!("body-{word}"), format!("body = {{ of = \"{}\", how = \"{word}\"", of(word)), *check)
    }));
    rows.extend(
        OTHERS.iter().map(|(word, fault, check)| ((*word).to_owned(), fault.trim_end_matches(" }").to_owned(), *check)),
    );
    rows
}

fn story_name(row: &str) -> String {
    row.replace('_', "-")
}

fn scenario() -> String {
    let mut text = "version = 1\nname = \"wire\"\nabout = \"One story a fault.\"\n\
                    [[criterion]]\nevents_lost = { at_most = 100 }\n"
        .to_owned();
    for (row, fault, _) in rows() {
        let recording = match row.as_str() {
            "reorder" | "burst" => "cancel-and-refund",
            "body-invoice_parent" | "body-invoice_subscription" => "zero-invoice-after-refund",
            _ => "cancel-immediately",
        };
        let name = story_name(&row);
        text += &format!(
            "[[story]]\nname = \"{name}\"\nrecording = \"{recording}\"\nspacing = \"250ms\"\n[[fault]]\n{fault}, story = \"{name}\" }}\n"
        );
    }
    text
}

/// A peer that keeps what it reads and answers 200.
#[expect(clippy::disallowed_methods, reason = "a test measures when requests arrive")]
fn peer() -> (u16, Arc<Mutex<Vec<Came>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (kept, began) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
    let keep = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keep = Arc::clone(&keep);
            std::thread::spawn(move || read_all(stream, began, &keep));
        }
    });
    (port, kept)
}

#[expect(clippy::disallowed_methods, reason = "a test measures when requests arrive")]
fn read_all(mut stream: TcpStream, began: Instant, keep: &Mutex<Vec<Came>>) {
    let (mut bytes, mut chunk) = (Vec::new(), [0_u8; 65_536]);
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..read]);
        while let Some((head, length)) = whole(&bytes) {
            let body = bytes[head.len() + 4..length].to_vec();
            bytes.drain(..length);
            let at_ms = u64::try_from(began.elapsed().as_millis()).expect("a short test");
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
            let came = Came { at_ms, wall: i64::try_from(wall).expect("a time"), head, body };
            keep.lock().expect("a lock").push(came);
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

/// Head of the first request, and its length with the body, once all of it is there.
fn whole(bytes: &[u8]) -> Option<(String, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let told = text.to_lowercase();
    let length = told.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let length = head + 4 + length.unwrap_or(0);
    (bytes.len() >= length).then_some((text, length))
}

#[test]
fn every_fault_of_signatures_and_deliveries_is_on_the_wire_what_it_says() {
    let (port, kept) = peer();
    let folder = scratch();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let project = format!(
        "[target]\nwebhook = \"http://127.0.0.1:{port}/hook\"\nsecret_env = \"OWN\"\nsecond_secret_env = \"SECOND\"\n\
         old_secret_env = \"OLD\"\n"
    );
    let (project, scenario) = (write("hookdrill.toml", &project), write("wire.toml", &scenario()));
    let reports = folder.path().join("reports");
    let arguments = ["run", &scenario, "--target", &project, "--reports", reports.to_str().expect("text")];
    let done = hookdrill(&arguments, &[("OWN", OWN), ("SECOND", SECOND), ("OLD", OLD)]);
    assert!(done.code <= 1, "{done}");
    let run = std::fs::read_dir(reports.join("wire")).expect("runs").flatten().next().expect("a run").path();
    let plan = std::fs::read_to_string(run.join("plan.json")).expect("a plan");
    let plan: Plan = serde_json::from_str(&plan).expect("a plan");
    let mut came = kept.lock().expect("a lock").clone();
    came.sort_by_key(|came| came.at_ms);
    let start = came.first().map_or(0, |came| came.at_ms);
    came.iter_mut().for_each(|came| came.at_ms -= start);
    let stories = stories(&plan, &came);
    let mut wrong = Vec::new();
    for (row, _, check) in rows() {
        let story = &stories[&story_name(&row)];
        assert!(!story.planned.is_empty(), "{row}");
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(story))).is_err() {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "not what they say: {wrong:?}");
}

fn stories<'a>(plan: &'a Plan, came: &[Came]) -> BTreeMap<String, Story<'a>> {
    let mut stories: BTreeMap<String, Story<'_>> = BTreeMap::new();
    for delivery in &plan.deliveries {
        let name = delivery.instance.as_str().split('/').next().expect("a story").to_owned();
        let story = stories.entry(name).or_insert_with(|| Story {
            planned: Vec::new(),
            came: Vec::new(),
            recorded: Vec::new(),
        });
        story.planned.push(delivery);
    }
    for story in stories.values_mut() {
        for came in came {
            let fits = |delivery: &&&Delivery| plan.bodies[&delivery.body].as_bytes() == came.body;
            if let Some(delivery) = story.planned.iter().find(fits) {
                story.came.push((delivery, came.clone()));
            }
        }
    }
    let originals = originals();
    for story in stories.values_mut() {
        let mut genuine: Vec<&Delivery> =
            story.planned.iter().filter(|d| d.kind == DeliveryKind::Genuine).copied().collect();
        let place = |delivery: &&Delivery| originals.iter().position(|kind| *kind == delivery.event_type);
        genuine.sort_by_key(place);
        story.recorded = genuine.iter().map(|delivery| plan.bodies[&delivery.body].as_str()).collect();
    }
    stories
}

/// Types of the recorded events in their order: the names of the files say them.
fn originals() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cancel-and-refund");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a recording")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    names.into_iter().filter_map(|name| name.split_once('-').map(|(_, kind)| kind.to_owned())).collect()
}

/// Simulated only: there is no wire.
const NOWHERE: &[&str] = &["crash"];

#[test]
fn every_fault_has_a_test_from_the_receiving_side() {
    fn all<T>(words: &[(&'static str, T)]) -> BTreeSet<&'static str> {
        words.iter().map(|(word, _)| *word).collect()
    }
    assert_eq!(all(BAD), all(BadSignature::WORDS));
    assert_eq!(all(GOOD), all(GoodSignature::WORDS));
    assert_eq!(all(FOREIGN), all(Foreign::WORDS));
    assert_eq!(all(MALFORMED), all(MalformedBody::WORDS));
    assert_eq!(all(BODIES), all(BodyForm::WORDS));
    assert_eq!(all(super::transport::RECEIVED), all(Transport::WORDS));
    assert_eq!(all(crate::mock::relay::RECEIVED), trouble_words().collect());
    let families = ["forged", "signed", "foreign", "malformed", "body", "transport", "downstream"];
    let mut tested = BTreeSet::from(families);
    tested.extend(OTHERS.iter().map(|(word, ..)| *word));
    tested.extend(all(crate::mock::socket::RECEIVED));
    tested.extend(all(super::surroundings::RECEIVED));
    tested.extend(NOWHERE);
    assert_eq!(tested, fault_words().collect());
}
