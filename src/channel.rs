//! A live channel: one task owns it, packages what the encoder sends, fills what it does not, and publishes
//! immutable [`edge::Edge`] snapshots.

pub mod edge;
pub mod status;
