//! AWS SQS: the attributes of a queue, asked with a signature.

use super::by_login::ByLogin;
use super::{Failed, Login, Protocol, web};
use crate::policy::access::{Aws, Role, is_role};
use crate::policy::queue::lending::borrower;
use crate::policy::queue::{Credential, Place, Question, QueueServer, SqsSigner};
use crate::source::ReadError;
use crate::source::access::aws::{Identity, Keys, given, hide, signed};
use crate::source::access::{Hidden, Reach};
use crate::source::http::Http;
use jiff::Timestamp;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

const AVAILABLE: &str = "ApproximateNumberOfMessages";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";

/// As what requests are signed.
const SERVICE: &str = "sqs";

/// How SQS is spoken to.
#[derive(Debug)]
pub(super) struct Sqs {
    reach: Reach,
    /// Foresail's own identity, or a role that it has assumed.
    identity: ByLogin<Identity>,
}

/// A client, and as whom it signs.
pub(super) struct Signer {
    http: Http,
    endpoint: Url,
    region: Box<str>,
    by: By,
}

/// As whom requests are signed.
enum By {
    AccessKey(Keys),
    Foresail(Arc<Identity>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    attributes: BTreeMap<String, String>,
}

impl Sqs {
    pub(super) fn new(reach: &Reach) -> Self {
        Self { reach: reach.clone(), identity: ByLogin::default() }
    }

    /// Foresail's identity for this server.
    fn identity(
        &self,
        role: Option<&str>,
        server: &QueueServer,
        region: &str,
    ) -> Result<Identity, Failed> {
        if role.is_some_and(|it| !is_role(it)) {
            let problem = "the awsRoleArn is not the ARN of a role".to_owned();
            return Err(Failed::Credentials(ReadError::NoCredentials(problem)));
        }
        let role = role.map(|arn| Role { arn: arn.into(), external_id: external_id(server) });
        let region = Some(region.into());
        let of = Aws { region, service: SERVICE.into(), credentials_file: None, role };
        // Keys that do not come in time are told as such, and not as an SQS that does not answer.
        Ok(Identity::new(&of, server.timeout / 3, &self.reach))
    }
}

/// By this the owner of a role tells for which namespace it is assumed.
fn external_id(server: &QueueServer) -> Option<Box<str>> {
    borrower(server).map(|it| format!("foresail/{it}").into())
}

impl Protocol for Sqs {
    type Connection = Signer;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Signer, Failed> {
        let Place::Sqs { endpoint, region, signer } = &server.place else {
            return Err(Failed::wrong_kind());
        };
        let http = web::client(endpoint, server, login, false)?;
        let get = |credential| login.get(credential).unwrap_or_default();
        let by = match signer {
            SqsSigner::AccessKey => By::AccessKey(given(
                get(Credential::AccessKeyId),
                get(Credential::SecretAccessKey),
                login.get(Credential::SessionToken),
            )),
            SqsSigner::Foresail { role } => {
                let role = login.get(Credential::Role).map(str::trim).or(role.as_deref());
                let make = || self.identity(role, server, region);
                By::Foresail(self.identity.get(login, make)?)
            }
        };
        // As it is sent: what is signed has to be what is asked.
        let endpoint = Url::parse(endpoint).map_err(|_| Failed::wrong_kind())?;
        Ok(Signer { http, endpoint, region: region.clone(), by })
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
        let answer = signer.answer(&body, at).await?;
        wanted.iter().try_fold(0.0, |sum, name| {
            let count = answer.attributes.get(*name).and_then(|it| it.parse::<u32>().ok());
            let missing = || Failed::not_understood(format!("the answer has no {name}"));
            Ok(sum + f64::from(count.ok_or_else(missing)?))
        })
    }
}

impl Signer {
    async fn answer(&self, body: &str, at: Timestamp) -> Result<Answer, Failed> {
        let identity = match &self.by {
            By::AccessKey(keys) => {
                return web::json(&self.http, self.request(body, keys, at)?).await;
            }
            By::Foresail(identity) => identity,
        };
        let keys = identity.keys(Instant::now()).await.map_err(Failed::Answer)?;
        let request = self.request(body, &keys.what, at)?;
        let answer = web::json(&self.http, request).await;
        if answer.as_ref().is_err_and(is_about_keys) {
            // The next read has others, if these are not just a moment old.
            _ = identity.refused(keys.at, Instant::now()).await;
        }
        let mut hidden = Hidden::default();
        hide(&keys.what, &mut hidden);
        // The connection is as good as before: what was refused is kept elsewhere.
        answer.map_err(|failed| match failed {
            Failed::Answer(error) | Failed::Credentials(error) | Failed::Connection(error) => {
                Failed::Answer(hidden.redacted(error))
            }
        })
    }

    /// A request that was signed at this time: the server takes it for some minutes.
    fn request(&self, body: &str, keys: &Keys, at: Timestamp) -> Result<RequestBuilder, Failed> {
        let request = self.http.client.post(self.endpoint.clone()).body(body.to_owned());
        let request = request.header("content-type", "application/x-amz-json-1.0");
        let request = request.header("x-amz-target", "AmazonSQS.GetQueueAttributes").build();
        let request = request.map_err(|_| Failed::wrong_kind())?;
        let signed = signed(request, keys, (&self.region, SERVICE), at);
        let signed = signed.map_err(Failed::Credentials)?;
        Ok(RequestBuilder::from_parts(self.http.client.clone(), signed))
    }
}

/// Whether the keys may be no good any more.
fn is_about_keys(failed: &Failed) -> bool {
    match failed {
        Failed::Credentials(_) => true,
        // What is said to keys that have expired, or that nobody knows.
        Failed::Answer(ReadError::Refused { status: 400, message }) => {
            ["ExpiredToken", "UnrecognizedClient"].iter().any(|it| message.contains(it))
        }
        Failed::Answer(_) | Failed::Connection(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::Namespace;
    use crate::policy::queue::Credentials;
    use crate::policy::queue::reach::Reach as Hosts;
    use std::time::Duration;

    #[test]
    fn a_role_is_told_for_which_namespace_it_is_assumed() {
        let server = |reach| QueueServer {
            place: Place::Sqs {
                endpoint: "https://sqs".into(),
                region: "r".into(),
                signer: SqsSigner::Foresail { role: None },
            },
            credentials: Credentials::new(),
            timeout: Duration::from_secs(1),
            reach,
        };
        let namespace = Namespace::new("jobs").unwrap();
        let within = server(Hosts::Within { namespace, listed: Arc::default() });
        assert_eq!(external_id(&within).as_deref(), Some("foresail/jobs"));
        assert_eq!(external_id(&server(Hosts::Anywhere)), None);
    }
}
