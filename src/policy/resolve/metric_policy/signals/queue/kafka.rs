//! The parameters of a Kafka: `kafka`.

use super::{
    Address, Credential, Encryption, Place, Question, QueueAsk, QueueServer, Reader, parsed_address,
};
use crate::policy::queue::kafka::{KafkaQuestion, LagRules, Mechanism, partitions};
use crate::policy::queue::reach::Reach;
use crate::policy::wire::queue::kafka::{KafkaSignal, OffsetResetPolicy, Sasl, Switch};

const PORT: u16 = 9092;
const LAG_THRESHOLD: u64 = 10;

/// A consumer group, and where it is asked about.
pub(super) fn group(wire: &KafkaSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let group = reader.text("consumerGroup", &wire.consumer_group);
    let topic = wire.topic.as_deref().filter(|it| !it.is_empty());
    let limited = match wire.partition_limitation.as_deref().map(partitions) {
        Some(None) => {
            reader.fault("partitionLimitation", "not a list of partitions", "write `1,2,4-6`");
            None
        }
        Some(limited) => limited,
        None => None,
    };
    let rules = rules(wire, topic.is_some(), reader);
    let place = place(wire, reader);
    let timeout = reader.timeout(wire.timeout.as_deref());
    let credentials = reader.credentials(&[
        (Credential::Username, "usernameFrom", wire.username_from.as_ref()),
        (Credential::Password, "passwordFrom", wire.password_from.as_ref()),
        (Credential::Ca, "caFrom", wire.ca_from.as_ref()),
    ]);
    let server = QueueServer {
        place: place?,
        credentials: credentials?,
        timeout: timeout?,
        reach: Reach::Anywhere,
    };
    let (topic, partitions) = (topic.map(Into::into), limited);
    let question = KafkaQuestion { group: group?, topic, partitions, rules: rules? };
    Some(QueueAsk { server, question: Question::Kafka(question) })
}

fn place(wire: &KafkaSignal, reader: &mut Reader<'_>) -> Option<Place> {
    let written = wire.bootstrap_servers.split(',').map(str::trim).filter(|it| !it.is_empty());
    let servers: Option<Vec<Address>> = written.map(|it| parsed_address(it, PORT)).collect();
    let servers = servers.filter(|it| !it.is_empty());
    if servers.is_none() {
        let hint = "write `host:9092`, several with commas";
        reader.fault("bootstrapServers", "not a list of `host:port`", hint);
    }
    let sasl = match wire.sasl {
        None | Some(Sasl::None) => None,
        Some(Sasl::Plaintext) => Some(Mechanism::Plain),
        Some(Sasl::ScramSha256) => Some(Mechanism::ScramSha256),
        Some(Sasl::ScramSha512) => Some(Mechanism::ScramSha512),
    };
    let has_name = wire.username.is_some() != wire.username_from.is_some();
    if sasl.is_some() != (has_name && wire.password_from.is_some()) {
        let problem = "`sasl`, a user's name and a password go together";
        let hint =
            "give `username` or `usernameFrom`, `passwordFrom` and a `sasl` such as `plaintext`";
        reader.fault("sasl", problem, hint);
    }
    let is_encrypted = wire.tls == Some(Switch::Enable);
    Some(Place::Kafka {
        servers: servers?,
        sasl,
        username: wire.username.as_deref().map(Into::into),
        encryption: if is_encrypted { Encryption::Tls } else { Encryption::None },
    })
}

fn rules(wire: &KafkaSignal, has_topic: bool, reader: &mut Reader<'_>) -> Option<LagRules> {
    let threshold = wire.lag_threshold.unwrap_or(LAG_THRESHOLD);
    let threshold = i64::try_from(threshold).ok().filter(|it| *it > 0);
    if threshold.is_none() {
        reader.fault("lagThreshold", "is above 0", "write the target of the HPA");
    }
    let is = |flag: Option<bool>| flag.unwrap_or_default();
    let (idle, lagging) = (is(wire.allow_idle_consumers), is(wire.limit_to_partitions_with_lag));
    let evenly = is(wire.ensure_even_distribution_of_partitions);
    if lagging && (idle || evenly) {
        let problem = "goes with neither `allowIdleConsumers` nor \
                       `ensureEvenDistributionOfPartitions`";
        reader.fault("limitToPartitionsWithLag", problem, "leave one of them out");
        return None;
    }
    for (key, given) in
        [("limitToPartitionsWithLag", lagging), ("ensureEvenDistributionOfPartitions", evenly)]
    {
        if given && !has_topic {
            reader.fault(key, "needs a `topic`", "name the topic, or leave it out");
            return None;
        }
    }
    Some(LagRules {
        threshold: threshold?,
        begins_with_oldest: matches!(wire.offset_reset_policy, Some(OffsetResetPolicy::Earliest)),
        nothing_committed_is_no_lag: is(wire.scale_to_zero_on_invalid_offset),
        allows_idle: idle,
        only_lagging: lagging,
        stuck_after: is(wire.exclude_persistent_lag).then_some(reader.interval),
        distributes_evenly: evenly,
    })
}
