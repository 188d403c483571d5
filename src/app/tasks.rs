//! The tasks of the adapter, each with its name: none of them may end before it is told to.

use std::collections::HashMap;
use std::fmt;
use tokio::task::{Id, JoinError, JoinSet};

/// Running tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    set: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// A task that ended.
#[derive(Debug)]
pub struct Ended {
    name: &'static str,
    panic: Option<JoinError>,
}

impl Tasks {
    /// Starts a task.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until one ends; `None` when none is left.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let joined = self.set.join_next_with_id().await?;
        let (id, panic) = match joined {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        Some(Ended { name: self.names.remove(&id).unwrap_or("unknown"), panic })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.panic {
            None => write!(f, "the task `{}` ended", self.name),
            Some(panic) => write!(f, "the task `{}` broke off: {panic}", self.name),
        }
    }
}
