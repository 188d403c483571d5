//! The page of `foresail simulate` in a real browser: Chromium without a window.
//!
//! `make setup` installs it; FORESAIL_CHROMIUM names another one.
#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails loudly")]

use foresail::simulate::demand::{Demand, DemandSettings};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const POLICY: &str = "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: 'http://127.0.0.1:1'}}]
policies:
  - metadata: {name: llama, namespace: inference}
    spec:
      metric: {name: llama_demand, type: External}
      signals: {it: {source: default, prometheus: {query: 'sum(demand)'}}}
      smooth: [{ewma: {halfLife: 30s}}]
";

/// Reports what a person would see: painted pixels and colours of each plot, what was loaded and
/// what went wrong; then does what a person would do.
const PROBE: &str = include_str!("probe.js");

/// Two days of seeded demand, a value every minute.
fn samples() -> String {
    let demand = Demand::new(11, DemandSettings::default()).unwrap();
    let minute = Duration::from_secs(60);
    let mut text = "time,value\n".to_owned();
    for at in 0..2 * 1_440_u32 {
        let mean = demand.arrivals(minute * at, minute) as f64 / 60.0;
        writeln!(text, "{},{mean:.3}", 1_793_577_600 + at * 60).unwrap();
    }
    text
}

/// Makes the page of a simulation, with the probe at its end.
fn page(folder: &Path) -> String {
    fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    fs::write(folder.join("demand.csv"), samples()).unwrap();
    let arguments =
        ["simulate", "--policy", "policy.yaml", "--trace", "demand.csv", "--frontier", "--html"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_foresail"));
    command.args(arguments).arg("page.html").current_dir(folder).env_remove("RUST_LOG");
    let out = command.output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let page = fs::read_to_string(folder.join("page.html")).unwrap();
    let probe = format!("<script>\n{PROBE}</script></body>");
    fs::write(folder.join("probed.html"), page.replace("</body>", &probe)).unwrap();
    page
}

fn chromium(folder: &Path, more: &[&str]) -> (String, String) {
    let program = std::env::var_os("FORESAIL_CHROMIUM").unwrap_or_else(|| "chromium".into());
    let mut command = Command::new(&program);
    command
        // A test may run as root, where the sandbox cannot; the page is our own.
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--virtual-time-budget=5000", "--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(more)
        .stdin(Stdio::null());
    let out = command.output().unwrap_or_else(|error| {
        let program = program.display();
        panic!("failed to start `{program}`: {error}; `make setup` installs it")
    });
    assert!(out.status.success(), "{out:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr))
}

fn probed(folder: &Path, width: u32, hash: &str) -> Value {
    let size = format!("--window-size={width},1600");
    let url = format!("file://{}{hash}", folder.join("probed.html").display());
    let (dom, log) = chromium(folder, &[&size, "--dump-dom", &url]);
    // The probe reads pixels back, which Chromium comments on; anything else is the page's fault.
    let said = log.lines().filter(|it| it.contains("CONSOLE") && !it.contains("readback"));
    assert_eq!(said.collect::<Vec<_>>(), Vec::<&str>::new());
    let (_, report) = dom.split_once("<title>REPORT").expect("the probe did not end");
    let report = report.split_once("END</title>").unwrap().0;
    serde_json::from_str(&report.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
        .unwrap()
}

#[test]
fn the_page_draws_zooms_and_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    page(folder.path());
    let report = probed(folder.path(), 1280, "");
    assert_eq!(report["drawn"], "yes");
    assert_eq!(report["loaded"], 0, "something was loaded from outside");
    for state in ["whole", "zoomed", "three"] {
        let plots = report[state].as_array().unwrap();
        assert_eq!(plots.len(), 4, "demand, pods, waits, sweep");
        for plot in plots {
            assert!(plot["pixels"].as_u64().unwrap() > 5_000, "{state}: {plot}");
            assert!(plot["colours"].as_u64().unwrap() >= 3, "{state}: {plot}");
            assert!(plot["points"].as_u64().unwrap() >= 42, "{state}: {plot}");
            assert!(!plot["label"].as_str().unwrap().is_empty());
        }
    }
    let all = "Mon 2026-11-02, 00:00:00 UTC to Tue 2026-11-03, 23:59:15 UTC";
    assert_eq!(report["all"], all);
    assert_ne!(report["part"], all, "plus looks closer");
    assert!(report["hash"].as_str().unwrap().starts_with("#t="), "{report}");
    assert_eq!(report["again"], all, "0 shows everything");
    // The pointer knows whole pixels only, here of two and a half minutes.
    let dragged = report["dragged"].as_str().unwrap().trim_start_matches("#t=");
    let ends: Vec<f64> = dragged.split(',').map(|it| it.parse().unwrap()).collect();
    assert!((ends[0] - 43_200.0).abs() < 300.0 && (ends[1] - 86_400.0).abs() < 300.0, "{ends:?}");
    let values = report["values"].as_array().unwrap();
    assert!(values.len() >= 9, "{values:?}");
    for value in values {
        let value = value.as_str().unwrap().replace(',', "");
        assert!(value.parse::<f64>().is_ok(), "{values:?}");
    }
    let points = |state: &str| report[state][1]["points"].as_u64().unwrap();
    assert!(points("three") > points("whole"), "a third way is drawn");
    assert_eq!(report["rows"], serde_json::json!([6, 4, 49]));
}

#[test]
fn a_link_shows_the_same_part_and_a_phone_has_room() {
    let folder = tempfile::tempdir().unwrap();
    page(folder.path());
    let report = probed(folder.path(), 500, "#t=3600,7200");
    assert_eq!(report["all"], "Mon 2026-11-02, 01:00:00 UTC to Mon 2026-11-02, 02:00:00 UTC");
    assert_eq!(report["overflow"], 0, "the page scrolls sideways");
}

#[test]
fn a_screenshot_is_a_picture_of_its_own_in_light_and_dark() {
    let folder = tempfile::tempdir().unwrap();
    page(folder.path());
    let url = format!("file://{}", folder.path().join("page.html").display());
    let mut pictures = Vec::new();
    for dark in [None, Some("--blink-settings=preferredColorScheme=0")] {
        let path = folder.path().join("shot.png");
        let shot = format!("--screenshot={}", path.display());
        let arguments: Vec<&str> =
            ["--window-size=1280,1600", &shot].into_iter().chain(dark).chain([&*url]).collect();
        chromium(folder.path(), &arguments);
        let picture = fs::read(&path).unwrap();
        assert_eq!(picture[1..4], *b"PNG");
        assert!(picture.len() > 60_000, "{} bytes: an empty page?", picture.len());
        pictures.push(picture);
    }
    assert_ne!(pictures[0], pictures[1], "the dark page looks like the light one");
}
