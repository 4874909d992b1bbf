//! What there is of a stretch at one moment. Pure.

use std::{sync::Arc, time::Duration};

use super::query::{Canonical, Stretch};
use crate::{
    channel::{
        archive::LENGTH,
        edge::{Edge, Rendition, TrackEdge},
        stretch::leave_out_younger,
    },
    origin::{error::HttpError, policy::CachePolicy, refusal::Refusal},
};
use chrono::{DateTime, SecondsFormat, Utc};

/// A client is told to come again after so many seconds at most: clocks are wrong, and channels end.
const LATEST: i64 = 3600;

/// A stretch of a channel, of which there is something.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its query.
    pub query: Canonical,
    /// Number of the first segment of it that is kept.
    pub first: i64,
    /// Number of the last one that it will have.
    pub last: i64,
    /// The tracks, in the order in which documents have them.
    pub tracks: Vec<Part>,
    /// How long a segment is on the grid.
    pub segment: Duration,
    /// EXT-X-TARGETDURATION.
    pub target: Duration,
    /// The line on the grid where it was asked to begin, or where the channel began if that was later, in nanoseconds:
    /// presentation time counts from there, as what it begins with may leave and the beginning must not move.
    pub zero: i128,
    /// How many segments will be made at least before it loses its first.
    spare: i64,
    /// Nothing follows.
    ended: bool,
}

/// A track in it.
#[derive(Clone, Debug)]
pub struct Part {
    /// The track as it is now.
    pub now: Rendition,
    /// What of it is published.
    pub edge: Arc<TrackEdge>,
    /// Number of the first segment that there ever was, if that is known.
    began: Option<i64>,
    /// Numbers of the oldest and the newest segment there is.
    kept: (i64, i64),
    /// Number of the newest that the store has for certain; none if nothing is kept there.
    recorded: Option<i64>,
}

impl Plan {
    /// Finds out what there is of `stretch`, which may be as long as `longest`.
    ///
    /// # Errors
    /// [`Refusal::StretchTooLong`], [`Refusal::StretchAhead`] and [`Refusal::StretchGone`];
    /// [`Refusal::NotYetPublished`] while a track has nothing, and [`Refusal::StoreUnavailable`] while the store is so far
    /// behind that some of it is nowhere.
    pub fn of(edge: &Edge, stretch: Stretch, longest: Duration) -> Result<Self, HttpError> {
        // Rounded outwards, as we write it into playlists, it is up to two segments longer.
        if stretch.exceeds(longest + 2 * edge.segment) {
            let hours = longest.as_secs_f64() / 3600.0;
            let words = format!("From start to end there are at most {hours} hours.");
            return Err(HttpError::from(Refusal::StretchTooLong).explained(words));
        }
        let (wanted, last) = stretch.numbers(edge.segment, longest).into_inner();
        let mut tracks: Vec<Part> =
            edge.renditions.iter().filter_map(|rendition| part(edge, rendition)).collect();
        // Unknown of one is unknown of all. Who comes later does not change it.
        let began = tracks.iter().map(|part| part.began).min().flatten().unwrap_or(wanted);
        leave_out_younger(&mut tracks, wanted, |part| (part.now.track.video().is_some(), Some(part.kept.0)));
        let oldest = tracks.iter().map(|part| part.kept.0).max().ok_or(Refusal::NotYetPublished)?;
        let newest = tracks.iter().map(|part| part.kept.1).min().ok_or(Refusal::NotYetPublished)?;
        if wanted > newest && !edge.ended {
            return Err(ahead(wanted - newest, edge.segment));
        }
        if wanted > newest || last < oldest {
            return Err(gone(oldest, edge.segment));
        }
        let first = wanted.max(oldest);
        if tracks.iter().any(|part| part.lacks_some_of(first, last)) {
            return Err(Refusal::StoreUnavailable.into());
        }
        Ok(Self {
            query: stretch.rounded(edge.segment),
            first,
            last,
            segment: edge.segment,
            target: edge.target_duration,
            zero: i128::from(wanted.max(began)) * edge.segment.as_nanos() as i128,
            spare: spare(first, oldest, edge.by_bytes)
                + tracks.iter().map(Part::listed).min().unwrap_or_default(),
            ended: edge.ended,
            tracks,
        })
    }

