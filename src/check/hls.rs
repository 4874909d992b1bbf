//! Playlists as this checker reads them: exact durations, and all tags of low latency, which m3u8-rs leaves out.

mod attributes;
mod delta;
mod multivariant;
mod read;

use thiserror::Error;

use super::exact::{Date, Seconds};

pub(super) use self::{
    delta::merge,
    multivariant::{Named, renditions},
    read::read,
};

/// Why a playlist cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Error {
    #[error("it is not UTF-8 from byte {0} on")]
    NotText(usize),
    #[error("it begins with {0:?}; a playlist begins with #EXTM3U")]
    NotAPlaylist(String),
    #[error("line {line} {what}")]
    Line { line: usize, what: String },
    #[error("it has no EXT-X-TARGETDURATION")]
    NoTarget,
    #[error("it ends behind an EXTINF, before the segment's URI")]
    EndsInSegment,
    #[error("m3u8-rs cannot read it as a multivariant playlist: {0}")]
    Foreign(String),
    #[error("it names no rendition that can be followed")]
    NoRendition,
}

/// A media playlist.
#[derive(Clone, Debug, Default)]
pub(super) struct Playlist {
    pub(super) version: u64,
    /// EXT-X-TARGETDURATION in seconds.
    pub(super) target: u64,
    /// EXT-X-MEDIA-SEQUENCE.
    pub(super) sequence: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    pub(super) discontinuity_sequence: u64,
    pub(super) ended: bool,
    /// True where nothing ever leaves: PLAYLIST-TYPE is VOD or EVENT.
    pub(super) keeps_all: bool,
    pub(super) control: Option<Control>,
    /// PART-TARGET.
    pub(super) part_target: Option<Seconds>,
    /// EXT-X-SKIP: so many segments were left out at the start.
    pub(super) skipped: Option<u64>,
    /// Whole segments.
    pub(super) segments: Vec<Segment>,
    /// Parts of the segment that is being made.
    pub(super) open: Vec<Part>,
    /// EXT-X-MAP of the segment that is being made.
    pub(super) map: Option<Resource>,
    pub(super) hints: Vec<Hint>,
    pub(super) reports: Vec<Report>,
    /// True if the last line ends with a line feed.
    pub(super) terminated: bool,
}

/// EXT-X-SERVER-CONTROL.
#[derive(Clone, Debug, Default)]
pub(super) struct Control {
    pub(super) can_block_reload: bool,
    pub(super) can_skip_until: Option<Seconds>,
    pub(super) can_skip_dateranges: bool,
    pub(super) hold_back: Option<Seconds>,
    pub(super) part_hold_back: Option<Seconds>,
}

/// Bytes of a resource: length and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) offset: u64,
    /// Open to the end where a hint does not know it yet.
    pub(super) length: Option<u64>,
}

/// What a URI in a playlist names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) uri: String,
    pub(super) range: Option<Range>,
}

#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) resource: Resource,
    pub(super) duration: Seconds,
    /// EXT-X-DISCONTINUITY-SEQUENCE and the discontinuities since, with one in front of this segment.
    pub(super) discontinuities: u64,
    pub(super) gap: bool,
    /// Its own EXT-X-PROGRAM-DATE-TIME, if it has one.
    pub(super) date: Option<Date>,
    pub(super) map: Option<Resource>,
    /// True if whole segments are encrypted, so that nothing can be read in them.
    pub(super) sealed: bool,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) resource: Resource,
    pub(super) duration: Seconds,
    pub(super) independent: bool,
    pub(super) gap: bool,
}

/// EXT-X-PRELOAD-HINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// False for a map.
    pub(super) is_part: bool,
    pub(super) resource: Resource,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) uri: String,
    pub(super) last: Option<u64>,
}

/// The newest thing in a list: so many parts of segment `number`, which is not whole yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) number: u64,
    pub(super) parts: usize,
}

impl Playlist {
    /// The number of the segment behind the last whole one.
    pub(super) fn next_number(&self) -> u64 {
        self.sequence + self.skipped.unwrap_or(0) + self.segments.len() as u64
    }

    pub(super) fn edge(&self) -> Edge {
        Edge { number: self.next_number(), parts: self.open.len() }
    }

    pub(super) fn segment(&self, number: u64) -> Option<&Segment> {
        let first = self.segments.first()?.number;
        self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// True if it goes on.
    pub(super) fn is_live(&self) -> bool {
        !self.ended
    }

    /// True if it is one of low latency.
    pub(super) fn has_parts(&self) -> bool {
        self.part_target.is_some()
    }

    pub(super) fn can_block(&self) -> bool {
        self.is_live() && self.control.as_ref().is_some_and(|control| control.can_block_reload)
    }

    /// All durations of whole segments, in nanoseconds: what is called the duration of a list (rfc8216bis 6.2.2).
    pub(super) fn whole_duration(&self) -> i64 {
        self.segments.iter().map(|segment| segment.duration.nanos()).sum()
    }

    /// Nanoseconds to the end of the last part.
    pub(super) fn duration(&self) -> i64 {
        self.whole_duration() + self.open.iter().map(|part| part.duration.nanos()).sum::<i64>()
    }

    /// Nanoseconds since the Unix epoch at the end of the list with its open parts: as the last date says that is
    /// given, and as durations say from there on.
    pub(super) fn end_date(&self) -> Option<i64> {
        let from = self.segments.iter().rposition(|segment| segment.date.is_some())?;
        let behind = self.segments.get(from..)?;
        let date = behind.first()?.date?.nanos();
        let whole: i64 = behind.iter().map(|segment| segment.duration.nanos()).sum();
        Some(date + whole + self.open.iter().map(|part| part.duration.nanos()).sum::<i64>())
    }
}
