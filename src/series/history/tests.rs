//! The laws of a history: what it knows depends on the samples, not on how they came.

use super::*;
use crate::domain::finite::Finite;
use proptest::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const INTERVAL: Duration = Duration::from_secs(15);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn sample(second: i64, value: f64) -> Sample {
    Sample { at: at(second), value: Finite::new(value).unwrap() }
}

fn day() -> History {
    History::new(DAY, 1_440, INTERVAL)
}

/// A history that saw these samples live, each when it was true.
fn live(mut history: History, samples: &[Sample]) -> History {
    for it in samples {
        history.record(*it, it.at);
    }
    history
}

/// The values in a form in which unknown ones are equal, too.
fn shown(history: &History, from: i64, to: i64) -> Vec<Option<f32>> {
    history.values(from, to).map(|it| (!it.is_nan()).then_some(it)).collect()
}

fn fine(history: &History) -> Vec<(i64, f32)> {
    history.recent().map(|(at, value)| (at.as_second(), value)).collect()
}

#[test]
fn two_weeks_and_a_fine_hour_fit_into_the_budget() {
    for interval in [100, 1_000, 15_000, 3_600_000].map(Duration::from_millis) {
        for season in [120, 3_600, 86_400, 604_800].map(Duration::from_secs) {
            let history = History::new(season, 1_440, interval);
            let bytes = history.bytes();
            assert!(bytes <= limits::HISTORY_BYTES_MAX, "{bytes} for {season:?} {interval:?}");
            assert!(bytes > 60_000, "{bytes}");
        }
    }
    let greedy = History::new(DAY, usize::MAX, INTERVAL);
    assert_eq!(greedy.steps_per_season(), 1_440);
}

#[test]
fn a_step_is_the_mean_of_its_samples_and_unknown_without_any() {
    let samples = [(0, 1.0), (15, 2.0), (30, 3.0), (45, 6.0), (60, 8.0), (180, 5.0)];
    let history = live(day(), &samples.map(|(second, value)| sample(second, value)));
    let expected = [None, Some(3.0), Some(8.0), None, Some(5.0), None];
    assert_eq!(shown(&history, -1, 5), expected);
    assert_eq!(history.last_complete(at(185)), Some(2));
    assert_eq!(history.known_span(), Some((0, 3)));
    assert!((history.coverage(0, 4) - 0.75).abs() < 1e-12);
    assert!(history.coverage(7, 7).abs() < 1e-12);
    let last = fine(&history);
    let last: Vec<(i64, f64)> = last.into_iter().map(|(at, it)| (at, f64::from(it))).collect();
    assert_eq!(last, samples);
}

#[test]
fn an_empty_history_knows_nothing() {
    let history = day();
    assert_eq!(history.last_complete(at(1_000)), None);
    assert_eq!(history.known_span(), None);
    assert_eq!(shown(&history, 0, 3), [None, None, None]);
    assert_eq!(history.recent().count(), 0);
}

#[test]
fn the_oldest_leaves_when_a_new_step_comes() {
    let steps = i64::try_from(limits::HISTORY_SEASONS * 1_440).unwrap();
    let history = live(day(), &[sample(0, 1.0), sample(60, 2.0), sample(steps * 60 + 60, 3.0)]);
    assert_eq!(history.known_span(), Some((1, steps + 1)));
    assert_eq!(shown(&history, 0, 3), [None, Some(2.0), None]);
    let history = live(history, &[sample(steps * 600, 4.0)]);
    assert_eq!(history.known_span(), Some((steps * 10, steps * 10)));
}

#[test]
fn what_the_clock_cannot_have_meant_is_refused() {
    let mut history = live(day(), &[sample(6_000, 1.0)]);
    history.record(sample(7_000, 9.0), at(6_015));
    history.record(sample(5_000, 9.0), at(6_015));
    assert_eq!(history.known_span(), Some((100, 100)));
    history.record(sample(6_020, 3.0), at(6_015));
    assert_eq!(shown(&history, 100, 101), [Some(2.0)], "a page may be a little ahead");
}

#[test]
fn a_clock_that_was_set_back_leaves_what_was_before() {
    let mut history = live(day(), &[sample(600, 1.0), sample(660, 2.0), sample(9_000, 3.0)]);
    history.forget_the_future(at(700));
    assert_eq!(history.known_span(), Some((10, 11)));
    history.record(sample(720, 4.0), at(720));
    assert_eq!(shown(&history, 10, 13), [Some(1.0), Some(2.0), Some(4.0)]);
    history.forget_the_future(at(720));
    assert_eq!(history.known_span(), Some((10, 12)), "nothing lies in the future");
}

