//! What is told of a file that is wrong or misleads, and laws over any file.

use super::*;
use proptest::prelude::*;

#[test]
fn all_faults_are_found_at_once_with_line_and_hint() {
    let text = r#"rules:
- seriesQuery: 'a{'
  seriesFilter: []
  name: {matches: "("}
  metricsQuery: <<.Seriess>>
- seriesQuery: b
  resources: {template: "<<.Resource>>"}
  metricsQuery: <<.Series>>{<<.LabelMatchers>>}
externalRules:
- seriesQuery: rate(c[5m])
  resources: {overrides: {"a-b": {resource: pod}}}
  metricsQuery: x
- seriesQuery: d
  resources: {overrides: {ns: {group: x}}}
  metricsQuery: 1
  onDuplicate: first
"#;
    let rules = load(text).unwrap();
    let shown: Vec<String> = rules
        .faults
        .iter()
        .map(|it| format!("{} {it} ({})", it.position.unwrap().line, it.hint.as_deref().unwrap()))
        .collect();
    let expected = [
        "2 rules[0].seriesQuery: this is not PromQL as Foresail reads it: unexpected end of input inside braces (write it like `name{label!=\"\"}` or `{__name__=~\"^a_.*\"}`)",
        "3 rules[0].seriesFilter: unknown key `seriesFilter` (did you mean `seriesFilters`?)",
        "4 rules[0].name.matches: not a regular expression: unclosed group (the syntax is that of Go's package regexp (RE2))",
        "5 rules[0].metricsQuery: line 1, column 3: there is no field `.Seriess` (did you mean `.Series`?)",
        "10 externalRules[0].seriesQuery: this is a query, not a selector of series (write it like `name{label!=\"\"}` or `{__name__=~\"^a_.*\"}`)",
        "11 externalRules[0].resources.overrides.a-b: `a-b` is no label of a series (labels have letters, digits and `_`, and begin with no digit)",
        "14 externalRules[1].resources.overrides.ns: `resource` is missing (add `resource: …`)",
        "15 externalRules[1].metricsQuery: expected a text, found `1` (put it in quotes)",
        "16 externalRules[1].onDuplicate: expected one of last, refuse, found `first` (take one of these)",
    ];
    assert_eq!(shown, expected);
    assert_eq!((rules.custom.len(), rules.broken.len()), (1, 3), "the good one is not hidden");
}

#[test]
fn keys_that_nobody_knows_break_the_file() {
    for (text, expected) in [
        ("rule: []", "rule: unknown key `rule`"),
        ("rules: x", "rules: expected a list, found `x`"),
        ("- a", "expected a mapping, found a list"),
        ("rules: [", "not YAML"),
        ("apiVersion: a\nkind: b\nrules: x", "rules: expected a list"),
    ] {
        let faults = load(text).unwrap_err();
        assert!(faults[0].to_string().starts_with(expected), "{text}: {faults:?}");
        assert!(faults[0].position.is_some());
    }
}

#[test]
fn what_is_not_rules_is_left_to_others() {
    for text in
        ["", "rules: []", "rules:", "externalRules: null", "apiVersion: a\nkind: b\nsources: []"]
    {
        let rules = load(text).unwrap();
        assert_eq!((rules.custom.len(), rules.warnings.len()), (0, 0), "{text}");
    }
    let rules = load("resourceRules: {cpu: {containerQuery: x}, window: 3m}").unwrap();
    let warning = rules.warnings[0].to_string();
    assert_eq!(
        warning,
        "resourceRules: `resourceRules` are ignored: Foresail serves no metrics.k8s.io"
    );
}

#[test]
fn rules_keep_their_place_whatever_breaks_before_them() {
    let good = "{seriesQuery: x, resources: {template: '<<.Resource>>'}, metricsQuery: x}";
    let rules = load(&format!("rules: [{good}, {{}}, {good}]")).unwrap();
    let places: Vec<usize> = rules.custom.iter().map(|it| it.place).collect();
    assert_eq!(places, [0, 2]);
    assert_eq!((rules.broken[0].place, rules.broken[0].kind), (1, Kind::Custom));
    assert_eq!(rules.broken[0].faults[0].to_string(), "`seriesQuery` is missing");
}

