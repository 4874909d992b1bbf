//! Listings of what has left the memory, of which nobody reads the same chapter again and again: a list that grows is made
//! anew for each segment.

use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_packager::{track::Configurations, window::Segment};
use moka::sync;

use super::plan::Part;
use crate::{
    channel::{
        archive::{self, Archive, Error, LENGTH, Listed},
        stretch,
    },
    clock,
    store::{self, Store},
};

/// So many segments are kept, at some hundred bytes each.
const CAPACITY: u64 = 200_000;
/// How long a chapter has to be missing before a list goes around it: one that is named has to be there, so it is the store that is
/// in trouble, or a record that is old. And of how many that is remembered.
const PATIENCE: Duration = Duration::from_secs(60);
const MISSING: u64 = 10_000;

/// Channel, track and chapter.
type Name = (String, String, i64);

/// Reads archives.
#[derive(Clone, Debug)]
pub(super) struct Past {
    store: Store,
    chapters: sync::Cache<Name, Arc<[Segment]>>,
    /// Since when chapters are missing.
    missing: sync::Cache<Name, Instant>,
    patience: Duration,
}

/// What is listed.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) segments: Vec<Segment>,
    /// Nothing is left out that may be there the next time.
    pub(super) is_whole: bool,
}

impl Past {
    /// Reads those in `store`.
    pub(super) fn new(store: Store) -> Self {
        let weigh =
            |_: &Name, segments: &Arc<[Segment]>| u32::try_from(segments.len()).unwrap_or(u32::MAX).max(1);
        let chapters = sync::Cache::builder().max_capacity(CAPACITY).weigher(weigh).build();
        Self { store, chapters, missing: sync::Cache::new(MISSING), patience: PATIENCE }
    }

    /// The segments of a track with these numbers, as far as they are kept.
    ///
    /// # Errors
    /// When a chapter cannot be read or used, unless that has been so for long.
    pub(super) async fn segments(
        &self,
        channel: &str,
        track: &str,
        archive: &Archive,
        numbers: RangeInclusive<i64>,
    ) -> Result<Read, Error> {
        let (mut segments, mut is_whole): (Vec<Segment>, bool) = (Vec::new(), true);
        let mut next = numbers.start().div_euclid(LENGTH);
        let last = numbers.end().div_euclid(LENGTH);
        let name = |chapter| (channel.to_owned(), track.to_owned(), chapter);
        while next <= last {
            if let Some(known) = self.chapters.get(&name(next)) {
                segments.extend(known.iter().cloned());
                next += 1;
                continue;
            }
            // All up to the next that is known, at once.
            let end =
                (next..=last).find(|chapter| self.chapters.contains_key(&name(*chapter))).unwrap_or(last + 1);
            let unknown = next * LENGTH..=end * LENGTH - 1;
            let prefix = format!("live/{channel}");
            let Listed { entries: read, missing } =
                archive::stretch(&self.store, &prefix, track, archive, unknown).await?;
            is_whole &= missing.is_empty();
            let is_there = |chapter: &i64| !missing.contains_key(chapter);
            for chapter in (next..end).filter(|chapter| is_closed(archive, *chapter)).filter(is_there) {
                let range = chapter * LENGTH..(chapter + 1) * LENGTH;
                let of_chapter = read.iter().filter(|segment| range.contains(&segment.number));
                self.chapters.insert(name(chapter), of_chapter.cloned().collect());
                self.missing.invalidate(&name(chapter));
            }
            for (chapter, why) in missing {
                self.miss(name(chapter), why)?;
            }
            segments.extend(read);
            next = end;
        }
        segments.retain(|segment| numbers.contains(&segment.number));
        Ok(Read { segments, is_whole })
    }

    /// A chapter is missing: an error at first, and a hole in the end.
    fn miss(&self, name: Name, why: Error) -> Result<(), Error> {
        let (_, track, chapter) = &name;
        let since = self.missing.get_with_by_ref(&name, || {
            tracing::warn!(%why, track, chapter, "a chapter is missing; stretches that need it are refused for a while");
            clock::now()
        });
        if clock::now().saturating_duration_since(since) < self.patience { Err(why) } else { Ok(()) }
    }

    /// What a track of a channel is in `segments`.
    ///
    /// # Errors
    /// When an init segment cannot be read.
    pub(super) async fn configurations(
        &self,
        channel: &str,
        Part { now, edge, .. }: &Part,
        segments: &[Segment],
    ) -> Result<Configurations, store::Error> {
        let known = |name: &str| edge.inits.get(name).map(|body| body.chunks.concat().into());
        stretch::configurations(&self.store, (&format!("live/{channel}"), now), segments, known).await
    }
}

/// True if nothing is added to a chapter any more.
fn is_closed(archive: &Archive, chapter: i64) -> bool {
    archive.tail().first_key_value().is_some_and(|(number, _)| (chapter + 1) * LENGTH <= *number)
}
