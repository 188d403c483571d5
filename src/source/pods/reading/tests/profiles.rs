//! What profiles read of the pages of the field: of each engine, under names old and new.

use super::*;
use crate::policy::profile::{Canonical, Profiles};
use crate::source::pods::tests::ask_of_profile;

/// What `page` says to this signal of an engine; with a counter that counted since an earlier page.
fn said(engine: &str, signal: &str, pages: &[&str]) -> Result<(f64, Vec<usize>), String> {
    let ask = ask_of_profile("External", &format!("engine: {engine}, signal: {signal}"));
    let mut ledgers = Ledgers::default();
    let mut last = Err("no page".to_owned());
    for (second, page) in (0_i64..).zip(pages) {
        let page = sifted(page, &ask);
        let read = read((&page, Format::Text), &ask, at(second * 10), &mut ledgers);
        last = match read {
            Ok(Reading { said: Said::Number(number), used, .. }) => {
                Ok((number.get(), used.into_vec()))
            }
            Ok(Reading { said: Said::Observed(observed), used, .. }) => {
                let Observed::Buckets(buckets) = observed else { panic!("{observed:?}") };
                let quantile = buckets.quantile(Finite::new(0.5).unwrap());
                quantile.map(|it| (it.get(), used.into_vec())).ok_or("nothing".to_owned())
            }
            Err(Silence::Failed(error)) => Err(error.to_string()),
            Err(Silence::New) => Err("new".to_owned()),
            Err(Silence::Idle) => Err("idle".to_owned()),
        };
    }
    last
}

#[test]
fn gauges_of_each_engine_are_found_under_names_old_and_new() {
    let vllm_old =
        "vllm:num_requests_waiting{model_name=\"m\"} 7\nvllm:gpu_cache_usage_perc 0.41\n";
    let ranks = "vllm:num_requests_running{engine=\"0\"} 3\nvllm:num_requests_running{engine=\"1\"} 4\n\
                 vllm:kv_cache_usage_perc{engine=\"0\"} 0.2\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.9\n";
    let two_dp = "sglang:num_running_reqs{dp_rank=\"0\",tp_rank=\"0\"} 5\n\
                  sglang:num_running_reqs{dp_rank=\"0\",tp_rank=\"1\"} 5\n\
                  sglang:num_running_reqs{dp_rank=\"1\",tp_rank=\"0\"} 2\n\
                  sglang:num_running_reqs{dp_rank=\"1\",tp_rank=\"1\"} 3\n";
    let old_trtllm = "nv_trt_llm_request_metrics{request_type=\"active\"} 19\n\
                      nv_trt_llm_request_metrics{request_type=\"scheduled\"} 16\n";
    let draining = "nv_trt_llm_request_metrics{request_type=\"active\"} 9\n\
                    nv_trt_llm_request_metrics{request_type=\"scheduled\"} 16\n";
    let pool = "inference_pool_average_queue_size{name=\"llama-pool\"} 2.5\n\
                inference_pool_ready_pods{name=\"llama-pool\"} 4\n";
    let nim = "nv_llm_http_service_inflight_requests{model=\"m\"} 3\n";
    for (engine, signal, page, expected, used) in [
        ("vllm", "waiting", VLLM, 4.0, vec![0]),
        ("vllm", "waiting", vllm_old, 7.0, vec![1]),
        ("vllm", "demand", VLLM, 41.0, vec![0, 0]),
        ("vllm", "kvCacheUsage", VLLM, 0.731_428_571_428_571_4, vec![0]),
        ("vllm", "kvCacheUsage", vllm_old, 0.41, vec![1]),
        ("vllm", "running", ranks, 7.0, vec![0]),
        ("vllm", "kvCacheUsage", ranks, 0.9, vec![0]),
        ("sglang", "waiting", SGLANG, 9.0, vec![0]),
        ("sglang", "running", SGLANG, 24.0, vec![0]),
        ("sglang", "demand", SGLANG, 33.0, vec![0, 0]),
        ("sglang", "running", two_dp, 8.0, vec![0]),
        ("sglang", "kvCacheUsage", SGLANG, 0.58, vec![0]),
        ("tgi", "demand", TGI, 21.0, vec![0, 0]),
        ("tgi", "kvCacheUsage", TGI, 18_432.0 / 131_072.0, vec![0]),
        ("triton", "waiting", TRITON, 11.0, vec![0]),
        ("triton", "gpuUtilization", TRITON, 0.93, vec![0]),
        ("triton-trtllm", "waiting", TRITON, 3.0, vec![0]),
        ("triton-trtllm", "waiting", old_trtllm, 3.0, vec![1]),
        ("triton-trtllm", "waiting", draining, 0.0, vec![1]),
        ("triton-trtllm", "running", TRITON, 16.0, vec![0]),
        ("triton-trtllm", "kvCacheUsage", TRITON, 0.66, vec![0]),
        ("trtllm-serve", "waiting", NEWER, 2.0, vec![0]),
        ("trtllm-serve", "kvCacheUsage", NEWER, 0.377, vec![0]),
        ("dynamo", "demand", NEWER, 31.0, vec![0]),
        ("dynamo", "demand", nim, 3.0, vec![1]),
        ("dynamo", "running", NEWER, 26.0, vec![0]),
        ("epp", "waiting", NEWER, 13.0, vec![0]),
        ("epp", "waiting", pool, 10.0, vec![2]),
        ("epp", "kvCacheUsage", NEWER, 0.642, vec![0]),
        ("ray-serve", "demand", OTHERS, 10.0, vec![0, 0]),
        ("llamacpp", "demand", OTHERS, 14.0, vec![0, 0]),
        ("torchserve", "queueTime", "QueueTime{Level=\"Host\",} 14.0\n", 0.014, vec![1]),
        ("knative", "waiting", OTHERS, 5.0, vec![0]),
    ] {
        let (number, candidates) = said(engine, signal, &[page]).unwrap();
        assert!((number - expected).abs() < 1e-12, "{engine} {signal}: {number}");
        assert_eq!(candidates, used, "{engine} {signal}");
    }
}

