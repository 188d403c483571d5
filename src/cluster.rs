//! The cluster: the only room that holds a Kubernetes client. In comes what kube-apiserver knows
//! about policies, pods, HPAs and what they scale, about its resources and their objects, and about whom
//! to trust; out go the questions whose a token is and what a user may do.
//!
//! Written are the status of policies, the Lease of the replica that writes it and, where Foresail keeps
//! its own serving certificate, one Secret and the `caBundle` of its own APIServices; and events about the
//! APIService of external metrics; nothing else. Of
//! the pods and of what else rules are about only the metadata is read; whole pods where a policy has its
//! lead time measured or reads their pages. Secrets are read one by one, where a policy refers to one
//! and its namespace grants that.

pub mod beside;
pub mod external_api;
pub mod hpas;
pub mod lease;
mod namespaces;
pub mod objects;
pub mod places;
pub mod pods;
pub mod policies;
pub mod resources;
pub mod reviews;
pub mod secrets;
pub mod serving;
pub mod starts;
pub mod status;
pub mod targets;
pub mod tokens;
pub mod trust;
mod watching;

pub use watching::Progress;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::Config;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use std::error::Error;
use std::path::{Path, PathBuf};

/// A connection to kube-apiserver; cheap to clone. Only this room can do something with it.
pub type Client = kube::Client;

/// Why there is no cluster to talk to, or why it is not understood.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The named kubeconfig is not usable.
    #[error("failed to use the kubeconfig `{path}`: {problem}")]
    Kubeconfig {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no kubeconfig where one is looked for, and this is no pod.
    #[error(
        "found no cluster: not in a pod, and no usable kubeconfig at KUBECONFIG or in the home \
         folder: {problem}"
    )]
    NoCluster {
        /// What is wrong with the kubeconfig.
        problem: String,
    },
    /// This is a pod, but its service account is not usable.
    #[error("failed to use the pod's service account: {problem}")]
    ServiceAccount {
        /// What is wrong with it.
        problem: String,
    },
    /// The client cannot be made from a configuration that was read.
    #[error("failed to make a client for `{server}`: {problem}")]
    Client {
        /// The API server's address.
        server: String,
        /// What is wrong.
        problem: String,
    },
    /// The ConfigMap that says whom to trust has content that is not understood.
    #[error(
        "the key `{key}` of ConfigMap kube-system/extension-apiserver-authentication {problem}"
    )]
    Trust {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The API server answered a review without a decision.
    #[error("the SubjectAccessReview came back without a status")]
    NoDecision,
    /// The API server answered the question for a token's owner with nothing.
    #[error("the TokenReview came back without a status")]
    NoOwner,
}

/// Makes a client: from the kubeconfig at `kubeconfig` when given; else from the pod's service
/// account; else from `KUBECONFIG` or the home folder. Nothing is sent yet.
///
/// # Errors
/// `ClusterError` with what was looked for and what is wrong with it.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ClusterError> {
    let config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => inferred().await?,
    };
    client(config)
}

fn client(mut config: Config) -> Result<Client, ClusterError> {
    let agent = HeaderValue::from_static(concat!("foresail/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    let server = config.cluster_url.to_string();
    Client::try_from(config)
        .map_err(|error| ClusterError::Client { server, problem: whole(&error) })
}

async fn from_file(path: &Path) -> Result<Config, ClusterError> {
    let unusable = |problem| ClusterError::Kubeconfig { path: path.into(), problem };
    let file = Kubeconfig::read_from(path).map_err(|error| unusable(whole(&error)))?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(whole(&error)))
}

async fn inferred() -> Result<Config, ClusterError> {
    match Config::incluster() {
        Ok(config) => Ok(config),
        // The variables that every pod has are missing.
        Err(InClusterError::ReadEnvironmentVariable(_)) => {
            Config::from_kubeconfig(&KubeConfigOptions::default())
                .await
                .map_err(|error| ClusterError::NoCluster { problem: whole(&error) })
        }
        Err(error) => Err(ClusterError::ServiceAccount { problem: whole(&error) }),
    }
}

/// An error of the client library with its causes. Some of its errors repeat their cause and some
/// do not, so what was said already is left out. What the API server answers is told in its own
/// words; the library would add the whole answer as it is in memory.
fn whole(error: &(dyn Error + 'static)) -> String {
    if let Some(status) = refusal(error) {
        return format!("kube-apiserver answered {}: {}", status.code, status.message);
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// What the API server answered, where that is the cause.
fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
            return Some(status);
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher;

    #[tokio::test]
    async fn an_unusable_kubeconfig_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let error = connect(Some(&path)).await.err().unwrap().to_string();
        assert!(error.contains("config`: ") && error.contains("No such file"), "{error}");
        for content in ["{", "apiVersion: v1\nkind: Config\ncurrent-context: a\n"] {
            std::fs::write(&path, content).unwrap();
            let error = connect(Some(&path)).await.err().unwrap();
            assert!(matches!(error, ClusterError::Kubeconfig { .. }), "{error}");
        }
    }

    #[test]
    fn a_refusal_of_the_api_server_is_told_in_its_own_words() {
        let status =
            Status { code: 403, message: "pods is forbidden".to_owned(), ..Status::default() };
        let error = watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)));
        assert_eq!(whole(&error), "kube-apiserver answered 403: pods is forbidden");
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Repeating(#[source] std::io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("silent")]
        struct Silent(#[source] Repeating);
        let error = Silent(Repeating(std::io::Error::other("refused")));
        assert_eq!(whole(&error), "silent: outer: refused");
    }
}
