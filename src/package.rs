//! `headwater package`: a file becomes an on-demand presentation, HLS and DASH over the same segments.
//!
//! Either a ladder of renditions is encoded by a child process ([`crate::ladder`]), or files that are already
//! compressed are repackaged as they are (`--copy`). Both end in the same writers, which cut segments and list them
//! in playlists once all is there. Whatever goes wrong, nothing is left behind.

mod copy;
mod encode;
mod error;
mod input;
mod output;
mod progress;
mod summary;

use std::path::PathBuf;

use headwater_packager::time::Grid;
use tokio_util::sync::CancellationToken;

use crate::config::Ladder;

pub(crate) use self::progress::Progress;
pub use self::{
    error::Error,
    summary::{Summary, TrackSummary},
};

/// What to package.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Media files: one to encode, any number to copy.
    pub inputs: Vec<PathBuf>,
    /// A directory (a path or `file://` URL) that is empty or does not exist.
    pub out: String,
    /// What is done with the inputs.
    pub mode: Mode,
    /// How long segments and their chunks are meant to be.
    pub grid: Grid,
}

/// What is done with the inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Their samples are repackaged as they are.
    Copy,
    /// They are decoded and encoded.
    Encode {
        /// The renditions.
        ladder: Ladder,
        /// This program, to start the encoder with.
        program: PathBuf,
    },
}

/// Packages. To cancel `stop` ends it early.
///
/// # Errors
/// What, where, and what would be right. Nothing is left of what was written.
pub async fn run(request: Request, stop: &CancellationToken) -> Result<Summary, Error> {
    match &request.mode {
        Mode::Encode { ladder, program } => encode::run(&request, ladder, program, stop).await,
        Mode::Copy => {
            let stop = stop.clone();
            let work = tokio::task::spawn_blocking(move || copy::run(&request, &stop));
            work.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        }
    }
}
