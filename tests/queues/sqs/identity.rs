//! Queues of SQS that are asked as Foresail itself, or as a role that it assumes.

use super::QUEUE;
use super::cloud::{AGENT_TOKEN, Cloud, IDENTITY, JOBS_ROLE, NODE_TOKEN, POD_ROLE};
use crate::bed::{TIMEOUT, policy, shows_none_of};
use crate::support::adapter::{Adapter, Setup, config};
use crate::support::wait;
use std::fs;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn signal(cloud: &Cloud, more: &str) -> String {
    format!(
        "{{awsSqsQueue: {{queueURL: '{QUEUE}', awsEndpoint: '{}', awsRegion: eu-central-1, timeout: \
         {TIMEOUT}, {more}}}}}",
        cloud.url("")
    )
}

fn own(cloud: &Cloud) -> String {
    signal(cloud, "identityOwner: operator")
}

/// An adapter in a pod whose ServiceAccount has a role (IRSA).
fn pod(cloud: &Cloud, signals: &[(&str, String)]) -> Setup {
    let setup = bare(signals);
    let token = setup.file("identity");
    fs::write(&token, format!("{IDENTITY}\n")).unwrap();
    setup
        .environment("AWS_ROLE_ARN", POD_ROLE)
        .environment("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string())
        .environment("AWS_ENDPOINT_URL_STS", cloud.url("/sts"))
}

fn bare(signals: &[(&str, String)]) -> Setup {
    let policies: Vec<String> = signals.iter().map(|(name, it)| policy(name, it)).collect();
    Setup::new(&config(&[], &policies)).log_filter("trace,h2=info,rustls=info,hyper=info")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_pod_is_changed_for_keys_and_these_for_those_of_a_role() {
    let cloud = Cloud::start(HOUR).await;
    let folder = tempfile::tempdir().unwrap();
    let arn = folder.path().join("arn");
    fs::write(&arn, format!("{JOBS_ROLE}\n")).unwrap();
    let other = JOBS_ROLE.replace("/jobs", "/other");
    let signals = [
        ("own", own(&cloud)),
        ("role", signal(&cloud, &format!("awsRoleArn: '{JOBS_ROLE}'"))),
        ("secret", signal(&cloud, &format!("awsRoleArnFrom: {{file: '{}'}}", arn.display()))),
        ("other", signal(&cloud, &format!("awsRoleArn: '{other}'"))),
    ];
    let adapter = pod(&cloud, &signals).start().await;
    for metric in ["own", "role", "secret"] {
        adapter.serves(metric, "17").await;
    }
    adapter.refuses("other", &["source http://127.0.0.1:", "STS answered 403: AccessDenied"]).await;
    // A role that is another text is another role.
    fs::write(&arn, "role/jobs").unwrap();
    adapter.refuses("secret", &["the awsRoleArn is not the ARN of a role"]).await;
    assert!(cloud.given().contains(&"identity") && cloud.given().contains(&"role"));
    assert_eq!(cloud.asked("RoleSessionName").as_deref(), Some("foresail"));
    assert_eq!(
        cloud.asked("ExternalId"),
        None,
        "a policy of the file is in no namespace of others"
    );
    shows_nothing(&adapter, &["own", "role", "secret", "other"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_of_a_pod_and_the_node_give_keys() {
    let cloud = Cloud::start(HOUR).await;
    let setup = bare(&[("jobs", own(&cloud))]);
    let token = setup.file("identity");
    fs::write(&token, AGENT_TOKEN).unwrap();
    let of_agent = setup
        .environment("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud.url("/agent"))
        .environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.display().to_string())
        .start()
        .await;
    of_agent.serves("jobs", "17").await;
    assert_eq!(cloud.given(), ["agent"]);
    shows_nothing(&of_agent, &["jobs"]).await;
    let metadata = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.url("/"));
    let setup = bare(&[("jobs", own(&cloud))]);
    let of_node = setup.environment(metadata.0, metadata.1).start().await;
    of_node.serves("jobs", "17").await;
    assert_eq!(cloud.given(), ["agent", "node"]);
    shows_nothing(&of_node, &["jobs"]).await;
    let setup = bare(&[("jobs", own(&cloud))]);
    let nobody = setup.environment("AWS_EC2_METADATA_DISABLED", "true").start().await;
    nobody.refuses("jobs", &["no keys: the environment names neither"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_renewed_before_they_expire_and_what_is_missing_then_is_an_error() {
    // The last sixth of a life is left for what takes time.
    let cloud = Cloud::start(Duration::from_secs(5)).await;
    let adapter = pod(&cloud, &[("jobs", own(&cloud))]).start().await;
    adapter.serves("jobs", "17").await;
    stays(&adapter, Duration::from_secs(8)).await;
    assert!((2..=4).contains(&cloud.given().len()), "{:?}", cloud.given());
    assert_eq!(cloud.refused(), 0, "no request was signed with keys that had expired");
    cloud.gives_none(true);
    until_refused(&adapter, "STS answered 503: no error of STS").await;
    cloud.gives_none(false);
    adapter.serves("jobs", "17").await;
    shows_nothing(&adapter, &["jobs"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_knows_any_more_are_asked_for_again() {
    let cloud = Cloud::start(HOUR).await;
    let adapter = pod(&cloud, &[("jobs", own(&cloud))]).start().await;
    adapter.serves("jobs", "17").await;
    cloud.forgets_keys();
    until_refused(&adapter, "UnrecognizedClientException").await;
    // Not at once: whoever refuses keys for another reason would be asked for them all the time.
    adapter.serves("jobs", "17").await;
    assert_eq!(cloud.given(), ["identity", "identity"]);
    shows_nothing(&adapter, &["jobs"]).await;
}

async fn stays(adapter: &Adapter, time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        assert_eq!(adapter.external("jobs").await.unwrap().values().unwrap(), ["17"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The value is held for a while, then refused, and never anything else.
async fn until_refused(adapter: &Adapter, why: &str) {
    wait::until(why, async || {
        let answer = adapter.external("jobs").await.unwrap();
        match answer.values() {
            Ok(values) => {
                assert_eq!(values, ["17"], "anything else was never in the queue");
                wait::seen(false, "17")
            }
            Err(_) => wait::seen(answer.message().contains(why), answer.message()),
        }
    })
    .await;
}

async fn shows_nothing(adapter: &Adapter, metrics: &[&str]) {
    let secrets = [IDENTITY, AGENT_TOKEN, NODE_TOKEN, "hidden/Secret", "hidden-Session", "ASIA"];
    shows_none_of(adapter, metrics, &secrets).await;
}
