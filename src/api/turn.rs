//! How many requests for documents are answered at once.

use crate::api::path::{Ask, Document};
use crate::api::refusal::Refusal;
use crate::domain::limits;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A place among the requests for documents; other requests need none.
#[derive(Debug)]
pub(crate) struct Turn<'a>(Option<&'a AtomicUsize>);

impl<'a> Turn<'a> {
    pub(crate) fn take(ask: &Ask, taken: &'a AtomicUsize) -> Result<Self, Refusal> {
        match ask {
            // A probe must come through, and a metric above all.
            Ask::Custom(_)
            | Ask::External(_)
            | Ask::Malformed
            | Ask::Document(Document::Health { .. }) => return Ok(Self(None)),
            Ask::Document(_) | Ask::Unmatched { .. } => {}
        }
        let before = taken.fetch_add(1, Ordering::Relaxed);
        let turn = Self(Some(taken));
        if before < limits::documents::DOCUMENTS_AT_ONCE {
            Ok(turn)
        } else {
            Err(Refusal::too_many())
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.0 {
            taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
