//! Fleets whose engine nobody named: told by the label of the pods, or by their pages.

use super::fleet::{Fleet, asks, at};

const VLLM: &str = "vllm:num_requests_running{engine=\"0\"} 5\nvllm:num_requests_waiting 2\n";
const SGLANG: &str = "sglang:num_running_reqs{priority=\"\",tp_rank=\"0\"} 30\n\
                      sglang:num_running_reqs{priority=\"\",tp_rank=\"1\"} 30\n";
const TRITON: &str = "nv_inference_request_success 3\n\
                      nv_trt_llm_request_metrics{request_type=\"scheduled\"} 8\n";
const RUNNING: &str = "engine: auto, signal: running";

#[tokio::test]
async fn an_engine_is_told_by_the_pages_once_and_kept() {
    let mut fleet = Fleet::start(&[VLLM, VLLM]).await;
    let reader = fleet.reader(&[asks("External", RUNNING), asks("Pods", RUNNING)]);
    let answer = fleet.read(&reader, 0, at(0)).await.unwrap();
    assert_eq!(answer.samples[&None].value.get(), 10.0);
    assert_eq!(answer.told.as_deref(), Some("engine vllm, told by its series"));
    assert_eq!(answer.used.as_deref(), Some("vllm:num_requests_running"));
    assert_eq!(fleet.read(&reader, 1, at(0)).await.unwrap().samples.len(), 2);
    // Of the pages of all engines there are two, since the port is given: of /metrics and of
    // /prometheus/metrics. Each policy looks for itself, and then both share what is read.
    let asked = |path: &str| fleet.webs[0].asked(path).len();
    assert_eq!((asked("/metrics"), asked("/prometheus/metrics")), (3, 2));
    for second in 1..4 {
        fleet.read(&reader, 0, at(second)).await.unwrap();
        fleet.read(&reader, 1, at(second)).await.unwrap();
    }
    let asked = |path: &str| fleet.webs[0].asked(path).len();
    assert_eq!((asked("/metrics"), asked("/prometheus/metrics")), (6, 2), "one read an instant");
    // One pod that says nothing is no reason to look again.
    fleet.show(&[VLLM, "up 1\n"]);
    for second in 4..6 {
        let partial = fleet.number(&reader, 0, at(second)).await.unwrap_err();
        assert!(partial.starts_with("1 of 2 pods say nothing: pod-1: "), "{partial}");
    }
    assert_eq!(fleet.webs[0].asked("/prometheus/metrics").len(), 2);
    // Another engine takes its place: what is asked brings nothing, and the next read finds it.
    fleet.show(&[SGLANG, SGLANG]);
    let nothing = fleet.number(&reader, 0, at(10)).await.unwrap_err();
    assert!(nothing.contains("vllm:num_requests_running is not on the page"), "{nothing}");
    let answer = fleet.read(&reader, 0, at(20)).await.unwrap();
    assert_eq!(answer.samples[&None].value.get(), 60.0, "ranks count once");
    assert_eq!(answer.told.as_deref(), Some("engine sglang, told by its series"));
}

#[tokio::test]
async fn the_label_of_pods_is_believed_before_their_pages() {
    let mut fleet = Fleet::start(&[VLLM, VLLM]).await;
    let reader = fleet.reader(&[asks("External", RUNNING)]);
    fleet.change(|pods| pods[1].engine = Some("vllm".into()));
    let answer = fleet.read(&reader, 0, at(0)).await.unwrap();
    assert_eq!(answer.told.as_deref(), Some("engine vllm, told by the label of its pods"));
    assert_eq!(answer.samples[&None].value.get(), 10.0);
    assert_eq!(fleet.webs[0].asked("/metrics").len(), 1, "nobody looked");
    fleet.change(|pods| pods[0].engine = Some("sglang".into()));
    let several = fleet.number(&reader, 0, at(1)).await.unwrap_err();
    assert!(several.starts_with("pod-0 runs sglang and pod-1 runs vllm; select"), "{several}");
    fleet.change(|pods| pods[0].engine = Some("mine".into()));
    let unknown = fleet.number(&reader, 0, at(2)).await.unwrap_err();
    assert!(
        unknown.starts_with("the pod pod-0 says that it runs `mine`")
            && unknown.contains("known are dynamo,")
            && unknown.contains("name its engine with `engine`"),
        "{unknown}"
    );
}

#[tokio::test]
async fn what_is_not_told_is_an_error_and_never_zero() {
    for (pages, keys, expected) in [
        (["up 1\n", "up 1\n"], RUNNING, "no series of a known engine was found (dynamo, "),
        (
            [VLLM, SGLANG],
            RUNNING,
            "there are series of sglang and vllm; select the pods of one of them, or name it",
        ),
        (
            [TRITON, TRITON],
            "engine: auto, signal: ttft",
            "engine triton-trtllm, told by its series, has no signal `ttft`; it has waiting, running",
        ),
    ] {
        let fleet = Fleet::start(&pages).await;
        let reader = fleet.reader(&[asks("External", keys)]);
        let error = fleet.number(&reader, 0, at(0)).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
        let looked = fleet.webs[0].asked("/").len();
        // Nobody looks again at once.
        assert_eq!(fleet.number(&reader, 0, at(1)).await, Err(error));
        assert_eq!(fleet.webs[0].asked("/").len(), looked);
    }
    let fleet = Fleet::start(&[TRITON, TRITON]).await;
    let reader = fleet.reader(&[asks("External", RUNNING)]);
    let (value, _) = fleet.number(&reader, 0, at(0)).await.unwrap();
    assert_eq!(value, 16.0, "of the backend, not of the plain server");
}

#[tokio::test]
async fn pods_that_cannot_be_reached_say_why() {
    let mut fleet = Fleet::start(&[VLLM]).await;
    let reader = fleet.reader(&[asks("External", RUNNING)]);
    fleet.change(|pods| pods[0].ports = [("metrics".into(), 1)].into());
    let error = fleet.number(&reader, 0, at(0)).await.unwrap_err();
    let expected = "the engine is not told: no page of pod-0 could be read: connection refused";
    assert_eq!(error, expected);
    fleet.change(Vec::clear);
    let none = fleet.number(&reader, 0, at(10)).await;
    assert_eq!(none, Err("no ready pod matches the selector".to_owned()));
}
