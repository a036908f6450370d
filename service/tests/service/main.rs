//! The service from outside: over HTTP on a free port, as a process, with a real Redis.
//!
//! Tests that need Redis start `redis-server` themselves, or the server that `FACILIAUTO_TEST_REDIS_SERVER`
//! names; without it they fail and say so.

#![allow(
    clippy::unwrap_used,
    reason = "functions that only tests call are tests too, which the lint's own exception does not see"
)]

mod harness;

mod acl_sync;
mod backup;
mod cars;
mod confirmation;
mod cors;
mod dealer_access;
mod dealer_replicas;
mod dealer_stock;
mod dealerships;
mod document;
mod edge;
mod edge_bounds;
mod feedback;
mod follow;
mod fuzz_seeds;
mod health;
mod idempotency;
mod import;
mod import_faults;
mod import_files;
mod import_killed;
mod interactions;
mod journal_replicas;
mod limits;
mod limits_script;
mod machine_learning;
mod metrics;
mod on_offer;
mod openapi;
mod outage;
mod page;
mod people;
mod places;
mod privacy;
mod problems;
mod recommend;
mod redis_events;
mod redis_faults;
mod redis_generations;
mod redis_state;
mod redis_tls;
mod refine;
mod response_cache;
mod shutdown;
mod slow_clients;
mod state;
mod state_erasure;
mod state_events;
mod state_events_random;
mod state_generations;
mod state_generations_past;
mod state_updates;
mod stats;
mod stock_schema;
mod tls;
