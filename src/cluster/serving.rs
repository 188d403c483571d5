//! Where Foresail keeps its own serving certificate: a Secret of its namespace, and the `caBundle` of the
//! APIServices that lead to it.

use crate::cluster::{Client, whole};
use crate::domain::kept_certificate::KeptCertificate;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

/// The APIServices that may be Foresail's; `deploy/` gives the right to change these alone.
const API_SERVICES: [&str; 3] = [
    "v1beta1.custom.metrics.k8s.io",
    "v1beta2.custom.metrics.k8s.io",
    "v1beta1.external.metrics.k8s.io",
];
const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// The answer of an API server to a write of what was changed meanwhile.
const CONFLICT: u16 = 409;

/// The Secret and the APIServices could not be read or written, in one sentence without any key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServingFault(String);

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// Another replica was faster; what it wrote is to be read first.
    Overtaken,
}

/// The Secret and the APIServices.
pub struct ServingStore {
    secrets: Api<Secret>,
    services: Api<APIService>,
    secret: String,
    service: String,
    namespace: String,
    /// The Secret as it was read last, for the version that a write must find.
    read: Option<Secret>,
}

impl ServingStore {
    /// The Secret `secret` and the Service `service` in the client's own namespace.
    #[must_use]
    pub fn new(client: Client, secret: &str, service: &str) -> Self {
        let namespace = client.default_namespace().to_owned();
        Self {
            secrets: Api::namespaced(client.clone(), &namespace),
            services: Api::all(client),
            secret: secret.to_owned(),
            service: service.to_owned(),
            namespace,
            read: None,
        }
    }

    /// The Service in front of Foresail and its namespace.
    #[must_use]
    pub fn service(&self) -> (&str, &str) {
        (&self.service, &self.namespace)
    }

    /// What is kept now.
    ///
    /// # Errors
    /// `ServingFault` when the Secret is absent or cannot be read.
    pub async fn read(&mut self) -> Result<KeptCertificate, ServingFault> {
        let name = &self.secret;
        let found = self.secrets.get_opt(name).await;
        let found = found.map_err(|error| self.fault("read", &error))?;
        let found = found.ok_or_else(|| {
            let namespace = &self.namespace;
            ServingFault(format!("the Secret {namespace}/{name} does not exist; create it empty"))
        })?;
        let kept = kept(&found);
        self.read = Some(found);
        Ok(kept)
    }

    /// Writes what is to be kept, over what was read.
    ///
    /// # Errors
    /// `ServingFault` when it cannot be written.
    pub async fn write(&mut self, kept: &KeptCertificate) -> Result<Written, ServingFault> {
        let mut secret = self.read.clone().unwrap_or_default();
        let data = secret.data.get_or_insert_default();
        data.extend(
            [
                (AUTHORITIES, &kept.authorities),
                (AUTHORITY_KEY, &kept.authority_key),
                (CERTIFICATE, &kept.certificate),
                (KEY, &kept.key),
            ]
            .map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))),
        );
        match self.secrets.replace(&self.secret, &PostParams::default(), &secret).await {
            Ok(written) => {
                self.read = Some(written);
                Ok(Written::Done)
            }
            Err(kube::Error::Api(status)) if status.code == CONFLICT => Ok(Written::Overtaken),
            Err(error) => Err(self.fault("write", &error)),
        }
    }

    /// Makes kube-apiserver trust `authorities`, and nothing else, where it is sent to Foresail. An
    /// APIService of another server is left alone. True when all that there are name them.
    ///
    /// # Errors
    /// `ServingFault` when one cannot be read or written.
    pub async fn publish(&self, authorities: &str) -> Result<bool, ServingFault> {
        let mut is_trusted = true;
        for name in API_SERVICES {
            let fault = |error: &kube::Error| {
                ServingFault(format!(
                    "cannot set the caBundle of APIService {name}: {}",
                    whole(error)
                ))
            };
            let found = self.services.get_opt(name).await.map_err(|error| fault(&error))?;
            let Some(found) = found.filter(|it| self.leads_here(it)) else { continue };
            let Some(patch) = patch(&found, authorities) else { continue };
            let patched =
                self.services.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
            match patched {
                Ok(_) => tracing::info!(name, "the APIService names the own authority"),
                Err(kube::Error::Api(status)) if status.code == CONFLICT => is_trusted = false,
                Err(error) => return Err(fault(&error)),
            }
        }
        Ok(is_trusted)
    }

    fn leads_here(&self, service: &APIService) -> bool {
        let to = service.spec.as_ref().and_then(|spec| spec.service.as_ref());
        to.is_some_and(|it| {
            it.name.as_ref() == Some(&self.service)
                && it.namespace.as_ref() == Some(&self.namespace)
        })
    }

    fn fault(&self, verb: &str, error: &kube::Error) -> ServingFault {
        let (namespace, name) = (&self.namespace, &self.secret);
        ServingFault(format!("cannot {verb} the Secret {namespace}/{name}: {}", whole(error)))
    }
}

impl fmt::Debug for ServingStore {
    /// Without what was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingStore").field("secret", &self.secret).finish_non_exhaustive()
    }
}

fn kept(secret: &Secret) -> KeptCertificate {
    let empty = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    let text = |key: &str| {
        data.get(key).and_then(|it| String::from_utf8(it.0.clone()).ok()).unwrap_or_default()
    };
    KeptCertificate {
        authorities: text(AUTHORITIES),
        authority_key: text(AUTHORITY_KEY),
        certificate: text(CERTIFICATE),
        key: text(KEY),
    }
}

/// What has to change for `authorities` to be trusted alone, as of the version that was read; `None` if
/// nothing.
fn patch(found: &APIService, authorities: &str) -> Option<serde_json::Value> {
    let spec = found.spec.as_ref()?;
    let named = spec.ca_bundle.as_ref().map(|it| it.0.as_slice());
    let skips = spec.insecure_skip_tls_verify == Some(true);
    if named == Some(authorities.as_bytes()) && !skips {
        return None;
    }
    let bundle = ByteString(authorities.as_bytes().to_vec());
    Some(json!({
        "metadata": {"resourceVersion": found.metadata.resource_version},
        "spec": {"caBundle": bundle, "insecureSkipTLSVerify": false},
    }))
}
