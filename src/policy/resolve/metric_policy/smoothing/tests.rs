//! What steps become, and what is wrong with those that become nothing.

use crate::domain::finite::Finite;
use crate::policy::Config;
use crate::policy::resolve;
use crate::policy::smoothing::Smoothing;
use std::time::Duration;

/// A configuration of one policy with these steps and an interval of 15 s.
fn load(steps: &str) -> Config {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: default, prometheus: {{url: 'http://127.0.0.1:1'}}}}]
policies:
  - metadata: {{name: llama, namespace: inference}}
    spec:
      metric: {{name: demand, type: External}}
      signals: {{x: {{source: default, prometheus: {{query: x}}}}}}
      smooth: [{steps}]
"
    );
    resolve::load(&text).unwrap()
}

fn check(steps: &str, expected: &[Smoothing]) {
    let config = load(steps);
    assert_eq!(config.faults, vec![], "{steps}");
    assert_eq!(config.policies.first().unwrap().smooth, expected, "{steps}");
}

/// Expects this fault, as `path: problem (hint)` below the steps.
fn check_fault(steps: &str, expected: &str) {
    let shown: Vec<String> = load(steps)
        .faults
        .iter()
        .map(|it| format!("{it} ({})", it.hint.as_deref().unwrap()))
        .collect();
    assert_eq!(shown, [format!("policies[0].spec.smooth{expected}")], "{steps}");
}

