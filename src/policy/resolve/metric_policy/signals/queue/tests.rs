//! Queues as people write them, and every way in which they can be wrong.

use crate::policy::Ask;
use crate::policy::queue::{Credential, Place, QueueAsk, SqsSigner};
use crate::policy::resolve::load;
use std::sync::Arc;

fn config(signal: &str) -> String {
    format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\npolicies:\n  - metadata: {{name: p, \
         namespace: jobs}}\n    spec:\n      metric: {{name: m, type: External}}\n      signals: \
         {{s: {signal}}}\n"
    )
}

/// The only signal of a configuration without faults.
fn good(signal: &str) -> (String, Arc<QueueAsk>) {
    let config = load(&config(signal)).unwrap();
    assert_eq!(config.faults, vec![], "{signal}");
    let signal = &config.policies[0].signals[0];
    let Ask::Queue(ask) = &signal.ask else { panic!("{signal:?}") };
    (signal.source.to_string(), Arc::clone(ask))
}

/// The faults of a signal, with their hints.
fn faults(signal: &str) -> Vec<String> {
    let faults = load(&config(signal)).map_or_else(|it| it, |it| it.faults);
    let shown = faults.iter().map(|it| format!("{it} ({})", it.hint.as_deref().unwrap_or("-")));
    shown.map(|it| it.replace("policies[0].spec.signals.", "")).collect()
}

#[test]
fn a_server_is_named_by_kind_and_place_whatever_its_credentials() {
    for (signal, expected) in [
        ("{redis: {address: 'jobs:6380', listName: l}}", "redis://jobs:6380"),
        ("{redis: {address: jobs, listName: l}}", "redis://jobs:6379"),
        ("{redis: {host: '::1', port: 7, listName: l, databaseIndex: 3}}", "redis://[::1]:7/3"),
        ("{redisStreams: {address: '[::1]:7', stream: s}}", "redis://[::1]:7"),
        ("{postgresql: {host: db, dbName: jobs, query: q}}", "postgresql://db:5432/jobs"),
        (
            "{postgresql: {connectionFrom: {secretKeyRef: {name: s, key: k}}, query: q}}",
            "postgresql:jobs/s/k",
        ),
        ("{rabbitmq: {host: 'https://mq/rabbit/a', queueName: q}}", "https://mq"),
        ("{rabbitmq: {hostFrom: {file: /etc/mq}, queueName: q}}", "rabbitmq:/etc/mq"),
        (
            "{natsJetstream: {natsServerMonitoringEndpoint: nats, account: $G, stream: s, consumer: c}}",
            "http://nats:8222",
        ),
        ("{metricsApi: {url: 'https://a:1/secret?key=x', valueLocation: n}}", "https://a:1"),
        ("{kafka: {bootstrapServers: 'a, [::1]:7', consumerGroup: g}}", "kafka://a:9092/[::1]:7"),
        (&sqs("queueURL: 'https://sqs/1/q', awsRegion: r"), "https://sqs"),
        (&sqs("queueURL: q, awsRegion: eu-west-1"), "https://sqs.eu-west-1.amazonaws.com"),
        (&sqs("queueURL: q, awsRegion: cn-north-1"), "https://sqs.cn-north-1.amazonaws.com.cn"),
        (&sqs("queueURL: q, awsRegion: r, awsEndpoint: 'http://vpc:1'"), "http://vpc:1"),
    ] {
        assert_eq!(good(signal).0, expected, "{signal}");
    }
}

fn sqs(keys: &str) -> String {
    let key = "{secretKeyRef: {name: aws, key: k}}";
    format!("{{awsSqsQueue: {{{keys}, awsAccessKeyIDFrom: {key}, awsSecretAccessKeyFrom: {key}}}}}")
}

#[test]
fn a_secret_is_one_of_the_policys_own_namespace_and_a_file_is_absolute() {
    let (_, ask) = good(
        "{redis: {address: jobs, listName: l, usernameFrom: {file: /etc/user}, \
         passwordFrom: {secretKeyRef: {name: redis, key: password}}}}",
    );
    let shown = |credential| ask.server.credentials[&credential].to_string();
    assert_eq!(shown(Credential::Username), "file `/etc/user`");
    assert_eq!(shown(Credential::Password), "key `password` of Secret jobs/redis");
}