#[test]
fn what_is_counted_is_a_rate_and_begins_at_the_second_page() {
    let page = |ok: u32, us: u32| {
        format!(
            "nv_inference_request_success{{model=\"a\"}} {ok}\n\
             nv_inference_queue_duration_us{{model=\"a\"}} {us}\n"
        )
    };
    let (first, later) = (page(100, 1_000), page(150, 2_001_000));
    assert_eq!(said("triton", "requestRate", &[&first]), Err("new".to_owned()));
    assert_eq!(said("triton", "requestRate", &[&first, &later]), Ok((5.0, vec![0])));
    // Two million microseconds for fifty requests.
    assert_eq!(said("triton", "queueTime", &[&first, &later]), Ok((0.04, vec![0])));
    assert_eq!(said("triton", "queueTime", &[&first, &first]), Err("idle".to_owned()));
    // Begun anew in between: it counted forty at least.
    let anew = said("triton", "requestRate", &[&later, &page(40, 0)]);
    assert_eq!(anew, Ok((4.0, vec![0])));
    let old = |count| format!("request_success_total {count}\n");
    let got = said("trtllm-serve", "requestRate", &[&old(10), &old(30)]);
    assert_eq!(got, Ok((2.0, vec![1])));
    // Each rank counts the same requests.
    let ranks = |count| {
        format!(
            "sglang:num_requests_total{{tp_rank=\"0\"}} {count}\n\
             sglang:num_requests_total{{tp_rank=\"1\"}} {count}\n"
        )
    };
    assert_eq!(said("sglang", "requestRate", &[&ranks(10), &ranks(40)]), Ok((3.0, vec![0])));
}

#[test]
fn a_histogram_of_another_unit_tells_seconds() {
    let page = |below: u32, all: u32| {
        format!(
            "nv_inference_first_response_histogram_ms_bucket{{le=\"100\"}} {below}\n\
             nv_inference_first_response_histogram_ms_bucket{{le=\"+Inf\"}} {all}\n"
        )
    };
    let (quantile, _) = said("triton", "ttft", &[&page(0, 0), &page(50, 50)]).unwrap();
    assert!((quantile - 0.05).abs() < 1e-12, "{quantile}");
}

#[test]
fn what_is_not_on_the_page_is_told_with_all_of_its_names() {
    let told = said("vllm", "kvCacheUsage", &[TGI]).unwrap_err();
    let expected = "none of vllm:kv_cache_usage_perc, vllm:gpu_cache_usage_perc is on the page";
    assert_eq!(told, expected);
    // What waits is there, and what runs is not: their sum is unknown, and not what waits.
    let told = said("vllm", "demand", &["vllm:num_requests_waiting 3\n"]).unwrap_err();
    assert_eq!(told, "vllm:num_requests_running is not on the page");
    let told = said("llamacpp", "waiting", &["llamacpp:requests_deferred nan\n"]).unwrap_err();
    assert!(told.contains("is NaN"), "{told}");
    let told = said("tgi", "kvCacheUsage", &["tgi_batch_current_max_tokens 3\n"]).unwrap_err();
    assert!(told.contains("none of tgi_batch_current_max_tokens, tgi_batch_max"), "{told}");
}

#[test]
fn every_signal_of_every_engine_can_be_read_of_pods() {
    let mut count = 0;
    for profile in Profiles::builtin().iter().filter(|it| it.about_pods.is_none()) {
        for signal in profile.has() {
            let keys = format!("engine: {}, signal: {}, port: 1", profile.engine, signal.name());
            let ask = ask_of_profile("External", &keys);
            assert!(ask.names().count() > 0, "{keys}");
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
    assert_eq!(Canonical::ALL.len(), 15);
}
