//! How many of a file's faults are told.

use crate::document::fault::Fault;
use crate::document::path::Path;

/// Faults told of one file; the rest are counted.
const FAULTS_MAX: usize = 10;

/// Faults, as far as they are worth telling.
#[derive(Default)]
pub(super) struct Told {
    faults: Vec<Fault>,
    more: usize,
}

impl Told {
    pub(super) fn add(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn finish(self) -> Result<(), Vec<Fault>> {
        let Self { mut faults, more } = self;
        if more > 0 {
            let hint = "they are most likely the same again";
            faults.push(Fault::new(Path::default(), format!("and {more} more")).hint(hint));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}
