//! Periods and adaptation sets: a period for each era (ISO/IEC 23009-1 5.3.2, 5.3.3).

use std::collections::{BTreeSet, vec_deque};

use super::{
    Kind, Presentation, Representation, duration,
    low_latency::Numbered,
    nanos,
    representation::{Addressing, representation},
    xml::Element,
};
use crate::{
    codec::CodecConfig,
    track::{Audio, Track, Video},
    window::{Bandwidth, Era, Segment},
};

/// A track in a period: its position among all tracks, and its segments.
pub(super) struct Share<'a> {
    index: usize,
    pub(super) each: &'a Representation<'a>,
    segments: vec_deque::Iter<'a, Segment>,
    /// What they need.
    pub(super) era: &'a Era,
    /// What the track is there.
    pub(super) track: &'a Track,
    pub(super) bandwidth: Bandwidth,
}

/// All periods in which something is listed. A period begins where the era of any track does; its id and its start
/// follow from the number of that era's first segment, so that they stay when this segment is no longer listed.
pub(super) fn periods(presentation: &Presentation<'_>) -> Vec<Element> {
    let mut firsts: BTreeSet<i64> = presentation.eras().map(|era| era.first).collect();
    if presentation.low_latency().is_some() {
        hold_back_newest(presentation, &mut firsts);
    }
    let ends = firsts.iter().copied().skip(1).chain([i64::MAX]);
    let listed = firsts.iter().zip(ends).map(|(&first, end)| (first, shares(presentation, first, end)));
    listed
        .filter(|(_, shares)| !shares.is_empty())
        .enumerate()
        .map(|(index, (first, shares))| period(presentation, first, index == 0, &shares))
        .collect()
}

/// A period begins when every track has begun in it: it would lack those that come a moment later, and tracks do not
/// come back to a player that has seen a period without them.
fn hold_back_newest(presentation: &Presentation<'_>, firsts: &mut BTreeSet<i64>) {
    while let Some(&newest) = firsts.last().filter(|_| firsts.len() > 1) {
        if shares(presentation, newest, i64::MAX).len() == presentation.representations.len() {
            return;
        }
        firsts.remove(&newest);
    }
}

fn shares<'a>(presentation: &Presentation<'a>, first: i64, end: i64) -> Vec<Share<'a>> {
    let share = |(index, each): (usize, &'a Representation<'a>)| {
        let segments = each.window.numbered(first..end);
        let open = presentation.open(each).filter(|open| (first..end).contains(&open.number));
        let era = segments.clone().next().map(|first| &*first.era).or(open.map(|open| &*open.era))?;
        let configuration = each.configurations.get(&era.init);
        let track = configuration.map_or(each.track, |configuration| &configuration.track);
        let bandwidth = configuration.map_or(each.bandwidth, |configuration| configuration.bandwidth);
        Some(Share { index, each, segments, era, track, bandwidth })
    };
    presentation.representations.iter().enumerate().filter_map(share).collect()
}

fn period(presentation: &Presentation<'_>, first: i64, is_oldest: bool, shares: &[Share<'_>]) -> Element {
    // Where the period begins in media time, and where presentation time begins there.
    let line = i128::from(first.max(0)) * nanos(presentation.segment);
    let (start, zero) = match presentation.kind {
        Kind::Live { .. } => (line, 0),
        Kind::Growing { zero, .. } | Kind::Grown { zero } if is_oldest => (zero, zero),
        Kind::Growing { zero, .. } | Kind::Grown { zero } => (line, zero),
        Kind::LiveEnded if is_oldest => (presentation.start(), presentation.start()),
        Kind::LiveEnded => (line, presentation.start()),
        Kind::OnDemand => (0, 0),
    };
    let mut period = Element::new("Period")
        .attribute("id", format!("p{first}"))
        .attribute("start", duration(start - zero));
    let span = |set: &[&Share<'_>]| {
        let numbered = |low_latency| {
            let all = set.iter().map(|share| share.each);
            Numbered::new(low_latency, presentation.segment, first, all)
        };
        Span { start, numbered: presentation.low_latency().map(numbered) }
    };
    // Decoders cannot be switched between codecs as they are between rungs: each has its own set.
    let is_hevc = |share: &&Share<'_>| matches!(share.track.codec, CodecConfig::Hevc(_));
    let (hevc, avc): (Vec<_>, Vec<_>) =
        shares.iter().filter(|share| share.track.video().is_some()).partition(is_hevc);
    for set in [avc, hevc].into_iter().filter(|set| !set.is_empty()) {
        period = period.child(video_set(&set, &span(&set)));
    }
    for share in shares {
        if let Some(audio) = share.track.audio() {
            period = period.child(audio_set(audio, share, &span(&[share])));
        }
    }
    period
}

/// What the representations of an adaptation set have in common.
struct Span {
    /// Nanoseconds of media time at which the period begins.
    start: i128,
    /// In low latency, how they are addressed.
    numbered: Option<Numbered>,
}

impl Span {
    /// Adds what low latency wants to know of a set.
    fn describe(&self, set: Element, shares: &[&Share<'_>]) -> Element {
        let (Some(numbered), Some(first)) = (&self.numbered, shares.first()) else { return set };
        let time = |share: &&Share<'_>| {
            numbered.reference_time(share.index, share.each.window.timescale(), share.segments.clone())
        };
        let set = shares.iter().find_map(time).into_iter().fold(set, Element::child);
        set.child(numbered.resync(&first.track.media))
    }

    fn representation(&self, share: &Share<'_>) -> Element {
        let addressing = match &self.numbered {
            Some(numbered) => Addressing::Numbered(numbered),
            None => Addressing::Listed(share.segments.clone()),
        };
        representation(share, &addressing, self.start)
    }
}

fn adaptation_set(index: usize, content: &'static str, mime: &'static str) -> Element {
    Element::new("AdaptationSet")
        .attribute("id", index.to_string())
        .attribute("contentType", content)
        .attribute("mimeType", mime)
}

fn video_set(shares: &[&Share<'_>], span: &Span) -> Element {
    let videos = || shares.iter().filter_map(|share| share.track.video());
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
    let set = span.describe(set, shares);
    shares.iter().fold(set, |set, share| set.child(span.representation(share)))
}

fn picture_aspect(video: &Video) -> String {
    let (width, height) = (video.display_width(), video.height);
    let divisor = gcd(width, height).max(1);
    format!("{}:{}", width / divisor, height / divisor)
}

fn audio_set(audio: &Audio, share: &Share<'_>, span: &Span) -> Element {
    let role =
        Element::new("Role").attribute("schemeIdUri", "urn:mpeg:dash:role:2011").attribute("value", "main");
    let set = adaptation_set(share.index, "audio", "audio/mp4")
        .attribute("lang", audio.language_tag().unwrap_or("und").to_owned())
        .attribute("segmentAlignment", "true")
        .attribute("startWithSAP", "1");
    span.describe(set, &[share]).child(role).child(span.representation(share))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
