//! Keys that stand in a file, or that the platform under the pod gives: the agent of EKS Pod Identity
//! or ECS, or the node. `aws-config` reads and asks.

use super::wire::{Clock, Wire};
use super::{FOREVER, Keys, left, region};
use crate::policy::access::Aws;
use crate::source::ReadError;
use crate::source::access::Reach;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::config::Region;
use aws_smithy_async::rt::sleep::TokioSleep;
use std::time::Duration;

/// Where a node of Amazon tells about itself, and where by IPv6.
const METADATA: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// Keys of a profile in a file as AWS' own tools write it, and how long they are good.
pub(super) async fn of_profile(
    (path, profile): (&str, &str),
    of: &Aws,
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let wire = Wire::new("STS", timeout, reach);
    let text = reach.text(path)?;
    let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Credentials, text);
    let region = region(of, reach).ok().map(|it| Region::new(it.to_owned()));
    let config = config(&wire, reach).with_region(region);
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(profile)
        .profile_files(files.build())
        .build();
    keys(&wire, &provider, reach).await.map_err(|error| match error {
        // What is wrong with the file may quote a key.
        Some(_) if !wire.was_used() => {
            ReadError::NoCredentials(format!("`{path}` has no keys for the profile {profile}"))
        }
        _ => wire.why(None),
    })
}

/// Keys that the agent of the pod gives, and how long they are good.
pub(super) async fn of_agent(
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let wire = Wire::new("the agent for credentials", timeout, reach);
    let provider = EcsCredentialsProvider::builder().configure(&config(&wire, reach)).build();
    keys(&wire, &provider, reach).await.map_err(|it| wire.why(it.as_ref().map(|it| it as _)))
}

/// Keys of the role that the node has, by the second version of its service: the first one answers
/// to whoever can have a pod send a request.
pub(super) async fn of_node(
    timeout: Duration,
    reach: &Reach,
) -> Result<(Keys, Duration), ReadError> {
    let whose = "the node's metadata service (IMDSv2; the environment names no keys)";
    let wire = Wire::new(whose, timeout, reach);
    let set = |name| reach.environment.get(name);
    let [of_four, of_six] = METADATA;
    let is_six = set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
        .is_some_and(|it| it.eq_ignore_ascii_case("ipv6"));
    let base = if is_six { of_six } else { of_four };
    let base = set("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(base);
    let config = config(&wire, reach);
    let client = imds::Client::builder()
        .configure(&config)
        // A read that gets nothing asks again by its own rules.
        .max_attempts(1)
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout)
        .endpoint(base.trim_end_matches('/'))
        .map_err(|_| ReadError::NoCredentials(format!("{whose} has no URL")))?
        .build();
    let provider =
        ImdsCredentialsProvider::builder().configure(&config).imds_client(client).build();
    keys(&wire, &provider, reach).await.map_err(|error| match &error {
        // The only one that says what to do.
        Some(CredentialsError::InvalidConfiguration(_)) => {
            let hint = "does its role trust ec2.amazonaws.com?";
            ReadError::NoCredentials(format!("{whose} answered no keys: {hint}"))
        }
        _ => wire.why(error.as_ref().map(|it| it as _)),
    })
}

/// What the crate needs to ask anybody.
fn config(wire: &Wire, reach: &Reach) -> ProviderConfig {
    ProviderConfig::empty()
        .with_http_client(wire.clone())
        .with_time_source(Clock(reach.clone()))
        .with_sleep_impl(TokioSleep::new())
}

async fn keys(
    wire: &Wire,
    provider: &impl ProvideCredentials,
    reach: &Reach,
) -> Result<(Keys, Duration), Option<CredentialsError>> {
    let keys = wire.heard(provider.provide_credentials()).await?;
    let lifetime = keys.expiry().map_or(FOREVER, |it| left(it, reach));
    Ok((keys, lifetime))
}
