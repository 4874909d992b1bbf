//! Media playlists (rfc8216bis 4.4.3, 4.4.4).

use std::{fmt::Write, ops::Range};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    VERSION, VERSION_WITH_SKIP, decimal,
    low_latency::{LowLatency, hint, parts},
};
use crate::{
    time::{Ticks, Timescale},
    window::{Era, Open, Segment, Window},
};

/// Parts are listed for as many target durations before the end (rfc8216bis 6.2.2).
const PARTS: Ticks = 3;
/// HOLD-BACK in target durations: the least there may be (rfc8216bis 4.4.3.8).
const HOLD_BACK: Ticks = 3;
/// CAN-SKIP-UNTIL in target durations: the least there may be (rfc8216bis 4.4.3.8).
const SKIP_BOUNDARY: Ticks = 6;

/// What a media playlist is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes on, and who serves it answers delivery directives (rfc8216bis 6.2.5); media time is Unix time.
    Live,
    /// It goes on, but lies in a store, where nobody answers directives.
    LiveStored,
    /// It was live and has ended.
    LiveEnded,
    /// It begins at some moment of a live presentation and goes on; who serves it answers delivery directives for whole
    /// segments, and nothing leaves it.
    Event,
    /// The same when it is complete: but for its end nothing of it may change (rfc8216bis 6.2.1).
    EventEnded,
    /// It is a stretch that was taken out of a live presentation.
    Recorded,
    /// A file.
    OnDemand,
}

impl Kind {
    /// True if who serves it answers delivery directives.
    fn answers(self) -> bool {
        matches!(self, Self::Live | Self::Event | Self::EventEnded)
    }
}

/// A media playlist.
#[derive(Clone, Copy, Debug)]
pub struct Media<'a> {
    /// The segments.
    pub window: &'a Window,
    /// EXT-X-TARGETDURATION in seconds, the same for all renditions.
    pub target_duration: u32,
    /// What it is for.
    pub kind: Kind,
    /// Parts, for [`Kind::Live`] only.
    pub low_latency: Option<LowLatency<'a>>,
}

/// A media playlist. Its URIs are relative to it: `init-{hash}.mp4`, `{number}.m4s` and `{number}.{part}.m4s`.
pub fn media(media: &Media<'_>) -> String {
    document(media, 0)
}

/// The Playlist Delta Update (rfc8216bis 6.2.5.1): the same without the segments that lie whole behind the skip
/// boundary. None if there is none of them.
pub fn delta(media: &Media<'_>) -> Option<String> {
    let skipped = media.skippable();
    (skipped > 0).then(|| document(media, skipped))
}

fn document(media: &Media<'_>, skipped: usize) -> String {
    let count = media.window.segments().len();
    let mut out = String::with_capacity(512 + 128 * (count - skipped));
    head(&mut out, media);
    if skipped > 0 {
        let _ = writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
    }
    // A delta update says again which init segment its first segment needs: a player need not look it up.
    entries(&mut out, media, skipped..count, Some(skipped));
    tail(&mut out, media);
    out
}

/// Appends the segments at these positions in the window. At the one that is `named` stands which init segment it needs,
/// whatever stands before.
pub(super) fn entries(out: &mut String, media: &Media<'_>, positions: Range<usize>, named: Option<usize>) {
    let segments = media.window.segments();
    let mut before =
        positions.start.checked_sub(1).and_then(|last| segments.get(last)).map(|last| &*last.era);
    for (index, segment) in positions.clone().zip(segments.range(positions)) {
        begin(out, media, before, &segment.era, segment.start, named == Some(index));
        list(out, media, segment);
        before = Some(&segment.era);
    }
}

/// Appends what stands behind the last segment.
pub(super) fn tail(out: &mut String, media: &Media<'_>) {
    if let Some(low_latency) = media.low_latency() {
        edge(out, media, low_latency, media.window.segments().back().map(|last| &*last.era));
    }
    if matches!(media.kind, Kind::LiveEnded | Kind::EventEnded | Kind::Recorded | Kind::OnDemand) {
        out.push_str("#EXT-X-ENDLIST\n");
    }
}

/// Appends what stands before the first segment.
pub(super) fn head(out: &mut String, media: &Media<'_>) {
    let version = if media.kind.answers() { VERSION_WITH_SKIP } else { VERSION };
    let _ =
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{}", media.target_duration);
    if media.kind.answers() {
        server_control(out, media);
    }
    match media.kind {
        Kind::OnDemand | Kind::Recorded => out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n"),
        // Who asks for a beginning wants to begin there, and not at the live edge (rfc8216bis 6.3.3).
        Kind::Event | Kind::EventEnded => {
            out.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n");
        }
        Kind::Live | Kind::LiveStored | Kind::LiveEnded => {}
    }
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", media.media_sequence());
    // Without the tag it is 0 (rfc8216bis 4.4.3.3).
    let discontinuities = media.window.discontinuity_sequence();
    if discontinuities > 0 {
        let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}");
    }
    out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
}

