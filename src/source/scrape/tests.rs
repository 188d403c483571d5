//! What a page answers.

use super::*;

const PAGE: &str = "q{engine=\"0\"} 6\nq{engine=\"1\"} 2\nold{} 1 5000\nbad NaN\nneg -1\n";

fn ask(selector: &str, reduce: Reduce) -> Result<(f64, i64), String> {
    let selector = SeriesSelector::parse(selector).map_err(|error| error.to_string())?;
    let at = Timestamp::from_second(100).map_err(|error| error.to_string())?;
    answer((PAGE.as_bytes(), Format::Text), &selector, reduce, at)
        .map(|samples| {
            let sample = samples[&None];
            (sample.value.get(), sample.at.as_second())
        })
        .map_err(|error| error.to_string())
}

#[test]
fn several_series_become_one_number() {
    for (reduce, expected) in
        [(Reduce::Sum, 8.0), (Reduce::Avg, 4.0), (Reduce::Max, 6.0), (Reduce::Min, 2.0)]
    {
        assert_eq!(ask("q", reduce), Ok((expected, 100)), "{reduce:?}");
    }
    assert_eq!(ask("q{engine=\"1\"}", Reduce::Sum), Ok((2.0, 100)));
}

#[test]
fn the_pages_own_time_is_kept() {
    assert_eq!(ask("old", Reduce::Sum), Ok((1.0, 5)));
}

#[test]
fn what_is_not_there_or_no_number_is_an_error_and_not_zero() {
    assert_eq!(ask("missing", Reduce::Sum).unwrap_err(), "missing is not on the page");
    for name in ["bad", "neg"] {
        let error = ask(name, Reduce::Sum).unwrap_err();
        assert!(error.contains("is NaN, an infinity or a negative number"), "{error}");
    }
}

#[test]
fn garbage_is_told_from_an_empty_page() {
    let selector = SeriesSelector::parse("q").unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let garbage =
        answer((b"<html>\n<body>\n", Format::Text), &selector, Reduce::Sum, now).unwrap_err();
    assert!(garbage.to_string().contains("not in exposition format"), "{garbage}");
    let empty = answer((b"", Format::Text), &selector, Reduce::Sum, now).unwrap_err();
    assert!(empty.to_string().contains("not on the page"), "{empty}");
}
