//! Prints an error with all its causes on one line.

use std::error::Error;
use std::fmt;

/// Shows `error: cause: cause of the cause`. Every log line and every message to a user goes
/// through here, so that each error type names its own layer only.
#[derive(Debug)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read the page")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn each_layer_is_named_once() {
        let error = Outer(std::io::Error::other("connection refused"));
        assert_eq!(ErrorChain(&error).to_string(), "failed to read the page: connection refused");
    }
}
