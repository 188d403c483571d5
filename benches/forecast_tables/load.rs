//! Recorded traces: cluster load every minute, and requests.

use crate::series::Series;
use foresail::simulate::judge::recorded::Request;
use std::path::Path;

const CLUSTER: [&str; 7] = ["00", "01", "02", "04", "05", "07", "11"];

/// The seven series of cluster load.
pub(crate) fn cluster(folder: &Path) -> Vec<Series> {
    let read = |name: &&str| {
        let path = folder.join(format!("cluster-load-{name}.csv"));
        let values = pairs(&path).into_iter().map(|(_, value)| value).collect();
        Series::recorded(&format!("cluster {name}"), values)
    };
    CLUSTER.iter().map(read).collect()
}

/// Requests, in seconds from the midnight before the first.
pub(crate) fn requests(path: &Path) -> Vec<Request> {
    pairs(path).into_iter().map(|(arrival, service)| Request { arrival, service }).collect()
}

/// The two columns of a file with one line of headings.
fn pairs(path: &Path) -> Vec<(f64, f64)> {
    let text = std::fs::read_to_string(path).unwrap();
    let pair = |line: &str| {
        let (one, other) = line.split_once(',').unwrap();
        (one.parse().unwrap(), other.parse().unwrap())
    };
    text.lines().skip(1).map(pair).collect()
}
