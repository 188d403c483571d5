//! Objects come, change, break, collide and go.

use super::*;
use crate::domain::name::{Namespace, PolicyName};
use crate::domain::policy_object::PolicyKind;
use crate::policy::resolve::load;
use jiff::Timestamp;
use serde_json::json;

const FILE: &str = r#"
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: "http://prometheus:9090"}}]
policies:
  - metadata: {name: file, namespace: inference}
    spec:
      metric: {name: of_file, type: External}
      signals: {x: {source: default, prometheus: {query: x}}}
"#;

/// An object, made at this second, that publishes `metric` from `query`.
fn object(created: i64, name: &str, metric: &str, query: &str) -> PolicyObject {
    let text = json!({
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "MetricPolicy",
        "metadata": {"name": name, "namespace": "inference"},
        "spec": {
            "metric": {"name": metric, "type": "External"},
            "signals": {"x": {"source": "default", "prometheus": {"query": query}}},
        },
    });
    PolicyObject {
        id: PolicyObjectId {
            namespace: Namespace::new("inference").ok(),
            name: PolicyName::new(name).unwrap(),
            kind: PolicyKind::Namespaced,
        },
        uid: format!("uid-of-{name}").into(),
        generation: 1,
        created: Timestamp::from_second(created).unwrap(),
        text: Some(text.to_string().into()),
    }
}

/// The same object with another text of the same generation.
fn written(mut object: PolicyObject, from: &str, to: &str) -> PolicyObject {
    let text = object.text.unwrap();
    assert!(text.contains(from), "{text}");
    object.text = Some(text.replace(from, to).into());
    object
}

fn edited(object: PolicyObject, from: &str, to: &str) -> PolicyObject {
    PolicyObject { generation: object.generation + 1, ..written(object, from, to) }
}

/// What runs, and for each object why its state does not.
fn join(objects: &mut Objects, file: &str, all: &[PolicyObject]) -> (Vec<String>, Vec<String>) {
    let all: Vec<_> = all.iter().cloned().map(Arc::new).collect();
    let joined = objects.join(&load(file).unwrap(), &all);
    let mut running: Vec<String> =
        joined.config.policies.iter().map(|it| format!("{} {}", it.key, it.metric)).collect();
    running.sort();
    let refused = joined.verdicts.iter().filter_map(|(id, verdict)| {
        let Refused { cause, message } = verdict.refused.as_ref()?;
        Some(format!("{id}: {cause:?}: {message}"))
    });
    (running, refused.collect())
}

#[test]
fn objects_join_the_files_policies_and_leave_again() {
    let mut objects = Objects::default();
    let all = [object(2, "b", "of_b", "x"), object(1, "a", "of_a", "y")];
    let (running, refused) = join(&mut objects, FILE, &all);
    assert_eq!(running, ["inference/a of_a", "inference/b of_b", "inference/file of_file"]);
    assert_eq!(refused, Vec::<String>::new());
    let (running, _) = join(&mut objects, FILE, &all[..1]);
    assert_eq!(running, ["inference/b of_b", "inference/file of_file"]);
}

