//! The integration tests: one binary, so that the program is linked once.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says by a panic what is wrong"
)]

#[cfg(feature = "encoder")]
mod access;
#[cfg(feature = "encoder")]
mod assaults;
#[cfg(feature = "encoder")]
mod channel;
mod check;
mod checked;
mod cli;
#[cfg(feature = "encoder")]
mod fence;
mod fuzz;
#[cfg(feature = "encoder")]
mod ladder;
mod layout;
#[cfg(feature = "encoder")]
mod metrics;
#[cfg(feature = "encoder")]
mod nodes;
mod openmetrics;
mod origin;
mod package;
#[cfg(feature = "encoder")]
mod served;
#[cfg(feature = "encoder")]
mod sources;
mod store;
#[cfg(feature = "encoder")]
mod stretch;
#[cfg(feature = "encoder")]
mod topology;
#[cfg(feature = "encoder")]
mod twins;
#[cfg(feature = "encoder")]
mod viewers;
