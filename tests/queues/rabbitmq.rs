//! Queues of a real RabbitMQ, by AMQP and by its management API.

use crate::bed::{Server, TIMEOUT, adapter, free_port, outlives_its_server, shows_none_of};
use crate::support::adapter::client;
use crate::support::wait;
use amqprs::channel::BasicGetArguments;
use amqprs::connection::{Connection, OpenConnectionArguments};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const PASSWORD: &str = "hidden-rabbit-0123";
const WRONG: &str = "hidden-wrong-4567";

struct Rabbitmq {
    server: Server,
    /// Finds the broker's own port for it.
    _epmd: Server,
    amqp: u16,
    management: u16,
    client: reqwest::Client,
}

impl Rabbitmq {
    fn start() -> Self {
        let (amqp, management, distribution, names) =
            (free_port(), free_port(), free_port(), free_port());
        let epmd = Server::start(("epmd", "epmd"), names, |_| {
            ["-address", "127.0.0.1", "-port", &names.to_string()].map(str::to_owned).into()
        });
        let prepared = |folder: &Path| {
            let config = format!(
                "listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\n\
                 management.tcp.port = {management}\ndefault_user = me\n\
                 default_pass = {PASSWORD}\ncollect_statistics_interval = 1000\n"
            );
            fs::write(folder.join("rabbitmq.conf"), config).unwrap();
            fs::write(folder.join("plugins"), "[rabbitmq_management].").unwrap();
            fs::write(folder.join("password"), format!("{PASSWORD}\n")).unwrap();
            fs::write(folder.join("wrong"), WRONG).unwrap();
            for (file, scheme, port) in [("amqp", "amqp", amqp), ("http", "http", management)] {
                let url = format!("{scheme}://me:{PASSWORD}@127.0.0.1:{port}/");
                fs::write(folder.join(file), url).unwrap();
            }
            let at = |file: &str| folder.join(file).display().to_string();
            let variables = [
                ("RABBITMQ_NODENAME", format!("foresail-{amqp}@localhost")),
                ("RABBITMQ_DIST_PORT", distribution.to_string()),
                ("RABBITMQ_CONFIG_FILE", at("rabbitmq")),
                ("RABBITMQ_MNESIA_BASE", at("data")),
                ("RABBITMQ_LOG_BASE", at("logs")),
                ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
                ("RABBITMQ_PID_FILE", at("pid")),
                ("ERL_EPMD_PORT", names.to_string()),
                ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
                // The process is the broker, not a shell that waits for it.
                ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
            ];
            let variables = variables.iter().map(|(name, value)| format!("{name}={value}"));
            variables.chain(["/usr/lib/rabbitmq/bin/rabbitmq-server".to_owned()]).collect()
        };
        let server = Server::start(("rabbitmq", "env"), management, prepared);
        Self { server, _epmd: epmd, amqp, management, client: client() }
    }

    /// Asks the management API, as soon as it answers.
    async fn api(&self, method: &str, path: &str, body: Value) {
        let url = format!("http://127.0.0.1:{}/api{path}", self.management);
        wait::until(path, async || {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let request = self.client.request(method, &url).basic_auth("me", Some(PASSWORD));
            let request = request.header("content-type", "application/json");
            let answer = request.body(body.to_string()).send().await;
            let answer = answer.map_err(|error| error.to_string())?;
            wait::seen(answer.status().is_success(), answer.status())
        })
        .await;
    }

    async fn queue(&self, name: &str, messages: usize) {
        self.api("PUT", &format!("/queues/%2F/{name}"), json!({"durable": true})).await;
        for _ in 0..messages {
            let message = json!({"properties": {"delivery_mode": 2}, "routing_key": name,
                "payload": "work", "payload_encoding": "string"});
            self.api("POST", "/exchanges/%2F/amq.default/publish", message).await;
        }
    }

    fn signal(&self, scheme: &str, more: &str) -> String {
        let port = if scheme == "amqp" { self.amqp } else { self.management };
        let file = self.server.folder().join("password");
        let file = file.display();
        format!(
            "{{rabbitmq: {{host: '{scheme}://127.0.0.1:{port}/', timeout: {TIMEOUT}, {more}, \
             username: me, passwordFrom: {{file: '{file}'}}}}}}"
        )
    }

    fn by_secret_host(&self, file: &str, more: &str) -> String {
        let file = self.server.folder().join(file);
        format!("{{rabbitmq: {{hostFrom: {{file: '{}'}}, {more}}}}}", file.display())
    }

