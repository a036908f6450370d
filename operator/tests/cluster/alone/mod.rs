//! Tests that need the installed operator, or the whole cluster, to themselves. They come first by their name, one after
//! the other; then all the others run side by side, without anybody who waits for them to pause.

mod crash;
mod credentials;
mod edits;
mod leader;
mod namespaced;
mod optional_kinds;
mod steady;
mod unwell;
mod upgrade;
