//! Listening: connections in, requests to a router, an orderly end.

mod idle;

use crate::auth::peer::Peer;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::tls::Acceptor;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use idle::IdleLimit;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span, warn};

/// How long to wait when the machine has no more file handles, so that accepting does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on the {name} port {port}")]
pub struct BindError {
    name: &'static str,
    port: u16,
    #[source]
    cause: io::Error,
}

/// What a listener counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerMetrics {
    open: Family<ServerLabels, Gauge>,
    delayed: Family<ServerLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: &'static str,
}

impl ServerMetrics {
    /// Makes the metrics and puts them into `registry`, whose prefix is `foresail`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("connections", "Open connections", metrics.open.clone());
        let help = "Connections that had to wait because too many were open";
        registry.register("connections_delayed", help, metrics.delayed.clone());
        metrics
    }
}

/// Tells servers to finish what they have and take no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drain(CancellationToken);

impl Drain {
    /// Begins when `stop` is cancelled.
    pub(crate) fn until(stop: CancellationToken) -> Self {
        Self(stop)
    }

    pub(crate) fn begin(&self) {
        self.0.cancel();
    }
}

/// An open port and what answers on it.
#[derive(Debug)]
pub(crate) struct Listener {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
    acceptor: Option<Acceptor>,
    router: Router,
    open: Gauge,
    delayed: Counter,
}

/// What answers on a port.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) name: &'static str,
    /// With TLS, where there is one.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) router: Router,
}

impl Listener {
    /// Opens a port: on loopback if `is_local`, else on every address.
    pub(crate) async fn bind(
        port: u16,
        is_local: bool,
        served: Served,
        metrics: &ServerMetrics,
    ) -> Result<Self, BindError> {
        let Served { name, acceptor, router } = served;
        let failed = |cause| BindError { name, port, cause };
        let addresses: &[IpAddr] = if is_local {
            &[IpAddr::V4(Ipv4Addr::LOCALHOST)]
        } else {
            // Both families where there is IPv6, else IPv4 alone.
            &[IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)]
        };
        let addresses: Vec<SocketAddr> =
            addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
        let listener = TcpListener::bind(addresses.as_slice()).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let labels = ServerLabels { server: name };
        let open = metrics.open.get_or_create(&labels).clone();
        let delayed = metrics.delayed.get_or_create(&labels).clone();
        Ok(Self { name, listener, address, acceptor, router, open, delayed })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `drain`, then waits for the requests in flight, at most
    /// `limits::DRAIN_TIMEOUT`.
    pub(crate) async fn serve(self, drain: Drain) {
        let span = info_span!("server", name = self.name);
        self.accept(drain).instrument(span).await;
    }

    async fn accept(self, drain: Drain) {
        let Self { listener, acceptor, router, open, delayed, .. } = self;
        let permits = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
        let graceful = GracefulShutdown::new();
        let accepting = async {
            loop {
                // Above the cap, clients wait in the kernel's queue.
                if permits.available_permits() == 0 {
                    delayed.inc();
                }
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        warn!(error = %ErrorChain(&error), "failed to accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let connection = Connection {
                    acceptor: acceptor.clone(),
                    router: router.clone(),
                    watcher: graceful.watcher(),
                    drain: drain.clone(),
                };
                let open = open.clone();
                tokio::spawn(async move {
                    open.inc();
                    connection.serve(stream).await;
                    open.dec();
                    drop(permit);
                });
            }
        };
        drain.0.run_until_cancelled(accepting).await;
        drop(listener);
        if tokio::time::timeout(limits::DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
            warn!("requests in flight did not finish in time");
        }
    }
}

/// One connection's share of the server.
struct Connection {
    acceptor: Option<Acceptor>,
    router: Router,
    watcher: Watcher,
    drain: Drain,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(error = %ErrorChain(&error), "failed to set TCP_NODELAY");
        }
        let Self { acceptor, router, watcher, drain } = self;
        let Some(acceptor) = acceptor else {
            return serve(stream, false, router, watcher).await;
        };
        // Who is still shaking hands at the end has asked for nothing yet.
        match drain.0.run_until_cancelled(acceptor.accept(stream)).await {
            Some(Ok((stream, chain))) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
                let router = router.layer(Extension(Arc::new(Peer::new(chain))));
                serve(stream, is_http2, router, watcher).await;
            }
            // Port scanners and probes without TLS are everyday.
            Some(Err(error)) => debug!(error = %ErrorChain(&error), "no TLS connection"),
            None => {}
        }
    }
}

/// Serves one connection by the protocol that was agreed on, so that no time is spent, and none
/// can be wasted by a silent client, on finding out which it is.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    router: Router,
    watcher: Watcher,
) {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_READ_TIMEOUT)
        .max_buf_size(limits::HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits::KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(limits::KEEP_ALIVE_INTERVAL)
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION_MAX)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES_MAX).unwrap_or(u32::MAX));
    let stream = TokioIo::new(IdleLimit::new(stream, limits::CONNECTION_IDLE_MAX));
    let connection = builder.serve_connection(stream, TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        debug!(%error, "connection ended");
    }
}
