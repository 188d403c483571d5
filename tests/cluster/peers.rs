//! The contest of `make bench-peer`: who is asked, what they are asked, and what it costs them.

pub(crate) mod contest;
pub(crate) mod fleet;
pub(crate) mod foresail;
pub(crate) mod framework;
pub(crate) mod keda;
pub(crate) mod load;
pub(crate) mod pace;
pub(crate) mod prometheus_adapter;
pub(crate) mod quiet;
pub(crate) mod row;
pub(crate) mod server;
pub(crate) mod usage;
