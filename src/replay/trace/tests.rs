//! Recordings that are read, and what is said about those that are not.

use super::{Content, Service, Trace, parse};
use crate::simulate::judge::recorded::Request;
use proptest::prelude::*;

fn read(text: &str) -> Trace {
    parse(text, &Service::default()).unwrap()
}

fn requests(trace: &Trace) -> Vec<(f64, f64)> {
    let Content::Requests(requests) = &trace.content else { panic!("{trace:?}") };
    requests.iter().map(|Request { arrival, service }| (*arrival, *service)).collect()
}

fn samples(trace: &Trace) -> (&[(f64, f64)], &'static str) {
    let Content::Samples { samples, unit } = &trace.content else { panic!("{trace:?}") };
    (samples, unit)
}

#[test]
fn requests_are_read_in_order_of_arrival() {
    let trace = read("arrival_s,service_s\n65774,43\n61070,32\n");
    assert_eq!(requests(&trace), [(61_070.0, 32.0), (65_774.0, 43.0)]);
    assert_eq!(trace.midnight, None);
}

#[test]
fn what_a_dashboard_writes_is_read_too() {
    let text = "\u{feff}# a comment\r\n\"Time\",\"sum(x)\"\r\n2026-11-01 06:00:00Z,1.5\r\n\
                2026-11-01T06:01:00Z,NaN\r\n2026-11-01T06:02:00Z,\r\n\r\n2026-11-01T06:03:00Z,2\r\n";
    let trace = read(text);
    assert_eq!(samples(&trace).0, [(21_600.0, 1.5), (21_780.0, 2.0)]);
    assert_eq!(trace.without_value, 2, "unknown is not zero");
    assert_eq!(trace.midnight.unwrap().to_string(), "2026-11-01T00:00:00Z");
}

#[test]
fn times_may_be_seconds_or_milliseconds_since_1970() {
    for (text, scale) in [("1767225600", "s"), ("1767225600000", "ms")] {
        let trace = read(&format!("timestamp,value\n{text},3\n"));
        assert_eq!(samples(&trace).0, [(0.0, 3.0)], "{scale}");
        assert_eq!(trace.midnight.unwrap().to_string(), "2026-01-01T00:00:00Z", "{scale}");
    }
}

#[test]
fn counts_become_rates_or_requests_in_service() {
    let text = "time_s,requests\n0,300\n300,600\n600,0\n";
    assert_eq!(
        samples(&read(text)),
        (&[(0.0, 1.0), (300.0, 2.0), (600.0, 0.0)][..], "requests per second")
    );
    let service = Service { seconds: Some(4.0), ..Service::default() };
    let trace = parse(text, &service).unwrap();
    assert_eq!(
        samples(&trace),
        (&[(0.0, 4.0), (300.0, 8.0), (600.0, 0.0)][..], "requests in service")
    );
}

#[test]
fn tokens_become_service_times() {
    let text = "arrival_s,prompt_tokens,output_tokens\n0.5,1000,60\n";
    let service = Service {
        prompt_tokens_per_second: Some(5_000.0),
        output_tokens_per_second: Some(30.0),
        ..Service::default()
    };
    let found = requests(&parse(text, &service).unwrap());
    assert!((found[0].1 - 2.2).abs() < 1e-9, "{found:?}");
    let alike = Service { seconds: Some(7.0), ..Service::default() };
    assert_eq!(requests(&parse(text, &alike).unwrap()), [(0.5, 7.0)]);
}

