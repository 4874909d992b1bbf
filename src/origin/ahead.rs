//! What of a track can be had now, what comes soon enough to wait for it, and what does not. Pure.

use std::sync::Arc;

use super::{error::HttpError, refusal::Refusal, route::Directives};
use crate::channel::edge::{Body, Document, Head, Playlist, Segment, TrackEdge};

/// How a track answers a request at one moment.
#[derive(Debug, PartialEq)]
pub enum Outlook<T> {
    /// Here it is.
    Now(T),
    /// It comes soon.
    Soon,
    /// It does not.
    No(HttpError),
}

impl<T> Outlook<T> {
    /// What is here.
    pub fn now(self) -> Option<T> {
        match self {
            Self::Now(found) => Some(found),
            Self::Soon | Self::No(_) => None,
        }
    }
}

/// What a segment's URL leads to.
#[derive(Debug, PartialEq)]
pub enum Media {
    /// All of it.
    Whole(Arc<Body>),
    /// It is being made, and can be sent as it grows.
    Growing,
    /// It is in the store only.
    Stored,
}

/// A segment that is this far behind the newest is waited for.
const LOOK_AHEAD: i64 = 1;
/// rfc8216bis 6.2.5.2: further ahead than this many segments behind the last, a client is mistaken.
pub(super) const FARTHEST_SEGMENT: i64 = 2;

/// The playlist that satisfies `directives` (rfc8216bis 6.2.5.2); `Soon` without them too, while there is none.
pub fn playlist(track: &TrackEdge, directives: Directives) -> Outlook<Arc<Document>> {
    let (Some(playlist), Some(head)) = (&track.playlist, track.head) else { return Outlook::Soon };
    let Some(msn) = directives.msn else { return Outlook::Now(form(playlist, directives.skip)) };
    if track.ended {
        return Outlook::Now(form(playlist, directives.skip));
    }
    let Ok(msn) = i64::try_from(msn) else { return Outlook::No(Refusal::TooFarAhead.into()) };
    if is_too_far(track, head, msn, directives.part) {
        return Outlook::No(Refusal::TooFarAhead.into());
    }
    match lists(track, head, msn, directives.part) {
        true => Outlook::Now(form(playlist, directives.skip)),
        false => Outlook::Soon,
    }
}

fn form(playlist: &Playlist, skip: bool) -> Arc<Document> {
    let delta = playlist.delta.as_ref().filter(|_| skip);
    delta.unwrap_or(&playlist.whole).clone()
}

fn is_too_far(track: &TrackEdge, head: Head, msn: i64, part: Option<u64>) -> bool {
    if msn > head.last.saturating_add(FARTHEST_SEGMENT) {
        return true;
    }
    // Without parts one that is asked for means the first of the next segment, wherever that begins.
    let (Some(part), Some(parts)) = (part, track.low_latency) else { return false };
    let listed = if msn == head.last + 1 { u64::from(head.parts) } else { 0 };
    // The Advance Part Limit: three seconds of parts, or three if they are longer than a second.
    let limit = (3.0 / parts.part_target.as_secs_f64().min(1.0)).floor() as u64;
    msn > head.last && part >= listed + limit
}

/// True if the playlist lists this segment or part, or a later one.
fn lists(track: &TrackEdge, head: Head, msn: i64, part: Option<u64>) -> bool {
    let Some(part) = part else { return msn <= head.last };
    if msn > head.last {
        return msn == head.last + 1 && part < u64::from(head.parts);
    }
    let parts =
        track.segments.get(&msn).filter(|segment| segment.has_parts).map(|segment| segment.chunks.len());
    // A part behind the last of its segment is the first of the next one.
    msn < head.last || head.parts > 0 || parts.is_none_or(|parts| part < parts as u64)
}

/// Segment `number`. Numbers are places in time (ARCHITECTURE.md), so what lies before all that is kept is past for good.
pub fn segment(track: &TrackEdge, number: i64) -> Outlook<Media> {
    if let Some(segment) = track.segments.get(&number) {
        return match &segment.whole {
            Some(whole) if segment.settled => Outlook::Now(Media::Whole(whole.clone())),
            // Its end waits for the store, which takes milliseconds.
            Some(_) => Outlook::Soon,
            None => Outlook::Now(Media::Growing),
        };
    }
    if track.stored.as_ref().is_some_and(|stored| stored.contains(&number)) {
        return Outlook::Now(Media::Stored);
    }
    let kept = track.stored.as_ref().map(|stored| *stored.start());
    let first = track.segments.first_key_value().map(|(number, _)| *number);
    match is_next(track, number) {
        true => Outlook::Soon,
        false if kept.into_iter().chain(first).min().is_some_and(|oldest| number < oldest) => {
            Outlook::No(Refusal::SegmentGone.into())
        }
        false => Outlook::No(Refusal::UnknownSegment.into()),
    }
}

/// Part `part` of segment `number`.
pub fn part(track: &TrackEdge, number: i64, part: u32) -> Outlook<Arc<Body>> {
    let left = || track.left.get(&number)?.chunks.get(part as usize);
    match shown_part(track, number, part) {
        Outlook::No(refusal) => left().map_or(Outlook::No(refusal), |chunk| Outlook::Now(chunk.clone())),
        outlook => outlook,
    }
}

fn shown_part(track: &TrackEdge, number: i64, part: u32) -> Outlook<Arc<Body>> {
    let unknown = || Outlook::No(Refusal::UnknownPart.into());
    let Some(parts) = track.low_latency else { return unknown() };
    match track.segments.get(&number) {
        Some(segment) if !segment.has_parts => unknown(),
        Some(segment) => match segment.chunks.get(part as usize) {
            Some(chunk) => Outlook::Now(chunk.clone()),
            None if segment.is_open() && part < parts.parts_per_segment => Outlook::Soon,
            None => unknown(),
        },
        None if is_next(track, number) && part < parts.parts_per_segment => Outlook::Soon,
        None if track.segments.first_key_value().is_some_and(|(&oldest, _)| number < oldest) => {
            Outlook::No(Refusal::PartGone.into())
        }
        None => unknown(),
    }
}

/// True if the segment is the one behind the newest that there is anything of.
fn is_next(track: &TrackEdge, number: i64) -> bool {
    let newest = track.segments.last_key_value().map(|(number, _)| *number);
    let newest = newest.max(track.stored.as_ref().map(|stored| *stored.end()));
    !track.ended && newest.is_some_and(|newest| number > newest && number - newest <= LOOK_AHEAD)
}

impl Segment {
    fn is_open(&self) -> bool {
        self.whole.is_none()
    }
}

#[cfg(test)]
mod tests;
