//! MPEG-DASH: the media presentation description (ISO/IEC 23009-1).

mod low_latency;
mod period;
mod representation;
mod timeline;
mod xml;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    track::{Configurations, Track},
    window::{Bandwidth, Era, Open, Window},
};
pub use low_latency::LowLatency;
use xml::Element;

/// A track in an MPD.
#[derive(Clone, Copy, Debug)]
pub struct Representation<'a> {
    /// The track.
    pub track: &'a Track,
    /// Its segments.
    pub window: &'a Window,
    /// Its bit rates.
    pub bandwidth: Bandwidth,
    /// The segment that is being made, in low latency: a period may begin with it.
    pub open: Option<&'a Open>,
    /// What it is in other periods.
    pub configurations: &'a Configurations,
}

/// What an MPD is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes on; media time is Unix time.
    Live {
        /// When it was made, in nanoseconds since the Unix epoch.
        published_at: i128,
        /// How much of the past can be fetched.
        time_shift: Duration,
        /// How far behind the live edge a player should stay.
        delay: Duration,
        /// Set if segments can be fetched while they are being made.
        low_latency: Option<LowLatency>,
    },
    /// It begins at some moment of a live presentation and goes on; nothing leaves it. Presentation time counts from `zero`,
    /// as it does when it has ended.
    Growing {
        /// When it was made, in nanoseconds since the Unix epoch.
        published_at: i128,
        /// Where it begins, in nanoseconds since the Unix epoch: the same in every version.
        zero: i128,
        /// How far behind the live edge a player should stay.
        delay: Duration,
    },
    /// It has grown to its end, and may have lost its beginning: presentation time counts from `zero`.
    Grown {
        /// As in [`Kind::Growing`].
        zero: i128,
    },
    /// It was live and has ended: it plays from its first segment.
    LiveEnded,
    /// A file: media time is presentation time.
    OnDemand,
}

/// A media presentation.
#[derive(Clone, Copy, Debug)]
pub struct Presentation<'a> {
    /// All tracks. The position of a track here is its adaptation set's id: keep it.
    pub representations: &'a [Representation<'a>],
    /// What it is for.
    pub kind: Kind,
    /// Segment duration: of the grid in a live presentation, whose periods begin on its lines, otherwise roughly.
    /// `maxSegmentDuration` is that of the longest segment there is, if that is longer.
    pub segment: Duration,
}

/// The MPD. Its URLs are relative to it: `{track}/init-{hash}.mp4` and `{track}/{number}.m4s`.
pub fn mpd(presentation: &Presentation<'_>) -> String {
    document(presentation, utc_timing())
}

/// The MPD as it lies in a store as `manifest.mpd`, where nobody tells the time but by the date of an answer (ISO/IEC 23009-1
/// 5.8.5.7; RFC 9110 6.6.1).
pub fn stored_mpd(presentation: &Presentation<'_>) -> String {
    let by_date = Element::new("UTCTiming")
        .attribute("schemeIdUri", "urn:mpeg:dash:utc:http-head:2014")
        .attribute("value", "manifest.mpd");
    document(presentation, by_date)
}

fn document(presentation: &Presentation<'_>, timing: Element) -> String {
    let segment = nanos(presentation.segment);
    let mut root = Element::new("MPD")
        .attribute("xmlns", "urn:mpeg:dash:schema:mpd:2011")
        .attribute("profiles", "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019");
    let buffer = presentation.low_latency().map_or(segment, |low_latency| nanos(low_latency.part_target));
    root = presence(presentation, root)
        .attribute("minBufferTime", duration(buffer))
        .attribute("maxSegmentDuration", duration(presentation.longest().max(segment)));
    if let Kind::Live { delay, .. } | Kind::Growing { delay, .. } = presentation.kind {
        root = root.child(service_description(delay, presentation.reference()));
    }
    root = period::periods(presentation).into_iter().fold(root, Element::child);
    if let Kind::Live { .. } | Kind::Growing { .. } = presentation.kind {
        root = root.child(timing);
    }
    root.document()
}

