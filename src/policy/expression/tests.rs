//! What `combine` computes and what it refuses.

use super::*;
use proptest::prelude::*;

const SIGNALS: [&str; 2] = ["running", "waiting"];

fn expression(text: &str) -> Expression {
    Expression::parse(text, &SIGNALS).unwrap()
}

fn value_of(text: &str, running: f64, waiting: f64) -> Option<f64> {
    let expression = expression(text);
    let signals = [Finite::new(running)?, Finite::new(waiting)?];
    expression.evaluate(&signals).map(Finite::get)
}

#[test]
fn arithmetic_is_that_of_floats_with_the_usual_precedence() {
    for (text, expected) in [
        ("running + waiting", 13.0),
        ("running + 2 * waiting", 16.0),
        ("(running + 2) * waiting", 36.0),
        ("running / 4", 2.5),
        ("7 / 2", 3.5),
        ("-waiting + running", 7.0),
        ("running % 4.0", 2.0),
        ("max(running, waiting, 11)", 11.0),
        ("min(running, waiting)", 3.0),
        ("ceil(running / 4) + floor(2.9) + abs(-1) + sqrt(4)", 8.0),
        ("waiting > 2 ? running * 2 : running", 20.0),
        ("waiting > 2 && !(running < 10) || false ? 1 : 0", 1.0),
        ("running == 10.0 ? 1 : 0", 1.0),
        ("running >= 10 && waiting <= 3 && running != waiting ? 1 : 0", 1.0),
    ] {
        assert_eq!(value_of(text, 10.0, 3.0), Some(expected), "{text}");
    }
}

#[test]
fn a_result_that_is_no_number_is_no_value() {
    for text in ["running / (waiting - 3)", "0 / 0", "1e308 * 1e308", "sqrt(-1)", "max(1, 1 / 0)"] {
        assert_eq!(value_of(text, 10.0, 3.0), None, "{text}");
    }
}

#[test]
fn a_refusal_says_where_and_what_to_do() {
    for (text, problem, hint) in [
        (
            "running + wating",
            "line 1, column 11: there is no signal `wating`",
            "did you mean `waiting`?",
        ),
        ("foo(running)", "column 4: there is no function `foo`", "the functions are max, min"),
        ("running > 3", "column 9: expected a number, found a condition", ""),
        ("running ? 1 : 2", "column 1: expected a condition", ""),
        ("'text'", "column 1: expected a number", ""),
        ("[1, 2].map(x, x)", "does not know this part of CEL", ""),
        ("running.waiting", "does not know this part of CEL", ""),
        ("running +", "line 1, column", ""),
        ("", "line 1, column", ""),
        ("abs(1, 2)", "`abs` takes 1 to 1 numbers", ""),
    ] {
        let error = Expression::parse(text, &SIGNALS).unwrap_err();
        assert!(error.problem.contains(problem), "{text}: {}", error.problem);
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint);
    }
}

#[test]
fn length_and_nesting_are_bounded() {
    let long = format!("running{}", " + running".repeat(200));
    assert!(Expression::parse(&long, &SIGNALS).unwrap_err().problem.contains("longer than"));
    let deep = format!("{}running{}", "(".repeat(200), ")".repeat(200));
    assert!(Expression::parse(&deep, &SIGNALS).unwrap_err().problem.contains("nested too deeply"));
    let sum = format!("running{}", " + running".repeat(100));
    assert_eq!(value_of(&sum, 1.0, 0.0), Some(101.0));
}

#[test]
fn the_signals_in_use_are_known() {
    let expression = Expression::parse("waiting > 1 ? waiting : 0", &SIGNALS).unwrap();
    assert_eq!(expression.used(), BTreeSet::from([1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,60}") {
        drop(Expression::parse(&text, &SIGNALS));
    }

    #[test]
    fn cel_like_text_never_breaks_the_parser(text in "[a-c0-9+*/()?:<>=&|!., \\[\\]{}\"'-]{0,40}") {
        drop(Expression::parse(&text, &SIGNALS));
    }

    #[test]
    fn what_is_evaluated_is_a_number_or_nothing(a in -1e300f64..1e300, b in -1e300f64..1e300) {
        for text in ["running * waiting", "running / waiting", "running - waiting", "running % waiting"] {
            if let Some(value) = value_of(text, a, b) {
                prop_assert!(value.is_finite());
            }
        }
    }
}