#[test]
fn every_fault_of_a_server_is_told_with_its_place_and_a_hint() {
    for (signal, expected) in [
        (
            "{postgresql: {query: q}}",
            "s.postgresql.host: expected either `host` or `connectionFrom` (write `host` and the others, or `connectionFrom`)",
        ),
        (
            "{postgresql: {query: q, dbName: jobs, connectionFrom: {file: /c}}}",
            "s.postgresql.dbName: is part of `connectionFrom` already (leave it out)",
        ),
        (
            "{rabbitmq: {host: 'amqp://me:pw@mq', queueName: q}}",
            "s.rabbitmq.host: a URL must not carry a password (it would show in logs; use `hostFrom`, or `username` and `passwordFrom`)",
        ),
        (
            "{rabbitmq: {host: 'amqp://mq', queueName: q, mode: MessageRate}}",
            "s.rabbitmq.mode: needs the management API: AMQP tells only what is ready (give `host: http://host:15672/vhost`)",
        ),
        (
            "{rabbitmq: {host: 'amqp://mq', queueName: q, protocol: http}}",
            "s.rabbitmq.protocol: does not fit the scheme of `host` (leave it out)",
        ),
        (
            "{rabbitmq: {host: 'amqp://mq', queueName: q, username: me}}",
            "s.rabbitmq.passwordFrom: a user's name and a password go together (give both, or have both in `hostFrom`)",
        ),
        (
            "{rabbitmq: {queueName: q}}",
            "s.rabbitmq.host: expected either `host` or `hostFrom` (write `http://host:15672/vhost` or `amqp://host:5672/vhost`)",
        ),
        (
            "{natsJetstream: {natsServerMonitoringEndpoint: 'http://n', account: $G, stream: s, consumer: c}}",
            "s.natsJetstream.natsServerMonitoringEndpoint: not `host:port` (write the monitoring port, e.g. `nats.nats:8222`)",
        ),
        (
            "{metricsApi: {url: 'https://u:p@a/', valueLocation: n}}",
            "s.metricsApi.url: a URL must not carry a password (it would show in logs; use the keys that end in `From`)",
        ),
        (
            "{metricsApi: {url: 'https://a/', valueLocation: 'a.#.b'}}",
            "s.metricsApi.valueLocation: `#` before the end leads to several values (write keys and positions, e.g. `queues.0.length` or `$.queues[0].length`)",
        ),
        (
            "{metricsApi: {url: 'https://a/', valueLocation: n, authMode: bearer, apiKeyFrom: {file: /k}}}",
            "s.metricsApi.authMode: expected the credentials of one way to show who asks (give `apiKeyFrom`, or `username` and `passwordFrom`, or `tokenFrom`)",
        ),
    ] {
        assert_eq!(faults(signal), [expected], "{signal}");
    }
}

#[test]
fn every_fault_of_a_kafka_or_an_sqs_is_told_with_its_place_and_a_hint() {
    let kafka =
        |keys: &str| format!("{{kafka: {{bootstrapServers: k, consumerGroup: g, {keys}}}}}");
    for (signal, expected) in [
        (
            "{kafka: {bootstrapServers: 'a:b', consumerGroup: g}}".to_owned(),
            "s.kafka.bootstrapServers: not a list of `host:port` (write `host:9092`, several with commas)",
        ),
        (
            kafka("lagThreshold: 0"),
            "s.kafka.lagThreshold: is above 0 (write the target of the HPA)",
        ),
        (
            kafka("topic: t, partitionLimitation: '1,x'"),
            "s.kafka.partitionLimitation: not a list of partitions (write `1,2,4-6`)",
        ),
        (
            kafka("topic: t, limitToPartitionsWithLag: true, allowIdleConsumers: true"),
            "s.kafka.limitToPartitionsWithLag: goes with neither `allowIdleConsumers` nor `ensureEvenDistributionOfPartitions` (leave one of them out)",
        ),
        (
            kafka("ensureEvenDistributionOfPartitions: true"),
            "s.kafka.ensureEvenDistributionOfPartitions: needs a `topic` (name the topic, or leave it out)",
        ),
        (
            kafka("sasl: plaintext, username: me"),
            "s.kafka.sasl: `sasl`, a user's name and a password go together (give `username` or `usernameFrom`, `passwordFrom` and a `sasl` such as `plaintext`)",
        ),
        (
            sqs("queueURL: q, awsRegion: 'evil.example/'"),
            "s.awsSqsQueue.awsRegion: not a region (write it as AWS does, e.g. `eu-central-1`)",
        ),
        (
            "{awsSqsQueue: {queueURL: q, awsRegion: r}}".to_owned(),
            "s.awsSqsQueue.awsAccessKeyIDFrom: an access key is needed, or that Foresail's own identity is asked for (give `awsAccessKeyIDFrom` and `awsSecretAccessKeyFrom`, or `awsRoleArn`, or `identityOwner: operator`)",
        ),
    ] {
        assert_eq!(faults(&signal), [expected], "{signal}");
    }
}

