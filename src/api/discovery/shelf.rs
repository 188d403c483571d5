//! Documents that are kept as they were written until what they say changes: the aggregator asks
//! for them several times a minute, from every API server.

use crate::api::discovery::listed::Listed;
use crate::api::discovery::{self, aggregated};
use crate::api::negotiation::{Aggregated, Form, Layout};
use crate::api::openapi;
use crate::api::path::{Group, Version};
use crate::api::refusal::Refusal;
use crate::api::wire;
use crate::published::Snapshot;
use crate::rules::catalogue::Catalogue;
use bytes::Bytes;
use http::HeaderValue;
use ring::digest::{SHA512, digest};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Title {
    /// `/apis`
    Groups,
    /// `/apis` in one document with all resources.
    Aggregated(Aggregated),
    /// `/apis/GROUP`
    Group(Group),
    /// `/apis/GROUP/VERSION`
    Resources(Version),
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiV3,
    /// `/openapi/v3/apis/GROUP/VERSION`
    OpenApiV3Of(Version),
}

/// A document as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) body: Bytes,
    /// Quoted, as the header has it.
    pub(crate) etag: HeaderValue,
}

/// The documents.
#[derive(Debug)]
pub(crate) struct Shelf(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The snapshot that was looked at last. While this is held no other one has its address.
    seen: Weak<Snapshot>,
    /// The metrics of rules that were looked at last.
    rules: Weak<Catalogue>,
    lines_max: usize,
    served: &'static [Group],
    listed: Arc<Listed>,
    /// At most one for each title and form.
    pages: Vec<(Title, Form, Page)>,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Takes note of what is published now; what is listed, if that is not what it was before.
    pub(crate) fn look(
        &self,
        snapshot: &Arc<Snapshot>,
        rules: &Arc<Catalogue>,
        (lines_max, served): (usize, &'static [Group]),
    ) -> Option<Arc<Listed>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.served != served {
            kept.served = served;
            kept.pages.clear();
        }
        let is_seen = Weak::as_ptr(&kept.seen) == Arc::as_ptr(snapshot)
            && Weak::as_ptr(&kept.rules) == Arc::as_ptr(rules);
        if is_seen && kept.lines_max == lines_max {
            return None;
        }
        kept.seen = Arc::downgrade(snapshot);
        kept.rules = Arc::downgrade(rules);
        kept.lines_max = lines_max;
        let listed = Listed::of(snapshot, rules, lines_max);
        if *kept.listed == listed {
            return None;
        }
        kept.listed = Arc::new(listed);
        kept.pages.clear();
        Some(Arc::clone(&kept.listed))
    }

    /// The document, written now if it has not been since the last change.
    ///
    /// # Errors
    /// `Refusal` if it cannot be written, which none is.
    pub(crate) fn page(&self, title: Title, form: Form) -> Result<Page, Refusal> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(its, other, _): &&(Title, Form, Page)| (*its, *other) == (title, form);
        if let Some((.., page)) = kept.pages.iter().find(is_it) {
            return Ok(page.clone());
        }
        let body = Bytes::from(write(title, form, &kept.listed, kept.served)?);
        let page = Page { etag: etag(&body), body };
        kept.pages.push((title, form, page.clone()));
        Ok(page)
    }
}

fn write(title: Title, form: Form, listed: &Listed, served: &[Group]) -> Result<Vec<u8>, Refusal> {
    match title {
        Title::Groups => wire::encode(&discovery::groups(served), form),
        Title::Aggregated(version) => {
            wire::to_bytes(&aggregated::document(version, listed, served), form.layout())
        }
        Title::Group(group) => wire::encode(&discovery::group(group), form),
        Title::Resources(version) => wire::encode(&discovery::resources(version, listed), form),
        Title::OpenApiV2 => wire::to_bytes(&openapi::v2(served), Layout::Compact),
        Title::OpenApiV3 => {
            let hashed = |version: &Version| {
                let body = wire::to_bytes(&openapi::v3(*version), Layout::Compact)?;
                Ok((*version, hash(&body)))
            };
            let versions = served.iter().flat_map(|it| it.versions());
            let hashes: Result<Vec<(Version, String)>, Refusal> = versions.map(hashed).collect();
            wire::to_bytes(&openapi::v3_root(&hashes?), Layout::Compact)
        }
        Title::OpenApiV3Of(version) => wire::to_bytes(&openapi::v3(version), Layout::Compact),
    }
}

/// SHA-512 in upper-case hexadecimal digits, as API servers have it.
fn hash(body: &[u8]) -> String {
    let mut text = String::with_capacity(128);
    for byte in digest(&SHA512, body).as_ref() {
        // Writing to a text cannot fail.
        _ = write!(text, "{byte:02X}");
    }
    text
}

fn etag(body: &[u8]) -> HeaderValue {
    // Cannot fail: digits and quotes are visible characters.
    HeaderValue::try_from(format!("\"{}\"", hash(body))).unwrap_or(HeaderValue::from_static("\"\""))
}
