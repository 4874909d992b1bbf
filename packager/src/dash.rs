//! MPEG-DASH: the media presentation description (ISO/IEC 23009-1).

mod timeline;
mod xml;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    time::Timescale,
    track::{Audio, Media, Track, Video},
    window::{Bandwidth, Segment, Window},
};
use timeline::segment_timeline;
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
    },
    /// It was live and has ended: it plays from its first segment.
    LiveEnded,
    /// A file.
    OnDemand,
}

/// A media presentation.
#[derive(Clone, Copy, Debug)]
pub struct Presentation<'a> {
    /// All tracks.
    pub representations: &'a [Representation<'a>],
    /// What it is for.
    pub kind: Kind,
    /// How long segments are meant to be. `maxSegmentDuration` is that of the longest there is, if that is longer.
    pub segment: Duration,
}

/// The MPD. Its URLs are relative to it: `{track}/init-{hash}.mp4` and `{track}/{number}.m4s`.
pub fn mpd(presentation: &Presentation<'_>) -> String {
    let mut root = Element::new("MPD")
        .attribute("xmlns", "urn:mpeg:dash:schema:mpd:2011")
        .attribute("profiles", "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019");
    let longest = presentation.longest();
    root = match presentation.kind {
        Kind::Live { published_at, time_shift, delay } => root
            .attribute("type", "dynamic")
            .attribute("availabilityStartTime", "1970-01-01T00:00:00Z")
            .attribute("publishTime", date_time(published_at))
            .attribute("minimumUpdatePeriod", duration(presentation.segment.as_nanos() as i128))
            .attribute("timeShiftBufferDepth", duration(time_shift.as_nanos() as i128))
            .attribute("suggestedPresentationDelay", duration(delay.as_nanos() as i128)),
        Kind::LiveEnded | Kind::OnDemand => {
            let (start, end) = presentation.extent();
            root.attribute("type", "static").attribute("mediaPresentationDuration", duration(end - start))
        }
    };
    root = root
        .attribute("minBufferTime", duration(presentation.segment.as_nanos() as i128))
        .attribute("maxSegmentDuration", duration(longest));
    if let Kind::Live { delay, .. } = presentation.kind {
        root = root.child(service_description(delay));
    }
    for first in presentation.eras() {
        root = root.child(period(presentation, first));
    }
    if let Kind::Live { .. } = presentation.kind {
        root = root.child(
            Element::new("UTCTiming")
                .attribute("schemeIdUri", "urn:mpeg:dash:utc:http-iso:2014")
                .attribute("value", "/time"),
        );
    }
    root.document()
}

impl Presentation<'_> {
    fn segments(&self) -> impl Iterator<Item = (Timescale, &Segment)> {
        self.representations
            .iter()
            .flat_map(|each| each.window.segments().iter().map(|segment| (each.window.timescale(), segment)))
    }

    /// Nanoseconds of the longest segment of any track, and no less than meant.
    fn longest(&self) -> i128 {
        let longest = self.segments().map(|(timescale, segment)| timescale.nanos(segment.duration)).max();
        longest.unwrap_or(0).max(self.segment.as_nanos() as i128)
    }

    /// Nanoseconds from the start of the first segment to the end of the last one.
    fn extent(&self) -> (i128, i128) {
        let start = self.segments().map(|(timescale, segment)| timescale.nanos(segment.start)).min();
        let end =
            |(timescale, segment): (Timescale, &Segment)| timescale.nanos(segment.start + segment.duration);
        (start.unwrap_or(0), self.segments().map(end).max().unwrap_or(0))
    }

    /// First segment numbers of all eras of all tracks: where periods begin. The first period begins before all.
    fn eras(&self) -> Vec<i64> {
        let oldest = self.segments().map(|(_, segment)| segment.number).min().unwrap_or(0);
        let mut firsts: Vec<i64> =
            self.segments().map(|(_, segment)| segment.era.first.max(oldest)).collect();
        firsts.push(oldest);
        firsts.sort_unstable();
        firsts.dedup();
        firsts
    }

    /// Nanoseconds from the start of media time to the start of the period that begins with segment `first`.
    fn period_start(&self, first: i64) -> i128 {
        let oldest = self.eras().first().copied();
        if oldest == Some(first) {
            // In a live presentation media time is wall-clock time, and the first period has always been there.
            return if self.kind == Kind::LiveEnded { self.extent().0 } else { 0 };
        }
        let starts = self.segments().filter(|(_, segment)| segment.number == first);
        starts.map(|(timescale, segment)| timescale.nanos(segment.start)).min().unwrap_or(0)
    }
}

fn service_description(delay: Duration) -> Element {
    let millis = delay.as_millis();
    let latency = Element::new("Latency")
        .attribute("target", millis.to_string())
        .attribute("min", (millis / 2).to_string())
        .attribute("max", (millis * 2).to_string());
    let rate = Element::new("PlaybackRate").attribute("min", "0.96").attribute("max", "1.04");
    Element::new("ServiceDescription").attribute("id", "0").child(latency).child(rate)
}

