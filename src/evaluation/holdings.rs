//! What the policies take in memory, by what takes it.

use crate::evaluation::Evaluation;
use crate::pipeline::trace::Traces;
use crate::series::history::History;

/// Bytes of all policies together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The past of their numbers.
    pub histories: usize,
    /// Fitted models with their gates; those with a job under way are not counted.
    pub forecasters: usize,
    /// The newest forecasts, and those of late for the down window.
    pub forecasts: usize,
    /// The traces of the last evaluations.
    pub traces: usize,
}

impl Evaluation {
    /// What the policies take.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        let memories = self.slots.values().map(|it| &it.memory);
        memories.fold(Holdings::default(), |sum, memory| {
            let [forecaster, forecasts] = memory.forecast().bytes();
            Holdings {
                histories: sum.histories + memory.history().map_or(0, History::bytes),
                forecasters: sum.forecasters + forecaster,
                forecasts: sum.forecasts + forecasts,
                traces: sum.traces + memory.traces().map_or(0, Traces::bytes),
            }
        })
    }
}
