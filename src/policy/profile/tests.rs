//! The built-in profiles, and what is wrong with others.

use super::builtin::FILES;
use super::*;

#[test]
fn every_built_in_file_is_a_profile_and_says_its_own_name() {
    for (name, text) in FILES {
        let profile = Profile::parse(text).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert_eq!(&*profile.engine, name);
        assert!(!profile.about.is_empty() && !profile.signals.is_empty(), "{name}");
        for (signal, it) in &profile.signals {
            assert!(!it.from.is_empty(), "{name} {signal:?}");
        }
    }
    assert_eq!(Profiles::builtin().iter().count(), FILES.len());
}

#[test]
fn a_demand_without_series_of_its_own_is_what_waits_and_what_runs() {
    let profiles = Profiles::builtin();
    let parts =
        |engine: &str, signal| profiles.get(engine).unwrap().parts(signal).map(|it| it.len());
    assert_eq!(parts("vllm", Canonical::Demand), Some(2));
    assert_eq!(parts("dynamo", Canonical::Demand), Some(1));
    assert_eq!(parts("triton", Canonical::Demand), None, "nothing tells what runs");
    assert_eq!(parts("vllm", Canonical::Power), None);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let file = |from: &str| {
        format!(
            "engine: mine\nabout: mine\npath: /metrics\nsignals:\n  waiting:\n    unit: requests\n    \
             pods: sum\n    from:\n      - {from}\n"
        )
    };
    assert!(Profile::parse(&file("{gauge: x}")).is_ok());
    for (from, problem) in [
        ("{}", "expected exactly one of"),
        ("{gauge: x, counter: y}", "expected exactly one of"),
        ("{gauge: sum(x)}", "is not a selector of series"),
        ("{gague: x}", "unknown key"),
        ("{histogram: x}", "histograms are merged"),
        ("{gauge: x, within: median}", ""),
    ] {
        let faults = Profile::parse(&file(from)).unwrap_err();
        assert!(faults[0].problem.contains(problem), "{from}: {faults:?}");
        assert_eq!(faults[0].position.unwrap().line, 9, "{from}: {faults:?}");
    }
    for (from, problem) in [
        ("about: mine", "about: mine\ndetectSeries: ['sum(x)']\n", "is not a selector of series"),
        ("engine: mine", "engine: auto\n", "no engine can have this name"),
    ]
    .map(|(from, to, problem)| (file("{gauge: x}").replacen(&format!("{from}\n"), to, 1), problem))
    {
        let faults = Profile::parse(&from).unwrap_err();
        assert!(faults[0].problem.contains(problem), "{from}: {faults:?}");
        assert!(faults[0].position.is_some(), "{faults:?}");
    }
    let faults = Profile::parse("engine: [").unwrap_err();
    assert!(faults[0].problem.starts_with("not YAML"), "{faults:?}");
}
