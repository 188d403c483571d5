//! The profiles of a folder, in the place of the built-in ones of the same engines.

use super::{ConfigError, content, text};
use crate::domain::limits;
use crate::policy::profile::{Profile, Profiles};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, as it is written.
pub(super) type Written = (PathBuf, Vec<u8>);

/// The built-in profiles and those of a folder.
///
/// # Errors
/// When the folder cannot be read, or one of its files is no profile.
pub fn known(folder: Option<&Path>) -> Result<Arc<Profiles>, ConfigError> {
    settle(&read(folder)?)
}

/// The files of a folder whose names end in `.yaml` or `.yml`, in the order of their names.
pub(super) fn read(folder: Option<&Path>) -> Result<Vec<Written>, ConfigError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let unreadable = |cause| ConfigError::Unreadable { path: folder.to_owned(), cause };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // A mounted ConfigMap has hidden folders beside its files.
        let is_hidden = path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.len() > limits::profile::FILES_MAX {
        let problem = format!("more than {} profiles", limits::profile::FILES_MAX);
        return Err(unreadable(std::io::Error::other(problem)));
    }
    paths.into_iter().map(|path| content(&path).map(|it| (path, it))).collect()
}

/// The built-in profiles with these.
pub(super) fn settle(written: &[Written]) -> Result<Arc<Profiles>, ConfigError> {
    let mut profiles = Profiles::builtin();
    for (path, content) in written {
        let faulty = |faults| ConfigError::Faulty { path: path.clone(), faults };
        profiles.put(Profile::parse(text(path, content)?).map_err(faulty)?);
    }
    Ok(Arc::new(profiles))
}
