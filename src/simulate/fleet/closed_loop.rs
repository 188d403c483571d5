//! The loop closed: the fleet's own in-flight and waiting requests drive the autoscaler.

use std::time::Duration;

use super::{Fleet, FleetSettings, Totals};
use crate::simulate::demand::{Demand, DemandSettings};
use crate::simulate::hpa::metric::{MetricSpec, Reading, TotalTarget};
use crate::simulate::hpa::{Hpa, HpaSpec, Observation};

const SYNC: Duration = Duration::from_secs(15);

struct Loop {
    fleet: Fleet,
    hpa: Hpa,
}

impl Loop {
    /// Pods of 10 slots with a lead time of 180 s, aimed at 8 requests each; requests take 8 s.
    fn new() -> Self {
        let settings = FleetSettings {
            lead_time: Duration::from_secs(180),
            concurrency: 10,
            service_time: Duration::from_secs(8),
            slo: Duration::from_secs(10),
            replicas: 1,
        };
        let spec = HpaSpec {
            min_replicas: Some(1),
            max_replicas: 40,
            metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(8_000) }],
            behavior: None,
        };
        Self { fleet: Fleet::new(settings).unwrap(), hpa: Hpa::new(spec).unwrap() }
    }

    fn sync(&mut self, arrivals: u64) -> u32 {
        self.fleet.step(SYNC, arrivals);
        let demand = self.fleet.waiting() + self.fleet.running();
        let replicas = i32::try_from(self.fleet.wanted()).unwrap();
        let observation = Observation {
            spec_replicas: replicas,
            status_replicas: replicas,
            pods: &[],
            readings: &[Reading::External(vec![i64::try_from(demand).unwrap() * 1_000])],
        };
        let decision = self.hpa.sync(self.fleet.now(), &observation);
        self.fleet.scale_to(u32::try_from(decision.replicas).unwrap())
    }

    /// So many syncs at one rate, and the counts wanted after each.
    fn run(&mut self, syncs: u64, per_second: u64) -> Vec<u32> {
        (0..syncs).map(|_| self.sync(per_second * 15)).collect()
    }
}

#[test]
fn the_fleet_follows_a_rising_load_and_returns_to_the_minimum() {
    let mut it = Loop::new();
    // 1 a second for 8 s each: 8 in flight, which is what one pod is aimed at.
    assert_eq!(it.run(20, 1), [1; 20]);
    assert_eq!((it.fleet.running(), it.fleet.totals().waiting_max), (8, 0));

    // 10 a second want 10 pods at once, and 1.25 a second are served: the queue grows by 131 a sync
    // and asks for more and more. The count may double at each sync (4 from 1), up to the maximum.
    let rising = it.run(12, 10);
    assert_eq!(rising[..5], [4, 8, 16, 32, 40]);
    assert_eq!(rising[5..], [40; 7]);
    // All the while not one more pod serves; the first three do 180 s after they were asked for.
    assert_eq!((it.fleet.ready(), it.fleet.running()), (1, 10));
    it.run(1, 10);
    assert_eq!((it.fleet.ready(), it.fleet.running()), (4, 40));

    // The backlog is gone 90 s later, and the count stays for the 300 s of the window, then falls
    // to what 80 in flight need.
    it.run(6, 10);
    assert_eq!((it.fleet.ready(), it.fleet.waiting(), it.fleet.wanted()), (40, 0, 40));
    assert_eq!(it.run(19, 10), [40; 19]);
    it.run(10, 10);
    assert_eq!(it.run(20, 10), [10; 20]);
    assert_eq!((it.fleet.running(), it.fleet.waiting()), (80, 0));

    // The load goes; 300 s after the last sync that wanted 10, so do the pods.
    let gone = it.run(40, 0);
    assert_eq!(gone[..20], [10; 20]);
    assert_eq!(gone[20..22], [2, 1]);
    assert_eq!(gone[22..], [1; 18]);

    let totals = it.fleet.totals();
    assert_eq!((totals.arrived, totals.served), (300 + 68 * 150, 300 + 68 * 150));
    assert_eq!((totals.scale_ups, it.fleet.running()), (5, 0));
    assert!(totals.waiting_max > 1_600 && totals.late_share() > 0.2, "{totals:?}");
}

#[test]
fn a_seed_decides_a_whole_run() {
    let run = |seed| -> Totals {
        let demand = Demand::new(seed, DemandSettings::default()).unwrap();
        let mut it = Loop::new();
        for place in 0..2 * 5_760_u32 {
            it.sync(demand.arrivals(SYNC * place, SYNC));
        }
        it.fleet.totals()
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
}
