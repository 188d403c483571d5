//! NATS JetStream, by the monitoring port of its servers.

use super::{Failed, Login, Protocol, web};
use crate::policy::queue::reach::Reach;
use crate::policy::queue::{Place, Question, QueueServer};
use crate::source::ReadError;
use crate::source::http::Http;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Servers of one cluster that are asked, at most: a cluster has three or five.
const SERVERS_MAX: usize = 16;

/// How a NATS server is spoken to.
#[derive(Debug)]
pub(super) struct Nats;

/// A client, and where the leader of each consumer was last.
#[derive(Debug)]
pub(super) struct Monitor {
    http: Http,
    url: Box<str>,
    /// Where the other servers may be.
    reach: Reach,
    /// The servers that led somebody's consumer; all consumers of a stream tend to be there.
    leaders: Mutex<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Jsz {
    #[serde(default)]
    account_details: Vec<Account>,
    #[serde(default)]
    meta_cluster: MetaCluster,
}

#[derive(Default, Deserialize)]
struct MetaCluster {
    #[serde(default)]
    cluster_size: u32,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    name: String,
    #[serde(default)]
    stream_detail: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    name: String,
    #[serde(default)]
    consumer_detail: Vec<Consumer>,
}

#[derive(Deserialize)]
struct Consumer {
    name: String,
    num_pending: u64,
    num_ack_pending: u64,
    cluster: Option<Leadership>,
}

#[derive(Deserialize)]
struct Leadership {
    #[serde(default)]
    leader: String,
}

/// What a server says of itself.
#[derive(Deserialize)]
struct Varz {
    #[serde(default)]
    server_name: String,
    #[serde(default)]
    connect_urls: Vec<String>,
    #[serde(default)]
    cluster: VarzCluster,
}

#[derive(Default, Deserialize)]
struct VarzCluster {
    #[serde(default)]
    urls: Vec<String>,
}

/// Which consumer.
#[derive(Clone, Copy)]
struct Wanted<'q> {
    account: &'q str,
    account_id: &'q str,
    stream: &'q str,
    consumer: &'q str,
}

impl Protocol for Nats {
    type Connection = Monitor;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Monitor, Failed> {
        let Place::Nats { url } = &server.place else { return Err(Failed::wrong_kind()) };
        let http = web::client(url, server, login, false)?;
        let reach = server.reach.clone();
        Ok(Monitor { http, url: url.clone(), reach, leaders: Mutex::default() })
    }

    async fn ask(
        &self,
        monitor: &Monitor,
        question: &Question,
        _: Timestamp,
    ) -> Result<f64, Failed> {
        let Question::NatsJetstream { account, account_id, stream, consumer } = question else {
            return Err(Failed::wrong_kind());
        };
        let wanted = Wanted { account, account_id, stream, consumer };
        let consumer = monitor.consumer(wanted).await?;
        #[expect(clippy::cast_precision_loss, reason = "no stream holds 2^53 messages")]
        let lag = consumer.num_pending.saturating_add(consumer.num_ack_pending) as f64;
        Ok(lag)
    }
}

impl Monitor {
    /// The consumer as its leader sees it: what the others know of it may be old.
    async fn consumer(&self, wanted: Wanted<'_>) -> Result<Consumer, Failed> {
        for url in self.known_leaders() {
            match self.led(&url, wanted).await {
                Ok(Some(consumer)) => return Ok(consumer),
                // It leads no longer, or is away: who does is looked for.
                Ok(None) | Err(_) => self.note(&url, false),
            }
        }
        let (first, size) = self.look(&self.url, wanted).await?;
        if size <= 1 {
            return first.ok_or_else(|| missing(wanted));
        }
        let own: Varz =
            web::json(&self.http, self.http.client.get(format!("{}/varz", self.url))).await?;
        if let Some(consumer) = first.filter(|it| it.is_led_by(&own.server_name)) {
            self.note(&self.url, true);
            return Ok(consumer);
        }
        let mut failure = None;
        for url in others(&self.url, &own, &self.reach).into_iter().take(SERVERS_MAX) {
            match self.led(&url, wanted).await {
                Ok(Some(consumer)) => {
                    self.note(&url, true);
                    return Ok(consumer);
                }
                Ok(None) => {}
                Err(failed) => failure = Some(failed),
            }
        }
        Err(failure.unwrap_or_else(|| missing(wanted)))
    }

