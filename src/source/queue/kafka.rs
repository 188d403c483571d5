//! Kafka: how far a consumer group is behind.

mod bearer;
mod broker;
mod scram;

use super::by_login::ByLogin;
use super::{Failed, Login, Protocol};
use crate::policy::queue::kafka::{KafkaPlace, KafkaQuestion, Partition};
use crate::policy::queue::{Address, Place, Question, QueueServer};
use crate::source::ReadError;
use bearer::Tokens;
use broker::{Broker, Speech};
use jiff::{SignedDuration, Timestamp};
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, GroupId, ListOffsetsRequest, MetadataRequest, MetadataResponse, OffsetFetchRequest,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;

/// Partitions that one answer may have; more belong to no consumer group.
const PARTITIONS_MAX: usize = 100_000;

/// How long it is remembered what was committed for a partition that nobody asks about.
const MEMORY: SignedDuration = SignedDuration::from_hours(1);

/// A topic and one of its partitions.
type PartitionOf = (String, i32);

/// Partitions by leader and by topic.
type Led = BTreeMap<BrokerId, BTreeMap<String, Vec<i32>>>;

/// How a Kafka is spoken to.
#[derive(Default)]
pub(super) struct Kafka {
    /// What groups have committed for partitions.
    commits: Mutex<BTreeMap<(String, PartitionOf), Commit>>,
    /// What is shown in the place of a password.
    tokens: ByLogin<Tokens>,
}

/// What is committed for a partition.
#[derive(Clone, Copy, Debug)]
struct Commit {
    offset: Option<i64>,
    /// When that was seen first.
    since: Timestamp,
    /// When that was seen last.
    seen: Timestamp,
}

/// The brokers that were spoken to.
pub(super) struct Cluster {
    speech: Speech,
    first: Broker,
    others: AsyncMutex<BTreeMap<i32, Arc<Broker>>>,
}

impl Protocol for Kafka {
    type Connection = Cluster;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Cluster, Failed> {
        let Place::Kafka(place) = &server.place else { return Err(Failed::wrong_kind()) };
        let KafkaPlace { servers, tokens, .. } = place;
        // One of them that is away is no reason to do without the others: each has its share of
        // the time, and one share is for the questions; another one for a token.
        let more = if tokens.is_some() { 2 } else { 1 };
        let shares = u32::try_from(servers.len()).unwrap_or(u32::MAX).saturating_add(more);
        let share = server.timeout / shares;
        let tokens = match tokens {
            Some(wanted) => {
                let make = || Tokens::new(server, (place, wanted), login, share);
                let tokens = self.tokens.get(login, make)?;
                // A server that gives none is told before a broker is.
                tokens.current().await?;
                Some(tokens)
            }
            None => None,
        };
        let speech = Speech::new(server, login, tokens)?;
        let mut failure = Failed::wrong_kind();
        for address in servers {
            match tokio::time::timeout(share, speech.open(address)).await {
                Ok(Ok(first)) => {
                    return Ok(Cluster { speech, first, others: AsyncMutex::default() });
                }
                Ok(Err(failed)) => failure = failed,
                // Nobody would learn more from a broker that had less time than was given.
                Err(_) => failure = Failed::Connection(ReadError::TimedOut(server.timeout)),
            }
        }
        Err(failure)
    }

    async fn ask(
        &self,
        cluster: &Cluster,
        question: &Question,
        at: Timestamp,
    ) -> Result<f64, Failed> {
        let Question::Kafka(question) = question else { return Err(Failed::wrong_kind()) };
        let committed = cluster.committed(question).await?;
        let newest = cluster.newest(question, &committed).await?;
        let mut partitions: Vec<(PartitionOf, Partition)> = newest
            .into_iter()
            .map(|(place, newest)| {
                let committed = committed.get(&place).copied().filter(|it| *it >= 0);
                (place, Partition { newest, committed, unchanged_for: Duration::ZERO })
            })
            .collect();
        if question.rules.stuck_after.is_some() {
            self.note(&question.group, &mut partitions, at);
        }
        let partitions: Vec<Partition> = partitions.into_iter().map(|(_, it)| it).collect();
        #[expect(clippy::cast_precision_loss, reason = "no group is 2^53 messages behind")]
        let lag = question.rules.total(&partitions) as f64;
        Ok(lag)
    }
}

impl Kafka {
    /// Notes what was committed at this time, and says for how long it has been. By time rather
    /// than by reads, since several policies may read.
    fn note(&self, group: &str, partitions: &mut [(PartitionOf, Partition)], at: Timestamp) {
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.retain(|_, it| at.duration_since(it.seen) < MEMORY);
        for (place, partition) in partitions {
            let offset = partition.committed;
            let key = (group.to_owned(), place.clone());
            let commit = commits.entry(key).or_insert(Commit { offset, since: at, seen: at });
            if commit.offset != offset {
                (commit.offset, commit.since) = (offset, at);
            }
            commit.seen = at;
            let unchanged_for = Duration::try_from(at.duration_since(commit.since));
            partition.unchanged_for = unchanged_for.unwrap_or_default();
        }
    }
}

