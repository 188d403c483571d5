//! A small blocking HTTP client for tests: any status is an answer, only no answer is an error.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::tls::TlsInfo;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::certificates::Identity;

/// Every server of the bed is on loopback: slower than this is a hang.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that trusts the bed's authority and nobody else.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as text.
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON; anything else fails the test and shows it.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("not JSON ({error}): {} {}", self.status, self.body),
        }
    }
}

impl Http {
    /// A client without an identity, or with a client certificate.
    pub(crate) fn new(authority: &str, identity: Option<&Identity>) -> Self {
        // Another test of this process may have installed the same provider already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let authority = reqwest::Certificate::from_pem(authority.as_bytes()).unwrap();
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([authority])
            .no_proxy()
            .tls_info(true)
            // A server that was restarted must not be met through a dead connection.
            .pool_max_idle_per_host(0)
            .timeout(REQUEST_TIMEOUT);
        if let Some(Identity { certificate, key }) = identity {
            let pem = format!("{certificate}{key}");
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        }
        Self { client: builder.build().unwrap() }
    }

    /// GET with extra headers; the error is the whole chain of why there was no answer.
    pub(crate) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Reply, String> {
        let request = headers
            .iter()
            .fold(self.client.get(url), |request, &(name, value)| request.header(name, value));
        answer(request)
    }

    /// The certificate that a server shows on a new connection, as DER.
    pub(crate) fn server_certificate(&self, url: &str) -> Result<Vec<u8>, String> {
        runtime().block_on(async {
            let response = self.client.get(url).send().await.map_err(|error| chain(&error))?;
            let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
            shown.map(<[u8]>::to_vec).ok_or_else(|| "no certificate".to_owned())
        })
    }

    /// POST of a form.
    pub(crate) fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<Reply, String> {
        answer(self.client.post(url).form(form))
    }

    /// `Ok` when the answer to a GET is a 2xx: the probe of a health path.
    pub(crate) fn healthy(&self, url: &str, headers: &[(&str, &str)]) -> Result<(), String> {
        let reply = self.get(url, headers)?;
        match reply.status {
            200..300 => Ok(()),
            status => Err(format!("{url} answers {status}: {}", reply.body)),
        }
    }
}

fn answer(request: reqwest::RequestBuilder) -> Result<Reply, String> {
    runtime().block_on(async {
        let response = request.send().await.map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(|error| chain(&error))?;
        Ok(Reply { status, body })
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