    /// The position of a track.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.tracks.iter().position(|part| part.name() == name)
    }

    /// Number of the last segment that there is of it in the track at a position.
    pub fn upto(&self, index: usize) -> i64 {
        self.tracks[index].kept.1.min(self.last)
    }

    /// The same for all tracks.
    pub fn newest(&self) -> i64 {
        (0..self.tracks.len()).map(|index| self.upto(index)).min().unwrap_or(self.first)
    }

    /// True if nothing will be added to the track at a position.
    pub fn is_complete_in(&self, index: usize) -> bool {
        let edge = &self.tracks[index].edge;
        (self.ended || edge.ended) && lists_all(edge) || self.upto(index) == self.last
    }

    /// True if nothing will be added to any.
    pub fn is_complete(&self) -> bool {
        (0..self.tracks.len()).all(|index| self.is_complete_in(index))
    }

    /// True if the store has all of it. What it does not have yet may be lost to it, and is a hole then.
    pub fn is_settled(&self) -> bool {
        let newest = self.newest();
        self.tracks.iter().all(|part| part.recorded.is_none_or(|recorded| recorded >= newest.min(self.last)))
    }

    /// How long caches may keep what is complete: until a segment of it may be deleted.
    pub fn kept(&self) -> CachePolicy {
        if !self.is_settled() {
            return CachePolicy::LiveManifest;
        }
        let segments = u32::try_from(self.spare).unwrap_or(u32::MAX);
        let kept = if self.ended { Duration::MAX } else { self.segment.saturating_mul(segments) };
        CachePolicy::Stretch { kept }
    }
}

/// True if all that is published of a track is listed. Where another server tells that it has ended, the last segment is
/// recorded a moment later.
pub(super) fn lists_all(track: &TrackEdge) -> bool {
    track.head.is_none_or(|head| track.listing.last().is_some_and(|last| last >= head.last))
}

impl Part {
    /// Name of the track.
    pub fn name(&self) -> &str {
        &self.now.track.name
    }

    /// True if some of a stretch has left the live list and is not in the store yet. It comes: what was listed without it
    /// would count its entries anew then.
    fn lacks_some_of(&self, first: i64, last: i64) -> bool {
        let (Some(recorded), Some(listed)) = (self.recorded, self.edge.listing.first()) else { return false };
        let lacking = recorded.saturating_add(1).max(first)..listed.min(last.saturating_add(1));
        !lacking.is_empty()
    }

    /// How many segments its playlist has. What is in no list any more is deleted after so many more, as old lists have it.
    fn listed(&self) -> i64 {
        let listing = &self.edge.listing;
        listing.first().zip(listing.last()).map_or(0, |(first, last)| last - first + 1)
    }
}

/// Chapters go as a whole, one when all of it is too old. If they go by bytes too, one goes when as much has come as it has,
/// which may be a single segment: slate of a still picture and silence is so much lighter than what moves.
fn spare(first: i64, oldest: i64, by_bytes: bool) -> i64 {
    let chapters = first.div_euclid(LENGTH) - oldest.div_euclid(LENGTH);
    if by_bytes { chapters } else { chapters * LENGTH }
}

fn part(edge: &Edge, rendition: &Rendition) -> Option<Part> {
    let edge = edge.tracks.get(&rendition.track.name)?.borrow().clone();
    let listed = edge.listing.first()?;
    let numbers = edge.archive.as_ref().map(|archive| archive.numbers());
    let recorded =
        numbers.as_ref().map(|numbers| numbers.as_ref().map_or(i64::MIN, |numbers| *numbers.end()));
    // What is published first is recorded a moment later.
    let began = edge.archive.as_ref().and_then(|archive| match archive.numbers() {
        Some(_) => archive.began(),
        None => Some(listed),
    });
    let archived = numbers.flatten().map(|numbers| *numbers.start());
    let kept = (archived.map_or(listed, |archived| archived.min(listed)), edge.listing.last()?);
    Some(Part { now: rendition.clone(), edge, began, kept, recorded })
}

/// The first segment of it is complete when so many more are.
fn ahead(segments: i64, segment: Duration) -> HttpError {
    let seconds = (segments as f64 * segment.as_secs_f64()).ceil() as i64;
    let seconds = u32::try_from(seconds.clamp(1, LATEST)).unwrap_or(1);
    HttpError::from(Refusal::StretchAhead).later(seconds)
}

fn gone(oldest: i64, segment: Duration) -> HttpError {
    let millis = i128::from(oldest) * segment.as_nanos() as i128 / 1_000_000;
    let from = DateTime::<Utc>::from_timestamp_millis(millis as i64).unwrap_or_default();
    let from = from.to_rfc3339_opts(SecondsFormat::Millis, true);
    let words = format!("Nothing of this stretch is kept, nor anything before {from}.");
    HttpError::from(Refusal::StretchGone).explained(words)
}
