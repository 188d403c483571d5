//! Whose policies may ask AWS as Foresail: what the operator lists, and who keeps to it.

use super::Faults;
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::Node;
use crate::domain::name::Namespace;
use crate::policy::queue::lending::{Lending, borrower};
use crate::policy::{Ask, Policy};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a configuration lists under `queues.awsIdentityFor`. A fault there is one of the whole: it
/// decides what others may do.
pub(super) fn listed(document: &Node, faults: &mut Vec<Fault>) -> Lending {
    let list = Path::default().key("queues").key("awsIdentityFor");
    let nodes = document.get("queues").and_then(|it| it.get("awsIdentityFor"));
    let nodes = nodes.map(Node::elements).unwrap_or_default();
    Lending::to(nodes.iter().map(|it| it.text().unwrap_or_default())).unwrap_or_else(|index| {
        let fault = Fault::new(list.index(index), "not the name of a namespace");
        faults.push(fault.hint("write `jobs`, `team-*` or `*`"));
        Lending::default()
    })
}

/// The namespaces whose policies want to ask AWS as Foresail.
pub(super) fn borrowers(policies: &[Arc<Policy>]) -> BTreeSet<Namespace> {
    let signals = policies.iter().flat_map(|it| &it.signals);
    let servers = signals.filter_map(|signal| match &signal.ask {
        Ask::Queue(ask) => Some(&ask.server),
        _ => None,
    });
    servers.filter_map(borrower).cloned().collect()
}

/// A policy of a namespace that asks as nobody it may not be; `None` when it would.
pub(super) fn within(policy: Policy, lending: &Lending, faults: &mut Faults) -> Option<Policy> {
    let before = faults.0.len();
    for signal in &policy.signals {
        let Ask::Queue(ask) = &signal.ask else { continue };
        if !lending.permits(&ask.server) {
            let namespace = &policy.key.namespace;
            let path = Path::default().key("spec").key("signals").key(signal.name.as_str());
            let problem =
                format!("a policy of namespace `{namespace}` may not ask AWS as Foresail");
            let hint = format!(
                "give `awsAccessKeyIDFrom` and `awsSecretAccessKeyFrom`, or have the operator list \
                 `{namespace}` under `queues.awsIdentityFor`"
            );
            faults.add(Fault::new(path, problem).hint(hint));
        }
    }
    (faults.0.len() == before).then_some(policy)
}
