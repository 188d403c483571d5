//! Tokens of Google: of the machine's own account, of a service account by its key file, or for the
//! token of another platform (workload identity federation). `google-cloud-auth` signs and asks.

use super::Reach;
use super::grant::{self, MESSAGE_CHARS_MAX, Token};
use crate::domain::error_chain::ErrorChain;
use crate::source::ReadError;
use crate::source::http::innermost;
use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::service_account::AccessSpecifier;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, mds, service_account,
};
use google_cloud_auth::errors::CredentialsError;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;
use tracing::subscriber::{NoSubscriber, with_default};

/// How long a token is used. The crate does not say how long it is good, but renews one for itself
/// four minutes before it expires; Google's metadata server gives none that expires earlier.
const LIFETIME: Duration = Duration::from_secs(240);
/// How the machine's server is called in errors.
const MACHINE: &str = "the metadata server";

/// Whose token.
enum Account {
    /// The machine's own, which this server tells.
    Machine(Option<String>),
    /// That of a key file.
    Service(Box<Value>),
    /// One of another platform.
    External(Box<Value>),
}

/// Why there is no token.
enum Failed {
    Runtime,
    Building,
    Asking(CredentialsError),
    Late,
}

/// A token for `scope`.
pub(super) async fn token(
    scope: &str,
    credentials_file: Option<&str>,
    timeout: Duration,
    reach: &Reach,
) -> Result<Token, ReadError> {
    let set = |name| reach.environment.get(name);
    let path = credentials_file.or(set("GOOGLE_APPLICATION_CREDENTIALS"));
    let account = match path {
        None => Account::Machine(set("GCE_METADATA_HOST").map(|it| format!("http://{it}"))),
        Some(path) => of_file(path, reach)?,
    };
    let why = account.why(path.unwrap_or_default());
    let scope = scope.to_owned();
    // At its most talkative its HTTP tells the log about connections; a panic is the crate's way to
    // say that the machine has no authorities.
    let fetch = move || with_default(NoSubscriber::new(), || account.token(scope, timeout));
    match spawn_blocking(fetch).await {
        Ok(Ok(token)) => Ok((token, LIFETIME)),
        Ok(Err(Failed::Late)) => Err(grant::why(why.whose, ReadError::TimedOut(timeout))),
        Ok(Err(Failed::Building)) => Err(why.unfit()),
        Ok(Err(Failed::Asking(error))) => Err(why.told(&error)),
        Ok(Err(Failed::Runtime)) | Err(_) => {
            Err(ReadError::NoCredentials("no client for tokens can be made".to_owned()))
        }
    }
}

/// What a file is of.
fn of_file(path: &str, reach: &Reach) -> Result<Account, ReadError> {
    let unfit = |why: &str| ReadError::NoCredentials(format!("`{path}` {why}"));
    // What is wrong with the JSON may quote the key.
    let file: Value =
        serde_json::from_str(&reach.text(path)?).map_err(|_| unfit("is no key file of Google"))?;
    match file.get("type").and_then(Value::as_str) {
        Some("service_account") => Ok(Account::Service(Box::new(file))),
        Some("external_account") => {
            let source = file.get("credential_source");
            // Whoever may write a file may not run programs by that.
            if source.is_some_and(|it| it.get("executable").is_some()) {
                return Err(unfit("wants to run a program for its token"));
            }
            Ok(Account::External(Box::new(file)))
        }
        Some(_) => Err(unfit("is of neither a service account nor an external account")),
        None => Err(unfit("is no key file of Google")),
    }
}

impl Account {
    /// A token, asked for in a runtime of its own: the crate asks without a deadline in a task of its
    /// own, which renews the token for ever, and both end with the runtime.
    fn token(self, scope: String, timeout: Duration) -> Result<String, Failed> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime: Runtime = runtime.map_err(|_| Failed::Runtime)?;
        let asked = runtime.block_on(async {
            let credentials = self.credentials(scope).map_err(|_| Failed::Building)?;
            match tokio::time::timeout(timeout, credentials.access_token()).await {
                Ok(answered) => answered.map(|it| it.token).map_err(Failed::Asking),
                Err(_) => Err(Failed::Late),
            }
        });
        runtime.shutdown_background();
        asked
    }

    fn credentials(self, scope: String) -> Result<AccessTokenCredentials, BuildError> {
        match self {
            Self::Machine(server) => {
                let builder = mds::Builder::default().with_scopes([scope]);
                let builder = match server {
                    Some(server) => builder.with_endpoint(server),
                    None => builder,
                };
                builder.build_access_token_credentials()
            }
            Self::Service(key) => service_account::Builder::new(*key)
                .with_access_specifier(AccessSpecifier::from_scopes([scope]))
                .build_access_token_credentials(),
            Self::External(file) => external_account::Builder::new(*file)
                .with_scopes([scope])
                .build_access_token_credentials(),
        }
    }

    fn why(&self, path: &str) -> Why {
        let (whose, unfit) = match self {
            Self::Machine(_) => (MACHINE, "names no server for tokens"),
            Self::Service(_) => ("the key", "has no RSA key in PKCS#8 that can sign"),
            Self::External(_) => (grant::TOKEN_ENDPOINT, "is no file of an external account"),
        };
        Why {
            whose,
            unfit: format!("`{path}` {unfit}"),
            is_signed: matches!(self, Self::Service(_)),
        }
    }
}

/// What is told when there is no token.
struct Why {
    whose: &'static str,
    unfit: String,
    /// Whether nobody is asked.
    is_signed: bool,
}

impl Why {
    fn unfit(&self) -> ReadError {
        ReadError::NoCredentials(self.unfit.clone())
    }

    fn told(&self, error: &CredentialsError) -> ReadError {
        let whose = self.whose;
        if self.is_signed {
            return self.unfit();
        }
        let mut http = None;
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(it) = cause {
            http = it.downcast_ref::<reqwest::Error>().or(http);
            cause = it.source();
        }
        match http {
            Some(error) => match error.status() {
                Some(status) => {
                    ReadError::NoCredentials(format!("{whose} answered {}", status.as_u16()))
                }
                None => grant::why(whose, ReadError::Unreachable(innermost(error))),
            },
            // The machine's server was shown nothing that is secret.
            None if whose == MACHINE => {
                let text: String =
                    ErrorChain(error).to_string().chars().take(MESSAGE_CHARS_MAX).collect();
                ReadError::NoCredentials(format!("{whose}: {text}"))
            }
            None => ReadError::NoCredentials(format!("{whose} gave no token")),
        }
    }
}
