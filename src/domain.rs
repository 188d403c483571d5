//! The words everybody uses: numbers that are numbers, samples with their time, names, labels,
//! objects, quantities, identities, and the named limits.
//!
//! Nothing here does I/O, asks the time or knows a wire format: each boundary has its own shapes
//! and turns them into these words once.

pub mod duration;
pub mod environment;
pub mod error_chain;
pub mod fallback;
pub mod finite;
pub mod hpa;
pub mod identity;
pub mod kept_certificate;
pub mod labels;
pub mod limits;
pub mod metric;
pub mod name;
pub mod object;
pub mod pod_place;
pub mod policy_object;
pub mod ports;
pub mod quantity;
pub mod sample;
pub mod secret;
pub mod selector;
pub mod supply;
