//! Where what takes long to get is kept: outside the tree, so that a clean checkout does not lose it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Where to keep it, when not in the person's own cache.
const CACHE_FOLDER: &str = "FORESAIL_TESTBED_CACHE";

/// The folder of this name, which `make` fills when there is none yet.
pub(crate) fn made_once(key: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let cache = folder();
    fs::create_dir_all(&cache).unwrap();
    let finished = cache.join(key);
    // Two makers at the same time: the second one waits here and then finds it done. The lock
    // goes with its holder, so a killed maker blocks nobody.
    let lock = File::create(cache.join(format!("{key}.lock"))).unwrap();
    lock.lock().unwrap();
    if !finished.is_dir() {
        let partial = cache.join(format!("{key}.partial"));
        fs::remove_dir_all(&partial).ok();
        fs::create_dir_all(&partial).unwrap();
        make(&partial);
        fs::rename(&partial, &finished).unwrap();
    }
    finished
}

fn folder() -> PathBuf {
    let from_cache_home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let from_home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    match std::env::var_os(CACHE_FOLDER) {
        Some(folder) => PathBuf::from(folder),
        None => from_cache_home
            .or(from_home)
            .unwrap_or_else(|| panic!("neither HOME nor {CACHE_FOLDER} says where to keep things"))
            .join("foresail-testbed"),
    }
}
