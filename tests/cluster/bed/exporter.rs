//! An exporter whose page the test writes: gauges by name and labels, or any text at all.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A client that connects and says nothing must not hold up the next scrape for long.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// A tiny HTTP server on loopback that answers every GET with its page.
#[derive(Debug)]
pub(crate) struct Exporter {
    address: SocketAddr,
    page: Arc<Mutex<Page>>,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Page {
    /// Series name → labels in exposition format → value.
    gauges: BTreeMap<String, BTreeMap<String, f64>>,
    /// Answered instead of the gauges when set.
    raw: Option<(u16, String)>,
    closing: bool,
}

impl Exporter {
    /// Starts with an empty page on a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::ports::free_port())).unwrap();
        let address = listener.local_addr().unwrap();
        let page = Arc::new(Mutex::new(Page::default()));
        let shared = Arc::clone(&page);
        let server = thread::spawn(move || serve(&listener, &shared));
        Self { address, page, server: Some(server) }
    }

    /// `127.0.0.1:PORT`, as Prometheus' target lists want it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The page's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Sets one gauge.
    pub(crate) fn set(&self, series: &str, labels: &[(&str, &str)], value: f64) {
        self.page().gauges.entry(series.to_owned()).or_default().insert(label_set(labels), value);
    }

    /// Takes one gauge off the page.
    pub(crate) fn remove(&self, series: &str, labels: &[(&str, &str)]) {
        if let Some(gauges) = self.page().gauges.get_mut(series) {
            gauges.remove(&label_set(labels));
        }
    }

    /// Takes everything off the page, a text set by [`Exporter::answer`] included.
    pub(crate) fn clear(&self) {
        *self.page() = Page::default();
    }

    /// Answers this status and text, whatever it is, until [`Exporter::clear`].
    pub(crate) fn answer(&self, status: u16, text: &str) {
        self.page().raw = Some((status, text.to_owned()));
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.page().closing = true;
        // Wakes the thread from accepting; it then sees that it should end.
        TcpStream::connect(self.address).ok();
        if let Some(server) = self.server.take() {
            server.join().ok();
        }
    }
}

fn serve(listener: &TcpListener, page: &Mutex<Page>) {
    for connection in listener.incoming() {
        let (status, body) = {
            let page = page.lock().unwrap_or_else(PoisonError::into_inner);
            if page.closing {
                return;
            }
            page.raw.clone().unwrap_or_else(|| (200, exposition(&page.gauges)))
        };
        // A client that went away in the middle is its own problem, as with any exporter.
        connection.and_then(|stream| reply(&stream, status, &body)).ok();
    }
}

fn reply(mut stream: &TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    write!(
        stream,
        "HTTP/1.1 {status} OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body.as_bytes())
}

fn exposition(gauges: &BTreeMap<String, BTreeMap<String, f64>>) -> String {
    let mut text = String::new();
    for (series, values) in gauges {
        writeln!(text, "# TYPE {series} gauge").unwrap();
        for (labels, value) in values {
            writeln!(text, "{series}{labels} {value}").unwrap();
        }
    }
    text
}

fn label_set(labels: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    format!("{{{}}}", pairs.join(","))
}
