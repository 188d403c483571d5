//! Where credentials come from: files beside the adapter, read here whenever they are needed, and
//! Secrets of the cluster, once there is one.

use crate::domain::limits;
use crate::domain::ports::{SecretUnknown, Secrets};
use crate::domain::secret::{Secret, SecretRef};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use tokio::io::AsyncReadExt;

/// All credentials that policies refer to.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    cluster: OnceLock<Arc<dyn Secrets>>,
}

impl Vault {
    /// From now on, Secrets are read from there.
    pub(crate) fn open_cluster(&self, secrets: Arc<dyn Secrets>) {
        // It is opened once, by the composition root; a second time would change nothing.
        drop(self.cluster.set(secrets));
    }
}

impl Secrets for Vault {
    fn get<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> Pin<Box<dyn Future<Output = Result<Secret, SecretUnknown>> + Send + 'a>> {
        Box::pin(async move {
            match (reference, self.cluster.get()) {
                (SecretRef::File(path), _) => from_file(path).await,
                (SecretRef::Key { .. }, Some(cluster)) => cluster.get(reference).await,
                (SecretRef::Key { .. }, None) => {
                    let why = "needs a cluster (--standalone has none; use a `file`)";
                    Err(SecretUnknown(format!("{reference} {why}")))
                }
            }
        })
    }

    fn forget(&self, reference: &SecretRef) {
        // Files are not remembered.
        if let (SecretRef::Key { .. }, Some(cluster)) = (reference, self.cluster.get()) {
            cluster.forget(reference);
        }
    }
}

/// A file is small and in the page cache: reading it each time costs less than knowing whether it
/// changed.
async fn from_file(path: &Path) -> Result<Secret, SecretUnknown> {
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mut text = String::new();
        let most = u64::try_from(limits::SECRET_BYTES_MAX).unwrap_or(u64::MAX);
        file.take(most.saturating_add(1)).read_to_string(&mut text).await?;
        Ok::<String, std::io::Error>(text)
    };
    let shown = path.display();
    let text = read.await.map_err(|error| SecretUnknown(format!("file `{shown}`: {error}")))?;
    if text.len() > limits::SECRET_BYTES_MAX {
        let most = limits::SECRET_BYTES_MAX;
        return Err(SecretUnknown(format!("file `{shown}` is larger than {most} bytes")));
    }
    Ok(Secret::new(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_each_time_and_a_secret_needs_a_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let file = SecretRef::File(path.as_path().into());
        let vault = Vault::default();
        assert!(vault.get(&file).await.unwrap_err().to_string().contains("No such file"));
        for password in ["one", "two"] {
            std::fs::write(&path, format!("{password}\n")).unwrap();
            assert_eq!(vault.get(&file).await, Ok(Secret::new(password)));
        }
        std::fs::write(&path, vec![b'x'; limits::SECRET_BYTES_MAX + 1]).unwrap();
        assert!(vault.get(&file).await.unwrap_err().to_string().contains("larger than"));
        let key = SecretRef::Key {
            namespace: crate::domain::name::Namespace::new("jobs").unwrap(),
            secret: crate::domain::name::ObjectName::new("redis").unwrap(),
            key: "password".into(),
        };
        let error = vault.get(&key).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "key `password` of Secret jobs/redis needs a cluster (--standalone has none; use a `file`)"
        );
    }
}
