//! A queue of AWS SQS, as people write it.

use super::CredentialSource;
use schemars::JsonSchema;
use serde::Deserialize;

/// The messages in a queue of AWS SQS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqsSignal {
    /// The queue's URL.
    #[serde(rename = "queueURL")]
    pub queue_url: String,
    /// The queue's region.
    pub aws_region: String,
    /// Where SQS is, e.g. behind an endpoint of a VPC; where the queue's URL says when left out.
    pub aws_endpoint: Option<String>,
    /// Whether messages count that somebody is working on; they do when left out.
    pub scale_on_in_flight: Option<bool>,
    /// Whether messages count that nobody may see yet; they do not when left out.
    pub scale_on_delayed: Option<bool>,
    /// The id of the access key.
    #[serde(rename = "awsAccessKeyIDFrom")]
    pub aws_access_key_id_from: Option<CredentialSource>,
    /// The access key.
    pub aws_secret_access_key_from: Option<CredentialSource>,
    /// The token of a temporary access key.
    pub aws_session_token_from: Option<CredentialSource>,
    /// Whose identity signs; that of the access key when left out.
    pub identity_owner: Option<IdentityOwner>,
    /// The role that Foresail assumes in the place of an access key.
    pub aws_role_arn: Option<String>,
    /// The same, where that is a secret.
    pub aws_role_arn_from: Option<CredentialSource>,
    /// How long one read may take; 5s when left out.
    pub timeout: Option<String>,
}

/// Whose identity signs what is asked of AWS.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum IdentityOwner {
    /// That of whoever wrote the policy: its access key, or its role.
    Pod,
    /// Foresail's own, where the operator lends it.
    Operator,
}
