//! Reads the manifests of another tool and says them in Foresail's words.

use crate::domain::limits;
use crate::import::prometheus_adapter;
use crate::import::{self, File, Imported, Remark};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What prometheus-adapter was told by flags about its Prometheus.
pub type Server = prometheus_adapter::Server;

/// Whose manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// KEDA: ScaledObjects and TriggerAuthentications.
    Keda,
    /// zalando's kube-metrics-adapter: HPAs with annotations and ScalingSchedules.
    KubeMetricsAdapter,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("failed to read `{path}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A file is no YAML.
    #[error("a file is no YAML")]
    Faulty(Box<Remark>),
}

/// Reads files, `-` for stdin, and answers what is in them.
///
/// # Errors
/// When a file cannot be read or is no YAML.
pub fn import(tool: Tool, paths: &[PathBuf]) -> Result<Imported, ImportError> {
    let files: Vec<File> = paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let imported = match tool {
        Tool::Keda => import::keda::import(&files),
        Tool::KubeMetricsAdapter => import::kube_metrics_adapter::import(&files),
    };
    imported.map_err(ImportError::Faulty)
}

/// Reads a configuration of prometheus-adapter, `-` for stdin, and answers what is in it.
///
/// # Errors
/// As `import`.
pub fn import_rules(path: &Path, server: &Server) -> Result<Imported, ImportError> {
    prometheus_adapter::import(&read(path)?, server).map_err(ImportError::Faulty)
}

fn read(path: &Path) -> Result<File, ImportError> {
    let unreadable = |cause| ImportError::Unreadable { path: path.to_owned(), cause };
    let file: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(unreadable)?)
    };
    let most = u64::try_from(limits::IMPORT_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    file.take(most.saturating_add(1)).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() > limits::IMPORT_BYTES_MAX {
        let problem = format!("larger than {} bytes", limits::IMPORT_BYTES_MAX);
        return Err(unreadable(std::io::Error::other(problem)));
    }
    Ok(File { path: path.to_owned(), text })
}