#[test]
fn each_fault_names_its_line_and_what_to_do() {
    let cases = [
        ("", 1, "the recording is empty", "arrival_s,service_s"),
        ("# nothing\n\n", 1, "the recording is empty", "arrival_s,service_s"),
        ("time_s,value\n", 1, "the recording has no rows", "time_s,value"),
        ("a,b\n1,2\n", 1, "no column with a time (columns: a,b)", "time_s,value"),
        ("time_s;value\n1;2\n", 1, "separated by semicolons", "by commas"),
        ("Time\tvalue\n1\t2\n", 1, "separated by tabs", "by commas"),
        ("time_s,value\n0,1e301\n", 2, "`1e301` is more than 1e15", "thousandths"),
        ("arrival_s,service_s\n0,1e300\n", 2, "`1e300` is more than 1e15", "thousandths"),
        ("time_s,a,b\n1,2,3\n", 1, "no column with a value (columns: time_s,a,b)", "time_s,value"),
        ("time_s,pod,value\n", 1, "one value for each pod (columns: time_s,pod,value)", "sum"),
        ("arrival_s\n1\n", 1, "the requests have no service time", "--service-seconds"),
        (
            "arrival_s,prompt_tokens,output_tokens\n1,2,3\n",
            1,
            "the requests have tokens, but no service time",
            "--output-tokens-per-second",
        ),
        ("time_s,value\n\n0,1\n60\n", 4, "1 field, not 2", "as many as the first line"),
        ("time_s,value\n0,1\n60,x\n", 3, "`x` is not a number", "a point"),
        ("time_s,value\n0,1,5\n", 2, "3 fields, not 2", "as many as the first line"),
        ("time_s,value\n0,-1\n", 2, "`-1` is negative", "remove the row"),
        ("time_s,value\n0,inf\n", 2, "`inf` is not a number", "remove the row"),
        ("arrival_s,service_s\n0,\n", 2, "`` is not a number", "a point"),
        ("time,value\n2026-13-01T00:00:00Z,1\n", 2, "is not a date", "2026-11-01T00:00:00Z"),
        ("time_s,requests\n0,5\n", 2, "a single row does not tell", "at least two"),
    ];
    for (text, line, problem, hint) in cases {
        let faults = parse(text, &Service::default()).unwrap_err();
        let fault = &faults[0];
        assert_eq!(fault.position.unwrap().line, line, "{text:?}: {fault:?}");
        assert!(fault.problem.contains(problem), "{text:?}: {fault:?}");
        assert!(fault.hint.as_ref().unwrap().contains(hint), "{text:?}: {fault:?}");
    }
}

#[test]
fn all_faults_are_told_up_to_ten() {
    let rows = |count| format!("time_s,value\n{}", "0,x\n".repeat(count));
    for (count, told) in [(3, 3), (10, 10), (500, 11)] {
        let faults = parse(&rows(count), &Service::default()).unwrap_err();
        assert_eq!(faults.len(), told);
        let rest = faults.get(10).map(|it| it.problem.as_str());
        assert_eq!(rest, (count == 500).then_some("and 490 more"));
    }
}

#[test]
fn a_date_without_a_zone_is_read_as_utc_and_that_is_known() {
    for (date, is_utc_assumed) in [
        ("2026-11-01 06:00:00", true),
        ("2026-11-01T06:00:00", true),
        ("2026-11-01T07:00:00+01:00", false),
    ] {
        let trace = read(&format!("Time,value\n{date},1\n"));
        assert_eq!(samples(&trace).0, [(21_600.0, 1.0)], "{date}");
        assert_eq!(trace.is_utc_assumed, is_utc_assumed, "{date}");
    }
}

#[test]
fn two_values_of_one_time_are_refused() {
    for (text, problem) in [
        (
            "time_s,value\n0,1\n60,1\n0,3\n60,2\n",
            "2 rows have the time of another one, the first of them 0",
        ),
        (
            "Time,value\n2026-11-01T00:01:00Z,1\n2026-11-01T00:01:00Z,1\n",
            "1 row has the time of another one, the first of them 2026-11-01T00:01:00Z",
        ),
    ] {
        let faults = parse(text, &Service::default()).unwrap_err();
        assert_eq!(faults[0].problem, problem);
        assert!(faults[0].hint.as_ref().unwrap().contains("sum several series"));
    }
    // Requests may come at once.
    assert_eq!(requests(&read("arrival_s,service_s\n1,2\n1,2\n")).len(), 2);
}

#[test]
fn what_is_said_about_requests_is_not_passed_over_where_there_are_none() {
    let seconds = Service { seconds: Some(4.0), ..Service::default() };
    let tokens = Service { prompt_tokens_per_second: Some(4.0), ..Service::default() };
    for (text, service, option) in [
        ("time_s,value\n0,1\n", seconds, "--service-seconds"),
        ("time_s,value\n0,1\n", tokens, "--prompt-tokens-per-second"),
        ("time_s,requests\n0,1\n60,1\n", tokens, "--prompt-tokens-per-second"),
    ] {
        let faults = parse(text, &service).unwrap_err();
        assert!(faults[0].problem.contains(option), "{faults:?}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "(time_s,value|arrival_s,service_s|\\PC*)\n(\\PC*\n){0,4}") {
        drop(parse(&text, &Service::default()));
    }
}
