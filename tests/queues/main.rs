//! Queue signals against the real servers: their numbers, what is said when a server is away, and
//! that they come back by themselves; and profiles against a real Prometheus. `make setup` installs the servers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

mod bed;
mod documents;
mod exporters;
mod kafka;
mod nats;
mod postgresql;
mod profiles;
mod rabbitmq;
mod redis;
mod sqs;
#[expect(dead_code, reason = "shared with tests/it, which uses all of it")]
mod support;
