//! The command line over the same builders.

pub mod crd;
pub mod render;
