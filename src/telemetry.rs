//! The log: readable lines or JSON on standard error, with dotted fields and without secrets.
//!
//! Secrets cannot reach it by accident: their types do not print (T-74), queries and bodies are never logged,
//! and other people's crates may only warn, whatever level is configured: one of them could otherwise
//! write a header or a mail down.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For machines: one JSON object in a line.
    Json,
}

/// A word that is no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"text\" or \"json\"")]
pub struct NotAFormat;

impl FromStr for Format {
    type Err = NotAFormat;
    fn from_str(text: &str) -> Result<Self, NotAFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NotAFormat),
        }
    }
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(tracing::Level);

/// A word that is no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"")]
pub struct NotALevel;

impl FromStr for Level {
    type Err = NotALevel;
    fn from_str(text: &str) -> Result<Self, NotALevel> {
        // The library would also take numbers and capitals; one way of writing is enough.
        let known = ["error", "warn", "info", "debug", "trace"].contains(&text);
        text.parse().ok().filter(|_| known).map(Self).ok_or(NotALevel)
    }
}

/// Settings of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// How lines look.
    pub format: Format,
    /// How much is written.
    pub level: Level,
}

/// Starts the log. A second call does nothing: tests in one process share it.
pub fn start(settings: TelemetrySettings) {
    let level = settings.level.0.to_string().to_ascii_lowercase();
    let others = if settings.level.0 == tracing::Level::ERROR { "error" } else { "warn" };
    // A request that is no HTTP is an error to that crate; it is a stranger's, and would fill the log.
    let filter = EnvFilter::new(format!("{others},actix_http=off,vestibule={level}"));
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_span_events(FmtSpan::NONE);
    let started = match settings.format {
        Format::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    drop(started);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_configuration_are_exact() {
        assert_eq!("json".parse(), Ok(Format::Json));
        assert_eq!("JSON".parse::<Format>(), Err(NotAFormat));
        assert!("info".parse::<Level>().is_ok());
        assert!("INFO".parse::<Level>().is_err() && "3".parse::<Level>().is_err());
    }
}