#[test]
fn every_fault_of_a_login_at_a_kafka_is_told_with_its_place_and_a_hint() {
    let kafka =
        |keys: &str| format!("{{kafka: {{bootstrapServers: k, consumerGroup: g, {keys}}}}}");
    let user = "username: me, passwordFrom: {file: /p}";
    let own = "certFrom: {file: /c}, keyFrom: {file: /k}";
    for (keys, expected) in [
        (
            format!("sasl: gssapi, {user}"),
            "sasl: Kerberos is not spoken (take SCRAM, OAUTHBEARER or a client certificate (`certFrom`, `keyFrom`))",
        ),
        (
            format!("sasl: oauthbearer, saslTokenProvider: aws_msk_iam, {user}"),
            "saslTokenProvider: tokens of Amazon MSK are not made (take SCRAM or a client certificate (`certFrom`, `keyFrom`), which MSK has, too)",
        ),
        (
            format!("sasl: oauthbearer, {user}"),
            "oauthTokenEndpointUri: `sasl: oauthbearer` needs a server that gives tokens (write its URL, or name it as `oauthTokenEndpointUriFrom`)",
        ),
        (
            format!("sasl: oauthbearer, oauthTokenEndpointUri: 'https://a:b@idp/', {user}"),
            "oauthTokenEndpointUri: a URL must not carry a password (it would show in logs; use the keys that end in `From`)",
        ),
        (
            format!(
                "sasl: oauthbearer, oauthTokenEndpointUri: 'https://idp/', oauthTokenEndpointUriFrom: {{file: /e}}, {user}"
            ),
            "oauthTokenEndpointUri: expected one of `oauthTokenEndpointUri` and `oauthTokenEndpointUriFrom` (leave one of them out)",
        ),
        (
            format!(
                "sasl: oauthbearer, oauthTokenEndpointUri: 'https://idp/', oauthExtensions: 'auth=x', {user}"
            ),
            "oauthExtensions: not a list of pairs that can be shown (write `key=value,key=value`; a key has letters alone, and is not `auth`)",
        ),
        (
            format!("sasl: plaintext, scopes: a, {user}"),
            "scopes: is for `sasl: oauthbearer` alone (leave it out)",
        ),
        (
            "sasl: oauthbearer, oauthTokenEndpointUri: 'https://idp/', username: me".to_owned(),
            "sasl: `sasl`, a user's name and a password go together (give `username` or `usernameFrom`, `passwordFrom` and a `sasl` such as `plaintext`)",
        ),
        (own.to_owned(), "certFrom: is of no use without TLS (write `tls: enable`)"),
        (
            "tls: enable, certFrom: {file: /c}".to_owned(),
            "certFrom: a certificate and its key belong together (give `certFrom` and `keyFrom`, or none of them)",
        ),
        (
            format!("tls: enable, {own}, keyPasswordFrom: {{file: /p}}"),
            "keyPasswordFrom: a key that has a password cannot be read (keep the key without one: `openssl pkcs8 -topk8 -nocrypt`)",
        ),
        (
            "tls: enable, unsafeSsl: true".to_owned(),
            "unsafeSsl: the brokers' certificates are always checked (give the authorities of the brokers' certificates as `caFrom`)",
        ),
    ] {
        let expected = format!("s.kafka.{expected}");
        assert_eq!(faults(&kafka(&keys)), [expected], "{keys}");
    }
    let (_, ask) = good(&kafka(&format!(
        "sasl: oauthbearer, saslTokenProvider: bearer, oauthTokenEndpointUri: 'https://idp.example:8443/t', scopes: 'a,b', {user}, tls: enable, unsafeSsl: false, {own}"
    )));
    assert_eq!(ask.server.hosts(), ["k", "idp.example"], "both may be asked or neither");
}

