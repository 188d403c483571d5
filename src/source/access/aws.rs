//! Keys of Amazon, and where they are found: a file, the environment, a web identity (IRSA), the
//! agent of a pod (EKS Pod Identity, ECS) or the node; and roles that are assumed with them.

mod node;
mod signature;
mod sts;
mod wire;

pub(in crate::source) use signature::signed;

use super::kept::{Fetched, Kept};
use super::{Hidden, Reach};
use crate::policy::access::Aws;
use crate::source::ReadError;
use aws_credential_types::Credentials;
use std::time::{Duration, Instant, SystemTime};

/// How long keys are used that do not expire: as long as a file or the environment says the same.
const FOREVER: Duration = Duration::ZERO;

/// Keys that sign. They show in no debug text.
pub(in crate::source) type Keys = Credentials;

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
                let sts = sts::Sts::new(&self.of, self.timeout, &self.reach, Some(keys))?;
                sts.assumed(role).await
            }
        }
    }
}

/// Whatever keys there are, and how long they are good.
async fn found(of: &Aws, timeout: Duration, reach: &Reach) -> Result<(Keys, Duration), ReadError> {
    let set = |name: &str| reach.environment.get(name);
    if let Some((path, profile)) = &of.credentials_file {
        return node::of_profile((path, profile), of, timeout, reach).await;
    }
    if let Some((id, secret)) = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY")) {
        return Ok((given(id, secret, set("AWS_SESSION_TOKEN")), FOREVER));
    }
    if let Some((path, role)) = set("AWS_WEB_IDENTITY_TOKEN_FILE").zip(set("AWS_ROLE_ARN")) {
        let token = reach.text(path)?;
        return sts::Sts::new(of, timeout, reach, None)?.of_web_identity(&token, role).await;
    }
    let names = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
    if names.iter().any(|name| set(name).is_some()) {
        return node::of_agent(timeout, reach).await;
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

/// These keys, of which the last is there when they are temporary.
pub(in crate::source) fn given(id: &str, secret: &str, session: Option<&str>) -> Keys {
    // The line break that ends a file is no part of a key.
    let whole = |it: &str| it.trim_end_matches(['\r', '\n']).to_owned();
    Keys::new(whole(id), whole(secret), session.map(whole), None, "foresail")
}

/// What must not be seen of keys.
pub(in crate::source) fn hide(keys: &Keys, hidden: &mut Hidden) {
    hidden.add(keys.access_key_id());
    hidden.add(keys.secret_access_key());
    if let Some(session) = keys.session_token() {
        hidden.add(session);
    }
}

/// How long something is good that expires then.
fn left(expiry: SystemTime, reach: &Reach) -> Duration {
    expiry.duration_since(SystemTime::from((reach.now)())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::Environment;
    use crate::domain::ports::Files;
    use jiff::Timestamp;
    use std::sync::Arc;

    const TEXT: &str = "[default]\naws_access_key_id = A\naws_secret_access_key=b=c\n\n[ other ]\n\
        aws_access_key_id=D\n[program]\ncredential_process = echo {}\n";

    #[derive(Debug)]
    struct One;

    impl Files for One {
        fn content(&self, _: &str) -> Result<Arc<[u8]>, String> {
            Ok(TEXT.as_bytes().into())
        }
    }

    #[tokio::test]
    async fn keys_are_those_of_the_profile_and_no_profile_runs_a_program() {
        let environment = Arc::new(Environment::default());
        let reach = Reach { files: Arc::new(One), environment, now: Timestamp::now };
        let of = Aws { region: None, service: "s".into(), credentials_file: None, role: None };
        let get = async |profile| {
            let found = node::of_profile(("keys", profile), &of, Duration::from_secs(5), &reach);
            found.await
        };
        let (keys, lifetime) = get("default").await.unwrap();
        assert_eq!((keys.access_key_id(), keys.secret_access_key()), ("A", "b=c"));
        assert_eq!((keys.session_token(), lifetime), (None, FOREVER));
        assert!(!format!("{keys:?}").contains("b=c"));
        for profile in ["other", "third", "program"] {
            let problem = format!("`keys` has no keys for the profile {profile}");
            assert_eq!(get(profile).await.map(|_| ()), Err(ReadError::NoCredentials(problem)));
        }
    }
}
