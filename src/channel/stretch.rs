//! A stretch of what a channel has kept: the segments of all tracks, brought into line, also where
//! only the store knows of them.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use headwater_packager::{
    bmff,
    track::{Configuration, Configurations, Track},
    window::{Era, Segment},
};

use super::{
    archive,
    edge::Rendition,
    record::{self, Error, Record},
};
use crate::{
    ladder::wire::{Catalog, Message},
    store::{self, Store},
};

/// What the store has of a channel.
#[derive(Clone, Debug)]
pub struct Kept {
    prefix: String,
    record: Record,
    tracks: Vec<Track>,
}

impl Kept {
    /// Reads what the store has of `channel`; nothing if it has never heard of it.
    ///
    /// # Errors
    /// When it cannot be read, or is not what this version writes.
    pub async fn read(store: &Store, channel: &str) -> Result<Option<Self>, Error> {
        let prefix = format!("live/{channel}");
        let Some(kept) = record::read(store, &prefix).await? else { return Ok(None) };
        if record::lacks_opening(&kept) {
            return Err(record::opening_damaged(record::opening_path_in(&prefix)));
        }
        let (record, opening) = kept;
        let catalog = |message: &Message| match message {
            Message::Catalog(Catalog { tracks, .. }) => Some(tracks.clone()),
            _ => None,
        };
        let mut tracks = opening.iter().find_map(catalog).unwrap_or_default();
        tracks.retain(|track| record.tracks.contains_key(&track.name));
        Ok(Some(Self { prefix, record, tracks }))
    }

    /// The tracks, in the order in which documents have them.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The segments of `track` with these numbers, as far as they are kept.
    ///
    /// # Errors
    /// When chapters cannot be read.
    pub async fn segments(
        &self,
        store: &Store,
        track: &str,
        numbers: RangeInclusive<i64>,
    ) -> Result<Vec<Segment>, archive::Error> {
        let Some(kept) = self.record.tracks.get(track) else { return Ok(Vec::new()) };
        let listed = archive::stretch(store, &self.prefix, track, &kept.archive, numbers).await?;
        for (chapter, error) in &listed.missing {
            tracing::warn!(%error, track, chapter, "what a chapter lists is a hole, as it cannot be read");
        }
        Ok(listed.entries)
    }

    /// What a track is in `segments`.
    ///
    /// # Errors
    /// When the store does not give an init segment.
    pub async fn configurations(
        &self,
        store: &Store,
        track: &Track,
        segments: &[Segment],
    ) -> Result<Configurations, store::Error> {
        let now = Rendition::of(Arc::new(track.clone()));
        configurations(store, (&self.prefix, &now), segments, |_| None).await
    }

    /// Numbers of the first and the last segment that picture and sound may have.
    pub fn numbers(&self) -> Option<RangeInclusive<i64>> {
        let of_kind = |kind: bool| {
            let tracks = self.tracks.iter().filter(|track| track.video().is_some() == kind);
            let numbers: Vec<_> =
                tracks.filter_map(|track| self.record.tracks.get(&track.name)?.archive.numbers()).collect();
            let first = numbers.iter().map(|numbers| *numbers.start()).min()?;
            Some((first, numbers.iter().map(|numbers| *numbers.end()).max()?))
        };
        let kinds: Vec<_> = [true, false].into_iter().filter_map(of_kind).collect();
        Some(kinds.iter().map(|kind| kind.0).max()?..=kinds.iter().map(|kind| kind.1).min()?)
    }
}

