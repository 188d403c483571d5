//! P1 to P10: which series, and what their metrics are called.

use super::*;

/// The names that a rule with these keys makes of some series.
fn names(rest: &str, series: &[&str]) -> Vec<String> {
    let rule = rule_of(&file("rules", STD, rest, M1));
    let named = series.iter().filter_map(|it| rule.naming.metric(it).unwrap());
    named.map(|it| it.to_string()).collect()
}

#[test]
fn p1_p2_filters_keep_what_matches_or_what_does_not() {
    let series = ["vllm_queue", "app_queue"];
    assert_eq!(names("seriesFilters: [{is: ^vllm_}],", &series), ["vllm_queue"]);
    assert_eq!(names("seriesFilters: [{isNot: ^vllm_}],", &series), ["app_queue"]);
    let both = "seriesFilters: [{is: queue}, {isNot: ^vllm_}],";
    assert_eq!(names(both, &["vllm_queue", "app_queue", "app_size"]), ["app_queue"]);
}

#[test]
fn p3_a_filter_says_exactly_one_thing() {
    for (filter, problem) in [
        ("{is: a, isNot: b}", "rules[0].seriesFilters[0]: a filter with `is` and `isNot`"),
        ("{}", "rules[0].seriesFilters[0]: a filter with neither `is` nor `isNot`"),
    ] {
        let text = file("rules", STD, &format!("seriesFilters: [{filter}],"), M1);
        assert_eq!(fault_of(&text).0, problem);
    }
}

#[test]
fn p4_to_p9_names_are_made_as_go_expands_them() {
    for (case, rest, series, expected) in [
        (
            "P4",
            "name: {matches: '^container_(.*)_seconds_total$'},",
            vec!["container_cpu_seconds_total", "container_mem_bytes"],
            vec!["cpu"],
        ),
        (
            "P5",
            "name: {matches: '^(.*)_total$', as: '${1}_per_second'},",
            vec!["http_requests_total"],
            vec!["http_requests_per_second"],
        ),
        ("P8", "", vec!["queue_depth"], vec!["queue_depth"]),
        ("P8, empty", "name: {matches: '', as: ''},", vec!["queue_depth"], vec!["queue_depth"]),
        ("P9", "name: {as: queue_now},", vec!["queue_depth"], vec!["queue_now"]),
        ("P9, matched", "name: {matches: depth, as: now},", vec!["queue_depth", "x"], vec!["now"]),
        ("the middle", "name: {matches: '(cpu)_s'},", vec!["container_cpu_seconds"], vec!["cpu"]),
        ("named", "name: {matches: '^(?P<a>.)_(.)$', as: '$2:${a}'},", vec!["x_y"], vec!["y:x"]),
    ] {
        assert_eq!(names(rest, &series), expected, "{case}");
    }
}

/// Upstream the name is empty, silently: Go reads a group `1_per_second`.
#[test]
fn p6_a_group_that_is_not_there_is_refused_with_what_was_meant() {
    for (name_as, hint) in [
        ("$1_per_second", "write `${1}_per_second`"),
        ("x_$kind_total", "write `${kind}_total`"),
        ("$2", "groups are counted from 1"),
        ("$nobody", "groups are counted from 1"),
    ] {
        let rest = format!("name: {{matches: '^(?P<kind>.*)_total$', as: '{name_as}'}},");
        let (problem, found) = fault_of(&file("rules", STD, &rest, M1));
        assert!(
            problem.contains("rules[0].name.as: `$") && found.contains(hint),
            "{problem}: {found}"
        );
    }
}

#[test]
fn p7_one_of_several_groups_has_to_be_chosen() {
    let text = file("rules", STD, "name: {matches: '^(a)_(b)$'},", M1);
    let (problem, hint) = fault_of(&text);
    assert_eq!(
        problem,
        "rules[0].name: `matches` has 2 groups, and no `as` says which is the name"
    );
    assert!(hint.contains("as: ${1}"), "{hint}");
}

#[test]
fn p10_filters_keep_two_rules_apart() {
    let a = "seriesFilters: [{isNot: '_seconds_total$'}], name: {matches: '^(.*)_total$'},";
    let b = "name: {matches: '^(.*)_seconds_total$'},";
    let series = ["http_requests_total", "cpu_seconds_total"];
    assert_eq!(names(a, &series), ["http_requests"]);
    assert_eq!(names(b, &series), ["cpu"]);
}

#[test]
fn a_name_that_no_metric_can_have_is_told() {
    let rule = rule_of(&file("rules", STD, "name: {matches: '^a(.*)'},", M1));
    let bound = Bound::new(rule, &mapping()).unwrap();
    let mut catalogue = Catalogue::default();
    catalogue.add(&bound, &[shape("a", &["pod"]), shape("ab", &["pod"])]);
    assert_eq!(catalogue.customs().count(), 1);
    assert_eq!(catalogue.unnamed().len(), 1);
}
