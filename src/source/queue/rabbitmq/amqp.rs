//! A RabbitMQ by AMQP 0-9-1: a queue that is declared passively tells its ready messages.

use super::Target;
use crate::domain::limits;
use crate::policy::queue::{Address, QueueServer};
use crate::source::ReadError;
use crate::source::queue::{Failed, Login, dial, tls};
use amqprs::channel::QueueDeclareArguments;
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::tls::TlsAdaptor;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// A connection.
pub(in crate::source::queue) struct Amqp(Connection);

impl Amqp {
    pub(super) async fn open(
        target: Target,
        server: &QueueServer,
        login: &Login,
    ) -> Result<Self, Failed> {
        let Target { host, vhost, user, .. } = target;
        let usual_port = if host.is_encrypted() { 5671 } else { 5672 };
        let address = address(&host.authority, usual_port).ok_or_else(|| {
            let problem = "the host has no port that is a number";
            Failed::Answer(ReadError::NoCredentials(problem.to_owned()))
        })?;
        let at = dial::address(&server.reach, &address).await?;
        // What a RabbitMQ takes from its own machine.
        let (name, password) = user.unwrap_or_else(|| ("guest".to_owned(), "guest".to_owned()));
        let mut arguments = OpenConnectionArguments::new(&at.host, at.port, &name, &password);
        arguments.virtual_host(&vhost).connection_name("foresail");
        // A server that is gone without a word is found out while nobody asks.
        arguments.heartbeat(limits::QUEUE_HEARTBEAT_SECONDS);
        if host.is_encrypted() {
            let connector = TlsConnector::from(Arc::new(tls::client(login)?));
            arguments.tls_adaptor(TlsAdaptor::new(connector, address.host.to_string()));
        }
        Connection::open(&arguments).await.map(Self).map_err(|error| not_opened(&error))
    }

    /// How many messages of a queue are ready. Each question has a channel of its own, since the
    /// server closes the one on which something that does not exist is asked for.
    pub(super) async fn ready(&self, queue: &str) -> Result<f64, Failed> {
        if !self.0.is_open() {
            return Err(closed());
        }
        let channel = self.0.open_channel(None).await.map_err(|_| closed())?;
        let mut arguments = QueueDeclareArguments::new(queue);
        arguments.passive(true);
        let declared = channel.queue_declare(arguments).await;
        let count = match declared {
            Ok(Some((_, messages, _))) => Ok(f64::from(messages)),
            Ok(None) => Err(Failed::not_understood("the server did not answer the question")),
            Err(_) if !self.0.is_open() => Err(closed()),
            Err(_) => Err(Failed::Answer(ReadError::Denied(format!(
                "there is no queue `{queue}`, or it may not be asked about"
            )))),
        };
        if count.is_ok() {
            // One that was closed for a fault is gone already.
            channel.close().await.map_err(|_| closed())?;
        }
        count
    }
}

/// Host and port of `host:port`, `host` or `[address]:port`.
fn address(authority: &str, usual_port: u16) -> Option<Address> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, usual_port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').into();
    Some(Address { host, port })
}

fn closed() -> Failed {
    Failed::Connection(ReadError::Unreachable("the connection was closed".to_owned()))
}

/// The library's words repeat the operating system's; a server that refuses somebody just hangs up
/// or says so.
fn not_opened(error: &Error) -> Failed {
    let text = error.to_string();
    let said = text.rsplit(": ").next().unwrap_or_default().to_lowercase();
    if text.contains("onnection refused") {
        return Failed::Connection(ReadError::Unreachable("connection refused".to_owned()));
    }
    let hangs_up = ["reset by peer", "closed", "eof"].iter().any(|it| said.contains(it));
    match error {
        Error::NetworkError(_) if !hangs_up => Failed::Connection(ReadError::Unreachable(said)),
        _ => {
            let problem = "it hung up instead of accepting the connection: is it starting, or are \
                           user, password or virtual host wrong?";
            Failed::Credentials(ReadError::Unreachable(problem.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_has_the_usual_port_unless_another_is_given() {
        for (authority, expected) in [
            ("mq", Some("mq:5672")),
            ("mq:7", Some("mq:7")),
            ("[::1]", Some("[::1]:5672")),
            ("[::1]:7", Some("[::1]:7")),
            ("mq:x", None),
        ] {
            let found = address(authority, 5672).map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{authority}");
        }
    }
}
