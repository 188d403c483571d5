//! Which hosts the policies of namespaces may ask: what the operator lists, and who keeps to it.

use super::Faults;
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::Node;
use crate::domain::limits;
use crate::policy::queue::reach::{AllowedHost, NotAllowed, Reach};
use crate::policy::{Ask, Policy};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a configuration lists under `queues.allowedHosts`. A fault there is one of the whole: it
/// decides what others may do.
pub(super) fn listed(document: &Node, faults: &mut Vec<Fault>) -> Arc<[AllowedHost]> {
    let list = Path::default().key("queues").key("allowedHosts");
    let nodes = document.get("queues").and_then(|it| it.get("allowedHosts"));
    let nodes = nodes.map(Node::elements).unwrap_or_default();
    if nodes.len() > limits::ALLOWED_HOSTS_MAX {
        let problem = format!("more than {} hosts", limits::ALLOWED_HOSTS_MAX);
        faults.push(Fault::new(list, problem).hint("let `*` stand for several"));
        return Arc::default();
    }
    let mut allowed = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(text) = node.text() else { continue };
        match AllowedHost::parse(text) {
            Some(host) => allowed.push(host),
            None => {
                let fault = Fault::new(list.index(index), "not a host without a port");
                faults.push(fault.hint("write `redis.shared.svc`, `*.shared.svc` or `10.0.0.0/8`"));
            }
        }
    }
    allowed.into()
}

/// The hosts that policies of namespaces ask and that nobody may ask unless they are listed.
pub(super) fn unlisted(policies: &[Arc<Policy>]) -> BTreeSet<String> {
    let mut unlisted = BTreeSet::new();
    for policy in policies {
        for signal in &policy.signals {
            let Ask::Queue(ask) = &signal.ask else { continue };
            let Reach::Within { namespace, .. } = &ask.server.reach else { continue };
            let reach = Reach::Within { namespace: namespace.clone(), listed: Arc::default() };
            let hosts = ask.server.hosts().into_iter().filter(|it| reach.permits(it).is_err());
            unlisted.extend(hosts.map(str::to_owned));
        }
    }
    unlisted
}

/// A policy of a namespace, all of whose queues it may ask; `None` when it may not ask one.
pub(super) fn within_reach(
    mut policy: Policy,
    listed: &Arc<[AllowedHost]>,
    faults: &mut Faults,
) -> Option<Policy> {
    let namespace = policy.key.namespace.clone();
    let before = faults.0.len();
    for signal in &mut policy.signals {
        let Ask::Queue(ask) = &mut signal.ask else { continue };
        let server = &mut Arc::make_mut(ask).server;
        server.reach = Reach::Within { namespace: namespace.clone(), listed: Arc::clone(listed) };
        let refused: Vec<NotAllowed> =
            server.hosts().into_iter().filter_map(|it| server.reach.permits(it).err()).collect();
        for it in refused {
            let path = Path::default().key("spec").key("signals").key(signal.name.as_str());
            faults.add(Fault::new(path, it.to_string()).hint(it.hint()));
        }
    }
    (faults.0.len() == before).then_some(policy)
}
