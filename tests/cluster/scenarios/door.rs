//! Who is let in: only kube-apiserver's front proxy is believed, and only users with rights.

use crate::bed::Bed;
use crate::bed::http::Http;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::{SOON, Stage, external, metric};

const NAMESPACE: &str = "door";

fn policy() -> Policy<'static> {
    Policy {
        namespace: NAMESPACE,
        name: "demand",
        metric: "name: demand, type: External",
        ..Policy::default()
    }
}

#[test]
fn a_user_without_rights_is_refused_until_given_the_role_view() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[policy()]));
    let path = external(NAMESPACE, "demand");
    stage.wait_served(&path, 1.0);
    let refused = bed.kubectl_as_nobody.fails(&format!("get --raw {path}"));
    assert!(refused.contains("(Forbidden)") && refused.contains(r#"User "nobody""#), "{refused}");

    // Foresail itself refuses as well, whoever else may have let the user through.
    let proxy = stage.front_proxy();
    let as_nobody = || proxy.get(&stage.adapter.secure_url(&path), &[("X-Remote-User", "nobody")]);
    let reply = as_nobody().unwrap();
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert_eq!((reply.status, reply.json()["reason"].as_str()), (403, Some("Forbidden")));
    let wish = r#"cannot list resource "demand" in API group "external.metrics.k8s.io" in the namespace "door""#;
    assert!(message.contains(wish), "{message}");

    bed.kubectl.ok(&format!("create namespace {NAMESPACE}"));
    bed.kubectl.ok(&format!(
        "create rolebinding nobody-views --clusterrole view --user nobody --namespace {NAMESPACE}"
    ));
    // A refusal is remembered for ten seconds.
    wait_until(SOON, "Foresail lets the user in", || {
        let reply = as_nobody().unwrap();
        seen(reply.status == 200, reply.body)
    });
    bed.kubectl_as_nobody.raw(&path);
    bed.kubectl.ok(&format!("delete namespace {NAMESPACE}"));
}

#[test]
fn forged_identity_headers_are_believed_from_the_front_proxy_only() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[policy()]));
    let path = external(NAMESPACE, "demand");
    stage.wait_served(&path, 1.0);
    let certificates = &bed.certificates;
    let another = certificates.front_proxy_authority.client("another-proxy", "");
    let administrator = certificates.authority.client("admin", "system:masters");
    let same_name = certificates.authority.client("front-proxy-client", "");
    let forged = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")];
    let none: [(&str, &str); 0] = [];
    let ask = |http: &Http, headers: &[(&str, &str)]| {
        http.get(&stage.adapter.secure_url(&path), headers).unwrap()
    };
    for (who, http) in [
        ("nobody", bed.http.clone()),
        ("a client of the clients' authority", bed.http_as(&administrator)),
        ("one of the proxy's name, of the clients' authority", bed.http_as(&same_name)),
        ("one of another name, of the proxy's authority", bed.http_as(&another)),
    ] {
        for headers in [&forged[..], &forged[..1], &none] {
            let reply = ask(&http, headers);
            let status = reply.json();
            assert_eq!(
                (reply.status, status["kind"].as_str()),
                (401, Some("Status")),
                "{who}: {status}"
            );
            assert_eq!(status["reason"], "Unauthorized", "{who}");
        }
    }
    let refused = metric(&stage.adapter, "foresail_refused_requests_total", &[]);
    assert!(refused >= 12.0, "counted: {refused}");

    let proxy = stage.front_proxy();
    assert_eq!(ask(&proxy, &forged).status, 200);
    assert_eq!(ask(&proxy, &forged[..1]).status, 403, "admin without a group has no rights");
    assert_eq!(ask(&proxy, &none).status, 401, "the proxy named nobody");
    // Health is for everybody.
    assert_eq!(bed.http.get(&stage.adapter.secure_url("/readyz"), &[]).unwrap().status, 200);
}
