//! Listings of what has left the memory, of which nobody reads the same chapter again and again: a list that grows is made
//! anew for each segment.

use std::{ops::RangeInclusive, sync::Arc};

use headwater_packager::{track::Configurations, window::Segment};
use moka::sync;

use super::plan::Part;
use crate::{
    channel::{
        archive::{self, Archive, Error, LENGTH},
        stretch,
    },
    store::{self, Store},
};

/// So many segments are kept, at some hundred bytes each.
const CAPACITY: u64 = 200_000;

/// Channel, track and chapter.
type Name = (String, String, i64);

/// Reads archives.
#[derive(Clone, Debug)]
pub(super) struct Past {
    store: Store,
    chapters: sync::Cache<Name, Arc<[Segment]>>,
}

impl Past {
    /// Reads those in `store`.
    pub(super) fn new(store: Store) -> Self {
        let weigh =
            |_: &Name, segments: &Arc<[Segment]>| u32::try_from(segments.len()).unwrap_or(u32::MAX).max(1);
        Self { store, chapters: sync::Cache::builder().max_capacity(CAPACITY).weigher(weigh).build() }
    }

    /// The segments of a track with these numbers, as far as they are kept.
    ///
    /// # Errors
    /// When a chapter cannot be read or used.
    pub(super) async fn segments(
        &self,
        channel: &str,
        track: &str,
        archive: &Archive,
        numbers: RangeInclusive<i64>,
    ) -> Result<Vec<Segment>, Error> {
        let mut segments: Vec<Segment> = Vec::new();
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
            let read =
                archive::stretch(&self.store, &format!("live/{channel}"), track, archive, unknown).await?;
            for chapter in (next..end).filter(|chapter| is_closed(archive, *chapter)) {
                let range = chapter * LENGTH..(chapter + 1) * LENGTH;
                let of_chapter = read.iter().filter(|segment| range.contains(&segment.number));
                self.chapters.insert(name(chapter), of_chapter.cloned().collect());
            }
            segments.extend(read);
            next = end;
        }
        segments.retain(|segment| numbers.contains(&segment.number));
        Ok(segments)
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