    /// Takes messages without acknowledging them, for as long as the connection is held.
    async fn take(&self, queue: &str, count: usize) -> Connection {
        let arguments = OpenConnectionArguments::new("127.0.0.1", self.amqp, "me", PASSWORD);
        let connection = Connection::open(&arguments).await.unwrap();
        let channel = connection.open_channel(None).await.unwrap();
        for _ in 0..count {
            let taken = channel.basic_get(BasicGetArguments::new(queue)).await.unwrap();
            assert!(taken.is_some(), "{queue} is empty");
        }
        // A channel that is let go closes, and gives back what it took.
        std::mem::forget(channel);
        connection
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_count_of_a_rabbitmq_is_what_keda_counts() {
    let rabbitmq = Rabbitmq::start();
    rabbitmq.queue("jobs", 5).await;
    rabbitmq.queue("jobs-too", 2).await;
    rabbitmq.queue("empty", 0).await;
    let taken = rabbitmq.take("jobs", 2).await;
    let amqp = |more: &str| rabbitmq.signal("amqp", more);
    let http = |more: &str| rabbitmq.signal("http", more);
    let pattern = |more: &str| http(&format!("queueName: '^jobs', useRegex: true, {more}"));
    // It answers a wrong password after three seconds, so that guessing takes long.
    let wrong = |scheme: &str| {
        let signal = rabbitmq.signal(scheme, "queueName: jobs");
        signal.replace("/password", "/wrong").replace(TIMEOUT, "8s")
    };
    let signals = [
        ("http", http("queueName: jobs, mode: QueueLength"), "5"),
        ("ready", http("queueName: jobs, excludeUnacknowledged: true"), "3"),
        ("amqp", amqp("queueName: jobs"), "3"),
        ("empty", http("queueName: empty"), "0"),
        ("amqpempty", amqp("queueName: empty"), "0"),
        ("secrethttp", rabbitmq.by_secret_host("http", "queueName: jobs"), "5"),
        ("secretamqp", rabbitmq.by_secret_host("amqp", "queueName: jobs, vhostName: /"), "3"),
        ("sum", pattern("operation: sum"), "7"),
        ("avg", pattern("operation: avg"), "3"),
        ("max", pattern("operation: max"), "5"),
        ("none", http("queueName: '^nothing', useRegex: true"), "0"),
        ("many", pattern("pageSize: 1"), "the pattern matches more than 1 queues"),
        ("idle", http("queueName: empty, mode: ExpectedQueueConsumptionTime"), "0"),
        ("nowhere", http("queueName: nowhere"), "answered 404: "),
        ("amqpnowhere", amqp("queueName: nowhere"), "there is no queue `nowhere`"),
        ("wrong", wrong("http"), "answered 401: "),
        ("amqpwrong", wrong("amqp"), "user, password or virtual host wrong?"),
    ];
    let written: Vec<(&str, String)> =
        signals.iter().map(|(name, signal, _)| (*name, signal.clone())).collect();
    let adapter = adapter(&written).await;
    for (name, _, expected) in &signals {
        if expected.parse::<u32>().is_ok() {
            adapter.serves(name, expected).await;
        } else {
            adapter.refuses(name, &["source ", "://127.0.0.1:", expected]).await;
        }
    }
    taken.close().await.unwrap();
    adapter.serves("amqp", "5").await;
    adapter.serves("ready", "5").await;
    let names: Vec<&str> = signals.iter().map(|it| it.0).collect();
    shows_none_of(&adapter, &names, &[PASSWORD, WRONG]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rabbitmq_that_goes_away_is_an_error_and_comes_back_by_itself() {
    let mut rabbitmq = Rabbitmq::start();
    rabbitmq.queue("jobs", 4).await;
    let signals = [
        ("http", rabbitmq.signal("http", "queueName: jobs")),
        ("amqp", rabbitmq.signal("amqp", "queueName: jobs")),
    ];
    let adapter = adapter(&signals).await;
    for (name, scheme) in
        [("http", "source http://127.0.0.1:"), ("amqp", "source amqp://127.0.0.1:")]
    {
        let metric = (name, "4");
        let refused = [scheme, "connection refused"];
        outlives_its_server(&mut rabbitmq.server, &adapter, metric, &refused, async || {}).await;
    }
    shows_none_of(&adapter, &["http", "amqp"], &[PASSWORD]).await;
}
