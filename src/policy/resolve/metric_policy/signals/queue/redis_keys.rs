//! The parameters of a Redis: `redis` and `redisStreams`.

use super::{Credential, Encryption, Place, Question, QueueAsk, QueueServer, Reader};
use crate::policy::queue::StreamCount;
use crate::policy::queue::reach::Reach;
use crate::policy::wire::queue::{CredentialSource, RedisSignal, RedisStreamsSignal};

const PORT: u16 = 6379;

/// The length of a key.
pub(super) fn list(wire: &RedisSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let server = server(
        Written {
            address: wire.address.as_deref(),
            host: (wire.host.as_deref(), wire.port),
            database: wire.database_index,
            enable_tls: wire.enable_tls,
            ca: wire.ca_from.as_ref(),
            username: (wire.username.as_deref(), wire.username_from.as_ref()),
            password: wire.password_from.as_ref(),
            timeout: wire.timeout.as_deref(),
        },
        reader,
    );
    let key = reader.text("listName", &wire.list_name);
    Some(QueueAsk { server: server?, question: Question::RedisLength { key: key? } })
}

/// Something about a stream: as KEDA chooses, its length without a consumer group, and the group's
/// pending entries with one, unless `lagCount` is given.
pub(super) fn stream(wire: &RedisStreamsSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let server = server(
        Written {
            address: wire.address.as_deref(),
            host: (wire.host.as_deref(), wire.port),
            database: wire.database_index,
            enable_tls: wire.enable_tls,
            ca: wire.ca_from.as_ref(),
            username: (wire.username.as_deref(), wire.username_from.as_ref()),
            password: wire.password_from.as_ref(),
            timeout: wire.timeout.as_deref(),
        },
        reader,
    );
    let stream = reader.text("stream", &wire.stream);
    let given = [
        ("pendingEntriesCount", wire.pending_entries_count.is_some()),
        ("streamLength", wire.stream_length.is_some()),
        ("lagCount", wire.lag_count.is_some()),
    ];
    let given: Vec<&str> = given.iter().filter(|(_, is)| *is).map(|(key, _)| *key).collect();
    let group = wire.consumer_group.as_deref().filter(|it| !it.is_empty());
    let count = match (given.as_slice(), group) {
        ([], None) | (["streamLength"], _) => StreamCount::Length,
        ([] | ["pendingEntriesCount"], Some(group)) => StreamCount::Pending(group.into()),
        (["lagCount"], Some(group)) => StreamCount::Lag(group.into()),
        ([only, ..], None) => {
            let problem = format!("`{only}` needs a `consumerGroup`");
            reader.fault("consumerGroup", problem, "name the group that reads the stream");
            return None;
        }
        ([.., last], Some(_)) => {
            let problem = "expected one of `pendingEntriesCount`, `streamLength` and `lagCount`";
            reader.fault(last, problem, "a second count needs a second signal");
            return None;
        }
    };
    let question = Question::RedisStream { stream: stream?, count };
    Some(QueueAsk { server: server?, question })
}

/// What both have.
struct Written<'w> {
    address: Option<&'w str>,
    host: (Option<&'w str>, Option<u32>),
    database: Option<u32>,
    enable_tls: Option<bool>,
    ca: Option<&'w CredentialSource>,
    username: (Option<&'w str>, Option<&'w CredentialSource>),
    password: Option<&'w CredentialSource>,
    timeout: Option<&'w str>,
}

fn server(written: Written<'_>, reader: &mut Reader<'_>) -> Option<QueueServer> {
    let address = reader.address(written.address, written.host, PORT);
    let timeout = reader.timeout(written.timeout);
    let (username, username_from) = written.username;
    if username.is_some() && username_from.is_some() {
        reader.fault("usernameFrom", "there is a `username` too", "leave one of them out");
    }
    let credentials = reader.credentials(&[
        (Credential::Username, "usernameFrom", username_from),
        (Credential::Password, "passwordFrom", written.password),
        (Credential::Ca, "caFrom", written.ca),
    ])?;
    let is_encrypted = written.enable_tls.unwrap_or_default();
    if written.ca.is_some() && !is_encrypted {
        reader.fault("caFrom", "is of no use without TLS", "write `enableTLS: true`");
    }
    let place = Place::Redis {
        address: address?,
        database: written.database.unwrap_or_default(),
        username: username.map(Into::into),
        encryption: if is_encrypted { Encryption::Tls } else { Encryption::None },
    };
    Some(QueueServer { place, credentials, timeout: timeout?, reach: Reach::Anywhere })
}
