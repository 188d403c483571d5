//! Where log lines go and how they look.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error("failed to understand the log filter `{filter}` (RUST_LOG): {problem}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it; the parser's own error says it twice.
        problem: String,
    },
    /// Somebody began before.
    #[error("logging was begun twice")]
    Twice,
}

/// Sends the log lines that `filter` (RUST_LOG's syntax) wants to stderr.
///
/// # Errors
/// `LogError` when the filter is not understood or logging has begun already.
pub fn begin(format: Format, filter: &str) -> Result<(), LogError> {
    let parsed = EnvFilter::builder().parse(filter);
    let parsed = parsed.map_err(|error| LogError::Filter {
        filter: filter.to_owned(),
        problem: error.to_string(),
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        // It would print that nobody reads stderr any more to stderr, and panic.
        .log_internal_errors(false)
        .with_span_events(FmtSpan::NONE)
        .with_target(false);
    let begun = match format {
        Format::Text => builder.with_ansi(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    begun.map_err(|_| LogError::Twice)
}