    /// The consumer if this server leads it.
    async fn led(&self, url: &str, wanted: Wanted<'_>) -> Result<Option<Consumer>, Failed> {
        let (consumer, _) = self.look(url, wanted).await?;
        let Some(consumer) = consumer else { return Ok(None) };
        let varz: Varz = web::json(&self.http, self.http.client.get(format!("{url}/varz"))).await?;
        Ok(Some(consumer).filter(|it| it.is_led_by(&varz.server_name)))
    }

    /// What one server knows of the consumer, and how many servers there are.
    async fn look(&self, url: &str, wanted: Wanted<'_>) -> Result<(Option<Consumer>, u32), Failed> {
        let request = self.http.client.get(format!("{url}/jsz"));
        let request =
            request.query(&[("acc", wanted.account_id), ("consumers", "true"), ("config", "true")]);
        let Jsz { account_details, meta_cluster } = web::json(&self.http, request).await?;
        let accounts = account_details.into_iter().filter(|it| it.name == wanted.account);
        let streams = accounts.flat_map(|it| it.stream_detail);
        let stream = streams.into_iter().find(|it| it.name == wanted.stream);
        let consumers = stream.map(|it| it.consumer_detail).unwrap_or_default();
        let consumer = consumers.into_iter().find(|it| it.name == wanted.consumer);
        Ok((consumer, meta_cluster.cluster_size))
    }

    fn known_leaders(&self) -> Vec<String> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn note(&self, url: &str, leads: bool) {
        let mut leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        if leads {
            leaders.insert(url.to_owned());
        } else {
            leaders.remove(url);
        }
    }
}

impl Consumer {
    /// A stream with one replica has no leader to speak of.
    fn is_led_by(&self, server: &str) -> bool {
        self.cluster.as_ref().is_none_or(|it| it.leader.is_empty() || it.leader == server)
    }
}

/// The monitoring ports of the other servers, as one of them knows them: by the addresses that it
/// gives to clients, or by their names below that of the service.
fn others(url: &str, known: &Varz, reach: &Reach) -> Vec<String> {
    let Some((scheme, authority)) = url.split_once("://") else { return Vec::new() };
    let (_, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let host = |text: &str| text.rsplit_once(':').map_or(text.to_owned(), |(host, _)| host.into());
    // What a server says may be anything.
    let hosts = known.connect_urls.iter().map(|it| host(it));
    let hosts: BTreeSet<String> = hosts.filter(|it| reach.permits(it).is_ok()).collect();
    if !hosts.is_empty() {
        return hosts.iter().map(|it| format!("{scheme}://{it}:{port}")).collect();
    }
    let names = known.cluster.urls.iter().chain([&known.server_name]);
    let names: BTreeSet<&str> =
        names.filter_map(|it| it.split('.').next()).filter(|it| !it.is_empty()).collect();
    names.into_iter().map(|it| format!("{scheme}://{it}.{authority}")).collect()
}

fn missing(Wanted { account, stream, consumer, .. }: Wanted<'_>) -> Failed {
    Failed::Answer(ReadError::Empty(format!(
        "account `{account}` has no stream `{stream}` with a consumer `{consumer}`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_servers_are_where_clients_are_sent_or_below_the_service() {
        let varz = |urls: &[&str], cluster: &[&str]| Varz {
            server_name: "nats-0".to_owned(),
            connect_urls: urls.iter().map(ToString::to_string).collect(),
            cluster: VarzCluster { urls: cluster.iter().map(ToString::to_string).collect() },
        };
        assert_eq!(
            others(
                "http://nats:8222",
                &varz(&["10.0.0.1:4222", "10.0.0.2:4222"], &[]),
                &Reach::Anywhere
            ),
            ["http://10.0.0.1:8222", "http://10.0.0.2:8222"]
        );
        assert_eq!(
            others(
                "https://nats.jobs:8222",
                &varz(&[], &["nats-1.nats.jobs:6222"]),
                &Reach::Anywhere
            ),
            ["https://nats-0.nats.jobs:8222", "https://nats-1.nats.jobs:8222"]
        );
    }
}
