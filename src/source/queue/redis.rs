//! Redis: lists, sets, sorted sets, hashes and streams.

use super::{Failed, Login, Protocol, dial};
use crate::policy::queue::{Credential, Encryption, Place, Question, QueueServer, StreamCount};
use crate::source::ReadError;
use crate::source::http::innermost;
use jiff::Timestamp;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates, Value,
};

/// How a Redis is spoken to.
#[derive(Debug)]
pub(super) struct Redis;

impl Protocol for Redis {
    type Connection = MultiplexedConnection;

    async fn connect(
        &self,
        server: &QueueServer,
        login: &Login,
    ) -> Result<MultiplexedConnection, Failed> {
        let Place::Redis { address, database, username, encryption } = &server.place else {
            return Err(Failed::wrong_kind());
        };
        // With TLS the name has to stay, for the certificate.
        let address = match (encryption, dial::address(&server.reach, address).await?) {
            (Encryption::None, found) => found,
            (Encryption::Tls, _) => address.clone(),
        };
        let (host, port) = (address.host.to_string(), address.port);
        // What the library would tell the server about itself needs a right of its own there.
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        settings = settings.set_db(i64::from(*database));
        if let Some(username) = login.get(Credential::Username).or(username.as_deref()) {
            settings = settings.set_username(username);
        }
        if let Some(password) = login.get(Credential::Password) {
            settings = settings.set_password(password);
        }
        let client = match encryption {
            Encryption::None => ConnectionAddr::Tcp(host, port)
                .into_connection_info()
                .map(|it| it.set_redis_settings(settings))
                .and_then(redis::Client::open),
            Encryption::Tls => {
                let root_cert = login.get(Credential::Ca).map(|it| it.as_bytes().to_vec());
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
                    .into_connection_info()
                    .map(|it| it.set_redis_settings(settings))
                    .and_then(|it| {
                        let certificates = TlsCertificates { client_tls: None, root_cert };
                        redis::Client::build_with_tls(it, certificates)
                    })
            }
        };
        // The deadline is that of the read as a whole.
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(None).set_response_timeout(None);
        let client = client.map_err(failed)?;
        client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)
    }

    async fn ask(
        &self,
        connection: &MultiplexedConnection,
        question: &Question,
        _: Timestamp,
    ) -> Result<f64, Failed> {
        let mut connection = connection.clone();
        let count = match question {
            Question::RedisLength { key } => length(key, &mut connection).await?,
            Question::RedisStream { stream, count } => match count {
                StreamCount::Length => stream_length(stream, &mut connection).await?,
                StreamCount::Pending(group) => pending(stream, group, &mut connection).await?,
                StreamCount::Lag(group) => lag(stream, group, &mut connection).await?,
            },
            _ => return Err(Failed::wrong_kind()),
        };
        #[expect(clippy::cast_precision_loss, reason = "no Redis holds 2^53 elements")]
        let count = count as f64;
        Ok(count)
    }
}

async fn length(key: &str, connection: &mut MultiplexedConnection) -> Result<u64, Failed> {
    let kind: String = query(Cmd::new().arg("TYPE").arg(key), connection).await?;
    let command = match kind.as_str() {
        // What was emptied is gone.
        "none" => return Ok(0),
        "list" => "LLEN",
        "set" => "SCARD",
        "zset" => "ZCARD",
        "hash" => "HLEN",
        other => {
            let problem = format!("`{key}` is a {other}, not a list, set, sorted set or hash");
            return Err(Failed::not_understood(problem));
        }
    };
    query(Cmd::new().arg(command).arg(key), connection).await
}

async fn stream_length(
    stream: &str,
    connection: &mut MultiplexedConnection,
) -> Result<u64, Failed> {
    query(Cmd::new().arg("XLEN").arg(stream), connection).await
}

/// How many entries are pending: the first element of the summary.
async fn pending(
    stream: &str,
    group: &str,
    connection: &mut MultiplexedConnection,
) -> Result<u64, Failed> {
    let summary: Vec<Value> =
        query(Cmd::new().arg("XPENDING").arg(stream).arg(group), connection).await?;
    let count = summary.first().and_then(|it| u64::from_redis_value_ref(it).ok());
    count.ok_or_else(|| Failed::not_understood("XPENDING did not begin with a number"))
}

/// How many entries the group was not given yet. Redis does not know it after entries in the
/// middle were deleted; then neither do we.
async fn lag(
    stream: &str,
    group: &str,
    connection: &mut MultiplexedConnection,
) -> Result<u64, Failed> {
    let exists: bool = query(Cmd::new().arg("EXISTS").arg(stream), connection).await?;
    if !exists {
        return Ok(0);
    }
    let groups: Vec<Vec<Value>> =
        query(Cmd::new().arg("XINFO").arg("GROUPS").arg(stream), connection).await?;
    let Some(ours) = groups.iter().find(|it| field(it, "name") == Some(group.to_owned())) else {
        return stream_length(stream, connection).await;
    };
    match field::<Option<u64>>(ours, "lag") {
        Some(Some(lag)) => Ok(lag),
        Some(None) => {
            let problem = format!("Redis cannot tell the lag of `{group}`: entries were deleted");
            Err(Failed::Answer(ReadError::Empty(problem)))
        }
        None => Err(Failed::not_understood("XINFO GROUPS has no `lag`: it needs Redis 7")),
    }
}

/// A field of what Redis writes as names and values in turn.
fn field<T: FromRedisValue>(fields: &[Value], name: &str) -> Option<T> {
    let mut pairs = fields.chunks_exact(2);
    let is_named = |it: &Value| String::from_redis_value_ref(it).is_ok_and(|it| it == name);
    pairs.find_map(|pair| match pair {
        [key, value] if is_named(key) => T::from_redis_value_ref(value).ok(),
        _ => None,
    })
}

async fn query<T: FromRedisValue>(
    command: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<T, Failed> {
    command.query_async(connection).await.map_err(failed)
}

fn failed(error: RedisError) -> Failed {
    let answer = || {
        let code = error.code().unwrap_or_default();
        let detail = error.detail().unwrap_or_else(|| error.category());
        ReadError::Denied(format!("{code} {detail}").trim().to_owned())
    };
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) => {
            // The library keeps what the server said to itself.
            let said = "the user name or the password is wrong";
            Failed::Credentials(ReadError::Denied(said.to_owned()))
        }
        (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => Failed::Credentials(answer()),
        // It is busy with its start, or it is not the one that it was.
        (_, Some("LOADING" | "MASTERDOWN")) => Failed::Connection(answer()),
        (ErrorKind::Server(_) | ErrorKind::Extension, _) => Failed::Answer(answer()),
        (ErrorKind::UnexpectedReturnType, _) => Failed::Answer(ReadError::NotUnderstood(
            "Redis answered with something of another type".to_owned(),
        )),
        (ErrorKind::Parse, _) => Failed::Connection(ReadError::NotUnderstood(
            "it does not speak as a Redis does".to_owned(),
        )),
        _ if error.is_connection_refusal() => {
            Failed::Connection(ReadError::Unreachable("connection refused".to_owned()))
        }
        _ if error.is_connection_dropped() => {
            Failed::Connection(ReadError::Unreachable("the connection was closed".to_owned()))
        }
        _ => Failed::Connection(ReadError::Unreachable(innermost(&error))),
    }
}
