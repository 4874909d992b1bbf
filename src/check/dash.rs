//! MPDs as this checker reads them (ISO/IEC 23009-1): templates by number or time, and what low latency adds.

mod read;
mod template;

use reqwest::Url;
use thiserror::Error;

use super::exact::Date;

pub(super) use self::read::read;

/// Why an MPD cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Error {
    #[error("it is no XML: {0}")]
    Xml(String),
    #[error("its root is {0}, not MPD")]
    Root(String),
    #[error("{element}@{attribute} is {value:?}, which cannot be read")]
    Attribute { element: String, attribute: String, value: String },
    #[error("a dynamic MPD has no availabilityStartTime")]
    NoStart,
}

/// A media presentation description.
#[derive(Clone, Debug)]
pub(super) struct Mpd {
    pub(super) is_dynamic: bool,
    /// availabilityStartTime in nanoseconds since the Unix epoch.
    pub(super) start: i64,
    pub(super) published: Option<Date>,
    /// Nanoseconds.
    pub(super) update_period: Option<i64>,
    pub(super) time_shift: Option<i64>,
    pub(super) has_service_description: bool,
    pub(super) clocks: Vec<Clock>,
    pub(super) representations: Vec<Representation>,
}

/// UTCTiming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) scheme: String,
    pub(super) value: String,
    /// What a URL in `value` is relative to.
    pub(super) base: Url,
}

/// A Representation in a Period, with all that it inherits.
#[derive(Clone, Debug)]
pub(super) struct Representation {
    /// Of its Period: `@id`, else its index.
    pub(super) period: String,
    /// Period@start in nanoseconds.
    pub(super) period_start: i64,
    pub(super) period_duration: Option<i64>,
    /// Index of its AdaptationSet in the Period.
    pub(super) set: usize,
    pub(super) id: String,
    pub(super) bandwidth: u64,
    pub(super) base: Url,
    /// Nanoseconds by which segments can be asked for early; `i64::MAX` for `INF`.
    pub(super) early: i64,
    /// availabilityTimeComplete.
    pub(super) complete: bool,
    pub(super) reference_times: Vec<ReferenceTime>,
    pub(super) has_resync: bool,
    /// `None` where segments are not addressed by a template.
    pub(super) template: Option<Template>,
}

/// ProducerReferenceTime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReferenceTime {
    pub(super) inband: bool,
    /// Nanoseconds since the Unix epoch.
    pub(super) wall_clock: i64,
    /// In the representation's timescale.
    pub(super) presentation_time: i64,
}

/// SegmentTemplate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) timescale: u32,
    /// presentationTimeOffset: media time at the start of the Period.
    pub(super) offset: i64,
    pub(super) first_number: u64,
    pub(super) init: Option<String>,
    pub(super) media: String,
    pub(super) segments: Segments,
}

/// How a template's segments are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segments {
    /// SegmentTimeline: each is listed.
    Timeline(Vec<Entry>),
    /// `@duration` in ticks: they follow from the clock.
    Every(i64),
}

/// One segment of a SegmentTimeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) time: i64,
    pub(super) duration: i64,
}