#[test]
fn an_object_of_the_cluster_publishes_in_the_namespace_that_it_names() {
    let mut cluster = object(1, "a", "of_a", "x");
    cluster.id.kind = PolicyKind::Cluster;
    cluster.id.namespace = None;
    let to = r#""kind":"ClusterMetricPolicy","metadata":{"name":"a"}"#;
    let from = r#""kind":"MetricPolicy","metadata":{"name":"a","namespace":"inference"}"#;
    let cluster = edited(cluster, from, to);
    let (running, refused) = join(&mut Objects::default(), FILE, std::slice::from_ref(&cluster));
    assert_eq!(running, ["inference/file of_file"]);
    assert_eq!(
        refused,
        ["ClusterMetricPolicy a: Spec: spec: `namespace` is missing (add `namespace: …`)"]
    );
    let cluster = edited(cluster, r#""spec":{"#, r#""spec":{"namespace":"other","#);
    let (running, refused) = join(&mut Objects::default(), FILE, &[cluster]);
    assert_eq!((running[1].as_str(), refused.len()), ("other/a of_a", 0));
}

#[test]
fn of_two_that_want_the_same_the_older_has_it_and_the_file_is_older_than_any_object() {
    for (objects, running, message) in [
        (
            [object(2, "a", "demand", "x"), object(1, "b", "demand", "x")],
            vec!["inference/b demand", "inference/file of_file"],
            "MetricPolicy inference/a: Conflict: external metric demand in namespace inference is \
             published by the older policy inference/b",
        ),
        (
            [object(1, "a", "demand", "x"), object(1, "b", "demand", "x")],
            vec!["inference/a demand", "inference/file of_file"],
            "MetricPolicy inference/b: Conflict: external metric demand in namespace inference is \
             published by the older policy inference/a",
        ),
        (
            [object(1, "a", "of_file", "x"), object(2, "b", "demand", "x")],
            vec!["inference/b demand", "inference/file of_file"],
            "MetricPolicy inference/a: Conflict: external metric of_file in namespace inference \
             is published by the older policy inference/file",
        ),
        (
            [object(1, "file", "demand", "x"), object(2, "b", "of_b", "x")],
            vec!["inference/b of_b", "inference/file of_file"],
            "MetricPolicy inference/file: Conflict: an older policy has the name inference/file",
        ),
    ] {
        let (found, refused) = join(&mut Objects::default(), FILE, &objects);
        assert_eq!(found, running);
        assert_eq!(refused, [message]);
    }
}

#[test]
fn a_bad_edit_keeps_the_last_good_policy_and_says_so() {
    let mut objects = Objects::default();
    let good = object(1, "a", "of_a", "x");
    join(&mut objects, FILE, std::slice::from_ref(&good));
    let bad = edited(good.clone(), r#""query":"x""#, r#""query":"x[""#);
    let (running, refused) = join(&mut objects, FILE, std::slice::from_ref(&bad));
    assert_eq!(running, ["inference/a of_a", "inference/file of_file"]);
    assert!(
        refused[0].starts_with(
            "MetricPolicy inference/a: Query: spec.signals.x.prometheus.query: not PromQL"
        ),
        "{refused:?}"
    );
    // A file that is edited meanwhile does not take it down; one without its source does.
    let edit = FILE.replace("of_file", "changed");
    let (running, _) = join(&mut objects, &edit, std::slice::from_ref(&bad));
    assert_eq!(running, ["inference/a of_a", "inference/file changed"]);
    let edit =
        FILE.replace("name: default", "name: other").replace("source: default", "source: other");
    let (running, refused) = join(&mut objects, &edit, std::slice::from_ref(&bad));
    assert_eq!(running, ["inference/file of_file"]);
    assert!(refused[0].contains("there is no source `default`"), "{refused:?}");
    // Another object of that name has no past.
    join(&mut objects, FILE, std::slice::from_ref(&good));
    let other = PolicyObject { uid: "another".into(), ..bad };
    assert_eq!(join(&mut objects, FILE, &[other]).0, ["inference/file of_file"]);
}

#[test]
fn what_is_wrong_beside_the_query_is_a_fault_of_the_spec_with_its_hint() {
    let misspelt = edited(object(1, "a", "of_a", "x"), r#""source""#, r#""sorce""#);
    let (_, refused) = join(&mut Objects::default(), FILE, &[misspelt]);
    assert_eq!(
        refused,
        [
            "MetricPolicy inference/a: Spec: spec.signals.x.sorce: unknown key `sorce` (did you mean `source`?)"
        ]
    );
}

#[test]
fn an_object_that_is_too_large_says_so() {
    let large = PolicyObject { text: None, ..object(1, "a", "of_a", "x") };
    let (running, refused) = join(&mut Objects::default(), FILE, &[large]);
    assert_eq!(running, ["inference/file of_file"]);
    let problem = "MetricPolicy inference/a: Spec: larger than 32768 bytes (let one query add up \
                   several, or record it)";
    assert_eq!(refused, [problem]);
}

#[test]
fn the_youngest_of_too_many_are_refused() {
    let many: Vec<PolicyObject> = (0..=limits::POLICY_OBJECTS_MAX)
        .map(|n| object(i64::try_from(n).unwrap(), &format!("p{n}"), &format!("m{n}"), "x"))
        .collect();
    let (running, refused) = join(&mut Objects::default(), FILE, &many);
    assert_eq!(running.len(), limits::POLICY_OBJECTS_MAX + 1, "and that of the file");
    let last = format!("MetricPolicy inference/p{}: TooMany: ", limits::POLICY_OBJECTS_MAX);
    assert!(refused.len() == 1 && refused[0].starts_with(&last), "{refused:?}");
}

/// The query that is sent for the only object.
fn query(object: PolicyObject) -> String {
    let joined = Objects::default().join(&load(FILE).unwrap(), &[Arc::new(object)]);
    let Ask::Query { query, .. } = &joined.config.policies[1].signals[0].ask else { panic!() };
    query.clone()
}

#[test]
fn the_queries_of_a_namespaced_object_see_its_namespace_only() {
    let namespaced = object(1, "a", "of_a", "sum(x) / sum(y)");
    let of_namespace = r#"sum(x{namespace="inference"}) / sum(y{namespace="inference"})"#;
    assert_eq!(query(namespaced.clone()), of_namespace);
    let mut cluster = namespaced.clone();
    cluster.id = PolicyObjectId { namespace: None, kind: PolicyKind::Cluster, ..cluster.id };
    let cluster = written(cluster, "\"MetricPolicy", "\"ClusterMetricPolicy");
    let cluster = written(cluster, r#","namespace":"inference""#, "");
    let cluster = edited(cluster, r#""spec":{"#, r#""spec":{"namespace":"other","#);
    assert_eq!(query(cluster), "sum(x) / sum(y)");
    let (_, refused) =
        join(&mut Objects::default(), FILE, &[object(1, "a", "of_a", "sum by () (x)")]);
    assert!(
        refused[0].contains("Query: spec.signals.x.prometheus.query: the query cannot be confined"),
        "{refused:?}"
    );
}

#[test]
fn a_namespaced_object_asks_its_own_services_and_what_the_operator_lists() {
    let signal = r#"{"redis":{"address":"redis.shared.svc","listName":"l"}}"#;
    let prometheus = r#"{"prometheus":{"query":"x"},"source":"default"}"#;
    let namespaced = written(object(1, "a", "of_a", "x"), prometheus, signal);
    let own = written(namespaced.clone(), "redis.shared.svc", "redis.inference.svc");
    let metadata = written(namespaced.clone(), "redis.shared.svc", "169.254.169.254");
    let mut cluster = namespaced.clone();
    cluster.id = PolicyObjectId { namespace: None, kind: PolicyKind::Cluster, ..cluster.id };
    let cluster = written(cluster, "\"MetricPolicy", "\"ClusterMetricPolicy");
    let cluster = written(cluster, r#","namespace":"inference""#, "");
    let cluster = written(cluster, r#""spec":{"#, r#""spec":{"namespace":"inference","#);
    let listed = format!("{FILE}queues: {{allowedHosts: ['*.shared.svc']}}\n");
    let all = format!("{FILE}queues: {{allowedHosts: ['*']}}\n");
    for (file, object, runs) in [
        (FILE, &namespaced, false),
        (FILE, &own, true),
        (FILE, &cluster, true),
        (&listed, &namespaced, true),
        (&listed, &metadata, false),
        (&all, &metadata, false),
    ] {
        let (running, refused) = join(&mut Objects::default(), file, std::slice::from_ref(object));
        assert_eq!(running.len() == 2, runs, "{file}: {refused:?}");
    }
    // What was listed and is no longer stops, also as the last good state of a broken object.
    let mut objects = Objects::default();
    let edits = [namespaced.clone(), edited(namespaced.clone(), "listName", "lostName")];
    for (file, object, running, why) in [
        (&*listed, &edits[0], 2, ""),
        (&*listed, &edits[1], 2, "unknown"),
        (FILE, &edits[1], 1, "unknown"),
        (
            FILE,
            &edits[0],
            1,
            "spec.signals.x: a policy of namespace `inference` may not ask host \
            `redis.shared.svc` (name a Service of the namespace as `NAME.inference.svc`, or have the \
            operator list the host under `queues.allowedHosts`)",
        ),
    ] {
        let (found, refused) = join(&mut objects, file, std::slice::from_ref(object));
        assert_eq!(found.len(), running, "{refused:?}");
        assert!(refused.concat().contains(why), "{refused:?}");
    }
}

#[test]
fn a_namespaced_object_asks_aws_as_foresail_only_where_the_operator_lends_that() {
    let prometheus = r#"{"prometheus":{"query":"x"},"source":"default"}"#;
    let sqs = |keys: &str| {
        let signal = format!(r#"{{"awsSqsQueue":{{"queueURL":"q","awsRegion":"r",{keys}}}}}"#);
        written(object(1, "a", "of_a", "x"), prometheus, &signal)
    };
    let own = sqs(r#""identityOwner":"operator""#);
    let role = sqs(r#""awsRoleArn":"arn:aws:iam::123456789012:role/jobs""#);
    let secret = sqs(r#""awsRoleArnFrom":{"secretKeyRef":{"name":"s","key":"k"}}"#);
    let hosts = "allowedHosts: ['sqs.*.amazonaws.com']";
    let none = format!("{FILE}queues: {{{hosts}}}\n");
    let other = format!("{FILE}queues: {{{hosts}, awsIdentityFor: [jobs]}}\n");
    let lent = format!("{FILE}queues: {{{hosts}, awsIdentityFor: [jobs, 'infer*']}}\n");
    for (file, runs) in [(&none, false), (&other, false), (&lent, true)] {
        for object in [&own, &role, &secret] {
            let (running, refused) =
                join(&mut Objects::default(), file, std::slice::from_ref(object));
            assert_eq!(running.len() == 2, runs, "{file}: {refused:?}");
            let why =
                "spec.signals.x: a policy of namespace `inference` may not ask AWS as Foresail";
            assert_eq!(refused.concat().contains(why), !runs, "{refused:?}");
        }
    }
    // What is lent no longer stops at once, also as the last good state of a broken object.
    let mut objects = Objects::default();
    let broken = edited(own.clone(), "queueURL", "lostURL");
    for (file, object, running) in
        [(&lent, &own, 2), (&lent, &broken, 2), (&none, &broken, 1), (&none, &own, 1)]
    {
        let (found, refused) = join(&mut objects, file, std::slice::from_ref(object));
        assert_eq!(found.len(), running, "{refused:?}");
    }
    // Those of the file, and of a ClusterMetricPolicy, belong to those who run the cluster.
    let mut cluster = own;
    cluster.id = PolicyObjectId { namespace: None, kind: PolicyKind::Cluster, ..cluster.id };
    let cluster = written(cluster, "\"MetricPolicy", "\"ClusterMetricPolicy");
    let cluster = written(cluster, r#","namespace":"inference""#, "");
    let cluster = written(cluster, r#""spec":{"#, r#""spec":{"namespace":"inference","#);
    let (running, refused) = join(&mut Objects::default(), &none, std::slice::from_ref(&cluster));
    assert_eq!(running.len(), 2, "{refused:?}");
}

#[test]
fn a_fault_in_what_may_be_asked_is_one_of_the_whole_file() {
    let faults = load(&format!("{FILE}queues: {{awsIdentityFor: [jobs, Jobs]}}\n")).unwrap_err();
    assert_eq!(faults[0].to_string(), "queues.awsIdentityFor[1]: not the name of a namespace");
    let faults = load(&format!("{FILE}queues: {{allowedHosts: ['redis:6379']}}\n")).unwrap_err();
    assert_eq!(faults[0].to_string(), "queues.allowedHosts[0]: not a host without a port");
}
