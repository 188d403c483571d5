//! Kafka: how far a consumer group is behind.

mod broker;

use super::{Failed, Login, Protocol};
use crate::policy::queue::kafka::{KafkaQuestion, Partition};
use crate::policy::queue::{Address, Place, Question, QueueServer};
use crate::source::ReadError;
use broker::{Broker, Speech};
use jiff::Timestamp;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, GroupId, ListOffsetsRequest, MetadataRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Mutex as AsyncMutex;

/// Partitions that one answer may have; more belong to no consumer group.
const PARTITIONS_MAX: usize = 100_000;

/// A topic and one of its partitions.
type Place2 = (String, i32);

/// How a Kafka is spoken to.
#[derive(Debug, Default)]
pub(super) struct Kafka {
    /// What groups had committed at the last two reads of each.
    commits: Mutex<BTreeMap<(String, Place2), Commits>>,
}

/// What was committed for a partition, and when that was read.
#[derive(Clone, Copy, Debug)]
struct Commits {
    at: Timestamp,
    newest: Option<i64>,
    before: Option<i64>,
}

/// The brokers that were spoken to.
pub(super) struct Cluster {
    speech: Speech,
    first: Broker,
    others: AsyncMutex<BTreeMap<i32, Broker>>,
}

impl Protocol for Kafka {
    type Connection = Cluster;

    async fn connect(&self, server: &QueueServer, login: &Login) -> Result<Cluster, Failed> {
        let Place::Kafka { servers, .. } = &server.place else {
            return Err(Failed::wrong_kind());
        };
        let speech = Speech::new(&server.place, login)?;
        let mut failure = Failed::wrong_kind();
        // One of them that is away is no reason to do without the others.
        for address in servers {
            match speech.open(address).await {
                Ok(first) => {
                    return Ok(Cluster { speech, first, others: AsyncMutex::default() });
                }
                Err(failed) => failure = failed,
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
        let partitions: Vec<Partition> = newest
            .into_iter()
            .map(|(place, newest)| {
                let committed = committed.get(&place).copied().filter(|it| *it >= 0);
                let committed_before = self.before(question, place, committed, at);
                Partition { newest, committed, committed_before }
            })
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "no group is 2^53 messages behind")]
        let lag = question.rules.total(&partitions) as f64;
        Ok(lag)
    }
}

impl Kafka {
    /// What was committed at the read before this one, of which `committed` is the answer. Several
    /// policies may read at the same instant.
    fn before(
        &self,
        question: &KafkaQuestion,
        place: Place2,
        committed: Option<i64>,
        at: Timestamp,
    ) -> Option<i64> {
        if !question.rules.ignores_stuck {
            return None;
        }
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (question.group.to_string(), place);
        let known = commits.get(&key).copied();
        let before = known.and_then(|it| if it.at == at { it.before } else { it.newest });
        commits.insert(key, Commits { at, newest: committed, before });
        before
    }
}

impl Cluster {
    /// What the group has committed, by partition; a partition of the topic that is asked about for
    /// which there is nothing is left out.
    async fn committed(&self, question: &KafkaQuestion) -> Result<BTreeMap<Place2, i64>, Failed> {
        let group = StrBytes::from_string(question.group.to_string());
        let find = FindCoordinatorRequest::default().with_key(group.clone());
        let found = self.first.send(&find, 3).await?;
        refused(found.error_code, "the group's coordinator")?;
        // Of all topics: a topic that is asked about is picked from them.
        let fetch = OffsetFetchRequest::default().with_group_id(GroupId(group)).with_topics(None);
        let address = Address {
            host: found.host.to_string().into(),
            port: u16::try_from(found.port).unwrap_or_default(),
        };
        let answer =
            self.at(found.node_id.0, &address, async |broker| broker.send(&fetch, 7).await);
        let answer = answer.await?;
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
        committed: &BTreeMap<Place2, i64>,
    ) -> Result<BTreeMap<Place2, i64>, Failed> {
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
        let brokers: BTreeMap<i32, Address> = metadata
            .brokers
            .iter()
            .map(|it| {
                let port = u16::try_from(it.port).unwrap_or_default();
                (it.node_id.0, Address { host: it.host.to_string().into(), port })
            })
            .collect();
        // By leader, then by topic.
        let mut led: BTreeMap<i32, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
        let mut count = 0_usize;
        for topic in &metadata.topics {
            let name = topic.name.as_ref().map(|it| it.to_string()).unwrap_or_default();
            refused(topic.error_code, &format!("topic `{name}`"))?;
            for partition in &topic.partitions {
                let index = partition.partition_index;
                if question.partitions.as_ref().is_some_and(|it| !it.contains(&index)) {
                    continue;
                }
                refused(partition.error_code, &format!("partition {index} of topic `{name}`"))?;
                let leader = led.entry(partition.leader_id.0).or_default();
                leader.entry(name.clone()).or_default().push(index);
                count += 1;
            }
        }
        if count > PARTITIONS_MAX {
            return Err(Failed::Answer(ReadError::TooLarge(PARTITIONS_MAX, "partitions")));
        }
        let mut newest = BTreeMap::new();
        for (leader, topics) in led {
            let address = brokers.get(&leader).ok_or_else(|| {
                Failed::Connection(ReadError::Denied("a partition has no leader".to_owned()))
            })?;
            newest.append(&mut self.newest_at(leader, address, topics).await?);
        }
        Ok(newest)
    }

    async fn newest_at(
        &self,
        leader: i32,
        address: &Address,
        topics: BTreeMap<String, Vec<i32>>,
    ) -> Result<BTreeMap<Place2, i64>, Failed> {
        /// Stands for the newest offset.
        const NEWEST: i64 = -1;
        let topics = topics.into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|index| {
                let partition = ListOffsetsPartition::default().with_partition_index(index);
                partition.with_timestamp(NEWEST).with_current_leader_epoch(-1)
            });
            let topic = ListOffsetsTopic::default().with_partitions(partitions.collect());
            topic.with_name(TopicName(StrBytes::from_string(name)))
        });
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(topics.collect());
        let answer =
            self.at(leader, address, async |broker| broker.send(&request, 6).await).await?;
        let mut newest = BTreeMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                refused(partition.error_code, "the newest offsets")?;
                let place = (topic.name.to_string(), partition.partition_index);
                newest.insert(place, partition.offset);
            }
        }
        Ok(newest)
    }

    /// Speaks to one broker, over a connection that is kept.
    async fn at<T>(
        &self,
        id: i32,
        address: &Address,
        say: impl AsyncFnOnce(&Broker) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let mut others = self.others.lock().await;
        if others.get(&id).is_none_or(|it| it.address() != address) {
            others.insert(id, self.speech.open(address).await?);
        }
        match others.get(&id) {
            Some(broker) => say(broker).await,
            None => Err(Failed::wrong_kind()),
        }
    }
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

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}
