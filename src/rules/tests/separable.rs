//! Which queries may be asked once for all objects, and why others may not.

use super::*;
use crate::rules::separable::{Inseparable, Judgement};

fn judge(query: &str) -> Judgement {
    let resource = GroupResource::pods();
    let selector = SeriesSelector::default();
    custom(STD, query).judge(&Ask {
        series: "q",
        resource: &resource,
        namespace: Some("shop"),
        objects: Objects::All,
        selector: &selector,
    })
}

#[test]
fn what_keeps_objects_apart_is_separable() {
    for query in [
        M1,
        M2,
        "S{M}",
        "sum by (pod, container) (S{M})",
        "sum without (container) (S{M})",
        "topk by (pod) (1, S{M})",
        "2 * -(avg_over_time(S{M}[5m:15s]) + 1) > bool 3",
        "sum(rate(S_sum{M}[5m])) by (pod) / sum(rate(S_count{M}[5m])) by (pod)",
        "histogram_quantile(0.9, sum(rate(S{M}[5m])) by (le, pod))",
        "sum(S{M}) by (pod) / on (pod) group_left (node) kube_pod_info{namespace=\"shop\"}",
        "sum(S{M}) by (pod) / ignoring (pod) group_left sum(S)",
        "sum(S{M}) by (pod) / scalar(sum(S))",
        "S{M} and on (pod) up{M}",
        "S{M} unless on () absent(up)",
        "sum(S{M}) by (pod) or 0 * max(up{M}) by (pod)",
        "sum(S{M}) by (pod) or vector(0)",
        "label_replace(S{M}, \"node\", \"$1\", \"instance\", \"(.*):.*\")",
        "count_values by (pod) (\"version\", S{M})",
        "sum(S) by (pod)",
        "clamp_min(S{M} offset 5m, 0)",
        "<<if index .LabelValuesByName \"tier\">>S{M}<<else>>2 * S{M}<<end>>",
        "S{M,namespace=\"<<index .LabelValuesByName \"namespace\">>\"}",
    ] {
        let template = filled(query);
        assert_eq!(judge(&template).separable, Ok(()), "{query}");
    }
}

#[test]
fn what_puts_objects_together_is_not_and_says_why() {
    let aggregates =
        |operator: &str| Inseparable::Aggregates { operator: operator.into(), label: "pod".into() };
    let matches =
        |operator: &str| Inseparable::Matches { operator: operator.into(), label: "pod".into() };
    let writes =
        |operator: &str| Inseparable::Writes { operator: operator.into(), label: "pod".into() };
    for (query, reason) in [
        ("sum(S{M})", aggregates("sum")),
        ("topk(3, S{M})", aggregates("topk")),
        ("sum(S{M}) by (namespace)", aggregates("sum")),
        ("sum(S{M}) without (pod)", aggregates("sum")),
        ("S{M} / scalar(sum(S{M}))", aggregates("sum")),
        ("S{M} / scalar(S{M})", Inseparable::Function("scalar".into())),
        ("S{M} / on (namespace) group_left sum(S{M}) by (namespace)", aggregates("sum")),
        ("S{M} / ignoring (pod) S{M}", matches("/")),
        ("sum(S{M}) by (pod) / on () sum(S)", matches("/")),
        ("S{M} or on () vector(0)", matches("or")),
        ("up and on () S{M}", matches("and")),
        ("absent(S{M})", Inseparable::Function("absent".into())),
        ("label_replace(S{M}, \"pod\", \"x\", \"a\", \"\")", writes("label_replace")),
        ("count_values by (pod) (\"pod\", S{M})", writes("count_values")),
        ("S{M} * ignoring (pod) group_left (pod) sum(S) by (pod)", writes("*")),
        ("<<if .LabelMatchers>>S{M}<<end>>", Inseparable::Inspected("LabelMatchers".into())),
        ("S{pod=~\"<<.LabelValuesByName.pod>>\"}", Inseparable::TakesNames),
        ("S{M} + S{M,host='M'}", Inseparable::Differs),
        ("S{M} keep_metric_names", Inseparable::NotPromql(String::new())),
        ("S{M or tier=\"b\"}", Inseparable::Function("or".into())),
    ] {
        let found = judge(&filled(query)).separable.unwrap_err();
        match (&found, &reason) {
            (Inseparable::NotPromql(_), Inseparable::NotPromql(_)) => {}
            _ => assert_eq!(found, reason, "{query}"),
        }
    }
}

#[test]
fn it_is_known_whether_an_object_can_have_several_values() {
    for (query, expected) in [
        (M1, true),
        ("-(2 * max(S{M}) by (pod)) + 1", true),
        ("sum(S{M}) by (pod, container)", false),
        ("topk by (pod) (2, S{M})", false),
        ("S{M}", false),
        ("sum(S{M}) by (pod) / sum(S) by (pod)", false),
    ] {
        assert_eq!(judge(&filled(query)).is_one_per_object, expected, "{query}");
    }
}

#[test]
fn objects_of_the_root_scope_are_judged_by_their_own_label() {
    let nodes = custom(
        "overrides: {node: {resource: node}}",
        "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
    );
    let selector = SeriesSelector::default();
    let judge = |resource: &str| {
        let resource = &GroupResource::parse(resource);
        let (namespace, objects) = (None, Objects::All);
        nodes
            .judge(&Ask { series: "q", resource, namespace, objects, selector: &selector })
            .separable
    };
    assert_eq!(judge("nodes"), Ok(()));
    let reason = judge("pods").unwrap_err();
    assert_eq!(reason.to_string(), "no query can be written: no label of the rule names pods");
}

/// `S` and `M` stand for the series and its matchers.
fn filled(query: &str) -> String {
    query
        .replace("S{M", "<<.Series>>{<<.LabelMatchers>>")
        .replace("up{M", "up{<<.LabelMatchers>>")
        .replace("S_sum{M", "<<.Series>>_sum{<<.LabelMatchers>>")
        .replace("S_count{M", "<<.Series>>_count{<<.LabelMatchers>>")
        .replace("'M'", "'<<.LabelMatchers>>'")
        .replace("sum(S)", "sum(<<.Series>>)")
        .replace("S{pod", "<<.Series>>{pod")
}
