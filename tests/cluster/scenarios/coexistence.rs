//! Beside another server of external metrics: it keeps what it owns, and is asked for what Foresail does
//! not know.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::bed::neighbour::{NAME as NEIGHBOUR, Neighbour};
use crate::bed::registration::{API_SERVICES, NAME, NAMESPACE as SYSTEM};
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::{SOON, Stage, custom, external, foresail, metric};

const NAMESPACE: &str = "coexistence";
const EXTERNAL_API: &str = API_SERVICES[2];

fn policies(bed: &Bed) -> String {
    let of = |name, metric| Policy { namespace: NAMESPACE, name, metric, ..Policy::default() };
    let rps = "name: rps, type: Object, describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}";
    config(bed, &[of("demand", "name: demand, type: External"), of("rps", rps)])
}

/// The labels of the one value that the neighbour answers.
fn labels(bed: &Bed, path: &str) -> Result<Value, String> {
    let output = bed.kubectl.run(&format!("get --raw {path}"));
    if !output.success {
        return Err(output.stderr);
    }
    let list: Value = serde_json::from_str(&output.stdout).map_err(|error| error.to_string())?;
    let labels = list["items"][0]["metricLabels"].clone();
    if labels.is_null() { Err(output.stdout) } else { Ok(labels) }
}

/// The reasons of the events about Foresail's Service, with their types.
fn told(bed: &Bed) -> Vec<(String, String)> {
    let events = bed.kubectl.get(&format!("events.v1.events.k8s.io --namespace {SYSTEM}"));
    let events = events["items"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .filter(|it| it["regarding"]["name"] == NAME && it["related"]["name"] == EXTERNAL_API)
        .map(|it| (text(&it["type"]), text(&it["reason"])))
        .collect()
}

fn owner(stage: &Stage<'_>, owner: &str) -> Result<(), String> {
    let page = crate::stage::page(&stage.adapter).body;
    let line = format!(r#"foresail_external_api_owner{{owner="{owner}"}} 1"#);
    seen(page.lines().any(|it| it == line), page)
}

#[test]
fn another_server_keeps_external_metrics_until_it_lets_go() {
    let bed = Bed::exclusive();
    let neighbour = bed.start_neighbour();
    let stage = Stage::new(&bed, &policies(&bed));
    let (demand, queue) = (external(NAMESPACE, "demand"), external(NAMESPACE, "queue"));
    stage.wait_served(&demand, 1.0);
    wait_until(SOON, "Foresail sees that it is the owner", || owner(&stage, "foresail"));

    neighbour.take(EXTERNAL_API);
    wait_until(SOON, "kube-apiserver asks the neighbour", || labels(&bed, &queue).map(drop));
    let caller = labels(&bed, &queue).unwrap()["user"].clone();
    assert_eq!(caller, "admin", "named by kube-apiserver's front proxy");
    wait_until(SOON, "Foresail sees the other owner", || owner(&stage, "other"));
    let warning = ("Warning".to_owned(), "ExternalMetricsOwnedElsewhere".to_owned());
    wait_until(SOON, "the cluster is told", || {
        let told = told(&bed);
        seen(told.contains(&warning), format!("{told:?} {}", stage.adapter.log()))
    });
    let log = stage.adapter.log();
    let said =
        format!("APIService {EXTERNAL_API} belongs to {NEIGHBOUR}/{NEIGHBOUR} and is left alone");
    assert_eq!(log.matches(&said).count(), 1, "{log}");
    // What Foresail has is there, beside; and nothing is taken.
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert_eq!(stage.served(&custom(NAMESPACE, "deployments.apps", "llama", "rps")), Ok(1.0));
        let spec = &bed.kubectl.get(&format!("apiservice {EXTERNAL_API}"))["spec"];
        assert_eq!(spec["service"]["name"], NEIGHBOUR);
    }
    assert!(stage.served(&demand).is_err(), "the neighbour knows no such metric");

    let own = json!({"spec": {"service": {"name": NAME, "namespace": SYSTEM}}});
    bed.kubectl.merge(&format!("apiservice {EXTERNAL_API}"), &own);
    stage.registration.lead_to(stage.adapter.secure_port());
    stage.wait_served(&demand, 1.0);
    wait_until(SOON, "Foresail sees that it is the owner again", || owner(&stage, "foresail"));
    let normal = ("Normal".to_owned(), "ExternalMetricsOwned".to_owned());
    wait_until(SOON, "the cluster is told", || {
        let told = told(&bed);
        seen(told.contains(&normal), format!("{told:?}"))
    });
    assert_eq!(told(&bed).len(), 2, "once for each change");
}

/// What an adapter is told of the neighbour, with the files in `folder`.
fn with_fallback(bed: &Bed, neighbour: &Neighbour, folder: &Path, identity: &str) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    fs::write(folder.join("ca.crt"), bed.certificates.authority.certificate()).unwrap();
    let identity = identity
        .replace("CA", &file("ca.crt"))
        .replace("TOKEN", &file("fallback-token"))
        .replace("CRT", &file("front-proxy.crt"))
        .replace("KEY", &file("front-proxy.key"));
    format!(
        "{}externalMetrics: {{fallback: {{url: '{}', {identity}}}}}\n",
        policies(bed),
        neighbour.url()
    )
}