fn period(presentation: &Presentation<'_>, first: i64) -> Element {
    let start = presentation.period_start(first);
    let until = presentation.eras().into_iter().find(|&other| other > first).unwrap_or(i64::MAX);
    let shown = if presentation.kind == Kind::LiveEnded { start - presentation.extent().0 } else { start };
    let mut period = Element::new("Period").attribute("id", format!("p{}", first_id(presentation, first)));
    period = period.attribute("start", duration(shown));
    let numbers = first..until;
    let parts: Vec<(&Representation<'_>, Vec<&Segment>)> = presentation
        .representations
        .iter()
        .map(|each| {
            (
                each,
                each.window.segments().iter().filter(|segment| numbers.contains(&segment.number)).collect(),
            )
        })
        .filter(|(_, segments): &(_, Vec<&Segment>)| !segments.is_empty())
        .collect();
    let video: Vec<_> = parts.iter().filter(|(each, _)| each.track.video().is_some()).collect();
    if !video.is_empty() {
        let mut set = video_set(video.iter().filter_map(|(each, _)| each.track.video()));
        for (each, segments) in video {
            set = set.child(representation(each, segments, start));
        }
        period = period.child(set);
    }
    for (index, (each, segments)) in parts.iter().filter(|(each, _)| each.track.audio().is_some()).enumerate()
    {
        if let Some(audio) = each.track.audio() {
            period = period.child(audio_set(audio, index + 1).child(representation(each, segments, start)));
        }
    }
    period
}

/// A period keeps its id while it is in the MPD: the oldest one is named for its era, not for the segment that
/// happens to be its first now.
fn first_id(presentation: &Presentation<'_>, first: i64) -> i64 {
    let of_era = presentation.segments().find(|(_, segment)| segment.number == first);
    of_era.map_or(first, |(_, segment)| segment.era.first)
}

fn video_set<'a>(videos: impl Iterator<Item = &'a Video> + Clone) -> Element {
    let mut set = Element::new("AdaptationSet")
        .attribute("id", "0")
        .attribute("contentType", "video")
        .attribute("mimeType", "video/mp4")
        .attribute("segmentAlignment", "true")
        .attribute("startWithSAP", "1");
    if let Some(largest) = videos.clone().max_by_key(|video| video.height) {
        let (width, height) = (largest.display_width(), largest.height);
        let divisor = gcd(width, height).max(1);
        set = set
            .attribute("maxWidth", largest.width.to_string())
            .attribute("maxHeight", height.to_string())
            .attribute("par", format!("{}:{}", width / divisor, height / divisor));
    }
    let fastest = videos.filter_map(|video| video.frame_rate).max_by(|a, b| a.fps().total_cmp(&b.fps()));
    fastest.into_iter().fold(set, |set, rate| set.attribute("maxFrameRate", rate.to_string()))
}

fn audio_set(audio: &Audio, id: usize) -> Element {
    let role =
        Element::new("Role").attribute("schemeIdUri", "urn:mpeg:dash:role:2011").attribute("value", "main");
    let mut set =
        Element::new("AdaptationSet").attribute("id", id.to_string()).attribute("contentType", "audio");
    set = set.attribute("mimeType", "audio/mp4").attribute("lang", audio.language.clone());
    set.attribute("segmentAlignment", "true").attribute("startWithSAP", "1").child(role)
}

fn representation(each: &Representation<'_>, segments: &[&Segment], period_start: i128) -> Element {
    let Track { name, codec, media, .. } = each.track;
    let bandwidth = each.bandwidth.peak.max(1);
    let element = Element::new("Representation")
        .attribute("id", name.clone())
        .attribute("bandwidth", bandwidth.to_string())
        .attribute("codecs", codec.rfc6381());
    let element = match media {
        Media::Video(video) => {
            let element = element
                .attribute("width", video.width.to_string())
                .attribute("height", video.height.to_string())
                .attribute("sar", format!("{}:{}", video.sample_aspect.0, video.sample_aspect.1));
            video
                .frame_rate
                .into_iter()
                .fold(element, |element, rate| element.attribute("frameRate", rate.to_string()))
        }
        Media::Audio(audio) => element.attribute("audioSamplingRate", audio.sample_rate.to_string()).child(
            Element::new("AudioChannelConfiguration")
                .attribute("schemeIdUri", "urn:mpeg:dash:23003:3:audio_channel_configuration:2011")
                .attribute("value", audio.channels.to_string()),
        ),
    };
    element.child(template(each, segments, period_start))
}

fn template(each: &Representation<'_>, segments: &[&Segment], period_start: i128) -> Element {
    let timescale = each.window.timescale();
    let name = &each.track.name;
    let mut template = Element::new("SegmentTemplate").attribute("timescale", timescale.hz().to_string());
    // An edit list applies before this offset (ISO/IEC 23009-1 5.3.9.2.2), so it does not count here.
    let offset = timescale.floor(period_start);
    if offset != 0 {
        template = template.attribute("presentationTimeOffset", offset.to_string());
    }
    if let Some(first) = segments.first() {
        template = template
            .attribute("initialization", format!("{name}/{}", first.era.init))
            .attribute("media", format!("{name}/$Number$.m4s"))
            .attribute("startNumber", first.number.to_string());
    }
    template.child(segment_timeline(segments))
}

/// Nanoseconds since the Unix epoch as an xs:dateTime in milliseconds.
fn date_time(nanos: i128) -> String {
    DateTime::<Utc>::from_timestamp_millis(nanos.div_euclid(1_000_000) as i64)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Nanoseconds as an xs:duration, rounded up to the microsecond: a limit is never stated too short.
fn duration(nanos: i128) -> String {
    let micros = -(-nanos).div_euclid(1000);
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    format!("PT{}S", text.trim_end_matches('0').trim_end_matches('.'))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
