//! Queues, settled: which server is asked, with which credentials, and what.
//!
//! Parameters and results are those of KEDA's scalers of the same names, so that whoever comes
//! from there sees the same numbers. Thresholds are the HPA's.

pub mod kafka;
pub mod lending;
pub mod rabbitmq;
pub mod reach;
pub mod token;
pub mod value_path;

use crate::domain::secret::SecretRef;
use crate::policy::promql::SeriesSelector;
use crate::policy::queue::kafka::{KafkaPlace, KafkaQuestion};
use crate::policy::queue::rabbitmq::{RabbitHost, RabbitQuestion};
use crate::policy::queue::reach::Reach;
use crate::policy::queue::value_path::ValuePath;
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
    /// Where it may be; for what a server or a credential says as well as for its place.
    pub reach: Reach,
}

impl QueueServer {
    /// The hosts that are written down, as names or addresses.
    #[must_use]
    pub fn hosts(&self) -> Vec<&str> {
        match &self.place {
            Place::Redis { address, .. } | Place::Postgresql { address, .. } => vec![&address.host],
            Place::Rabbitmq { host: Some(it), .. } => vec![without_port(&it.authority)],
            Place::SecretPostgresql | Place::Rabbitmq { host: None, .. } => Vec::new(),
            Place::Kafka(KafkaPlace { servers, tokens, .. }) => {
                let tokens = tokens.as_ref().and_then(|it| it.endpoint.as_deref());
                servers.iter().map(|it| &*it.host).chain(tokens.map(host_of)).collect()
            }
            Place::Sqs { endpoint: url, .. } | Place::Nats { url } | Place::Web { url, .. } => {
                vec![host_of(url)]
            }
        }
    }
}

/// The host of a URL.
fn host_of(url: &str) -> &str {
    let origin = origin(url);
    without_port(origin.split_once("://").map_or(origin, |(_, rest)| rest))
}

/// The host of `host:port` or `[address]:port`.
fn without_port(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
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
    /// The client's own certificate, as PEM.
    Certificate,
    /// The key of that certificate, as PEM.
    Key,
    /// A URL with a user's name and password.
    Host,
    /// A database's host, user and password in one text.
    Connection,
    /// An API key.
    ApiKey,
    /// A bearer token.
    Token,
    /// Where tokens are given for a client's secret.
    TokenEndpoint,
    /// What such tokens are for.
    Scopes,
    /// What is shown with such a token.
    Extensions,
    /// The id of an access key of AWS.
    AccessKeyId,
    /// An access key of AWS.
    SecretAccessKey,
    /// The token of a temporary access key of AWS.
    SessionToken,
    /// A role of AWS.
    Role,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Password => "password",
            Self::Ca => "ca",
            Self::Certificate => "cert",
            Self::Key => "key",
            Self::Host => "host",
            Self::Connection => "connection",
            Self::ApiKey => "apiKey",
            Self::Token => "token",
            Self::TokenEndpoint => "oauthTokenEndpointUri",
            Self::Scopes => "scopes",
            Self::Extensions => "oauthExtensions",
            Self::AccessKeyId => "awsAccessKeyID",
            Self::SecretAccessKey => "awsSecretAccessKey",
            Self::SessionToken => "awsSessionToken",
            Self::Role => "awsRoleArn",
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
    /// A PostgreSQL whose place is written down.
    Postgresql {
        /// Where.
        address: Address,
        /// As whom.
        user: Option<Box<str>>,
        /// Which database; the user's name when left out.
        database: Option<Box<str>>,
        /// TLS or not.
        encryption: Encryption,
    },
    /// A PostgreSQL whose place is in `Credential::Connection`.
    SecretPostgresql,
    /// A RabbitMQ.
    Rabbitmq {
        /// Where; in `Credential::Host` when left out.
        host: Option<RabbitHost>,
        /// The virtual host, in the place of that of the host.
        vhost: Option<Box<str>>,
        /// As whom, where that is no secret.
        username: Option<Box<str>>,
        /// Whether its certificate is taken unseen.
        is_unsafe: bool,
    },
    /// A Kafka.
    Kafka(KafkaPlace),
    /// AWS SQS.
    Sqs {
        /// `https://sqs.eu-central-1.amazonaws.com`.
        endpoint: Box<str>,
        /// The region for which requests are signed.
        region: Box<str>,
        /// As whom requests are signed.
        signer: SqsSigner,
    },
    /// The monitoring port of a NATS server.
    Nats {
        /// `http://host:8222`.
        url: Box<str>,
    },
    /// A document.
    Web {
        /// Its URL.
        url: Box<str>,
        /// How to show who asks.
        auth: Auth,
        /// Whether the server's certificate is taken unseen.
        is_unsafe: bool,
    },
}

