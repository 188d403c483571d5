//!
//!   read       keep       combine → smooth → guard       latest        answer
//!  app turns the handle (one tick) · cluster speaks to kube-apiserver · auth, tls stand at the door
//!  policy ── what to measure, how, for whom ──┐ (side input to every stage)
//!  simulate plays the HPA and a fleet · cli is how a person comes in
//!  source ──► series ──► pipeline ────────────────────► published ──► api · web
//! Data moves left to right only; ARCHITECTURE.md says why, and `tests/architecture.rs` checks it.
//! Foresail.
//! Foresail: a Kubernetes metrics adapter that gives the Horizontal Pod Autoscaler numbers worth
//! ```
//! ```text
//! scaling on.
pub mod api;
pub mod auth;
pub mod document;
pub mod domain;
pub mod pipeline;
pub mod policy;
pub mod published;
pub mod series;
pub mod simulate;
pub mod telemetry;
pub mod tls;
