//! `foresail demo` end to end: it runs, it shows, and it ends in every way without leaving a trace.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{foresail, signal};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The demo, with a folder for temporary files of its own.
fn demo(arguments: &[&str]) -> (TempDir, Command) {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = foresail();
    command.arg("demo").args(arguments).env("TMPDIR", temporary.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    (temporary, command)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// Kills what a failing test leaves running.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It has usually ended; then there is nothing to kill, and waiting reaps it.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The numbers of a row: demand, running, waiting, published, ready, wanted.
fn numbers(row: &str) -> Vec<f64> {
    let fields = row.split_ascii_whitespace().skip(2);
    let numbers = fields.flat_map(|it| it.trim_end_matches("/s").split('/'));
    numbers.map(|it| it.parse().unwrap()).collect()
}

#[test]
fn the_demo_shows_a_row_a_second_and_ends_with_a_summary() {
    let (temporary, mut command) = demo(&["--duration", "3500ms", "--speed", "60"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_empty(temporary.path()), "the demo's folder stayed behind");
    for part in ["time runs 60x as fast", "curl -sk -H \"Authorization: Bearer $(cat "] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let rows: Vec<Vec<f64>> =
        text.lines().filter(|line| line.starts_with("Mon ")).map(numbers).collect();
    assert_eq!(rows.len(), 3, "{text}");
    // 60 simulated seconds lie between two rows.
    assert!(text.contains("Mon 09:11:0") && text.contains("Mon 09:13:0"), "{text}");
    for row in &rows {
        let (demand, running, waiting, published) = (row[0], row[1], row[2], row[3]);
        assert!(demand > 0.0 && row[4] >= 1.0 && row[5] >= 1.0, "{text}");
        // What is published is the demand in the system, smoothed over half a simulated minute.
        let load = running + waiting;
        assert!(published > load / 3.0 && published < load * 3.0, "{row:?} in\n{text}");
    }
    let summary = text.lines().rev().take(2).collect::<Vec<_>>().join("\n");
    assert!(summary.contains("requests arrived") && summary.contains("pod-hours"), "{text}");
    let asked = summary.split("the HPA asked ").nth(1).unwrap();
    let syncs: u32 = asked.split(' ').next().unwrap().parse().unwrap();
    assert!(syncs >= 10, "15 s of simulated time are a quarter of a second: {text}");
    assert!(summary.contains("got no value 0 times"), "{text}");
}

#[test]
fn a_signal_ends_the_demo_with_a_summary() {
    for name in ["INT", "TERM"] {
        let (temporary, mut command) = demo(&["--speed", "120"]);
        let mut child = Reaped(command.spawn().unwrap());
        let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let row = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("Mon "));
        assert!(row.is_some());
        assert!(!is_empty(temporary.path()));
        signal(child.0.id(), name);
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(child.0.wait().unwrap().code(), Some(0), "{rest:?}");
        assert!(rest.iter().any(|line| line.contains("requests arrived")), "{rest:?}");
        assert!(is_empty(temporary.path()), "the demo's folder stayed behind after SIG{name}");
    }
}

#[test]
fn the_demo_ends_quietly_when_nobody_reads_any_more() {
    let (temporary, mut command) = demo(&["--speed", "120"]);
    let mut child = Reaped(command.spawn().unwrap());
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    assert!(is_empty(temporary.path()), "the demo's folder stayed behind");
}
