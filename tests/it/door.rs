//! The door and the cluster's client at work together: real sockets, real certificates, and an API
//! server that says what the test wants.

mod cluster;
mod identity;
mod objects;
mod own_certificate;
mod policies;
mod protocols;
mod resources;
mod supply;
mod tls;
