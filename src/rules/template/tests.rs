//! What templates print, what is refused, and laws over any text.

use super::*;
use proptest::prelude::*;

const SHAPE: Shape = &[
    ("Series", Type::Text),
    ("LabelMatchers", Type::Text),
    ("LabelValuesByName", Type::Map),
    ("GroupBy", Type::Text),
    ("GroupBySlice", Type::List),
];

fn fields() -> Fields {
    let map = [("namespace", "shop"), ("pod", "a|b")];
    let map = map.into_iter().map(|(key, it)| (key.to_owned(), it.to_owned())).collect();
    BTreeMap::from([
        ("Series", Value::Text("queue".into())),
        ("LabelMatchers", Value::Text(r#"namespace="shop",pod=~"a|b""#.into())),
        ("LabelValuesByName", Value::Map(map)),
        ("GroupBy", Value::Text("pod".into())),
        ("GroupBySlice", Value::List(vec!["pod".into(), "container".into()])),
    ])
}

/// Expected values are what Go 1.26's text/template prints for the same data, but for delimiters.
#[test]
fn templates_print_what_they_print_in_go() {
    for (text, expected) in [
        ("", ""),
        ("plain }} {{ text", "plain }} {{ text"),
        ("sum(<<.Series>>{<<.LabelMatchers>>})", r#"sum(queue{namespace="shop",pod=~"a|b"})"#),
        ("<< .Series >>", "queue"),
        ("a  <<- .Series ->>  b", "aqueueb"),
        ("a <<- /* no */ ->> b", "ab"),
        ("a<</* no */>>b", "ab"),
        ("<<.GroupBySlice>>", "[pod container]"),
        ("<<.LabelValuesByName>>", "map[namespace:shop pod:a|b]"),
        (r#"<<index .LabelValuesByName "pod">>"#, "a|b"),
        (r#"<<index .LabelValuesByName "none">>."#, "."),
        ("<<.LabelValuesByName.namespace>>", "shop"),
        ("<<index .GroupBySlice 1>>", "container"),
        (r#"<<"pod" | index .LabelValuesByName>>"#, "a|b"),
        (r#"<<if index .LabelValuesByName "x">>a<<else>>b<<end>>"#, "b"),
        ("<<if .LabelValuesByName.x>>a<<else if .Series>>b<<else>>c<<end>>", "b"),
        ("<<with .GroupBy>>by (<<.>>)<<end>>", "by (pod)"),
        ("<<with .LabelValuesByName.x>>a<<else>>b<<end>>", "b"),
        ("<<with .LabelValuesByName.x>>a<<else with .Series>><<.>><<end>>", "queue"),
        ("<<range .GroupBySlice>><<.>>;<<end>>", "pod;container;"),
        ("<<range $i, $l := .GroupBySlice>><<if $i>>,<<end>><<$l>><<end>>", "pod,container"),
        ("<<range $k, $v := .LabelValuesByName>><<$k>>=<<$v>>;<<end>>", "namespace=shop;pod=a|b;"),
        ("<<range slice .GroupBySlice 2>>a<<else>>none<<end>>", "none"),
        ("<<range .GroupBySlice>><<$.Series>> <<end>>", "queue queue "),
        ("<<$x := .Series>><<$x>><<$x = \"y\">><<$x>>", "queuey"),
        ("<<$x := 1>><<if true>><<$x := 2>><<$x>><<end>><<$x>>", "21"),
        (r#"<<printf "%s{%q}%d%%" .Series "a\"b" 3>>"#, r#"queue{"a\"b"}3%"#),
        (r#"<<printf "%v %v" .GroupBySlice true>>"#, "[pod container] true"),
        ("<<print 1 2 \"a\" 3 4>>", "1 2a3 4"),
        ("<<println .Series 1>>", "queue 1\n"),
        ("<<len .Series>> <<len .GroupBySlice>> <<len .LabelValuesByName>>", "5 2 2"),
        ("<<slice .Series 1 3>> <<slice .Series 2>>", "ue eue"),
        (
            r#"<<eq .GroupBy "a" "pod">> <<ne 1 2>> <<lt 1 2>> <<ge "b" "a">>"#,
            "true true true true",
        ),
        (r#"<<if not (eq .GroupBy "pod")>>a<<else>>b<<end>>"#, "b"),
        (r#"<<or .LabelValuesByName.x "d">> <<and .Series .GroupBy>>"#, "d pod"),
        ("<<(index .GroupBySlice 0)>>", "pod"),
        ("<<`raw >> text`>>", "raw >> text"),
        ("<< .Series\n| printf \"%s\" >>", "queue"),
    ] {
        let template = Template::parse(text, SHAPE).unwrap_or_else(|bad| panic!("{text}: {bad}"));
        assert_eq!(template.run(&fields()).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_known_is_refused_with_its_place_and_a_hint() {
    for (text, place, problem, hint) in [
        ("a\nb<<.Serie>>", "2:4", "no field `.Serie`", "did you mean `.Series`?"),
        ("<<.Values>>", "1:3", "no field `.Values`", ".LabelValuesByName"),
        ("<<.Series", "1:1", "not closed", ">>"),
        ("x<<if .Series>>", "1:2", "no end", "<<end>>"),
        ("x<<end>>", "1:2", "`end` without", ""),
        ("<<else>>", "1:1", "`else` without", ""),
        ("<<if .Series>><<else>><<else>><<end>>", "1:23", "a second `else`", ""),
        ("<<if .Series>><<end .X>>", "1:21", "nothing may stand behind", ""),
        ("<<join .GroupBySlice \",\">>", "1:3", "function `join`", "known are"),
        ("<<prinf \"%s\" .Series>>", "1:3", "function `prinf`", "did you mean `printf`?"),
        ("<<printf \"%5s\" .Series>>", "1:3", "verb `%5`", "without width"),
        ("<<printf \"%d\" .Series>>", "1:3", "do not fit", "%d a whole number"),
        ("<<printf .Series>>", "1:3", "format written out", "quotes"),
        ("<<template \"x\">>", "1:1", "`template` is not known", "write the query out"),
        ("<<range .Series>><<end>>", "1:9", "not a text", ""),
        ("<<index .Series 1>>", "1:3", "`index` wants a map", ""),
        ("<<.>>", "1:3", "all fields together", ".Series"),
        ("<<.Series.Name>>", "1:3", "has no field `.Name`", ""),
        ("<<$x>>", "1:3", "no variable `$x`", ":="),
        ("<<if true>><<$x := 1>><<end>><<$x>>", "1:32", "no variable `$x`", ":="),
        ("<<$x := 1>><<$x = .Series>>", "1:14", "`$x` is a whole number", ":="),
        ("<<1.5>>", "1:3", "`1.5` is not a whole number", "digits"),
        ("<<.Series .GroupBy>>", "1:11", "one value behind another", "index"),
        ("<<\"a\"\"b\">>", "1:6", "a blank is missing", ""),
        ("<<(.Series>>", "1:3", "`(` is not closed", ""),
        ("<<.Series)>>", "1:10", "unexpected `)`", ""),
        ("<<.Series | .GroupBy>>", "1:13", "no function", "pipe"),
        ("<<>>", "1:1", "a value is missing", ""),
        ("<<\"a>>", "1:3", "quote is not closed", "end it"),
        ("<<\"\\y\">>", "1:4", "escape", "backquotes"),
        ("<<'a'>>", "1:3", "unexpected `\\'`", ""),
        ("<<and .Series true>>", "1:3", "arguments of one type", ""),
    ] {
        let bad = Template::parse(text, SHAPE).unwrap_err();
        assert_eq!(bad.at.to_string(), place, "{text}: {bad}");
        assert!(bad.problem.contains(problem), "{text}: {bad}");
        assert!(bad.hint.as_deref().unwrap_or_default().contains(hint), "{text}: {bad:?}");
    }
    let deep = "<<if true>>".repeat(100) + &"<<end>>".repeat(100);
    assert!(Template::parse(&deep, SHAPE).unwrap_err().problem.contains("too deeply"));
    let deep = format!("<<{}1{}>>", "(".repeat(100), ")".repeat(100));
    assert!(Template::parse(&deep, SHAPE).unwrap_err().problem.contains("too deeply"));
}

#[test]
fn what_only_a_request_can_lack_is_told_when_it_does() {
    let nested = "<<range $.LabelValuesByName>>".repeat(20) + &"<<end>>".repeat(20);
    let doubled = "<<$x := .Series>>".to_owned() + &"<<$x = print $x $x>>".repeat(40);
    for (text, expected) in [
        ("<<.LabelValuesByName.tier>>", RunError::NoValue),
        ("<<slice .LabelValuesByName.tier 1>>", RunError::NoValue),
        ("<<index .GroupBySlice 2>>", RunError::OutOfRange),
        ("<<slice .Series 9>>", RunError::OutOfRange),
        (nested.as_str(), RunError::TooManySteps),
        (doubled.as_str(), RunError::TooLong),
    ] {
        let template = Template::parse(text, SHAPE).unwrap();
        assert_eq!(template.run(&fields()), Err(expected), "{text}");
    }
}

#[test]
fn it_is_known_which_fields_are_only_printed() {
    for (text, inspected, keys) in [
        ("<<.LabelMatchers>><<$.LabelMatchers>>", vec![], vec![]),
        ("<<if .LabelMatchers>>a<<end>>", vec!["LabelMatchers"], vec![]),
        ("<<$x := .LabelMatchers>>", vec!["LabelMatchers"], vec![]),
        ("<<.LabelMatchers | len>>", vec!["LabelMatchers"], vec![]),
        ("<<index .LabelValuesByName \"a\">><<.LabelValuesByName.b>>", vec![], vec!["a", "b"]),
        ("<<range .LabelValuesByName>><<end>>", vec!["LabelValuesByName"], vec![]),
        ("<<index .LabelValuesByName .Series>>", vec!["LabelValuesByName", "Series"], vec![]),
        ("<<with .Series>><<$.LabelMatchers>><<end>>", vec!["Series"], vec![]),
    ] {
        let uses = Template::parse(text, SHAPE).unwrap().uses().clone();
        assert_eq!(uses.inspected.iter().collect::<Vec<_>>(), inspected, "{text}");
        assert_eq!(uses.keys.iter().collect::<Vec<_>>(), keys, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Whatever is written: an answer, and a place inside the text when it is refused.
    #[test]
    fn no_text_breaks_the_parser(parts in prop::collection::vec(part(), 0..14)) {
        let text = parts.concat();
        match Template::parse(&text, SHAPE) {
            Ok(template) => drop(template.run(&fields())),
            Err(bad) => {
                let line = text.split('\n').nth(bad.at.line - 1);
                let columns = line.map(|it| it.chars().count());
                prop_assert!(columns.is_some_and(|it| bad.at.column <= it + 1), "{}: {}", text, bad);
            }
        }
    }

    /// A text without delimiters prints itself.
    #[test]
    fn a_plain_text_prints_itself(text in "[^<]{0,40}") {
        let template = Template::parse(&text, SHAPE).unwrap();
        prop_assert_eq!(template.run(&fields()), Ok(text));
    }
}

fn part() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<<",
        ">>",
        "<<-",
        "<<- ",
        " ->>",
        "->>",
        ".Series",
        ".LabelMatchers",
        ".",
        "$x",
        "$",
        ":=",
        "=",
        "|",
        "(",
        ")",
        "if ",
        "else",
        "end",
        "<<end>>",
        "<<else>>",
        "range ",
        "with ",
        "index ",
        "len ",
        ".LabelValuesByName",
        "\"",
        "\"pod\"",
        "`",
        "1",
        "-1",
        " ",
        "\n",
        ",",
        "é",
        "/*",
        "*/",
        "printf ",
        "\"%s\"",
        "<<if .Series>>",
        "<<range .GroupBySlice>>",
        "print ",
        "\\",
        "true",
        "nil",
        "{",
        "}",
    ])
}