#[test]
fn what_foresail_does_not_know_is_asked_of_the_other_server() {
    let bed = Bed::exclusive();
    let neighbour = bed.start_neighbour();
    let adapter = bed.start_adapter(foresail(), &policies(&bed));
    let manifest = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/kustomize/components/external-metrics-fallback/fallback.yaml"
    );
    bed.kubectl.apply(&fs::read_to_string(manifest).unwrap());
    let token = wait_until(SOON, "the account has its token", || {
        let secret = bed.kubectl.run(&format!(
            "get secret foresail-fallback --namespace {SYSTEM} --template {{{{.data.token|base64decode}}}}"
        ));
        seen(secret.stdout.starts_with("ey"), secret.stderr.clone()).map(|()| secret.stdout)
    });
    fs::write(adapter.folder().join("fallback-token"), token).unwrap();
    bed.certificates.front_proxy.write(adapter.folder(), "front-proxy");
    let registration = bed.register(&adapter);
    let stage = Stage { bed: &bed, registration, adapter };
    let adapter = &stage.adapter;
    let queue = external(NAMESPACE, "queue");

    // As an account of its own: the caller was asked about here.
    let account = "tokenFile: 'TOKEN', tls: {caFile: 'CA'}";
    adapter.replace_config(&with_fallback(&bed, &neighbour, adapter.folder(), account));
    let selected = format!("{queue}?labelSelector=tier%20in%20(gpu),app%3Dllama");
    wait_until(SOON, "the neighbour's metric comes through Foresail", || {
        labels(&bed, &selected).map(drop)
    });
    let found = labels(&bed, &selected).unwrap();
    let account = format!("system:serviceaccount:{SYSTEM}:foresail-fallback");
    assert_eq!(
        (&found["user"], &found["namespace"], &found["selector"], &found["via"]),
        (
            &json!(account),
            &json!(NAMESPACE),
            &json!("tier in (gpu),app=llama"),
            &json!("1.1 foresail")
        )
    );
    stage.wait_served(&external(NAMESPACE, "demand"), 1.0);
    assert!(bed.kubectl_as_nobody.fails(&format!("get --raw {queue}")).contains("(Forbidden)"));
    let proxy = stage.front_proxy();
    let as_nobody =
        proxy.get(&adapter.secure_url(&selected), &[("X-Remote-User", "nobody")]).unwrap();
    assert_eq!(as_nobody.status, 403, "Foresail itself asks about the caller: {}", as_nobody.body);
    let manager = [
        ("X-Remote-User", "admin"),
        ("X-Remote-Group", "system:masters"),
        ("Accept", "application/vnd.kubernetes.protobuf, */*"),
    ];
    let protobuf = proxy.get(&adapter.secure_url(&queue), &manager).unwrap();
    assert!(protobuf.status == 200 && protobuf.body.starts_with("k8s\0"), "{protobuf:?}");
    let refused =
        proxy.get(&adapter.secure_url(&external(NAMESPACE, "nothing")), &manager).unwrap();
    assert_eq!(refused.status, 404);
    assert!(refused.body.contains("no policy publishes external metric nothing"), "{refused:?}");
    assert!(refused.body.contains("says: ") && refused.body.contains("not found"), "{refused:?}");

    // An account without the right, and one that nobody knows.
    let unknown = bed.kubectl.ok(&format!("create token default --namespace {NEIGHBOUR}"));
    for (token, hint) in
        [(unknown.trim(), "needs the right to list"), ("nobody-s", "proves nobody")]
    {
        adapter.replace("fallback-token", token);
        wait_until(SOON, hint, || {
            let error = bed.kubectl.run(&format!("get --raw {queue}")).stderr;
            seen(error.contains(hint) && error.contains("InternalError"), error)
        });
    }

    // With a front proxy's certificate the caller is named.
    let caller = "identity: Caller, tls: {caFile: 'CA', certFile: 'CRT', keyFile: 'KEY'}";
    adapter.replace_config(&with_fallback(&bed, &neighbour, adapter.folder(), caller));
    wait_until(SOON, "the neighbour knows the caller", || {
        let found = labels(&bed, &queue)?;
        seen(found["user"] == "admin", found)
    });
    assert!(metric(adapter, "foresail_api_passed_on_requests_total", &["answered"]) >= 3.0);
}

#[test]
fn the_components_say_which_server_owns_external_metrics() {
    let bed = Bed::exclusive();
    // Starting one installs the manifests, from a copy beside which the overlays here lie.
    drop(bed.start_adapter(foresail(), &policies(&bed)));
    for (component, owns, account) in
        [("external-metrics-elsewhere", false, false), ("external-metrics-fallback", true, true)]
    {
        let overlay = bed.folder().join("deploy/kustomize").join(component);
        fs::create_dir_all(&overlay).unwrap();
        let text = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
             resources: [../built-in]\ncomponents: [../components/{component}]\n"
        );
        fs::write(overlay.join("kustomization.yaml"), text).unwrap();
        let manifests = bed.kubectl.ok(&format!("kustomize {}", overlay.display()));
        let is_a = |document: &&str, kind: &str| {
            let of_kind = format!("kind: {kind}");
            document.lines().any(|line| line == of_kind)
        };
        let documents = || manifests.split("\n---\n");
        let of = |kind: &str| documents().filter(|it| is_a(it, kind)).collect::<String>();
        assert_eq!(of("APIService").contains(EXTERNAL_API), owns, "{component}");
        assert!(of("APIService").contains(API_SERVICES[1]), "{component}");
        assert_eq!(of("ServiceAccount").contains("foresail-fallback"), account, "{component}");
        assert_eq!(of("Deployment").contains("/run/foresail/fallback"), account, "{component}");
        // The bed leads the Service elsewhere, so that one would not fit.
        let others: Vec<&str> = documents().filter(|it| !is_a(it, "Service")).collect();
        let arguments = ["apply", "--dry-run=server", "-f", "-"];
        let tried = bed.kubectl.run_with(&arguments, &others.join("\n---\n"));
        assert!(tried.success, "{component}: {}", tried.stderr);
    }
}
