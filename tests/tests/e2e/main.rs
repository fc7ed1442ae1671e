//! End-to-end tests, by capability. Each starts a whole gateway and speaks to it as its users do.

mod access;
mod backend;
mod callers;
mod catalogue;
mod datasets;
mod edge;
mod evidence;
mod harvest;
mod kill;
mod layering;
mod leak;
mod lending;
mod portals;
mod public;
mod search;
mod setup;
mod zone;
