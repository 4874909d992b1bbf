//! The ladder: one decode, many rungs, in a child process that speaks the [`wire`] protocol.

pub mod job;
pub mod wire;