fn number(value: f64) -> Finite {
    Finite::new(value).unwrap()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn every_parameter_has_its_default() {
    use Smoothing as S;
    let half_minute = seconds(30);
    for (step, expected) in [
        ("ewma: {halfLife: 30s}", S::Ewma { half_life: half_minute }),
        (
            "holt: {}",
            S::Holt {
                level: number(0.5),
                trend: number(0.1),
                damping: number(0.9),
                step: seconds(15),
            },
        ),
        ("hampel: {}", S::Hampel { window: 9, threshold: number(3.0), span: seconds(270) }),
        ("median: {}", S::Median { window: 5, span: seconds(150) }),
        (
            "oneEuro: {}",
            S::OneEuro {
                time_constant: seconds(120),
                speed: number(0.5),
                derivative: half_minute,
                scale: None,
            },
        ),
        (
            "kalman: {}",
            S::Kalman { process: number(0.01), measurement: number(1.0), initial: number(1.0) },
        ),
        ("windowMax: {}", S::WindowMax { window: seconds(60) }),
        ("windowMin: {}", S::WindowMin { window: seconds(60) }),
        ("windowQuantile: {}", S::WindowQuantile { window: seconds(60), quantile: number(0.9) }),
        ("percentile: {}", S::Percentile { quantile: number(0.95), half_life: seconds(1_800) }),
        (
            "deadband: {}",
            S::Deadband { band: Finite::ZERO, share: number(0.05), refresh: seconds(600) },
        ),
        ("asymmetric: {}", S::Asymmetric { up: Duration::ZERO, down: seconds(60) }),
        (
            "slewLimit: {downPerMinute: 2}",
            S::SlewLimit { up_per_minute: None, down_per_minute: Some(number(2.0)) },
        ),
        ("rate: {}", S::Rate { least: seconds(60), most: seconds(300) }),
    ] {
        check(&format!("{{{step}}}"), &[expected]);
    }
}

#[test]
fn every_parameter_is_read() {
    use Smoothing as S;
    for (step, expected) in [
        (
            "holt: {level: 0.3, trend: 0.05, damping: 0.8, step: 1m}",
            S::Holt {
                level: number(0.3),
                trend: number(0.05),
                damping: number(0.8),
                step: seconds(60),
            },
        ),
        (
            "hampel: {window: 7, threshold: 2.5}",
            S::Hampel { window: 7, threshold: number(2.5), span: seconds(210) },
        ),
        ("median: {window: 3}", S::Median { window: 3, span: seconds(90) }),
        (
            "oneEuro: {timeConstant: 1m, speed: 0, derivativeTimeConstant: 10s, scale: 1k}",
            S::OneEuro {
                time_constant: seconds(60),
                speed: Finite::ZERO,
                derivative: seconds(10),
                scale: Some(number(1_000.0)),
            },
        ),
        (
            "kalman: {processVariance: 0.02, measurementVariance: 4, initialVariance: 1000}",
            S::Kalman { process: number(0.02), measurement: number(4.0), initial: number(1_000.0) },
        ),
        ("windowMax: {window: 15m}", S::WindowMax { window: seconds(900) }),
        ("windowMin: {window: 15m}", S::WindowMin { window: seconds(900) }),
        (
            "windowQuantile: {window: 2m, quantile: 1}",
            S::WindowQuantile { window: seconds(120), quantile: number(1.0) },
        ),
        (
            "percentile: {quantile: 0.5, halfLife: 1h}",
            S::Percentile { quantile: number(0.5), half_life: seconds(3_600) },
        ),
        (
            "deadband: {band: 500m, refresh: 1m}",
            S::Deadband { band: number(0.5), share: Finite::ZERO, refresh: seconds(60) },
        ),
        (
            "deadband: {band: 5, share: 0.2}",
            S::Deadband { band: number(5.0), share: number(0.2), refresh: seconds(600) },
        ),
        ("asymmetric: {up: 5s, down: 5m}", S::Asymmetric { up: seconds(5), down: seconds(300) }),
        (
            "slewLimit: {upPerMinute: 20, downPerMinute: '0.5'}",
            S::SlewLimit { up_per_minute: Some(number(20.0)), down_per_minute: Some(number(0.5)) },
        ),
        ("rate: {window: 2m}", S::Rate { least: seconds(120), most: seconds(120) }),
    ] {
        check(&format!("{{{step}}}"), &[expected]);
    }
}

#[test]
fn a_kind_of_signal_becomes_the_steps_that_suit_it() {
    let smooth = Smoothing::Ewma { half_life: seconds(30) };
    for (kind, expected) in [
        ("requestRate", vec![Smoothing::Rate { least: seconds(60), most: seconds(300) }]),
        (
            "queueDepth",
            vec![
                Smoothing::WindowMax { window: seconds(30) },
                Smoothing::Asymmetric { up: Duration::ZERO, down: seconds(60) },
            ],
        ),
        ("inFlight", vec![smooth]),
        (
            "utilization",
            vec![
                smooth,
                Smoothing::Deadband {
                    band: Finite::ZERO,
                    share: number(0.05),
                    refresh: seconds(600),
                },
            ],
        ),
        (
            "latency",
            vec![Smoothing::WindowQuantile { window: seconds(300), quantile: number(0.9) }],
        ),
        ("desiredReplicas", vec![Smoothing::WindowMax { window: seconds(900) }]),
    ] {
        check(&format!("{{signal: {kind}}}"), &expected);
        let more = [expected.as_slice(), &[smooth]].concat();
        check(&format!("{{signal: {kind}}}, {{ewma: {{halfLife: 30s}}}}"), &more);
    }
}

#[test]
fn every_step_out_of_its_range_says_what_it_wants() {
    for (steps, expected) in [
        ("{}", "[0]: a step names its kind (write each step as `- ewma: {halfLife: 30s}`)"),
        (
            "{median: {}, hampel: {}}",
            "[0]: a step has one kind (write each step as `- ewma: {halfLife: 30s}`)",
        ),
        (
            "{ewma: {halfLife: 0s}}",
            "[0].ewma.halfLife: expected more than 0s (30s to 2m suits most signals)",
        ),
        (
            "{ewma: {halfLife: 169h}}",
            "[0].ewma.halfLife: longer than 168h (30s to 2m suits most signals)",
        ),
        (
            "{holt: {damping: 1}}",
            "[0].holt.damping: `1` is out of range (above 0 and at most 0.99: a trend that is not damped runs away)",
        ),
        (
            "{holt: {level: 1}}",
            "[0].holt.level: `1` is out of range (above 0 and below 1; 0.3 to 0.5 suits most signals)",
        ),
        (
            "{hampel: {window: 2}}",
            "[0].hampel.window: expected 3 to 99 samples (5 to 9 suits most signals)",
        ),
        (
            "{median: {window: -1}}",
            "[0].median.window: expected 3 to 99 samples (5 to 9 suits most signals)",
        ),
        (
            "{oneEuro: {scale: 0}}",
            "[0].oneEuro.scale: a scale is above zero (leave it out if you know none)",
        ),
        (
            "{kalman: {measurementVariance: 0}}",
            "[0].kalman.measurementVariance: `0` is out of range (above 0; only the proportions of the variances matter)",
        ),
    ] {
        check_fault(steps, expected);
    }
}

#[test]
fn a_step_that_makes_no_sense_says_why() {
    for (steps, expected) in [
        (
            "{windowQuantile: {quantile: 95}}",
            "[0].windowQuantile.quantile: `95` is out of range (0 to 1; 0.9 is exceeded by a tenth of the values)",
        ),
        (
            "{percentile: {quantile: 1}}",
            "[0].percentile.quantile: `1` is out of range (0.01 to 0.99; for the largest or smallest value take windowMax or windowMin)",
        ),
        (
            "{deadband: {band: -1}}",
            "[0].deadband.band: expected no negative quantity (write it without the sign)",
        ),
        (
            "{slewLimit: {}}",
            "[0].slewLimit: limits neither rise nor fall (write `- slewLimit: {downPerMinute: 10}`, in the metric's unit)",
        ),
        (
            "{slewLimit: {upPerMinute: 0}}",
            "[0].slewLimit.upPerMinute: the value could never change (leave it out for no limit)",
        ),
        (
            "{rate: {window: 30s}}",
            "[0].rate.window: shorter than 1m (a rate needs four intervals; leave it out to have it chosen)",
        ),
        (
            "{median: {}}, {rate: {}}",
            "[1]: a rate of a counter can only be the first step (smooth what it answers, not what it takes)",
        ),
        (
            "{signal: utilization}, {signal: utilization}, {signal: utilization}, {signal: utilization}, {median: {}}",
            ": more than 8 steps (each step adds its own delay)",
        ),
        (
            "{signal: queues}",
            "[0].signal: expected one of requestRate, queueDepth, inFlight, utilization, latency, desiredReplicas, found `queues` (did you mean `queueDepth`?)",
        ),
    ] {
        check_fault(steps, expected);
    }
}

#[test]
fn what_is_wrong_with_several_steps_is_told_in_one_pass() {
    let faults = load("{hampel: {window: 1, threshold: 0}}, {holt: {damping: 2}}").faults;
    let paths: Vec<String> = faults.iter().map(|it| it.path.to_string()).collect();
    let expected = ["[0].hampel.window", "[0].hampel.threshold", "[1].holt.damping"];
    assert_eq!(paths, expected.map(|it| format!("policies[0].spec.smooth{it}")));
}

#[test]
fn a_rate_of_several_counters_is_refused() {
    let text = "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: 'http://127.0.0.1:1'}}]
policies:
  - metadata: {name: llama, namespace: inference}
    spec:
      metric: {name: demand, type: External}
      signals:
        a: {source: default, prometheus: {query: a}}
        b: {source: default, prometheus: {query: b}}
      combine: COMBINE
      smooth: [{signal: requestRate}]
";
    for (combine, expected) in
        [("a * 2", None), ("a + b", Some("a rate takes one counter, `combine` has several"))]
    {
        let faults = resolve::load(&text.replace("COMBINE", combine)).unwrap().faults;
        let problems: Vec<&str> = faults.iter().map(|it| it.problem.as_str()).collect();
        assert_eq!(problems.first().copied(), expected, "{combine}");
        assert!(problems.len() <= 1, "{problems:?}");
    }
}
