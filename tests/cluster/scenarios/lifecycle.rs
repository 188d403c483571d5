//! A process that lives long: new certificates while it runs, and an orderly end.

use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::bed::http::Http;
use crate::bed::registration::{
    API_SERVICES, NAME as SERVING_NAME, NAMESPACE as SERVING_NAMESPACE, SERVING_SECRET,
};
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::{SOON, Stage, external, foresail, metric};

const NAMESPACE: &str = "lifecycle";

fn one_policy(bed: &Bed) -> String {
    let metric = "name: demand, type: External";
    config(bed, &[Policy { namespace: NAMESPACE, name: "demand", metric, ..Policy::default() }])
}

#[test]
fn a_new_certificate_is_served_and_a_half_written_one_is_not() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &one_policy(&bed));
    let adapter = &stage.adapter;
    let path = external(NAMESPACE, "demand");
    stage.wait_served(&path, 1.0);
    // A client of its own each time: one that has been here resumes its session unasked.
    let shown = || {
        let stranger = Http::new(&bed.certificates.authority.certificate(), None);
        stranger.server_certificate(&adapter.secure_url("/readyz"))
    };
    let count = |what: &str| metric(adapter, &format!("foresail_certificate_{what}_total"), &[]);
    let old = shown().unwrap();

    let new = bed.new_serving_certificate();
    let half = new.certificate.split_at(new.certificate.len() / 2).0;
    adapter.replace("serving.crt", half);
    wait_until(SOON, "the half-written certificate is seen", || {
        seen(count("failures") >= 1.0, adapter.log())
    });
    assert_eq!((shown().as_ref(), count("reloads")), (Ok(&old), 0.0));
    assert!(adapter.log().contains("the last good certificate stays"), "{}", adapter.log());

    adapter.replace_certificate(&new);
    wait_until(SOON, "the new certificate is shown", || {
        let now = shown();
        seen(now.as_ref().is_ok_and(|now| *now != old), format!("{now:?}"))
    });
    // kube-apiserver believes it, too.
    assert_eq!((count("reloads"), stage.served(&path)), (1.0, Ok(1.0)));
    // Leading the API services here once more has kube-apiserver judge them anew.
    stage.registration.lead_to(adapter.secure_port());
    assert_eq!(stage.registration.available(), Ok(()));
}

#[test]
fn replicas_share_a_certificate_of_their_own_that_kube_apiserver_believes() {
    let bed = Bed::exclusive();
    let policies = one_policy(&bed);
    let adapters = [(); 2].map(|()| bed.start_own_adapter(foresail(), &policies));
    let secret = format!("secret {SERVING_SECRET} --namespace {SERVING_NAMESPACE}");
    let kept = bed.kubectl.get(&secret)["data"].clone();
    // Each in turn: kube-apiserver verifies what is shown by the authority that was written for it.
    for adapter in &adapters {
        let registration = bed.register(adapter);
        assert_eq!(registration.available(), Ok(()));
        let path = external(NAMESPACE, "demand");
        wait_until(SOON, "the metric is served", || {
            let output = bed.kubectl.run(&format!("get --raw {path}"));
            seen(output.success, output.stderr)
        });
        for name in API_SERVICES {
            let spec = bed.kubectl.get(&format!("apiservice {name}"))["spec"].clone();
            assert_eq!(spec["caBundle"], kept["ca.crt"], "{name}");
        }
    }
    assert_eq!(bed.kubectl.get(&secret)["data"], kept, "made once");
    let account = format!("--as system:serviceaccount:{SERVING_NAMESPACE}:{SERVING_NAME}");
    for (what, expected) in [
        (format!("update secret/{SERVING_SECRET}"), "yes"),
        ("get secret/another".to_owned(), "no"),
        ("create secrets".to_owned(), "no"),
        ("patch apiservices/v1beta2.custom.metrics.k8s.io".to_owned(), "yes"),
        ("patch apiservices/v1beta1.metrics.k8s.io".to_owned(), "no"),
    ] {
        let can = format!("auth can-i {what} --namespace {SERVING_NAMESPACE} {account}");
        assert_eq!(bed.kubectl.run(&can).stdout.trim(), expected, "{what}");
    }
    bed.kubectl.ok(&format!("delete {secret}"));
}

#[test]
fn sigterm_fails_readiness_first_and_answers_until_the_end() {
    let bed = Bed::exclusive();
    let mut stage = Stage::new(&bed, &one_policy(&bed));
    let path = external(NAMESPACE, "demand");
    stage.wait_served(&path, 1.0);
    let proxy = stage.front_proxy();
    let masters = [("X-Remote-User", "test"), ("X-Remote-Group", "system:masters")];
    let url = stage.adapter.secure_url(&path);
    assert_eq!(stage.adapter.observe("/readyz").unwrap().status, 200);

    stage.adapter.process().signal("TERM");
    let told = Instant::now();
    wait_until(SOON, "/readyz fails", || {
        let reply = stage.adapter.observe("/readyz")?;
        seen(reply.status == 500, reply.body)
    });
    let mut answered = 0;
    while told.elapsed() < Duration::from_secs(3) {
        assert_eq!(proxy.get(&url, &masters).unwrap().status, 200, "after {answered} answers");
        assert_eq!(stage.adapter.observe("/livez").unwrap().status, 200);
        answered += 1;
    }
    assert!(answered > 0);
    let status = wait_until(SOON, "it ends", || {
        stage.adapter.process().ended().ok_or_else(|| "it runs".to_owned())
    });
    assert_eq!(status.code(), Some(0), "{}", stage.adapter.log());
    let refused = proxy.get(&url, &masters).unwrap_err();
    assert!(refused.contains("refused"), "{refused}");
}
