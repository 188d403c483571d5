//! Foresail.

pub mod simulate;
