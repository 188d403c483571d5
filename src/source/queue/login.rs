//! The credentials of one read, and errors without them.

use crate::domain::ports::Secrets;
use crate::domain::secret::Secret;
use crate::policy::queue::{Credential, Credentials};
use crate::source::ReadError;
use percent_encoding::percent_decode_str;
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
        error.reworded(&|text| self.hidden(text))
    }

    fn hidden(&self, text: String) -> String {
        let secrets = self.0.iter().flat_map(|(credential, secret)| match credential {
            // These are nobody's secret, and words as short as `a` may be in them.
            Credential::Ca | Credential::Certificate | Credential::Scopes => Vec::new(),
            Credential::Host | Credential::Connection => parts(secret.reveal()),
            Credential::Key => secret.reveal().lines().map(str::to_owned).collect(),
            Credential::Extensions => values(secret.reveal()),
            _ => vec![secret.reveal().to_owned()],
        });
        let mut secrets: Vec<String> = secrets.filter(|it| !it.is_empty()).collect();
        // The longest first: a short one may be a part of it.
        secrets.sort_by_key(|it| std::cmp::Reverse(it.len()));
        secrets.iter().fold(text, |text, secret| text.replace(secret, HIDDEN))
    }
}

/// Of `key=value,key=value` the values; those of a few characters are in many words.
fn values(text: &str) -> Vec<String> {
    let values = text.split(',').filter_map(|it| it.split_once('='));
    values.map(|(_, it)| it.trim().to_owned()).filter(|it| it.len() > 3).collect()
}

/// Words of URLs and connection strings that are nobody's secret.
const WORDS: [&str; 17] = [
    "amqp",
    "amqps",
    "http",
    "https",
    "postgres",
    "postgresql",
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "disable",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// A URL or a connection string as a whole and in its parts, of which one is the password; parts
/// of one or two characters are no secrets, and would be hidden everywhere.
fn parts(text: &str) -> Vec<String> {
    let is_between = |c: char| "/:@?&=,'\"".contains(c) || c.is_whitespace();
    let user = text.split_once("://").map_or(text, |(_, rest)| rest);
    let user = user.rsplit_once('@').map_or("", |(user, _)| user);
    let password = user.split_once(':').map_or("", |(_, password)| password);
    let decoded = |it: &str| percent_decode_str(it).decode_utf8_lossy().into_owned();
    let pieces = text.split(is_between).filter(|it| !WORDS.contains(it));
    // Of `password=…` all that follows, whatever it is made of.
    let values = text.split_whitespace().filter_map(|it| it.split_once('=')).map(|(_, it)| it);
    let pieces =
        pieces.chain(values).map(|it| it.to_owned()).chain([decoded(user), decoded(password)]);
    let pieces = pieces.flat_map(|it| [decoded(&it), it]).filter(|it| it.len() > 2);
    std::iter::once(text.to_owned()).chain(pieces).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_or_a_connection_string_each_part_is_hidden() {
        for (credential, secret) in [
            (Credential::Host, "amqp://me:s3cr%40et@mq:5672/jobs"),
            (Credential::Connection, "host=db user=me password=s3cr@et dbname=jobs"),
            (Credential::Connection, "postgresql://me:s3cr@et@db/jobs"),
        ] {
            let login = Login(BTreeMap::from([(credential, Secret::new(secret))]));
            let said = format!("password s3cr@et of {secret} is wrong");
            let ReadError::Denied(hidden) = login.redacted(ReadError::Denied(said)) else {
                panic!()
            };
            assert_eq!(hidden, "password (hidden) of (hidden) is wrong", "{secret}");
        }
    }

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
