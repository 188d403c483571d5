//! Free ports on loopback, from a range in which the kernel does not hand out ports itself.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below 32768, where Linux starts to use ports for outgoing connections: a port there can be given
/// up and taken again (Prometheus is restarted on its port) without a connection slipping in.
const FIRST_PORT: u32 = 20_000;
const N_PORTS: u32 = 12_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on. Each process starts at another place, so that two beds on one
/// machine do not look at the same port at the same time.
pub(crate) fn free_port() -> u16 {
    for _ in 0..N_PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = std::process::id().wrapping_mul(97).wrapping_add(step) % N_PORTS;
        let port = u16::try_from(FIRST_PORT + offset).unwrap();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST_PORT} and {}", FIRST_PORT + N_PORTS);
}
