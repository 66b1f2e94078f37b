//! Ten made-up people with twenty personal values each, planted in events of every kind, and a search that finds them in
//! whatever spelling.

use base64::{Engine, engine::general_purpose};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One person's values, by kind.
pub(crate) struct Person {
    pub(crate) values: Vec<(&'static str, String)>,
}

const PEOPLE: [(&str, &str, &str); 10] = [
    ("Zoë", "Quillfeather", "Brambleford"),
    ("Jürgen", "Müßigbrodt", "Oberwiesenau"),
    ("Siobhán", "O'Farragher", "Ballykilcline"),
    ("Nnamdi", "Okonkwoeze", "Umuahiaville"),
    ("Xiulan", "Zhengwei", "Baishuizhen"),
    ("Łukasz", "Wójcicki-Żak", "Szczebrzeszyn"),
    ("太郎", "山田屋敷", "桜ヶ丘町"),
    ("Priya", "Venkataraghavan", "Thiruvottiyur"),
    ("Ingrid", "Skjeldbreidsen", "Hammerfjordnes"),
    ("Mateo", "Echeverrigaray", "Villapuente"),
];

impl Person {
    fn new(number: usize) -> Self {
        let (first, last, city) = PEOPLE[number];
        let n = number + 1;
        let values = vec![
            ("first", first.to_owned()),
            ("last", last.to_owned()),
            ("email", format!("mailbox{n}.quux@private-domain{n}.dev")),
            ("phone", format!("+49 171 55{n:02}83{n:02}")),
            ("line1", format!("{}7 Kestrelthorn Lane{n:02}", n + 10)),
            ("city", city.to_owned()),
            ("postal", format!("8{n:02}41")),
            ("ip", format!("84.17.{}.{}", n + 20, n + 190)),
            ("ipv6", format!("2a02:8109:{n:x}bc:d1e::42")),
            ("last4", format!("79{n:02}")),
            ("fingerprint", format!("Kq8Zt{n:02}WvXyPmRs3")),
            ("tax", format!("DE8127{n:02}553")),
            ("secret", format!("hN3vUq{n:02}LbTz9KwYs2Ec")),
            ("hosted", format!("YWNjdF8x{n:02}kQmZ7PrTvXw31Bd")),
            ("iban", format!("DE44 5001 0517 54{n:02} 3249 31")),
            ("handle", format!("nightjar_{}{n:02}", ["kite", "wren", "swift"][number % 3])),
            ("sentence", format!("allergic to pistachio{n:02}, gate code {n:02}77")),
            ("birthday", format!("19{}-0{}-1{}", 60 + n, n % 9 + 1, n % 9)),
            ("company", format!("Thistledown{n:02} Weaving")),
            ("card", card(n)),
        ];
        Self { values }
    }

    pub(crate) fn of(&self, kind: &str) -> &str {
        &self.values.iter().find(|(found, _)| *found == kind).expect("a kind").1
    }

