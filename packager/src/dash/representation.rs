//! Representations and their segment templates (ISO/IEC 23009-1 5.3.5, 5.3.9).

use std::collections::vec_deque;

use super::{Representation, low_latency::Numbered, period::Share, timeline::segment_timeline, xml::Element};
use crate::{
    track::{Audio, Media, Track, Video},
    window::{Era, Segment},
};

/// How a player finds the segments of a track.
pub(super) enum Addressing<'a> {
    /// Each is listed with its ticks.
    Listed(vec_deque::Iter<'a, Segment>),
    /// By number, every segment duration one.
    Numbered(&'a Numbered),
}

/// A track in a period that begins at `period_start` nanoseconds of media time.
pub(super) fn representation(share: &Share<'_>, addressing: &Addressing<'_>, period_start: i128) -> Element {
    let &Share { each, era, track, bandwidth, .. } = share;
    let Track { name, codec, media, .. } = track;
    let element = Element::new("Representation")
        .attribute("id", name.clone())
        .attribute("bandwidth", bandwidth.peak.max(1).to_string())
        .attribute("codecs", codec.rfc6381());
    let element = match media {
        Media::Video(video) => picture(element, video),
        Media::Audio(audio) => sound(element, audio),
    };
    element.child(match addressing {
        Addressing::Listed(segments) => template(each, era, segments.clone(), period_start),
        Addressing::Numbered(numbered) => numbered.template(name, era, period_start),
    })
}

fn picture(element: Element, video: &Video) -> Element {
    let element = element
        .attribute("width", video.width.to_string())
        .attribute("height", video.height.to_string())
        .attribute("sar", format!("{}:{}", video.sample_aspect.0, video.sample_aspect.1));
    match video.frame_rate {
        Some(rate) => element.attribute("frameRate", rate.to_string()),
        None => element,
    }
}

fn sound(element: Element, audio: &Audio) -> Element {
    // ChannelConfiguration 7 is the one with eight channels (ISO/IEC 14496-3 table 1.19).
    let configuration = if audio.channels == 8 { 7 } else { audio.channels };
    element.attribute("audioSamplingRate", audio.sample_rate.to_string()).child(
        Element::new("AudioChannelConfiguration")
            .attribute("schemeIdUri", "urn:mpeg:dash:23003:3:audio_channel_configuration:2011")
            .attribute("value", configuration.to_string()),
    )
}

fn template(
    each: &Representation<'_>,
    era: &Era,
    segments: vec_deque::Iter<'_, Segment>,
    period_start: i128,
) -> Element {
    let timescale = each.window.timescale();
    let name = &each.track.name;
    let mut template = Element::new("SegmentTemplate").attribute("timescale", timescale.hz().to_string());
    // The line itself, not the first sample behind it: tracks stay in sync. An edit list has been applied before this
    // counts (ISO/IEC 23009-1 7.2.1), so priming is no part of it.
    let offset = timescale.floor(period_start);
    if offset != 0 {
        template = template.attribute("presentationTimeOffset", offset.to_string());
    }
    if let Some(first) = segments.clone().next() {
        template = template
            .attribute("initialization", format!("{name}/{}", era.init))
            .attribute("media", format!("{name}/$Number$.m4s"))
            .attribute("startNumber", first.number.to_string());
    }
    template.child(segment_timeline(segments))
}
