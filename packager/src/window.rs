//! What of a track is published: its segments, oldest first.

mod sums;

use std::{
    collections::{VecDeque, vec_deque},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use self::sums::Sums;
use crate::{
    chunk::Chunk,
    time::{Ticks, Timescale},
};

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
    /// When its first sample was captured: microseconds since the Unix epoch, 0 if unknown.
    #[serde(default)]
    pub captured_at: i64,
}

/// The segment that is being made, of which some parts are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The number that it will have.
    pub number: i64,
    /// Decode time of its first sample, in the track's timescale.
    pub start: Ticks,
    /// Its published parts, from the first on.
    pub parts: Vec<Part>,
    /// What its samples need.
    pub era: Arc<Era>,
}

impl Open {
    /// Decode time at which the next part begins.
    pub fn end(&self) -> Ticks {
        self.start + self.parts.iter().map(|part| part.duration).sum::<Ticks>()
    }
}

impl Segment {
    /// Decode time at which the next segment begins.
    pub fn end(&self) -> Ticks {
        self.start + self.duration
    }
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

impl Part {
    /// As `chunk` is listed.
    pub fn of(chunk: &Chunk) -> Self {
        Self { duration: chunk.duration, size: chunk.size(), independent: chunk.independent }
    }
}

/// A stretch of a track with one codec configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// Number of its first segment.
    pub first: i64,
    /// Name of its init segment: `init-{hash}.mp4`.
    pub init: String,
    /// How many eras of the channel came before it: its Discontinuity Sequence Number in lists that may begin anywhere. Records
    /// of earlier versions do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sequence: u64,
}

fn is_zero(sequence: &u64) -> bool {
    *sequence == 0
}

/// The segments of a track, and what remains of those that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub struct Window {
    timescale: Timescale,
    length: Duration,
    segments: VecDeque<Segment>,
    discontinuity_sequence: u64,
    peak: u64,
    /// Follows from `segments`.
    #[serde(skip)]
    sums: Sums,
}

/// A window as it is kept.
#[derive(Deserialize)]
struct Kept {
    timescale: Timescale,
    length: Duration,
    segments: VecDeque<Segment>,
    discontinuity_sequence: u64,
    peak: u64,
}

impl From<Kept> for Window {
    fn from(kept: Kept) -> Self {
        let Kept { timescale, length, segments, discontinuity_sequence, peak } = kept;
        let sums = segments.iter().fold(Sums::default(), Sums::with);
        Self { timescale, length, segments, discontinuity_sequence, peak, sums }
    }
}

