//! The parameters of a Kafka: `kafka`.

use super::{
    Address, Credential, Encryption, Place, Question, QueueAsk, QueueServer, Reader,
    parsed_address, web_url,
};
use crate::policy::queue::kafka::{KafkaPlace, KafkaQuestion, LagRules, Mechanism, partitions};
use crate::policy::queue::reach::Reach;
use crate::policy::queue::token::{TokenRequest, extensions, scope};
use crate::policy::wire::queue::CredentialSource;
use crate::policy::wire::queue::kafka::{
    KafkaSignal, OffsetResetPolicy, Sasl, Switch, TokenProvider,
};

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
        (Credential::Certificate, "certFrom", wire.cert_from.as_ref()),
        (Credential::Key, "keyFrom", wire.key_from.as_ref()),
        (
            Credential::TokenEndpoint,
            "oauthTokenEndpointUriFrom",
            wire.oauth_token_endpoint_uri_from.as_ref(),
        ),
        (Credential::Scopes, "scopesFrom", wire.scopes_from.as_ref()),
        (Credential::Extensions, "oauthExtensionsFrom", wire.oauth_extensions_from.as_ref()),
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
    if wire.sasl_token_provider == Some(TokenProvider::AwsMskIam) {
        let hint = "take SCRAM or a client certificate (`certFrom`, `keyFrom`), which MSK has, too";
        reader.fault("saslTokenProvider", "tokens of Amazon MSK are not made", hint);
        return None;
    }
    let sasl = match wire.sasl {
        None | Some(Sasl::None) => None,
        Some(Sasl::Plaintext) => Some(Mechanism::Plain),
        Some(Sasl::ScramSha256) => Some(Mechanism::ScramSha256),
        Some(Sasl::ScramSha512) => Some(Mechanism::ScramSha512),
        Some(Sasl::Oauthbearer) => Some(Mechanism::OauthBearer),
        Some(Sasl::Gssapi) => {
            let hint = "take SCRAM, OAUTHBEARER or a client certificate (`certFrom`, `keyFrom`)";
            reader.fault("sasl", "Kerberos is not spoken", hint);
            return None;
        }
    };
    let has_name = wire.username.is_some() != wire.username_from.is_some();
    if sasl.is_some() != (has_name && wire.password_from.is_some()) {
        let problem = "`sasl`, a user's name and a password go together";
        let hint =
            "give `username` or `usernameFrom`, `passwordFrom` and a `sasl` such as `plaintext`";
        reader.fault("sasl", problem, hint);
    }
    let tokens = tokens(wire, sasl == Some(Mechanism::OauthBearer), reader);
    let encryption = encryption(wire, reader);
    Some(Place::Kafka(KafkaPlace {
        servers: servers?,
        sasl,
        username: wire.username.as_deref().map(Into::into),
        tokens: tokens?,
        encryption,
    }))
}

/// How tokens are asked for, where they are wanted; the outer `None` when something is wrong.
fn tokens(
    wire: &KafkaSignal,
    is_wanted: bool,
    reader: &mut Reader<'_>,
) -> Option<Option<TokenRequest>> {
    type Given<'g> = (&'static str, Option<&'g str>, Option<&'g CredentialSource>);
    let KafkaSignal { oauth_token_endpoint_uri_from: endpoint_from, scopes_from, .. } = wire;
    let given: [Given<'_>; 3] = [
        ("oauthTokenEndpointUri", wire.oauth_token_endpoint_uri.as_deref(), endpoint_from.as_ref()),
        ("scopes", wire.scopes.as_deref(), scopes_from.as_ref()),
        ("oauthExtensions", wire.oauth_extensions.as_deref(), wire.oauth_extensions_from.as_ref()),
    ];
    for (key, text, source) in given {
        if !is_wanted && (text.is_some() || source.is_some()) {
            reader.fault(key, "is for `sasl: oauthbearer` alone", "leave it out");
            return None;
        }
        if text.is_some() && source.is_some() {
            let problem = format!("expected one of `{key}` and `{key}From`");
            reader.fault(key, problem, "leave one of them out");
            return None;
        }
    }
    if !is_wanted {
        return Some(None);
    }
    let endpoint = match &wire.oauth_token_endpoint_uri {
        Some(url) => Some(web_url("oauthTokenEndpointUri", url, reader)?),
        None if endpoint_from.is_some() => None,
        None => {
            let problem = "`sasl: oauthbearer` needs a server that gives tokens";
            let hint = "write its URL, or name it as `oauthTokenEndpointUriFrom`";
            reader.fault("oauthTokenEndpointUri", problem, hint);
            return None;
        }
    };
    let Some(extensions) = extensions(wire.oauth_extensions.as_deref().unwrap_or_default()) else {
        let hint = "write `key=value,key=value`; a key has letters alone, and is not `auth`";
        reader.fault("oauthExtensions", "not a list of pairs that can be shown", hint);
        return None;
    };
    Some(Some(TokenRequest { endpoint, scope: wire.scopes.as_deref().and_then(scope), extensions }))
}

fn encryption(wire: &KafkaSignal, reader: &mut Reader<'_>) -> Encryption {
    let is_encrypted = wire.tls == Some(Switch::Enable);
    if wire.unsafe_ssl == Some(true) {
        let hint = "give the authorities of the brokers' certificates as `caFrom`";
        reader.fault("unsafeSsl", "the brokers' certificates are always checked", hint);
    }
    if wire.key_password_from.is_some() {
        let hint = "keep the key without one: `openssl pkcs8 -topk8 -nocrypt`";
        reader.fault("keyPasswordFrom", "a key that has a password cannot be read", hint);
    }
    match (&wire.cert_from, &wire.key_from) {
        (Some(_), Some(_)) if !is_encrypted => {
            let problem = "is of no use without TLS";
            reader.fault("certFrom", problem, "write `tls: enable`");
        }
        (Some(_), Some(_)) | (None, None) => {}
        _ => {
            let problem = "a certificate and its key belong together";
            reader.fault("certFrom", problem, "give `certFrom` and `keyFrom`, or none of them");
        }
    }
    if is_encrypted { Encryption::Tls } else { Encryption::None }
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
