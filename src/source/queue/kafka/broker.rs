//! A connection to one broker: requests in frames, in the newest version that both sides know.

use super::bearer::{self, Tokens};
use super::scram::Scram;
use crate::domain::limits;
use crate::policy::queue::kafka::{KafkaPlace, Mechanism};
use crate::policy::queue::reach::Reach;
use crate::policy::queue::{Address, Credential, Encryption, Place, QueueServer};
use crate::source::ReadError;
use crate::source::http::innermost;
use crate::source::queue::{Failed, Login, dial, tls};
use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// How brokers of a cluster are spoken to.
pub(super) struct Speech {
    reach: Reach,
    tls: Option<TlsConnector>,
    /// What is shown.
    shown: Shown,
}

/// What shows who asks.
enum Shown {
    /// Nothing, or a certificate.
    Nothing,
    /// A name and a password.
    Password(Mechanism, String, String),
    /// A token.
    Token(Arc<Tokens>),
}

/// A broker.
pub(super) struct Broker {
    address: Address,
    versions: BTreeMap<i16, (i16, i16)>,
    wire: Mutex<Wire>,
}

struct Wire {
    stream: Box<dyn Stream>,
    correlation: i32,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Speech {
    pub(super) fn new(
        server: &QueueServer,
        login: &Login,
        tokens: Option<Arc<Tokens>>,
    ) -> Result<Self, Failed> {
        let Place::Kafka(place) = &server.place else { return Err(Failed::wrong_kind()) };
        let KafkaPlace { sasl, username, encryption, .. } = place;
        let tls = match encryption {
            Encryption::None => None,
            Encryption::Tls => Some(TlsConnector::from(Arc::new(tls::client(login)?))),
        };
        let username = login.get(Credential::Username).or(username.as_deref());
        let password = sasl.zip(username.zip(login.get(Credential::Password)));
        let shown = match (tokens, password) {
            (Some(tokens), _) => Shown::Token(tokens),
            (None, Some((how, (name, password)))) => {
                Shown::Password(how, name.into(), password.into())
            }
            (None, None) => Shown::Nothing,
        };
        Ok(Self { reach: server.reach.clone(), tls, shown })
    }

    /// Connects, and shows who asks.
    pub(super) async fn open(&self, address: &Address) -> Result<Broker, Failed> {
        let unreachable =
            |error: std::io::Error| Failed::Connection(ReadError::Unreachable(innermost(&error)));
        // The brokers of a cluster are where one of them says.
        let addresses = dial::addresses(&self.reach, address).await?;
        let tcp = TcpStream::connect(&*addresses).await.map_err(unreachable)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(connector) => {
                let name = ServerName::try_from(address.host.to_string());
                let name = name.map_err(|_| Failed::not_understood("no name for TLS"))?;
                Box::new(connector.connect(name, tcp).await.map_err(unreachable)?)
            }
        };
        let wire = Mutex::new(Wire { stream, correlation: 0 });
        let mut broker = Broker { address: address.clone(), versions: BTreeMap::new(), wire };
        let answer = broker.exchange(&ApiVersionsRequest::default(), 0).await?;
        let versions = answer.api_keys.iter();
        broker.versions =
            versions.map(|it| (it.api_key, (it.min_version, it.max_version))).collect();
        match &self.shown {
            Shown::Nothing => {}
            Shown::Password(mechanism, name, password) => {
                broker.log_in(*mechanism, name, password).await?;
            }
            Shown::Token(tokens) => broker.log_in_with(tokens).await?,
        }
        Ok(broker)
    }
}

impl Broker {
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    async fn log_in(&self, mechanism: Mechanism, name: &str, password: &str) -> Result<(), Failed> {
        self.begin(mechanism).await?;
        let Some(scram) = Scram::new(mechanism, name, password) else {
            return self.show(format!("\0{name}\0{password}")).await.map(drop);
        };
        let answer = self.show(scram.first()).await?;
        let (last, expected) = scram.last(&answer)?;
        expected.check(&self.show(last).await?)
    }

