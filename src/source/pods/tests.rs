//! What the tests of this room share: signals as they are written, and pods on loopback.

use super::*;
use crate::domain::name::ObjectName;
use crate::policy::resolve;

/// A signal of pods with these keys.
pub(super) fn ask(keys: &str) -> PodsAsk {
    ask_of("External", keys)
}

/// The same for a metric of this type.
pub(super) fn ask_of(metric_type: &str, keys: &str) -> PodsAsk {
    let keys = format!("selector: {{matchLabels: {{app: a}}}}, port: 8000, {keys}");
    loaded(metric_type, &format!("pods: {{{keys}}}"))
}

/// A signal of a profile with these keys.
pub(super) fn ask_of_profile(metric_type: &str, keys: &str) -> PodsAsk {
    loaded(metric_type, &format!("profile: {{selector: {{matchLabels: {{app: a}}}}, {keys}}}"))
}

fn loaded(metric_type: &str, signal: &str) -> PodsAsk {
    let text = format!(
        "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
policies:
  - metadata: {{name: p, namespace: a}}
    spec:
      metric: {{name: m, type: {metric_type}}}
      signals:
        x: {{{signal}}}
"
    );
    let config = resolve::load(&text).unwrap();
    let [policy] = config.policies.as_slice() else { panic!("{signal}: {:?}", config.faults) };
    let Ask::Pods(ask) = &policy.signals[0].ask else { panic!("{signal}") };
    PodsAsk::clone(ask)
}

/// A pod that is ready, on loopback.
pub(super) fn place(number: usize) -> PodPlace {
    let [_, _, high, low] = u32::try_from(number + 257).unwrap().to_be_bytes();
    PodPlace {
        name: ObjectName::new(&format!("llama-{number}")).unwrap(),
        uid: format!("uid-{number}").into(),
        address: Some(std::net::Ipv4Addr::new(127, 1, high, low).into()),
        ports: Arc::default(),
        is_ready: true,
        is_leaving: false,
        engine: None,
    }
}
