//! What was made for a login, which outlives connections and ends with the login.

use super::{Failed, Login};
use std::sync::{Arc, Mutex, PoisonError};

/// One of these at a time, for the last login.
#[derive(Debug)]
pub(super) struct ByLogin<T>(Mutex<Option<(Login, Arc<T>)>>);

impl<T> Default for ByLogin<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> ByLogin<T> {
    /// What was made for this login, or what `make` makes for it.
    pub(super) fn get(
        &self,
        login: &Login,
        make: impl FnOnce() -> Result<T, Failed>,
    ) -> Result<Arc<T>, Failed> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, made)) = known.as_ref()
            && of == login
        {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make()?);
        *known = Some((login.clone(), Arc::clone(&made)));
        Ok(made)
    }
}
