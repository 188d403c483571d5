//! Amazon's STS: keys for a token of the cluster, or for a role that the keys' owner may assume.

use super::{Keys, left, region, signature};
use crate::domain::secret::Secret;
use crate::policy::access::{Aws, Role, Tls};
use crate::source::ReadError;
use crate::source::access::{Hidden, Reach, grant};
use crate::source::http::Answer;
use std::time::Duration;

const VERSION: (&str, &str) = ("Version", "2011-06-15");

/// The STS of a region.
pub(super) struct Sts<'s> {
    pub(super) of: &'s Aws,
    pub(super) timeout: Duration,
    pub(super) reach: &'s Reach,
}

impl Sts<'_> {
    /// Keys of `role` for the token of the pod's service account, and how long they are good.
    pub(super) async fn of_web_identity(
        &self,
        token: &str,
        role: &str,
    ) -> Result<(Keys, Duration), ReadError> {
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            VERSION,
            ("RoleArn", role),
            ("RoleSessionName", self.session()),
            ("WebIdentityToken", token),
        ];
        self.keys(&form, None).await
    }

    /// Keys of a role for `keys`, and how long they are good.
    pub(super) async fn assumed(
        &self,
        role: &Role,
        keys: &Keys,
    ) -> Result<(Keys, Duration), ReadError> {
        let mut form = vec![
            ("Action", "AssumeRole"),
            VERSION,
            ("RoleArn", &*role.arn),
            ("RoleSessionName", self.session()),
        ];
        form.extend(role.external_id.as_deref().map(|it| ("ExternalId", it)));
        self.keys(&form, Some(keys)).await
    }

    /// As whom the owner of the role sees us.
    fn session(&self) -> &str {
        self.reach.environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("foresail")
    }

    async fn keys(
        &self,
        form: &[(&str, &str)],
        signer: Option<&Keys>,
    ) -> Result<(Keys, Duration), ReadError> {
        let region = region(self.of, self.reach);
        let url = match self.reach.environment.get("AWS_ENDPOINT_URL_STS") {
            Some(url) => url.to_owned(),
            None => endpoint(region.clone()?),
        };
        let clients = grant::client(&url, self.timeout, &Tls::default(), self.reach)?;
        let http = clients.current()?;
        let request = http.client.post(&url).form(form).build().map_err(|_| {
            ReadError::NoCredentials("the request for keys cannot be made".to_owned())
        })?;
        let request = match signer {
            Some(keys) => signature::signed(request, keys, (region?, "sts"), (self.reach.now)())?,
            None => request,
        };
        let request = reqwest::RequestBuilder::from_parts(http.client.clone(), request);
        let Answer { status, body, content_type: _ } =
            http.send(request).await.map_err(|error| grant::why("STS", error))?;
        let text = String::from_utf8_lossy(&body);
        if !(200..300).contains(&status) {
            let code = element(&text, "Code").unwrap_or("no error of STS");
            let mut hidden = Hidden::default();
            form.iter().filter(|it| it.0 == "WebIdentityToken").for_each(|it| hidden.add(it.1));
            if let Some(keys) = signer {
                keys.hide(&mut hidden);
            }
            let code = hidden.without(code.chars().take(grant::MESSAGE_CHARS_MAX).collect());
            return Err(ReadError::NoCredentials(format!("STS answered {status}: {code}")));
        }
        let keys = || {
            let expiration = element(&text, "Expiration")?.parse().ok()?;
            let keys = Keys {
                id: element(&text, "AccessKeyId")?.to_owned(),
                secret: Secret::new(element(&text, "SecretAccessKey")?),
                session: Some(Secret::new(element(&text, "SessionToken")?)),
            };
            Some((keys, left(expiration, self.reach)))
        };
        keys().ok_or_else(|| ReadError::NoCredentials("STS answered no keys".to_owned()))
    }
}

/// Where the STS of a region is.
fn endpoint(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://sts.{region}.amazonaws.com{suffix}/")
}

/// The text of the first element of this name. What STS answers has no attributes and no entities
/// here.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sts_is_in_the_region_and_in_china_elsewhere() {
        assert_eq!(endpoint("eu-west-1"), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(endpoint("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
    }
}
