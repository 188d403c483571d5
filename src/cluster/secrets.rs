//! Reads the Secrets that policies refer to, each by its name.
//!
//! Foresail's own role has no right to any Secret: whoever owns a namespace grants `get` on the
//! ones that policies there refer to, in a Role of their own. Nothing is listed and nothing is
//! watched, so that this grant is all that it takes.

use crate::cluster::{Client, whole};
use crate::domain::limits;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::ports::{SecretUnknown, Secrets};
use crate::domain::secret::{Secret, SecretRef};
use k8s_openapi::api::core::v1;
use kube::Api;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;

/// The Secrets of the cluster, remembered for `limits::SECRET_TTL`.
pub struct ClusterSecrets {
    client: Client,
    known: std::sync::Mutex<BTreeMap<Place, Arc<Slot>>>,
}

/// Which Secret.
type Place = (Namespace, ObjectName);

/// What is known of one; locked while it is read, so that a thousand policies cause one read.
type Slot = Mutex<Option<Known>>;

/// The answer of the API server, also when it was a refusal: that is remembered too.
struct Known {
    at: Instant,
    data: Result<BTreeMap<String, Secret>, SecretUnknown>,
}

impl ClusterSecrets {
    /// Reads through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, known: std::sync::Mutex::default() }
    }

    fn slot(&self, place: &Place) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Those that nobody asks for any more go when somebody new comes.
        if !known.contains_key(place) {
            known.retain(|_, slot| {
                let unused = slot.try_lock().is_ok_and(|it| !it.as_ref().is_some_and(is_fresh));
                !unused
            });
        }
        Arc::clone(known.entry(place.clone()).or_default())
    }

    async fn value(&self, place: &Place, key: &str) -> Result<Secret, SecretUnknown> {
        let slot = self.slot(place);
        let mut known = slot.lock().await;
        let fresh = match known.take().filter(is_fresh) {
            Some(fresh) => fresh,
            None => Known { at: Instant::now(), data: self.read(place).await },
        };
        let value = fresh.data.as_ref().map_err(Clone::clone).and_then(|data| {
            let (namespace, name) = place;
            let missing = || SecretUnknown(format!("Secret {namespace}/{name} has no key `{key}`"));
            data.get(key).cloned().ok_or_else(missing)
        });
        *known = Some(fresh);
        value
    }

    async fn read(
        &self,
        (namespace, name): &Place,
    ) -> Result<BTreeMap<String, Secret>, SecretUnknown> {
        let api: Api<v1::Secret> = Api::namespaced(self.client.clone(), namespace.as_str());
        let secret = api.get(name.as_str()).await.map_err(|error| {
            let which = format!("Secret {namespace}/{name}");
            SecretUnknown(match &error {
                kube::Error::Api(status) if status.code == 404 => format!("{which} does not exist"),
                kube::Error::Api(status) if status.code == 403 => format!(
                    "{which} may not be read: grant Foresail's service account `get` on it, in a \
                     Role of that namespace"
                ),
                _ => format!("{which}: {}", whole(&error)),
            })
        })?;
        let data = secret.data.unwrap_or_default().into_iter();
        // What is no text is no credential; asking for it says that it is not there.
        let texts = data.filter(|(_, bytes)| bytes.0.len() <= limits::SECRET_BYTES_MAX);
        let texts = texts.filter_map(|(key, bytes)| {
            Some((key, Secret::new(std::str::from_utf8(&bytes.0).ok()?)))
        });
        Ok(texts.collect())
    }
}

fn is_fresh(known: &Known) -> bool {
    known.at.elapsed() < limits::SECRET_TTL
}

impl Secrets for ClusterSecrets {
    fn get<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> Pin<Box<dyn Future<Output = Result<Secret, SecretUnknown>> + Send + 'a>> {
        Box::pin(async move {
            match reference {
                SecretRef::Key { namespace, secret, key } => {
                    self.value(&(namespace.clone(), secret.clone()), key).await
                }
                SecretRef::File(_) => {
                    Err(SecretUnknown(format!("{reference} is not in the cluster")))
                }
            }
        })
    }

    fn forget(&self, reference: &SecretRef) {
        let SecretRef::Key { namespace, secret, .. } = reference else { return };
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = (namespace.clone(), secret.clone());
        // Refused again and again by a server, it is read again no oftener than that.
        let is_young = known.get(&place).is_some_and(|slot| {
            slot.try_lock().map_or(true, |it| {
                it.as_ref().is_some_and(|it| it.at.elapsed() < limits::SECRET_REREAD)
            })
        });
        if !is_young {
            known.remove(&place);
        }
    }
}

impl fmt::Debug for ClusterSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecrets").finish_non_exhaustive()
    }
}
