//! Attempts that no HTTP client would make: cut off, reset, given up. Raw HTTP/1.1 bytes on a connection of their own.
//!
//! A reset is a real one: the socket is closed with `SO_LINGER` 0, so the peer sees `ECONNRESET` and not an end.
//! Must not know: plans, retries, what an answer should be.

use super::{
    http::{ANSWER_LIMIT, Answer, RequestError, Sender, innermost},
    transport::Parcel,
};
use crate::history::record::Outcome;
use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::{fmt::Write, io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_service::Service;

/// Until what was written is surely with the peer: a reset makes the kernel forget what it has not sent yet.
const ARRIVES_WITHIN: Duration = Duration::from_millis(50);

/// A connection, plain or with TLS.
struct Wire(TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>);

/// Half of the body and then the end of the stream, where the header tells of the whole.
pub(super) async fn truncated(sender: &Sender, parcel: &Parcel<'_>, timeout: Duration) -> Result<Answer, RequestError> {
    within(timeout, parcel, async |target| {
        let mut wire = connect(sender, target).await?;
        wire.write(&half(target, parcel)).await?;
        wire.0.shutdown().await.map_err(broken)?;
        Ok(read_answer(&mut wire).await)
    })
    .await
}

/// Half of the body and then a reset. Nobody can have processed it, so it is refused and not indefinite.
pub(super) async fn aborted(sender: &Sender, parcel: &Parcel<'_>, timeout: Duration) -> Result<Answer, RequestError> {
    within(timeout, parcel, async |target| {
        let mut wire = connect(sender, target).await?;
        wire.write(&half(target, parcel)).await?;
        tokio::time::sleep(ARRIVES_WITHIN).await;
        wire.reset().await;
        Ok(Answer::none(Outcome::Refused, "reset in the middle of the body, by a fault".to_owned()))
    })
    .await
}

/// The whole request; then, when something of the reply has arrived, a reset without reading it.
pub(super) async fn reset(sender: &Sender, parcel: &Parcel<'_>, timeout: Duration) -> Result<Answer, RequestError> {
    within(timeout, parcel, async |target| {
        let mut wire = connect(sender, target).await?;
        wire.write(&whole(target, parcel)).await?;
        // A reply that never comes changes nothing: the reset comes then.
        let waiting = timeout.saturating_sub(ARRIVES_WITHIN);
        drop(tokio::time::timeout(waiting, wire.tcp().readable()).await);
        wire.reset().await;
        Ok(Answer::none(Outcome::Indefinite, "reset before the reply was read, by a fault".to_owned()))
    })
    .await
}

/// The whole request; then an end of the connection unless the reply has come within `after`.
pub(super) async fn given_up(
    sender: &Sender,
    parcel: &Parcel<'_>,
    after: Duration,
    timeout: Duration,
) -> Result<Answer, RequestError> {
    within(timeout + after, parcel, async |target| {
        let mut wire = connect(sender, target).await?;
        wire.write(&whole(target, parcel)).await?;
        let read = async {
            if after.is_zero() {
                std::future::pending::<()>().await;
            }
            read_answer(&mut wire).await
        };
        Ok(match tokio::time::timeout(after, read).await {
            Ok(answer) => answer,
            Err(_) => {
                let reason = format!("given up {} ms after it had left, by a fault", after.as_millis());
                Answer::none(Outcome::Indefinite, reason)
            }
        })
    })
    .await
}

/// Runs one exchange with the parsed target, within a time.
async fn within(
    timeout: Duration,
    parcel: &Parcel<'_>,
    exchange: impl AsyncFnOnce(&Uri) -> Result<Answer, Answer>,
) -> Result<Answer, RequestError> {
    let error = |what: String| RequestError { url: parcel.url.to_owned(), what };
    let target: Uri = parcel.url.parse().map_err(|bad: http::uri::InvalidUri| error(bad.to_string()))?;
    if target.host().is_none() {
        return Err(error("it names no host".to_owned()));
    }
    Ok(match tokio::time::timeout(timeout, exchange(&target)).await {
        Ok(Ok(answer) | Err(answer)) => answer,
        Err(_) => Answer::none(Outcome::Indefinite, format!("no answer within {} ms", timeout.as_millis())),
    })
}

async fn connect(sender: &Sender, target: &Uri) -> Result<Wire, Answer> {
    let mut connector = sender.connector.clone();
    match connector.call(target.clone()).await {
        Ok(stream) => Ok(Wire(TokioIo::new(stream))),
        Err(error) => Err(Answer::none(Outcome::Refused, format!("no connection: {}", innermost(&*error)))),
    }
}

impl Wire {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Answer> {
        self.0.write_all(bytes).await.map_err(broken)?;
        self.0.flush().await.map_err(broken)
    }

    fn tcp(&self) -> &TcpStream {
        match self.0.inner() {
            MaybeHttpsStream::Http(stream) => stream.inner(),
            MaybeHttpsStream::Https(stream) => stream.inner().get_ref().0.inner().inner(),
        }
    }

    /// Closes with a reset. Without `SO_LINGER` it would be an end, which is another fault; a socket that does not take it
    /// is gone already.
    async fn reset(self) {
        drop(self.tcp().set_zero_linger());
        drop(self);
    }
}

fn broken(error: io::Error) -> Answer {
    Answer::none(Outcome::Indefinite, format!("broken off: {error}"))
}

/// Head and body.
fn whole(target: &Uri, parcel: &Parcel<'_>) -> Vec<u8> {
    let mut bytes = head(target, parcel).into_bytes();
    bytes.extend_from_slice(&parcel.body);
    bytes
}

/// Head and the first half of the body of which it tells.
fn half(target: &Uri, parcel: &Parcel<'_>) -> Vec<u8> {
    let mut bytes = head(target, parcel).into_bytes();
    bytes.extend_from_slice(&parcel.body[..parcel.body.len() / 2]);
    bytes
}

/// What the client would write, and that the connection is not to be kept.
fn head(target: &Uri, parcel: &Parcel<'_>) -> String {
    let path = target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let host = target.authority().map_or("", http::uri::Authority::as_str);
    let mut head = format!("POST {path} HTTP/1.1\r\n");
    for (name, value) in &parcel.headers {
        // Writing to a String cannot fail.
        let _ = write!(head, "{}: {value}\r\n", title_case(name));
    }
    let _ = write!(head, "Host: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", parcel.body.len());
    head
}

fn title_case(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// The answer, up to its length or the end of the connection.
async fn read_answer(wire: &mut Wire) -> Answer {
    let mut bytes = Vec::new();
    let ended = loop {
        match wire.0.read_buf(&mut bytes).await {
            Ok(0) => break Ok(()),
            Ok(_) if bytes.len() >= ANSWER_LIMIT || is_whole(&bytes) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).filter(|_| text.starts_with("HTTP/1.")).and_then(|code| code.parse().ok());
    match (status, ended) {
        (Some(status), _) => Answer::of(status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()),
        (None, Err(error)) => broken(error),
        (None, Ok(())) => Answer::none(Outcome::Indefinite, "broken off: the connection was closed".to_owned()),
    }
}

/// Whether an answer with a `Content-Length` has come to its end; of others the end of the connection tells.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() - at - 4 >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_look_as_those_of_the_client() {
        assert_eq!(title_case("stripe-signature"), "Stripe-Signature");
        let parcel =
            Parcel { url: "", headers: vec![("user-agent", "x".to_owned())], body: bytes::Bytes::from_static(b"{}") };
        let target = Uri::from_static("http://a:1/p?q=1");
        let expected =
            "POST /p?q=1 HTTP/1.1\r\nUser-Agent: x\r\nHost: a:1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
        assert_eq!(whole(&target, &parcel), expected.as_bytes());
        assert!(half(&target, &parcel).ends_with(b"\r\n\r\n{"));
    }
}
