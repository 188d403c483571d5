//! Pages of the field, malformed lines, and a bounded fuzz.

#![expect(clippy::float_cmp, reason = "what is written is read to the last bit")]

use super::*;
use proptest::prelude::*;

/// A vLLM page as its server writes it, shortened.
const VLLM: &str = r#"# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 37.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 6.0
vllm:num_requests_waiting{engine="1",model_name="meta-llama/Llama-3.1-8B-Instruct"} 2.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="a"} 1.5e+03
"#;

const VLLM_PAGE: &str = include_str!("../../../../tests/pages/vllm.prom");
const OTHERS_PAGE: &str = include_str!("../../../../tests/pages/others.prom");
const DCGM_PAGE: &str = include_str!("../../../../tests/pages/dcgm.prom");

/// Name, labels, value and milliseconds.
type Parsed = (String, Vec<(String, String)>, f64, Option<i64>);

fn parsed(text: &str) -> Vec<Parsed> {
    parsed_as(text, Format::Text)
}

fn parsed_as(text: &str, format: Format) -> Vec<Parsed> {
    lines(text.as_bytes(), format)
        .map(|line| {
            let line = line.unwrap();
            let labels = line.labels();
            let labels = labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            (line.name.into_owned(), labels, line.value, line.millis)
        })
        .collect()
}

#[test]
fn a_page_of_an_engine_is_read() {
    let lines = parsed(VLLM);
    assert_eq!(lines.len(), 4);
    let (name, labels, value, millis) = &lines[0];
    assert_eq!(name, "vllm:num_requests_running");
    assert_eq!(labels[0], ("engine".to_owned(), "0".to_owned()));
    assert_eq!((*value, *millis), (37.0, None));
    assert_eq!(lines[3].2, 1_500.0);
}

