//! One page with plots.
use super::Simulation;
pub(super) fn of(_simulation: &Simulation) -> String {
    String::new()
}
