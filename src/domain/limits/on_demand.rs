//! Metrics of rules, which are read once somebody asks for them.

use std::time::Duration;

/// How often what is asked for is read: the HPA's own sync period.
pub const INTERVAL: Duration = Duration::from_secs(15);
/// What nobody asked for in this time is read no more. An HPA whose controller is behind by ten
/// minutes begins anew, with one read.
pub const IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// How long a value serves after the instant that it was read for: three reads may fail.
pub const SERVE: Duration = Duration::from_secs(60);
/// How long the first to ask wait for the answer: as long as a read may take, and a moment more.
pub const WAIT_MAX: Duration = Duration::from_secs(11);
/// Different questions that are kept up to date at once. A client that varies its selector may not
/// make Foresail ask Prometheus without end.
pub const QUESTIONS_MAX: usize = 5_000;
/// Requests whose question has no answer yet and which wait to be noticed.
pub const WAITING_MAX: usize = 1_024;
/// Requests that wait for the answer to one question.
pub const WAITERS_MAX: usize = 256;
/// How often it is looked which series the rules have.
pub const RELIST_INTERVAL: Duration = Duration::from_secs(60);
/// How far back series are looked for: what is scraped every two minutes does not come and go.
pub const RELIST_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Names of series that are held for all rules together: some 300 bytes each, and as much again for each
/// metric that is made of one. A rule that finds more keeps those that it had.
pub const NAMES_MAX: usize = 100_000;
/// The shortest time between two relists, and the shortest window.
pub const RELIST_MIN: Duration = Duration::from_secs(1);
/// How long the first to ask for pods of a namespace wait for the list of its pods.
pub const PODS_WAIT_MAX: Duration = Duration::from_secs(5);
/// Namespaces whose pods are followed because somebody asked for them.
pub const POD_NAMESPACES_MAX: usize = 2_000;
/// Kinds and namespaces whose objects, other than pods, are followed because somebody asked for all
/// of them: each is a watch. HPAs ask for such objects by name, which needs none.
pub const COLLECTIONS_MAX: usize = 64;
/// How long such objects are followed after somebody asked for the last time.
pub const COLLECTION_IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// Objects of one kind in one place of which the labels are kept.
pub const OBJECTS_MAX: usize = 20_000;
/// How long the first to ask for all objects of a kind wait for the list of them.
pub const OBJECTS_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it is asked whether the cluster has other resources. The API server answers that nothing
/// changed, in a line.
pub const DISCOVERY_INTERVAL: Duration = Duration::from_secs(15);
/// The same for an API server that cannot say so: it is asked for dozens of lists.
pub const OLD_DISCOVERY_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The longest time that one look may take.
pub const DISCOVERY_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the start waits for the first one; without it, rules begin with what every cluster has.
pub const FIRST_DISCOVERY_MAX: Duration = Duration::from_secs(2);
/// The longest document of discovery: a cluster with thousands of definitions writes some MiB.
pub const DISCOVERY_BYTES_MAX: usize = 16 << 20;
/// Resources that rules know; each template of labels is run for each of them.
pub const RESOURCES_MAX: usize = 5_000;
