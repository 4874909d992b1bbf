//! Cuts a track into chunks and segments.

mod held;

use std::sync::Arc;

use thiserror::Error;

use crate::{
    chunk::Chunk,
    sample::Sample,
    time::{Grid, Ticks},
    track::Track,
};
use held::{Complete, Held};

/// Where segments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// On the lines of the grid, numbered by it: the ladder puts a sync sample at the first frame behind each line.
    /// What is complete is known without seeing the next sample. A chunk ends with the sample that reaches the line
    /// of its part, so that it is at most one sample longer than [`Grid::part`].
    Grid(Grid),
    /// At the first sync sample behind each line, wherever it is, numbered from 1: files. A chunk ends before the
    /// sample with which it would be longer than [`Grid::part`].
    Sync(Grid),
}

/// What becomes complete with a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A chunk, the `part`-th of segment `number`.
    Chunk {
        /// Number of its segment.
        number: i64,
        /// Its index in the segment.
        part: u32,
        /// The chunk.
        chunk: Chunk,
    },
    /// A segment: all chunks with its number, concatenated.
    Segment {
        /// Its number.
        number: i64,
        /// Decode time of its first sample.
        start: Ticks,
        /// Sum of its samples' durations.
        duration: Ticks,
    },
}

/// Why a sample was refused. The segmenter is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Decode times have to be contiguous.
    #[error("a sample at tick {found} where the one at {expected} was due")]
    Discontiguous {
        /// Where the last sample ended.
        expected: Ticks,
        /// Where this one begins.
        found: Ticks,
    },
    /// `tfdt` has no sign, and times far beyond any clock are a broken source's.
    #[error("a sample at tick {at}, which is not from 0 to {LATEST}")]
    OutOfRange {
        /// Decode time of the sample.
        at: Ticks,
    },
    /// A segment has to begin with a sync sample.
    #[error("the first sample of segment {number}, at tick {at}, is no sync sample")]
    NotSync {
        /// The segment.
        number: i64,
        /// Decode time of the sample.
        at: Ticks,
    },
}

/// Room for parts in a segment's share of `mfhd.sequence_number`. It wraps: readers want it to grow from one fragment
/// to the next (ISO/IEC 14496-12 8.8.5), and players of segments do not read it.
const PARTS: u32 = 256;

/// `mfhd.sequence_number` of the `part`-th chunk of segment `number`.
pub fn sequence_of(number: i64, part: u32) -> u32 {
    (number as u32).wrapping_mul(PARTS).wrapping_add(part)
}

/// The last decode time that is taken: ends and lines behind it can be computed without overflow.
const LATEST: Ticks = Ticks::MAX / 4;

/// Cuts one track.
#[derive(Clone, Debug)]
pub struct Segmenter {
    track: Arc<Track>,
    cut: Cut,
    next: Option<Ticks>,
    number: i64,
    open: Option<Open>,
    held: Option<Held>,
}

/// The segment that is being made.
#[derive(Clone, Debug)]
struct Open {
    start: Ticks,
    part: u32,
    samples: Vec<Sample>,
}

impl Segmenter {
    /// A segmenter that begins with the first sample it is given, and gives what is complete at once.
    pub fn new(track: Arc<Track>, cut: Cut) -> Self {
        Self { track, cut, next: None, number: 0, open: None, held: None }
    }

    /// A segmenter that gives a segment and its chunks when something of the next one is complete, or at the end:
    /// so the last segment of a file can say in its `styp` that it is the last (brand `lmsg`).
    pub fn marking_last(track: Arc<Track>, cut: Cut) -> Self {
        Self { held: Some(Held::default()), ..Self::new(track, cut) }
    }

    /// Goes on at the start of a segment, at tick `next`.
    pub fn resume_at(&mut self, next: Ticks) {
        self.next = Some(next);
        self.open = None;
    }

    /// Goes on within segment `number`, which began at tick `start` and has `parts` chunks, at tick `next`.
    pub fn resume_within(&mut self, number: i64, start: Ticks, parts: u32, next: Ticks) {
        self.number = number;
        self.next = Some(next);
        self.open = Some(Open { start, part: parts, samples: Vec::new() });
    }

    /// Decode time that the next sample must have, once there was one.
    pub fn next(&self) -> Option<Ticks> {
        self.next
    }

    /// Number and part index that the next sample belongs to, where the grid says so.
    pub fn position(&self) -> Option<(i64, u32)> {
        let (Cut::Grid(grid), Some(next)) = (self.cut, self.next) else { return None };
        match &self.open {
            Some(open) => Some((self.number, open.part)),
            None => Some((grid.segment_of(next, self.track.timescale), 0)),
        }
    }

