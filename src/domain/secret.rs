//! What must never be seen: credentials, and where they are kept.

use crate::domain::name::{Namespace, ObjectName};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A credential. It can be used, and neither shown nor written: it has no `Display`, and `Debug`
/// hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Hides `text`, without the line break that ends a file which people edit.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim_end_matches(['\r', '\n']).into())
    }

    /// The credential itself, for whoever sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Where a credential is kept. This may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// In a Secret of the cluster.
    Key {
        /// The Secret's namespace: that of the policy which refers to it.
        namespace: Namespace,
        /// The Secret's name.
        secret: ObjectName,
        /// The key of its data.
        key: Arc<str>,
    },
    /// In a file beside the adapter.
    File(Arc<Path>),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { namespace, secret, key } => {
                write!(f, "key `{key}` of Secret {namespace}/{secret}")
            }
            Self::File(path) => write!(f, "file `{}`", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_in_no_debug_text_and_loses_only_the_last_line_break() {
        let secret = Secret::new("pass word\n");
        assert_eq!(secret.reveal(), "pass word");
        for text in [format!("{secret:?}"), format!("{:#?}", Some(&secret))] {
            assert!(!text.contains("pass"), "{text}");
        }
    }
}
