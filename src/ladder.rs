//! The ladder: one decode, many rungs, in a child process that speaks the [`wire`] protocol.
//!
//! The server holds a [`process::Encoder`]; everything else here runs inside the child.

pub mod job;
pub mod process;
pub mod wire;
