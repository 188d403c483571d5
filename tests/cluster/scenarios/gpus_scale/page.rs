//! The page of dcgm-exporter for a fleet, written anew at each step of a duty cycle.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::bed::Bed;
use crate::bed::exporter::Exporter;

use super::cycle::Cycle;

const ACTIVE: &str = "DCGM_FI_PROF_GR_ENGINE_ACTIVE";
const KERNELS: &str = "DCGM_FI_DEV_GPU_UTIL";

/// What a sensor says that has no value, as DCGM prints it.
const BLANK: &str = "9223372036854775794";

/// A fleet whose pods have two GPUs each, on nodes of one dcgm-exporter.
pub(super) struct DutyCycle {
    exporter: Exporter,
    namespace: &'static str,
    pub(super) cycle: Cycle,
    steps: usize,
}

impl DutyCycle {
    /// Starts the exporter of a replay, and has Prometheus scrape it.
    pub(super) fn start(bed: &Bed, namespace: &'static str) -> Self {
        let exporter = Exporter::start();
        bed.prometheus.scrape("dcgm", &exporter.address());
        Self { exporter, namespace, cycle: Cycle::find(), steps: 0 }
    }

    /// Writes the next moment: `work` GPUs' worth of it is shared evenly by the pods, and unevenly by
    /// the two GPUs of each as the cycle has it, with 1 at the most for each GPU. Silent pods have no
    /// series.
    pub(super) fn step(&mut self, pods: &[String], work: f64, silent: &BTreeSet<String>) {
        self.steps += 1;
        let share = (work / pods.len().max(1) as f64).clamp(0.0, 1.0);
        let room = if share < 0.5 { share } else { 1.0 - share };
        let (mut active, mut kernels) = (String::new(), String::new());
        for (place, pod) in pods.iter().enumerate().filter(|(_, pod)| !silent.contains(*pod)) {
            // Both GPUs stay within 0 and 1, and their mean is the share.
            let swing = room * (2.0 * self.cycle.share(self.steps, place) - 1.0);
            for (gpu, share) in [(0, share + swing), (1, share - swing)] {
                let labels = self.labels(place, gpu, pod);
                writeln!(active, "{ACTIVE}{{{labels}}} {share:.6}").unwrap();
                // Any kernel at all makes it 100; it is the second candidate, and must not count.
                writeln!(kernels, "{KERNELS}{{{labels}}} 100").unwrap();
            }
        }
        // A GPU of nobody, and one whose sensor has no value.
        let (nobody, blank) = (self.labels(90, 0, ""), self.labels(91, 0, "llama-blank"));
        let page = format!(
            "# HELP {KERNELS} GPU utilization (in %).\n# TYPE {KERNELS} gauge\n{kernels}\
             {KERNELS}{{{blank}}} {BLANK}\n\
             # HELP {ACTIVE} Ratio of time the graphics engine is active.\n# TYPE {ACTIVE} gauge\n{active}\
             {ACTIVE}{{{nobody}}} 0.900000\n{ACTIVE}{{{blank}}} {BLANK}\n"
        );
        self.exporter.answer(200, &page);
    }

    /// The exporter answers with an error until the next step.
    pub(super) fn fail(&self) {
        self.exporter.answer(500, "DCGM is not initialized\n");
    }

    /// The labels that Prometheus keeps where it puts its own first (`honor_labels: false`).
    fn labels(&self, node: usize, gpu: usize, pod: &str) -> String {
        let namespace = if pod.is_empty() { "" } else { self.namespace };
        format!(
            "gpu=\"{gpu}\",UUID=\"GPU-{node:08x}-{gpu}\",device=\"nvidia{gpu}\",\
             modelName=\"NVIDIA H100 80GB HBM3\",Hostname=\"gpu-node-{node}\",\
             namespace=\"gpu-operator\",pod=\"nvidia-dcgm-exporter-{node}\",\
             exported_container=\"engine\",exported_namespace=\"{namespace}\",exported_pod=\"{pod}\""
        )
    }
}
