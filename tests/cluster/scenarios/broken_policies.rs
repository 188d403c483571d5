//! One bad thing stays alone: a broken policy, and a bad edit while running.

use std::process::Command;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::{SOON, Stage, custom, external, foresail, metric};

const NAMESPACE: &str = "broken";

fn policy(name: &'static str, metric: &'static str, query: &'static str) -> Policy<'static> {
    Policy { namespace: NAMESPACE, name, metric, query, ..Policy::default() }
}

/// Exit code and standard error of `foresail check`.
fn check(config: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("foresail.yaml");
    std::fs::write(&file, config).unwrap();
    let output = Command::new(foresail()).arg("check").arg("--config").arg(&file).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn good_policies_are_served_beside_broken_ones_which_say_why() {
    let bed = Bed::exclusive();
    let text = config(
        &bed,
        &[
            policy("good", "name: good, type: External", "vector(7)"),
            policy("unparsable", "name: unparsable, type: External", "sum("),
            policy("sourceless", "name: sourceless, type: Pods", "up"),
        ],
    );
    // The last one names a source that there is not.
    let (others, last) = text.rsplit_once("source: default").unwrap();
    let text = format!("{others}source: defualt{last}");
    let stage = Stage::new(&bed, &text);
    stage.wait_served(&external(NAMESPACE, "good"), 7.0);

    let (code, checked) = check(&text);
    assert_eq!(code, Some(1), "{checked}");
    for (path, policy, reason) in [
        (external(NAMESPACE, "unparsable"), "broken/unparsable", "PromQL"),
        (custom(NAMESPACE, "pods", "*", "sourceless"), "broken/sourceless", "`defualt`"),
    ] {
        let said = stage.served(&path).unwrap_err();
        let sentence = said.trim().trim_start_matches("Error from server (NotFound): ");
        let (_, why) = sentence
            .split_once(&format!("policy {policy} is not valid: "))
            .unwrap_or_else(|| panic!("does not name the policy: {said}"));
        assert!(why.contains(reason), "{said}");
        assert!(checked.contains(why), "check says otherwise than `{why}`:\n{checked}");
        assert!(stage.adapter.log().contains(reason), "in the log");
    }
    assert!(checked.contains("did you mean `default`?"), "a hint: {checked}");
    let ready = |name: &str| {
        let label = format!(r#"policy="{name}""#);
        metric(&stage.adapter, "foresail_policy_ready", &[&label])
    };
    assert_eq!((ready("good"), ready("unparsable"), ready("sourceless")), (1.0, 0.0, 0.0));
    assert_eq!(stage.registration.available(), Ok(()));
}

#[test]
fn a_bad_edit_is_refused_and_a_good_one_is_served_without_a_restart() {
    let bed = Bed::exclusive();
    let first = policy("first", "name: first, type: External", "vector(1)");
    let good = config(&bed, std::slice::from_ref(&first));
    let mut stage = Stage::new(&bed, &good);
    let pid = stage.adapter.process().pid();
    stage.wait_served(&external(NAMESPACE, "first"), 1.0);
    let refused = |stage: &Stage<'_>| {
        metric(&stage.adapter, "foresail_config_loads_total", &[r#"result="refused""#])
    };
    // YAML that is none, a misspelt key, nothing at all, and a file cut in the middle of a word.
    let half = good.split_once("cies:").unwrap().0.to_owned();
    let broken = ["a: [".to_owned(), good.replace("policies:", "polcies:"), String::new(), half];
    for (count, broken) in (1..).zip(broken) {
        stage.adapter.replace_config(&broken);
        wait_until(SOON, &format!("the edit is refused: {broken}"), || {
            seen(refused(&stage) >= f64::from(count), stage.adapter.log())
        });
        assert_eq!(stage.served(&external(NAMESPACE, "first")), Ok(1.0), "{broken}");
    }

    // The second policy is new, and the first has changed.
    let changed = Policy { query: "vector(3)", ..first };
    let second = policy("second", "name: second, type: External", "vector(2)");
    stage.adapter.replace_config(&config(&bed, &[changed.clone(), second]));
    stage.wait_served(&external(NAMESPACE, "second"), 2.0);
    stage.wait_served(&external(NAMESPACE, "first"), 3.0);

    // A policy that breaks keeps running as it was; a policy that is taken away is gone.
    stage.adapter.replace_config(&config(&bed, &[Policy { query: "sum(", ..changed }]));
    wait_until(SOON, "the second policy is gone", || {
        let answer = stage.served(&external(NAMESPACE, "second"));
        seen(
            answer.as_ref().is_err_and(|error| error.contains("(NotFound)")),
            format!("{answer:?}"),
        )
    });
    assert_eq!(stage.served(&external(NAMESPACE, "first")), Ok(3.0));
    assert_eq!(stage.adapter.process().pid(), pid);
    assert!(stage.adapter.process().ended().is_none(), "it still runs");
}
