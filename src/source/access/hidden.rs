//! What must not be seen in anything that is told about a request, should a server repeat it.

use crate::domain::secret::Secret;
use crate::source::ReadError;

/// What stands in the place of a secret.
const SHOWN: &str = "(hidden)";
/// Shorter texts are in many words; what they are is not hidden by hiding them.
const CHARS_MIN: usize = 4;

/// The secrets of one request.
#[derive(Debug, Default)]
pub(in crate::source) struct Hidden(Vec<Secret>);

impl Hidden {
    pub(in crate::source) fn add(&mut self, secret: &str) {
        if secret.chars().count() >= CHARS_MIN {
            self.0.push(Secret::new(secret));
        }
    }

    /// The error without them.
    pub(in crate::source) fn redacted(&self, error: ReadError) -> ReadError {
        error.reworded(&|text| self.without(text))
    }

    /// The text without them.
    pub(in crate::source) fn without(&self, text: String) -> String {
        let mut secrets: Vec<&str> = self.0.iter().map(Secret::reveal).collect();
        // The longest first: a short one may be a part of it.
        secrets.sort_by_key(|it| std::cmp::Reverse(it.len()));
        secrets.iter().fold(text, |text, secret| text.replace(secret, SHOWN))
    }
}
