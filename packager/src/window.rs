//! What of a track is published: its segments, oldest first.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::time::{Ticks, Timescale};

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    timescale: Timescale,
    length: Duration,
    segments: VecDeque<Segment>,
    discontinuity_sequence: u64,
    peak: u64,
}

/// Measured bit rates, in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// Of the segment with the highest rate that was ever listed.
    pub peak: u64,
    /// Of all segments that are listed.
    pub average: u64,
}

/// A list is never shorter than this (rfc8216bis 6.2.2: three target durations).
pub const SHORTEST: usize = 3;

impl Window {
    /// An empty window of segments that begin at most `length` before the end of the last one.
    pub fn new(length: Duration, timescale: Timescale) -> Self {
        Self { timescale, length, segments: VecDeque::new(), discontinuity_sequence: 0, peak: 0 }
    }

    /// Lists a segment, and gives those that leave for it.
    pub fn push(&mut self, segment: Segment) -> Vec<Segment> {
        self.peak = self.peak.max(self.rate(segment.size, segment.duration));
        let mut left = Vec::new();
        if self.segments.back().is_some_and(|last| last.number + 1 != segment.number) {
            // A list cannot skip a number: its entries are counted from EXT-X-MEDIA-SEQUENCE.
            left.extend(self.segments.drain(..));
        }
        let end = segment.start + segment.duration;
        self.segments.push_back(segment);
        let from = end - self.timescale.ceil(self.length.as_nanos() as i128);
        while self.segments.len() > SHORTEST && self.segments.front().is_some_and(|first| first.start < from)
        {
            left.extend(self.segments.pop_front());
            let now_first = self.segments.front().map(|first| &first.era);
            if now_first != left.last().map(|last| &last.era) {
                self.discontinuity_sequence += 1;
            }
        }
        left
    }

    /// How much of the past is listed.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// The listed segments, oldest first.
    pub fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// Number of the first listed segment; 0 if there is none.
    pub fn media_sequence(&self) -> i64 {
        self.segments.front().map_or(0, |first| first.number)
    }

    /// How many discontinuities have left the list (rfc8216bis 6.2.2).
    pub fn discontinuity_sequence(&self) -> u64 {
        self.discontinuity_sequence
    }

    /// Ticks per second of the segments' times.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Measured bit rates.
    pub fn bandwidth(&self) -> Bandwidth {
        let size = self.segments.iter().map(|segment| segment.size).sum();
        let duration = self.segments.iter().map(|segment| segment.duration).sum();
        Bandwidth { peak: self.peak, average: self.rate(size, duration) }
    }

    fn rate(&self, size: u64, duration: Ticks) -> u64 {
        let bits = u128::from(size) * 8 * u128::from(self.timescale.hz());
        bits.div_ceil(u128::try_from(duration).unwrap_or(0).max(1)) as u64
    }
}
