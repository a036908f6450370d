//! The FacilIAuto operator: it keeps what a `FaciliAutoDeployment` declares alive on Kubernetes.
//!
//! ```text
//!   watches ──▶ controller ──▶ reconcile ──▶ dereference   reads what the resource refers to
//!                                  │         validate      judges it, once, without a client
//!   stores  ◀── one per kind       │         build         validated type → every child
//!      │                           │         apply         server-side apply, prune
//!      └───── live children ───────┘         conditions    children → conditions, status
//! ```
//!
//! A library beside the program, so that tests drive the same pipeline against an API server of
//! their own.

pub mod args;
pub mod backoff;
pub mod capabilities;
pub mod children;
pub mod cli;
pub mod client;
pub mod controller;
pub mod events;
pub mod health;
pub mod http;
pub mod memory;
pub mod metrics;
pub mod names;
pub mod reconcile;
pub mod resources;
pub mod telemetry;
