//! The forms in which people have recordings, each read from text.

use hookdrill::stripe::{
    import::{ImportOptions, from_text, load},
    recording::{RecordedEvent, Recording},
    rekey::Rekeyer,
};
use std::fs;

fn event(id: &str, created: u32) -> String {
    format!(
        "{{\n  \"id\": \"{id}\",\n  \"object\": \"event\",\n  \"created\": {created},\n  \"livemode\": false,\n  \
         \"pending_webhooks\": 1,\n  \"type\": \"invoice.paid\",\n  \"data\": {{ \"object\": {{\"id\": \"in_1\"}} }}\n}}"
    )
}

fn compact(id: &str, created: u32) -> String {
    event(id, created).replace(['\n', ' '], "")
}

fn read(text: &str) -> Vec<RecordedEvent> {
    from_text("x", text, ImportOptions::default()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn ids(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|recorded| recorded.event.id.as_str()).collect()
}

fn errors(text: &str) -> Vec<String> {
    let errors = from_text("x", text, ImportOptions::default()).expect_err("refused");
    errors.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn bodies_are_exact_slices_in_every_form() {
    let (a, b) = (event("evt_a", 1), event("evt_b", 2));
    let quoted = serde_json::to_string(&b).expect("a string");
    for text in [
        format!("{a}\n{b}\n"),
        format!("\u{feff}{a}{b}"),
        format!("[{a} ,\n {b}]"),
        format!("{{\"object\": \"list\", \"has_more\": false, \"data\": [{b}, {a}]}}"),
        format!("{{\"object\": \"list\", \"data\": [{a}, {b}]}}"),
        format!("{{\"object\":\"list\",\"data\":[{b}]}}\n{{\"object\":\"list\",\"data\":[{a}]}}"),
        format!("[{{\"headers\":{{\"x\":\"y\"}},\"body\":{a}}},{{\"body\":{quoted}}}]"),
        format!("{{\"headers\":{{}},\"payload\":{a}}}\n{{\"detail-type\":\"x\",\"detail\":{b}}}"),
    ] {
        let events = read(&text);
        assert_eq!(ids(&events), ["evt_a", "evt_b"], "{text}");
        assert_eq!([&*events[0].event.body, &*events[1].event.body], [&*a, &*b], "{text}");
    }
}

#[test]
fn the_file_names_the_line_of_each_of_several_events() {
    let files = |text: &str| -> Vec<String> { read(text).into_iter().map(|recorded| recorded.file).collect() };
    assert_eq!(files(&event("evt_a", 1)), ["x"]);
    assert_eq!(files(&format!("{}\n\n{}\n", compact("evt_a", 1), compact("evt_b", 1))), ["x:1", "x:3"]);
}

#[test]
fn stripe_listen_output_is_read_with_its_status_text_and_colours() {
    let (a, b) = (compact("evt_a", 1), compact("evt_b", 2));
    let text = format!(
        "> Ready! You are using Stripe API Version [2025-09-30.clover]. (^C to quit)\n\
         \u{1b}[33m⣾\u{1b}[0m Getting ready... {a}\n\n2026-11-23 10:00:00   --> invoice.paid [evt_a]\n\
         2026-11-23 10:00:00  <--  [200] POST http://localhost:4242/webhook [evt_a]\n[200] POST http://localhost\n\
         \u{1b}[1m{b}\u{1b}[0m\n\n"
    );
    let events = read(&text);
    assert_eq!((ids(&events), &*events[1].event.body), (vec!["evt_a", "evt_b"], &*b));
    let coloured = event("evt_c", 3).replace("\"id\"", "\u{1b}[34;1m\"id\"\u{1b}[0m");
    assert_eq!(&*read(&coloured)[0].event.body, event("evt_c", 3));
}

#[test]
fn repeated_deliveries_are_kept_once_and_contradictions_refused() {
    let first = event("evt_a", 1);
    let again = compact("evt_a", 1).replace("\"pending_webhooks\":1", "\"pending_webhooks\":0");
    let events = read(&format!("{first}\n{again}\n{}", event("evt_b", 1)));
    assert_eq!((ids(&events), &*events[0].event.body), (vec!["evt_a", "evt_b"], &*first));
    let other = errors(&format!("{first}\n{}", compact("evt_a", 2)));
    assert_eq!(
        other,
        ["x:10:1: event evt_a is already in x:1 with another body; keep one of them, or give each an id of its own"]
    );
}

#[test]
fn what_is_cut_off_or_foreign_is_located() {
    let (a, b) = (event("evt_a", 1), event("evt_b", 2));
    let cut = errors(&format!("{b}\n{}", &a[..60]));
    assert!(cut[0].starts_with("x:14:") && cut[0].contains("(its value began at line 10) is cut off"), "{cut:?}");
    let middle = errors(&format!("{}\n{b}\n{{\"id\": \"evt_c\"}}\n", &a[..60]));
    assert!(middle.len() == 2 && middle[0].starts_with("x:5:4: not valid JSON"), "{middle:?}");
    assert!(middle[1].starts_with("x:15:1: not a Stripe event: missing field `object`"), "{middle:?}");
    let tail = errors(&format!("{}\n{b}", &a[20..]));
    assert!(tail[0].starts_with("x:1:2: a piece of JSON outside"), "{tail:?}");
    let comma = errors(&format!("{a},\n{b}"));
    assert!(comma[0].starts_with("x:9:2: a piece of JSON outside"), "{comma:?}");
    for (text, says) in [
        ("", "x: no Stripe event in it"),
        ("hello\nworld\n", "x: no Stripe event in it"),
        ("[]", "x: no Stripe event in it"),
        ("null", "x:1:1: a piece of JSON outside"),
        ("{\"a\": 1}", "x:1:1: not a Stripe event"),
        ("[1, 2]", "x:1:2: not a Stripe event"),
        ("{\"object\":\"list\",\"data\":[{\"object\":\"customer\",\"id\":\"cus_1\"}]}", "x:1:26: not a Stripe event"),
        ("{\"_meta\":{\"template_version\":0},\"fixtures\":[]}", "x:1:1: a fixture of the Stripe CLI"),
        (
            "{\"id\":\"evt_1\",\"object\":\"v2.core.event\",\"type\":\"v1.x\",\"created\":\"2026\"}",
            "x:1:1: not a Stripe event: `object` is \"v2.core.event\"",
        ),
    ] {
        let found = errors(text);
        assert!(found[0].starts_with(says), "{text}: {found:?}");
    }
}

#[test]
fn live_mode_needs_leave() {
    let live = event("evt_a", 1).replace("\"livemode\": false", "\"livemode\": true");
    let refused = errors(&live);
    assert!(refused[0].starts_with("x:5:3: event evt_a is of live mode") && refused[0].contains("--allow-livemode"));
    assert_eq!(from_text("x", &live, ImportOptions { allow_livemode: true }).expect("allowed").len(), 1);
}

#[test]
fn folders_and_files() {
    let home = tempfile::tempdir().expect("a folder");
    let path = |name: &str| home.path().join(name);
    let shown = |name: &str| path(name).display().to_string();
    let refusal = |name: &str| load(&path(name), ImportOptions::default()).expect_err(name).to_string();
    fs::create_dir(path("empty")).expect("a folder");
    assert_eq!(refusal("empty"), format!("{}: no *.json, *.jsonl or *.ndjson file in this folder", shown("empty")));
    assert!(refusal("absent").starts_with(&format!("{}: No such file", shown("absent"))));
    fs::write(path("bytes.json"), b"{\n \"a\xff").expect("written");
    assert!(refusal("bytes.json").starts_with(&format!("{}:2:4: not UTF-8", shown("bytes.json"))));
    fs::create_dir(path("many")).expect("a folder");
    fs::write(path("many/2.jsonl"), format!("{}\n{}\n", compact("evt_b", 1), compact("evt_c", 1))).expect("written");
    fs::write(path("many/1.json"), event("evt_a", 9)).expect("written");
    fs::write(path("many/notes.txt"), "not read").expect("written");
    let recording = load(&path("many"), ImportOptions::default()).expect("loads");
    let files: Vec<_> = recording.events.iter().map(|recorded| recorded.file.as_str()).collect();
    assert_eq!((files, recording.name.as_str()), (vec!["1.json", "2.jsonl:1", "2.jsonl:2"], "many"));
    fs::write(path("many/3.json"), "{").expect("written");
    fs::write(path("many/4.json"), "{}").expect("written");
    assert_eq!(refusal("many").lines().count(), 2);
}

#[test]
fn large_and_hostile_files_take_no_time_and_no_stack() {
    let many: Vec<String> = (0..5000).map(|n| compact(&format!("evt_{n:05}"), n)).collect();
    assert_eq!(read(&many.join("\n")).len(), 5000);
    assert_eq!(read(&format!("[{}]", many.join(","))).len(), 5000);
    assert_eq!(errors(&"{\"a\":[\n".repeat(20_000)).len(), 26);
    assert_eq!(errors(&"{\"a\":1}\n".repeat(20_000)).len(), 26);
    for deep in ["[".repeat(200_000), "[".repeat(200_000) + &"]".repeat(200_000)] {
        assert_eq!(errors(&deep).len(), 1);
        let inside = event("evt_a", 1).replace("\"in_1\"", &deep);
        assert!(errors(&inside).len() == 1);
    }
    let aside = event("evt_a", 1).replacen('{', &format!("{{\"x\":{}{},", "[".repeat(9000), "]".repeat(9000)), 1);
    let recorded = read(&aside);
    let recording = Recording { name: "a".to_owned(), events: recorded, story: None };
    let rekeyed = Rekeyer::new(1, "i", "p", &recording).rekey(&recording.events[0].event, 0);
    let body = &rekeyed.body;
    assert!(body.contains(&"[".repeat(9000)) && !body.contains("evt_a\"") && !body.contains("in_1\""));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"([{}\[\]",:\\ \n\r\x1b]|evt_1|event|object|data|list|null|7|é){0,40}"#) {
        let _ = from_text("x", &text, ImportOptions::default());
    }

    #[test]
    fn no_cut_of_a_recording_makes_it_panic(at in 0usize..400, insert in ".{0,3}") {
        let text = format!("{}\n[{}]", event("evt_a", 1), event("evt_b", 2));
        let at = at.min(text.len());
        let _ = from_text("x", &format!("{}{insert}{}", &text[..at], &text[at..]), ImportOptions::default());
        proptest::prop_assert!(at == text.len() || from_text("x", &text[..at], ImportOptions::default()).is_err() || at >= event("evt_a", 1).len());
    }
}
