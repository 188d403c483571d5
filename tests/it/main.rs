//! The rooms together, from outside: one binary, so that the library is linked once.

mod api_door;
mod api_refusals;
mod api_routes;
mod api_world;
