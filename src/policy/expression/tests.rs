//! What `combine` computes and what it refuses.

use super::*;
use proptest::prelude::*;

const SIGNALS: [&str; 2] = ["running", "waiting"];

fn expression(text: &str) -> Expression {
    Expression::parse(text, &SIGNALS).unwrap()
}

fn value_of(text: &str, running: f64, waiting: f64) -> Option<f64> {
    let expression = expression(text);
    expression.evaluate(&inputs(running, waiting)?).map(Finite::get)
}

/// Two signals; 6/s and 7/s are their rates, and three pods are ready and two starting.
fn inputs(running: f64, waiting: f64) -> Option<Inputs> {
    let [six, seven, three, two] = [6.0, 7.0, 3.0, 2.0].map(Finite::new);
    Some(Inputs {
        signals: vec![Finite::new(running)?, Finite::new(waiting)?],
        per_second: vec![six?, seven?],
        ready_pods: three?,
        starting_pods: two?,
    })
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
        ("foo(running)", "", "sqrt, perSecond, drain"),
        ("redyPods + 1", "there is no signal `redyPods`", "did you mean `readyPods`?"),
        ("perSecond(running + waiting)", "`perSecond` takes one signal", "add up rates"),
        ("perSecond(readyPods)", "`perSecond` takes one signal", ""),
        ("perSecond(3)", "`perSecond` takes one signal", ""),
        ("perSecond()", "`perSecond` takes one signal", ""),
        ("perSecond(wating)", "there is no signal `wating`", "did you mean `waiting`?"),
        ("drain(waiting)", "`drain` takes a backlog and a time", "drain(waiting, \"60s\")"),
        ("drain(waiting, 60)", "is a text, such as \"60s\"", "drain(waiting"),
        ("drain(waiting, 'soon')", "`soon` is not a duration", ""),
        ("drain(waiting, '0s')", "not within 1s and 168h", ""),
        ("drain(waiting, '60s', 1, 2)", "`drain` takes a backlog and a time", ""),
        ("drain(perSecond(waiting), '60s')", "a backlog is an amount, and this is a rate", ""),
        ("drain(waiting, '60s', perSecond(running))", "served of a backlog is an amount", ""),
        ("drain(waiting, '60s') > 1", "expected a number, found a condition", ""),
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
    for (text, signals, counters, pods) in [
        ("waiting > 1 ? waiting : 0", vec![1], vec![], false),
        ("perSecond(running) + drain(waiting, '60s')", vec![0, 1], vec![0], false),
        ("drain(waiting, '60s', startingPods * 8)", vec![1], vec![], true),
    ] {
        let used = Used {
            signals: signals.into_iter().collect(),
            counters: counters.into_iter().collect(),
            pods,
        };
        assert_eq!(expression(text).used(), &used, "{text}");
    }
}

#[test]
fn a_backlog_drains_within_its_time_and_pods_on_their_way_take_their_part() {
    for (text, expected) in [
        ("drain(waiting, '60s')", 2.0),
        ("drain(waiting, \"2m\")", 1.0),
        ("perSecond(running) + drain(waiting, '60s')", 8.0),
        ("perSecond(waiting)", 7.0),
        // Two pods on their way take 20 requests each.
        ("drain(waiting, '60s', startingPods * 20)", 80.0 / 60.0),
        ("drain(waiting, '60s', startingPods * 60)", 0.0),
        // The backlog one minute later, when five pods serve 1.5 per second each and 6 come.
        (
            "drain(waiting, '30s', 60 * (1.5 * (readyPods + startingPods) - perSecond(running)))",
            1.0,
        ),
        // It grows meanwhile where the pods cannot keep up.
        ("drain(waiting, '30s', 60 * (1 * readyPods - perSecond(running)))", 10.0),
        ("drain(running - waiting, '60s')", 0.0),
    ] {
        assert_eq!(value_of(text, 10.0, 120.0), Some(expected), "{text}");
    }
}

#[test]
fn a_condition_is_true_false_or_unknown() {
    for (text, waiting, expected) in [
        ("waiting > 0", 1.0, Some(true)),
        ("waiting > 0 || running > 9.5", 0.0, Some(true)),
        ("waiting > 0", 0.0, Some(false)),
        ("running / waiting > 1", 0.0, None),
    ] {
        let condition = Condition::parse(text, &SIGNALS).unwrap();
        assert_eq!(condition.holds(&inputs(10.0, waiting).unwrap()), expected, "{text}");
        assert_eq!(condition.text(), text);
    }
    let error = Condition::parse("waiting + 1", &SIGNALS).unwrap_err();
    assert!(error.problem.contains("expected a condition"), "{error}");
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
    fn a_drain_is_never_negative_and_falls_with_what_is_served(
        backlog in -1e6f64..1e6, served in -1e6f64..1e6, more in 0.0f64..1e6,
    ) {
        let drained = |served: f64| value_of("drain(running, '45s', waiting)", backlog, served);
        let (one, other) = (drained(served).unwrap(), drained(served + more).unwrap());
        prop_assert!(other >= 0.0 && one >= other, "{one} {other}");
        prop_assert!(value_of("drain(running, '45s')", backlog, 0.0).unwrap() >= 0.0);
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
