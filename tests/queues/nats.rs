//! Consumers of a real NATS JetStream.

use crate::bed::{Server, TIMEOUT, adapter, free_port, outlives_its_server};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until clients are let in.
const START_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Nats {
    pub(crate) server: Server,
    port: u16,
    pub(crate) monitor: u16,
}

/// The little of the protocol that makes streams and takes messages.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Self {
        // The monitor answers a moment before clients are let in.
        let begun = Instant::now();
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(begun.elapsed() < START_MAX, "{error}"),
            }
            thread::sleep(Duration::from_millis(50));
        };
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = Self(BufReader::new(stream));
        client.line();
        client.send("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB inbox 1\r\n");
        client
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn publish(&mut self, subject: &str, text: &str) {
        self.send(&format!("PUB {subject} {}\r\n{text}\r\n", text.len()));
    }

    /// Asks; answers where an answer to the answer goes, and the answer.
    fn ask(&mut self, subject: &str, text: &str) -> (String, String) {
        self.send(&format!("PUB {subject} inbox {}\r\n{text}\r\n", text.len()));
        loop {
            let line = self.line();
            if line.starts_with("PING") {
                self.send("PONG\r\n");
            } else if line.starts_with("MSG") {
                let words: Vec<&str> = line.split_whitespace().collect();
                let reply = if words.len() > 4 { words[3] } else { "" };
                let mut body = vec![0; words.last().unwrap().parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut body).unwrap();
                return (reply.to_owned(), String::from_utf8(body).unwrap());
            } else {
                assert!(!line.starts_with("-ERR"), "{line}");
            }
        }
    }

    /// Asks JetStream itself.
    fn jetstream(&mut self, verb: &str, text: &str) {
        let (_, answer) = self.ask(&format!("$JS.API.{verb}"), text);
        assert!(!answer.contains("\"error\""), "{verb}: {answer}");
    }
}

impl Nats {
    pub(crate) fn start() -> Self {
        let (port, monitor) = (free_port(), free_port());
        let arguments = |folder: &Path| {
            let (port, monitor) = (port.to_string(), monitor.to_string());
            let data = folder.join("data").display().to_string();
            let arguments = ["-a", "127.0.0.1", "-p", &port, "-m", &monitor, "-js", "-sd", &data];
            arguments.iter().map(|it| (*it).to_owned()).collect()
        };
        let server = Server::start(("nats", "nats-server"), monitor, arguments);
        let nats = Self { server, port, monitor };
        let mut client = nats.client();
        let stream = r#"{"name":"jobs","subjects":["jobs.>"],"storage":"file"}"#;
        client.jetstream("STREAM.CREATE.jobs", stream);
        let consumer = r#"{"stream_name":"jobs","config":{"durable_name":"workers","ack_policy":"explicit","ack_wait":600000000000}}"#;
        client.jetstream("CONSUMER.DURABLE.CREATE.jobs.workers", consumer);
        for _ in 0..5 {
            client.ask("jobs.new", "work");
        }
        nats
    }

    fn client(&self) -> Client {
        Client::connect(self.port)
    }

    fn signal(&self, account: &str, stream: &str, consumer: &str) -> String {
        let monitor = self.monitor;
        format!(
            "{{natsJetstream: {{natsServerMonitoringEndpoint: '127.0.0.1:{monitor}', account: \
             {account}, stream: {stream}, consumer: {consumer}, timeout: {TIMEOUT}}}}}"
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumers_lag_is_what_is_pending_and_what_is_not_acknowledged() {
    let nats = Nats::start();
    let signals = [
        ("lag", nats.signal("$G", "jobs", "workers")),
        ("nobody", nats.signal("$G", "jobs", "nobody")),
        ("nothing", nats.signal("$G", "nothing", "workers")),
        ("noaccount", nats.signal("other", "jobs", "workers")),
    ];
    let adapter = adapter(&signals).await;
    adapter.serves("lag", "5").await;
    let source = format!("source http://127.0.0.1:{}: ", nats.monitor);
    for (metric, why) in [
        ("nobody", "account `$G` has no stream `jobs` with a consumer `nobody`"),
        ("nothing", "account `$G` has no stream `nothing` with a consumer `workers`"),
        ("noaccount", "account `other` has no stream `jobs` with a consumer `workers`"),
    ] {
        adapter.refuses(metric, &[&source, why]).await;
    }
    // One is taken and not acknowledged: it still waits.
    let mut client = nats.client();
    let (reply, _) = client.ask("$JS.API.CONSUMER.MSG.NEXT.jobs.workers", "");
    client.ask("jobs.new", "more");
    adapter.serves("lag", "6").await;
    client.publish(&reply, "+ACK");
    adapter.serves("lag", "5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_that_goes_away_is_an_error_and_comes_back_by_itself() {
    let mut nats = Nats::start();
    let adapter = adapter(&[("lag", nats.signal("$G", "jobs", "workers"))]).await;
    let refused = ["source http://127.0.0.1:", "connection refused"];
    outlives_its_server(&mut nats.server, &adapter, ("lag", "5"), &refused, async || {}).await;
}
