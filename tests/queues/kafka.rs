//! Consumer groups of a real Kafka, which has no ZooKeeper: one process is broker and controller.

mod broker;
mod certificates;
mod tokens;

use crate::bed::{TIMEOUT, adapter, outlives_its_server, shows_none_of};
use crate::support::adapter::{Setup, config, external};
use broker::{Kafka, PASSWORD, WRONG};
use std::sync::Arc;

/// `bootstrapServers`, `consumerGroup` and more.
fn signal(port: u16, group: &str, more: &str) -> String {
    format!(
        "{{kafka: {{bootstrapServers: '127.0.0.1:{port}', consumerGroup: {group}, timeout: \
         {TIMEOUT}, {more}}}}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_lag_is_what_keda_makes_of_what_it_has_committed() {
    let kafka = Kafka::start();
    // 100 + 5 + 3 + 0 messages, of which the group has committed all but 60, 0, 3 and nothing.
    kafka.topic("jobs", &[100, 5, 3, 0]);
    kafka.topic("other", &[4]);
    kafka.commit("workers", "jobs", &[(0, 40), (1, 5), (2, 0)]);
    kafka.commit("workers", "other", &[(0, 1)]);
    assert_eq!(kafka.lag("workers", "jobs"), [(0, 60), (1, 0), (2, 3)]);
    let jobs = |more: &str| signal(kafka.port, "workers", &format!("topic: jobs, {more}"));
    let nobody = |more: &str| signal(kafka.port, "nobody", &format!("topic: jobs, {more}"));
    let idle = "allowIdleConsumers: true";
    let signals = [
        // The last partition counts 1: nothing was committed for it.
        ("all", jobs(idle), "64"),
        ("earliest", jobs("allowIdleConsumers: true, offsetResetPolicy: earliest"), "63"),
        ("invalid", jobs("allowIdleConsumers: true, scaleToZeroOnInvalidOffset: true"), "63"),
        // At most one consumer for each of four partitions.
        ("capped", jobs("lagThreshold: 10"), "40"),
        ("default", jobs("partitionLimitation: 0-3"), "40"),
        ("notcapped", jobs("lagThreshold: 16"), "64"),
        ("lagging", jobs("lagThreshold: 10, limitToPartitionsWithLag: true"), "30"),
        ("even", jobs("lagThreshold: 30, ensureEvenDistributionOfPartitions: true"), "120"),
        ("some", jobs("allowIdleConsumers: true, partitionLimitation: '1,2'"), "3"),
        ("one", jobs("allowIdleConsumers: true, partitionLimitation: '1'"), "0"),
        // Those of both topics.
        ("everything", signal(kafka.port, "workers", idle), "67"),
        ("new", nobody(idle), "4"),
        ("newearliest", nobody("allowIdleConsumers: true, offsetResetPolicy: earliest"), "108"),
        ("newinvalid", nobody("scaleToZeroOnInvalidOffset: true"), "0"),
        ("none", jobs("partitionLimitation: '7'"), "topic `jobs` has none of these partitions"),
        ("notopic", signal(kafka.port, "workers", "topic: nothing"), "topic `nothing`: "),
        ("nogroup", signal(kafka.port, "nobody", idle), "group `nobody` has committed nothing"),
    ];
    let written: Vec<(&str, String)> =
        signals.iter().map(|(name, signal, _)| (*name, signal.clone())).collect();
    let adapter = adapter(&written).await;
    for (name, _, expected) in &signals {
        if expected.parse::<u32>().is_ok() {
            adapter.serves(name, expected).await;
        } else {
            adapter.refuses(name, &["source kafka://127.0.0.1:", expected]).await;
        }
    }
    kafka.produce("jobs", 4, 3, 6);
    kafka.commit("workers", "jobs", &[(0, 99), (3, 2)]);
    adapter.serves("all", "8").await;
    adapter.serves("some", "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_consumer_is_stuck_does_not_count_where_that_is_wanted() {
    let kafka = Kafka::start();
    kafka.topic("jobs", &[8]);
    kafka.commit("workers", "jobs", &[(0, 2)]);
    let signals = [
        ("all", signal(kafka.port, "workers", "topic: jobs")),
        ("moving", signal(kafka.port, "workers", "topic: jobs, excludePersistentLag: true")),
    ];
    // Long enough to be seen: for one interval after a commit it counts what is left.
    let slow = |(name, signal): &(&str, String)| external(name, "2s", signal);
    let adapter = Setup::new(&config(&[], &signals.each_ref().map(slow))).start().await;
    adapter.serves("all", "6").await;
    adapter.serves("moving", "0").await;
    let kafka = Arc::new(kafka);
    // What comes in is no progress, what is committed is.
    let produced = blocking(&kafka, |kafka| kafka.produce("jobs", 1, 0, 1));
    tokio::join!(produced, adapter.serves("all", "7"));
    adapter.serves("moving", "0").await;
    let committed = blocking(&kafka, |kafka| kafka.commit("workers", "jobs", &[(0, 4)]));
    tokio::join!(committed, adapter.serves("moving", "5"));
    adapter.serves("moving", "0").await;
    adapter.serves("all", "5").await;
}

/// Runs one of Kafka's tools, while others go on.
async fn blocking(kafka: &Arc<Kafka>, run: impl FnOnce(&Kafka) + Send + 'static) {
    let kafka = Arc::clone(kafka);
    tokio::task::spawn_blocking(move || run(&kafka)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_goes_away_is_an_error_and_comes_back_by_itself() {
    let mut kafka = Kafka::start();
    kafka.topic("jobs", &[7, 3]);
    kafka.commit("workers", "jobs", &[(0, 5), (1, 0)]);
    let adapter = adapter(&[("lag", signal(kafka.port, "workers", "topic: jobs"))]).await;
    let refused = ["source kafka://127.0.0.1:", "connection refused"];
    outlives_its_server(&mut kafka.server, &adapter, ("lag", "5"), &refused, async || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_a_kafka_is_shown_to_it_and_to_nobody_else() {
    let kafka = Kafka::start();
    kafka.topic("jobs", &[7]);
    kafka.commit("workers", "jobs", &[(0, 2)]);
    let login = |sasl: &str, file_of: &str| {
        let file =
            |name: &str| format!("{{file: '{}'}}", kafka.server.folder().join(name).display());
        let (ca, password) = (file("ca.pem"), file(file_of));
        let more = format!(
            "topic: jobs, tls: enable, caFrom: {ca}, sasl: {sasl}, username: me, passwordFrom: {password}"
        );
        signal(kafka.login_port, "workers", &more)
    };
    let trusted = login("plaintext", "password");
    // Without `caFrom` the machine's own authorities are trusted, who never heard of this broker.
    let distrusted = trusted.replacen("caFrom: {file: ", "usernameFrom: {file: ", 1);
    let signals = [
        ("plain", trusted),
        ("scram256", login("scram_sha256", "password")),
        ("scram512", login("scram_sha512", "password")),
        ("wrong", login("plaintext", "wrong")),
        ("wrongscram", login("scram_sha256", "wrong")),
        ("notls", signal(kafka.login_port, "workers", "topic: jobs")),
        ("distrusted", distrusted.replace("username: me, ", "")),
    ];
    let adapter = adapter(&signals).await;
    for metric in ["plain", "scram256", "scram512"] {
        adapter.serves(metric, "5").await;
    }
    for (metric, why) in [
        ("wrongscram", "answered: the user's name or the password is wrong"),
        ("wrong", "answered: the user's name or the password is wrong"),
        ("notls", "does it want TLS?"),
        ("distrusted", "invalid peer certificate"),
    ] {
        adapter.refuses(metric, &["source kafka://127.0.0.1:", why]).await;
    }
    // A password that is corrected is taken up.
    std::fs::write(kafka.server.folder().join("wrong"), PASSWORD).unwrap();
    adapter.serves("wrong", "5").await;
    let names = signals.each_ref().map(|it| it.0);
    shows_none_of(&adapter, &names, &[PASSWORD, WRONG]).await;
}
