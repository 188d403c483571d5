//! P36 to P44: what answers are worth.

use super::*;
use crate::domain::error_chain::ErrorChain;
use crate::domain::labels::Labels;
use crate::domain::quantity;
use crate::rules::answer::{Answer, NoValue, by_object, items};
use crate::rules::wire::OnDuplicate;

fn series(pod: &str, value: f64) -> (Labels, f64) {
    let labels = [("__name__", "q"), ("pod", pod)];
    (labels.into_iter().filter(|(_, value)| !value.is_empty()).collect(), value)
}

/// What is served for objects, as text.
fn values(answer: &Answer, on_duplicate: OnDuplicate) -> Vec<(String, String)> {
    let values = by_object(answer, "pod", on_duplicate).unwrap();
    let shown = |value: Result<_, NoValue>| match value {
        Ok(value) => quantity::to_text(value),
        Err(error) => error.to_string(),
    };
    values.into_iter().map(|(name, value)| (name.to_string(), shown(value))).collect()
}

fn check(case: &str, vector: &[(&str, f64)], on_duplicate: OnDuplicate, expected: &[(&str, &str)]) {
    let answer = Answer::Vector(vector.iter().map(|(pod, value)| series(pod, *value)).collect());
    let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
    assert_eq!(values(&answer, on_duplicate), expected, "{case}");
}

#[test]
fn p36_to_p38_and_p44_an_object_has_one_number_or_none() {
    use OnDuplicate::{Last, Refuse};
    // Upstream NaN is served as 0, and so is whatever is below a thousandth.
    let none = "the rule's query answers no number for it";
    let negative = "the rule's query answers a negative number for it";
    let several = "the rule's query answers 2 values for it, and `onDuplicate` is not `last`";
    check("P36", &[("a", 1.5), ("b", f64::NAN)], Refuse, &[("a", "1500m"), ("b", none)]);
    check("P36, infinity", &[("a", f64::INFINITY)], Last, &[("a", none)]);
    check("a negative value", &[("a", -1.0)], Refuse, &[("a", negative)]);
    // Upstream the last one wins, whichever it is today.
    check("P37", &[("a", 1.0), ("b", 2.0), ("a", 3.0)], Refuse, &[("a", several), ("b", "2")]);
    check("P37, last", &[("a", 1.0), ("a", 3.0)], Last, &[("a", "3")]);
    check("P37, last is none", &[("a", 1.0), ("a", f64::NAN)], Last, &[("a", none)]);
    check("P38", &[("", 1.0), ("a", 2.0)], Refuse, &[("a", "2")]);
    check("P44", &[("a", 0.0004)], Refuse, &[("a", "400u")]);
}

#[test]
fn p39_an_answer_that_is_no_vector_has_no_values_of_objects() {
    for (answer, name) in
        [(Answer::Other("matrix".into()), "matrix"), (Answer::Scalar(1.0), "scalar")]
    {
        let error = by_object(&answer, "pod", OnDuplicate::Refuse).unwrap_err();
        assert_eq!(error, NoValue::WrongType(name.into()));
    }
    let error = items(&Answer::Other("matrix".into())).unwrap_err();
    assert_eq!(error.to_string(), "the rule's query answers a matrix, not numbers");
}

#[test]
fn p40_p41_an_external_metric_has_an_item_for_each_series() {
    let scalar = items(&Answer::Scalar(2.0)).unwrap();
    let shown: Vec<_> = scalar.iter().map(|it| (it.labels.is_empty(), it.value.get())).collect();
    assert_eq!(shown, [(true, 2.0)], "P40");
    // Upstream an empty list, which the HPA takes for an error, too, and without a reason.
    assert_eq!(items(&Answer::Vector(Vec::new())), Err(NoValue::Empty), "P41");
    assert_eq!(items(&Answer::Scalar(f64::NAN)), Err(NoValue::NotANumber));
    let vector = items(&Answer::Vector(vec![series("a", 1.0), series("b", 2.0)])).unwrap();
    let labels: Vec<_> = vector.iter().flat_map(|it| it.labels.iter()).collect();
    assert_eq!(
        labels,
        [("__name__", "q"), ("pod", "a"), ("__name__", "q"), ("pod", "b")],
        "all labels"
    );
}

/// Upstream NaN is a huge negative number in the sum that the HPA makes of all items; left out, it
/// would be a zero.
#[test]
fn one_series_without_a_number_leaves_an_external_metric_without_an_answer() {
    for (bad, why) in [
        (f64::NAN, "the rule's query answers no number for it"),
        (f64::INFINITY, "the rule's query answers no number for it"),
        (-1.0, "the rule's query answers a negative number for it"),
    ] {
        let error = items(&Answer::Vector(vec![series("a", 1.0), series("b", bad)])).unwrap_err();
        let expected = format!(
            "series {{__name__=\"q\",pod=\"b\"}}, without which the others are not the whole: {why}"
        );
        assert_eq!(ErrorChain(&error).to_string(), expected);
        let error = items(&Answer::Vector(vec![series("b", bad)])).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

#[test]
fn p42_of_two_rules_that_make_one_metric_the_later_answers_and_it_is_told() {
    let two = format!(
        "{}{}",
        file("rules", STD, "name: {as: x},", M1),
        file("", STD, "name: {as: x},", M2)
    );
    let rules = load(&two.replace("\n:\n", "\n")).unwrap();
    assert_eq!(rules.custom.len(), 2);
    let mut catalogue = Catalogue::default();
    for rule in rules.custom {
        let bound = Bound::new(rule, &mapping()).unwrap();
        catalogue.add(&bound, &[shape("b", &["pod"]), shape("a", &["pod"])]);
    }
    let entry = catalogue.custom(&GroupResource::pods(), "x").unwrap();
    assert_eq!((entry.rule, &*entry.series), (1, "b"), "and within a rule the last series by name");
    let covered: Vec<_> = catalogue.covered().iter().map(|it| (it.rule, it.by)).collect();
    assert_eq!(covered, [(0, 1)]);
}

/// The pure part of it: what 404 is answered for.
#[test]
fn p43_what_nobody_makes_or_measures_is_not_there() {
    let mut catalogue = Catalogue::default();
    catalogue.add(&custom(STD, M1), &[shape("x", &["pod", "namespace"])]);
    catalogue.add(&external(STD, M1), &[shape("y", &[])]);
    assert!(catalogue.custom(&GroupResource::pods(), "x").is_some());
    assert_eq!(catalogue.custom(&GroupResource::pods(), "y"), None);
    assert_eq!(catalogue.custom(&GroupResource::parse("services"), "x"), None);
    assert!(catalogue.external("y").is_some());
    assert_eq!(catalogue.external("x"), None);
    let empty = by_object(&Answer::Vector(Vec::new()), "pod", OnDuplicate::Refuse).unwrap();
    assert_eq!(empty.get("a"), None);
}