    async fn log_in_with(&self, tokens: &Tokens) -> Result<(), Failed> {
        self.begin(Mechanism::OauthBearer).await?;
        let token = tokens.current().await?;
        let said = match self.show(tokens.shown(&token)?).await {
            Ok(said) if said.is_empty() => return Ok(()),
            Ok(said) => {
                // What it answers to that is the end of the login, whatever it is.
                drop(self.show(bearer::last()).await);
                said
            }
            Err(Failed::Credentials(_)) => Bytes::new(),
            Err(failed) => return Err(failed),
        };
        Err(tokens.refused(&token, &said).await)
    }

    async fn begin(&self, mechanism: Mechanism) -> Result<(), Failed> {
        let wanted = StrBytes::from_static_str(mechanism.name());
        let handshake = SaslHandshakeRequest::default().with_mechanism(wanted);
        super::refused(self.send(&handshake, 1).await?.error_code, mechanism.name())
    }

    /// One step of a login; what the broker says to it.
    async fn show(&self, text: String) -> Result<Bytes, Failed> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(text));
        let answer = self.send(&request, 1).await?;
        if ResponseError::try_from_code(answer.error_code)
            == Some(ResponseError::SaslAuthenticationFailed)
        {
            let problem = "the user's name or the password is wrong".to_owned();
            return Err(Failed::Credentials(ReadError::Denied(problem)));
        }
        super::refused(answer.error_code, "the login")?;
        Ok(answer.auth_bytes)
    }

    /// Asks in the newest version that is not above `most`.
    pub(super) async fn send<R: Request>(
        &self,
        request: &R,
        most: i16,
    ) -> Result<R::Response, Failed> {
        let (oldest, newest) = self.versions.get(&R::KEY).copied().unwrap_or((0, 0));
        let version = most.min(newest);
        if version < oldest {
            return Err(Failed::not_understood("this version of Kafka is not known here"));
        }
        self.exchange(request, version).await
    }

    async fn exchange<R: Request>(&self, request: &R, version: i16) -> Result<R::Response, Failed> {
        let mut wire = self.wire.lock().await;
        wire.correlation = wire.correlation.wrapping_add(1);
        let correlation = wire.correlation;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation)
            .with_client_id(Some(StrBytes::from_static_str("foresail")));
        let mut body = BytesMut::new();
        let encoded = header
            .encode(&mut body, R::header_version(version))
            .and_then(|()| request.encode(&mut body, version));
        encoded.map_err(|_| Failed::not_understood("this version of Kafka is not known here"))?;
        let answer = wire.exchange(&body).await.map_err(|error| {
            Failed::Connection(match error.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    ReadError::Unreachable("the connection was closed".to_owned())
                }
                std::io::ErrorKind::InvalidData => ReadError::NotUnderstood(error.to_string()),
                _ => ReadError::Unreachable(innermost(&error)),
            })
        })?;
        let strange = || {
            let problem = "it does not speak as a Kafka does".to_owned();
            Failed::Connection(ReadError::NotUnderstood(problem))
        };
        let mut answer = Bytes::from(answer);
        let header_version = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut answer, header_version).map_err(|_| strange())?;
        if header.correlation_id != correlation {
            return Err(strange());
        }
        R::Response::decode(&mut answer, version).map_err(|_| strange())
    }
}

impl Wire {
    /// One frame out and one in.
    async fn exchange(&mut self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let too_large = || {
            let problem = "its answer is no frame of a Kafka's: does it want TLS?";
            std::io::Error::new(std::io::ErrorKind::InvalidData, problem)
        };
        let length = u32::try_from(body.len()).map_err(|_| too_large())?;
        let frame = [&length.to_be_bytes()[..], body].concat();
        self.stream.write_all(&frame).await?;
        self.stream.flush().await?;
        let length = usize::try_from(self.stream.read_u32().await?).map_err(|_| too_large())?;
        if length > limits::SOURCE_BODY_BYTES_MAX {
            return Err(too_large());
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}
