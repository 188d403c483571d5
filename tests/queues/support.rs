//! The adapter and the waiting of `tests/it`.

#[path = "../it/support/adapter.rs"]
pub(crate) mod adapter;
#[path = "../it/support/wait.rs"]
pub(crate) mod wait;
#[path = "../it/support/web.rs"]
pub(crate) mod web;