#[test]
fn more_than_promql_is_sent_as_it_is_and_told() {
    let [warning] = &warnings_of(&file("rules", STD, "", "S keep_metric_names"))[..] else {
        panic!()
    };
    assert!(warning.contains("this is not PromQL as Foresail reads it"), "{warning}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever a file says: rules or faults, each fault with a place in the text.
    #[test]
    fn no_text_breaks_the_loader(query in "[<>.a-zA-Z$ \"|()\\[\\]{}=~]{0,40}", matches in "\\PC{0,20}") {
        let quoted = |it: &str| serde_json::Value::from(it).to_string();
        let (query, matches) = (quoted(&query), quoted(&matches));
        let text = format!(
            "rules:\n- seriesQuery: x\n  name: {{matches: {matches}, as: {matches}}}\n  metricsQuery: {query}\n"
        );
        if let Ok(rules) = load(&text) {
            let lines = text.lines().count();
            prop_assert!(rules.faults.iter().all(|it| it.position.is_some_and(|it| it.line <= lines)));
            prop_assert_eq!(rules.custom.len() + rules.broken.len(), 1);
        }
    }

    /// Whatever the names and the selector: a query that parses, with each value as it was.
    #[test]
    fn what_is_asked_is_promql(
        names in prop::collection::vec("[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?", 1..4),
        value in "[ -~éß]{0,12}",
    ) {
        prop_assume!(!value.contains(|c: char| "()!=<>,".contains(c)) && !value.trim().is_empty());
        let selector = SeriesSelector::parse(&format!("tier={value}")).unwrap();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let resource = GroupResource::pods();
        let objects = Objects::Named(&names);
        let ask = Ask { series: "q", resource: &resource, namespace: Some("shop"), objects, selector: &selector };
        let query = custom(STD, "<<.Series>>{<<.LabelMatchers>>}").query(&ask).unwrap();
        let Ok(promql_parser::parser::Expr::VectorSelector(read)) = promql_parser::parser::parse(&query)
        else { panic!("{query}") };
        let of = |label: &str| read.matchers.matchers.iter().find(|it| it.name == label).unwrap();
        prop_assert_eq!(&of("tier").value, value.trim());
        for name in &names {
            prop_assert!(of("pod").is_match(name), "{}: {}", query, name);
        }
    }
}

#[test]
fn what_costs_a_query_for_each_request_or_may_answer_twice_is_told() {
    let apart = "asked for each request by itself, not once for all: `sum` puts objects together, \
                 since it does not keep the label `pod`";
    let twice = "may answer several values for one object, which then has none; prometheus-adapter \
                 serves the last";
    let selected = "<<.Series>>{<<.LabelMatchers>>}";
    for (resources, rest, query, expected) in [
        (STD, "", M1, vec![]),
        (STD, "", "sum(<<.Series>>{<<.LabelMatchers>>})", vec![apart, twice]),
        (STD, "", selected, vec![twice]),
        (STD, "onDuplicate: last,", selected, vec![]),
        ("template: '<<.Resource>>'", "", selected, vec![twice]),
        ("overrides: {namespace: {resource: namespaces}}", "", M1, vec![]),
    ] {
        let expected: Vec<String> =
            expected.iter().map(|it| format!("rules[0].metricsQuery: {it}")).collect();
        assert_eq!(warnings_of(&file("rules", resources, rest, query)), expected, "{query}");
    }
}

/// What prometheus-adapter's manifests and its generator of configurations write.
#[test]
fn the_usual_configuration_has_no_fault_and_no_warning() {
    let text = r#"rules:
- seriesQuery: '{__name__=~"^container_.*",container!="POD",namespace!="",pod!=""}'
  seriesFilters: []
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  name: {matches: ^container_(.*)_seconds_total$, as: ""}
  metricsQuery: sum(rate(<<.Series>>{<<.LabelMatchers>>,container!="POD"}[5m])) by (<<.GroupBy>>)
- seriesQuery: '{__name__=~"^container_.*",container!="POD",namespace!="",pod!=""}'
  seriesFilters:
  - isNot: ^container_.*_seconds_total$
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  name: {matches: ^container_(.*)_total$, as: ""}
  metricsQuery: sum(rate(<<.Series>>{<<.LabelMatchers>>,container!="POD"}[5m])) by (<<.GroupBy>>)
- seriesQuery: '{namespace!="",__name__!~"^container_.*"}'
  seriesFilters:
  - isNot: .*_total$
  resources:
    template: <<.Resource>>
  name:
    matches: ""
    as: ""
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
"#;
    let rules = load(text).unwrap();
    assert_eq!((rules.faults, rules.warnings), (Vec::new(), Vec::new()));
    let shapes = ["container_cpu_seconds_total", "container_net_total", "queue", "hits_total"]
        .map(|name| shape(name, &["namespace", "pod"]));
    let mut catalogue = Catalogue::default();
    for rule in rules.custom {
        catalogue.add(&Bound::new(rule, &mapping()).unwrap(), &shapes);
    }
    let pods = |name: &str| catalogue.custom(&GroupResource::pods(), name).map(|it| it.rule);
    let found = ["cpu", "net", "queue", "hits_total"].map(pods);
    assert_eq!(found, [Some(0), Some(1), Some(2), None]);
}
