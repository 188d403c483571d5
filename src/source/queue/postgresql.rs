//! PostgreSQL: one query, one row, one number.

use super::{Failed, Login, Protocol, dial, tls};
use crate::policy::queue::reach::Reach;
use crate::policy::queue::{Address, Credential, Encryption, Place, Question, QueueServer};
use crate::source::ReadError;
use crate::source::http::innermost;
use futures::StreamExt;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::pin::pin;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{
    CancelToken, Client, Config, Error, NoTls, SimpleQueryMessage, SimpleQueryRow,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where a PostgreSQL listens when nothing else is said.
const PORT: u16 = 5432;

/// How a PostgreSQL is spoken to.
#[derive(Debug)]
pub(super) struct Postgresql;

/// A session, and the task that carries it.
pub(super) struct Session {
    client: Client,
    carrier: AbortHandle,
    /// `None` without TLS.
    tls: Option<MakeRustlsConnect>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Else it would wait for the answer to what nobody wants to know any more.
        self.carrier.abort();
    }
}

/// Stops the server from working on what nobody waits for.
struct Cancelled<'s>(Option<(CancelToken, &'s Session)>);

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        let Some((token, session)) = self.0.take() else { return };
        let tls = session.tls.clone();
        // As well as it goes: the server may be away.
        drop(tokio::spawn(async move {
            match tls {
                Some(tls) => token.cancel_query(tls).await.ok(),
                None => token.cancel_query(NoTls).await.ok(),
            }
        }));
    }
}

impl Protocol for Postgresql {
    type Connection = Session;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Session, Failed> {
        let mut config = config(server, login)?;
        within_reach(&mut config, &server.reach).await?;
        config.application_name("foresail").connect_timeout(server.timeout);
        if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(|it| failed(&it))?;
            let carrier = tokio::spawn(async move { drop(connection.await) }).abort_handle();
            return Ok(Session { client, carrier, tls: None });
        }
        // What a server offers is never a reason to send a password in the clear.
        config.ssl_mode(SslMode::Require);
        let tls = MakeRustlsConnect::new(tls::client(login)?);
        let (client, connection) = config.connect(tls.clone()).await.map_err(|it| failed(&it))?;
        let carrier = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Session { client, carrier, tls: Some(tls) })
    }

    async fn ask(
        &self,
        session: &Session,
        question: &Question,
        _: Timestamp,
    ) -> Result<f64, Failed> {
        let Question::Postgresql { query } = question else { return Err(Failed::wrong_kind()) };
        let mut cancelled = Cancelled(Some((session.client.cancel_token(), session)));
        let answer = number(&session.client, query).await;
        cancelled.0 = None;
        answer
    }
}

fn config(server: &QueueServer, login: &Login) -> Result<Config, Failed> {
    match &server.place {
        Place::Postgresql { address, user, database, encryption } => {
            let mut config = Config::new();
            config.host(&*address.host).port(address.port);
            if let Some(user) = user {
                config.user(&**user);
            }
            if let Some(database) = database {
                config.dbname(&**database);
            }
            if let Some(password) = login.get(Credential::Password) {
                config.password(password);
            }
            config.ssl_mode(match encryption {
                Encryption::None => SslMode::Disable,
                Encryption::Tls => SslMode::Require,
            });
            Ok(config)
        }
        Place::SecretPostgresql => {
            let text = login.get(Credential::Connection).unwrap_or_default();
            // With TLS the certificate is checked in any case.
            let text = text.replace("verify-full", "require").replace("verify-ca", "require");
            // What is wrong with it may repeat it.
            text.parse().map_err(|_| {
                let problem = "the connection is not written as libpq takes it";
                Failed::Credentials(ReadError::NoCredentials(problem.to_owned()))
            })
        }
        _ => Err(Failed::wrong_kind()),
    }
}

/// Checks each host, and has the client take the addresses that were checked.
async fn within_reach(config: &mut Config, reach: &Reach) -> Result<(), Failed> {
    if *reach == Reach::Anywhere {
        return Ok(());
    }
    let ports = config.get_ports().to_vec();
    let hosts = config.get_hosts().to_vec();
    let mut checked = config.get_hostaddrs().to_vec();
    for address in &checked {
        dial::permitted(reach, &address.to_string())?;
    }
    let finds_out = checked.is_empty();
    for (index, host) in hosts.iter().enumerate() {
        let Host::Tcp(name) = host else {
            let problem = "a socket of the machine may not be asked".to_owned();
            return Err(Failed::Answer(ReadError::NotAllowed(problem)));
        };
        if finds_out {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
            let found = Address { host: name.as_str().into(), port };
            let found = dial::addresses(reach, &found).await?;
            checked.extend(found.first().map(SocketAddr::ip));
        }
    }
    if finds_out {
        checked.iter().for_each(|it| _ = config.hostaddr(*it));
    }
    Ok(())
}

/// The only number of the only row. Numbers are read as text, so that each type of number will do.
async fn number(client: &Client, query: &str) -> Result<f64, Failed> {
    let answer = client.simple_query_raw(query).await.map_err(|it| failed(&it))?;
    let mut answer = pin!(answer);
    let mut row: Option<SimpleQueryRow> = None;
    while let Some(message) = answer.next().await {
        let SimpleQueryMessage::Row(next) = message.map_err(|it| failed(&it))? else { continue };
        if row.replace(next).is_some() {
            return Err(Failed::not_understood("the query answers more than one row"));
        }
    }
    let empty = |problem: &str| Failed::Answer(ReadError::Empty(problem.to_owned()));
    let row = row.ok_or_else(|| empty("the query answers no row"))?;
    if row.len() != 1 {
        return Err(Failed::not_understood("the query answers more than one column"));
    }
    let text = row.try_get(0).map_err(|it| failed(&it))?;
    let text = text.ok_or_else(|| empty("the query answers NULL"))?;
    text.parse()
        .map_err(|_| Failed::not_understood("the query answers something else than a number"))
}

fn failed(error: &Error) -> Failed {
    let Some(database) = error.as_db_error() else {
        let why =
            if error.is_closed() { "the connection was closed".into() } else { innermost(error) };
        return Failed::Connection(ReadError::Unreachable(why));
    };
    let said = ReadError::Denied(database.message().to_owned());
    let code = database.code();
    let credentials = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
    if credentials.contains(code) {
        return Failed::Credentials(said);
    }
    // Operator intervention, and what is wrong with the connection itself.
    if code.code().starts_with("57P") || code.code().starts_with("08") {
        return Failed::Connection(said);
    }
    Failed::Answer(said)
}
