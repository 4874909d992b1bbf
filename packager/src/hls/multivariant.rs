//! The multivariant playlist (rfc8216bis 4.4.6).

use std::{collections::BTreeSet, fmt::Write};

use super::{VERSION, language};
use crate::{
    track::{Configurations, Track, Video},
    window::Bandwidth,
};

const GROUP: &str = "audio";

/// A track in a multivariant playlist.
#[derive(Clone, Copy, Debug)]
pub struct Rendition<'a> {
    /// The track.
    pub track: &'a Track,
    /// What was measured of it.
    pub bandwidth: Bandwidth,
    /// What it is in its segments, if that is not always what it is now.
    pub configurations: &'a Configurations,
}

impl<'a> Rendition<'a> {
    /// All that it is in its segments.
    fn tracks(&self) -> impl Iterator<Item = &'a Track> + Clone {
        let now = self.configurations.is_empty().then_some(self.track);
        self.configurations.values().map(|configuration| &*configuration.track).chain(now)
    }

    /// The formats of all its segments (rfc8216bis 4.4.6.2).
    fn codecs(&self) -> BTreeSet<String> {
        self.tracks().map(|track| track.codec.rfc6381()).collect()
    }
}

/// The multivariant playlist of a presentation. The playlist of a track is `{name}/index.m3u8`.
pub fn multivariant(renditions: &[Rendition<'_>]) -> String {
    multivariant_with(renditions, "")
}

/// The same for a part of the presentation, whose media playlists are asked for with this `query`: nothing, or a question
/// mark and parameters, which have no quotes in them.
pub fn multivariant_with(renditions: &[Rendition<'_>], query: &str) -> String {
    let mut out = format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let (video, audio): (Vec<_>, Vec<_>) =
        renditions.iter().partition(|rendition| rendition.track.video().is_some());
    if video.is_empty() {
        audio_only(&mut out, &audio, query);
        return out;
    }
    audio_group(&mut out, &audio, query);
    let group = Group::of(&audio);
    video.into_iter().for_each(|rendition| variant(&mut out, rendition, group.as_ref(), query));
    out
}

/// Without pictures the sound is the variant. Several languages are a group all the same: a player chooses between
/// variants by itself, but between languages only when it is told to.
fn audio_only(out: &mut String, audio: &[&Rendition<'_>], query: &str) {
    let language = |rendition: &Rendition<'_>| rendition.track.audio().map(|audio| audio.language.clone());
    let first = audio.first().and_then(|first| language(first));
    if audio.iter().all(|rendition| language(rendition) == first) {
        return audio.iter().for_each(|rendition| variant(out, rendition, None, query));
    }
    audio_group(out, audio, query);
    if let (Some(first), Some(group)) = (audio.first(), Group::of(audio)) {
        // What is played besides the group is the group's default itself: it is counted once.
        let bandwidth = Bandwidth::default();
        variant(out, &Rendition { bandwidth, ..**first }, Some(&group), query);
    }
}

/// EXT-X-MEDIA tags. Names are unique in a group, and so is the language among those that a player may select by
/// itself (rfc8216bis 4.4.6.1.1).
fn audio_group(out: &mut String, audio: &[&Rendition<'_>], query: &str) {
    let mut names: Vec<&str> = Vec::new();
    for rendition in audio {
        let Some(properties) = rendition.track.audio() else { continue };
        let tag = properties.language_tag();
        let name = language::name(tag);
        names.push(name);
        let default = names.len() == 1;
        let nth = names.iter().filter(|other| **other == name).count();
        let _ = write!(out, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{GROUP}\",NAME=\"{name}");
        if nth > 1 {
            let _ = write!(out, " {nth}");
        }
        out.push('"');
        if let Some(tag) = tag {
            let _ = write!(out, ",LANGUAGE=\"{tag}\"");
        }
        let _ = write!(out, ",DEFAULT={},AUTOSELECT={}", yes_no(default), yes_no(nth == 1));
        // The most that there are in any segment (rfc8216bis 4.4.6.1).
        let channels =
            rendition.tracks().filter_map(|track| Some(track.audio()?.channels)).max().unwrap_or(0);
        let _ =
            writeln!(out, ",CHANNELS=\"{}\",URI=\"{}/index.m3u8{query}\"", channels, rendition.track.name);
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "YES" } else { "NO" }
}

/// What an audio group adds to each variant.
struct Group {
    /// Of the dearest rendition: a player may choose any.
    bandwidth: Bandwidth,
    codecs: BTreeSet<String>,
}

impl Group {
    fn of(audio: &[&Rendition<'_>]) -> Option<Self> {
        let peak = audio.iter().map(|rendition| rendition.bandwidth.peak).max()?;
        let average = audio.iter().map(|rendition| rendition.bandwidth.average).max()?;
        let codecs = audio.iter().flat_map(|rendition| rendition.codecs()).collect();
        Some(Self { bandwidth: Bandwidth { peak, average }, codecs })
    }
}

fn variant(out: &mut String, rendition: &Rendition<'_>, group: Option<&Group>, query: &str) {
    let (own, other) = (rendition.bandwidth, group.map(|group| group.bandwidth).unwrap_or_default());
    let _ = write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}",
        own.peak + other.peak,
        own.average + other.average
    );
    let own_codecs = rendition.codecs();
    let others = group.into_iter().flat_map(|group| group.codecs.difference(&own_codecs));
    let codecs: Vec<_> = own_codecs.iter().chain(others).map(String::as_str).collect();
    let _ = write!(out, ",CODECS=\"{}\"", codecs.join(","));
    picture(out, rendition.tracks().filter_map(Track::video));
    if group.is_some() {
        let _ = write!(out, ",AUDIO=\"{GROUP}\"");
    }
    let _ = writeln!(out, "\n{}/index.m3u8{query}", rendition.track.name);
}

/// The largest of the pictures, and the highest rate of any (rfc8216bis 4.4.6.2).
fn picture<'a>(out: &mut String, videos: impl Iterator<Item = &'a Video> + Clone) {
    if let Some(video) = videos.clone().max_by_key(|video| (video.height, video.display_width())) {
        let _ = write!(out, ",RESOLUTION={}x{}", video.display_width(), video.height);
    }
    let rates = videos.filter_map(|video| video.frame_rate);
    if let Some(rate) = rates.max_by(|a, b| a.fps().total_cmp(&b.fps())) {
        let _ = write!(out, ",FRAME-RATE={:.3}", rate.fps());
    }
}
