//! What `foresail` prints and how it exits: help, `check` on good and faulty files, wrong flags.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{foresail, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Exit code, stdout and stderr of a run, for a snapshot.
fn shown(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = foresail().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(stdout), text(stderr));
    format!(
        "exit code {}\n--- stdout\n{stdout}--- stderr\n{stderr}",
        status.code().map_or_else(|| status.to_string(), |it| it.to_string()),
    )
}

#[test]
fn help_says_what_there_is() {
    for verb in ["", "serve", "check", "crd", "profiles", "demo", "simulate", "explain", "import"] {
        let arguments: Vec<&str> =
            [verb, "--help"].into_iter().filter(|it| !it.is_empty()).collect();
        let name = if verb.is_empty() { "help".to_owned() } else { format!("help_{verb}") };
        insta::assert_snapshot!(name, shown(&arguments));
    }
}

#[test]
fn wrong_flags_are_the_persons_input() {
    let wrong: [&[&str]; 9] = [
        &[],
        &["frobnicate"],
        &["check", "--confg", "x"],
        &["serve", "--tls-cert-file", "tls.crt"],
        &["serve", "--standalone"],
        &["serve", "--token-file", "token"],
        &["serve", "--secure-port", "65536"],
        &["serve", "--shutdown-delay", "soon"],
        &["demo", "--speed", "0"],
    ];
    let mut text = String::new();
    for arguments in wrong {
        let shown = shown(arguments);
        assert!(shown.starts_with("exit code 1\n--- stdout\n--- stderr\n"), "{shown}");
        text.push_str(&format!("$ foresail {}\n{shown}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!(text);
    assert!(shown(&["--version"]).starts_with("exit code 0\n--- stdout\nforesail "));
}

/// A dozen different faults, in four layers: keys, sources, policies, expressions.
const FAULTY: &str = r#"apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - name: default
    prometheus: {url: "http://prometheus:9090", timout: 5s}
  - name: engine
    scrape: {url: "127.0.0.1:9400/metrics"}
  - name: both
    scrape: {url: "http://a/metrics"}
    prometheus: {url: "http://a"}
  - name: good
    prometheus: {url: "http://prometheus:9090"}
  - name: page
    scrape: {url: "http://127.0.0.1:9400/metrics"}
policies:
  - metadata: {name: query, namespace: inference}
    spec:
      metric: {name: query, type: External}
      signals:
        it: {source: good, prometheus: {query: 'sum(rate(vllm:num_requests_running[1m])'}}
  - metadata: {name: combine, namespace: inference}
    spec:
      metric: {name: combine, type: External}
      signals:
        running: {source: good, prometheus: {query: 'a'}}
        waiting: {source: page, scrape: {series: 'b'}}
      combine: running + wating
  - metadata: {name: source, namespace: inference}
    spec:
      metric: {name: source, type: External}
      signals:
        it: {source: goood, prometheus: {query: 'a'}}
  - metadata: {name: interval, namespace: inference}
    spec:
      metric: {name: interval, type: External}
      interval: 15
      signals:
        it: {source: good, prometheus: {query: 'a'}}
  - metadata: {name: half-life, namespace: inference}
    spec:
      metric: {name: half_life, type: External}
      signals:
        it: {source: good, prometheus: {query: 'a'}}
      smooth: [{ewma: {halflife: 30s}}]
  - metadata: {name: guard, namespace: inference}
    spec:
      metric: {name: guard, type: External}
      signals:
        it: {source: good, prometheus: {query: 'a'}}
      guard: {maxAge: 60s, min: "10", max: "1"}
  - metadata: {name: type, namespace: inference}
    spec:
      metric: {name: type, type: Pod}
      signals:
        it: {source: good, prometheus: {query: 'a'}}
  - metadata: {name: described, namespace: inference}
    spec:
      metric: {name: described, type: Object}
      signals:
        it: {source: good, prometheus: {query: 'a'}}
  - metadata: {name: Name, namespace: inference}
    spec:
      metric: {name: name, type: External}
      signals:
        it: {source: page, scrape: {series: 'rate(b[1m])'}}
  - metadata: {name: fine, namespace: inference}
    spec:
      metric: {name: fine, type: External}
      signals:
        it: {source: good, prometheus: {query: 'a'}}
"#;

#[test]
fn check_tells_every_fault_of_a_file_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        shown(&["check", "--config", path.to_str().unwrap()])
            .replace(folder.path().to_str().unwrap(), "FOLDER")
    };
    let faulty = check("faulty.yaml", FAULTY);
    assert!(faulty.starts_with("exit code 1\n--- stdout\n--- stderr\n"), "{faulty}");
    assert!(faulty.matches("FOLDER/faulty.yaml:").count() >= 12, "{faulty}");
    insta::assert_snapshot!("check_faulty", faulty);
    insta::assert_snapshot!("check_malformed", check("malformed.yaml", "sources: [{name: a\nb"));
    insta::assert_snapshot!("check_empty", check("empty.yaml", ""));
    let good = fs::read_to_string(repository("config/foresail.yaml")).unwrap();
    insta::assert_snapshot!("check_good", check("good.yaml", &good));
    let missing = folder.path().join("missing.yaml");
    let missing = shown(&["check", "--config", missing.to_str().unwrap()]);
    let missing = missing.replace(folder.path().to_str().unwrap(), "FOLDER");
    insta::assert_snapshot!("check_missing", missing);
}

#[test]
fn a_file_that_is_no_text_or_too_large_or_a_folder_is_the_persons_input() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = folder.path().join("bytes.yaml");
    fs::write(&bytes, [0xff, 0xfe, 0x00]).unwrap();
    let large = folder.path().join("large.yaml");
    fs::write(&large, "# comment\n".repeat(200_000)).unwrap();
    for path in [&bytes, &large, &folder.path().to_owned()] {
        let shown = shown(&["check", "--config", path.to_str().unwrap()]);
        assert!(shown.starts_with("exit code 1\n--- stdout\n--- stderr\n"), "{shown}");
        assert!(shown.contains(path.to_str().unwrap()), "{shown}");
    }
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn every_configuration_that_is_shipped_is_good() {
    let mut files = Vec::new();
    yaml_files(&repository("config"), &mut files);
    let examples = files.len();
    yaml_files(&repository("deploy"), &mut files);
    let is_config = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().any(|line| line == "kind: AdapterConfig")
    };
    assert!(files.iter().take(examples).all(is_config), "something else is in config/: {files:?}");
    let configs: Vec<PathBuf> = files.into_iter().filter(is_config).collect();
    assert!(configs.len() > examples && examples > 0, "{configs:?}");
    for path in configs {
        let shown = shown(&["check", "--config", path.to_str().unwrap()]);
        assert!(shown.starts_with("exit code 0\n"), "{shown}");
    }
}

#[test]
fn what_a_file_says_cannot_write_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("escape.yaml");
    let escape = "\\e[31m\\nfoo";
    fs::write(
        &path,
        FAULTY.replace("timout", &format!("\"{escape}\"")).replace("'a'", &format!("\"{escape}\"")),
    )
    .unwrap();
    let shown = shown(&["check", "--config", path.to_str().unwrap()]);
    assert!(shown.contains("\\u{1b}[31m"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn a_full_disk_is_told_and_a_reader_that_went_away_is_not() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = foresail().arg("crd").stdout(full).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.starts_with("error: failed to write to stdout: "), "{told}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = foresail().arg("crd").stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