#[test]
fn the_step_in_which_live_samples_began_is_filled_and_whole_ones_are_not() {
    let seen = [(630, 7.0), (645, 7.0), (660, 2.0), (675, 2.0), (690, 2.0), (705, 2.0), (720, 3.0)];
    let mut history = live(day(), &seen.map(|(second, value)| sample(second, value)));
    assert_eq!(history.take_gap(), Some(10..11));
    assert_eq!(history.take_gap(), None, "told once");
    let past: Vec<Sample> = (36..48).map(|n| sample(n * 15, 1.0)).collect();
    history.fill(9..13, past.clone(), at(720));
    let expected = [Some(1.0), Some(1.0), Some(2.0), Some(3.0)];
    assert_eq!(shown(&history, 9, 13), expected);
    // A straggler of a step that was filled is part of it already.
    let mut late = live(day(), &[sample(630, 7.0)]);
    late.fill(9..11, past, at(661));
    late.record(sample(645, 50.0), at(662));
    assert_eq!(shown(&late, 9, 12), [Some(1.0), Some(1.0), None]);
}

#[test]
fn a_gap_is_told_when_the_next_sample_comes() {
    let mut history = live(day(), &[sample(30, 1.0), sample(45, 1.0), sample(60, 1.0)]);
    assert_eq!(history.take_gap(), Some(0..1));
    // A page that is a little late is no gap; a read that failed is one, and so is an outage.
    for (second, gap) in [(80, None), (95, None), (125, Some(1..3)), (600, Some(2..11))] {
        history.record(sample(second, 1.0), at(second));
        assert_eq!(history.take_gap(), gap, "{second}");
    }
    assert_eq!(history.values(3, 10).filter(|it| !it.is_nan()).count(), 0);
}

#[test]
fn samples_further_apart_than_steps_stand_for_those_between() {
    let sparse = || History::new(DAY, 1_440, Duration::from_secs(300));
    let series: Vec<Sample> = [0, 300, 600, 1_500].map(|it| sample(it, 2.0)).to_vec();
    let seen = live(sparse(), &series);
    let known: Vec<bool> = shown(&seen, 0, 26).iter().map(Option::is_some).collect();
    // The sample at 600 stands until 900; then one is missing.
    let expected: Vec<bool> = (0..26).map(|it| it < 15 || it == 25).collect();
    assert_eq!(known, expected);
    let mut filled = sparse();
    filled.fill(0..26, series, at(1_560));
    assert_eq!(shown(&filled, 0, 26), shown(&seen, 0, 26));
}

#[test]
fn a_season_need_not_be_whole_milliseconds_times_its_steps() {
    let history = History::new(Duration::from_secs(120), 1_440, Duration::from_millis(100));
    let last = history.index_of(at(119)) + 12;
    assert_eq!((history.index_of(at(0)), last, history.index_of(at(120))), (0, 1_440, 1_440));
    assert_eq!(history.index_of(at(1_700_000_040)) % 1_440, 0);
    let samples: Vec<Sample> = (0..2_400)
        .map(|n| Sample {
            at: Timestamp::from_millisecond(n * 100).unwrap(),
            value: Finite::new(1.0).unwrap(),
        })
        .collect();
    let history = live(history, &samples);
    assert!((history.coverage(0, 2_879) - 1.0).abs() < 1e-12, "all but the step in progress");
}

/// Samples on the grid of the interval, some of them missing.
fn series() -> impl Strategy<Value = Vec<Sample>> {
    let begin = 1_700_000_000_i64 / 15 * 15;
    prop::collection::vec(prop::option::weighted(0.9, 0.0..1e6_f64), 1..600).prop_map(move |it| {
        let samples = it.into_iter().zip(0_i64..);
        samples.filter_map(|(value, n)| Some(sample(begin + n * 15, value?))).collect()
    })
}

