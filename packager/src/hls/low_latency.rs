//! What low latency adds to a media playlist (rfc8216bis 4.4.3.7, 4.4.3.8, 4.4.4.9, 4.4.5.3, 4.4.5.4).

use std::{fmt::Write, time::Duration};

use super::decimal;
use crate::{
    time::{Ticks, Timescale},
    window::{Open, Part},
};

/// What is published of a track besides its complete segments.
#[derive(Clone, Copy, Debug)]
pub struct LowLatency<'a> {
    /// The longest that a part of any rendition can be: see [`part_target`](super::part_target()).
    pub part_target: Duration,
    /// The segment that is being made. One without parts, or one that does not follow the last in the window, is left
    /// out.
    pub open: Option<&'a Open>,
    /// Segment number and index of the part that comes next.
    pub hint: Option<(i64, u32)>,
    /// How far the other renditions are.
    pub reports: &'a [Report<'a>],
}

/// How far another rendition is: what a player that switches to it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Name of its track.
    pub track: &'a str,
    /// Number of the last segment in its playlist, the open one included.
    pub msn: i64,
    /// Index of the last part of that segment; none if it is listed whole only.
    pub part: Option<u32>,
}

impl LowLatency<'_> {
    /// PART-HOLD-BACK in nanoseconds: three part targets, which is what it should be at least (rfc8216bis 4.4.3.8),
    /// rounded up to the millisecond.
    pub(super) fn hold_back(&self) -> i128 {
        let nanos = 3 * self.part_target.as_nanos() as i128;
        -(-nanos).div_euclid(1_000_000) * 1_000_000
    }

    /// Appends EXT-X-PART-INF.
    pub(super) fn part_information(&self, out: &mut String) {
        let target = decimal(self.part_target.as_nanos() as i128);
        let _ = writeln!(out, "#EXT-X-PART-INF:PART-TARGET={target}");
    }

    /// Appends EXT-X-RENDITION-REPORT tags.
    pub(super) fn reports(&self, out: &mut String) {
        for Report { track, msn, part } in self.reports {
            let _ = write!(out, "#EXT-X-RENDITION-REPORT:URI=\"../{track}/index.m3u8\",LAST-MSN={msn}");
            if let Some(part) = part {
                let _ = write!(out, ",LAST-PART={part}");
            }
            out.push('\n');
        }
    }
}

/// Appends EXT-X-PART tags of the first parts of segment `number`. What is printed is the distance of the rounded ends,
/// not the rounded distance: so the durations add up to EXTINF to the last decimal, and each is as exact as it is by
/// itself, rounded up or down.
pub(super) fn parts(out: &mut String, timescale: Timescale, number: i64, parts: &[Part]) {
    let (mut end, mut printed): (Ticks, i128) = (0, 0);
    for (index, part) in parts.iter().enumerate() {
        end += part.duration;
        let until = timescale.nanos(end);
        let duration = decimal(until - printed);
        let _ = write!(out, "#EXT-X-PART:DURATION={duration},URI=\"{number}.{index}.m4s\"");
        out.push_str(if part.independent { ",INDEPENDENT=YES\n" } else { "\n" });
        printed = until;
    }
}

/// Appends EXT-X-PRELOAD-HINT.
pub(super) fn hint(out: &mut String, (number, part): (i64, u32)) {
    let _ = writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{number}.{part}.m4s\"");
}
