//! One attempt with a fault on its way. What HTTP can say goes through the client; what it cannot is written as raw bytes on a
//! connection of its own: over TCP, or over TLS to an `https` target.
//!
//! Must not know: plans, retries, what an answer should be.

use super::{
    http::{Answer, Connection, RequestError, Sender, request},
    rawhttp,
};
use crate::scenario::transport::Transport;
use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    future::Future,
    io::Write,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;

/// Blanks behind the event of [`Transport::OverSize`]: more than any event has, less than would be an attack.
const OVER_SIZE: usize = 1024 * 1024;

/// Pieces of a slow upload, and chunks of a chunked one.
const PIECES: usize = 8;

/// Bytes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altered {
    /// What the signature is made of.
    pub signed: Bytes,
    /// What is sent.
    pub sent: Bytes,
}

/// An attempt, ready but for its way.
#[derive(Clone, Debug)]
pub struct Parcel<'a> {
    /// Where it goes.
    pub url: &'a str,
    /// Headers without those of the framing, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent of it.
    pub body: Bytes,
}

/// What a fault makes of a body. Compressed and emptied is what was signed whole; padded and broken is signed as it is sent.
pub fn altered(how: Option<Transport>, body: &[u8]) -> Altered {
    let whole = Bytes::copy_from_slice(body);
    match how {
        Some(Transport::Gzip) => Altered { sent: gzip(body), signed: whole },
        Some(Transport::Empty) => Altered { sent: Bytes::new(), signed: whole },
        Some(Transport::OverSize) => {
            let mut padded = BytesMut::from(body);
            padded.put_bytes(b' ', OVER_SIZE);
            let padded = padded.freeze();
            Altered { signed: padded.clone(), sent: padded }
        }
        Some(Transport::InvalidUtf8) => {
            let mut broken = body.to_vec();
            let middle = broken.len() / 2;
            broken.insert(middle, 0xff);
            let broken = Bytes::from(broken);
            Altered { signed: broken.clone(), sent: broken }
        }
        Some(
            Transport::SlowUpload { .. }
            | Transport::FreshConnection
            | Transport::Chunked
            | Transport::WrongContentType
            | Transport::OtherSlash
            | Transport::PlainHttp
            | Transport::Truncated
            | Transport::AbortMidBody
            | Transport::ResetBeforeReply
            | Transport::GiveUp { .. },
        )
        | None => Altered { signed: whole.clone(), sent: whole },
    }
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail.
    encoder.write_all(body).and_then(|()| encoder.finish()).map(Bytes::from).unwrap_or_default()
}

/// Sends an attempt on its disturbed way and says how it ended within `timeout`.
///
/// # Errors
/// [`RequestError`] when URL or headers cannot be written as HTTP; everything on the wire is an [`Answer`].
pub async fn send(
    sender: &Sender,
    how: Transport,
    mut parcel: Parcel<'_>,
    timeout: Duration,
) -> Result<Answer, RequestError> {
    let body = parcel.body.clone();
    match how {
        Transport::WrongContentType => parcel.set("content-type", "text/plain"),
        Transport::Gzip => parcel.set("content-encoding", "gzip"),
        Transport::PlainHttp => parcel.set("x-forwarded-proto", "http"),
        // The client says no length of a body without bytes.
        Transport::Empty => parcel.set("content-length", "0"),
        _ => {}
    }
    let url = url(how, parcel.url);
    let (connection, body, more_time) = match how {
        Transport::SlowUpload { over_ms } => {
            let over = Duration::from_millis(over_ms);
            (Connection::KeptAlive, Pieces::new(body, over, true).boxed_unsync(), over)
        }
        Transport::Chunked => {
            (Connection::KeptAlive, Pieces::new(body, Duration::ZERO, false).boxed_unsync(), Duration::ZERO)
        }
        Transport::FreshConnection => (Connection::Fresh, Full::new(body).boxed_unsync(), Duration::ZERO),
        Transport::WrongContentType
        | Transport::Gzip
        | Transport::OtherSlash
        | Transport::PlainHttp
        | Transport::OverSize
        | Transport::Empty
        | Transport::InvalidUtf8 => (Connection::KeptAlive, Full::new(body).boxed_unsync(), Duration::ZERO),
        Transport::Truncated => return rawhttp::truncated(sender, &parcel, timeout).await,
        Transport::AbortMidBody => return rawhttp::aborted(sender, &parcel, timeout).await,
        Transport::ResetBeforeReply => return rawhttp::reset(sender, &parcel, timeout).await,
        Transport::GiveUp { after_ms } => {
            return rawhttp::given_up(sender, &parcel, Duration::from_millis(after_ms), timeout).await;
        }
    };
    let request = request("POST", &url, &parcel.headers, body)?;
    Ok(sender.send_request(connection, request, timeout + more_time).await)
}

impl Parcel<'_> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
    }
}

/// The address that is nearly right.
fn url(how: Transport, url: &str) -> String {
    match how {
        Transport::OtherSlash => {
            let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
            let path = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
            query.map_or(path.clone(), |query| format!("{path}?{query}"))
        }
        Transport::PlainHttp => url.strip_prefix("https://").map_or(url.to_owned(), |rest| format!("http://{rest}")),
        _ => url.to_owned(),
    }
}

/// A body that comes in pieces, evenly over a time.
struct Pieces {
    rest: Bytes,
    piece: usize,
    gap: Duration,
    nap: Option<Pin<Box<Sleep>>>,
    /// Whether the length is told beforehand; otherwise the client must send chunks.
    told: bool,
}

impl Pieces {
    fn new(body: Bytes, over: Duration, told: bool) -> Self {
        let piece = body.len().div_ceil(PIECES).max(1);
        let gaps = u32::try_from(PIECES - 1).unwrap_or(1);
        Self { rest: body, piece, gap: over / gaps, nap: None, told }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(nap) = self.nap.as_mut() {
            ready!(nap.as_mut().poll(context));
        }
        self.nap = None;
        let size = self.piece.min(self.rest.len());
        let piece = self.rest.split_to(size);
        if !self.rest.is_empty() && !self.gap.is_zero() {
            self.nap = Some(Box::pin(tokio::time::sleep(self.gap)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.told { SizeHint::with_exact(self.rest.len() as u64) } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_near_miss_is_the_same_address_but_for_one_thing() {
        let slash = |text: &str| url(Transport::OtherSlash, text);
        assert_eq!(slash("http://a:1/hook"), "http://a:1/hook/");
        assert_eq!(slash("http://a:1/hook/?x=1"), "http://a:1/hook?x=1");
        assert_eq!(url(Transport::PlainHttp, "https://a/hook"), "http://a/hook");
        assert_eq!(url(Transport::PlainHttp, "http://a/hook"), "http://a/hook");
    }

    #[test]
    fn bodies_are_altered_before_or_after_they_are_signed() {
        let body = b"{\"a\":1}";
        let of = |how| altered(Some(how), body);
        assert_eq!(altered(None, body).sent, of(Transport::Chunked).signed);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&of(Transport::Gzip).sent[..]).read_to_string(&mut text).expect("gzip");
        assert_eq!((text.as_bytes(), &of(Transport::Gzip).signed[..]), (&body[..], &body[..]));
        assert_eq!((of(Transport::Empty).sent.len(), of(Transport::Empty).signed.len()), (0, body.len()));
        let big = of(Transport::OverSize);
        assert!(big.sent == big.signed && big.sent.len() > OVER_SIZE && big.sent.starts_with(body));
        let broken = of(Transport::InvalidUtf8);
        assert!(broken.sent == broken.signed && std::str::from_utf8(&broken.sent).is_err());
    }
}
