//! What a peer on the wire sees, and what the sender makes of what a peer does.

use bytes::Bytes;
use hookdrill::{
    drive::{
        http::{Answer, Sender},
        signing::SigningSecrets,
    },
    history::record::Outcome,
    plan::model::Signing,
    scenario::{
        fault::Place,
        forms::{BadSignature, GoodSignature},
    },
    stripe::{
        headers::delivery_headers,
        signature::{Tolerance, verify},
    },
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

/// A peer that does `act` with one connection; gives its URL and what it read.
fn peer(act: impl FnOnce(TcpStream, &[u8]) + Send + 'static) -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let handle = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut read = Vec::new();
        let mut chunk = [0_u8; 4096];
        while !read.ends_with(b"{\"a\":1}") {
            let n = stream.read(&mut chunk).expect("readable");
            assert!(n > 0, "the whole request comes");
            read.extend_from_slice(&chunk[..n]);
        }
        act(stream, &read);
        read
    });
    (url, handle)
}

fn send(url: &str, timeout: Duration) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let headers = delivery_headers(&["t=1,v1=aa".to_owned()]);
    let sending = async { Sender::new().send("POST", url, &headers, Bytes::from_static(b"{\"a\":1}"), timeout).await };
    runtime.block_on(sending).expect("a request")
}

fn answering(answer: &'static str) -> Answer {
    let (url, peer) = peer(move |mut stream, _| drop(stream.write_all(answer.as_bytes())));
    let answer = send(&url, Duration::from_secs(5));
    peer.join().expect("the peer ends");
    answer
}

#[test]
fn only_2xx_is_success_and_a_redirect_is_not_followed() {
    for (status, outcome) in [
        (200, Outcome::Acked),
        (204, Outcome::Acked),
        (301, Outcome::Refused),
        (308, Outcome::Refused),
        (404, Outcome::Refused),
        (503, Outcome::Refused),
    ] {
        let text: &'static str =
            format!("HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").leak();
        let answer = answering(text);
        assert_eq!((answer.outcome, answer.status), (outcome, Some(status)), "{answer:?}");
    }
}

#[test]
fn silence_and_a_reset_are_indefinite_but_no_connection_is_a_refusal() {
    let (url, _peer) = peer(|stream, _| {
        std::thread::sleep(Duration::from_secs(2));
        drop(stream);
    });
    let silent = send(&url, Duration::from_millis(100));
    assert_eq!((silent.outcome, silent.status), (Outcome::Indefinite, None), "{silent:?}");
    let (url, closing) = peer(|stream, _| drop(stream));
    let reset = send(&url, Duration::from_secs(5));
    assert_eq!((reset.outcome, reset.status), (Outcome::Indefinite, None), "{reset:?}");
    closing.join().expect("the peer ends");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let nobody = send(&format!("http://{free}/"), Duration::from_secs(5));
    assert_eq!((nobody.outcome, nobody.status), (Outcome::Refused, None), "{nobody:?}");
}

#[test]
fn a_delivery_carries_the_headers_of_a_real_one() {
    let (url, peer) = peer(|mut stream, _| drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")));
    send(&url, Duration::from_secs(5));
    let request = String::from_utf8(peer.join().expect("the peer ends")).expect("text");
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    for line in [
        "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Content-Type: application/json; charset=utf-8",
        "Cache-Control: no-cache",
        "Accept: */*; q=0.5, application/xml",
        "Stripe-Signature: t=1,v1=aa",
        "Content-Length: 7",
    ] {
        assert!(request.contains(&format!("{line}\r\n")), "lacks `{line}`: {request}");
    }
}

#[test]
fn signatures_are_good_or_bad_as_the_plan_says() {
    let secrets = SigningSecrets::new("whsec_known_to_the_app", 1);
    let judge = |signing: Signing| {
        let headers = secrets.headers(signing, 10_000, b"{}");
        verify(headers.first().map(String::as_str), b"{}", &[secrets.known()], Tolerance::DEFAULT, 10_000).is_ok()
    };
    for good in [Signing::Genuine, Signing::Rolled(Place::First), Signing::Rolled(Place::Last)] {
        assert!(judge(good), "{good:?}");
    }
    for (word, kind) in GoodSignature::WORDS {
        assert!(judge(Signing::Good(*kind)), "{word}");
    }
    // The strict verifier refuses whatever some library refuses.
    for (word, kind) in BadSignature::WORDS {
        assert!(!judge(Signing::Bad(*kind)), "{word}");
    }
    assert!(!judge(Signing::SecondEndpoint), "nobody knows a second secret");
    let two = secrets.clone().with_second("whsec_of_the_second");
    let header = two.headers(Signing::SecondEndpoint, 10_000, b"{}");
    let judged = verify(header.first().map(String::as_str), b"{}", &two.all_known(), Tolerance::DEFAULT, 10_000);
    assert_eq!(judged, Ok(()));
    assert_eq!(secrets.headers(Signing::Bad(BadSignature::DuplicateHeader), 1, b"{}").len(), 2);
    assert!(!format!("{secrets:?}").contains("known_to_the_app"));
}