/// What a track is in `segments`, each of which has an init segment that says so: from those that are `known`, or the store.
/// Where one is of no use it is taken for what it is now, with `bandwidth`.
///
/// # Errors
/// When the store does not give one at the moment.
pub async fn configurations(
    store: &Store,
    (prefix, now): (&str, &Rendition),
    segments: &[Segment],
    known: impl Fn(&str) -> Option<Bytes>,
) -> Result<Configurations, store::Error> {
    let ours = bmff::init_name(&bmff::init_segment(&now.track));
    let mut configurations = Configurations::new();
    for Segment { era, .. } in segments {
        let name = &era.init;
        if configurations.contains_key(name) {
            continue;
        }
        let path = format!("{prefix}/{}/{name}", now.track.name);
        let then = match known(name) {
            _ if *name == ours => now.clone(),
            Some(init) => then(&path, &init, now),
            None => match store.get(&path).await {
                Ok(init) => then(&path, &init, now),
                Err(store::Error::NotFound { .. }) => then(&path, &[], now),
                Err(error) => return Err(error),
            },
        };
        let Rendition { track, bandwidth } = then;
        configurations.insert(name.clone(), Configuration { track, bandwidth });
    }
    Ok(configurations)
}

/// What a track was when an init segment was made.
fn then(path: &str, init: &[u8], now: &Rendition) -> Rendition {
    match bmff::described(init, &now.track) {
        // Who does not say how much it was to be has it measured.
        Ok(Some(track)) if track.bitrate == 0 => Rendition { track: Arc::new(track), ..now.clone() },
        Ok(Some(track)) => Rendition::of(Arc::new(track)),
        unusable => {
            tracing::debug!(path, ?unusable, "what segments are is told as it is now");
            now.clone()
        }
    }
}

/// So many segments later a track begins that was not there before. Tracks lose their oldest chapters one after another,
/// which makes nobody younger.
const YOUNGER: i64 = 2 * archive::LENGTH;

/// Leaves out rungs and languages that came later than others of their kind, which go back to where a stretch is `wanted`:
/// they would leave nothing of what lies before them. `of` says whether a track is video, and the number of the first
/// segment that it has, if it has any.
pub fn leave_out_younger<T>(tracks: &mut Vec<T>, wanted: i64, of: impl Fn(&T) -> (bool, Option<i64>)) {
    for kind in [true, false] {
        let firsts = tracks.iter().map(&of).filter(|(is_video, _)| *is_video == kind);
        let Some(oldest) = firsts.filter_map(|(_, first)| first).min() else { continue };
        let is_old = |first: Option<i64>| first.is_some_and(|first| first <= wanted.max(oldest + YOUNGER));
        tracks.retain(|track| {
            let (is_video, first) = of(track);
            is_video != kind || is_old(first)
        });
    }
}

/// Leaves out what another track has a hole at, as entries of playlists are counted: a number means the same in all of
/// them (rfc8216bis 6.2.4). Behind a hole another era begins, which is a discontinuity and a period of its own. One track may
/// have come further than another.
pub fn aligned(mut tracks: Vec<Vec<Segment>>) -> Vec<Vec<Segment>> {
    let missing: BTreeSet<i64> = tracks.iter().flat_map(|segments| holes(&tracks, segments)).collect();
    if !missing.is_empty() {
        for segments in &mut tracks {
            segments.retain(|segment| !missing.contains(&segment.number));
            part_at_holes(segments);
        }
    }
    tracks
}

/// Numbers that other tracks have, and these segments do not although they have come further.
fn holes(tracks: &[Vec<Segment>], segments: &[Segment]) -> Vec<i64> {
    let first = tracks.iter().filter_map(|track| Some(track.first()?.number)).min();
    let Some((first, last)) = first.zip(segments.last().map(|last| last.number)) else { return Vec::new() };
    let gaps = segments.iter().scan(first, |due, segment| {
        let gap = *due..segment.number;
        *due = segment.number + 1;
        Some(gap)
    });
    let gaps: Vec<_> = gaps.filter(|gap| !gap.is_empty()).collect();
    if gaps.is_empty() {
        return Vec::new();
    }
    let had = tracks.iter().flatten().map(|segment| segment.number).filter(|number| *number <= last);
    let in_gap = |number: &i64| {
        let behind = gaps.partition_point(|gap| gap.end <= *number);
        gaps.get(behind).is_some_and(|gap| gap.contains(number))
    };
    let mut holes: Vec<i64> = had.filter(in_gap).collect();
    // A hole in all tracks is one too, if only for what follows it.
    holes.extend(gaps.iter().map(|gap| gap.start));
    holes
}

