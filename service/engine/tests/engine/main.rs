//! The engine from outside: whole questionnaires against whole catalogues.

// Helpers here are test code too; clippy.toml lets only functions marked as tests unwrap.
#![allow(clippy::unwrap_used)]

mod bad_stock;
mod by_hand;
mod changes;
mod comparison;
mod cost;
mod distance;
mod document;
mod explanation;
mod fast_path;
mod filters;
mod fixtures;
mod formula;
mod models;
mod places;
mod qualities;
mod refinement;
mod relations;
mod relaxation;
mod sample;
