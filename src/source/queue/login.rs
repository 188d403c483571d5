//! The credentials of one read, and errors without them.

use crate::domain::ports::Secrets;
use crate::domain::secret::Secret;
use crate::policy::queue::{Credential, Credentials};
use crate::source::ReadError;
use std::collections::BTreeMap;

/// What stands in the place of a credential.
const HIDDEN: &str = "(hidden)";

/// The credentials with which a server is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login(BTreeMap<Credential, Secret>);

impl Login {
    /// Looks up all of them.
    pub(super) async fn read(
        credentials: &Credentials,
        secrets: &dyn Secrets,
    ) -> Result<Self, ReadError> {
        let mut login = Self::default();
        for (credential, reference) in credentials {
            let secret = secrets.get(reference).await.map_err(|unknown| {
                ReadError::NoCredentials(format!("the {credential} cannot be read: {unknown}"))
            })?;
            login.0.insert(*credential, secret);
        }
        Ok(login)
    }

    pub(super) fn get(&self, credential: Credential) -> Option<&str> {
        self.0.get(&credential).map(Secret::reveal)
    }

    /// The error without what must not be seen, should a server or a client repeat it.
    pub(super) fn redacted(&self, error: ReadError) -> ReadError {
        match error {
            ReadError::Unreachable(text) => ReadError::Unreachable(self.hidden(text)),
            ReadError::Refused { status, message } => {
                ReadError::Refused { status, message: self.hidden(message) }
            }
            ReadError::Denied(text) => ReadError::Denied(self.hidden(text)),
            ReadError::NotUnderstood(text) => ReadError::NotUnderstood(self.hidden(text)),
            ReadError::Empty(text) => ReadError::Empty(self.hidden(text)),
            ReadError::NoCredentials(text) => ReadError::NoCredentials(self.hidden(text)),
            ReadError::TimedOut(_) | ReadError::TooLarge(..) | ReadError::WrongKind => error,
        }
    }

    fn hidden(&self, text: String) -> String {
        let secrets = self.0.iter().filter(|(credential, _)| **credential != Credential::Ca);
        let secrets = secrets.map(|(_, secret)| secret.reveal()).filter(|it| !it.is_empty());
        secrets.fold(text, |text, secret| text.replace(secret, HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_repeats_a_credential_is_shown_without_it() {
        let login = Login(BTreeMap::from([(Credential::Password, Secret::new("s3cret"))]));
        let said = "WRONGPASS: s3cret is not it".to_owned();
        let hidden = "WRONGPASS: (hidden) is not it".to_owned();
        for (error, expected) in [
            (ReadError::Denied(said.clone()), ReadError::Denied(hidden.clone())),
            (ReadError::Unreachable(said.clone()), ReadError::Unreachable(hidden.clone())),
            (
                ReadError::Refused { status: 401, message: said },
                ReadError::Refused { status: 401, message: hidden },
            ),
        ] {
            assert_eq!(login.redacted(error), expected);
        }
    }
}