#[test]
fn every_fault_of_an_identity_at_aws_is_told_with_its_place_and_a_hint() {
    let role = "arn:aws:iam::123456789012:role/team/jobs";
    let sqs = |keys: &str| format!("{{awsSqsQueue: {{queueURL: q, awsRegion: r, {keys}}}}}");
    let key = "awsAccessKeyIDFrom: {file: /i}, awsSecretAccessKeyFrom: {file: /s}";
    for (keys, expected) in [
        (
            "identityOwner: pod".to_owned(),
            "awsAccessKeyIDFrom: an access key is needed, or that Foresail's own identity is asked for (give `awsAccessKeyIDFrom` and `awsSecretAccessKeyFrom`, or `awsRoleArn`, or `identityOwner: operator`)",
        ),
        (
            format!("identityOwner: operator, {key}"),
            "identityOwner: goes with no access key: Foresail's own identity is used (leave one of the two out)",
        ),
        (
            format!("awsRoleArn: '{role}', {key}"),
            "awsRoleArn: goes with no access key: Foresail's own identity is used (leave one of the two out)",
        ),
        (
            format!("awsRoleArn: '{role}', awsRoleArnFrom: {{file: /r}}"),
            "awsRoleArn: expected one of `awsRoleArn` and `awsRoleArnFrom` (leave one of them out)",
        ),
        (
            "awsRoleArn: 'arn:aws:iam::1:user/me'".to_owned(),
            "awsRoleArn: not the ARN of a role (write it as AWS does: `arn:aws:iam::123456789012:role/name`)",
        ),
    ] {
        let expected = format!("s.awsSqsQueue.{expected}");
        assert_eq!(faults(&sqs(&keys)), [expected], "{keys}");
    }
    for (keys, expected) in [
        (key.to_owned(), SqsSigner::AccessKey),
        (format!("identityOwner: pod, {key}"), SqsSigner::AccessKey),
        ("identityOwner: operator".to_owned(), SqsSigner::Foresail { role: None }),
        ("awsRoleArnFrom: {file: /r}".to_owned(), SqsSigner::Foresail { role: None }),
        (format!("awsRoleArn: '{role}'"), SqsSigner::Foresail { role: Some(role.into()) }),
        (
            "identityOwner: operator, awsRoleArn: 'arn:aws-cn:iam::123456789012:role/a'".to_owned(),
            SqsSigner::Foresail { role: Some("arn:aws-cn:iam::123456789012:role/a".into()) },
        ),
    ] {
        let (_, ask) = good(&sqs(&keys));
        let Place::Sqs { signer, .. } = &ask.server.place else { panic!("{keys}") };
        assert_eq!(*signer, expected, "{keys}");
    }
}

#[test]
fn every_fault_of_a_queue_is_told_with_its_place_and_a_hint() {
    for (signal, expected) in [
        (
            "{redis: {listName: l}}",
            "s.redis.address: expected either `address` or `host` (write `address: host:port`, or `host` and `port`)",
        ),
        (
            "{redis: {address: 'user:pw@jobs:6379', listName: l}}",
            "s.redis.address: not `host:port` (write `address: host:port`, or `host` and `port`)",
        ),
        (
            "{redis: {host: jobs, port: 70000, listName: l}}",
            "s.redis.port: not a port (a port is at most 65535)",
        ),
        (
            "{redis: {address: jobs, listName: ''}}",
            "s.redis.listName: is empty (name it as the server knows it)",
        ),
        (
            "{redis: {address: jobs, listName: l, timeout: 1h}}",
            "s.redis.timeout: a timeout is above 0s and at most 10s (an evaluation waits no longer; 5s suits most servers)",
        ),
        (
            "{redis: {address: jobs, listName: l, passwordFrom: {file: password}}}",
            "s.redis.passwordFrom.file: not an absolute path (begin it with `/`)",
        ),
        (
            "{redis: {address: jobs, listName: l, passwordFrom: {}}}",
            "s.redis.passwordFrom: expected exactly one of `secretKeyRef` and `file` (write `secretKeyRef: {name: …, key: …}`)",
        ),
        (
            "{redis: {address: jobs, listName: l, caFrom: {file: /ca}}}",
            "s.redis.caFrom: is of no use without TLS (write `enableTLS: true`)",
        ),
        (
            "{source: default, redis: {address: jobs, listName: l}}",
            "s.source: `redis` names its server itself (leave `source` out)",
        ),
        (
            "{redisStreams: {address: jobs, stream: s, lagCount: 5}}",
            "s.redisStreams.consumerGroup: `lagCount` needs a `consumerGroup` (name the group that reads the stream)",
        ),
        (
            "{redisStreams: {address: jobs, stream: s, consumerGroup: g, lagCount: 5, streamLength: 5}}",
            "s.redisStreams.lagCount: expected one of `pendingEntriesCount`, `streamLength` and `lagCount` (a second count needs a second signal)",
        ),
        (
            "{prometheus: {query: x}}",
            "s.source: which source is to be asked? (name one of those under `sources`)",
        ),
    ] {
        assert_eq!(faults(signal), [expected], "{signal}");
    }
    let pods = "pods: {selector: {matchLabels: {a: b}}, port: 1, series: q}";
    for other in ["redisStreams: {address: jobs, stream: s}", pods, "prometheus: {query: x}"] {
        let several = faults(&format!("{{redis: {{address: jobs, listName: l}}, {other}}}"));
        let expected = "s: expected exactly one of `prometheus`, `scrape`, `pods`, `profile`, `schedule`, `redis`, ";
        assert!(several[0].starts_with(expected), "{several:?}");
    }
    let per_pod = config("{redis: {address: jobs, listName: l}}").replace("External", "Pods");
    let fault = load(&per_pod).unwrap().faults[0].to_string();
    assert!(fault.contains("a queue gives one number"), "{fault}");
}
