//! What the server tells an encoder process to do.

use std::path::PathBuf;

use headwater_packager::time::Grid;
use serde::{Deserialize, Serialize};

use crate::config::Ladder;

/// The work of one encoder process, sent to it as the first control message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Channel or asset name, for logs and the slate.
    pub name: String,
    /// Source URI, as configured.
    pub source: String,
    /// `file:` sources must lie below this directory.
    pub file_root: Option<PathBuf>,
    /// Segment and part durations.
    pub grid: Grid,
    /// Renditions.
    pub ladder: Ladder,
    /// Encoders hold nothing back: no lookahead, no B-frames.
    pub low_latency: bool,
    /// How media time relates to the machine's time.
    pub timing: Timing,
}

/// How media time relates to the machine's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// Media time is Unix time, frames come at the speed of time, a filler is sent first.
    Live,
    /// The same, but a transport stream's own timestamps say what belongs where, for all who receive it alike.
    Source,
    /// Media time starts at zero, frames come as fast as they are taken, the job ends with the source.
    File,
}

impl Timing {
    /// Whether media time is Unix time.
    pub fn is_live(self) -> bool {
        self != Self::File
    }
}
