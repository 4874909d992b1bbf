//! Logs.

use std::io::{IsTerminal, stderr};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, util::TryInitError};
use tracing_subscriber::{fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The variable that chooses what is logged, for example `info,access=debug` for every request.
const VARIABLE: &str = "RUST_LOG";
const DEFAULT: &str = "info";

/// Why there are no logs.
#[derive(Debug, Error)]
pub enum Error {
    /// The filter in the environment cannot be understood.
    #[error(
        "{VARIABLE}={value:?} is no log filter: {reason}; for example {VARIABLE}=info,access=debug is one"
    )]
    Filter {
        /// The variable's value.
        value: String,
        /// What is wrong with it.
        reason: ParseError,
    },
    /// Logs are written already.
    #[error("logs are set up twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Writes logs for humans to the standard error, as `RUST_LOG` says or from `info` on.
///
/// # Errors
/// [`Error::Filter`] and [`Error::Twice`].
pub fn init() -> Result<(), Error> {
    let lines = fmt::layer().compact().with_writer(stderr).with_ansi(stderr().is_terminal());
    let filter = filter(std::env::var(VARIABLE).ok())?;
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(())
}

fn filter(value: Option<String>) -> Result<EnvFilter, Error> {
    let value = value.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| DEFAULT.to_owned());
    EnvFilter::builder().parse(&value).map_err(|reason| Error::Filter { value, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_understood_is_named() {
        assert!(filter(None).is_ok());
        assert!(filter(Some(String::new())).is_ok());
        assert!(filter(Some("warn,access=debug".to_owned())).is_ok());
        let message = filter(Some("headwater=loudly".to_owned())).unwrap_err().to_string();
        assert!(message.contains("headwater=loudly") && message.contains("access=debug"), "{message}");
    }
}
