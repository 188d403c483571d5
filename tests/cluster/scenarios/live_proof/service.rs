//! A Service in front of the replicas, as kube-proxy makes one: a connection goes to the first
//! replica that takes it.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::bed::ports::free_port;

/// The endpoints may be changed while it runs; it lives as long as the test process.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) port: u16,
    endpoints: Arc<Mutex<Vec<u16>>>,
}

impl Service {
    pub(super) fn start(endpoints: Vec<u16>) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let service = Self { port, endpoints: Arc::new(Mutex::new(endpoints)) };
        let shared = service.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Some(server) = shared.connect() {
                    join(client, server).ok();
                }
            }
        });
        service
    }

    /// What the endpoint controller does when a replica is gone, or there.
    pub(super) fn set(&self, endpoints: Vec<u16>) {
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = endpoints;
    }

    fn connect(&self) -> Option<TcpStream> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let address = |port: &u16| SocketAddr::from(([127, 0, 0, 1], *port));
        endpoints.iter().find_map(|port| TcpStream::connect(address(port)).ok())
    }
}

/// Copies in both directions until either end is closed.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        thread::spawn(move || {
            io::copy(&mut from, &mut to).ok();
            from.shutdown(Shutdown::Both).ok();
            to.shutdown(Shutdown::Both).ok();
        });
    }
    Ok(())
}
