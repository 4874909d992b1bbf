//! Cuts a track into chunks and segments.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    bmff::{Fragment, fragment_header},
    chunk::Chunk,
    sample::Sample,
    time::{Grid, Ticks},
    track::Track,
};

/// Where segments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// On the lines of the grid, numbered by it: the ladder puts a sync sample at the first frame behind each line.
    /// What is complete is known without seeing the next sample.
    Grid(Grid),
    /// At the first sync sample behind each line, wherever it is, numbered from 1: repackaged files.
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
    /// A segment has to begin with a sync sample.
    #[error("the first sample of segment {number}, at tick {at}, is no sync sample")]
    NotSync {
        /// The segment.
        number: i64,
        /// Decode time of the sample.
        at: Ticks,
    },
}

/// Cuts one track.
#[derive(Clone, Debug)]
pub struct Segmenter {
    track: Arc<Track>,
    cut: Cut,
    next: Option<Ticks>,
    number: i64,
    open: Option<Open>,
}

/// The segment that is being made.
#[derive(Clone, Debug)]
struct Open {
    start: Ticks,
    part: u32,
    samples: Vec<Sample>,
}

impl Segmenter {
    /// A segmenter that begins with the first sample it is given.
    pub fn new(track: Arc<Track>, cut: Cut) -> Self {
        Self { track, cut, next: None, number: 0, open: None }
    }

    /// Goes on at the start of a segment, at tick `next`.
    pub fn resume_at(&mut self, next: Ticks) {
        self.next = Some(next);
        self.open = None;
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
        if let Some(expected) = self.next.filter(|&next| next != sample.dts) {
            return Err(Error::Discontiguous { expected, found: sample.dts });
        }
        let mut outputs = Vec::new();
        let opens = match &self.open {
            None => true,
            Some(open) => sample.sync && self.is_behind_its_line(open, sample.dts),
        };
        if opens && !sample.sync {
            return Err(Error::NotSync { number: self.number_of(sample.dts), at: sample.dts });
        }
        if opens {
            self.close_segment(&mut outputs);
            self.number = self.number_of(sample.dts);
            self.open = Some(Open { start: sample.dts, part: 0, samples: Vec::new() });
        }
        self.add(sample, &mut outputs);
        Ok(outputs)
    }

    /// Closes what is open: the stream is at its end.
    pub fn finish(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.close_segment(&mut outputs);
        outputs
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

    fn add(&mut self, sample: Sample, outputs: &mut Vec<Output>) {
        let end = sample.end();
        self.next = Some(end);
        let Some(open) = &mut self.open else { return };
        open.samples.push(sample);
        if end >= self.part_end() {
            self.close_chunk(outputs);
        }
        if matches!(self.cut, Cut::Grid(grid) if end >= grid.segment_start(self.number + 1, self.track.timescale))
        {
            self.close_segment(outputs);
        }
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

    /// Where the open chunk has to end.
    fn part_end(&self) -> Ticks {
        let timescale = self.track.timescale;
        match (&self.cut, &self.open) {
            (Cut::Grid(grid), Some(open)) => grid.part_start(self.number, open.part + 1, timescale),
            (Cut::Sync(grid), Some(Open { samples, start, .. })) => {
                let from = samples.first().map_or(*start, |sample| sample.dts);
                from + timescale.ceil(grid.part.as_nanos() as i128)
            }
            (_, None) => Ticks::MAX,
        }
    }

    fn close_chunk(&mut self, outputs: &mut Vec<Output>) {
        let Some(open) = &mut self.open else { return };
        let samples = std::mem::take(&mut open.samples);
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return };
        let sequence = (self.number as u32).wrapping_mul(PARTS).wrapping_add(open.part);
        let fragment =
            Fragment { sequence, samples: &samples, segment_start: open.part == 0, last_segment: false };
        let chunk = Chunk {
            start: first.dts,
            duration: last.end() - first.dts,
            independent: first.sync,
            samples: samples.len(),
            header: fragment_header(&self.track, &fragment),
            payload: samples.iter().map(|sample| sample.data.clone()).collect(),
        };
        outputs.push(Output::Chunk { number: self.number, part: open.part, chunk });
        open.part += 1;
    }

    fn close_segment(&mut self, outputs: &mut Vec<Output>) {
        self.close_chunk(outputs);
        if let (Some(open), Some(end)) = (self.open.take(), self.next) {
            outputs.push(Output::Segment {
                number: self.number,
                start: open.start,
                duration: end - open.start,
            });
        }
    }
}

/// Room for parts in a segment's share of `mfhd.sequence_number`, which only has to grow within a segment.
const PARTS: u32 = 256;
