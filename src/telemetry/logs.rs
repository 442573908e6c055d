//! Logs: for people on a terminal, as JSON lines for machines.

use std::io::{self, Stderr, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::api::text::visible;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Lines for people.
    Human,
}

impl LogFormat {
    /// The format to use: the one asked for, else the one for where the log goes.
    #[must_use]
    pub fn choose(asked: Option<Self>, terminal: bool) -> Self {
        asked.unwrap_or(if terminal { Self::Human } else { Self::Json })
    }
}

/// The log filter cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the log filter '{filter}': {source}")]
pub struct FilterError {
    /// The invalid filter.
    pub filter: String,
    /// Why it cannot be read.
    pub source: tracing_subscriber::filter::ParseError,
}

/// Has everything logged to standard error in this form.
pub fn start(format: LogFormat, filter: &str) -> Result<(), FilterError> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| FilterError { filter: filter.to_owned(), source })?;
    let logs = fmt().with_env_filter(parsed).with_writer(|| Lines(io::stderr())).with_target(false).with_ansi(false);
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Human => logs.init(),
    }
    Ok(())
}

/// Writes each event as one line that shows all that is in it: logs quote what users
/// and containers said. An event is handed over in one piece.
struct Lines<W = Stderr>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = visible(text.strip_suffix('\n').unwrap_or(&text));
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let mut written = Vec::new();
        for event in ["WARN a\nERROR forged \u{1b}[2J\u{202e}\n", "{\"message\":\"a\\n\u{202e}\"}\n"] {
            Lines(&mut written).write_all(event.as_bytes()).unwrap();
        }
        let written = String::from_utf8(written).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines, ["WARN a\\nERROR forged \\u001b[2J\\u202e", "{\"message\":\"a\\n\\u202e\"}"]);
        let read: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(read["message"], "a\n\u{202e}", "a line of JSON stays one");
    }

    #[test]
    fn the_log_is_for_people_on_a_terminal() {
        assert_eq!(LogFormat::choose(None, true), LogFormat::Human);
        assert_eq!(LogFormat::choose(None, false), LogFormat::Json);
        assert_eq!(LogFormat::choose(Some(LogFormat::Json), true), LogFormat::Json);
    }
}
