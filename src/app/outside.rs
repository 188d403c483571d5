//! What the adapter has from outside: the door, the policies and the pods of a cluster, or what
//! stands for them without one.

use crate::app::choices::Choices;
use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::external::OwnerWatch;
use crate::app::files::look_every;
use crate::app::keeper::Keeper;
use crate::app::metrics::Metrics;
use crate::app::on_demand::AskedPods;
use crate::app::secrets::Vault;
use crate::app::self_metrics::{self, OfPolicies, Registries};
use crate::app::status::Status;
use crate::app::supply::SupplyIndex;
use crate::app::tasks::Tasks;
use crate::app::{AppError, Mode, policies};
use crate::auth::Door;
use crate::auth::token::Token;
use crate::cluster;
use crate::cluster::lease::Candidate;
use crate::cluster::objects::ObjectIndex;
use crate::cluster::places::PlaceIndex;
use crate::cluster::pods::PodIndex;
use crate::cluster::resources::Discovery;
use crate::cluster::reviews::ClusterReviews;
use crate::cluster::secrets::ClusterSecrets;
use crate::cluster::serving::ServingStore;
use crate::cluster::status::StatusWriter;
use crate::cluster::tokens::ClusterTokens;
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::pod_place::PodPlace;
use crate::domain::ports::{Objects, Places, Pods, PodsUnknown};
use crate::domain::selector::Selector;
use crate::policy::Config;
use crate::published::Published;
use crate::rules::resources::RestMapping;
use crate::telemetry::health::{Check, Health};
use crate::telemetry::process;
use crate::tls::certificates::Certificates;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What there is before anything comes from outside.
pub(super) struct Own {
    pub(super) loaded: watch::Receiver<Arc<Loaded>>,
    pub(super) metrics: Metrics,
    pub(super) published: Arc<Published>,
    pub(super) vault: Arc<Vault>,
    pub(super) certificates: Arc<Certificates>,
    /// Whose pods somebody asked for.
    pub(super) asked_pods: watch::Receiver<AskedPods>,
}

impl Own {
    pub(super) fn new(
        loaded: watch::Receiver<Arc<Loaded>>,
        metrics: &Metrics,
        published: &Arc<Published>,
        vault: Arc<Vault>,
        certificates: &Arc<Certificates>,
        asked_pods: watch::Receiver<AskedPods>,
    ) -> Self {
        let (published, certificates) = (Arc::clone(published), Arc::clone(certificates));
        let metrics = metrics.clone();
        Self { loaded, metrics, published, vault, certificates, asked_pods }
    }
}

/// What comes from outside.
pub(super) struct Outside {
    /// Who is let in.
    pub(super) door: Door,
    /// Which pods exist.
    pub(super) pods: Arc<dyn Pods>,
    /// Which objects of other kinds; `None` without a cluster.
    pub(super) objects: Option<Arc<dyn Objects>>,
    /// Where their pages are.
    pub(super) places: Arc<dyn Places>,
    /// The file's policies, joined by those of the cluster.
    pub(super) loaded: watch::Receiver<Arc<Loaded>>,
    /// What resources there are.
    pub(super) mapping: watch::Receiver<Arc<RestMapping>>,
    /// Which pods are on their way; `None` without a cluster.
    pub(super) supply: Option<Arc<SupplyIndex>>,
    /// What was chosen for the policies, and who chooses.
    pub(super) choices: Arc<Choices>,
}

/// What there is without a cluster.
fn standalone(
    token_file: PathBuf,
    loaded: watch::Receiver<Arc<Loaded>>,
    tasks: &mut Tasks,
    stop: &CancellationToken,
) -> Result<Outside, AppError> {
    let token = Token::load(token_file).map_err(AppError::Token)?;
    let look = |it: &mut Arc<Token>| _ = it.reload_once();
    tasks.spawn("token", look_every(Arc::clone(&token), look, stop.clone()));
    Ok(Outside {
        door: Door::standalone(token),
        pods: Arc::new(NoCluster),
        objects: None,
        places: Arc::new(NoCluster),
        loaded,
        mapping: usual_resources(),
        supply: None,
        choices: Arc::new(Choices::alone()),
    })
}