impl Cluster {
    /// What the group has committed, by partition; a partition of the topic that is asked about for
    /// which there is nothing is left out.
    async fn committed(
        &self,
        question: &KafkaQuestion,
    ) -> Result<BTreeMap<PartitionOf, i64>, Failed> {
        let group = StrBytes::from_string(question.group.to_string());
        let find = FindCoordinatorRequest::default().with_key(group.clone());
        let found = self.first.send(&find, 3).await?;
        refused(found.error_code, "the group's coordinator")?;
        // Of all topics: a topic that is asked about is picked from them.
        let fetch = OffsetFetchRequest::default().with_group_id(GroupId(group)).with_topics(None);
        let coordinator = self.broker(found.node_id.0, &address(&found.host, found.port)).await?;
        let answer = coordinator.send(&fetch, 7).await?;
        refused(answer.error_code, "the consumer group")?;
        let mut committed = BTreeMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                refused(partition.error_code, "the committed offsets")?;
                let place = (topic.name.to_string(), partition.partition_index);
                committed.insert(place, partition.committed_offset);
            }
        }
        Ok(committed)
    }

    /// The offset of the next message of each partition that is asked about.
    async fn newest(
        &self,
        question: &KafkaQuestion,
        committed: &BTreeMap<PartitionOf, i64>,
    ) -> Result<BTreeMap<PartitionOf, i64>, Failed> {
        let mut topics: Vec<String> = match &question.topic {
            Some(topic) => vec![topic.to_string()],
            None => committed.keys().map(|(topic, _)| topic.clone()).collect(),
        };
        topics.dedup();
        if topics.is_empty() {
            let problem = format!("group `{}` has committed nothing for any topic", question.group);
            return Err(Failed::Answer(ReadError::Empty(problem)));
        }
        let named = topics.iter().map(|it| {
            let name = TopicName(StrBytes::from_string(it.clone()));
            MetadataRequestTopic::default().with_name(Some(name))
        });
        let request = MetadataRequest::default()
            .with_topics(Some(named.collect()))
            .with_allow_auto_topic_creation(false);
        let metadata = self.first.send(&request, 9).await?;
        let mut newest = BTreeMap::new();
        for (leader, topics) in led(&metadata, question)? {
            let broker =
                metadata.brokers.iter().find(|it| it.node_id == leader).ok_or_else(|| {
                    Failed::Connection(ReadError::Denied("a partition has no leader".to_owned()))
                })?;
            let broker = self.broker(leader.0, &address(&broker.host, broker.port)).await?;
            newest.append(&mut newest_of(&broker, &topics).await?);
        }
        Ok(newest)
    }

    /// One broker, with a connection that is kept.
    async fn broker(&self, id: i32, address: &Address) -> Result<Arc<Broker>, Failed> {
        let mut others = self.others.lock().await;
        if let Some(broker) = others.get(&id).filter(|it| it.address() == address) {
            return Ok(Arc::clone(broker));
        }
        let broker = Arc::new(self.speech.open(address).await?);
        others.insert(id, Arc::clone(&broker));
        Ok(broker)
    }
}

/// The partitions that are asked about, by leader and then by topic.
fn led(metadata: &MetadataResponse, question: &KafkaQuestion) -> Result<Led, Failed> {
    let mut led = Led::new();
    let mut count = 0;
    for topic in &metadata.topics {
        let name = topic.name.as_ref().map(|it| it.to_string()).unwrap_or_default();
        refused(topic.error_code, &format!("topic `{name}`"))?;
        let is_asked =
            |index: i32| question.partitions.as_ref().is_none_or(|it| it.contains(&index));
        let before = count;
        for partition in topic.partitions.iter().filter(|it| is_asked(it.partition_index)) {
            let index = partition.partition_index;
            refused(partition.error_code, &format!("partition {index} of topic `{name}`"))?;
            led.entry(partition.leader_id)
                .or_default()
                .entry(name.clone())
                .or_default()
                .push(index);
            count += 1;
        }
        if count == before {
            // No lag would be said of what is not there.
            let problem = format!("topic `{name}` has none of these partitions");
            return Err(Failed::Answer(ReadError::Empty(problem)));
        }
    }
    if count > PARTITIONS_MAX {
        return Err(Failed::Answer(ReadError::TooLarge(PARTITIONS_MAX, "partitions")));
    }
    Ok(led)
}

/// The offset of the next message of each of these partitions, of which this broker is the leader.
async fn newest_of(
    leader: &Broker,
    topics: &BTreeMap<String, Vec<i32>>,
) -> Result<BTreeMap<PartitionOf, i64>, Failed> {
    /// Stands for the newest offset.
    const NEWEST: i64 = -1;
    let asked = topics.iter().map(|(name, partitions)| {
        let partitions = partitions.iter().map(|index| {
            let partition = ListOffsetsPartition::default().with_partition_index(*index);
            partition.with_timestamp(NEWEST).with_current_leader_epoch(-1)
        });
        let topic = ListOffsetsTopic::default().with_partitions(partitions.collect());
        topic.with_name(TopicName(StrBytes::from_string(name.clone())))
    });
    let request =
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(asked.collect());
    let answer = leader.send(&request, 6).await?;
    let mut newest = BTreeMap::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let index = partition.partition_index;
            refused(partition.error_code, "the newest offsets")?;
            newest.insert((topic.name.to_string(), index), partition.offset);
        }
    }
    if newest.len() < topics.values().map(Vec::len).sum() {
        return Err(Failed::not_understood("the newest offset of a partition is missing"));
    }
    Ok(newest)
}

fn address(host: &str, port: i32) -> Address {
    Address { host: host.into(), port: u16::try_from(port).unwrap_or_default() }
}

/// What a broker says by a code.
fn refused(code: i16, about: &str) -> Result<(), Failed> {
    use kafka_protocol::ResponseError as Code;
    let Some(error) = Code::try_from_code(code) else { return Ok(()) };
    let said = ReadError::Denied(format!("{about}: {error}"));
    Err(match error {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed => Failed::Credentials(said),
        // The cluster is not what it was when the connections were made.
        Code::NotCoordinator | Code::NotLeaderOrFollower | Code::FencedLeaderEpoch => {
            Failed::Connection(said)
        }
        _ => Failed::Answer(said),
    })
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").finish_non_exhaustive()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}
