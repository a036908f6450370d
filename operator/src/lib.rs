//! The FacilIAuto operator: it keeps what a `FaciliAutoDeployment` declares alive on Kubernetes.
//!
//! ```text
//!   watches ──▶ controller ──▶ reconcile ──▶ dereference   reads what the resource refers to
//!                                  │         validate      judges it, once, without a client
//!   stores  ◀── one per kind       │         build         validated type → every child
//!      │                           │         apply         server-side apply, prune
//!      └───── live children ───────┘         conditions    children → conditions, status
//!
//!   lease ──▶ only one process looks and writes; the others keep their stores filled and wait
//! ```
//!
//! A library beside the program, so that tests drive the same pipeline against an API server of
//! their own.

pub mod area;
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
pub mod lease;
pub mod memory;
pub mod metrics;
pub mod names;
pub mod probe;
pub mod rbac;
pub mod reconcile;
pub mod resources;
pub mod schedule;
pub mod tasks;
pub mod telemetry;
