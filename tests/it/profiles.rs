//! The profiles that are compiled in are the files of `profiles/`; what is shown of them, and folders
//! with others.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{Setup, config, foresail, prometheus, repository};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use foresail::policy::profile::Profiles;
use std::fs;
use std::path::Path;

#[test]
fn the_files_in_the_folder_are_the_ones_that_are_compiled_in() {
    let files = fs::read_dir(repository("profiles")).unwrap();
    let files = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter(|it| it.ends_with(".yaml")).collect();
    files.sort();
    let compiled = Profiles::builtin();
    let mut compiled: Vec<String> =
        compiled.iter().map(|it| format!("{}.yaml", it.engine)).collect();
    compiled.sort();
    assert_eq!(files, compiled);
}

/// Exit code, stdout and stderr.
fn shown(arguments: &[&str]) -> (i32, String, String) {
    let output = foresail().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_list_says_what_can_be_asked_of_each_engine() {
    let (code, list, _) = shown(&["profiles"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("profiles", list);
    for engine in ["vllm", "dcgm"] {
        let (code, shown, _) = shown(&["profiles", engine]);
        assert_eq!(code, 0);
        insta::assert_snapshot!(format!("profiles_{engine}"), shown);
    }
    for (engine, hint) in [("vlm", "did you mean `vllm`?"), ("x", "`foresail profiles` lists")] {
        let (code, _, told) = shown(&["profiles", engine]);
        assert_eq!(code, 1);
        assert!(
            told.contains(&format!("no profile of `{engine}`")) && told.contains(hint),
            "{told}"
        );
    }
}

const MINE: &str = "engine: mine
about: our own engine
path: /metrics
signals:
  waiting: {unit: requests, pods: sum, from: [{gauge: mine_waiting}]}
";

fn policy(engine: &str) -> String {
    let signal = format!("{{source: p, profile: {{engine: {engine}, signal: waiting}}}}");
    format!(
        "{{metadata: {{name: w, namespace: inference}}, spec: {{metric: {{name: w, type: External}}, \
         interval: 200ms, signals: {{it: {signal}}}}}}}"
    )
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_adds_profiles_and_its_faults_have_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let (own, file) = (folder.path().join("own"), folder.path().join("foresail.yaml"));
    fs::create_dir(&own).unwrap();
    let source = prometheus("p", "http://127.0.0.1:1");
    fs::write(&file, config(&[source], &[policy("mine")])).unwrap();
    let check = |more: &[&str]| shown(&[&["check", "--config", text(&file)], more].concat());
    let (code, _, told) = check(&[]);
    assert!(code == 1 && told.contains("no profile of `mine`"), "{told}");

    fs::write(own.join("mine.yaml"), MINE).unwrap();
    fs::write(own.join("README.md"), "no profile").unwrap();
    let (code, told, _) = check(&["--profiles", text(&own)]);
    assert!(code == 0 && told.contains("1 policy, no faults"), "{told}");
    let (code, told, _) = shown(&["profiles", "mine", "--profiles", text(&own)]);
    assert!(code == 0 && told.contains("mine_waiting{namespace=\"NAMESPACE\"}"), "{told}");

    fs::write(own.join("mine.yaml"), MINE.replace("gauge:", "gague:")).unwrap();
    let place = format!("{}:5:", own.join("mine.yaml").display());
    for verb in ["check", "profiles", "simulate"] {
        let own = ["--profiles", text(&own)];
        let (code, _, told) = match verb {
            "check" => check(&own),
            "profiles" => shown(&[&["profiles"], own.as_slice()].concat()),
            _ => shown(
                &[&["simulate", "--from", "1h", "--policy", text(&file)], own.as_slice()].concat(),
            ),
        };
        assert!(code == 1 && told.contains(&place), "{verb}: {told}");
        assert!(told.contains("did you mean `gauge`?"), "{verb}: {told}");
    }
    let (code, _, told) = check(&["--profiles", "nowhere"]);
    assert!(code == 1 && told.contains("`nowhere`"), "{told}");
}

#[tokio::test]
async fn a_running_adapter_follows_its_profiles() {
    let web = Web::start().await;
    web.set("/p", Behaviour::Prometheus(7.0));
    let source = prometheus("p", &web.url("/p"));
    let setup = Setup::new(&config(&[source], &[policy("mine")]));
    let own = setup.file("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("mine.yaml"), MINE).unwrap();
    let adapter = setup.argument(format!("--profiles={}", own.display())).start().await;
    adapter.serves("w", "7").await;
    let asks = async |series: &str| {
        wait::until(&format!("a query of {series}"), async || {
            let asked = web.asked("/p");
            let last = asked.last().map(|it| format!("{it:?}")).unwrap_or_default();
            wait::seen(last.contains(series), last)
        })
        .await;
    };
    asks("mine_waiting").await;
    adapter.replace("own/mine.yaml", &MINE.replace("mine_waiting", "mine_queue"));
    asks("mine_queue").await;
    // A bad edit is refused, and the last good one goes on.
    adapter.replace("own/mine.yaml", "engine: [");
    adapter.logs(&["configuration refused"]).await;
    adapter.serves("w", "7").await;
    asks("mine_queue").await;
}

#[test]
fn what_may_mislead_is_told_and_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("foresail.yaml");
    let busy = policy("dcgm").replace("signal: waiting", "signal: gpuUtilization");
    let mean = policy("vllm").replace("signal: waiting", "signal: kvCacheUsage");
    let mean = mean.replace("name: w", "name: v").replace("interval: 200ms", "forecast: {}");
    fs::write(&file, config(&[prometheus("p", "http://127.0.0.1:1")], &[busy, mean])).unwrap();
    let (code, list, told) = shown(&["check", "--config", text(&file)]);
    assert!(code == 0 && list.contains("2 policies, no faults"), "{list}{told}");
    let told = told.replace(text(folder.path()), "FOLDER");
    insta::assert_snapshot!("check_warnings", told);
}
