//! The bounds of profiles.

use std::time::Duration;

/// Files in a folder of profiles: many times the engines that there are.
pub const FILES_MAX: usize = 256;
/// The quantile of a profile's histogram when a policy names none.
pub const QUANTILE_DEFAULT: f64 = 0.95;
/// Over how long a profile's rates look back in Prometheus when a policy says nothing: four times the
/// usual scrape interval of 30 s.
pub const WINDOW_DEFAULT: Duration = Duration::from_secs(120);
/// Pods whose pages are looked at to tell the engine, where no label says it: the first may have
/// just started, and two engines in one policy show.
pub const LOOK_PODS: usize = 3;
/// How long after it could not be told an engine is looked for again: pages are asked for on the
/// usual ports of all engines.
pub const LOOK_REST: Duration = Duration::from_secs(5);
/// How long after it was looked for in doubt and was the same an engine is looked for again: something
/// else is wrong then.
pub const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long an engine is remembered about which nobody asks any more.
pub const LOOK_MEMORY: Duration = Duration::from_secs(2 * 3600);
