//! The parameters of a PostgreSQL: `postgresql`.

use super::{Credential, Encryption, Place, Question, QueueAsk, QueueServer, Reader};
use crate::domain::limits;
use crate::policy::queue::reach::Reach;
use crate::policy::wire::queue::{PostgresqlSignal, SslMode};

const PORT: u16 = 5432;

/// A query, and where it is asked.
pub(super) fn query(wire: &PostgresqlSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let query = reader.text("query", &wire.query);
    if wire.query.len() > limits::QUERY_BYTES_MAX {
        let problem = format!("longer than {} bytes", limits::QUERY_BYTES_MAX);
        reader.fault("query", problem, "make a view of it");
    }
    let timeout = reader.timeout(wire.timeout.as_deref());
    let credentials = reader.credentials(&[
        (Credential::Connection, "connectionFrom", wire.connection_from.as_ref()),
        (Credential::Password, "passwordFrom", wire.password_from.as_ref()),
        (Credential::Ca, "caFrom", wire.ca_from.as_ref()),
    ]);
    let place = place(wire, reader);
    let (place, credentials) = (place?, credentials?);
    let server = QueueServer { place, credentials, timeout: timeout?, reach: Reach::Anywhere };
    Some(QueueAsk { server, question: Question::Postgresql { query: query? } })
}

fn place(wire: &PostgresqlSignal, reader: &mut Reader<'_>) -> Option<Place> {
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    if wire.connection_from.is_none() {
        if wire.host.is_none() {
            let hint = "write `host` and the others, or `connectionFrom`";
            reader.fault("host", "expected either `host` or `connectionFrom`", hint);
            return None;
        }
        let address = reader.address(None, (wire.host.as_deref(), wire.port), PORT)?;
        let encryption = match wire.sslmode {
            Some(SslMode::Disable) => Encryption::None,
            Some(SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) | None => {
                Encryption::Tls
            }
        };
        let (user, database) = (text(&wire.user_name), text(&wire.db_name));
        return Some(Place::Postgresql { address, user, database, encryption });
    }
    let others = [
        ("host", wire.host.is_some()),
        ("port", wire.port.is_some()),
        ("userName", wire.user_name.is_some()),
        ("dbName", wire.db_name.is_some()),
        ("sslmode", wire.sslmode.is_some()),
        ("passwordFrom", wire.password_from.is_some()),
    ];
    if let Some((key, _)) = others.iter().find(|(_, is_given)| *is_given) {
        reader.fault(key, "is part of `connectionFrom` already", "leave it out");
        return None;
    }
    Some(Place::SecretPostgresql)
}
