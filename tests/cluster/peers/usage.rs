//! What a contest costs: processor time and memory of processes, queries of Prometheus, requests to
//! kube-apiserver.

use std::fs;
use std::time::Duration;

use crate::bed::Bed;

/// Linux counts processor time for `/proc` in hundredths of a second, whatever the kernel's own tick.
const TICK: Duration = Duration::from_millis(10);

/// The paths by which Prometheus is asked for samples, series or labels.
const QUERY_PATHS: [&str; 5] = [
    "/api/v1/query",
    "/api/v1/query_range",
    "/api/v1/series",
    "/api/v1/labels",
    "/api/v1/label/:name/values",
];

/// The processor time that these processes have used, user and system.
pub(crate) fn cpu(pids: &[u32]) -> Duration {
    let ticks: u32 = pids
        .iter()
        .map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            // The name in brackets may hold spaces; what follows it are fields 3, 4, …
            let fields = stat.rsplit(')').next().unwrap().split_whitespace();
            let [user, system] = [11, 12].map(|idx| fields.clone().nth(idx).unwrap());
            user.parse::<u32>().unwrap() + system.parse::<u32>().unwrap()
        })
        .sum();
    TICK * ticks
}

/// Resident memory in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    /// With the pages of the programs' files, which the kernel maps as it likes.
    pub(crate) whole: f64,
    /// What the programs have written.
    pub(crate) data: f64,
}

impl Resident {
    /// Of all these processes together.
    pub(crate) fn of(pids: &[u32]) -> Self {
        let sum = |key: &str| pids.iter().map(|pid| status(*pid, key)).sum();
        Self { whole: sum("VmRSS:"), data: sum("RssAnon:") }
    }
}

/// A line of `/proc/PID/status`, in MiB.
fn status(pid: u32, key: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Counters of the servers behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind {
    /// Queries that Prometheus has answered.
    pub(crate) queries: f64,
    /// LISTs that kube-apiserver has answered.
    pub(crate) lists: f64,
    /// SubjectAccessReviews that kube-apiserver has answered.
    pub(crate) reviews: f64,
}

impl Behind {
    /// As they stand.
    pub(crate) fn read(bed: &Bed) -> Self {
        let of_prometheus =
            bed.http.get(&format!("{}/metrics", bed.prometheus.url()), &[]).unwrap();
        let url = format!("{}/metrics", bed.control_plane.server());
        let of_cluster = bed.http.get(&url, &[("Authorization", "Bearer admin")]).unwrap();
        assert!([of_prometheus.status, of_cluster.status] == [200, 200], "a page is refused");
        let queries = QUERY_PATHS.iter().map(|path| {
            let handler = format!("handler=\"{path}\"");
            sum(&of_prometheus.body, "prometheus_http_requests_total{", &[&handler])
        });
        let asked = |labels: &[&str]| sum(&of_cluster.body, "apiserver_request_total{", labels);
        Self {
            queries: queries.sum(),
            lists: asked(&["verb=\"LIST\""]),
            reviews: asked(&["resource=\"subjectaccessreviews\""]),
        }
    }
}

/// The sum of the samples whose line begins so and contains these labels.
fn sum(page: &str, begin: &str, labels: &[&str]) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with(begin));
    let of_these = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    of_these.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}
