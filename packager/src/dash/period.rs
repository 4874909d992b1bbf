//! Periods and adaptation sets: a period for each era (ISO/IEC 23009-1 5.3.2, 5.3.3).

use std::collections::BTreeSet;

use super::{
    Kind, Presentation, Representation, duration, nanos, representation::representation, xml::Element,
};
use crate::{
    codec::CodecConfig,
    track::{Audio, Video},
    window::Segment,
};

/// A track in a period: its position among all tracks, and its segments.
struct Share<'a> {
    index: usize,
    each: &'a Representation<'a>,
    segments: Vec<&'a Segment>,
}

/// All periods in which something is listed. A period begins where the era of any track does; its id and its start
/// follow from the number of that era's first segment, so that they stay when this segment is no longer listed.
pub(super) fn periods(presentation: &Presentation<'_>) -> Vec<Element> {
    let firsts: BTreeSet<i64> = presentation.segments().map(|(_, segment)| segment.era.first).collect();
    let ends = firsts.iter().copied().skip(1).chain([i64::MAX]);
    let listed = firsts.iter().zip(ends).map(|(&first, end)| (first, shares(presentation, first, end)));
    listed
        .filter(|(_, shares)| !shares.is_empty())
        .enumerate()
        .map(|(index, (first, shares))| period(presentation, first, index == 0, &shares))
        .collect()
}

fn shares<'a>(presentation: &Presentation<'a>, first: i64, end: i64) -> Vec<Share<'a>> {
    let share = |(index, each): (usize, &'a Representation<'a>)| {
        let all = each.window.segments().iter();
        Share {
            index,
            each,
            segments: all.filter(|segment| (first..end).contains(&segment.number)).collect(),
        }
    };
    let shares = presentation.representations.iter().enumerate().map(share);
    shares.filter(|share| !share.segments.is_empty()).collect()
}

fn period(presentation: &Presentation<'_>, first: i64, is_oldest: bool, shares: &[Share<'_>]) -> Element {
    // Where the period begins in media time, and where presentation time begins there.
    let line = i128::from(first.max(0)) * nanos(presentation.segment);
    let (start, zero) = match presentation.kind {
        Kind::Live { .. } => (line, 0),
        Kind::LiveEnded if is_oldest => (presentation.start(), presentation.start()),
        Kind::LiveEnded => (line, presentation.start()),
        Kind::OnDemand => (0, 0),
    };
    let mut period = Element::new("Period")
        .attribute("id", format!("p{first}"))
        .attribute("start", duration(start - zero));
    // Decoders cannot be switched between codecs as they are between rungs: each has its own set.
    let is_hevc = |share: &&Share<'_>| matches!(share.each.track.codec, CodecConfig::Hevc(_));
    let (hevc, avc): (Vec<_>, Vec<_>) =
        shares.iter().filter(|share| share.each.track.video().is_some()).partition(is_hevc);
    for set in [avc, hevc].into_iter().filter(|set| !set.is_empty()) {
        period = period.child(video_set(&set, start));
    }
    for share in shares {
        if let Some(audio) = share.each.track.audio() {
            period = period.child(audio_set(audio, share, start));
        }
    }
    period
}

fn adaptation_set(index: usize, content: &'static str, mime: &'static str) -> Element {
    Element::new("AdaptationSet")
        .attribute("id", index.to_string())
        .attribute("contentType", content)
        .attribute("mimeType", mime)
}

fn video_set(shares: &[&Share<'_>], start: i128) -> Element {
    let videos = || shares.iter().filter_map(|share| share.each.track.video());
    let index = shares.first().map_or(0, |first| first.index);
    let mut set = adaptation_set(index, "video", "video/mp4")
        .attribute("segmentAlignment", "true")
        .attribute("startWithSAP", "1");
    if let Some(largest) = videos().max_by_key(|video| video.height) {
        set = set
            .attribute("maxWidth", largest.width.to_string())
            .attribute("maxHeight", largest.height.to_string())
            .attribute("par", picture_aspect(largest));
    }
    let rates = videos().filter_map(|video| video.frame_rate);
    if let Some(fastest) = rates.max_by(|a, b| a.fps().total_cmp(&b.fps())) {
        set = set.attribute("maxFrameRate", fastest.to_string());
    }
    shares.iter().fold(set, |set, share| set.child(representation(share.each, &share.segments, start)))
}

fn picture_aspect(video: &Video) -> String {
    let (width, height) = (video.display_width(), video.height);
    let divisor = gcd(width, height).max(1);
    format!("{}:{}", width / divisor, height / divisor)
}

fn audio_set(audio: &Audio, share: &Share<'_>, start: i128) -> Element {
    let role =
        Element::new("Role").attribute("schemeIdUri", "urn:mpeg:dash:role:2011").attribute("value", "main");
    adaptation_set(share.index, "audio", "audio/mp4")
        .attribute("lang", audio.language_tag().unwrap_or("und").to_owned())
        .attribute("segmentAlignment", "true")
        .attribute("startWithSAP", "1")
        .child(role)
        .child(representation(share.each, &share.segments, start))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
