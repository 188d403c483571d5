//! Profiles read straight from a fleet: of each pod the names that it has, and one number of all.

use super::fleet::{Fleet, asks, at};

const NEW: &str = "vllm:num_requests_waiting_by_reason{engine=\"0\",reason=\"capacity\"} 4\n\
                   vllm:num_requests_waiting_by_reason{engine=\"0\",reason=\"deferred\"} 2\n\
                   vllm:num_requests_waiting{engine=\"0\"} 6\n\
                   vllm:num_requests_running{engine=\"0\"} 37\nvllm:kv_cache_usage_perc 0.75\n";
const OLD: &str = "vllm:num_requests_waiting 7\nvllm:num_requests_running 2\n\
                   vllm:gpu_cache_usage_perc 0.25\n";

#[tokio::test]
async fn a_fleet_in_the_middle_of_an_upgrade_is_one_number() {
    let fleet = Fleet::start(&[NEW, OLD, OLD]).await;
    let reader = fleet.reader(&[
        asks("External", "engine: vllm, signal: demand, path: /metrics"),
        asks("External", "engine: vllm, signal: kvCacheUsage"),
        asks("Pods", "engine: vllm, signal: demand"),
        asks("External", "engine: vllm, signal: running, where: {engine: '0'}, onPartial: use"),
    ]);
    let demand = fleet.read(&reader, 0, at(0)).await.unwrap();
    assert_eq!(demand.samples[&None].value.get(), 59.0);
    let used = "vllm:num_requests_waiting_by_reason{reason=\"capacity\"} (1 pod) and \
                vllm:num_requests_waiting (2 pods) + vllm:num_requests_running";
    assert_eq!(demand.used.as_deref(), Some(used));
    let (usage, note) = fleet.number(&reader, 1, at(0)).await.unwrap();
    assert!((usage - 1.25 / 3.0).abs() < 1e-12 && note.is_none(), "{usage} {note:?}");
    let each = fleet.read(&reader, 2, at(0)).await.unwrap().samples;
    let values: Vec<f64> = each.values().map(|it| it.value.get()).collect();
    assert_eq!(values, [41.0, 9.0, 9.0]);
    let error = fleet.number(&reader, 3, at(0)).await.unwrap_err();
    assert!(
        error.contains("vllm:num_requests_running{engine=\"0\"} is not on the page"),
        "{error}"
    );
    for pod in &fleet.webs {
        assert_eq!(pod.asked("/metrics").len(), 1, "one read for all policies");
    }
}

#[tokio::test]
async fn rates_and_quantiles_of_a_fleet_begin_at_the_second_read() {
    let page = |tokens: u32, fast: u32, all: u32| {
        format!(
            "vllm:prompt_tokens_total {tokens}\n\
             vllm:time_to_first_token_seconds_bucket{{le=\"0.5\"}} {fast}\n\
             vllm:time_to_first_token_seconds_bucket{{le=\"2\"}} {all}\n\
             vllm:time_to_first_token_seconds_bucket{{le=\"+Inf\"}} {all}\n"
        )
    };
    let mut fleet = Fleet::start(&[&page(1_000, 0, 0), &page(9_000, 5, 5)]).await;
    let reader = fleet.reader(&[
        asks("External", "engine: vllm, signal: promptTokens"),
        asks("External", "engine: vllm, signal: ttft, quantile: 0.5"),
    ]);
    for asker in 0..2 {
        let told = fleet.number(&reader, asker, at(0)).await.unwrap_err();
        assert!(told.contains("a counter needs a second scrape"), "{told}");
    }
    // The second began anew: what it shows it counted since.
    fleet.show(&[&page(1_500, 20, 20), &page(100, 0, 4)]);
    assert_eq!(fleet.number(&reader, 0, at(10)).await, Ok((60.0, None)));
    let (ttft, _) = fleet.number(&reader, 1, at(10)).await.unwrap();
    assert_eq!(ttft, 0.3, "the twelfth of twenty-four, of which twenty are below 0.5");
}

#[tokio::test]
async fn a_pod_without_the_series_is_unknown_and_not_zero() {
    let fleet = Fleet::start(&[NEW, "up 1\n"]).await;
    let reader = fleet.reader(&[
        asks("External", "engine: vllm, signal: demand, onPartial: use"),
        asks("External", "engine: vllm, signal: demand"),
        asks("Pods", "engine: vllm, signal: demand"),
    ]);
    let missing = "1 of 2 pods say nothing: pod-1: none of \
                   vllm:num_requests_waiting_by_reason{reason=\"capacity\"}, \
                   vllm:num_requests_waiting is on the page";
    let used = fleet.number(&reader, 0, at(0)).await;
    assert_eq!(used, Ok((82.0, Some(missing.to_owned()))), "as much as the other");
    let refused = fleet.number(&reader, 1, at(0)).await.unwrap_err();
    assert!(refused.starts_with(missing), "{refused}");
    assert_eq!(fleet.read(&reader, 2, at(0)).await.unwrap().samples.len(), 1);
}

#[tokio::test]
async fn triton_without_requests_has_no_mean_and_its_pods_are_not_missing() {
    let page = |requests: u32, us: u32| {
        format!("nv_inference_request_success {requests}\nnv_inference_queue_duration_us {us}\n")
    };
    let mut fleet = Fleet::start(&[&page(10, 0), &page(10, 0)]).await;
    let reader = fleet.reader(&[asks("External", "engine: triton, signal: queueTime")]);
    assert!(fleet.number(&reader, 0, at(0)).await.is_err());
    fleet.show(&[&page(20, 1_000_000), &page(10, 0)]);
    let (mean, note) = fleet.number(&reader, 0, at(10)).await.unwrap();
    assert!((mean - 0.1).abs() < 1e-12 && note.is_none(), "{mean} {note:?}");
    let fleet_idle = Fleet::start(&[&page(10, 0)]).await;
    let reader = fleet_idle.reader(&[asks("External", "engine: triton, signal: queueTime")]);
    assert!(fleet_idle.number(&reader, 0, at(0)).await.is_err());
    let told = fleet_idle.number(&reader, 0, at(10)).await.unwrap_err();
    assert_eq!(told, "nothing was done lately of which a mean could be told");
}