fn part_at_holes(segments: &mut [Segment]) {
    let mut due = segments.first().map(|first| first.number);
    let mut parted: Option<(Arc<Era>, Arc<Era>)> = None;
    for segment in segments {
        if due.is_some_and(|due| due != segment.number) {
            let behind = Era { first: segment.number, ..Era::clone(&segment.era) };
            parted = Some((segment.era.clone(), Arc::new(behind)));
        }
        due = Some(segment.number + 1);
        if let Some((_, behind)) = parted.as_ref().filter(|(before, _)| *before == segment.era) {
            segment.era = behind.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: i64, era: i64) -> Segment {
        let era = Arc::new(Era { first: era, init: format!("init-{era}.mp4"), sequence: 0 });
        Segment {
            number,
            start: number * 2000,
            duration: 2000,
            size: 1,
            parts: Vec::new(),
            era,
            captured_at: 0,
        }
    }

    fn track(numbers: impl IntoIterator<Item = i64>) -> Vec<Segment> {
        numbers.into_iter().map(|number| segment(number, if number < 108 { 1 } else { 108 })).collect()
    }

    /// Numbers and where their eras begin.
    fn told(segments: &[Segment]) -> Vec<(i64, i64)> {
        segments.iter().map(|segment| (segment.number, segment.era.first)).collect()
    }

    #[test]
    fn rungs_and_languages_that_came_later_are_left_out_of_what_others_go_back_to() {
        let left = |wanted, mut tracks: Vec<(bool, Option<i64>)>| {
            leave_out_younger(&mut tracks, wanted, |track| *track);
            tracks
        };
        let (old, new, none, sound) =
            ((true, Some(100)), (true, Some(400)), (true, None), (false, Some(101)));
        assert_eq!(left(150, vec![new, old, none, sound]), [old, sound]);
        assert_eq!(left(0, vec![old, new, sound]), [old, sound]);
        assert_eq!(left(390, vec![old, new, sound]), [old, sound], "a stretch that ends before it began");
        assert_eq!(left(400, vec![old, new, sound]), [old, new, sound]);
        let chapter_less = (true, Some(164));
        assert_eq!(left(0, vec![old, chapter_less]), [old, chapter_less]);
        assert_eq!(left(150, vec![none, sound]), [none, sound], "of pictures there are none");
    }

    #[test]
    fn tracks_without_holes_stay_as_they_are() {
        let tracks = vec![track(100..110), track(100..111)];
        assert_eq!(aligned(tracks.clone()), tracks);
        assert_eq!(aligned(vec![Vec::new(), track(100..101)]), [Vec::new(), track(100..101)]);
    }

    #[test]
    fn a_hole_in_one_track_is_one_in_all_and_parts_what_lies_before_and_behind_it() {
        let numbers = (100..104).chain(105..111);
        for tracks in [
            vec![track(numbers.clone()), track(100..111)],
            vec![track(100..111), track(numbers.clone())],
            vec![track(numbers.clone()), track(numbers.clone())],
        ] {
            let aligned = aligned(tracks);
            for segments in &aligned {
                let before = (100..104).map(|number| (number, 1));
                let behind = (105..108).map(|number| (number, 105));
                let later = (108..111).map(|number| (number, 108));
                assert_eq!(told(segments), before.chain(behind).chain(later).collect::<Vec<_>>());
            }
            assert!(aligned[0][4].era.init == "init-1.mp4");
        }
    }

    #[test]
    fn a_track_that_begins_later_lets_all_begin_there() {
        let aligned = aligned(vec![track(100..107), track(103..107)]);
        assert!(aligned.iter().all(|segments| told(segments)[0] == (103, 1)), "{aligned:?}");
    }
}
