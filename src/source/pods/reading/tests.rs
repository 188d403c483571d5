//! What is read of one pod's page.

mod profiles;

use super::*;
use crate::source::pods::tests::ask;
use crate::source::scrape::exposition::sieve::{Sieve, Wanted};
use proptest::prelude::*;

const VLLM: &str = include_str!("../../../../tests/pages/vllm.prom");
const SGLANG: &str = include_str!("../../../../tests/pages/sglang.prom");
const TGI: &str = include_str!("../../../../tests/pages/tgi.prom");
const TRITON: &str = include_str!("../../../../tests/pages/triton.prom");
const NEWER: &str = include_str!("../../../../tests/pages/trtllm-dynamo-epp.prom");
const DCGM: &str = include_str!("../../../../tests/pages/dcgm.prom");
const OTHERS: &str = include_str!("../../../../tests/pages/others.prom");

/// The wanted lines of a page.
fn sifted(page: &str, ask: &PodsAsk) -> Page {
    let wanted = Wanted::new(ask.names());
    let mut sieve = Sieve::new(&wanted);
    sieve.push(page.as_bytes()).unwrap();
    sieve.finish(Format::Text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What `page` says to a signal with these keys.
fn said(page: &str, keys: &str, second: i64, ledgers: &mut Ledgers) -> Result<Said, String> {
    let ask = ask(keys);
    let page = sifted(page, &ask);
    let reading = read((&page, Format::Text), &ask, at(second), ledgers);
    reading.map(|it| it.said).map_err(|it| match it {
        Silence::Failed(error) => error.to_string(),
        Silence::New => "new".to_owned(),
        Silence::Idle => "idle".to_owned(),
    })
}

fn number(page: &str, keys: &str) -> Result<f64, String> {
    match said(page, keys, 100, &mut Ledgers::default())? {
        Said::Number(number) => Ok(number.get()),
        Said::Observed(observed) => panic!("{observed:?}"),
    }
}

#[test]
fn gauges_of_the_field_are_read() {
    for (page, keys, expected) in [
        (VLLM, "series: 'vllm:num_requests_waiting'", 6.0),
        (VLLM, "series: 'vllm:num_requests_waiting_by_reason{reason=\"capacity\"}'", 4.0),
        // Both ranks of a tensor report the same requests.
        (SGLANG, "series: 'sglang:num_running_reqs', reduce: max", 24.0),
        (SGLANG, "series: 'sglang:num_queue_reqs{priority=\"\"}'", 9.0),
        (DCGM, "series: 'DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU_I_ID=\"7\"}'", 0.6375),
        (OTHERS, "series: ts_inference_requests_total", 4_021.0),
    ] {
        assert_eq!(number(page, keys), Ok(expected), "{keys}");
    }
}

#[test]
fn what_is_no_measurement_is_not_a_zero() {
    for (page, keys, expected) in [
        (OTHERS, "series: 'llamacpp:predicted_tokens_seconds'", "is NaN"),
        (DCGM, "series: DCGM_FI_DEV_MEMORY_TEMP", "a blank"),
        (VLLM, "series: absent", "absent is not on the page"),
        ("a 1\na{x=\"1\" 2\n", "series: a", "a line of a is malformed"),
    ] {
        let error = number(page, keys).unwrap_err();
        assert!(error.contains(expected), "{keys}: {error}");
    }
    // Someone else's malformed line is someone else's trouble.
    assert_eq!(number("b{x 1\na 1\n", "series: a"), Ok(1.0));
}

#[test]
fn a_counter_is_a_rate_across_a_restart() {
    let mut ledger = Ledgers::default();
    let page = |a: u32, b: u32| format!("c{{x=\"a\"}} {a}\nc{{x=\"b\"}} {b}\n");
    let mut rate = |second, a, b, keys| said(&page(a, b), keys, second, &mut ledger);
    let keys = "series: c, value: rate";
    assert_eq!(rate(0, 100, 50, keys), Err("new".to_owned()));
    assert_eq!(rate(10, 110, 60, keys), Ok(Said::Number(Finite::new(2.0).unwrap())));
    // `a` begins anew and stands at 10; `b` goes on.
    assert_eq!(rate(20, 10, 70, keys), Ok(Said::Number(Finite::new(2.0).unwrap())));
}

#[test]
fn the_rates_of_several_series_are_reduced() {
    let mut ledger = Ledgers::default();
    let keys = "series: c, value: rate, reduce: max";
    assert!(said("c{x=\"a\"} 0\nc{x=\"b\"} 0\n", keys, 0, &mut ledger).is_err());
    let got = said("c{x=\"a\"} 10\nc{x=\"b\"} 50\n", keys, 10, &mut ledger);
    assert_eq!(got, Ok(Said::Number(Finite::new(5.0).unwrap())));
}

#[test]
fn a_histogram_is_what_it_observed_lately() {
    let page = |low: u32, all: u32, sum: u32| {
        format!(
            "h_bucket{{e=\"0\",le=\"1\"}} {low}\nh_bucket{{e=\"0\",le=\"+Inf\"}} {all}\n\
             h_bucket{{e=\"1\",le=\"1\"}} 5\nh_bucket{{e=\"1\",le=\"+Inf\"}} 5\n\
             h_sum {sum}\nh_count {all}\n"
        )
    };
    let mut ledger = Ledgers::default();
    let keys = "series: h, value: quantile(0.9)";
    assert!(said(&page(100, 1_000, 0), keys, 0, &mut ledger).is_err());
    let got = said(&page(130, 1_040, 0), keys, 15, &mut ledger).unwrap();
    let expected = Buckets::new(vec![(1.0, 30.0), (f64::INFINITY, 40.0)]).unwrap();
    assert_eq!(got, Said::Observed(Observed::Buckets(expected)));
    let mut ledger = Ledgers::default();
    let keys = "series: h, value: mean";
    assert!(said(&page(0, 1_000, 500), keys, 0, &mut ledger).is_err());
    let got = said(&page(0, 1_040, 600), keys, 15, &mut ledger).unwrap();
    assert_eq!(got, Said::Observed(Observed::Mean { sum: 100.0, count: 40.0 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_page_breaks_what_is_read_of_it(
        pages in prop::collection::vec("(h(_bucket|_sum|_count)?(\\{(le=\"[0-9.+Inf]{0,5}\",?){0,2}\\}?)? ?-?[0-9eNa.]{0,6}\n){0,12}", 1..4),
        value in prop::sample::select(vec!["gauge", "rate", "mean", "quantile(0.9)"]),
    ) {
        let mut ledger = Ledgers::default();
        let keys = format!("series: h, value: {value}");
        for (page, second) in pages.iter().zip((0..).step_by(10)) {
            if let Ok(Said::Number(number)) = said(page, &keys, second, &mut ledger) {
                prop_assert!(!number.is_negative());
            }
        }
    }
}