/// Starts the tasks that follow the cluster, or those that do without one.
pub(super) async fn connect(
    mode: Mode,
    own: Own,
    tasks: &mut Tasks,
    stop: &CancellationToken,
    (health, registries): (&mut Health, &mut Registries),
) -> Result<Outside, AppError> {
    let (kubeconfig, token_audiences, service, serving_secret) = match mode {
        Mode::Standalone { token_file } => return standalone(token_file, own.loaded, tasks, stop),
        Mode::Cluster { kubeconfig, token_audiences, service, serving_secret } => {
            (kubeconfig, token_audiences, service, serving_secret)
        }
    };
    let client = cluster::connect(kubeconfig.as_deref()).await.map_err(AppError::Cluster)?;

    // Whom to trust comes from a ConfigMap that is watched.
    let (trust, trusted) = watch::channel(None);
    tasks.spawn("trust", cluster::trust::watch(client.clone(), trust, stop.clone()));
    let is_trusted = health.add_ready("front-proxy-trust");
    tasks.spawn("trust-known", until_known(trusted.clone(), is_trusted, stop.clone()));

    let Own { loaded, metrics, published, vault, certificates, asked_pods } = own;

    // The Secrets that policies refer to are read when they are needed.
    vault.open_cluster(Arc::new(ClusterSecrets::new(client.clone())));

    // Policies are watched, and join those of the file.
    let (index, loaded) = policies::start(&client, loaded, metrics, tasks, stop);

    // One replica tells what became of the policies, and what all go by.
    let (candidate, leading) = Candidate::new(client.clone(), &process::host(), clock::now);
    tasks.spawn("lease", candidate.run(stop.clone()));
    let choices = Arc::new(Choices::start(&index, &loaded, leading.clone(), tasks, stop));

    // The serving certificate, where it is kept in the cluster.
    if let Some(secret) = serving_secret {
        let store = ServingStore::new(client.clone(), &secret, &service);
        let is_served = health.add_ready("serving-certificate");
        let keeper = Keeper::new(store, certificates, leading.clone(), is_served);
        tasks.spawn("serving-certificate", keeper.run(stop.clone()));
    }

    // Who owns the APIService of external metrics, which a cluster has one of.
    let of_owner = OwnerWatch::new(&client, service, &loaded, &leading);
    self_metrics::external(registries.own(), of_owner.start(tasks, stop));

    // Pods are watched in the namespaces that have a Pods metric, or are asked for one of a rule.
    let pods = Arc::new(PodIndex::default());
    let (wish, wanted) = watch::channel(pod_namespaces(&loaded.borrow().config));
    let follow = follow_pods(loaded.clone(), asked_pods, wish, stop.clone());
    tasks.spawn("pod-namespaces", follow);
    let run = Arc::clone(&pods).watch(client.clone(), wanted, stop.clone());
    tasks.spawn("pods", run);
    let are_known = health.add_ready("pods");
    tasks.spawn("pods-known", until_synced(Arc::clone(&pods), are_known, stop.clone()));
    self_metrics::pods(registries.own(), &pods);

    // Pods are watched with their addresses in the namespaces of policies that read their pages.
    let places = Arc::new(PlaceIndex::default());
    let (wish, wanted) = watch::channel(place_namespaces(&loaded.borrow().config));
    let follow = follow_namespaces(loaded.clone(), wish, place_namespaces, stop.clone());
    tasks.spawn("place-namespaces", follow);
    tasks.spawn("places", Arc::clone(&places).watch(client.clone(), wanted, stop.clone()));
    self_metrics::places(registries.own(), &places);

    // Who uses the metrics, and how long their pods take to start.
    let supply = SupplyIndex::start(&client, &loaded, choices.shared(), tasks, stop);
    self_metrics::supply(registries.own(), &supply);

    let writer = StatusWriter::new(client.clone(), Arc::clone(&index));
    let of_policies = OfPolicies { index, leading: leading.clone(), writes: writer.writes() };
    self_metrics::policies(registries.own(), of_policies);
    let status = Status {
        loaded: loaded.clone(),
        published,
        supply: Arc::clone(&supply),
        choices: Arc::clone(&choices),
        leading,
        writer,
    };
    tasks.spawn("status", status.run(stop.clone()));

    let (mapping, objects) = of_rules(&client, tasks, stop, registries).await;
    let objects: Option<Arc<dyn Objects>> = Some(objects);

    let tokens = Arc::new(ClusterTokens::new(client.clone(), token_audiences));
    let door = Door::delegated(trusted, tokens, Arc::new(ClusterReviews::new(client)));
    let supply = Some(supply);
    Ok(Outside { door, pods, objects, places, loaded, mapping, supply, choices })
}

