//! Logs: for people on a terminal, as JSON lines for machines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::LogFormat;

/// The log filter cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the log filter '{filter}': {source}")]
pub struct FilterError {
    /// What was given.
    pub filter: String,
    /// Why it cannot be read.
    pub source: tracing_subscriber::filter::ParseError,
}

/// Has everything logged to standard error in this form.
pub fn start(format: LogFormat, filter: &str) -> Result<(), FilterError> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| FilterError { filter: filter.to_owned(), source })?;
    let logs = fmt().with_env_filter(parsed).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Human => logs.init(),
    }
    Ok(())
}