    fn name(&self) -> String {
        format!("{} {}", self.of("first"), self.of("last"))
    }
}

/// A number with a good check digit.
fn card(n: usize) -> String {
    let start = format!("55555112{n:02}34{n:02}8");
    let digit = (0..10).find(|digit| luhn(&format!("{start}{digit}"))).expect("a digit");
    format!("{start}{digit}")
}

fn luhn(digits: &str) -> bool {
    let value = |(place, byte): (usize, u8)| {
        let value = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
        value / 10 + value % 10
    };
    digits.bytes().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

pub(crate) fn people() -> Vec<Person> {
    (0..10).map(Person::new).collect()
}

/// Two hundred values, all of them somewhere in the events.
pub(crate) fn values() -> Vec<String> {
    people().into_iter().flat_map(|person| person.values.into_iter().map(|(_, value)| value)).collect()
}

/// The events of all, in order, each in a spelling of its own: pretty, compact, with escapes, with Go's escapes.
pub(crate) fn bodies() -> Vec<String> {
    let mut bodies = Vec::new();
    for (number, person) in people().iter().enumerate() {
        for (step, event) in events(number, person).into_iter().enumerate() {
            let text = match (number + step) % 3 {
                0 => format!("{event:#}"),
                1 => event.to_string().replace('&', "\\u0026").replace('<', "\\u003c"),
                _ => escaped(&format!("{event:#}")),
            };
            bodies.push(text);
        }
    }
    bodies
}

/// As Ruby or Python may write it: everything beyond ASCII, and `@`, as an escape.
fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        '@' => "\\u0040".to_owned(),
        c if c.is_ascii() => c.to_string(),
        c => {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
    };
    text.chars().map(one).collect()
}

fn id(prefix: &str, number: usize, more: &str) -> String {
    format!("{prefix}_1Sx{number:02}Qp7RtVb2{more}")
}

fn events(number: usize, person: &Person) -> Vec<Value> {
    let objects = [
        ("customer.created", customer(number, person), None),
        ("payment_method.attached", payment_method(number, person), None),
        ("checkout.session.completed", session(number, person), None),
        ("charge.succeeded", charge(number, person), None),
        ("invoice.paid", invoice(number, person), None),
        ("customer.updated", customer(number, person), Some(previous(person))),
    ];
    let event = |(step, (kind, object, previous)): (usize, (&str, Value, Option<Value>))| {
        let mut data = json!({ "object": object });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        json!({
            "id": format!("evt_1Sx{number:02}{step}Qp7RtVb2aaaaaaaaa"),
            "object": "event",
            "api_version": "2025-09-30.clover",
            "created": 1_764_000_000 + number * 100 + step,
            "data": data,
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": "0b9f1a52-1a20-4d0b-b888-1370389de891" },
            "type": kind,
        })
    };
    objects.into_iter().enumerate().map(event).collect()
}

fn address(person: &Person) -> Value {
    json!({ "city": person.of("city"), "country": "DE", "line1": person.of("line1"), "line2": null,
            "postal_code": person.of("postal"), "state": null })
}

fn customer(number: usize, person: &Person) -> Value {
    json!({
        "id": id("cus", number, ""), "object": "customer", "address": address(person), "balance": 0,
        "created": 1_764_000_000, "currency": "eur", "delinquent": false,
        "description": format!("{} ({}), {}", person.name(), person.of("company"), person.of("sentence")),
        "email": person.of("email"), "name": person.name(), "phone": person.of("phone"),
        "metadata": {
            "user_id": format!("user_{number:02}81"), "plan": "pro", "handle": person.of("handle"),
            "companyName": person.of("company"), "birthday": person.of("birthday"), "note": person.of("sentence"),
            "utm": format!("{{\"mail\":\"{}\",\"who\":\"{}\",\"n\":1}}", person.of("email"), person.name()),
            "state": general_purpose::STANDARD.encode(format!("next=/home&u={}&n={}", person.of("email"), person.name())),
            "iban": person.of("iban"),
        },
        "invoice_prefix": "7C1E9A42", "shipping": { "address": address(person), "name": person.name(), "phone": person.of("phone") },
        "preferred_locales": ["de-DE"], "tax_exempt": "none",
    })
}

fn payment_method(number: usize, person: &Person) -> Value {
    json!({
        "id": id("pm", number, "aaaaaaaa"), "object": "payment_method", "type": "card", "customer": id("cus", number, ""),
        "billing_details": { "address": address(person), "email": person.of("email"), "name": person.name(), "phone": person.of("phone"),
                             "tax_id": null },
        "card": { "brand": "mastercard", "country": "DE", "exp_month": 4, "exp_year": 2031, "last4": person.of("last4"),
                  "fingerprint": person.of("fingerprint"), "funding": "credit", "checks": { "cvc_check": "pass" } },
        "metadata": {},
    })
}

fn session(number: usize, person: &Person) -> Value {
    let mail = person.of("email").replace('@', "%40");
    let name: String = form(&person.name());
    json!({
        "id": id("cs_test", number, "aaaaaaaaaaaaaaaa"), "object": "checkout.session", "amount_total": 2000, "currency": "eur",
        "client_reference_id": format!("user_{number:02}81"), "customer": id("cus", number, ""),
        "customer_details": { "address": address(person), "email": person.of("email"), "name": person.name(),
                              "tax_ids": [{ "type": "eu_vat", "value": person.of("tax") }] },
        "custom_fields": [{ "key": "nick", "type": "text", "label": { "custom": "Nick name", "type": "custom" },
                            "text": { "value": person.of("handle") } }],
        "metadata": { "user_id": format!("user_{number:02}81") }, "mode": "subscription", "payment_status": "paid",
        "subscription": id("sub", number, "aaaaaaaa"), "status": "complete",
        "success_url": format!("https://app.example.com/done?email={mail}&name={name}&session_id={{CHECKOUT_SESSION_ID}}"),
        "url": format!("https://checkout.stripe.com/c/pay/{}#{}", id("cs_test", number, "aaaaaaaaaaaaaaaa"), person.of("hosted")),
    })
}

fn form(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn charge(number: usize, person: &Person) -> Value {
    json!({
        "id": id("ch", number, "aaaaaaaa"), "object": "charge", "amount": 2000, "currency": "eur", "customer": id("cus", number, ""),
        "billing_details": { "address": address(person), "email": person.of("email"), "name": person.name(), "phone": null },
        "calculated_statement_descriptor": format!("SHOP* {}", person.of("last").to_uppercase()),
        "description": format!("Card {} of {}, called from {} and {}", person.of("card"), person.name(), person.of("ip"), person.of("ipv6")),
        "metadata": { "client_ip": person.of("ip"), "remote": person.of("ipv6"), "ordered_by": person.of("first").to_lowercase() },
        "outcome": { "network_status": "approved_by_network", "seller_message": "Payment complete.", "type": "authorized" },
        "payment_intent": id("pi", number, "aaaaaaaa"), "paid": true,
        "payment_method_details": { "type": "card", "card": { "brand": "mastercard", "last4": person.of("last4"),
            "fingerprint": person.of("fingerprint"), "network_transaction_id": format!("{number}93048571029384") } },
        "receipt_email": person.of("email"),
        "receipt_url": format!("https://pay.stripe.com/receipts/payment/{}?s=ap", person.of("hosted")),
        "status": "succeeded",
    })
}

fn invoice(number: usize, person: &Person) -> Value {
    json!({
        "id": id("in", number, "aaaaaaaa"), "object": "invoice", "amount_paid": 2000, "currency": "eur", "customer": id("cus", number, ""),
        "confirmation_secret": { "client_secret": format!("{}_secret_{}", id("pi", number, "aaaaaaaa"), person.of("secret")), "type": "payment_intent" },
        "customer_address": address(person), "customer_email": person.of("email"), "customer_name": person.name(),
        "customer_phone": person.of("phone"), "customer_tax_ids": [{ "type": "eu_vat", "value": person.of("tax") }],
        "description": format!("For {}: {}", person.name(), person.of("sentence")),
        "hosted_invoice_url": format!("https://invoice.stripe.com/i/acct_1GThseJDPojXS6LN/test_{}?s=ap", person.of("hosted")),
        "lines": { "object": "list", "data": [{ "id": id("il", number, "aaaaaaaa"), "object": "line_item", "amount": 2000,
            "description": "1 × Pro (at €20.00 / month)", "pricing": { "price_details": { "price": "price_1IDQm5JDPojXS6LNM31hxKzp" } } }] },
        "number": format!("7C1E9A42-00{number:02}"), "status": "paid", "subscription": id("sub", number, "aaaaaaaa"),
    })
}

fn previous(person: &Person) -> Value {
    json!({ "email": person.of("email"), "name": person.name(), "phone": null, "address": { "line1": person.of("line1") },
            "metadata": { "ordered_by": person.of("last").to_lowercase() } })
}

/// Which of the values stand in the text, in whatever spelling.
pub(crate) fn found<'v>(text: &str, values: &'v [String]) -> BTreeSet<&'v str> {
    let spelled = spellings(text);
    let holds = |value: &str| spelled.iter().any(|text| stands_in(text, &folded(value)));
    let whole = values.iter().map(String::as_str).filter(|value| holds(value));
    whole.collect()
}