/// What only rules need: the cluster's resources, and the objects that are asked for.
async fn of_rules(
    client: &cluster::Client,
    tasks: &mut Tasks,
    stop: &CancellationToken,
    registries: &mut Registries,
) -> (watch::Receiver<Arc<RestMapping>>, Arc<ObjectIndex>) {
    let mut discovery = Discovery::new(client.clone(), limits::on_demand::DISCOVERY_INTERVAL);
    let counts = discovery.counts();
    let (found, mapping) = watch::channel(Arc::new(discovery.first().await));
    tasks.spawn("discovery", discovery.follow(found, stop.clone()));
    let objects = Arc::new(ObjectIndex::default());
    tasks.spawn("objects", Arc::clone(&objects).watch(client.clone(), stop.clone()));
    self_metrics::of_rules(registries.own(), counts, &objects);
    (mapping, objects)
}

/// The resources that every cluster has.
fn usual_resources() -> watch::Receiver<Arc<RestMapping>> {
    watch::channel(Arc::new(RestMapping::usual())).1
}

/// Makes a check pass once a value is there; then it stays so, since the last good one is kept.
async fn until_known<T>(
    mut value: watch::Receiver<Option<T>>,
    check: Arc<Check>,
    stop: CancellationToken,
) {
    if let Some(Ok(_)) = stop.run_until_cancelled(value.wait_for(Option::is_some)).await {
        check.set(true);
    }
    stop.cancelled().await;
}

/// Makes a check pass once the first list of pods is in, or after a while: External and Object
/// metrics can be served without it.
async fn until_synced(pods: Arc<PodIndex>, check: Arc<Check>, stop: CancellationToken) {
    /// How often that is looked at.
    const LOOK: Duration = Duration::from_millis(100);
    let synced = async {
        // The first look comes after the watch has learnt what is wanted.
        tokio::time::sleep(LOOK).await;
        while !pods.is_synced() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = tokio::time::timeout(limits::FIRST_ANSWER_MAX, synced);
    if let Some(Err(_)) = stop.run_until_cancelled(waited).await {
        tracing::warn!("the list of pods takes long; Pods metrics with a selector are refused");
    }
    check.set(true);
    stop.cancelled().await;
}

async fn follow_pods(
    mut loaded: watch::Receiver<Arc<Loaded>>,
    mut asked: watch::Receiver<AskedPods>,
    wish: watch::Sender<BTreeSet<Namespace>>,
    stop: CancellationToken,
) {
    loop {
        let changed = async {
            tokio::select! {
                changed = loaded.changed() => changed,
                changed = asked.changed() => changed,
            }
        };
        let Some(Ok(())) = stop.run_until_cancelled(changed).await else { break };
        let mut namespaces = pod_namespaces(&loaded.borrow_and_update().config);
        namespaces.extend(asked.borrow_and_update().keys().cloned());
        wish.send_if_modified(|wished| {
            let is_new = *wished != namespaces;
            *wished = namespaces;
            is_new
        });
    }
    stop.cancelled().await;
}

async fn follow_namespaces(
    mut loaded: watch::Receiver<Arc<Loaded>>,
    wish: watch::Sender<BTreeSet<Namespace>>,
    namespaces: fn(&Config) -> BTreeSet<Namespace>,
    stop: CancellationToken,
) {
    while let Some(Ok(())) = stop.run_until_cancelled(loaded.changed()).await {
        let namespaces = namespaces(&loaded.borrow_and_update().config);
        wish.send_if_modified(|wished| {
            let is_new = *wished != namespaces;
            *wished = namespaces;
            is_new
        });
    }
    stop.cancelled().await;
}

fn pod_namespaces(config: &Config) -> BTreeSet<Namespace> {
    let of_pods = config.policies.iter().filter(|it| it.subject == Subject::Pods);
    of_pods.map(|it| it.key.namespace.clone()).collect()
}

fn place_namespaces(config: &Config) -> BTreeSet<Namespace> {
    let of_policies = config.policies.iter().flat_map(|policy| {
        let read = policy.signals.iter().filter_map(|it| it.ask.of_pods());
        read.map(|it| it.namespace(&policy.key.namespace).clone())
    });
    of_policies.collect()
}

/// The pods of a standalone adapter: nobody knows.
#[derive(Debug)]
struct NoCluster;

impl Pods for NoCluster {
    fn matching(&self, _: &Namespace, _: &Selector) -> Result<Vec<ObjectName>, PodsUnknown> {
        Err(PodsUnknown::NoCluster)
    }
}

impl Places for NoCluster {
    fn places(&self, _: &Namespace, _: &Selector) -> Result<Vec<PodPlace>, PodsUnknown> {
        Err(PodsUnknown::NoCluster)
    }
}
