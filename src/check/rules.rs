//! The rules: pure functions over what was observed, with time as an argument.

pub(super) mod addressing;
pub(super) mod alike;
pub(super) mod bodies;
pub(super) mod cache;
pub(super) mod cadence;
pub(super) mod clocks;
pub(super) mod delta;
pub(super) mod forms;
pub(super) mod hints;
pub(super) mod list;
pub(super) mod media;
pub(super) mod mpd;
pub(super) mod reload;
pub(super) mod reports;
pub(super) mod streaming;
pub(super) mod succession;

#[cfg(test)]
pub(super) mod made;
