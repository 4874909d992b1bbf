//! The live edge on its way to origin nodes: what a packager has published is told while it is, and put together again as
//! the very same snapshots, documents byte for byte. A node that falls behind is told the newest of everything, so nothing
//! is kept for it, and who joins is told what there is.
//!
//! [`frame`] is what travels (docs/origin-nodes.md has it), [`tell`] says it, [`hear`] takes it in.

mod frame;
mod hear;
mod tell;

use std::time::Duration;

pub use self::{
    frame::{Error, VERSION},
    hear::{Hearer, Picture, Whole},
    tell::Teller,
};

/// Something is said at least so often, so that a silent packager is a dead one.
pub const BEAT: Duration = Duration::from_millis(500);