/// Short numbers count as words of their own only: they stand in ids and amounts by chance.
fn stands_in(text: &str, value: &str) -> bool {
    let alone = |at: usize| {
        let edge = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        edge(text[..at].chars().next_back()) && edge(text[at + value.len()..].chars().next())
    };
    let short = value.chars().count() < 6 && value.is_ascii();
    text.match_indices(value).any(|(at, _)| !short || alone(at))
}

/// The text in lower case: as it is, without escapes, without percent signs, with its base64 read; and so on within each.
fn spellings(text: &str) -> Vec<String> {
    let mut all: Vec<String> = vec![text.to_owned()];
    let mut from = 0;
    for _ in 0..4 {
        let layer: Vec<String> = all[from..].to_vec();
        from = all.len();
        for text in layer {
            let readings = [unescaped(&text), percent(&text), bare(&text)];
            all.extend(
                readings.into_iter().chain(base64s(&text)).filter(|reading| *reading != text && !reading.is_empty()),
            );
        }
    }
    all.into_iter().map(|text| folded(&text)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// `ß` is `SS` in capitals.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

fn unescaped(text: &str) -> String {
    let mut strings = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let mut values = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<String>();
        match values.next() {
            Some(Ok(string)) => {
                strings += &string;
                strings.push('\n');
                rest = &rest[at + values.byte_offset()..];
            }
            Some(Err(_)) | None => rest = &rest[at + 1..],
        }
    }
    strings
}

fn percent(text: &str) -> String {
    if !text.contains('%') {
        return String::new();
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let raw = text.as_bytes();
        match raw.get(at + 1..at + 3).filter(|_| raw[at] == b'%').and_then(pair) {
            Some(byte) => {
                bytes.push(byte);
                at += 2;
            }
            None => bytes.push(if raw[at] == b'+' { b' ' } else { raw[at] }),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without the separators that numbers have.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !"()-".contains(*c)).collect()
}

fn base64s(text: &str) -> Vec<String> {
    let words =
        text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=_-".contains(c)).filter(|word| word.len() >= 12);
    let read = |word: &str| {
        let plain = word.trim_end_matches('=').replace('-', "+").replace('_', "/");
        let bytes = general_purpose::STANDARD_NO_PAD.decode(plain).ok()?;
        String::from_utf8(bytes).ok().filter(|text| text.chars().all(|c| !c.is_control()))
    };
    words.filter_map(read).collect()
}
