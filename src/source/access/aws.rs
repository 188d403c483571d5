//! Keys of Amazon, and where they are found: a file, the environment, a web identity (IRSA), the
//! agent of a pod (EKS Pod Identity, ECS) or the node; and roles that are assumed with them.

mod node;
mod signature;
mod sts;

pub(in crate::source) use signature::signed;

use super::kept::{Fetched, Kept};
use super::{Hidden, Reach};
use crate::domain::secret::Secret;
use crate::policy::access::Aws;
use crate::source::ReadError;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How long keys are used that do not expire: as long as a file or the environment says the same.
const FOREVER: Duration = Duration::ZERO;

/// Keys that sign.
#[derive(Clone, Debug)]
pub(in crate::source) struct Keys {
    id: String,
    secret: Secret,
    session: Option<Secret>,
}

/// Who asks Amazon: keys that are kept until they expire.
#[derive(Debug)]
pub(in crate::source) struct Identity {
    of: Aws,
    timeout: Duration,
    reach: Reach,
    keys: Kept<Keys>,
}

impl Identity {
    /// Whoever the configuration or a policy says. Asks nobody yet; an answer may take `timeout`.
    pub(in crate::source) fn new(of: &Aws, timeout: Duration, reach: &Reach) -> Self {
        Self { of: of.clone(), timeout, reach: reach.clone(), keys: Kept::default() }
    }

    /// The keys that are good now.
    pub(in crate::source) async fn keys(&self, now: Instant) -> Result<Fetched<Keys>, ReadError> {
        self.keys.get(now, Box::pin(self.fetch())).await
    }

    /// Somebody was refused with the keys that were fetched at `used`; answers whether there may be
    /// better ones now.
    pub(in crate::source) async fn refused(&self, used: Instant, now: Instant) -> bool {
        self.keys.refused(used, now).await
    }

    /// Keys, and how long they are good.
    async fn fetch(&self) -> Result<(Keys, Duration), ReadError> {
        let (keys, lifetime) = found(&self.of, self.timeout, &self.reach).await?;
        match &self.of.role {
            None => Ok((keys, lifetime)),
            Some(role) => {
                let sts = sts::Sts { of: &self.of, timeout: self.timeout, reach: &self.reach };
                sts.assumed(role, &keys).await
            }
        }
    }
}

/// Whatever keys there are, and how long they are good.
async fn found(of: &Aws, timeout: Duration, reach: &Reach) -> Result<(Keys, Duration), ReadError> {
    let set = |name: &str| reach.environment.get(name);
    if let Some((path, profile)) = &of.credentials_file {
        let keys = of_profile(&reach.text(path)?, profile).ok_or_else(|| {
            ReadError::NoCredentials(format!("`{path}` has no keys for the profile {profile}"))
        })?;
        return Ok((keys, FOREVER));
    }
    if let Some((id, secret)) = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY")) {
        return Ok((Keys::new(id, secret, set("AWS_SESSION_TOKEN")), FOREVER));
    }
    if let Some((path, role)) = set("AWS_WEB_IDENTITY_TOKEN_FILE").zip(set("AWS_ROLE_ARN")) {
        let token = reach.text(path)?;
        return sts::Sts { of, timeout, reach }.of_web_identity(&token, role).await;
    }
    let relative = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let relative = relative.map(|it| format!("http://169.254.170.2{it}"));
    if let Some(url) = set("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(str::to_owned).or(relative) {
        return node::of_agent(&url, timeout, reach).await;
    }
    if set("AWS_EC2_METADATA_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
        let problem = "no keys: the environment names neither keys nor a web identity nor an agent";
        return Err(ReadError::NoCredentials(problem.to_owned()));
    }
    node::of_node(timeout, reach).await
}

/// The region in which `of` signs.
pub(super) fn region<'r>(of: &'r Aws, reach: &'r Reach) -> Result<&'r str, ReadError> {
    let environment = || {
        let set = |name| reach.environment.get(name);
        set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"))
    };
    of.region.as_deref().or_else(environment).ok_or_else(|| {
        let problem = "no region: write `region`, or set AWS_REGION";
        ReadError::NoCredentials(problem.to_owned())
    })
}

impl Keys {
    /// These, of which the last is there when they are temporary.
    pub(in crate::source) fn new(id: &str, secret: &str, session: Option<&str>) -> Self {
        let session = session.map(Secret::new);
        Self { id: id.to_owned(), secret: Secret::new(secret), session }
    }

    /// What must not be seen of them.
    pub(in crate::source) fn hide(&self, hidden: &mut Hidden) {
        hidden.add(&self.id);
        hidden.add(self.secret.reveal());
        if let Some(session) = &self.session {
            hidden.add(session.reveal());
        }
    }
}

/// The keys of a profile in a file as AWS' own tools write it.
fn of_profile(text: &str, profile: &str) -> Option<Keys> {
    let mut is_ours = false;
    let (mut id, mut secret, mut session) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_ours = name.trim() == profile;
        } else if let Some((key, text)) = line.split_once('=').filter(|_| is_ours) {
            match key.trim() {
                "aws_access_key_id" => id = Some(text.trim()),
                "aws_secret_access_key" => secret = Some(text.trim()),
                "aws_session_token" => session = Some(text.trim()),
                _ => {}
            }
        }
    }
    Some(Keys::new(id?, secret?, session))
}

/// How long something is good that expires then.
fn left(expiration: Timestamp, reach: &Reach) -> Duration {
    let left = expiration.duration_since((reach.now)());
    Duration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_profile() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=b=c\n\n[ other ]\n\
            aws_access_key_id=D\n";
        let keys = of_profile(text, "default").unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.reveal()), ("A", "b=c"));
        assert!(keys.session.is_none());
        assert!(of_profile(text, "other").is_none(), "half of the keys");
        assert!(of_profile(text, "third").is_none());
        assert!(!format!("{keys:?}").contains("b=c"));
    }
}
