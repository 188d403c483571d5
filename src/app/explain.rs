//! Asks a running adapter why a metric has its value: the client's side of `/debug/explain`.

use crate::domain::limits;
use crate::domain::name::{MetricName, Namespace};
use reqwest::{Client, Response, StatusCode, Url, header};
use std::error::Error;
use std::io::ErrorKind;

/// Where the observability port of an adapter is reached from a person's machine.
pub const SERVER_DEFAULT: &str = "http://127.0.0.1:8080";

/// How an explanation is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a person.
    Text,
    /// For a program.
    Json,
}

/// A client of one adapter.
#[derive(Clone, Debug)]
pub struct Explainer {
    client: Client,
    server: Url,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Not a URL over which an adapter can be asked.
    #[error("`{0}` is not the URL of an adapter")]
    BadServer(String),
    /// A password in the URL; those end up in the histories of shells.
    #[error("the URL of an adapter has no user and no password")]
    HasPassword,
    /// No HTTP client can be made.
    #[error("failed to make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// No answer came.
    #[error("failed to reach Foresail at {server}: {why}")]
    Unreachable {
        /// Where.
        server: String,
        /// In few words.
        why: String,
    },
    /// Something answered that is not Foresail, or an older one.
    #[error("what answers at {server} explains nothing (status {status})")]
    NotForesail {
        /// Where.
        server: String,
        /// What it answered.
        status: u16,
    },
    /// It has no explanation; its own words.
    #[error("{problem}")]
    Refused {
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
        /// Whether the person asked for something that is not there.
        is_input: bool,
    },
    /// The answer is too long.
    #[error("the answer is longer than {} bytes", limits::EXPLANATION_BYTES_MAX)]
    TooLarge,
}

impl ExplainError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BadServer(_) | Self::HasPassword => Some(format!("for example {SERVER_DEFAULT}")),
            Self::Unreachable { .. } | Self::NotForesail { .. } => Some(
                "kubectl -n foresail-system port-forward deployment/foresail 8080:8080 brings it \
                 to this machine; --server URL names another place"
                    .to_owned(),
            ),
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::TooLarge => Some("ask for fewer evaluations with --last N".to_owned()),
            Self::Client(_) => None,
        }
    }

    /// Whether the person's input is at fault.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::BadServer(_) | Self::HasPassword => true,
            Self::Refused { is_input, .. } => *is_input,
            Self::Client(_) | Self::Unreachable { .. } => false,
            Self::NotForesail { .. } | Self::TooLarge => false,
        }
    }
}

impl Explainer {
    /// A client of the adapter at this URL; `http://` may be left out.
    ///
    /// # Errors
    /// `ExplainError` when it is no URL, or has a password in it.
    pub fn new(server: &str) -> Result<Self, ExplainError> {
        let full = if server.contains("://") { server.into() } else { format!("http://{server}") };
        // Whatever stands before an @ may be a password.
        if server.contains('@') {
            return Err(ExplainError::HasPassword);
        }
        let server = Url::parse(&full)
            .ok()
            .filter(|it| it.has_host() && matches!(it.scheme(), "http" | "https"))
            .ok_or_else(|| ExplainError::BadServer(server.to_owned()))?;
        let client = Client::builder()
            .timeout(limits::EXPLAIN_TIMEOUT)
            .user_agent(concat!("foresail/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ExplainError::Client)?;
        Ok(Self { client, server })
    }

    /// The last evaluations of a metric, as the adapter writes them.
    ///
    /// # Errors
    /// `ExplainError` when it cannot be reached, or there is no such metric.
    pub async fn explain(
        &self,
        namespace: &Namespace,
        metric: &MetricName,
        last: usize,
        form: Form,
    ) -> Result<String, ExplainError> {
        let base = self.server.as_str().trim_end_matches('/');
        let media = match form {
            Form::Text => "text/plain",
            Form::Json => "application/json",
        };
        let url = format!("{base}/debug/explain/{namespace}/{metric}?last={last}");
        let request = self.client.get(url).header(header::ACCEPT, media);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(self.refused(status, &body))
    }

    async fn body(&self, mut response: Response) -> Result<String, ExplainError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > limits::EXPLANATION_BYTES_MAX {
                return Err(ExplainError::TooLarge);
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// What the adapter says is wrong: `error: …` and `hint: …`, or the same in JSON.
    fn refused(&self, status: StatusCode, body: &str) -> ExplainError {
        #[derive(serde::Deserialize)]
        struct Said {
            error: String,
            hint: String,
        }
        let in_lines = || {
            let (error, hint) = body.split_once("\n  hint: ")?;
            let error = error.strip_prefix("error: ")?.to_owned();
            Some(Said { error, hint: hint.trim_end().to_owned() })
        };
        let said = serde_json::from_str(body).ok().or_else(in_lines);
        let server = self.server.as_str().trim_end_matches('/').to_owned();
        match said {
            Some(Said { error: problem, hint }) => {
                ExplainError::Refused { problem, hint, is_input: status.is_client_error() }
            }
            None => ExplainError::NotForesail { server, status: status.as_u16() },
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ExplainError {
        let mut cause: &(dyn Error + 'static) = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let why = match kind {
            _ if error.is_timeout() => "no answer in time".to_owned(),
            Some(ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
            _ => cause.to_string(),
        };
        let server = self.server.as_str().trim_end_matches('/').to_owned();
        ExplainError::Unreachable { server, why }
    }
}
