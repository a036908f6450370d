//! What the program does besides serving.

pub mod acl_sync;
pub mod healthcheck;
pub mod import;
mod report;
pub mod schema;
