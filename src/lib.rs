//! Foresail: a Kubernetes metrics adapter that gives the Horizontal Pod Autoscaler numbers worth
//! scaling on.
//!
//! ```text
//!  policy ── what to measure, how, for whom ──┐ (side input to every stage)
//!  source ──► series ──► pipeline ────────────────────► published ──► api · web
//!   read       keep       combine → smooth → guard       latest        answer
//!  evaluation holds it together for all policies · app turns the handle (one tick)
//!  on_demand holds what rules make, for those who ask
//!  cluster speaks to kube-apiserver · auth, tls stand at the door
//!  simulate plays the HPA and a fleet · import says other tools' manifests in our words · replay turns the pipeline over recordings · cli is how a person comes in
//! ```
//!
//! Data moves left to right only; ARCHITECTURE.md says why, and `tests/architecture.rs` checks it.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod cluster;
pub mod document;
pub mod domain;
pub mod evaluation;
pub mod forecast;
pub mod import;
pub mod on_demand;
pub mod pipeline;
pub mod policy;
pub mod promql;
pub mod published;
pub mod replay;
pub mod rules;
pub mod series;
pub mod simulate;
pub mod source;
pub mod telemetry;
pub mod tls;
pub mod web;
