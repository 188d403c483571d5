//! The bounds of profiles.

use std::time::Duration;

/// Files in a folder of profiles: many times the engines that there are.
pub const FILES_MAX: usize = 256;
/// The quantile of a profile's histogram when a policy names none.
pub const QUANTILE_DEFAULT: f64 = 0.95;
/// Over how long a profile's rates look back in Prometheus when a policy says nothing: four times the
/// usual scrape interval of 30 s.
pub const WINDOW_DEFAULT: Duration = Duration::from_secs(120);
