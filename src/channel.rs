//! A live channel: one task owns it, packages what the encoder sends, fills what it does not, and publishes
//! immutable [`edge::Edge`] snapshots.

pub mod archive;
pub mod cmsd;
mod commit;
mod delay;
mod document;
pub mod edge;
mod fence;
mod filler;
pub mod fitness;
pub mod frames;
pub mod journal;
mod lateness;
pub mod listing;
mod measure;
pub mod mirror;
mod orphans;
mod presentation;
mod record;
pub mod relay;
mod render;
mod seal;
mod standby;
pub mod status;
pub mod stretch;
mod supervisor;
mod task;
mod track;

pub use record::Error;
pub use task::{LAST_SEGMENTS, Setup, check, start};
