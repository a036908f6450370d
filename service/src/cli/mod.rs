//! What the program does besides serving.

pub mod acl_sync;
pub mod backup;
pub mod healthcheck;
pub mod import;
mod report;
pub mod schema;
