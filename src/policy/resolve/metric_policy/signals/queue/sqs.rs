//! The parameters of AWS SQS: `awsSqsQueue`.

use super::{Credential, Place, Question, QueueAsk, QueueServer, Reader, web_url};
use crate::policy::queue::origin;
use crate::policy::queue::reach::Reach;
use crate::policy::wire::queue::sqs::SqsSignal;

/// A queue, and which of its messages count.
pub(super) fn queue(wire: &SqsSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let region = region(&wire.aws_region, reader);
    // A queue that is named alone is one of the account of the access key.
    let is_name = !wire.queue_url.contains("://");
    let queue = match is_name {
        true => reader.text("queueURL", &wire.queue_url),
        false => web_url("queueURL", &wire.queue_url, reader),
    };
    let endpoint = match &wire.aws_endpoint {
        Some(endpoint) => web_url("awsEndpoint", endpoint, reader),
        None if is_name => region.as_deref().map(endpoint_of),
        None => queue.as_deref().map(|it| origin(it).into()),
    };
    let timeout = reader.timeout(wire.timeout.as_deref());
    if wire.aws_access_key_id_from.is_none() || wire.aws_secret_access_key_from.is_none() {
        let problem = "an access key is needed: Foresail's own rights are not for its users";
        let hint = "give `awsAccessKeyIDFrom` and `awsSecretAccessKeyFrom`";
        reader.fault("awsAccessKeyIDFrom", problem, hint);
    }
    let credentials = reader.credentials(&[
        (Credential::AccessKeyId, "awsAccessKeyIDFrom", wire.aws_access_key_id_from.as_ref()),
        (
            Credential::SecretAccessKey,
            "awsSecretAccessKeyFrom",
            wire.aws_secret_access_key_from.as_ref(),
        ),
        (Credential::SessionToken, "awsSessionTokenFrom", wire.aws_session_token_from.as_ref()),
    ]);
    let question = Question::Sqs {
        queue: queue?,
        with_in_flight: wire.scale_on_in_flight.unwrap_or(true),
        with_delayed: wire.scale_on_delayed.unwrap_or_default(),
    };
    let place = Place::Sqs { endpoint: endpoint?, region: region? };
    let server =
        QueueServer { place, credentials: credentials?, timeout: timeout?, reach: Reach::Anywhere };
    Some(QueueAsk { server, question })
}

/// A region's name becomes part of a host's.
fn region(text: &str, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || !text.chars().all(is_plain) {
        reader.fault("awsRegion", "not a region", "write it as AWS does, e.g. `eu-central-1`");
        return None;
    }
    Some(text.into())
}

/// Where SQS is in a region.
fn endpoint_of(region: &str) -> Box<str> {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://sqs.{region}.amazonaws.com{suffix}").into()
}
