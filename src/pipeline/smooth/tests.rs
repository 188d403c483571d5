//! Whole chains: order, and what is there to explain; and helpers for the tests of one filter.

use super::*;

/// What a filter answers to values at seconds.
pub(super) fn answers<const N: usize>(
    mut step: impl FnMut(Sample) -> Finite,
    series: [(i64, f64); N],
) -> [Finite; N] {
    series.map(|(second, value)| step(sample(second, value)))
}

/// Numbers that compare exactly.
pub(super) fn exactly<const N: usize>(values: [f64; N]) -> [Finite; N] {
    values.map(|it| Finite::new(it).unwrap())
}

pub(super) fn sample(second: i64, value: f64) -> Sample {
    let at = Timestamp::from_second(second).unwrap();
    Sample { at, value: Finite::new(value).unwrap() }
}

#[test]
fn without_steps_a_sample_passes_unchanged() {
    let mut chain = Chain::new(&[]);
    assert_eq!(chain.step(sample(1, 1.5)), Some(sample(1, 1.5)));
    assert_eq!(chain.answers().count(), 0);
}

#[test]
fn each_step_takes_what_the_one_before_it_answers_and_can_be_explained() {
    let second = Duration::from_secs;
    let rate = Smoothing::Rate { least: second(60), most: second(300) };
    let largest = Smoothing::WindowMax { window: second(60) };
    let mut chain = Chain::new(&[rate, largest]);
    assert_eq!(chain.step(sample(0, 100.0)), None, "one sample makes no rate");
    let answers: Vec<Answer> = chain.answers().collect();
    let nothing = |kind| Answer { kind, value: None, window: None };
    assert_eq!(answers, [nothing("rate"), nothing("windowMax")]);
    for (at, counter, rate, answer, window) in
        [(15, 1_600.0, 100.0, 100.0, 15), (30, 1_600.0, 50.0, 100.0, 30)]
    {
        assert_eq!(chain.step(sample(at, counter)), Some(sample(at, answer)));
        let answers: Vec<Answer> = chain.answers().collect();
        let window = Some(second(window));
        let expected = [
            Answer { kind: "rate", value: Finite::new(rate), window },
            Answer { kind: "windowMax", value: Finite::new(answer), window: None },
        ];
        assert_eq!(answers, expected);
    }
}
