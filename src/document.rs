//! A text file that people write, with the place of everything in it: YAML in, a tree with lines
//! and columns out, checked against a schema so that all faults are found in one pass.
//!
//! Knows no word of any particular file: a room that reads one brings its schema. Never does I/O.

pub mod fault;
pub mod path;
pub mod schema;
pub mod yaml;