#[test]
fn every_form_of_a_sample_is_read() {
    for (line, labels, value, millis) in [
        ("a 1", vec![], 1.0, None),
        ("a{} 1", vec![], 1.0, None),
        ("a{b=\"c\",} 1", vec![("b", "c")], 1.0, None),
        (
            "a { b = \"c\" , d=\"e\" }  1  1700000000000",
            vec![("b", "c"), ("d", "e")],
            1.0,
            Some(1_700_000_000_000),
        ),
        (r#"a{b="\"x\" \\ \n }"} -1"#, vec![("b", "\"x\" \\ \n }")], -1.0, None),
        ("a{b=\"\"} +Inf", vec![("b", "")], f64::INFINITY, None),
        ("a 1 1700000000.5", vec![], 1.0, Some(1_700_000_000_500)),
        ("a 3 # {trace=\"x\"} 1", vec![], 3.0, None),
        ("\ta 1\r", vec![], 1.0, None),
    ] {
        let labels: Vec<(String, String)> =
            labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(parsed(line), [("a".to_owned(), labels, value, millis)], "{line}");
    }
    assert!(parsed("a nan")[0].2.is_nan());
}

#[test]
fn a_name_may_stand_between_the_braces_in_quotes() {
    for (line, name, labels) in [
        (r#"{"my.name"} 1"#, "my.name", vec![]),
        (r#"{"my.name","l"="v"} 1"#, "my.name", vec![("l", "v")]),
        (r#"{ "my name" , l = "v", "a.b"="}", } 1"#, "my name", vec![("a.b", "}"), ("l", "v")]),
        (r#"{"größe \"x\"",l="v"} 1"#, "größe \"x\"", vec![("l", "v")]),
        (r#"a{"l.m"="v"} 1"#, "a", vec![("l.m", "v")]),
    ] {
        let labels: Vec<(String, String)> =
            labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(parsed(line), [(name.to_owned(), labels, 1.0, None)], "{line}");
    }
}

#[test]
fn times_are_in_the_unit_of_the_format() {
    let millis = |line, format| parsed_as(line, format)[0].3;
    for (line, text, open_metrics) in [
        ("a 1 1700000000000", 1_700_000_000_000, 1_700_000_000_000_000),
        ("a 1 1700000000", 1_700_000_000, 1_700_000_000_000),
        ("a 1 1700000000.25", 1_700_000_000_250, 1_700_000_000_250),
        ("a 1 1700000000 # {id=\"x\"} 0.5 1699999999", 1_700_000_000, 1_700_000_000_000),
    ] {
        assert_eq!(millis(line, Format::Text), Some(text), "{line}");
        assert_eq!(millis(line, Format::OpenMetrics), Some(open_metrics), "{line}");
    }
    for (header, expected) in [
        (Some("application/openmetrics-text; version=1.0.0; charset=utf-8"), Format::OpenMetrics),
        (Some("text/plain; version=0.0.4"), Format::Text),
        (None, Format::Text),
    ] {
        assert_eq!(Format::declared(header), expected, "{header:?}");
    }
}

#[test]
fn every_page_of_the_field_is_read_whole() {
    for (page, n_lines, series, value) in [
        (VLLM_PAGE, 18, "vllm:kv_cache_usage_perc", 0.731_428_571_428_571_4),
        (VLLM_PAGE, 18, "vllm:generation_tokens_created", 1.787_123_456_1e9),
        (VLLM_PAGE, 18, "vllm:gpu_cache_usage_perc", 0.41),
        (include_str!("../../../../tests/pages/sglang.prom"), 8, "sglang:gen_throughput", 1_432.7),
        (include_str!("../../../../tests/pages/tgi.prom"), 10, "tgi_queue_size", 4.0),
        (
            include_str!("../../../../tests/pages/triton.prom"),
            16,
            "nv_inference_queue_duration_us",
            5_120_048_811.0,
        ),
        (
            include_str!("../../../../tests/pages/trtllm-dynamo-epp.prom"),
            14,
            "trtllm_kv_cache_utilization",
            0.377,
        ),
        (OTHERS_PAGE, 19, "QueueTime", 14.0),
        (OTHERS_PAGE, 19, "ts_queue_latency_microseconds", 7.31e6),
        (DCGM_PAGE, 9, "DCGM_FI_DEV_MEMORY_TEMP", 9_223_372_036_854_776_000.0),
        (DCGM_PAGE, 9, "dcgm_gpu_utilization", 97.0),
        (
            include_str!("../../../../tests/pages/amd-intel.prom"),
            6,
            "hw_memory_usage_bytes",
            3.435_973_836e10,
        ),
    ] {
        let lines = parsed(page);
        assert_eq!(lines.len(), n_lines, "{series}");
        let found = lines.iter().find(|it| it.0 == series).map(|it| it.2);
        assert_eq!(found, Some(value), "{series}");
    }
    let others = parsed(OTHERS_PAGE);
    let tokens = others.iter().find(|it| it.0 == "llamacpp:predicted_tokens_seconds").unwrap();
    assert!(tokens.2.is_nan());
    let queue_time = others.iter().find(|it| it.0 == "QueueTime").unwrap();
    let expected = [("Hostname", "ts-0"), ("Level", "Host")].map(|(k, v)| (k.into(), v.into()));
    assert_eq!(queue_time.1, expected, "a trailing comma is no label");
    let stored = parsed(DCGM_PAGE).into_iter().find(|it| it.1.iter().any(|(k, _)| k == "job"));
    let label = |key: &str| {
        let labels = &stored.as_ref().unwrap().1;
        labels.iter().find(|(k, _)| k == key).unwrap().1.clone()
    };
    assert_eq!(
        (label("exported_pod"), label("namespace")),
        ("llama-6f7c9-abcde".into(), "gpu-operator".into())
    );
}

#[test]
fn a_bad_line_spoils_only_itself() {
    for bad in [
        "<html>",
        "a",
        "1a 1",
        "a{b=\"c\" 1",
        "a{b=c} 1",
        "a{=\"c\"} 1",
        "a{b=\"c\"d=\"e\"} 1",
        "a one",
        "a 1 x",
        "a 1 2 3",
        "{} 1",
        "a{b=\"c} 1",
        "a{\"b\"} 1",
        "{b=\"c\"} 1",
        "{\"b\",\"c\"} 1",
        "{b=\"c\",\"d\"} 1",
        "{\"b\"",
        "{\"\"} 1",
        "a{,} 1",
        "a{b=\"c\",,} 1",
    ] {
        let page = format!("x 1\n{bad}\ny 2\n");
        let found: Vec<Option<f64>> =
            lines(page.as_bytes(), Format::Text).map(|it| it.ok().map(|line| line.value)).collect();
        assert_eq!(found, [Some(1.0), None, Some(2.0)], "{bad}");
    }
    assert_eq!(lines(b"\xff\xfe 1", Format::Text).next(), Some(Err(BadLine)), "not UTF-8");
    let long = format!("a{{b=\"{}\"}} 1", "x".repeat(limits::EXPOSITION_LINE_BYTES_MAX));
    assert_eq!(lines(long.as_bytes(), Format::Text).next(), Some(Err(BadLine)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_bytes_break_the_parser(page in prop::collection::vec(any::<u8>(), 0..200)) {
        for line in lines(&page, Format::Text).flatten() {
            drop(line.labels());
        }
    }

    #[test]
    fn a_page_with_one_byte_changed_never_breaks_the_parser(at in 0usize..700, byte in any::<u8>()) {
        let mut page = VLLM.as_bytes().to_vec();
        if let Some(place) = page.get_mut(at) { *place = byte; }
        for line in lines(&page, Format::Text).flatten() {
            drop(line.labels());
        }
    }

    #[test]
    fn what_is_written_is_read(key in "[a-z_][a-z0-9_]{0,8}", value in "[^\\x00-\\x1f]{0,20}", number in -1e12f64..1e12) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let page = format!("m{{{key}=\"{escaped}\"}} {number}");
        let line = lines(page.as_bytes(), Format::Text).next().unwrap().unwrap();
        prop_assert_eq!(line.value, number);
        let labels = line.labels();
        prop_assert_eq!(labels.get(&key), Some(value.as_str()));
    }
}
