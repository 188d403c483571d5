//! Queues: the number of what waits, asked of the server that holds it.
//!
//! Each kind is a `Protocol`: how it connects, and how a connection is asked. What all have in
//! common is here and in `kept`: a deadline over everything, one connection for all who ask the
//! same server, and errors without credentials.

mod by_login;
mod dial;
mod documents;
mod kafka;
mod kept;
mod login;
mod nats;
mod postgresql;
mod rabbitmq;
mod redis;
mod sqs;
mod tls;
mod web;

use crate::domain::finite::Finite;
use crate::domain::ports::Secrets;
use crate::domain::sample::Sample;
use crate::policy::Ask;
use crate::policy::queue::{Place, Question, QueueServer};
use crate::series::Samples;
use crate::source::{Reach, ReadError};
pub(in crate::source) use dial::Resolver;
use jiff::Timestamp;
use kept::Kept;
use login::Login;
use std::future::Future;
use std::sync::Arc;

/// A server that has queues.
#[derive(Debug)]
pub struct Queue {
    server: QueueServer,
    secrets: Arc<dyn Secrets>,
    client: Client,
}

/// What speaks to it.
#[derive(Debug)]
enum Client {
    Redis(Kept<redis::Redis>),
    Postgresql(Kept<postgresql::Postgresql>),
    Rabbitmq(Kept<rabbitmq::Rabbitmq>),
    Nats(Kept<nats::Nats>),
    Kafka(Kept<kafka::Kafka>),
    Sqs(Kept<sqs::Sqs>),
    Documents(Kept<documents::Documents>),
}

/// How a kind of server is spoken to.
trait Protocol: Send + Sync {
    /// What is kept from one read to the next.
    type Connection: Send + Sync;

    fn connect(
        &self,
        server: &QueueServer,
        login: &Login,
    ) -> impl Future<Output = Result<Self::Connection, Failed>> + Send;

    /// The answer, as the server gave it: it may be negative or no number at all. `at` is the
    /// instant that is asked about, which is now or just over.
    fn ask(
        &self,
        connection: &Self::Connection,
        question: &Question,
        at: Timestamp,
    ) -> impl Future<Output = Result<f64, Failed>> + Send;
}

/// Why there is no answer, and what that means for the connection.
#[derive(Debug)]
enum Failed {
    /// The connection is as good as before.
    Answer(ReadError),
    /// The connection is broken, or there is none.
    Connection(ReadError),
    /// The server does not accept the credentials.
    Credentials(ReadError),
}

impl Failed {
    /// For a combination that `policy` does not make.
    fn wrong_kind() -> Self {
        Self::Answer(ReadError::WrongKind)
    }

    fn not_understood(problem: impl Into<String>) -> Self {
        Self::Answer(ReadError::NotUnderstood(problem.into()))
    }
}

impl Queue {
    /// A client for this server, which finds in `reach` what Foresail itself is. Does not connect.
    #[must_use]
    pub fn new(server: &QueueServer, secrets: Arc<dyn Secrets>, reach: &Reach) -> Self {
        let client = match &server.place {
            Place::Redis { .. } => Client::Redis(Kept::new(redis::Redis)),
            Place::Postgresql { .. } | Place::SecretPostgresql => {
                Client::Postgresql(Kept::new(postgresql::Postgresql))
            }
            Place::Rabbitmq { .. } => Client::Rabbitmq(Kept::new(rabbitmq::Rabbitmq)),
            Place::Nats { .. } => Client::Nats(Kept::new(nats::Nats)),
            Place::Kafka(_) => Client::Kafka(Kept::new(kafka::Kafka::default())),
            Place::Sqs { .. } => Client::Sqs(Kept::new(sqs::Sqs::new(reach))),
            Place::Web { .. } => Client::Documents(Kept::new(documents::Documents)),
        };
        Self { server: server.clone(), secrets, client }
    }

    /// What the queue says now, as a sample of the instant `at`.
    pub(super) async fn read(&self, ask: &Ask, at: Timestamp) -> Result<Samples, ReadError> {
        let Ask::Queue(ask) = ask else { return Err(ReadError::WrongKind) };
        let deadline = self.server.timeout;
        // The clients' state machines are large, and many reads are in flight.
        let read = Box::pin(self.answer(&ask.question, at));
        let answer = tokio::time::timeout(deadline, read).await;
        let number = answer.unwrap_or(Err(ReadError::TimedOut(deadline)))?;
        let usable = Finite::new(number).filter(|it| !it.is_negative());
        let value = usable.ok_or_else(|| {
            let kind = if number.is_nan() { "is NaN" } else { "is negative or infinite" };
            ReadError::Empty(format!("the answer {kind}"))
        })?;
        Ok(Samples::from([(None, Sample { at, value })]))
    }

    async fn answer(&self, question: &Question, at: Timestamp) -> Result<f64, ReadError> {
        let login = Login::read(&self.server.credentials, self.secrets.as_ref()).await?;
        let asked = (question, at);
        let answer = match &self.client {
            Client::Redis(kept) => kept.ask(&self.server, &login, asked).await,
            Client::Postgresql(kept) => kept.ask(&self.server, &login, asked).await,
            Client::Rabbitmq(kept) => kept.ask(&self.server, &login, asked).await,
            Client::Nats(kept) => kept.ask(&self.server, &login, asked).await,
            Client::Kafka(kept) => kept.ask(&self.server, &login, asked).await,
            Client::Sqs(kept) => kept.ask(&self.server, &login, asked).await,
            Client::Documents(kept) => kept.ask(&self.server, &login, asked).await,
        };
        answer.map_err(|failed| {
            let error = match failed {
                Failed::Answer(error) | Failed::Connection(error) => error,
                Failed::Credentials(error) => {
                    // They may have been changed since they were looked at.
                    let references = self.server.credentials.values();
                    references.for_each(|it| self.secrets.forget(it));
                    error
                }
            };
            login.redacted(error)
        })
    }
}
