//! What is complete: given at once, or held back until it is known whether it belongs to the last segment.

use super::{Output, sequence_of};
use crate::{
    bmff::{Fragment, fragment_header},
    chunk::Chunk,
    sample::Sample,
    time::Ticks,
    track::Track,
};

/// What an [`Output`] is made of.
#[derive(Clone, Debug)]
pub(super) enum Complete {
    Chunk { number: i64, part: u32, samples: Vec<Sample> },
    Segment { number: i64, start: Ticks, duration: Ticks },
}

impl Complete {
    /// Number of its segment.
    pub(super) fn number(&self) -> i64 {
        match self {
            Self::Chunk { number, .. } | Self::Segment { number, .. } => *number,
        }
    }

    /// Writes its boxes; `last` if it belongs to the last segment of the presentation.
    pub(super) fn output(self, track: &Track, last: bool) -> Output {
        match self {
            Self::Segment { number, start, duration } => Output::Segment { number, start, duration },
            Self::Chunk { number, part, samples } => {
                Output::Chunk { number, part, chunk: chunk(track, number, part, &samples, last) }
            }
        }
    }
}

fn chunk(track: &Track, number: i64, part: u32, samples: &[Sample], last_segment: bool) -> Chunk {
    let sequence = sequence_of(number, part);
    let fragment = Fragment { sequence, samples, segment_start: part == 0, last_segment };
    Chunk {
        start: samples.first().map_or(0, |first| first.dts),
        duration: samples.iter().map(|sample| Ticks::from(sample.duration)).sum(),
        independent: samples.first().is_some_and(|first| first.sync),
        captured_at: samples.first().map_or(0, |first| first.captured_at),
        samples: samples.len(),
        header: fragment_header(track, &fragment),
        payload: samples.iter().map(|sample| sample.data.clone()).collect(),
    }
}

/// What is complete of the segment that may be the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Vec<Complete>);

impl Held {
    /// Takes what is newly complete and gives what surely does not belong to the last segment.
    pub(super) fn exchange(&mut self, complete: Vec<Complete>) -> Vec<Complete> {
        self.0.extend(complete);
        let newest = self.0.last().map(Complete::number);
        let older = self.0.iter().take_while(|held| Some(held.number()) != newest).count();
        self.0.drain(..older).collect()
    }

    /// Gives all of it.
    pub(super) fn take(&mut self) -> Vec<Complete> {
        std::mem::take(&mut self.0)
    }
}
