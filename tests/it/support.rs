//! What the tests that run the real binary share: sources to read from, and the adapter itself.

pub(crate) mod adapter;
pub(crate) mod kube;
pub(crate) mod sigv4;
pub(crate) mod tls_page;
pub(crate) mod wait;
pub(crate) mod web;
pub(crate) mod wire;
