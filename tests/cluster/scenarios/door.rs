//! Who is let in: only kube-apiserver's front proxy speaks for others, and only users with rights are
//! answered, whatever they show.

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
    // Two authorities of different meaning: one's clients speak for themselves, whatever they claim.
    for (who, http, code, reason) in [
        ("nobody", bed.http.clone(), 403, "Forbidden"),
        ("a client without rights", bed.http_as(&same_name), 403, "Forbidden"),
        ("one of another name, of the proxy's", bed.http_as(&another), 401, "Unauthorized"),
    ] {
        for headers in [&forged[..], &forged[..1], &none] {
            let reply = ask(&http, headers);
            let status = reply.json();
            assert_eq!(
                (reply.status, status["kind"].as_str(), status["reason"].as_str()),
                (code, Some("Status"), Some(reason)),
                "{who}: {status}"
            );
        }
    }
    let as_administrator = bed.http_as(&administrator);
    for headers in [&[("X-Remote-User", "nobody")][..], &none] {
        assert_eq!(ask(&as_administrator, headers).status, 200, "a master by certificate");
    }
    let refused = metric(&stage.adapter, "foresail_refused_requests_total", &[]);
    assert!(refused >= 9.0, "counted: {refused}");

    let proxy = stage.front_proxy();
    assert_eq!(ask(&proxy, &forged).status, 200);
    assert_eq!(ask(&proxy, &forged[..1]).status, 403, "admin without a group has no rights");
    assert_eq!(ask(&proxy, &none).status, 401, "the proxy named nobody");
    // Health is for everybody.
    assert_eq!(bed.http.get(&stage.adapter.secure_url("/readyz"), &[]).unwrap().status, 200);
}

#[test]
fn a_service_account_s_token_opens_what_its_account_may_do() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[policy()]));
    let path = external(NAMESPACE, "demand");
    stage.wait_served(&path, 1.0);
    bed.kubectl.ok(&format!("create namespace {NAMESPACE}"));
    bed.kubectl.ok(&format!("create serviceaccount reader --namespace {NAMESPACE}"));
    let token = bed.kubectl.ok(&format!("create token reader --namespace {NAMESPACE}"));
    let bearer = format!("Bearer {}", token.trim());
    let ask = |value: &str| {
        bed.http.get(&stage.adapter.secure_url(&path), &[("Authorization", value)]).unwrap()
    };
    let reply = ask(&bearer);
    assert_eq!(reply.status, 403, "{}", reply.body);
    let name = format!("system:serviceaccount:{NAMESPACE}:reader");
    assert!(reply.body.contains(&name), "{}", reply.body);
    assert_eq!(ask(&format!("{bearer}x")).status, 401, "no token of this cluster");
    bed.kubectl.ok(&format!(
        "create rolebinding reader-views --clusterrole view --serviceaccount {NAMESPACE}:reader \
         --namespace {NAMESPACE}"
    ));
    // A refusal is remembered for ten seconds.
    wait_until(SOON, "the account is let in", || {
        let reply = ask(&bearer);
        seen(reply.status == 200, reply.body)
    });
    bed.kubectl.ok(&format!("delete namespace {NAMESPACE}"));
}
