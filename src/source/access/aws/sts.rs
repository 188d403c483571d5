//! Amazon's STS: keys for a token of the cluster, or for a role that the keys' owner may assume.

use super::wire::{Clock, Wire};
use super::{Keys, given, hide, left, region};
use crate::policy::access::{Aws, Role};
use crate::source::ReadError;
use crate::source::access::{Hidden, Reach, grant};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::{BehaviorVersion, Config, IdentityCache, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::error::Error;
use std::time::{Duration, SystemTime};

/// The STS of a region.
pub(super) struct Sts<'s> {
    client: Client,
    wire: Wire,
    reach: &'s Reach,
    /// What no error may show.
    hidden: Hidden,
}

impl<'s> Sts<'s> {
    /// Asked as the owner of these keys, or as nobody.
    pub(super) fn new(
        of: &Aws,
        timeout: Duration,
        reach: &'s Reach,
        keys: Option<Keys>,
    ) -> Result<Self, ReadError> {
        let wire = Wire::new("STS", timeout, reach);
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region(of, reach)?.to_owned()))
            .http_client(wire.clone())
            .time_source(Clock(reach.clone()))
            .sleep_impl(TokioSleep::new())
            .identity_cache(IdentityCache::no_cache())
            // Who needs keys knows when to ask again.
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(reach.environment.get("AWS_ENDPOINT_URL_STS").map(str::to_owned));
        let mut hidden = Hidden::default();
        if let Some(keys) = keys {
            hide(&keys, &mut hidden);
            config = config.credentials_provider(keys);
        }
        Ok(Self { client: Client::from_conf(config.build()), wire, reach, hidden })
    }

    /// Keys of `role` for the token of the pod's service account, and how long they are good.
    pub(super) async fn of_web_identity(
        mut self,
        token: &str,
        role: &str,
    ) -> Result<(Keys, Duration), ReadError> {
        self.hidden.add(token);
        let request = self.client.assume_role_with_web_identity();
        let request = request.role_arn(role).role_session_name(self.session());
        let call = request.web_identity_token(token).send();
        let answer = self.wire.heard(call).await.map_err(|error| self.why(error))?;
        self.keys(answer.credentials())
    }

    /// Keys of a role, and how long they are good.
    pub(super) async fn assumed(&self, role: &Role) -> Result<(Keys, Duration), ReadError> {
        let request = self.client.assume_role().role_arn(&*role.arn);
        let request = request.role_session_name(self.session());
        let call = request.set_external_id(role.external_id.as_deref().map(str::to_owned)).send();
        let answer = self.wire.heard(call).await.map_err(|error| self.why(error))?;
        self.keys(answer.credentials())
    }

    /// As whom the owner of the role sees us.
    fn session(&self) -> &str {
        self.reach.environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("foresail")
    }

    fn keys(&self, told: Option<&Credentials>) -> Result<(Keys, Duration), ReadError> {
        let told = told.ok_or_else(|| self.wire.why(None))?;
        let keys =
            given(told.access_key_id(), told.secret_access_key(), Some(told.session_token()));
        let expiry = SystemTime::try_from(*told.expiration()).map_err(|_| self.wire.why(None))?;
        Ok((keys, left(expiry, self.reach)))
    }

    /// The code of an error; its text may repeat what was asked.
    fn why<E: ProvideErrorMetadata + Error + Send + Sync + 'static>(
        &self,
        error: Option<SdkError<E, HttpResponse>>,
    ) -> ReadError {
        let status = error.as_ref().and_then(SdkError::raw_response).map(|it| it.status());
        match (status, &error) {
            (Some(status), Some(error)) if !status.is_success() => {
                let code = error.code().unwrap_or("no error of STS");
                let code = self.hidden.without(code.to_owned());
                let code: String = code.chars().take(grant::MESSAGE_CHARS_MAX).collect();
                ReadError::NoCredentials(format!("STS answered {}: {code}", status.as_u16()))
            }
            _ => self.wire.why(error.as_ref().map(|it| it as _)),
        }
    }
}
