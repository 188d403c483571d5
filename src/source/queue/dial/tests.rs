//! Servers that a policy of a namespace names, hides in a credential or is led to: none of them is
//! connected to where that is not permitted.

use super::*;
use crate::domain::environment::Environment;
use crate::domain::finite::Finite;
use crate::domain::name::Namespace;
use crate::domain::ports::{Files, SecretUnknown, Secrets};
use crate::domain::secret::{Secret, SecretRef};
use crate::policy::Ask;
use crate::policy::queue::reach::AllowedHost;
use crate::policy::queue::{Credential, QueueAsk};
use crate::policy::resolve::load;
use crate::source::Queue;
use jiff::Timestamp;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Whatever is asked for is this.
#[derive(Debug)]
struct Always(String);

impl Secrets for Always {
    fn get<'a>(
        &'a self,
        _: &'a SecretRef,
    ) -> Pin<Box<dyn Future<Output = Result<Secret, SecretUnknown>> + Send + 'a>> {
        Box::pin(async { Ok(Secret::new(&self.0)) })
    }

    fn forget(&self, _: &SecretRef) {}
}

/// Nobody: there are no files.
#[derive(Debug)]
struct Nobody;

impl Files for Nobody {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        Err(format!("`{path}` is not there"))
    }
}

fn nobody() -> crate::source::Reach {
    let environment = Arc::new(Environment::new([]));
    crate::source::Reach { files: Arc::new(Nobody), environment, now: Timestamp::now }
}

/// Listens on loopback, answers a document, and counts who came.
async fn listener() -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"n\": 7}";
            let mut question = [0; 1024];
            _ = stream.read(&mut question).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, came)
}

/// What a signal asks, of a server in this reach.
fn ask(signal: &str, listed: &[&str]) -> Arc<QueueAsk> {
    let config = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\npolicies:\n  - metadata: {{name: p, \
         namespace: jobs}}\n    spec:\n      metric: {{name: m, type: External}}\n      signals: \
         {{s: {signal}}}\n"
    );
    let config = load(&config).unwrap();
    assert_eq!(config.faults, vec![], "{signal}");
    let Ask::Queue(ask) = &config.policies[0].signals[0].ask else { panic!("{signal}") };
    let mut ask = QueueAsk::clone(ask);
    let listed = listed.iter().map(|it| AllowedHost::parse(it).unwrap()).collect();
    let namespace = Namespace::new("jobs").unwrap();
    ask.server.reach = Reach::Within { namespace, listed };
    Arc::new(ask)
}

async fn read(ask: &Arc<QueueAsk>, secret: &str) -> Result<Finite, ReadError> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let queue = Queue::new(&ask.server, Arc::new(Always(secret.to_owned())), &nobody());
    let samples = queue.read(&Ask::Queue(Arc::clone(ask)), Timestamp::UNIX_EPOCH).await?;
    Ok(samples.values().next().unwrap().value)
}

/// Signals of servers on this port of the machine, each with what its Secrets hold.
fn of_connections(port: u16) -> Vec<(String, String)> {
    let key = "{secretKeyRef: {name: s, key: k}}";
    vec![
        (format!("{{redis: {{address: 'localhost:{port}', listName: l}}}}"), String::new()),
        (
            format!("{{redis: {{address: 'localhost:{port}', listName: l, enableTLS: true}}}}"),
            String::new(),
        ),
        (
            format!(
                "{{postgresql: {{host: localhost, port: {port}, dbName: d, query: q, userName: u, sslmode: disable}}}}"
            ),
            String::new(),
        ),
        (
            format!("{{postgresql: {{connectionFrom: {key}, query: q}}}}"),
            format!("host=localhost port={port} user=u"),
        ),
        (
            format!("{{postgresql: {{connectionFrom: {key}, query: q}}}}"),
            format!("host=db hostaddr=127.0.0.1 port={port} user=u"),
        ),
        (
            format!("{{postgresql: {{connectionFrom: {key}, query: q}}}}"),
            format!("host=/run port={port} user=u"),
        ),
        (format!("{{rabbitmq: {{host: 'amqp://localhost:{port}', queueName: q}}}}"), String::new()),
        (
            format!("{{rabbitmq: {{hostFrom: {key}, queueName: q}}}}"),
            format!("amqp://u:p@127.0.0.1:{port}/"),
        ),
        (
            format!("{{rabbitmq: {{hostFrom: {key}, queueName: q}}}}"),
            format!("http://u:p@127.1:{port}/"),
        ),
    ]
}

/// The same of servers that are asked over HTTP, or lead to others.
fn of_urls(port: u16) -> Vec<(String, String)> {
    let key = "{secretKeyRef: {name: s, key: k}}";
    let token = |endpoint: &str| {
        format!(
            "{{kafka: {{bootstrapServers: broker, consumerGroup: g, sasl: oauthbearer, username: u, passwordFrom: {key}, {endpoint}}}}}"
        )
    };
    vec![
        (
            format!(
                "{{natsJetstream: {{natsServerMonitoringEndpoint: 'localhost:{port}', account: $G, stream: s, consumer: c}}}}"
            ),
            String::new(),
        ),
        (
            format!("{{kafka: {{bootstrapServers: 'localhost:{port}', consumerGroup: g}}}}"),
            String::new(),
        ),
        (token(&format!("oauthTokenEndpointUri: 'http://localhost:{port}/'")), "hidden".to_owned()),
        (
            token(&format!("oauthTokenEndpointUriFrom: {key}")),
            format!("http://127.0.0.1:{port}/hidden"),
        ),
        (
            format!(
                "{{awsSqsQueue: {{queueURL: q, awsRegion: r, awsEndpoint: 'http://localhost:{port}', awsAccessKeyIDFrom: {key}, awsSecretAccessKeyFrom: {key}}}}}"
            ),
            "hidden".to_owned(),
        ),
        (
            format!("{{metricsApi: {{url: 'http://localhost:{port}/', valueLocation: n}}}}"),
            String::new(),
        ),
        (
            format!("{{metricsApi: {{url: 'http://0x7f.1:{port}/', valueLocation: n}}}}"),
            String::new(),
        ),
    ]
}

#[tokio::test]
async fn no_kind_of_server_is_connected_to_at_an_address_that_may_not_be_asked() {
    let (port, came) = listener().await;
    let signals = [of_connections(port), of_urls(port)].concat();
    for (signal, secret) in signals {
        // The operator permits all hosts, which does not stand for the machine itself.
        let error = read(&ask(&signal, &["*"]), &secret).await.unwrap_err().to_string();
        let is_told = error.contains("may not ask host") || error.contains("may not be asked");
        assert!(is_told, "{signal}: {error}");
        assert!(!error.contains("u:p"), "{error}");
    }
    assert_eq!(came.load(Ordering::Relaxed), 0);
    let document = format!("{{metricsApi: {{url: 'http://localhost:{port}/', valueLocation: n}}}}");
    let found = read(&ask(&document, &["localhost"]), "").await.unwrap();
    assert_eq!(found, Finite::new(7.0).unwrap());
    assert_eq!(came.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_host_out_of_a_credential_is_not_asked_and_not_shown() {
    let asked = ask("{rabbitmq: {hostFrom: {secretKeyRef: {name: s, key: k}}, queueName: q}}", &[]);
    assert!(asked.server.credentials.contains_key(&Credential::Host));
    let error = read(&asked, "amqp://me:s3cret@rabbit.other.svc:5672/").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a policy of namespace `jobs` may not ask host `(hidden)`: name a Service of the namespace as \
         `NAME.jobs.svc`, or have the operator list the host under `queues.allowedHosts`"
    );
}
