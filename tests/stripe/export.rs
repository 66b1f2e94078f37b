//! Exports and captures of other tools: the event is found in them byte for byte, and one that was cut is named.

use base64::{Engine, engine::general_purpose::STANDARD};
use hookdrill::stripe::{
    import::{ImportOptions, from_text},
    recording::RecordedEvent,
};
use serde_json::{Value, json};

fn body(id: &str, created: u32) -> String {
    format!(
        "{{\n  \"id\": \"{id}\",\n  \"object\": \"event\",\n  \"created\": {created},\n  \"livemode\": false,\n  \"type\": \"invoice.paid\",\n  \
         \"data\": {{\n    \"object\": {{ \"id\": \"in_1\", \"note\": \"\\u003cé\\/>\" }}\n  }},\n  \"request\": {{ \"id\": null }}\n}}"
    )
}

fn read(text: &str) -> Vec<RecordedEvent> {
    from_text("x", text, ImportOptions::default()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn refused(text: &str) -> Vec<String> {
    let errors = from_text("x", text, ImportOptions::default()).expect_err("refused");
    errors.to_string().lines().map(str::to_owned).collect()
}

/// A wrapping with the two bodies as they are in place of `"A"` and `"B"`.
fn with(wrapping: &Value) -> String {
    wrapping.to_string().replace("\"A\"", &body("evt_a", 1)).replace("\"B\"", &body("evt_b", 2))
}

fn ids(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|recorded| recorded.event.id.as_str()).collect()
}

#[test]
fn bodies_are_found_in_the_wrappings_of_other_tools() {
    let (a, b) = (body("evt_a", 1), body("evt_b", 2));
    let headers = json!({ "stripe-signature": "t=1,v1=00" });
    let hookdeck = |body: Value| {
        json!({ "id": "evt_hookdeck1", "team_id": "tm_1", "event_data_id": "edt_1", "status": "SUCCESSFUL",
        "data": { "url": "https://x", "method": "POST", "path": "/", "query": null, "headers": headers, "body": body, "is_large_payload": false } })
    };
    let bridge = |detail: Value| {
        json!({ "version": "0", "id": "17793124", "detail-type": "invoice.paid", "source": "aws.partner/stripe.com/ed_test",
        "account": "123", "region": "eu-west-1", "resources": [], "detail": detail })
    };
    let grid = |data: Value| json!({ "specversion": "1.0", "id": "x", "type": "invoice.paid", "source": "stripe", "data": data });
    let svix = |payload: Value| json!({ "id": "msg_1", "eventType": "stripe", "timestamp": "2026-01-01T00:00:00Z", "payload": payload });
    for (tool, text) in [
        (
            "n8n",
            with(
                &json!([{ "headers": headers, "params": {}, "query": {}, "body": "A" }, { "headers": headers, "body": "B" }]),
            ),
        ),
        ("n8n items", with(&json!([{ "json": { "headers": headers, "body": "A" } }, { "json": { "body": "B" } }]))),
        (
            "Hookdeck list",
            with(
                &json!({ "pagination": { "limit": 2 }, "count": 2, "models": [hookdeck("A".into()), hookdeck("B".into())] }),
            ),
        ),
        ("Hookdeck texts", json!({ "models": [hookdeck(a.clone().into()), hookdeck(b.clone().into())] }).to_string()),
        ("Hookdeck lines", format!("{}\n{}\n", hookdeck(a.clone().into()), hookdeck(b.clone().into()))),
        ("EventBridge", with(&json!([bridge("A".into()), bridge("B".into())]))),
        (
            "EventBridge over SQS",
            json!({ "Records": [{ "body": with(&bridge("A".into())) }, { "body": with(&bridge("B".into())) }] })
                .to_string(),
        ),
        (
            "SNS",
            json!([{ "Type": "Notification", "Message": a }, { "Type": "Notification", "Message": b }]).to_string(),
        ),
        ("Event Grid", with(&json!([grid("A".into()), grid("B".into())]))),
        ("Svix", with(&json!({ "data": [svix("A".into()), svix("B".into())], "iterator": "x", "done": true }))),
        (
            "Lambda",
            json!([{ "isBase64Encoded": true, "body": STANDARD.encode(&a) }, { "isBase64Encoded": false, "body": b }])
                .to_string(),
        ),
        ("request bin", json!({ "requests": [{ "content": a }, { "content": b }] }).to_string()),
    ] {
        let events = read(&text);
        assert_eq!(ids(&events), ["evt_a", "evt_b"], "{tool}: {text}");
        assert_eq!([&*events[0].event.body, &*events[1].event.body], [&*a, &*b], "{tool}");
    }
}

#[test]
fn a_har_gives_what_was_sent_and_what_was_listed() {
    let (a, b, c) = (body("evt_a", 1), body("evt_b", 2), body("evt_c", 3));
    let sent = |text: &str| {
        json!({ "request": { "method": "POST", "postData": { "mimeType": "application/json", "text": text } },
        "response": { "content": { "mimeType": "text/html", "text": "<p>ok</p>" } } })
    };
    let asset = json!({ "request": { "method": "GET" }, "response": { "content": { "encoding": "base64", "text": "iVBORw0KGgo=" } } });
    let list = |events: &str| {
        let text = format!("{{\"object\":\"list\",\"has_more\":true,\"data\":[{events}]}}");
        json!({ "request": { "method": "GET" }, "response": { "content": { "encoding": "base64", "text": STANDARD.encode(text) } } })
    };
    let har = |entries: Value| json!({ "log": { "version": "1.2", "entries": entries } }).to_string();
    assert_eq!(ids(&read(&har(json!([asset, sent(&a), asset, sent(&b)])))), ["evt_a", "evt_b"]);
    let pages = read(&har(json!([list(&format!("{c},{b}")), asset, list(&a)])));
    assert_eq!(ids(&pages), ["evt_a", "evt_b", "evt_c"], "pages come from new to old");
    assert_eq!(&*pages[1].event.body, b);
    let cut = refused(&har(json!([sent(&a), sent(&b[..90])])));
    assert!(cut.len() == 1 && cut[0].contains("event evt_b is cut off"), "{cut:?}");
    assert_eq!(
        refused(&har(json!([asset]))),
        ["x: no Stripe event in it; expected event bodies, a /v1/events list, or `stripe listen` output"]
    );
}

#[test]
fn what_was_cut_is_named_with_its_tool() {
    let long = |id: &str, bytes: usize| {
        let text = body(id, 1).replace("in_1", &"i".repeat(bytes));
        text[..bytes].to_owned()
    };
    let capture = |body: &str| json!([{ "headers": {}, "body": body }]).to_string();
    for (text, says) in [
        (long("evt_n", 10_240), "event evt_n (its value began at line 1) is cut off"),
        (capture(&long("evt_n", 10_240)), "ngrok's traffic inspector keeps 10 kB"),
        (capture(&long("evt_c", 5_000)), "the Stripe CLI shows 5000 bytes"),
        (capture(&format!("{}...", long("evt_d", 700))), "event evt_d is cut off"),
        (capture(&long("evt_e", 700)), "stripe events retrieve"),
        (
            format!("{{\"object\":\"list\",\"data\":[{},{}", body("evt_f", 2), &body("evt_g", 1)[..100]),
            "event evt_g (its value began at line 1)",
        ),
    ] {
        let errors = refused(&text);
        assert!(errors.len() == 1 && errors[0].contains(says), "{says}: {errors:?}");
    }
}

#[test]
fn exports_without_bodies_say_what_to_do() {
    for (text, says) in [
        (json!({ "models": [{ "id": "evt_1", "event_data_id": "edt_1", "request_id": "req_1", "data": null }] }).to_string(), "export of Hookdeck without bodies"),
        (json!({ "data": [{ "id": "msg_1", "eventType": "stripe", "channels": null, "payload": null }], "done": true, "iterator": "" }).to_string(), "with_content=true"),
        (json!({ "created_at": 1, "request_id": "req_1", "method": "POST", "status": 200, "url": "/v1/customers" }).to_string(), "stripe logs tail"),
        (
            "Ready! (^C to quit)\n2026-11-23 10:00:00   --> invoice.paid [evt_1]\n2026-11-23 10:00:01  <--  [200] POST http://x [evt_1]\n\
             2026-11-23 10:00:02   --> charge.succeeded [evt_2]\n".to_owned(),
            "names 2 events and holds none",
        ),
    ] {
        let errors = refused(&text);
        assert!(errors.len() == 1 && errors[0].contains(says), "{says}: {errors:?}");
    }
}

#[test]
fn the_clis_terminal_is_read_with_links_spinners_and_colour() {
    let compact = |id: &str| body(id, 1).replace(['\n', ' '], "");
    let text = format!(
        "\u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\\r\n\u{1b}[2K\r⣾ Getting ready...\r\u{1b}[2K\r⣽ Getting ready...\r> Ready! (^C to quit)\n\
         {}\n\n2026-11-23 10:00:00   --> connect invoice.paid [evt_a]\n\u{1b}[32m{}\u{1b}[0m\n",
        compact("evt_a"),
        body("evt_b", 1).replace("\"id\"", "\u{1b}[94m\"id\"\u{1b}[39m")
    );
    let events = read(&text);
    assert_eq!((ids(&events), &*events[1].event.body), (vec!["evt_a", "evt_b"], &*body("evt_b", 1)));
}

#[test]
fn live_mode_is_refused_in_every_wrapping() {
    let live = body("evt_a", 1).replace("\"livemode\": false", "\"livemode\": true");
    for text in [
        json!([{ "body": live }]).to_string(),
        json!({ "log": { "entries": [{ "request": { "postData": { "text": live } } }] } }).to_string(),
    ] {
        assert!(refused(&text)[0].contains("--allow-livemode"));
    }
}

proptest::proptest! {
    #[test]
    fn no_wrapping_breaks_it(depth in 0usize..40, key in "(body|data|log|entries|Records|Message|models)", text in ".{0,20}") {
        let wrap = |inner: Value, n: usize| match n % 3 {
            0 => json!({ (key.clone()): inner }),
            1 => json!([inner]),
            _ => json!({ (key.clone()): inner.to_string() }),
        };
        // Texts within texts double their escapes each time.
        let wrapped = (0..depth).fold(json!({ "x": text }), |inner, n| if n < 9 { wrap(inner, n) } else { json!([inner]) });
        proptest::prop_assert!(from_text("x", &wrapped.to_string(), ImportOptions::default()).is_err());
    }
}