    /// Takes a sample and gives what is complete with it.
    ///
    /// # Errors
    /// When it does not follow the one before, or cannot begin the segment that it would begin.
    pub fn push(&mut self, sample: Sample) -> Result<Vec<Output>, Error> {
        // Nothing is changed before all that can be refused has been looked at.
        let opens = self.check(&sample)?;
        let mut complete = Vec::new();
        if opens {
            self.close_segment(&mut complete);
            self.number = self.number_of(sample.dts);
            self.open = Some(Open { start: sample.dts, part: 0, samples: Vec::new() });
        }
        self.add(sample, &mut complete);
        if let Some(held) = &mut self.held {
            complete = held.exchange(complete);
        }
        Ok(complete.into_iter().map(|complete| complete.output(&self.track, false)).collect())
    }

    /// Closes what is open: the stream is at its end.
    pub fn finish(&mut self) -> Vec<Output> {
        let mut complete = Vec::new();
        self.close_segment(&mut complete);
        let marks = self.held.is_some();
        let held = self.held.as_mut().map(Held::take).unwrap_or_default();
        let output = |complete: Complete| {
            let last = marks && complete.number() == self.number;
            complete.output(&self.track, last)
        };
        held.into_iter().chain(complete).map(output).collect()
    }

    /// Forgets the samples of the chunk that is not complete: they will not be followed. Gives the tick at which the
    /// next sample has to begin.
    pub fn discard_open_chunk(&mut self) -> Option<Ticks> {
        if let Some(first) = self.open.as_mut().and_then(|open| open.samples.drain(..).next()) {
            self.next = Some(first.dts);
        }
        if self.open.as_ref().is_some_and(|open| open.part == 0) {
            self.open = None;
        }
        self.next
    }

    /// True if the sample begins a segment.
    fn check(&self, sample: &Sample) -> Result<bool, Error> {
        if let Some(expected) = self.next.filter(|&next| next != sample.dts) {
            return Err(Error::Discontiguous { expected, found: sample.dts });
        }
        if !(0..=LATEST).contains(&sample.dts) {
            return Err(Error::OutOfRange { at: sample.dts });
        }
        let opens =
            self.open.as_ref().is_none_or(|open| sample.sync && self.is_behind_its_line(open, sample.dts));
        if opens && !sample.sync {
            return Err(Error::NotSync { number: self.number_of(sample.dts), at: sample.dts });
        }
        Ok(opens)
    }

    fn add(&mut self, sample: Sample, complete: &mut Vec<Complete>) {
        let end = sample.end();
        if matches!(self.cut, Cut::Sync(grid) if self.would_exceed(end, grid)) {
            self.close_chunk(complete);
        }
        self.next = Some(end);
        let Some(open) = &mut self.open else { return };
        open.samples.push(sample);
        let Cut::Grid(grid) = self.cut else { return };
        let timescale = self.track.timescale;
        if end >= grid.part_start(self.number, open.part + 1, timescale) {
            self.close_chunk(complete);
        }
        if end >= grid.segment_start(self.number + 1, timescale) {
            self.close_segment(complete);
        }
    }

    /// True if the open chunk would be longer than a part with a sample that ends at `end`.
    fn would_exceed(&self, end: Ticks, grid: Grid) -> bool {
        let first = self.open.as_ref().and_then(|open| open.samples.first());
        first.is_some_and(|first| self.track.timescale.nanos(end - first.dts) > grid.part.as_nanos() as i128)
    }

    fn number_of(&self, start: Ticks) -> i64 {
        match self.cut {
            Cut::Grid(grid) => grid.segment_of(start, self.track.timescale),
            Cut::Sync(_) => self.number + 1,
        }
    }

    /// True if a sync sample at `tick` begins another segment (Sync only: on the grid, segments close by themselves).
    fn is_behind_its_line(&self, open: &Open, tick: Ticks) -> bool {
        let Cut::Sync(grid) = self.cut else { return false };
        let timescale = self.track.timescale;
        tick >= grid.segment_start(grid.segment_of(open.start, timescale) + 1, timescale)
    }

    fn close_chunk(&mut self, complete: &mut Vec<Complete>) {
        let Some(open) = self.open.as_mut().filter(|open| !open.samples.is_empty()) else { return };
        let samples = std::mem::take(&mut open.samples);
        complete.push(Complete::Chunk { number: self.number, part: open.part, samples });
        open.part += 1;
    }

    fn close_segment(&mut self, complete: &mut Vec<Complete>) {
        self.close_chunk(complete);
        if let (Some(Open { start, .. }), Some(end)) = (self.open.take(), self.next) {
            complete.push(Complete::Segment { number: self.number, start, duration: end - start });
        }
    }
}