/// As whom requests to AWS are signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SqsSigner {
    /// The owner of the access key that is among the credentials.
    AccessKey,
    /// Foresail itself, or the role that it assumes for that.
    Foresail {
        /// The role's ARN, where that is no secret; `Credential::Role` goes before it.
        role: Option<Box<str>>,
    },
}

/// How to show who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Auth {
    /// Not at all.
    None,
    /// With an API key in a header of this name.
    KeyInHeader(Box<str>),
    /// With an API key in a parameter of this name.
    KeyInQuery(Box<str>),
    /// With a user's name, which is a credential when left out here, and a password.
    Basic(Option<Box<str>>),
    /// With a token.
    Bearer,
}

impl fmt::Display for QueueServer {
    /// As the name of a source: the kind and the place, without anything secret. Where the place is
    /// a secret too, it is named by the reference.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = |f: &mut fmt::Formatter<'_>, kind, credential| match self
            .credentials
            .get(&credential)
        {
            Some(SecretRef::Key { namespace, secret, key }) => {
                write!(f, "{kind}:{namespace}/{secret}/{key}")
            }
            Some(SecretRef::File(path)) => write!(f, "{kind}:{}", path.display()),
            None => f.write_str(kind),
        };
        match &self.place {
            Place::Redis { address, database: 0, .. } => write!(f, "redis://{address}"),
            Place::Redis { address, database, .. } => write!(f, "redis://{address}/{database}"),
            Place::Postgresql { address, database, .. } => {
                let database = database.as_deref().unwrap_or_default();
                write!(f, "postgresql://{address}/{database}")
            }
            Place::SecretPostgresql => reference(f, "postgresql", Credential::Connection),
            Place::Rabbitmq { host: Some(RabbitHost { scheme, authority, .. }), .. } => {
                write!(f, "{scheme}://{authority}")
            }
            Place::Rabbitmq { host: None, .. } => reference(f, "rabbitmq", Credential::Host),
            Place::Kafka(KafkaPlace { servers, .. }) => {
                let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
                write!(f, "kafka://{}", servers.join("/"))
            }
            Place::Sqs { endpoint, .. } => f.write_str(origin(endpoint)),
            Place::Nats { url } => f.write_str(url),
            // A path may hold what is nobody's business.
            Place::Web { url, .. } => f.write_str(origin(url)),
        }
    }
}

/// Scheme and host of a URL.
pub(in crate::policy) fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    path.and_then(|at| url.get(..host + at)).unwrap_or(url)
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
    /// The number that a query answers.
    Postgresql {
        /// The query.
        query: Box<str>,
    },
    /// About a queue of a RabbitMQ.
    Rabbitmq(RabbitQuestion),
    /// What a consumer of a JetStream has before it.
    NatsJetstream {
        /// The account's name.
        account: Box<str>,
        /// How the server is asked for it.
        account_id: Box<str>,
        /// The stream.
        stream: Box<str>,
        /// The consumer.
        consumer: Box<str>,
    },
    /// The lag of a consumer group of a Kafka.
    Kafka(KafkaQuestion),
    /// The messages in a queue of SQS.
    Sqs {
        /// The queue's URL.
        queue: Box<str>,
        /// Whether those count that somebody is working on.
        with_in_flight: bool,
        /// Whether those count that nobody may see yet.
        with_delayed: bool,
    },
    /// A number in a document.
    Document(ValueLocation),
}

/// Where a number stands in a document, and what kind of document that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLocation {
    /// In JSON.
    Json(ValuePath),
    /// In YAML.
    Yaml(ValuePath),
    /// In exposition format: the first series that this selects.
    Exposition(SeriesSelector),
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
