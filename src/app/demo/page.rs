//! The fleet's page: queue and running requests of every pod, as a vLLM server writes them.

use crate::app::servers::{BindError, Drain, Listener, Served, ServerMetrics};
use crate::simulate::fleet::Fleet;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// An open page.
#[derive(Debug)]
pub(super) struct Page {
    text: Arc<Mutex<String>>,
    address: SocketAddr,
}

impl Page {
    /// Opens the page on a free port of loopback, until `stop`.
    pub(super) async fn open(stop: CancellationToken) -> Result<Self, BindError> {
        let text = Arc::new(Mutex::new(String::new()));
        let router = Router::new().route("/metrics", get(page)).with_state(Arc::clone(&text));
        let served = Served { name: "page", acceptor: None, router };
        let listener = Listener::bind(0, true, served, &ServerMetrics::default()).await?;
        let address = listener.address();
        tokio::spawn(listener.serve(Drain::until(stop)));
        Ok(Self { text, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows the fleet as it is now.
    pub(super) fn show(&self, fleet: &Fleet) {
        let text = written(fleet).unwrap_or_default();
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

async fn page(State(text): State<Arc<Mutex<String>>>) -> impl IntoResponse {
    let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

fn written(fleet: &Fleet) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "# HELP vllm:num_requests_running Requests in execution batches.")?;
    writeln!(text, "# TYPE vllm:num_requests_running gauge")?;
    for pod in fleet.pods().filter(|pod| pod.ready) {
        let (id, running) = (pod.id, pod.running);
        let labels = format!("engine=\"0\",model_name=\"llama\",pod=\"llama-{id}\"");
        writeln!(text, "vllm:num_requests_running{{{labels}}} {running}")?;
    }
    writeln!(text, "# HELP vllm:num_requests_waiting Requests that wait for a pod.")?;
    writeln!(text, "# TYPE vllm:num_requests_waiting gauge")?;
    let waiting = fleet.waiting();
    writeln!(text, "vllm:num_requests_waiting{{engine=\"0\",model_name=\"llama\"}} {waiting}")?;
    Ok(text)
}
