//! Rules that are edited, rules that are wrong, and what is told of each.

use super::*;
use crate::support::adapter::foresail;
use std::fs;

/// How the rules are doing, in the order of the file.
async fn told(adapter: &Adapter) -> Result<Vec<Value>, String> {
    let body = adapter.observe("/debug/rules").await?.body;
    let page: Value = serde_json::from_str(&body).map_err(|_| body)?;
    Ok(page["rules"].as_array().unwrap().clone())
}

#[tokio::test]
async fn a_bad_edit_of_one_rule_takes_neither_it_nor_another_down() {
    let (adapter, web) = adapter(EXTERNAL, external_answers()).await;
    let world = format!("{SHOP}/world_queue");
    let depth = format!("{SHOP}/depth");
    assert_eq!(adapter.get(&world).await.unwrap().values(), Ok(vec!["3".to_owned()]));
    let head = config(&[prometheus("prom", &web.url("/prom"))], &[]);
    let bad = EXTERNAL.replace("(<<.Series>>{<<.LabelMatchers>>}) by (queue)", "(<<.Serie>>)");
    adapter.replace("foresail.yaml", &format!("{head}{bad}"));
    adapter.logs(&["WARN", "externalRules[0] is broken in the new configuration and kept"]).await;
    // What was known of the others is known still: nothing had to be asked for again.
    let n_queries = queries(&web).len();
    assert_eq!(adapter.get(&world).await.unwrap().values(), Ok(vec!["3".to_owned()]));
    assert!(queries(&web).len() - n_queries <= 1, "read on the grid, not for the request");
    let two = Ok(vec!["7500m".to_owned(), "7500m".to_owned()]);
    assert_eq!(adapter.get(&depth).await.unwrap().values(), two, "as it was");
    let rules = told(&adapter).await.unwrap();
    let refused = rules[0]["refused"].as_str().unwrap();
    assert!(refused.contains("there is no field `.Serie`"), "{refused}");
    assert_eq!((&rules[0]["metrics"], &rules[1]["refused"]), (&1.into(), &Value::Null));
    let ready = |rule: &str| format!(r#"foresail_rule_ready{{rule="externalRules[{rule}]"}}"#);
    assert_eq!(adapter.metric(&ready("0")).await, Ok(0.0));
    assert_eq!(adapter.metric(&ready("1")).await, Ok(1.0));

    // A rule that is gone is gone, and the others stay.
    let (_, rest) = EXTERNAL.split_once("  - seriesQuery: 'world_queue'").unwrap();
    adapter.replace(
        "foresail.yaml",
        &format!("{head}\nexternalRules:\n  - seriesQuery: 'world_queue'{rest}"),
    );
    wait::until("the rule is gone", async || {
        let answer = adapter.get(&depth).await?;
        wait::seen(answer.code == 404, answer.body)
    })
    .await;
    assert_eq!(adapter.get(&world).await.unwrap().values(), Ok(vec!["3".to_owned()]));
}

#[tokio::test]
async fn the_page_and_the_metrics_tell_what_a_rule_asked_and_what_came_of_it() {
    let (adapter, web) = adapter(EXTERNAL, external_answers()).await;
    for _ in 0..3 {
        adapter.get(&format!("{SHOP}/world_queue")).await.unwrap();
        adapter.get(&format!("{SHOP}/gone_depth")).await.unwrap();
    }
    let rules = told(&adapter).await.unwrap();
    let (world, gone) = (&rules[1], &rules[2]);
    assert_eq!((&world["questions"], &world["questionsWithoutAnswer"]), (&1.into(), &0.into()));
    assert!(
        world["lastGoodAgeSeconds"].as_i64().is_some_and(|it| (0..60).contains(&it)),
        "{world}"
    );
    assert!(world["listedAgeSeconds"].as_i64().is_some_and(|it| (0..60).contains(&it)), "{world}");
    assert_eq!(gone["lastGoodAt"], Value::Null);
    let why = "the rule's query answers no series";
    assert_eq!((&gone["lastFailure"]["why"], &gone["lastRefusal"]), (&why.into(), &why.into()));
    for (line, expected) in [
        (r#"rule_ready{rule="externalRules[1]"}"#, 1.0),
        (r#"rule_series{rule="externalRules[1]"}"#, 1.0),
        (r#"rule_metrics{rule="externalRules[1]"}"#, 1.0),
        (r#"rule_answers{rule="externalRules[1]"}"#, 1.0),
        (r#"rule_answers{rule="externalRules[0]"}"#, 0.0),
        (r#"rule_requests_total{rule="externalRules[1]",answer="kept"}"#, 2.0),
        (r#"rule_requests_total{rule="externalRules[1]",answer="awaited"}"#, 1.0),
        (r#"rule_list_failures_total{rule="externalRules[1]"}"#, 0.0),
    ] {
        assert_eq!(adapter.metric(&format!("foresail_{line}")).await, Ok(expected), "{line}");
    }
    for (line, least) in [
        (r#"rule_queries_total{rule="externalRules[1]",result="numbers"}"#, 1.0),
        (r#"rule_queries_total{rule="externalRules[2]",result="none"}"#, 1.0),
        (r#"rule_listed_timestamp_seconds{rule="externalRules[1]"}"#, 1.7e9),
        (r#"rule_answer_timestamp_seconds{rule="externalRules[1]"}"#, 1.7e9),
    ] {
        let number = adapter.metric(&format!("foresail_{line}")).await.unwrap();
        assert!(number >= least, "{line} {number}");
    }
    drop(web);
}

/// The HPA adds the items up: one left out would be a zero.
#[tokio::test]
async fn an_external_answer_with_one_series_that_is_no_number_is_refused_whole() {
    let mut answers = external_answers();
    answers[4].2 = f64::NAN;
    let (adapter, _web) = adapter(EXTERNAL, answers).await;
    let answer = adapter.get(&format!("{SHOP}/depth")).await.unwrap();
    assert_eq!(answer.code, 404, "{}", answer.body);
    let expected = "externalRules[0]: series {queue=\"a\"}, without which the others are not the \
                    whole: the rule's query answers no number for it";
    assert_eq!(answer.message(), expected);
}

#[tokio::test]
async fn two_values_for_one_object_are_none_unless_the_rule_says_so() {
    for (key, expected) in [
        ("onDuplicate: refuse", Err("the rule's query answers 2 values for it")),
        ("onDuplicate: last", Ok("4")),
    ] {
        let (first, _) = CUSTOM.split_once("  - seriesQuery: 'busy'").unwrap();
        let rules = format!("{first}    {key}\n");
        let answers = vec![
            ("last_over_time(queue_len", vec![("__name__", "queue_len")], 1.0),
            ("by (pod)", vec![("pod", "web-0"), ("pod", "web-0")], 4.0),
        ];
        let (adapter, _web) = adapter(&rules, answers).await;
        let answer = adapter.get(&format!("{PODS}/web-0/queue_len")).await.unwrap();
        match expected {
            Ok(value) => assert_eq!(answer.values(), Ok(vec![value.to_owned()])),
            Err(why) => assert!(answer.message().contains(why), "{}", answer.message()),
        }
    }
}

#[tokio::test]
async fn a_metric_that_nobody_makes_is_refused_with_the_names_that_rules_make() {
    let rules = format!("{EXTERNAL}{}", CUSTOM.trim_start_matches('\n'));
    let mut answers = external_answers();
    answers.splice(0..0, custom_answers());
    let (adapter, _web) = adapter(&rules, answers).await;
    for (path, expected) in [
        (
            format!("{SHOP}/dept"),
            "no policy publishes external metric dept in namespace shop, and no rule makes it; near \
             that: external metric depth",
        ),
        (
            format!("{PODS}/*/queue_lem"),
            "no policy publishes metric queue_lem of pods in namespace shop, and no rule makes it; near \
             that: metric queue_len of pods, metric queue_len of jobs.batch, metric queue_len of namespaces",
        ),
        (
            format!("{SHOP}/nothing_like_it"),
            "no policy publishes external metric nothing_like_it in namespace shop, and no rule makes it",
        ),
    ] {
        let answer = adapter.get(&path).await.unwrap();
        assert_eq!((answer.code, answer.message().as_str()), (404, expected));
    }
}

/// Exit code and all that is said of a file.
fn checked(text: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    let output = foresail().args(arguments).arg(&path).output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    (output.status.code(), said.replace(&path.display().to_string(), "FILE"))
}

#[test]
fn check_takes_a_file_of_prometheus_adapter_as_it_is_found() {
    let old =
        format!("{EXTERNAL}{}resourceRules:\n  window: 1m\n", CUSTOM.trim_start_matches('\n'));
    let (code, said) = checked(&old, &["check", "--config"]);
    assert_eq!(code, Some(0), "{said}");
    for expected in [
        "FILE: 1 source, 5 rules, no faults",
        "`resourceRules` are ignored",
        "rules[1].metricsQuery: asked for each request by itself, not once for all: `topk` puts objects",
        "this is a configuration of prometheus-adapter: give `foresail serve` the flags",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let url = "--prometheus-url=http://prometheus:9090";
    let (code, said) = checked(&old, &["check", url, "--config"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("this is a configuration of prometheus-adapter"), "{said}");
    let (code, said) = checked(&old, &["check", "--prometheus-url=nowhere", "--config"]);
    assert_eq!(code, Some(1), "{said}");
    let bad = old.replace("<<.Series>>{<<.LabelMatchers>>}) by (queue)", "<<.Serie>>)");
    let (code, said) = checked(&bad, &["check", "--config"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.ends_with("1 fault; 4 of 5 rules good\n"), "{said}");
}

#[test]
fn check_finds_the_source_of_a_rule_that_there_is_not() {
    let rule = |source: &str| {
        format!(
            "externalRules:\n- {{seriesQuery: x, metricsQuery: x, resources: {{namespaced: false}}{source}}}\n"
        )
    };
    let one = prometheus("prom", "http://127.0.0.1:1");
    let two = [one.clone(), prometheus("other", "http://127.0.0.1:2")];
    let page = "{name: page, scrape: {url: 'http://127.0.0.1:3'}}".to_owned();
    for (sources, source, expected) in [
        (vec![one.clone()], "", None),
        (vec![one.clone(), page.clone()], "", None),
        (vec![one.clone()], ", source: prom", None),
        (
            vec![one.clone()],
            ", source: prim",
            Some(
                "externalRules[0].source: there is no source `prim`\n  hint: did you mean `prom`?",
            ),
        ),
        (
            vec![one, page.clone()],
            ", source: page",
            Some(
                "externalRules[0].source: source `page` takes no queries\n  hint: name one of kind",
            ),
        ),
        (
            two.to_vec(),
            "",
            Some(
                "externalRules[0]: there are several sources that take queries\n  hint: add `source:",
            ),
        ),
        (vec![page], "", Some("externalRules[0]: there is no source that takes queries")),
    ] {
        let text = format!("{}{}", config(&sources, &[]), rule(source));
        let (code, said) = checked(&text, &["check", "--config"]);
        match expected {
            None => assert_eq!(code, Some(0), "{said}"),
            Some(fault) => {
                assert!(code == Some(1) && said.contains(fault), "{fault}: {said}");
            }
        }
    }
}

#[test]
fn simulate_says_why_rules_alone_cannot_be_replayed() {
    let (code, said) = checked(EXTERNAL, &["simulate", "--from=1h", "--policy"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the file has rules and no policy"), "{said}");
}