/// Measured bit rates in bits per second.
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
    /// An empty window that, once there is so much, lists about `length` and less than one segment more.
    pub fn new(length: Duration, timescale: Timescale) -> Self {
        let kept = Kept { timescale, length, segments: VecDeque::new(), discontinuity_sequence: 0, peak: 0 };
        kept.into()
    }

    /// One that lists these segments, in the order of their numbers, and lets none of them leave. Entries of lists are
    /// counted, so where a number is missing, the era must be another one.
    pub fn of(timescale: Timescale, segments: impl IntoIterator<Item = Segment>) -> Self {
        let mut window = Self::new(Duration::MAX, timescale);
        segments.into_iter().for_each(|segment| window.append(segment));
        window
    }

    /// Lists a segment, and gives those that leave for it. All others leave for one that does not follow the last,
    /// as entries of a list are counted from EXT-X-MEDIA-SEQUENCE. One that is not behind the last is not listed and
    /// comes straight back, as that number never goes back.
    pub fn push(&mut self, segment: Segment) -> Vec<Segment> {
        let due = self.segments.back().map_or(segment.number, |last| last.number + 1);
        if segment.number < due {
            return vec![segment];
        }
        let skips = segment.number > due;
        let from = segment.end() - self.timescale.ceil(self.length.as_nanos() as i128);
        self.append(segment);
        let mut left = Vec::new();
        while self.segments.len() > 1 && (skips || self.can_spare_first(from)) {
            left.extend(self.pop());
        }
        left
    }

    fn append(&mut self, segment: Segment) {
        self.peak = self.peak.max(self.rate(segment.size, segment.duration));
        self.sums.add(&segment);
        self.segments.push_back(segment);
    }

    /// True if enough is listed without the first segment: all from about tick `from` on. A sixteenth of a segment may
    /// be missing, so that tracks whose segments differ by a frame list the same numbers.
    fn can_spare_first(&self, from: Ticks) -> bool {
        let (Some(first), Some(second)) = (self.segments.front(), self.segments.get(1)) else { return false };
        self.segments.len() > SHORTEST && second.start <= from + first.duration / 16
    }

    fn pop(&mut self) -> Option<Segment> {
        let first = self.segments.pop_front()?;
        self.sums.remove(&first);
        // The tag in front of a segment goes when that segment becomes the first.
        if self.segments.front().is_some_and(|next| next.era != first.era) {
            self.discontinuity_sequence += 1;
        }
        Some(first)
    }

    /// The same, of which so many discontinuities have left and the highest rate was `peak` bits per second.
    #[must_use]
    pub fn behind(self, discontinuity_sequence: u64, peak: u64) -> Self {
        Self { discontinuity_sequence, peak, ..self }
    }

    /// Lists about `length` from the next segment on.
    pub fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    /// Lists nothing up to and with `number`: it is there no more. The last segment stays.
    pub fn begin_behind(&mut self, number: i64) {
        while self.segments.len() > 1 && self.media_sequence() <= number {
            self.pop();
        }
    }

    /// Lists parts of a segment again, all of them.
    pub fn restore_parts(&mut self, number: i64, parts: Vec<Part>) {
        let at = self.segments.partition_point(|segment| segment.number < number);
        if let Some(segment) = self.segments.get_mut(at).filter(|segment| segment.number == number) {
            segment.parts = parts;
        }
    }

    /// Forgets the parts of segments before `number`, which are listed whole only.
    pub fn forget_parts(&mut self, number: i64) {
        let end = self.segments.partition_point(|segment| segment.number < number);
        let with_parts = self.segments.range_mut(..end).rev().take_while(|segment| !segment.parts.is_empty());
        with_parts.for_each(|segment| segment.parts = Vec::new());
    }

    /// How much of the past is to be listed.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How much of the past is listed: from the start of the first segment to the end of the last.
    pub fn depth(&self) -> Duration {
        let ends = self.segments.front().zip(self.segments.back());
        let ticks = ends.map_or(0, |(first, last)| last.end() - first.start);
        Duration::from_nanos(u64::try_from(self.timescale.nanos(ticks)).unwrap_or(0))
    }

    /// The listed segments, oldest first.
    pub fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// Those of them whose numbers lie in a range.
    pub fn numbered(&self, numbers: Range<i64>) -> vec_deque::Iter<'_, Segment> {
        let before = |number| self.segments.partition_point(|segment| segment.number < number);
        let first = before(numbers.start);
        self.segments.range(first..before(numbers.end).max(first))
    }

    /// What the listed segments need, oldest first: each era once, without a walk over its segments.
    pub fn eras(&self) -> impl Iterator<Item = &Era> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let era = &*self.segments.get(at)?.era;
            // An era does not come again, so those behind it began later.
            at = self.segments.partition_point(|segment| segment.era.first <= era.first).max(at + 1);
            Some(era)
        })
    }

    /// Duration of the longest listed segment.
    pub fn longest(&self) -> Ticks {
        self.sums.longest()
    }

    /// True if it is known of a listed segment when it was captured.
    pub fn is_captured(&self) -> bool {
        self.sums.captured > 0
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
        Bandwidth { peak: self.peak, average: self.rate(self.sums.size, self.sums.duration) }
    }

    fn rate(&self, size: u64, duration: Ticks) -> u64 {
        let bits = u128::from(size) * 8 * u128::from(self.timescale.hz());
        bits.div_ceil(u128::try_from(duration).unwrap_or(0).max(1)) as u64
    }
}
