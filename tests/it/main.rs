//! The rooms together, from outside: one binary, so that the library is linked once.

mod api_door;
mod api_refusals;
mod api_routes;
mod api_world;
mod backfill;
mod command_line;
mod definitions;
mod demo;
mod door;
mod emit;
mod explain;
mod files;
mod history;
mod profiles;
mod schedule;
mod secrets;
mod self_metrics;
mod shutdown;
mod simulate;
mod source_pages;
mod source_pods;
mod source_queries;
mod support;
