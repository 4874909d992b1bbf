//! Headwater: an HLS/DASH adaptive-streaming origin server.
//!
//! The modules read in the order data flows: [`config`] says what to serve, [`source`] opens it, [`ladder`] encodes
//! it in a child process and speaks [`ladder::wire`], [`store`] keeps, [`channel`] packages and publishes,
//! [`access`] says who may watch, [`origin`] serves, [`control`] tells how it goes, and what [`metrics`] measure. [`package`] turns a file into a
//! presentation, [`replica`] follows channels that others package, [`inspect`] tells what is in one, and [`check`] holds any server to what players count on.

pub mod access;
pub mod channel;
pub mod check;
pub mod cli;
pub mod clip;
pub mod clock;
pub mod config;
pub mod control;
pub mod follow;
pub mod inspect;
pub mod ladder;
pub mod media_type;
pub mod metrics;
pub mod origin;
pub mod package;
pub mod pages;
pub mod policy;
pub mod replica;
pub mod source;
pub mod store;
pub mod telemetry;
