//! What a policy would have cost on recorded demand: the pipeline that runs live, driven by the
//! judge's autoscaler and pods.
//!
//! In: the text of a recording, a policy, an HPA's manifest and what the pods are like. Out: for
//! the policy, for two plain HPAs and for one who knows the future the work that waited too long,
//! the pod-seconds, how often the replica count moved, and everything about every step for plots.
//!
//! `trace` reads recordings, `load` lays them on the steps of a run, `manifest` reads an HPA,
//! `player` drives a policy's pipeline, `auto` chooses for a policy that leaves its forecast to
//! Foresail, and `comparison` runs it all and keeps the score.
//!
//! Never: I/O, a clock, or a second pipeline. What is published here is what would be live.

pub mod auto;
pub mod comparison;
pub mod load;
pub mod manifest;
pub mod player;
pub mod scenario;
pub mod trace;

mod late;
mod publisher;
