//! The cluster that is scaled: namespaces, Deployments and their pods, their series, and the HPAs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};

/// 1,500 pods on two busy cores.
const READY_DEADLINE: Duration = Duration::from_secs(300);

/// The fleet's own; Foresail's Deployment, which the manifests bring along, is none of it.
const DEPLOYMENTS: &str = "deployments --all-namespaces --selector fleet=true";
const PODS: &str = "pods --all-namespaces --selector fleet=true";

/// Series of each pod, all of which an HPA of its own scales by.
pub(crate) const SERIES_PER_POD: usize = 5;

/// Object and External metrics of an application together, on average as many of each.
const TOTALS_PER_APP: usize = 5;

/// How large it is. Each application has ten HPAs.
#[derive(Debug)]
pub(crate) struct Size {
    namespaces: usize,
    apps_per_namespace: usize,
    pods_per_app: usize,
}

impl Size {
    /// 1,500 pods, 1,000 HPAs.
    pub(crate) const WHOLE: Self = Self { namespaces: 20, apps_per_namespace: 5, pods_per_app: 15 };

    /// 6 pods, 20 HPAs.
    pub(crate) const SMALL: Self = Self { namespaces: 1, apps_per_namespace: 2, pods_per_app: 3 };
}

/// A Deployment with its pods.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The pods' names.
    pub(crate) pods: Vec<String>,
    /// How many metrics about the Deployment there are.
    pub(crate) n_objects: usize,
    /// How many External metrics there are.
    pub(crate) n_externals: usize,
}

impl App {
    fn targets(&self) -> impl Iterator<Item = Target<'_>> {
        let of_kind = |kind, n: usize| (0..n).map(move |idx| Target { app: self, kind, idx });
        let totals = of_kind(Kind::Object, self.n_objects);
        let totals = totals.chain(of_kind(Kind::External, self.n_externals));
        of_kind(Kind::Pods, SERIES_PER_POD).zip(totals).flat_map(|(pods, total)| [pods, total])
    }
}

/// The metric type of an HPA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pods,
    Object,
    External,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Pods, Self::Object, Self::External];
}

/// What one HPA scales by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'f> {
    pub(crate) app: &'f App,
    pub(crate) kind: Kind,
    /// Which of the application's metrics of this kind.
    pub(crate) idx: usize,
}

impl Target<'_> {
    /// The series that says it.
    pub(crate) fn series(&self) -> String {
        let Self { kind, idx, .. } = self;
        match kind {
            Kind::Pods => format!("engine_running_{idx}"),
            Kind::Object => format!("gateway_requests_{idx}"),
            Kind::External => format!("queue_depth_{idx}"),
        }
    }
}

/// All applications.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) apps: Vec<App>,
}

impl Fleet {
    /// Applies it, waits until all pods are ready, and writes their series on the bed's page.
    pub(crate) fn start(bed: &Bed, size: &Size) -> Self {
        let n_apps = size.namespaces * size.apps_per_namespace;
        let apps = (0..n_apps).map(|idx| {
            let n_objects = TOTALS_PER_APP / 2 + idx % 2;
            App {
                namespace: format!("team-{:02}", idx / size.apps_per_namespace),
                name: format!("app{idx:03}"),
                pods: Vec::new(),
                n_objects,
                n_externals: TOTALS_PER_APP - n_objects,
            }
        });
        let mut fleet = Self { apps: apps.collect() };
        bed.kubectl.apply(&fleet.manifests(size.pods_per_app));
        let n_pods = n_apps * size.pods_per_app;
        wait_until(READY_DEADLINE, "all pods are ready", || {
            let deployments = bed.kubectl.get(DEPLOYMENTS);
            let items = deployments["items"].as_array().unwrap().iter();
            let ready = items.filter_map(|it| it["status"]["readyReplicas"].as_u64()).sum::<u64>();
            seen(usize::try_from(ready).unwrap() == n_pods, format!("{ready} of {n_pods}"))
        });
        fleet.name_pods(&bed.kubectl.get(PODS));
        bed.exporter.answer(200, &fleet.page());
        wait_until(READY_DEADLINE, "Prometheus has all series", || {
            let n_series = bed.prometheus.value("count({__name__=~\"engine_running_.*\"})");
            seen(n_series == Ok((n_pods * SERIES_PER_POD) as f64), format!("{n_series:?}"))
        });
        fleet
    }

    /// What each HPA scales by; the kinds follow one another as they would by chance.
    pub(crate) fn targets(&self) -> Vec<Target<'_>> {
        self.apps.iter().flat_map(App::targets).collect()
    }

    fn manifests(&self, replicas: usize) -> String {
        let mut namespaces: Vec<&str> =
            self.apps.iter().map(|app| app.namespace.as_str()).collect();
        namespaces.dedup();
        let mut text = String::new();
        for namespace in namespaces {
            writeln!(text, "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}")
                .unwrap();
        }
        for App { namespace, name, .. } in &self.apps {
            writeln!(
                text,
                "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}, labels: {{fleet: \"true\"}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}, fleet: \"true\"}}}}
    spec: {{containers: [{{name: engine, image: example.invalid/engine}}]}}"
            )
            .unwrap();
        }
        text
    }

    fn name_pods(&mut self, pods: &Value) {
        let metadata = |pod: &Value| pod["metadata"].clone();
        for pod in pods["items"].as_array().unwrap().iter().map(metadata) {
            let app = pod["labels"]["app"].as_str();
            let app = self.apps.iter_mut().find(|it| Some(it.name.as_str()) == app);
            app.unwrap().pods.push(pod["name"].as_str().unwrap().to_owned());
        }
    }

    /// The page that Prometheus scrapes.
    fn page(&self) -> String {
        let mut text = String::new();
        for (at, target) in self.targets().iter().enumerate() {
            let (series, App { namespace, name, pods, .. }) = (target.series(), target.app);
            let labels = format!("namespace=\"{namespace}\",app=\"{name}\"");
            match target.kind {
                Kind::Pods => pods.iter().enumerate().for_each(|(nth, pod)| {
                    let value = (at + nth) % 97;
                    writeln!(text, "{series}{{{labels},pod=\"{pod}\"}} {value}").unwrap();
                }),
                Kind::Object => {
                    writeln!(text, "{series}{{{labels},deployment=\"{name}\"}} {at}").unwrap();
                }
                Kind::External => {
                    writeln!(text, "{series}{{{labels},queue=\"{name}\"}} {at}").unwrap();
                }
            }
        }
        text
    }
}
