//! How busy the GPUs of a fleet are, moment by moment: a stretch of a recording where there is one, and
//! a seeded one otherwise, so that the test runs anywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use foresail::simulate::random::Random;

/// Where recordings lie, as `make bench-forecast` looks for them.
const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/traces");
const RECORDING: &str = "gpu-duty-cycle.csv";
/// The beginning of its busiest hours, in seconds.
const FROM: u64 = 7 * 3_600;
/// As many moments as the HPA follows in about a minute.
const MOMENTS: usize = 8;

/// Another one generates another cycle; the test must not depend on it.
const SEED: u64 = 20_261_123;
/// The pods of the generated fleet: about as many as the recording has.
const PODS: u64 = 24;

/// The share of time that the GPU of each pod worked, at each moment: at least one.
pub(super) struct Cycle {
    origin: &'static str,
    moments: Vec<Vec<f64>>,
}

impl Cycle {
    /// The recorded cycle where its file is there, or a generated one.
    pub(super) fn find() -> Self {
        let path = Path::new(TRACES).join(RECORDING);
        if !path.is_file() {
            return Self {
                origin: "a generated cycle, for want of a recording",
                moments: generated(),
            };
        }
        let text = std::fs::read_to_string(&path).unwrap();
        Self { origin: "a stretch of gpu-duty-cycle.csv", moments: recorded(&text) }
    }

    /// The share of one GPU at one moment; both begin again after the last.
    pub(super) fn share(&self, moment: usize, gpu: usize) -> f64 {
        let shares = &self.moments[moment % self.moments.len()];
        shares[gpu % shares.len()]
    }

    /// How many GPUs' worth of work there is at each moment.
    pub(super) fn totals(&self) -> impl Iterator<Item = f64> {
        self.moments.iter().map(|it| it.iter().sum())
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin)
    }
}

/// The pods that are there at each moment of the stretch: they come and go.
fn recorded(text: &str) -> Vec<Vec<f64>> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("time_s,pod,gpu_util_percent"));
    let mut moments: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [time, _, percent] = fields.as_slice() else { panic!("not a line of it: {line}") };
        let percent: f64 = percent.parse().unwrap();
        moments.entry(time.parse().unwrap()).or_default().push(percent / 100.0);
    }
    let stretch: Vec<_> = moments.range(FROM..).map(|(_, it)| it.clone()).take(MOMENTS).collect();
    assert_eq!(stretch.len(), MOMENTS, "the recording is too short");
    stretch
}

/// More pods are idle than work, as in the recording; the moments differ in how many.
fn generated() -> Vec<Vec<f64>> {
    let share = |moment: usize, pod: u64| {
        let mut random = Random::keyed(SEED, moment as u64, pod);
        let busy = if moment.is_multiple_of(2) { 0.5 } else { 0.2 };
        if random.uniform() < busy { random.uniform() } else { 0.0 }
    };
    (0..MOMENTS).map(|moment| (0..PODS).map(|pod| share(moment, pod)).collect()).collect()
}
