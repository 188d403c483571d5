//! One answer in other forms: YAML for people, gzip for long ways.

use crate::api_world::{E, Labelled, P1, P2, World, good, per_pod, put, snapshot};
use foresail::document::yaml::Node;
use foresail::domain::metric::Subject;
use http::Method;
use serde_json::Value;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;

const YAML: [(&str, &str); 1] = [("accept", "application/yaml")];

#[tokio::test]
async fn yaml_says_what_json_says() {
    let world = World::new();
    for path in [
        format!("{P1}/namespaces/inference/pods/*/queue?metricLabelSelector=engine%3Dvllm,!x"),
        format!("{P2}/namespaces/inference/pods/*/queue?labelSelector=app%3Dllama"),
        format!("{E}/namespaces/inference/llama_demand"),
        format!("{E}/namespaces/inference/dead_demand"),
        P2.to_owned(),
        "/apis".to_owned(),
        "/apis/custom.metrics.k8s.io".to_owned(),
    ] {
        let json = world.get(&path).await;
        let yaml = world.ask(Method::GET, &path, &YAML).await;
        assert_eq!((yaml.code, yaml.header("content-type")), (json.code, "application/yaml"));
        let json: Value = serde_json::from_str(&json.body).unwrap();
        assert_eq!(Node::parse(&yaml.body).unwrap().to_json(), json, "{path}");
    }
}

#[tokio::test]
async fn yaml_is_laid_out_for_people() {
    let path = format!("{E}/namespaces/inference/llama_demand");
    insta::assert_snapshot!(World::new().ask(Method::GET, &path, &YAML).await.body);
}

fn many_pods() -> World {
    let mut snapshot = snapshot();
    let names: Vec<String> = (0..1_500).map(|idx| format!("llama-7d9f6c5b4-{idx:05}")).collect();
    let values: Vec<_> = names.iter().map(|name| (name.as_str(), good(41.5))).collect();
    put(&mut snapshot, ("many", "many"), Subject::Pods, &[], per_pod(&values));
    World::with(snapshot, Arc::new(Labelled))
}

#[tokio::test]
async fn a_long_body_is_packed_for_whoever_unpacks_it() {
    let world = many_pods();
    let path = format!("{P2}/namespaces/inference/pods/*/many");
    let plain = world.get(&path).await;
    assert!(plain.bytes.len() > 128 * 1024);
    for encodings in ["gzip", "br, GZIP;q=0.5"] {
        let packed = world.ask(Method::GET, &path, &[("accept-encoding", encodings)]).await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{encodings}");
        assert_eq!(packed.header("vary"), "Accept-Encoding");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&packed.bytes).unwrap();
        let gzip = Command::new("gzip").arg("-dc").stdin(file.reopen().unwrap()).output().unwrap();
        assert!(gzip.status.success());
        assert_eq!(gzip.stdout, plain.bytes);
    }
}

#[tokio::test]
async fn a_short_body_and_one_that_nobody_unpacks_travel_as_they_are() {
    let world = many_pods();
    let long = format!("{P2}/namespaces/inference/pods/*/many");
    let short = format!("{E}/namespaces/inference/llama_demand");
    for (path, encodings) in [(&long, "br, deflate"), (&long, "identity"), (&short, "gzip")] {
        let answer = world.ask(Method::GET, path, &[("accept-encoding", encodings)]).await;
        assert_eq!(answer.header("content-encoding"), "", "{path} {encodings}");
        serde_json::from_slice::<Value>(&answer.bytes).unwrap();
    }
}
