//! HLS: multivariant and media playlists (rfc8216bis).

use std::{fmt::Write, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    time::{Ticks, Timescale},
    track::{Audio, Track, Video},
    window::{Bandwidth, Segment, Window},
};

/// EXT-X-VERSION: EXT-X-MAP in a playlist without I-frames-only needs 6 (rfc8216bis 8).
const VERSION: u32 = 6;
const AUDIO_GROUP: &str = "audio";

/// A track in a multivariant playlist.
#[derive(Clone, Copy, Debug)]
pub struct Rendition<'a> {
    /// The track.
    pub track: &'a Track,
    /// What was measured of it.
    pub bandwidth: Bandwidth,
}

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

/// EXT-X-TARGETDURATION for segments that are at most this long, give or take a frame: no EXTINF, rounded to the
/// nearest second, is above it (rfc8216bis 4.4.3.1).
pub fn target_duration(longest: Duration) -> u32 {
    u32::try_from(longest.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1)
}

/// The multivariant playlist of a presentation. The playlist of a track is `{name}/index.m3u8`.
pub fn multivariant(renditions: &[Rendition<'_>]) -> String {
    let mut out = format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let audio: Vec<_> = renditions.iter().filter_map(|each| Some((each, each.track.audio()?))).collect();
    let video: Vec<_> = renditions.iter().filter_map(|each| Some((each, each.track.video()?))).collect();
    if video.is_empty() {
        audio.iter().for_each(|(rendition, _)| variant(&mut out, rendition, None, None));
        return out;
    }
    for (index, (rendition, properties)) in audio.iter().enumerate() {
        audio_rendition(&mut out, rendition.track, properties, index == 0);
    }
    let dearest =
        audio.iter().map(|(rendition, _)| *rendition).max_by_key(|rendition| rendition.bandwidth.peak);
    for (rendition, properties) in video {
        variant(&mut out, rendition, Some(properties), dearest);
    }
    out
}

fn audio_rendition(out: &mut String, track: &Track, audio: &Audio, default: bool) {
    let _ = write!(
        out,
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{AUDIO_GROUP}\",NAME=\"{}\"",
        language_name(&audio.language)
    );
    if audio.language != "und" {
        let _ = write!(out, ",LANGUAGE=\"{}\"", audio.language);
    }
    let default = if default { "YES" } else { "NO" };
    let _ = writeln!(
        out,
        ",DEFAULT={default},AUTOSELECT=YES,CHANNELS=\"{}\",URI=\"{}/index.m3u8\"",
        audio.channels, track.name
    );
}

fn variant(
    out: &mut String,
    rendition: &Rendition<'_>,
    video: Option<&Video>,
    audio: Option<&Rendition<'_>>,
) {
    let (own, other) = (rendition.bandwidth, audio.map(|audio| audio.bandwidth).unwrap_or_default());
    let _ = write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}",
        own.peak + other.peak,
        own.average + other.average
    );
    let mut codecs = rendition.track.codec.rfc6381();
    if let Some(audio) = audio {
        codecs = format!("{codecs},{}", audio.track.codec.rfc6381());
    }
    let _ = write!(out, ",CODECS=\"{codecs}\"");
    if let Some(video) = video {
        let _ = write!(out, ",RESOLUTION={}x{}", video.display_width(), video.height);
        if let Some(rate) = video.frame_rate {
            let _ = write!(out, ",FRAME-RATE={:.3}", rate.fps());
        }
    }
    if audio.is_some() {
        let _ = write!(out, ",AUDIO=\"{AUDIO_GROUP}\"");
    }
    let _ = writeln!(out, "\n{}/index.m3u8", rendition.track.name);
}

/// The name of a language in its own words, for a player's menu; the tag itself where we do not know it.
fn language_name(tag: &str) -> &str {
    match tag.split('-').next().unwrap_or(tag) {
        "und" => "Audio",
        "ar" => "العربية",
        "de" => "Deutsch",
        "en" => "English",
        "es" => "Español",
        "fr" => "Français",
        "hi" => "हिन्दी",
        "it" => "Italiano",
        "ja" => "日本語",
        "ko" => "한국어",
        "nl" => "Nederlands",
        "pl" => "Polski",
        "pt" => "Português",
        "ru" => "Русский",
        "tr" => "Türkçe",
        "zh" => "中文",
        _ => tag,
    }
}

/// A media playlist. Its URIs are relative to it: `init-{hash}.mp4` and `{number}.m4s`.
pub fn media(media: &Media<'_>) -> String {
    let window = media.window;
    let mut out = String::with_capacity(256 + 128 * window.segments().len());
    let _ =
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{}", media.target_duration);
    if media.kind == Kind::OnDemand {
        out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    }
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", window.media_sequence());
    if window.discontinuity_sequence() > 0 {
        let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", window.discontinuity_sequence());
    }
    out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    let mut before = None;
    for segment in window.segments() {
        list(&mut out, media, before, segment);
        before = Some(segment);
    }
    if media.kind != Kind::Live {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
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

/// `ticks` as a decimal number of seconds, exact to the nanosecond and without trailing zeros.
fn seconds(timescale: Timescale, ticks: Ticks) -> String {
    let nanos = timescale.nanos(ticks);
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    let short = text.trim_end_matches('0');
    // At least three decimals: what other packagers write, and some parsers expect a fraction.
    text[..short.len().max(text.len() - 6)].to_owned()
}

/// `ticks` since the Unix epoch as an ISO 8601 date with milliseconds.
fn date_time(timescale: Timescale, ticks: Ticks) -> String {
    let millis = timescale.nanos(ticks).div_euclid(1_000_000) as i64;
    DateTime::<Utc>::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
