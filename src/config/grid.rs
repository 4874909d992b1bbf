//! How long segments and their parts can be.

use std::time::Duration;

use headwater_packager::{
    hls::{PartError, part_target},
    time::{FrameRate, Grid, Ticks, Timescale},
};
use thiserror::Error;

use super::unit::Span;

const SHORTEST_SEGMENT: Duration = Duration::from_secs(1);
const LONGEST_SEGMENT: Duration = Duration::from_secs(10);
const SHORTEST_PART: Duration = Duration::from_millis(100);
/// AAC frames: 1024 samples at 48 kHz.
const SOUND: (u32, Ticks) = (48_000, 1024);

/// A grid that cannot be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Segments out of range.
    #[error("{} is not between 1s and 10s", Span(*.0))]
    Segment(Duration),
    /// Parts out of range.
    #[error("{} is not between 100ms and the segment's {}", Span(*.part), Span(*.segment))]
    Part {
        /// As configured.
        part: Duration,
        /// As configured.
        segment: Duration,
    },
    /// Some parts would be without a picture.
    #[error("{} is shorter than a frame at {rate} frames per second; make it longer", Span(*.part))]
    WithoutPicture {
        /// As configured.
        part: Duration,
        /// Frames per second.
        rate: FrameRate,
    },
    /// Players could not count on the parts' duration.
    #[error("{0}; or write low_latency = false in this channel")]
    Uneven(#[from] PartError),
}

impl Error {
    /// Which of the two is wrong: `segment` or `part`.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Segment(_) => "segment",
            _ => "part",
        }
    }
}

/// Whether segments and their parts can be as long as this. `None` is a frame rate that is not known yet.
///
/// # Errors
/// What is impossible and what would be possible.
pub fn check(grid: &Grid, rate: Option<FrameRate>) -> Result<(), Error> {
    let Grid { segment, part } = *grid;
    if !(SHORTEST_SEGMENT..=LONGEST_SEGMENT).contains(&segment) {
        return Err(Error::Segment(segment));
    }
    if part < SHORTEST_PART || part > segment {
        return Err(Error::Part { part, segment });
    }
    match rate.filter(|rate| rate.frame_nanos(1) > part.as_nanos() as i128) {
        Some(rate) => Err(Error::WithoutPicture { part, rate }),
        None => Ok(()),
    }
}

/// Whether parts of this grid can be published one by one: pictures at `rate`, where that is known, and sound are cut
/// into parts of about the same duration.
///
/// # Errors
/// Which duration would be possible.
pub(super) fn check_parts(grid: &Grid, rate: Option<FrameRate>) -> Result<(), Error> {
    let sound = Timescale::new(SOUND.0).map(|timescale| (timescale, SOUND.1));
    let steps = rate.map(FrameRate::timescale).into_iter().chain(sound);
    part_target(grid, steps).map(drop).map_err(Error::Uneven)
}
