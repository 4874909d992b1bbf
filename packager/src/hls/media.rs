//! Media playlists (rfc8216bis 4.4.3, 4.4.4).

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};

use super::VERSION;
use crate::{
    time::{Ticks, Timescale},
    window::{Segment, Window},
};

/// What a media playlist is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes on; media time is Unix time.
    Live,
    /// It was live and has ended.
    LiveEnded,
    /// A file.
    OnDemand,
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
}

/// A media playlist. Its URIs are relative to it: `init-{hash}.mp4` and `{number}.m4s`.
pub fn media(media: &Media<'_>) -> String {
    let segments = media.window.segments();
    let mut out = String::with_capacity(256 + 128 * segments.len());
    head(&mut out, media);
    let before = std::iter::once(None).chain(segments.iter().map(Some));
    for (before, segment) in before.zip(segments) {
        list(&mut out, media, before, segment);
    }
    if media.kind != Kind::Live {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

fn head(out: &mut String, media: &Media<'_>) {
    let window = media.window;
    let _ =
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{}", media.target_duration);
    if media.kind == Kind::OnDemand {
        out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    }
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", window.media_sequence());
    // Without the tag it is 0 (rfc8216bis 4.4.3.3).
    if window.discontinuity_sequence() > 0 {
        let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", window.discontinuity_sequence());
    }
    out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
}

fn list(out: &mut String, media: &Media<'_>, before: Option<&Segment>, segment: &Segment) {
    let timescale = media.window.timescale();
    if before.is_some_and(|before| before.era != segment.era) {
        out.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if before.is_none_or(|before| before.era.init != segment.era.init) {
        let _ = writeln!(out, "#EXT-X-MAP:URI=\"{}\"", segment.era.init);
    }
    if media.kind != Kind::OnDemand {
        let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(timescale, segment.start));
    }
    let _ = writeln!(out, "#EXTINF:{},\n{}.m4s", seconds(timescale, segment.duration), segment.number);
}

/// `ticks` as a decimal number of seconds, to the nanosecond and without trailing zeros.
fn seconds(timescale: Timescale, ticks: Ticks) -> String {
    let nanos = timescale.nanos(ticks);
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    let short = text.trim_end_matches('0');
    // At least three decimals: what other packagers write, and some parsers expect a fraction.
    text[..short.len().max(text.len() - 6)].to_owned()
}

/// `ticks` since the Unix epoch as an ISO 8601 date with milliseconds.
fn date_time(timescale: Timescale, ticks: Ticks) -> String {
    let millis = (timescale.nanos(ticks) + 500_000).div_euclid(1_000_000) as i64;
    DateTime::<Utc>::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
