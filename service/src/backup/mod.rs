//! Backups: what a store remembers, as an archive that is proven, and back into a store.
//!
//! ```text
//!   state ──walk──▶ format ──packing──▶ target      write: one backup
//!                                         │
//!   state ◀─load── format ◀─unpacking─────┘         proof: load into memory · restore: load into a new generation
//! ```
//!
//! A backup is the domain, not an image of a server's memory: it is read and written through the `state` port, so it
//! goes from any server to any other. `docs/backup-format.md` says how to read one without this program.

pub mod archive;
mod compare;
pub mod encryption;
pub mod error;
pub mod format;
pub mod load;
pub mod pace;
mod packing;
pub mod progress;
pub mod proof;
pub mod restore;
pub mod retention;
pub mod shelf;
pub mod target;
mod unpacking;
pub mod walk;
pub mod write;
