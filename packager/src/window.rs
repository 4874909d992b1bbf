//! What of a track is published: its segments, oldest first.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::time::Ticks;

/// One complete segment, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its number, which is its media sequence number: `floor(start / D)` in a live channel.
    pub number: i64,
    /// Decode time of its first sample, in the track's timescale.
    pub start: Ticks,
    /// Sum of its samples' durations.
    pub duration: Ticks,
    /// Bytes.
    pub size: u64,
    /// Its chunks; empty for a segment that is listed whole only.
    pub parts: Vec<Part>,
    /// What its samples need: where this changes, HLS has a DISCONTINUITY and DASH a new Period.
    pub era: Arc<Era>,
}

/// One chunk of a segment, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Sum of its samples' durations.
    pub duration: Ticks,
    /// Bytes.
    pub size: u64,
    /// True if it begins with a sync sample.
    pub independent: bool,
}

/// A stretch of a track with one codec configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// Number of its first segment.
    pub first: i64,
    /// Name of its init segment: `init-{hash}.mp4`.
    pub init: String,
}

/// The segments of a track, and what remains of those that left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    segments: VecDeque<Segment>,
    discontinuity_sequence: u64,
}