/// When there is what.
fn presence(presentation: &Presentation<'_>, root: Element) -> Element {
    // Unix time is media time, in every version of the document (ISO/IEC 23009-1 5.4.1: it must not change).
    const START: (&str, &str) = ("availabilityStartTime", "1970-01-01T00:00:00Z");
    match presentation.kind {
        Kind::Live { published_at, time_shift, delay, low_latency } => {
            let root = root
                .attribute("type", "dynamic")
                .attribute(START.0, START.1)
                .attribute("publishTime", date_time(published_at))
                .attribute("minimumUpdatePeriod", duration(nanos(presentation.segment)))
                .attribute("timeShiftBufferDepth", duration(nanos(time_shift)));
            match low_latency {
                // Latency@target says it in low latency. shaka-player 5 stays behind by the sum of both: 2.7 s for 1.4.
                Some(_) => root,
                None => root.attribute("suggestedPresentationDelay", duration(nanos(delay))),
            }
        }
        // Without timeShiftBufferDepth all of it stays (ISO/IEC 23009-1 5.3.1.2). Rounded down: nothing comes later than told.
        Kind::Growing { published_at, zero, delay } => root
            .attribute("type", "dynamic")
            .attribute(START.0, date_time(zero))
            .attribute("publishTime", date_time(published_at))
            .attribute("minimumUpdatePeriod", duration(nanos(presentation.segment)))
            .attribute("suggestedPresentationDelay", duration(nanos(delay))),
        Kind::Grown { zero } => root
            .attribute("type", "static")
            .attribute(START.0, date_time(zero))
            .attribute("mediaPresentationDuration", duration(presentation.end() - zero)),
        Kind::LiveEnded => root
            .attribute("type", "static")
            .attribute(START.0, START.1)
            .attribute("mediaPresentationDuration", duration(presentation.end() - presentation.start())),
        Kind::OnDemand => root
            .attribute("type", "static")
            .attribute("mediaPresentationDuration", duration(presentation.end())),
    }
}

impl<'a> Presentation<'a> {
    fn windows(&self) -> impl Iterator<Item = &'a Window> {
        self.representations.iter().map(|each| each.window)
    }

    /// The eras of all segments that are listed or begun.
    fn eras(&self) -> impl Iterator<Item = &'a Era> {
        let begun = self.representations.iter().filter_map(|each| self.open(each)).map(|open| &*open.era);
        self.windows().flat_map(Window::eras).chain(begun)
    }

    fn low_latency(&self) -> Option<LowLatency> {
        match self.kind {
            Kind::Live { low_latency, .. } => low_latency,
            _ => None,
        }
    }

    /// The segment of a track that is being made, if players may ask for it.
    fn open(&self, each: &Representation<'a>) -> Option<&'a Open> {
        each.open.filter(|open| self.low_latency().is_some() && !open.parts.is_empty())
    }

    /// The ProducerReferenceTime to which the latency refers, if there is one: that of the first track.
    fn reference(&self) -> Option<String> {
        self.low_latency().filter(|it| it.from_capture)?;
        self.windows().position(Window::is_captured).map(low_latency::reference)
    }

    /// Nanoseconds of the longest segment of any track.
    fn longest(&self) -> i128 {
        self.windows().map(|window| window.timescale().nanos(window.longest())).max().unwrap_or(0)
    }

    /// Nanoseconds of media time before the first segment of any track.
    fn start(&self) -> i128 {
        let start = |window: &Window| Some(window.timescale().nanos(window.segments().front()?.start));
        self.windows().filter_map(start).min().unwrap_or(0)
    }

    /// Nanoseconds of presentation time until the end of the last segment of any track.
    fn end(&self) -> i128 {
        let end = |each: &Representation<'_>| {
            let last = each.window.segments().back()?;
            Some(each.window.timescale().nanos(last.end() - each.track.edit_start))
        };
        self.representations.iter().filter_map(end).max().unwrap_or(0)
    }
}

fn service_description(delay: Duration, reference: Option<String>) -> Element {
    let millis = delay.as_millis();
    let mut latency = Element::new("Latency");
    if let Some(reference) = reference {
        // From capture on, not from what a player takes for the live edge (ISO/IEC 23009-1 annex K).
        latency = latency.attribute("referenceId", reference);
    }
    let latency = latency
        .attribute("target", millis.to_string())
        .attribute("min", (millis / 2).to_string())
        .attribute("max", (millis * 2).to_string());
    let rate = Element::new("PlaybackRate").attribute("min", "0.96").attribute("max", "1.04");
    Element::new("ServiceDescription").attribute("id", "0").child(latency).child(rate)
}

fn utc_timing() -> Element {
    Element::new("UTCTiming")
        .attribute("schemeIdUri", "urn:mpeg:dash:utc:http-iso:2014")
        .attribute("value", "/time")
}

/// Nanoseconds since the Unix epoch as an xs:dateTime in milliseconds.
fn date_time(nanos: i128) -> String {
    DateTime::<Utc>::from_timestamp_millis(nanos.div_euclid(1_000_000) as i64)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Nanoseconds as an xs:duration, rounded up to the microsecond: a limit is never stated too short.
fn duration(nanos: i128) -> String {
    let micros = -(-nanos.max(0)).div_euclid(1000);
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    format!("PT{}S", text.trim_end_matches('0').trim_end_matches('.'))
}

fn nanos(duration: Duration) -> i128 {
    duration.as_nanos() as i128
}
