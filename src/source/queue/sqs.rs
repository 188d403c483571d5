//! AWS SQS: the attributes of a queue, asked with a signature.

use super::{Failed, Login, Protocol, web};
use crate::policy::queue::{Credential, Place, Question, QueueServer};
use crate::source::ReadError;
use crate::source::http::Http;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use reqwest::Url;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::SystemTime;
use tracing::subscriber::{NoSubscriber, with_default};

const AVAILABLE: &str = "ApproximateNumberOfMessages";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";

/// How SQS is spoken to.
#[derive(Debug)]
pub(super) struct Sqs;

/// A client, and as whom it signs.
pub(super) struct Signer {
    http: Http,
    endpoint: Url,
    region: Box<str>,
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    attributes: BTreeMap<String, String>,
}

impl Protocol for Sqs {
    type Connection = Signer;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Signer, Failed> {
        let Place::Sqs { endpoint, region } = &server.place else {
            return Err(Failed::wrong_kind());
        };
        let http = web::client(endpoint, server, login, false)?;
        let credentials = Credentials::new(
            login.get(Credential::AccessKeyId).unwrap_or_default(),
            login.get(Credential::SecretAccessKey).unwrap_or_default(),
            login.get(Credential::SessionToken).map(ToOwned::to_owned),
            None,
            "foresail",
        );
        // As it is sent: what is signed has to be what is asked.
        let endpoint = Url::parse(endpoint).map_err(|_| Failed::wrong_kind())?;
        Ok(Signer { http, endpoint, region: region.clone(), credentials })
    }

    async fn ask(
        &self,
        signer: &Signer,
        question: &Question,
        at: Timestamp,
    ) -> Result<f64, Failed> {
        let Question::Sqs { queue, with_in_flight, with_delayed } = question else {
            return Err(Failed::wrong_kind());
        };
        let wanted = [(AVAILABLE, true), (IN_FLIGHT, *with_in_flight), (DELAYED, *with_delayed)];
        let wanted: Vec<&str> =
            wanted.iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| *name).collect();
        let body = serde_json::json!({"QueueUrl": queue, "AttributeNames": wanted}).to_string();
        let request = signer.request(&body, at)?;
        let answer: Answer = web::json(&signer.http, request).await?;
        wanted.iter().try_fold(0.0, |sum, name| {
            let count = answer.attributes.get(*name).and_then(|it| it.parse::<u32>().ok());
            let missing = || Failed::not_understood(format!("the answer has no {name}"));
            Ok(sum + f64::from(count.ok_or_else(missing)?))
        })
    }
}

impl Signer {
    /// A request that was signed at this time: the server takes it for some minutes.
    fn request(&self, body: &str, at: Timestamp) -> Result<reqwest::RequestBuilder, Failed> {
        let url = &self.endpoint;
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.GetQueueAttributes"),
        ];
        let unsigned = |_| {
            let problem = "the request cannot be signed with this access key";
            Failed::Credentials(ReadError::NoCredentials(problem.to_owned()))
        };
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("sqs")
            .time(SystemTime::from(at))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| Failed::wrong_kind())?;
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.iter().copied(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .map_err(unsigned)?;
        let parameters = parameters.into();
        // At its most talkative the crate tells the log for which key it signs.
        let signed = with_default(NoSubscriber::new(), || sign(signable, &parameters));
        let (signed, _) = signed.map_err(unsigned)?.into_parts();
        let request = self.http.client.post(url.clone()).body(body.to_owned());
        let request =
            headers.iter().skip(1).fold(request, |it, (name, text)| it.header(*name, *text));
        Ok(signed.headers().fold(request, |it, (name, text)| it.header(name, text)))
    }
}
