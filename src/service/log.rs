//! The service's log on standard error: text or JSON lines, secrets taken out of every line before it leaves.
//!
//! Must not know: what is logged. The level is told by the caller, which reads the environment.

use super::{
    config::Config,
    telemetry::{self, Traces},
};
use crate::redact::Redactor;
use std::{io, panic::PanicHookInfo, sync::Arc};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt::MakeWriter, layer::SubscriberExt};

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not read.
    #[error("`{0}` is no log level; write error, warn, info, debug or trace, or a list like `warn,hookdrill=debug`")]
    Filter(String),
    /// Somebody has set a log up before.
    #[error("set the log up: {0}")]
    Taken(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sets up the log of the whole process, and what becomes of panics. Spans go to `traces` when there are any.
///
/// # Errors
/// [`LogError`]: a filter that does not read, a log that is there already.
pub fn install(filter: &str, format: Format, config: &Config, traces: Option<&Traces>) -> Result<(), LogError> {
    let lines = Lines { redactor: Arc::new(config.redactor()), to: io::stderr };
    let subscriber = Registry::default().with(layer(filter, format, lines)?).with(traces.map(Traces::layer));
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(panicked));
    Ok(())
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Spans are for traces: without any they cost nothing, since nobody wants them.
fn layer<W>(filter: &str, format: Format, lines: Lines<W>) -> Result<Boxed, LogError>
where
    W: Fn() -> io::Stderr + Send + Sync + 'static,
{
    let wrong = || LogError::Filter(filter.to_owned());
    let spans = format!("{}=off", telemetry::TARGET).parse().map_err(|_| wrong())?;
    let filter = EnvFilter::builder().parse(filter).map_err(|_| wrong())?.add_directive(spans);
    let plain = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines);
    Ok(match format {
        Format::Text => plain.with_filter(filter).boxed(),
        Format::Json => plain.json().with_filter(filter).boxed(),
    })
}

/// One line about a panic: its message and where, without a trace and without a path of the machine that built this.
fn panicked(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(|at| {
        let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
        format!("{file}, line {}", at.line())
    });
    tracing::error!(place = place.unwrap_or_default(), "a bug: a task panicked: {said}");
}

/// A name for one trouble, to find in the log what an answer does not say.
pub(super) fn trouble_id() -> String {
    let mut bytes = [0_u8; 6];
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        Err(_) => "unnamed".to_owned(),
    }
}

/// Writes lines without secrets. The formatter hands over one whole line at a time, so none is cut in two.
struct Lines<W> {
    redactor: Arc<Redactor>,
    to: W,
}

struct Line<O> {
    redactor: Arc<Redactor>,
    to: O,
}

impl<'a, O: io::Write, W: Fn() -> O> MakeWriter<'a> for Lines<W> {
    type Writer = Line<O>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { redactor: Arc::clone(&self.redactor), to: (self.to)() }
    }
}

impl<O: io::Write> io::Write for Line<O> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let clean = self.redactor.text(&String::from_utf8_lossy(bytes));
        self.to.write_all(clean.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::config::Secret;
    use std::sync::{Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_secret_of_the_service_is_in_a_line() {
        let mut config = Config::new(Secret::new("whsec_of_the_log_test"), "http://127.0.0.1:1", "http://127.0.0.1:2");
        config.crm_token = Secret::new("plain-crm-token");
        let kept = Kept::default();
        let to = kept.clone();
        let lines = Lines { redactor: Arc::new(config.redactor()), to: move || to.clone() };
        let subscriber = Registry::default().with(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(header = "Bearer abcdefgh12345678", "sent plain-crm-token, whsec_of_the_log_test");
            tracing::warn!("an ordinary line");
        });
        let text = String::from_utf8(kept.0.lock().expect("lines").clone()).expect("text");
        assert!(text.contains("an ordinary line") && text.contains("[redacted]"), "{text}");
        for secret in ["abcdefgh12345678", "plain-crm-token", "of_the_log_test"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn a_filter_that_does_not_read_is_refused() {
        let lines = || Lines { redactor: Arc::new(Redactor::new(&[])), to: io::stderr };
        for good in ["info", "warn,hookdrill=debug"] {
            assert!(layer(good, Format::Text, lines()).is_ok(), "{good}");
        }
        assert!(matches!(layer("hookdrill=loud", Format::Json, lines()), Err(LogError::Filter(_))));
    }
}
