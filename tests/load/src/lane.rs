//! Made-up media of one track: frames that nobody could decode, of the sizes of real ones, at the speed of time.

use bytes::{BufMut, Bytes, BytesMut};
use headwater::{clock, ladder::wire::Media};
use headwater_packager::{
    sample::Sample,
    time::{Grid, Ticks, Timescale},
    track::Track,
};

use crate::clock::nanos;

pub(crate) const FRAMES_A_SECOND: u32 = 30;
pub(crate) const AAC_FRAME: u32 = 1024;
/// A key frame is so many times as large as another one, as x264 makes it of ordinary pictures.
const KEY: u64 = 8;
/// Bytes in front of the data of a frame that say when it was made.
pub(crate) const STAMP: usize = 8;

/// One track on its way.
#[derive(Clone)]
pub(crate) struct Lane {
    track: u8,
    pub(crate) video: bool,
    timescale: Timescale,
    step: i64,
    /// The segment that it begins with.
    pub(crate) number: i64,
    /// Ticks of a segment.
    segment: Ticks,
    /// Where the next frame begins.
    pub(crate) at: Ticks,
    /// What is in a key frame, and in another one, behind the stamp.
    data: [Bytes; 2],
}

impl Lane {
    /// Begins with the next segment.
    pub(crate) fn new(track: &Track, index: u8, grid: Grid) -> Self {
        let video = track.audio().is_none();
        let step = if video { track.timescale.hz() / FRAMES_A_SECOND } else { AAC_FRAME };
        let segment = grid.segment_start(1, track.timescale).max(1);
        let [key, other] = sizes(track, video, segment as u64, step.into());
        let lane = Self {
            track: index,
            video,
            timescale: track.timescale,
            step: step.into(),
            number: grid.first_segment_at_or_after(clock::unix_nanos()),
            segment,
            at: 0,
            data: [key, other].map(|size| vec![index; size].into()),
        };
        let number = lane.number;
        lane.at_segment(grid, number)
    }

    /// Goes on with the first frame of segment `number`: the first at or behind the line.
    pub(crate) fn at_segment(self, grid: Grid, number: i64) -> Self {
        let at = -(-grid.segment_start(number, self.timescale)).div_euclid(self.step) * self.step;
        Self { at, ..self }
    }

    /// When the next frame has been captured whole, in nanoseconds of Unix time.
    pub(crate) fn over_at(&self) -> i128 {
        self.timescale.nanos(self.at + self.step)
    }

    /// The next frame, made now; a key frame also where it is `forced`.
    pub(crate) fn next(&mut self, forced: bool) -> Media {
        let sync = forced || !self.video || self.at.rem_euclid(self.segment) < self.step;
        let rest = &self.data[usize::from(!sync)];
        let mut data = BytesMut::with_capacity(STAMP + rest.len());
        data.put_u64(nanos());
        data.put_slice(rest);
        let captured_at = (clock::unix_nanos() / 1000) as i64;
        let dts = self.at;
        self.at += self.step;
        let sample =
            Sample { dts, cts: 0, duration: self.step as u32, sync, captured_at, data: data.freeze() };
        Media { track: self.track, filler: false, video: self.video, sample }
    }
}

/// Bytes of a key frame and of another one behind the stamp, so that a segment has the bit rate.
fn sizes(track: &Track, video: bool, segment: u64, step: u64) -> [usize; 2] {
    let bytes = u64::from(track.bitrate) / 8 * segment / u64::from(track.timescale.hz());
    let frames = (segment / step).max(1);
    let other = if video { bytes / (frames - 1 + KEY) } else { bytes / frames };
    let key = if video { bytes - other * (frames - 1) } else { other };
    [key, other].map(|size| (size as usize).saturating_sub(STAMP))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::encoder::tracks;

    #[test]
    fn a_segment_has_the_bit_rate_and_a_key_frame_in_front() {
        let grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) };
        let tracks = tracks(&[("a".into(), 2_000_000)]).unwrap();
        let mut lane = Lane::new(&tracks[0], 0, grid);
        let frames: Vec<Sample> = (0..61).map(|_| lane.next(false).sample).collect();
        let syncs: Vec<usize> = (0..61).filter(|&n| frames[n].sync).collect();
        assert_eq!(syncs, [0, 60]);
        assert_eq!(frames[..60].iter().map(|frame| frame.data.len()).sum::<usize>(), 500_000);
        assert!((7..10).contains(&(frames[0].data.len() / frames[1].data.len())));
        assert!(lane.next(true).sample.sync && !lane.next(false).sample.sync);
    }
}
