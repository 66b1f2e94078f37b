//! The judges of an examination, a file a family. Each takes what was seen and gives what it shows.
//!
//! Must not know: how a finding is written.

pub(super) mod reach;
pub(super) mod setup;
pub(super) mod surface;
pub(super) mod verifying;

use super::{
    case::Probe,
    finding::{Cause, Severity},
};

/// What a family found, before it is put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) cause: Cause,
    pub(super) severity: Severity,
    /// What the general words do not say: a host, a number, a language.
    pub(super) detail: Option<String>,
    /// The probes that show it, the plainest first.
    pub(super) shown_by: Vec<Probe>,
    /// What was sent and what came back, where no request shows it.
    pub(super) instead: Option<(String, String)>,
}

impl Found {
    pub(super) fn error(cause: Cause, shown_by: &[Probe]) -> Self {
        Self { cause, severity: Severity::Error, detail: None, shown_by: shown_by.to_vec(), instead: None }
    }

    pub(super) fn warning(cause: Cause, shown_by: &[Probe]) -> Self {
        Self { severity: Severity::Warning, ..Self::error(cause, shown_by) }
    }

    pub(super) fn note(cause: Cause, shown_by: &[Probe]) -> Self {
        Self { severity: Severity::Note, ..Self::error(cause, shown_by) }
    }

    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(super) fn instead(self, sent: impl Into<String>, got: impl Into<String>) -> Self {
        Self { instead: Some((sent.into(), got.into())), ..self }
    }
}
