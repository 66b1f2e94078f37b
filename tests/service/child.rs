//! The real binary as a child over a database file, and a keep-alive connection to it.

use super::stories::{completed, invoice};
use hookdrill::{
    drive::process::ServiceCommand,
    stripe::signature::{header, sign},
};
use std::{
    io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SECRET: &str = "whsec_of_the_durability_tests";

/// How the child is started: loopback, `folder` for its database and its log, peers at the two URLs.
pub(crate) fn command(folder: &Path, crm: &str, support: &str, defects: &[&str]) -> ServiceCommand {
    let database = folder.join("service.db").display().to_string();
    let fixed = ["serve", "--until-stdin-closes", "--lease", "1s", "--database", &database];
    let mut arguments: Vec<String> = fixed.iter().map(|argument| (*argument).to_owned()).collect();
    arguments.extend(["--crm-url", crm, "--support-url", support].map(str::to_owned));
    arguments.extend(defects.iter().flat_map(|defect| ["--defect".to_owned(), (*defect).to_owned()]));
    ServiceCommand {
        program: env!("CARGO_BIN_EXE_hookdrill").into(),
        arguments,
        environment: [
            ("STRIPE_WEBHOOK_SECRET", SECRET),
            ("HOOKDRILL_CRM_TOKEN", "crm-of-the-test"),
            ("HOOKDRILL_SUPPORT_TOKEN", "desk-of-the-test"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        log: folder.join("service.log"),
    }
}

/// The id of an event of [`body`]; all are of one length.
pub(crate) fn event_id(number: u64) -> String {
    format!("evt_durable_{number:08}")
}

/// Events 2n and 2n+1 are those of customer n: a Checkout (one contact, one purchase) and a failed payment (one ticket).
pub(crate) fn body(number: u64) -> String {
    let (customer, email) = (customer(number / 2), email(number / 2));
    let event = match number % 2 {
        0 => completed(&event_id(number), &customer, None, &email),
        _ => invoice(&event_id(number), "payment_failed", 500, &customer, &invoice_id(number / 2), Some(&email)),
    };
    event.body.to_string()
}

pub(crate) fn customer(number: u64) -> String {
    format!("cus_{number:08}")
}

pub(crate) fn invoice_id(number: u64) -> String {
    format!("in_{number:08}")
}

pub(crate) fn email(number: u64) -> String {
    format!("c{number}@example.com")
}

/// A connection that is made when needed.
pub(crate) struct Connection {
    address: String,
    stream: Option<TcpStream>,
}

impl Connection {
    /// To `http://…`.
    pub(crate) fn to(url: &str) -> Self {
        Self { address: url.trim_start_matches("http://").to_owned(), stream: None }
    }

    /// Delivers event `number`, signed now; its status.
    pub(crate) async fn deliver(&mut self, number: u64) -> io::Result<u16> {
        let body = body(number);
        let at = now();
        let signature = header(at, &[sign(SECRET, at, body.as_bytes())]);
        let headers = format!("stripe-signature: {signature}\r\n");
        Ok(self.ask("POST", "/webhooks/stripe", &headers, &body).await?.0)
    }

    /// Status and body of an answer; an error breaks the connection.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, head: &str, body: &str) -> io::Result<(u16, String)> {
        let asked = self.exchange(method, path, head, body).await;
        if asked.is_err() {
            self.stream = None;
        }
        asked
    }

    async fn exchange(&mut self, method: &str, path: &str, head: &str, body: &str) -> io::Result<(u16, String)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(TcpStream::connect(&self.address).await?),
        };
        let host = &self.address;
        let length = body.len();
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{head}content-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut raw = Vec::new();
        loop {
            if stream.read_buf(&mut raw).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = parsed(&raw) {
                return Ok(answer);
            }
        }
    }
}

/// Status and body, once all of it is there.
fn parsed(raw: &[u8]) -> Option<(u16, String)> {
    let text = std::str::from_utf8(raw).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length: usize =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    (body.len() >= length).then(|| (status, body.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "signs for the service's real clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}
