//! Queues, settled: which server is asked, with which credentials, and what.
//!
//! Parameters and results are those of KEDA's scalers of the same names, so that whoever comes
//! from there sees the same numbers. Thresholds are the HPA's.

use crate::domain::secret::SecretRef;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a queue's signal asks, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAsk {
    /// Who is asked. All who ask the same server share its connection.
    pub server: QueueServer,
    /// What is asked.
    pub question: Question,
}

/// A server that has queues, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueServer {
    /// Where and what it is.
    pub place: Place,
    /// Where the credentials are kept; part of what makes two servers the same, so that a
    /// connection is never used by a policy which may not read its credentials.
    pub credentials: Credentials,
    /// How long one read may take.
    pub timeout: Duration,
}

/// Where each credential is kept.
pub type Credentials = BTreeMap<Credential, SecretRef>;

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    /// A user's name.
    Username,
    /// A user's password.
    Password,
    /// The certificates of the authorities that are trusted, as PEM.
    Ca,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Password => "password",
            Self::Ca => "ca",
        })
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name, or an address without brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Whether and how a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encryption {
    /// It is not.
    None,
    /// With TLS, and the server's certificate is checked.
    Tls,
}

/// Where and what a server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A Redis, or what speaks like one.
    Redis {
        /// Where.
        address: Address,
        /// Which of its databases.
        database: u32,
        /// As whom, where that is no secret.
        username: Option<Box<str>>,
        /// TLS or not.
        encryption: Encryption,
    },
}

impl fmt::Display for Place {
    /// As the name of a source: the kind and the place, without anything secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis { address, database: 0, .. } => write!(f, "redis://{address}"),
            Self::Redis { address, database, .. } => write!(f, "redis://{address}/{database}"),
        }
    }
}

/// What a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How many elements a list, set, sorted set or hash of a Redis has; 0 without that key.
    RedisLength {
        /// The key.
        key: Box<str>,
    },
    /// Something about a stream of a Redis.
    RedisStream {
        /// The key of the stream.
        stream: Box<str>,
        /// What is counted.
        count: StreamCount,
    },
}

/// What is counted of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamCount {
    /// Its entries.
    Length,
    /// The entries that were delivered to this consumer group and not acknowledged.
    Pending(Box<str>),
    /// The entries that were not delivered to this consumer group yet (Redis 7); those of the
    /// stream when there is no such group, and 0 when there is no stream.
    Lag(Box<str>),
}
