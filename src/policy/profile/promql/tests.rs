//! The queries, held against those that people write by hand.

use super::*;
use crate::policy::profile::{Described, Profiles};
use crate::policy::promql;

const NOBODY: [(String, String); 0] = [];

fn question(is_per_pod: bool) -> Question<'static> {
    Question {
        namespace: ("namespace", "ml"),
        pod_label: "pod",
        labels: &NOBODY,
        pods: None,
        window: Duration::from_secs(120),
        quantile: 0.95,
        is_per_pod,
    }
}

fn text(engine: &str, signal: Canonical, question: &Question<'_>) -> String {
    query(Profiles::builtin().get(engine).unwrap(), signal, question).unwrap().text
}

#[test]
fn all_queries_of_all_profiles_are_promql_that_answers_numbers() {
    let labels = [("model_name".to_owned(), "a\"b\\c".to_owned())];
    let [total, per_pod] = [false, true].map(question);
    let narrow = |it| Question { labels: &labels, pods: Some("llama-.*"), ..it };
    let questions = [total, per_pod, narrow(total), narrow(per_pod)];
    let profiles = Profiles::builtin();
    let queries = profiles.iter().flat_map(|profile| {
        let all =
            Canonical::ALL.into_iter().flat_map(|it| questions.map(|question| (it, question)));
        all.filter_map(|(signal, question)| query(profile, signal, &question))
    });
    let mut count = 0;
    for query in queries {
        assert_eq!(promql::check(&query.text), Ok(()), "{}", query.text);
        count += 1;
    }
    assert!(count > 400, "{count}");
}

#[test]
fn which_candidates_count_is_told_where_there_are_several() {
    let candidates = |engine, signal, is_per_pod| {
        let profiles = Profiles::builtin();
        query(profiles.get(engine).unwrap(), signal, &question(is_per_pod)).unwrap().candidates
    };
    assert_eq!(candidates("tgi", Canonical::Demand, false), None);
    let (new, old) = (
        r#"sum by (pod) (vllm:num_requests_waiting_by_reason{namespace="ml",reason="capacity"})"#,
        r#"sum by (pod) (vllm:num_requests_waiting{namespace="ml"})"#,
    );
    let told = format!(
        r#"label_replace(count({new}), "foresail_candidate", "0.0", "__name__", ".*") or label_replace(count(({old}) unless ({new})), "foresail_candidate", "0.1", "__name__", ".*")"#
    );
    assert_eq!(candidates("vllm", Canonical::Demand, false).as_ref(), Some(&told));
    assert_eq!(candidates("vllm", Canonical::Waiting, true), Some(told));
    let mut count = 0;
    for profile in Profiles::builtin().iter() {
        for signal in Canonical::ALL {
            for is_per_pod in [false, true] {
                let Some(made) = query(profile, signal, &question(is_per_pod)) else { continue };
                let Some(candidates) = made.candidates else { continue };
                let joined = format!("{}\nor {candidates}", made.text);
                assert_eq!(promql::check(&joined), Ok(()), "{joined}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn what_was_used_is_told_by_part() {
    let described = Described::new(Profiles::builtin().get("vllm").unwrap(), Canonical::Demand);
    let described = described.unwrap();
    let (new, old) =
        ("vllm:num_requests_waiting_by_reason{reason=\"capacity\"}", "vllm:num_requests_waiting");
    let running = "vllm:num_requests_running";
    for (counted, expected) in [
        (vec![(0, 0)], Some(format!("{new} + {running}"))),
        (vec![(0, 1)], Some(format!("{old} + {running}"))),
        (vec![(0, 0), (0, 1)], Some(format!("{new} and {old} + {running}"))),
        (vec![], None),
        (vec![(0, 7), (3, 0)], None),
    ] {
        assert_eq!(described.used(&counted.iter().copied().collect()), expected, "{counted:?}");
    }
}

#[test]
fn counts_add_up_over_pods_and_usages_have_a_mean() {
    for (engine, signal, expected) in [
        ("tgi", Canonical::Waiting, r#"sum(sum by (pod) (tgi_queue_size{namespace="ml"}))"#),
        (
            "tgi",
            Canonical::Demand,
            r#"sum(sum by (pod) (tgi_queue_size{namespace="ml"})) + sum(sum by (pod) (tgi_batch_current_size{namespace="ml"}))"#,
        ),
        (
            "vllm",
            Canonical::KvCacheUsage,
            r#"avg(max by (pod) (vllm:kv_cache_usage_perc{namespace="ml"}) or max by (pod) (vllm:gpu_cache_usage_perc{namespace="ml"}))"#,
        ),
        (
            "sglang",
            Canonical::Waiting,
            r#"sum(sum by (pod) (max without (tp_rank, pp_rank, moe_ep_rank) (sglang:num_queue_reqs{namespace="ml",priority=""})))"#,
        ),
        (
            "triton",
            Canonical::QueueTime,
            r#"avg((sum by (pod) (rate(nv_inference_queue_duration_us{namespace="ml"}[120000ms])) / (sum by (pod) (rate(nv_inference_request_success{namespace="ml"}[120000ms])) > 0)) * 0.000001)"#,
        ),
    ] {
        assert_eq!(text(engine, signal, &question(false)), expected);
    }
}

#[test]
fn a_quantile_needs_enough_observations() {
    let expected = "(histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket\
        {namespace=\"ml\"}[120000ms]))) and on () (sum(increase(vllm:time_to_first_token_seconds_count\
        {namespace=\"ml\"}[120000ms])) >= 20))";
    assert_eq!(text("vllm", Canonical::Ttft, &question(false)), expected);
}

#[test]
fn each_pod_has_a_number_of_its_own_where_that_is_asked_for() {
    let labels = [("model_name".to_owned(), "llama".to_owned())];
    let question = Question { labels: &labels, pods: Some("llama-.*"), ..question(true) };
    let expected = "sum by (pod) (vllm:num_requests_running{model_name=\"llama\",namespace=\"ml\",\
                    pod=~\"llama-.*\"})";
    assert_eq!(text("vllm", Canonical::Running, &question), expected);
}

#[test]
fn what_an_exporter_says_about_other_pods_is_found_under_either_name_and_once_for_each_device() {
    let per_pod = text("dcgm", Canonical::DramActive, &question(true));
    let expected = "avg by (workload) (max by (workload, UUID, uuid, GPU_I_ID) (\
        label_replace((DCGM_FI_PROF_DRAM_ACTIVE{exported_namespace=\"ml\",exported_pod!=\"\"} < 9220000000000000000), \
        \"workload\", \"$1\", \"exported_pod\", \"(.+)\") or \
        label_replace((DCGM_FI_PROF_DRAM_ACTIVE{exported_pod=\"\",pod_name!=\"\",pod_namespace=\"ml\"} < 9220000000000000000), \
        \"workload\", \"$1\", \"pod_name\", \"(.+)\") or \
        label_replace((DCGM_FI_PROF_DRAM_ACTIVE{exported_pod=\"\",namespace=\"ml\",pod!=\"\",pod_name=\"\"} < 9220000000000000000), \
        \"workload\", \"$1\", \"pod\", \"(.+)\")))";
    assert_eq!(per_pod, expected);
    let total = text("dcgm", Canonical::MemoryUsed, &question(false));
    assert!(total.starts_with("sum((max by (UUID, uuid, GPU_I_ID) (label_replace("), "{total}");
}
