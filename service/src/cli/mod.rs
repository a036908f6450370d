//! What the program does besides serving.

pub mod healthcheck;
pub mod import;
pub mod schema;
