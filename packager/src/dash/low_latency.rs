//! Segments that can be fetched while they are being made (ISO/IEC 23009-1 5.3.9.5.3, 5.12).

use std::{collections::vec_deque, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Representation, nanos, utc_timing, xml::Element};
use crate::{
    time::Timescale,
    track::Media,
    window::{Era, Segment},
};

const NANOS: i128 = 1_000_000_000;
/// Ticks per second of which a player in JavaScript can count those since the epoch: not 2^53 until the year 2106.
const FINEST: u64 = 2_000_000;

/// Durations of what a segment is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowLatency {
    /// Of a chunk, as the grid has it: a segment can be fetched when so much of it is there.
    pub part: Duration,
    /// Of the longest chunk there can be in any track.
    pub part_target: Duration,
    /// True if latency is counted from when media was captured, and players are told when that was. False if from the time that
    /// it has in the presentation: where media is published at that time and was captured well before it, a player that counts from the
    /// capture has no latency left to live on.
    pub from_capture: bool,
}

/// How the representations of an adaptation set are addressed in low latency: by number and a constant duration, as
/// what is being made is not in a timeline yet.
pub(super) struct Numbered {
    low_latency: LowLatency,
    segment: Duration,
    /// Number of the first segment of the period, listed or not.
    first: i64,
    timescale: Timescale,
}

impl Numbered {
    /// All templates of a set have one timescale, as the set's ProducerReferenceTime has but one: if possible, one in
    /// which both every track's ticks and the segment duration are whole numbers.
    pub(super) fn new<'a>(
        low_latency: LowLatency,
        segment: Duration,
        first: i64,
        set: impl Iterator<Item = &'a Representation<'a>>,
    ) -> Self {
        let common = set.map(|each| u64::from(each.window.timescale().hz())).try_fold(1, lcm);
        let segment_nanos = segment.as_nanos().max(1) as u64;
        // The least number of ticks in a second for which the segment is a whole number of them.
        let least = NANOS as u64 / gcd(NANOS as u64, segment_nanos);
        let exact = common.and_then(|common| lcm(common, least)).filter(|&hz| hz <= FINEST);
        let micros = (1_000_000 % least == 0).then_some(1_000_000);
        let hz = exact.or(micros).unwrap_or(least);
        let timescale = u32::try_from(hz).ok().and_then(Timescale::new).unwrap_or(Timescale::NANOSECONDS);
        Self { low_latency, segment, first, timescale }
    }

    /// The template of a representation in a period that begins at `period_start` nanoseconds of media time.
    pub(super) fn template(&self, name: &str, era: &Era, period_start: i128) -> Element {
        let ticks = |nanos: i128| self.timescale.floor(nanos).to_string();
        let offset = nanos(self.segment) - nanos(self.low_latency.part);
        let mut template =
            Element::new("SegmentTemplate").attribute("timescale", self.timescale.hz().to_string());
        if period_start != 0 {
            template = template.attribute("presentationTimeOffset", ticks(period_start));
        }
        if offset > 0 {
            template = template
                .attribute("availabilityTimeOffset", seconds(offset))
                .attribute("availabilityTimeComplete", "false");
        }
        template
            .attribute("duration", ticks(nanos(self.segment)))
            .attribute("startNumber", self.first.max(0).to_string())
            .attribute("initialization", format!("{name}/{}", era.init))
            .attribute("media", format!("{name}/$Number$.m4s"))
    }

    /// When media was captured (ISO/IEC 23009-1 5.12): the newest segment of which it is known, of the track at `index`,
    /// as in its `prft`.
    pub(super) fn reference_time(
        &self,
        index: usize,
        timescale: Timescale,
        segments: vec_deque::Iter<'_, Segment>,
    ) -> Option<Element> {
        let mut segments = segments.rev().filter(|_| self.low_latency.from_capture);
        let newest = segments.find(|segment| segment.captured_at != 0)?;
        let captured = DateTime::<Utc>::from_timestamp_micros(newest.captured_at)?;
        let time = timescale.rescale(newest.start, self.timescale);
        let element = Element::new("ProducerReferenceTime")
            .attribute("id", reference(index))
            .attribute("inband", "true")
            .attribute("type", "captured")
            .attribute("wallClockTime", captured.to_rfc3339_opts(SecondsFormat::Micros, true))
            .attribute("presentationTime", time.to_string());
        Some(element.child(utc_timing()))
    }

    /// Where in a segment a player can begin to parse: at every chunk. How far apart chunks
    /// are in bytes is not known before they are made.
    pub(super) fn resync(&self, media: &Media) -> Element {
        // Every frame of sound is a sync sample. A chunk of pictures begins anywhere.
        let kind = if matches!(media, Media::Audio(_)) { "1" } else { "0" };
        let longest = self.timescale.ceil(nanos(self.low_latency.part_target));
        Element::new("Resync").attribute("type", kind).attribute("dT", longest.to_string())
    }
}

/// `@id` of the ProducerReferenceTime that is told by the track at a position among all: one more, as players take zero
/// for none.
pub(super) fn reference(index: usize) -> String {
    (index + 1).to_string()
}

/// Nanoseconds as a decimal number of seconds, exact.
fn seconds(nanos: i128) -> String {
    let text = format!("{}.{:09}", nanos / NANOS, nanos % NANOS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn lcm(a: u64, b: u64) -> Option<u64> {
    (a / gcd(a, b)).checked_mul(b)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
