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

/// Name, labels, value and milliseconds.
type Parsed = (String, Vec<(String, String)>, f64, Option<i64>);

fn parsed(text: &str) -> Vec<Parsed> {
    lines(text.as_bytes())
        .map(|line| {
            let line = line.unwrap();
            let labels = line.labels();
            let labels = labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            (line.name.to_owned(), labels, line.value, line.millis)
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
    ] {
        let page = format!("x 1\n{bad}\ny 2\n");
        let found: Vec<Option<f64>> =
            lines(page.as_bytes()).map(|it| it.ok().map(|line| line.value)).collect();
        assert_eq!(found, [Some(1.0), None, Some(2.0)], "{bad}");
    }
    assert_eq!(lines(b"\xff\xfe 1").next(), Some(Err(BadLine)), "not UTF-8");
    let long = format!("a{{b=\"{}\"}} 1", "x".repeat(limits::EXPOSITION_LINE_BYTES_MAX));
    assert_eq!(lines(long.as_bytes()).next(), Some(Err(BadLine)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_bytes_break_the_parser(page in prop::collection::vec(any::<u8>(), 0..200)) {
        for line in lines(&page).flatten() {
            drop(line.labels());
        }
    }

    #[test]
    fn a_page_with_one_byte_changed_never_breaks_the_parser(at in 0usize..700, byte in any::<u8>()) {
        let mut page = VLLM.as_bytes().to_vec();
        if let Some(place) = page.get_mut(at) { *place = byte; }
        for line in lines(&page).flatten() {
            drop(line.labels());
        }
    }

    #[test]
    fn what_is_written_is_read(key in "[a-z_][a-z0-9_]{0,8}", value in "[^\\x00-\\x1f]{0,20}", number in -1e12f64..1e12) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let page = format!("m{{{key}=\"{escaped}\"}} {number}");
        let line = lines(page.as_bytes()).next().unwrap().unwrap();
        prop_assert_eq!(line.value, number);
        let labels = line.labels();
        prop_assert_eq!(labels.get(&key), Some(value.as_str()));
    }
}
