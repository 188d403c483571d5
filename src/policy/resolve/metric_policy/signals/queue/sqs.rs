//! The parameters of AWS SQS: `awsSqsQueue`.

use super::{Credential, Place, Question, QueueAsk, QueueServer, Reader, web_url};
use crate::policy::access::is_role;
use crate::policy::queue::reach::Reach;
use crate::policy::queue::{SqsSigner, origin};
use crate::policy::wire::queue::sqs::{IdentityOwner, SqsSignal};

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
    let signer = signer(wire, reader);
    let credentials = reader.credentials(&[
        (Credential::AccessKeyId, "awsAccessKeyIDFrom", wire.aws_access_key_id_from.as_ref()),
        (
            Credential::SecretAccessKey,
            "awsSecretAccessKeyFrom",
            wire.aws_secret_access_key_from.as_ref(),
        ),
        (Credential::SessionToken, "awsSessionTokenFrom", wire.aws_session_token_from.as_ref()),
        (Credential::Role, "awsRoleArnFrom", wire.aws_role_arn_from.as_ref()),
    ]);
    let question = Question::Sqs {
        queue: queue?,
        with_in_flight: wire.scale_on_in_flight.unwrap_or(true),
        with_delayed: wire.scale_on_delayed.unwrap_or_default(),
    };
    let place = Place::Sqs { endpoint: endpoint?, region: region?, signer: signer? };
    let server =
        QueueServer { place, credentials: credentials?, timeout: timeout?, reach: Reach::Anywhere };
    Some(QueueAsk { server, question })
}

/// As whom requests are signed: with an access key, or as Foresail or a role of its.
fn signer(wire: &SqsSignal, reader: &mut Reader<'_>) -> Option<SqsSigner> {
    let SqsSignal { aws_role_arn: role, aws_role_arn_from: role_from, .. } = wire;
    let key = [&wire.aws_access_key_id_from, &wire.aws_secret_access_key_from];
    let has_key = key.iter().any(|it| it.is_some()) || wire.aws_session_token_from.is_some();
    let has_role = role.is_some() || role_from.is_some();
    let is_operator = wire.identity_owner == Some(IdentityOwner::Operator);
    if !is_operator && !has_role {
        if key.iter().all(|it| it.is_some()) {
            return Some(SqsSigner::AccessKey);
        }
        let problem = "an access key is needed, or that Foresail's own identity is asked for";
        let hint = "give `awsAccessKeyIDFrom` and `awsSecretAccessKeyFrom`, or `awsRoleArn`, or \
                    `identityOwner: operator`";
        reader.fault("awsAccessKeyIDFrom", problem, hint);
        return None;
    }
    if has_key {
        let key = if is_operator { "identityOwner" } else { "awsRoleArn" };
        let problem = "goes with no access key: Foresail's own identity is used";
        reader.fault(key, problem, "leave one of the two out");
        return None;
    }
    if role.is_some() && role_from.is_some() {
        let problem = "expected one of `awsRoleArn` and `awsRoleArnFrom`";
        reader.fault("awsRoleArn", problem, "leave one of them out");
        return None;
    }
    if role.as_deref().is_some_and(|it| !is_role(it)) {
        let hint = "write it as AWS does: `arn:aws:iam::123456789012:role/name`";
        reader.fault("awsRoleArn", "not the ARN of a role", hint);
        return None;
    }
    Some(SqsSigner::Foresail { role: role.as_deref().map(Into::into) })
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
