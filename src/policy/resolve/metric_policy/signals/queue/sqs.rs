//! The parameters of AWS SQS: `awsSqsQueue`.

use super::{Credential, Place, Question, QueueAsk, QueueServer, Reader, web_url};
use crate::policy::wire::queue::SqsSignal;

/// A queue, and which of its messages count.
pub(super) fn queue(wire: &SqsSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let queue = web_url("queueURL", &wire.queue_url, reader);
    let endpoint = match &wire.aws_endpoint {
        Some(endpoint) => web_url("awsEndpoint", endpoint, reader),
        None => queue.as_deref().map(|it| crate::policy::queue::origin(it).into()),
    };
    let region = reader.text("awsRegion", &wire.aws_region);
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
    let server = QueueServer { place, credentials: credentials?, timeout: timeout? };
    Some(QueueAsk { server, question })
}
