//! RabbitMQ: by its management API, or the number of ready messages by AMQP.

mod amqp;
mod management;

use super::{Failed, Login, Protocol};
use crate::policy::queue::rabbitmq::{Mode, RabbitHost, RabbitQuestion, UserInfo};
use crate::policy::queue::{Credential, Place, Question, QueueServer};
use crate::source::ReadError;
use amqp::Amqp;
use jiff::Timestamp;
use management::Management;

/// How a RabbitMQ is spoken to.
#[derive(Debug)]
pub(super) struct Rabbitmq;

/// The two ways.
pub(super) enum Connection {
    Amqp(Amqp),
    Management(Management),
}

/// Where and as whom, once all credentials are known.
struct Target {
    host: RabbitHost,
    vhost: Box<str>,
    user: Option<UserInfo>,
    is_unsafe: bool,
}

impl Protocol for Rabbitmq {
    type Connection = Connection;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Connection, Failed> {
        let target = target(server, login)?;
        Ok(if target.host.is_http() {
            Connection::Management(Management::new(target, server, login)?)
        } else {
            Connection::Amqp(Amqp::open(target, server, login).await?)
        })
    }

    async fn ask(
        &self,
        connection: &Connection,
        question: &Question,
        _: Timestamp,
    ) -> Result<f64, Failed> {
        let Question::Rabbitmq(question) = question else { return Err(Failed::wrong_kind()) };
        match connection {
            Connection::Management(management) => management.ask(question).await,
            Connection::Amqp(amqp) if is_for_amqp(question) => amqp.ready(&question.queue).await,
            Connection::Amqp(_) => Err(Failed::not_understood(
                "AMQP tells only how many messages are ready: give the management API as the host",
            )),
        }
    }
}

fn is_for_amqp(question: &RabbitQuestion) -> bool {
    question.mode == Mode::QueueLength && question.pattern.is_none() && !question.only_ready
}

fn target(server: &QueueServer, login: &Login) -> Result<Target, Failed> {
    let Place::Rabbitmq { host, vhost, username, is_unsafe } = &server.place else {
        return Err(Failed::wrong_kind());
    };
    let (host, in_host) = match host {
        Some(host) => (host.clone(), None),
        None => {
            let text = login.get(Credential::Host).unwrap_or_default();
            RabbitHost::parse(text).ok_or_else(|| {
                let problem = "the host is not the URL of a RabbitMQ";
                Failed::Credentials(ReadError::NoCredentials(problem.to_owned()))
            })?
        }
    };
    let username = login.get(Credential::Username).or(username.as_deref());
    let given = username.zip(login.get(Credential::Password));
    let user = given.map(|(name, password)| (name.to_owned(), password.to_owned())).or(in_host);
    let vhost = vhost.clone().unwrap_or_else(|| host.vhost.clone());
    Ok(Target { host, vhost, user, is_unsafe: *is_unsafe })
}
