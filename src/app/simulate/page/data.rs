//! What the script of the page draws, as JSON that may stand inside HTML.

use crate::app::simulate::Simulation;
use crate::app::simulate::table::{clairvoyant, gpu_hours, name};
use crate::replay::comparison::{Frame, Scored, Way};
use serde_json::{Value, json};

/// Points of one line: 16 days of minutes. A dozen lines of them stay far below 3 MB.
const POINTS_MAX: usize = 24_000;
/// Above two, so many steps become one point that points are whole minutes at 15 s.
const STRIDE_WHOLE: usize = 4;

pub(super) fn of(simulation: &Simulation) -> String {
    let Simulation { scenario, comparison, source } = simulation;
    let load = &scenario.load;
    let own = comparison.scored.first().map(|it| it.frames.as_slice()).unwrap_or_default();
    let stride = match own.len().div_ceil(POINTS_MAX).max(1) {
        few @ ..=2 => few,
        many => many.next_multiple_of(STRIDE_WHOLE),
    };
    let line = |pick, of: &dyn Fn(&Frame) -> Option<f64>| numbers(own, stride, pick, of);
    let drawn = comparison.scored.iter().filter(|it| !it.frames.is_empty());
    let sweeps = comparison.swept.iter().map(|swept| {
        let points = swept.frontier.points.iter().map(|point| {
            let cost = gpu_hours(point.cost, source.gpus_per_pod);
            json!([point.knob, rounded(point.late_share * 100.0), rounded(cost)])
        });
        json!({"name": name(swept.way), "points": points.collect::<Vec<Value>>()})
    });
    let data = json!({
        "dated": load.is_dated,
        "start": if load.is_dated {
            load.time(load.first).as_second() as f64
        } else {
            load.first as f64 * load.step.as_secs_f64()
        },
        "grain": load.step.as_secs_f64() * stride as f64,
        "thinned": stride > 1,
        "scored": scenario.score.first_step().saturating_sub(load.first) as f64 / stride as f64,
        "unit": load.unit,
        "maxWait": scenario.slo.as_secs_f64(),
        "clairvoyant": gpu_hours(clairvoyant(comparison), source.gpus_per_pod),
        "optimum": gpu_hours(comparison.optimum_seconds, source.gpus_per_pod),
        "demand": line(Pick::Largest, &|it| Some(it.demand)),
        "need": line(Pick::Largest, &|it| Some(f64::from(it.need))),
        "ways": drawn.map(|it| way(it, stride)).collect::<Vec<Value>>(),
        "sweeps": sweeps.collect::<Vec<Value>>(),
    });
    // A name in a text could otherwise end the script's element.
    data.to_string().replace('<', "\\u003c")
}

fn way(scored: &Scored, stride: usize) -> Value {
    let Scored { way, frames, .. } = scored;
    let line = |pick, of: &dyn Fn(&Frame) -> Option<f64>| numbers(frames, stride, pick, of);
    let mut value = json!({
        "name": name(*way),
        "wanted": line(Pick::Largest, &|it| Some(f64::from(it.wanted))),
        "ready": line(Pick::Smallest, &|it| Some(f64::from(it.ready))),
        "wait": line(Pick::Largest, &|it| Some(it.wait_seconds)),
    });
    if let (Way::Policy, Some(value)) = (way, value.as_object_mut()) {
        value.insert("published".to_owned(), line(Pick::Largest, &|it| it.published));
        if frames.iter().any(|it| it.band.is_some()) {
            let low = line(Pick::Smallest, &|it| it.band.map(|it| it.low));
            let high = line(Pick::Largest, &|it| it.band.map(|it| it.high));
            value.extend([("low".to_owned(), low), ("high".to_owned(), high)]);
        }
    }
    value
}

/// Which of several values stands for all of them.
#[derive(Clone, Copy)]
enum Pick {
    Smallest,
    Largest,
}

/// A list of numbers, one for each `stride` frames.
fn numbers(
    frames: &[Frame],
    stride: usize,
    pick: Pick,
    of: &dyn Fn(&Frame) -> Option<f64>,
) -> Value {
    let picked = |chunk: &[Frame]| {
        let picked = chunk.iter().filter_map(of).reduce(|a, b| match pick {
            Pick::Smallest if b < a => b,
            Pick::Largest if b > a => b,
            _ => a,
        });
        picked.map_or(Value::Null, rounded)
    };
    frames.chunks(stride).map(picked).collect()
}

/// Four digits that count, which is more than a plot shows; whole numbers without a point.
#[expect(clippy::cast_possible_truncation, reason = "checked against the range just before")]
fn rounded(value: f64) -> Value {
    let decimals = match value.abs() {
        it if it >= 1_000.0 => 1.0,
        it if it >= 100.0 => 10.0,
        it if it >= 10.0 => 100.0,
        it if it >= 1.0 => 1_000.0,
        _ => 100_000.0,
    };
    let rounded = (value * decimals).round() / decimals;
    if rounded.fract().abs() < f64::EPSILON && rounded.abs() < 1e15 {
        return (rounded as i64).into();
    }
    rounded.into()
}