proptest! {
    #[test]
    fn a_copy_is_what_one_by_one_would_be(
        steps in prop::collection::btree_set(0_i64..70_000, 0..40),
        from in -100_i64..70_100,
        length in 0_i64..21_000,
    ) {
        let samples: Vec<Sample> = steps.iter().map(|it| sample(it * 60, 1.0)).collect();
        let history = live(day(), &samples);
        let mut copied = vec![7.0];
        history.copy(from, from + length, &mut copied);
        let copied: Vec<u32> = copied.iter().map(|it| it.to_bits()).collect();
        let one_by_one = [7.0].into_iter().chain(history.values(from, from + length));
        prop_assert_eq!(copied, one_by_one.map(f32::to_bits).collect::<Vec<_>>());
    }

    #[test]
    fn a_replica_that_started_late_or_missed_samples_ends_up_like_one_that_saw_all(
        samples in series(),
        start in any::<prop::sample::Index>(),
        missed in prop::collection::vec(prop::bool::weighted(0.2), 600),
        cuts in prop::collection::vec(0_i64..200, 0..5),
    ) {
        let Some(last) = samples.last() else { return Ok(()) };
        let now = last.at + Duration::from_secs(120);
        let all = live(day(), &samples);
        // Whether one was missed shows when the next one comes.
        let is_seen = |it: &(&Sample, bool)| !it.1 || it.0 == last;
        let seen = samples.iter().zip(missed).skip(start.index(samples.len())).filter(is_seen);
        let mut one = live(day(), &seen.map(|(it, _)| *it).collect::<Vec<_>>());
        // Newest first, cut anywhere between steps, and one of them twice.
        let (begin, end) = (one.index_of(samples[0].at) - 3, one.index_of(now));
        let mut edges: Vec<i64> = cuts.iter().map(|it| (begin + it).min(end)).collect();
        edges.extend([begin, end]);
        edges.sort_unstable();
        for pair in edges.windows(2).rev().chain(edges.windows(2).take(1)) {
            let (from, to) = (one.start_of(pair[0]), one.start_of(pair[1]));
            let chunk = samples.iter().filter(|it| it.at >= from - INTERVAL && it.at < to);
            one.fill(pair[0]..pair[1], chunk.copied(), now);
        }
        prop_assert_eq!(shown(&one, begin, end), shown(&all, begin, end));
        prop_assert_eq!(fine(&one), fine(&all));
    }

    #[test]
    fn the_order_of_samples_in_a_chunk_does_not_matter(
        samples in series(),
        seed in any::<u64>(),
    ) {
        let Some(last) = samples.last() else { return Ok(()) };
        let now = last.at + Duration::from_secs(60);
        let (mut sorted, mut mixed) = (day(), day());
        let steps = sorted.index_of(samples[0].at)..sorted.index_of(now);
        sorted.fill(steps.clone(), samples.clone(), now);
        let mut shuffled = samples;
        shuffled.sort_by_key(|it| it.at.as_second().wrapping_mul(seed as i64 | 1));
        mixed.fill(steps.clone(), shuffled, now);
        prop_assert_eq!(shown(&mixed, steps.start, steps.end), shown(&sorted, steps.start, steps.end));
    }

    #[test]
    fn a_step_lies_between_its_samples(samples in series()) {
        let history = live(day(), &samples);
        for it in &samples {
            let index = history.index_of(it.at);
            let own = samples.iter().filter(|other| history.index_of(other.at) == index);
            let values: Vec<Finite> = own.map(|it| it.value).collect();
            let value = f64::from(history.values(index, index + 1).next().unwrap());
            let (least, most) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            prop_assert!(value >= least.get() * (1.0 - 1e-5) && value <= most.get() * (1.0 + 1e-5));
        }
    }

    #[test]
    fn no_time_and_no_season_breaks_it(
        millis in prop::collection::vec(any::<i64>(), 1..20),
        season in 120_000_u64..604_800_000,
        interval in 100_u64..3_600_000,
    ) {
        let (season, interval) = (Duration::from_millis(season), Duration::from_millis(interval));
        let mut history = History::new(season, 1_440, interval);
        for it in millis {
            let Ok(at) = Timestamp::from_millisecond(it % 200_000_000_000_000) else { continue };
            history.record(Sample { at, value: Finite::ZERO }, at);
            let index = history.index_of(at);
            prop_assert!(history.start_of(index) <= at);
            history.fill(index - 5..index + 5, [Sample { at, value: Finite::ZERO }], at);
            history.forget_the_future(at);
        }
        prop_assert!(history.bytes() <= limits::HISTORY_BYTES_MAX);
    }
}