fn server_control(out: &mut String, media: &Media<'_>) {
    let target_durations =
        |count: Ticks| decimal(i128::from(count) * i128::from(media.target_duration) * 1_000_000_000);
    out.push_str("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES");
    let _ = write!(out, ",CAN-SKIP-UNTIL={}", target_durations(SKIP_BOUNDARY));
    let _ = write!(out, ",HOLD-BACK={}", target_durations(HOLD_BACK));
    match media.low_latency() {
        Some(low_latency) => {
            let _ = writeln!(out, ",PART-HOLD-BACK={}", decimal(low_latency.hold_back()));
            low_latency.part_information(out);
        }
        None => out.push('\n'),
    }
}

/// Appends what stands before a segment, or before its first part: a discontinuity, the init segment if it is another
/// one or is to be `named` anyway, and the time.
fn begin(out: &mut String, media: &Media<'_>, before: Option<&Era>, era: &Era, start: Ticks, named: bool) {
    if before.is_some_and(|before| before != era) {
        out.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if named || before.is_none_or(|before| before.init != era.init) {
        let _ = writeln!(out, "#EXT-X-MAP:URI=\"{}\"", era.init);
    }
    if media.kind != Kind::OnDemand {
        let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(media.window.timescale(), start));
    }
}

fn list(out: &mut String, media: &Media<'_>, segment: &Segment) {
    let timescale = media.window.timescale();
    if media.lists_parts_of(segment) {
        parts(out, timescale, segment.number, &segment.parts);
    }
    let duration = decimal(timescale.nanos(segment.duration));
    let _ = writeln!(out, "#EXTINF:{duration},\n{}.m4s", segment.number);
}

/// Appends what is known of what is not complete, and of other renditions.
fn edge(out: &mut String, media: &Media<'_>, low_latency: LowLatency<'_>, before: Option<&Era>) {
    if let Some(open) = media.open() {
        begin(out, media, before, &open.era, open.start, false);
        parts(out, media.window.timescale(), open.number, &open.parts);
    }
    if let Some(next) = low_latency.hint.filter(|&(number, _)| media.can_be_next(number)) {
        hint(out, next);
    }
    low_latency.reports(out);
}

impl<'a> Media<'a> {
    fn low_latency(&self) -> Option<LowLatency<'a>> {
        self.low_latency.filter(|_| self.kind == Kind::Live)
    }

    /// The number that an entry behind the last listed segment has, whatever it is called: entries are counted.
    fn due(&self) -> Option<i64> {
        self.window.segments().back().map(|last| last.number + 1)
    }

    /// The open segment, if it can be listed.
    fn open(&self) -> Option<&'a Open> {
        let open = self.low_latency()?.open.filter(|open| !open.parts.is_empty())?;
        self.due().is_none_or(|due| due == open.number).then_some(open)
    }

    /// True if the part that comes next can be one of segment `number`.
    fn can_be_next(&self, number: i64) -> bool {
        let Some(due) = self.due() else { return true };
        number == due || (number == due + 1 && self.open().is_some())
    }

    fn media_sequence(&self) -> i64 {
        let first = self.window.segments().front().map(|first| first.number);
        let hint = || self.low_latency()?.hint.map(|(number, _)| number);
        first.or_else(|| self.open().map(|open| open.number)).or_else(hint).unwrap_or(0)
    }

    /// Where the playlist ends: behind the last part, or the last segment.
    fn end(&self) -> Ticks {
        let last = || self.window.segments().back().map_or(0, Segment::end);
        self.open().map_or_else(last, Open::end)
    }

    /// The tick that lies `count` target durations before the end.
    fn before_end(&self, count: Ticks) -> Ticks {
        self.end() - count * Ticks::from(self.target_duration) * Ticks::from(self.window.timescale().hz())
    }

    /// True if a segment begins within the last three target durations: parts further away are to be removed (rfc8216bis
    /// 6.2.2), and a segment has all its parts or none. It must do so by a sixteenth of itself, so that tracks whose
    /// segments differ by a frame list parts of the same numbers, and no more than three entries have parts, the one
    /// that is being made included, where segments are as long as the target. As the end only moves on, parts that left
    /// do not return.
    fn lists_parts_of(&self, segment: &Segment) -> bool {
        let begin = self.before_end(PARTS) + segment.duration / 16;
        self.low_latency().is_some() && segment.start > begin
    }

    /// How many segments end at or before the skip boundary (rfc8216bis 4.4.3.8).
    fn skippable(&self) -> usize {
        if !self.kind.answers() {
            return 0;
        }
        let boundary = self.before_end(SKIP_BOUNDARY);
        self.window.segments().partition_point(|segment| segment.end() <= boundary)
    }

    /// How many segments lie behind all that is, or can again be, listed with parts.
    pub(super) fn past(&self) -> usize {
        let segments = self.window.segments();
        if self.low_latency().is_none() {
            return segments.len();
        }
        let begin = self.before_end(PARTS);
        segments.partition_point(|segment| segment.start <= begin)
    }
}

/// `ticks` since the Unix epoch as an ISO 8601 date with milliseconds.
fn date_time(timescale: Timescale, ticks: Ticks) -> String {
    let millis = (timescale.nanos(ticks) + 500_000).div_euclid(1_000_000) as i64;
    DateTime::<Utc>::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
