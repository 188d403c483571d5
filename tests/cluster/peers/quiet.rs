//! Stops what acts by itself, so that whoever is measured has the machine for itself.

use crate::bed::process::signal;

/// Controllers, scheduler and KWOK, stopped until this is dropped.
#[derive(Debug)]
pub(crate) struct Quiet(Vec<u32>);

impl Quiet {
    pub(crate) fn new(pids: Vec<u32>) -> Self {
        pids.iter().for_each(|&pid| signal(pid, "STOP"));
        Self(pids)
    }
}

impl Drop for Quiet {
    /// A stopped process would not hear that it should end.
    fn drop(&mut self) {
        self.0.iter().for_each(|&pid| signal(pid, "CONT"));
    }
}
