//! The ladder: one decode, many rungs, in a child process that speaks the [`wire`] protocol.
//!
//! The server holds a [`process::Encoder`] and gives it a [`job::Job`]. Everything else runs inside the child:
//! [`worker`] does the job (and [`keeper`] keeps one going where the server does not start it), [`rungs`] says which renditions there are, the trial encode chooses an encoder for each,
//! and the pipeline encodes them all.

pub mod job;
pub mod process;
pub mod rungs;
pub mod status;
pub mod wire;

#[cfg(feature = "encoder")]
mod aac;
#[cfg(feature = "encoder")]
mod access_unit;
#[cfg(feature = "encoder")]
mod encoder;
#[cfg(feature = "encoder")]
mod filler;
#[cfg(feature = "encoder")]
pub mod keeper;
#[cfg(feature = "encoder")]
mod outlet;
#[cfg(feature = "encoder")]
mod pipeline;
#[cfg(feature = "encoder")]
mod trial;
#[cfg(feature = "encoder")]
pub mod worker;
