//! Documents over HTTP, with the number at some place in them.

mod location;

use super::{Failed, Login, Protocol, web};
use crate::policy::queue::{Auth, Credential, Place, Question, QueueServer};
use crate::source::http::Http;
use jiff::Timestamp;

/// How a server of documents is spoken to.
#[derive(Debug)]
pub(super) struct Documents;

/// A client, and what it sends along.
pub(super) struct Reader {
    http: Http,
    url: Box<str>,
    auth: Shown,
}

/// What shows who asks.
enum Shown {
    Nothing,
    Header(Box<str>, String),
    Parameter(Box<str>, String),
    Basic(String, String),
    Bearer(String),
}

impl Protocol for Documents {
    type Connection = Reader;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Reader, Failed> {
        let Place::Web { url, auth, is_unsafe } = &server.place else {
            return Err(Failed::wrong_kind());
        };
        let http = web::client(url, server, login, *is_unsafe)?;
        let secret = |credential| login.get(credential).unwrap_or_default().to_owned();
        let auth = match auth {
            Auth::None => Shown::Nothing,
            Auth::KeyInHeader(name) => Shown::Header(name.clone(), secret(Credential::ApiKey)),
            Auth::KeyInQuery(name) => Shown::Parameter(name.clone(), secret(Credential::ApiKey)),
            Auth::Basic(name) => {
                let name = name.as_deref().map(ToOwned::to_owned);
                let name = name.unwrap_or_else(|| secret(Credential::Username));
                Shown::Basic(name, secret(Credential::Password))
            }
            Auth::Bearer => Shown::Bearer(secret(Credential::Token)),
        };
        Ok(Reader { http, url: url.clone(), auth })
    }

    async fn ask(&self, reader: &Reader, question: &Question, _: Timestamp) -> Result<f64, Failed> {
        let Question::Document(location) = question else { return Err(Failed::wrong_kind()) };
        let request = reader.http.client.get(&*reader.url);
        let request = match &reader.auth {
            Shown::Nothing => request,
            Shown::Header(name, key) => request.header(&**name, key),
            Shown::Parameter(name, key) => request.query(&[(name, key)]),
            Shown::Basic(name, password) => request.basic_auth(name, Some(password)),
            Shown::Bearer(token) => request.bearer_auth(token),
        };
        let body = web::fetch(&reader.http, request).await?;
        location::number(&body, location).map_err(Failed::Answer)
    }
}
