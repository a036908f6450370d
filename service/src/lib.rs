//! The FacilIAuto API: recommends used cars from the live stock of many dealerships.
//!
//! ```text
//!   configuration ▶ startup ─▶ edge ▶ routes ▶ engine
//!                      │                 ▲ catalogue in memory
//!                      └─▶ follow ───────┘
//!                            ▲ state: memory │ redis ◀── cli/import ◀── stock
//!                                                     ◀── desk ◀── routes/dealer
//!                            state ◀──▶ backup ◀──▶ a directory, or a bucket
//! ```
//!
//! Routes know nothing of Redis; `state` knows nothing of HTTP; one table in [`error`] says how HTTP tells
//! what went wrong.

mod access;
mod access_log;
pub mod backup;
pub mod car_texts;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod configuration;
pub mod cors;
mod desk;
pub mod document;
mod edge;
pub mod error;
pub mod fields;
pub mod follow;
mod gate;
pub mod housekeeping;
mod idempotency;
mod journal;
pub mod json;
pub mod limits;
pub mod memory;
pub mod metrics;
mod race;
mod random;
mod response_cache;
pub mod routes;
pub mod signals;
pub mod startup;
pub mod state;
pub mod stock;
mod store;
pub mod telemetry;
pub mod tls;
pub mod trust;
mod unpacking;
