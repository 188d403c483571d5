//! From the written shape of a queue's signal to its server and its question.

mod documents;
mod jetstream;
mod kafka;
mod rabbitmq;
mod redis_keys;
mod sql;
mod sqs;

use super::About;
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::limits;
use crate::domain::name::{Namespace, ObjectName, SourceName};
use crate::domain::secret::SecretRef;
use crate::policy::Ask;
use crate::policy::queue::{
    Address, Credential, Credentials, Encryption, Place, Question, QueueAsk, QueueServer,
};
use crate::policy::resolve::Faults;
use crate::policy::wire::queue::{CredentialSource, SecretKeyRef};
use crate::policy::wire::{self, MetricType};
use std::sync::Arc;
use std::time::Duration;

/// The kinds of queue, as they are written.
pub(super) const KINDS: [&str; 8] = [
    "redis",
    "redisStreams",
    "postgresql",
    "rabbitmq",
    "natsJetstream",
    "kafka",
    "awsSqsQueue",
    "metricsApi",
];

/// A queue's signal as it is written.
#[derive(Clone, Copy)]
pub(super) enum Written<'w> {
    Redis(&'w wire::queue::RedisSignal),
    RedisStreams(&'w wire::queue::RedisStreamsSignal),
    Postgresql(&'w wire::queue::PostgresqlSignal),
    Rabbitmq(&'w wire::queue::RabbitmqSignal),
    NatsJetstream(&'w wire::queue::NatsJetstreamSignal),
    Kafka(&'w wire::queue::kafka::KafkaSignal),
    AwsSqsQueue(&'w wire::queue::sqs::SqsSignal),
    MetricsApi(&'w wire::queue::MetricsApiSignal),
}

/// The queues that a signal names; more than one is a fault.
pub(super) fn given(wire: &wire::Signal) -> Vec<Written<'_>> {
    let kinds = [
        wire.redis.as_ref().map(Written::Redis),
        wire.redis_streams.as_ref().map(Written::RedisStreams),
        wire.postgresql.as_ref().map(Written::Postgresql),
        wire.rabbitmq.as_ref().map(Written::Rabbitmq),
        wire.nats_jetstream.as_ref().map(Written::NatsJetstream),
        wire.kafka.as_ref().map(Written::Kafka),
        wire.aws_sqs_queue.as_ref().map(Written::AwsSqsQueue),
        wire.metrics_api.as_ref().map(Written::MetricsApi),
    ];
    kinds.into_iter().flatten().collect()
}

/// Settles one; `None` when something is wrong with it.
pub(super) fn resolve(
    written: Written<'_>,
    source: Option<&str>,
    about: About<'_>,
    path: &Path,
    faults: &mut Faults,
) -> Option<(SourceName, Ask)> {
    let path_of = |kind| path.key(kind);
    let kind = match written {
        Written::Redis(_) => "redis",
        Written::RedisStreams(_) => "redisStreams",
        Written::Postgresql(_) => "postgresql",
        Written::Rabbitmq(_) => "rabbitmq",
        Written::NatsJetstream(_) => "natsJetstream",
        Written::Kafka(_) => "kafka",
        Written::AwsSqsQueue(_) => "awsSqsQueue",
        Written::MetricsApi(_) => "metricsApi",
    };
    let before = faults.0.len();
    if source.is_some() {
        let problem = format!("`{kind}` names its server itself");
        faults.add(Fault::new(path.key("source"), problem).hint("leave `source` out"));
    }
    if about.metric_type == MetricType::Pods {
        let problem = "a queue gives one number, a Pods metric needs one for each pod";
        faults.add(Fault::new(path_of(kind), problem).hint("publish it as External"));
    }
    let About { namespace, interval, .. } = about;
    let mut reader = Reader { namespace, interval, path: path_of(kind), faults };
    let ask = match written {
        Written::Redis(wire) => redis_keys::list(wire, &mut reader),
        Written::RedisStreams(wire) => redis_keys::stream(wire, &mut reader),
        Written::Postgresql(wire) => sql::query(wire, &mut reader),
        Written::Rabbitmq(wire) => rabbitmq::queue(wire, &mut reader),
        Written::NatsJetstream(wire) => jetstream::consumer(wire, &mut reader),
        Written::Kafka(wire) => kafka::group(wire, &mut reader),
        Written::AwsSqsQueue(wire) => sqs::queue(wire, &mut reader),
        Written::MetricsApi(wire) => documents::document(wire, &mut reader),
    };
    let ask = ask.filter(|_| faults.0.len() == before)?;
    Some((SourceName::of_server(&ask.server), Ask::Queue(Arc::new(ask))))
}

/// Reads the parameters of one queue, and notes what is wrong with them.
struct Reader<'r> {
    namespace: Option<&'r Namespace>,
    interval: Duration,
    path: Path,
    faults: &'r mut Faults,
}

impl Reader<'_> {
    fn fault(&mut self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.faults.add(Fault::new(self.path.key(key), problem.into()).hint(hint.into()));
    }

    /// A text that may not be empty.
    fn text(&mut self, key: &str, text: &str) -> Option<Box<str>> {
        if text.is_empty() {
            self.fault(key, "is empty", "name it as the server knows it");
            return None;
        }
        Some(text.into())
    }

    /// `host:port` in one text, or in two.
    fn address(
        &mut self,
        address: Option<&str>,
        (host, port): (Option<&str>, Option<u32>),
        default_port: u16,
    ) -> Option<Address> {
        const HINT: &str = "write `address: host:port`, or `host` and `port`";
        match (address, host) {
            (Some(address), None) if port.is_none() => {
                let parsed = parsed_address(address, default_port);
                if parsed.is_none() {
                    self.fault("address", "not `host:port`", HINT);
                }
                parsed
            }
            (None, Some(host)) => {
                let plain = host.trim_start_matches('[').trim_end_matches(']');
                if !is_host(plain) {
                    self.fault("host", "not a host", HINT);
                    return None;
                }
                let port = port.map_or(Ok(default_port), u16::try_from);
                if port.is_err() {
                    self.fault("port", "not a port", "a port is at most 65535");
                }
                Some(Address { host: plain.into(), port: port.ok()? })
            }
            _ => {
                self.fault("address", "expected either `address` or `host`", HINT);
                None
            }
        }
    }

    fn timeout(&mut self, text: Option<&str>) -> Option<Duration> {
        let Some(text) = text else { return Some(limits::SOURCE_TIMEOUT_DEFAULT) };
        let timeout = self.faults.take(self.path.key("timeout"), duration::parse(text))?;
        if timeout.is_zero() || timeout > limits::SOURCE_TIMEOUT_MAX {
            let most = duration::Shown(limits::SOURCE_TIMEOUT_MAX);
            let problem = format!("a timeout is above 0s and at most {most}");
            self.fault("timeout", problem, "an evaluation waits no longer; 5s suits most servers");
            return None;
        }
        Some(timeout)
    }

    /// Where the credentials are kept that are given, by the keys that refer to them.
    fn credentials(
        &mut self,
        given: &[(Credential, &'static str, Option<&CredentialSource>)],
    ) -> Option<Credentials> {
        let before = self.faults.0.len();
        let mut credentials = Credentials::new();
        for (credential, key, source) in given {
            let Some(source) = source else { continue };
            if let Some(reference) = self.reference(key, source) {
                credentials.insert(*credential, reference);
            }
        }
        (self.faults.0.len() == before).then_some(credentials)
    }

    fn reference(&mut self, key: &str, source: &CredentialSource) -> Option<SecretRef> {
        match (&source.secret_key_ref, &source.file) {
            (Some(SecretKeyRef { name, key: of_data }), None) => {
                let path = self.path.key(key).key("secretKeyRef");
                let secret = self.faults.take(path.key("name"), ObjectName::new(name));
                if of_data.is_empty() {
                    let fault = Fault::new(path.key("key"), "is empty");
                    self.faults.add(fault.hint("name a key of the Secret's data"));
                    return None;
                }
                let namespace = self.namespace?.clone();
                Some(SecretRef::Key { namespace, secret: secret?, key: of_data.as_str().into() })
            }
            (None, Some(file)) if file.starts_with('/') => {
                Some(SecretRef::File(std::path::Path::new(file).into()))
            }
            (None, Some(_)) => {
                let fault = Fault::new(self.path.key(key).key("file"), "not an absolute path");
                self.faults.add(fault.hint("begin it with `/`"));
                None
            }
            _ => {
                let problem = "expected exactly one of `secretKeyRef` and `file`";
                self.fault(key, problem, "write `secretKeyRef: {name: …, key: …}`");
                None
            }
        }
    }
}

/// An http or https URL without a password.
fn web_url(key: &str, text: &str, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let parsed = text.parse::<http::Uri>().ok();
    let authority = parsed.as_ref().and_then(|it| it.authority());
    let scheme = parsed.as_ref().and_then(|it| it.scheme_str());
    let is_web = matches!(scheme, Some("http" | "https"));
    match authority.filter(|_| is_web) {
        Some(authority) if authority.as_str().contains('@') => {
            let hint = "it would show in logs; use the keys that end in `From`";
            reader.fault(key, "a URL must not carry a password", hint);
            None
        }
        Some(_) => Some(text.into()),
        None => {
            reader.fault(key, "not an http or https URL", "write `http://host:port/path`");
            None
        }
    }
}

/// `host:port`, `host` or `[address]:port`.
fn parsed_address(text: &str, default_port: u16) -> Option<Address> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(default_port), |it| it.parse().ok())?;
    is_host(host).then(|| Address { host: host.into(), port })
}

/// A name or an address; nothing that could hold a password or a path.
fn is_host(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    !text.is_empty() && text.len() <= 253 && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests;
