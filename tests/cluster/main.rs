//! The cluster test: a real control plane, a real Prometheus, the real HPA controller.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, and an absent JSON field is null"
)]

#[expect(dead_code, reason = "the bed offers more than the tests of today use")]
mod bed;
mod bed_works;
mod scenarios;
mod stage;
