//! What Foresail says about itself: whether it lives and whether it is ready.
//!
//! In come the states that app sets; out come reports that every listener renders alike.

pub mod health;
