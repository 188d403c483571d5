//! What Foresail says about itself: log lines, whether it lives and is ready, what it costs.
//!
//! In come the states that app sets; out come reports that every listener renders alike. Each
//! room registers its own metrics beside its code.

pub mod health;
pub mod logs;
pub mod process;
