//! Earlier days: what Prometheus would know if it had scraped them.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use super::rhythm::{DAY_SECONDS, Rhythm};
use super::{ARRIVALS, FLEETS, WAITING, labels};
use crate::bed::Bed;

/// Days before now; a choice of `auto` needs three, and the last one may have begun a day ago.
const DAYS: i64 = 4;

/// Writes earlier days of both fleets into Prometheus, up to now, and starts it again.
pub(super) fn write(bed: &Bed, rhythm: Rhythm) {
    bed.prometheus.stop();
    let now = jiff::Timestamp::now().as_second();
    let mut text = String::new();
    for series in [ARRIVALS, WAITING] {
        writeln!(text, "# TYPE {series} gauge").unwrap();
        for namespace in FLEETS {
            let labels: Vec<String> = labels(namespace)
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\""))
                .collect();
            let labels = labels.join(",");
            for second in now - DAYS * DAY_SECONDS..now {
                let value = if series == ARRIVALS { rhythm.at(second) } else { 0.0 };
                writeln!(text, "{series}{{{labels}}} {value} {second}").unwrap();
            }
        }
    }
    text.push_str("# EOF\n");
    let page = bed.folder().join("earlier-days.om");
    fs::write(&page, text).unwrap();
    let output = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .arg(&page)
        .arg(bed.folder().join("prometheus-data"))
        .output()
        .expect("promtool comes with Debian's prometheus");
    assert!(output.status.success(), "promtool: {}", String::from_utf8_lossy(&output.stderr));
    bed.prometheus.start_again();
}
