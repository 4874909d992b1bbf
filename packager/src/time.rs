//! Media time: integer ticks, frame rates and the epoch grid.

use std::{fmt, num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

const NANOS: i128 = 1_000_000_000;

/// Media time or duration in units of a track's [`Timescale`]. In a live channel zero is 1970-01-01T00:00:00Z.
pub type Ticks = i64;

/// Ticks per second of a track (ISO/IEC 14496-12 8.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timescale(NonZeroU32);

impl Timescale {
    /// A timescale of `hz` ticks per second; `None` for zero.
    pub const fn new(hz: u32) -> Option<Self> {
        match NonZeroU32::new(hz) {
            Some(hz) => Some(Self(hz)),
            None => None,
        }
    }

    /// Ticks of a nanosecond.
    pub(crate) const NANOSECONDS: Self = Self(NonZeroU32::MIN.saturating_add(999_999_999));

    /// Ticks per second.
    pub const fn hz(self) -> u32 {
        self.0.get()
    }

    /// The last tick at or before `nanos` nanoseconds.
    pub fn floor(self, nanos: i128) -> Ticks {
        (nanos * i128::from(self.hz())).div_euclid(NANOS) as Ticks
    }

    /// The first tick at or after `nanos` nanoseconds.
    pub fn ceil(self, nanos: i128) -> Ticks {
        -((-nanos * i128::from(self.hz())).div_euclid(NANOS)) as Ticks
    }

    /// `ticks` in nanoseconds, rounded to the nearest.
    pub fn nanos(self, ticks: Ticks) -> i128 {
        let hz = i128::from(self.hz());
        (i128::from(ticks) * NANOS + hz / 2).div_euclid(hz)
    }

    /// `ticks` in seconds, for display and bit rates only.
    pub fn seconds(self, ticks: Ticks) -> f64 {
        ticks as f64 / f64::from(self.hz())
    }

    /// `ticks` of `self` in ticks of `to`, rounded down.
    pub fn rescale(self, ticks: Ticks, to: Timescale) -> Ticks {
        (i128::from(ticks) * i128::from(to.hz())).div_euclid(i128::from(self.hz())) as Ticks
    }
}

impl fmt::Display for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A constant frame rate in frames per second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FrameRate {
    /// Frames per `den` seconds.
    pub num: NonZeroU32,
    /// Seconds per `num` frames.
    pub den: NonZeroU32,
}

impl FrameRate {
    /// `num / den` frames per second in lowest terms; `None` if either is zero.
    pub fn new(num: u32, den: u32) -> Option<Self> {
        let divisor = gcd(num, den);
        Some(Self {
            num: NonZeroU32::new(num.checked_div(divisor)?)?,
            den: NonZeroU32::new(den.checked_div(divisor)?)?,
        })
    }

    /// The timescale in which a frame is a whole number of ticks, and that number:
    /// 25 -> (25000, 1000), 30000/1001 -> (30000, 1001).
    pub fn timescale(self) -> (Timescale, Ticks) {
        let factor = if self.num.get() >= 1000 { 1 } else { 1000 };
        let hz = NonZeroU32::new(self.num.get() * factor).unwrap_or(self.num);
        (Timescale(hz), i64::from(self.den.get()) * i64::from(factor))
    }

    /// Frames per second, for display.
    pub fn fps(self) -> f64 {
        f64::from(self.num.get()) / f64::from(self.den.get())
    }

    /// The start of frame `index` in nanoseconds, rounded down.
    pub fn frame_nanos(self, index: i64) -> i128 {
        (i128::from(index) * i128::from(self.den.get()) * NANOS).div_euclid(i128::from(self.num.get()))
    }

    /// The first frame that starts at or after `nanos`.
    pub fn frame_at_or_after(self, nanos: i128) -> i64 {
        let (num, den) = (i128::from(self.num.get()), i128::from(self.den.get()) * NANOS);
        -((-nanos * num).div_euclid(den)) as i64
    }

    /// The frame whose start is nearest to `nanos`.
    pub fn nearest_frame(self, nanos: i128) -> i64 {
        let (num, den) = (i128::from(self.num.get()), i128::from(self.den.get()) * NANOS);
        (2 * nanos * num + den).div_euclid(2 * den) as i64
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den.get() == 1 { write!(f, "{}", self.num) } else { write!(f, "{}/{}", self.num, self.den) }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The grid on which every track of a presentation is cut: segment `n` covers `[n * segment, (n + 1) * segment)`,
/// and its parts are laid from its start. Counted from the Unix epoch in a live channel, from zero in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Segment duration; EXT-X-TARGETDURATION is this rounded up to whole seconds.
    pub segment: Duration,
    /// Chunk duration, the HLS part target.
    pub part: Duration,
}

impl Grid {
    /// The number of the segment in which `ticks` lies.
    pub fn segment_of(&self, ticks: Ticks, timescale: Timescale) -> i64 {
        // Ticks are compared with the ticks of the lines, so that a tick that is the first at or after a line
        // belongs to the segment behind it, however the line falls between ticks.
        let guess = (timescale.nanos(ticks).div_euclid(nanos(self.segment))) as i64;
        (guess - 1..=guess + 1)
            .rev()
            .find(|&number| self.segment_start(number, timescale) <= ticks)
            .unwrap_or(guess)
    }

    /// The first tick at or after the start of segment `number`.
    pub fn segment_start(&self, number: i64, timescale: Timescale) -> Ticks {
        timescale.ceil(i128::from(number) * nanos(self.segment))
    }

    /// The first tick at or after the start of part `part` of segment `number`. A part index past the last one
    /// gives the start of the next segment.
    pub fn part_start(&self, number: i64, part: u32, timescale: Timescale) -> Ticks {
        let offset = (i128::from(part) * nanos(self.part)).min(nanos(self.segment));
        timescale.ceil(i128::from(number) * nanos(self.segment) + offset)
    }

    /// How many parts a segment has.
    pub fn parts_per_segment(&self) -> u32 {
        -(-nanos(self.segment)).div_euclid(nanos(self.part)) as u32
    }

    /// The number of the first segment that starts at or after `unix_nanos`.
    pub fn first_segment_at_or_after(&self, unix_nanos: i128) -> i64 {
        -((-unix_nanos).div_euclid(nanos(self.segment))) as i64
    }
}

fn nanos(duration: Duration) -> i128 {
    duration.as_nanos().max(1) as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_whole_number_of_ticks() {
        for (num, den, hz, ticks) in [
            (25, 1, 25000, 1000),
            (30000, 1001, 30000, 1001),
            (24000, 1001, 24000, 1001),
            (60, 1, 60000, 1000),
        ] {
            let (timescale, duration) = FrameRate::new(num, den).unwrap().timescale();
            assert_eq!((timescale.hz(), duration), (hz, ticks));
        }
    }

    #[test]
    fn the_first_tick_behind_a_line_belongs_to_the_next_segment() {
        let grid = Grid { segment: Duration::from_millis(1920), part: Duration::from_millis(333) };
        for hz in [30000, 24000, 48000, 44100, 90000, 7] {
            let timescale = Timescale::new(hz).unwrap();
            for number in [0, 1, 933_000_000, 933_000_001] {
                let start = grid.segment_start(number, timescale);
                assert_eq!(grid.segment_of(start, timescale), number);
                assert_eq!(grid.segment_of(start - 1, timescale), number - 1);
            }
        }
    }

    #[test]
    fn frames_and_nanoseconds_agree_far_from_the_epoch() {
        let rate = FrameRate::new(30000, 1001).unwrap();
        let index = 54_000_000_123;
        let start = rate.frame_nanos(index);
        assert_eq!(rate.nearest_frame(start), index);
        assert_eq!(rate.frame_at_or_after(start), index);
        assert_eq!(rate.frame_at_or_after(start + 2), index + 1);
    }
}
