//! Why a packager does not tell its edge, in words for an operator.

use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use crate::channel::relay;

#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Http(String),
    #[error("it answers {status}{}", meaning(reason))]
    Refused { status: StatusCode, reason: String },
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    #[error("it has ended, or publishes the channel no longer")]
    Ended,
    #[error(
        "it publishes as epoch {told}, and the store has a record of epoch {recorded}: another packager has taken over"
    )]
    Succeeded { told: u64, recorded: u64 },
    #[error("the store has more than it tells, for longer than {0:?}: does it hang, or write elsewhere?")]
    Behind(Duration),
    #[error("{0}")]
    Feed(#[from] relay::Error),
}

impl Failure {
    /// What lies at the bottom of it: what is said above is that a request has failed.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut deepest: &dyn std::error::Error = &error;
        while let Some(cause) = deepest.source() {
            deepest = cause;
        }
        Self::Http(deepest.to_string())
    }
}

/// What the refusals of a packager mean here.
fn meaning(reason: &str) -> String {
    match reason {
        "" => ": is it a media listener of Headwater?".into(),
        "not-a-node" => ": it has another secret in edge_secret_file".into(),
        "unknown-path" => ": it tells nobody, as edge_secret_file is not set there".into(),
        "unknown-channel" => ": it has no such channel".into(),
        "standby" => ": it stands by while another packager publishes".into(),
        other => format!(" ({other})"),
    }
}
