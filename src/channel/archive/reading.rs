//! Reads stretches of the archive.

use std::ops::RangeInclusive;

use futures_util::{StreamExt, TryStreamExt, stream};
use headwater_packager::window::Segment;

use super::{Archive, Chapter, Entry, Error, chapter_of, path_in, vouch};
use crate::store::{self, Store};

/// How many chapters are read at once.
const AT_ONCE: usize = 16;

/// How segments `numbers` of a track are listed, oldest first and without parts, as far as they are kept: some may be
/// lost, and those that are doomed or not recorded yet are not among them. `archive` is that of the track, from its
/// [`TrackEdge`](crate::channel::edge::TrackEdge) or its record; chapters are read through the cache, and the store is told
/// what the content of each segment has to be.
///
/// # Errors
/// When a chapter cannot be read at the moment. One that is damaged or gone is a hole.
pub async fn stretch(
    store: &Store,
    prefix: &str,
    track: &str,
    archive: &Archive,
    numbers: RangeInclusive<i64>,
) -> Result<Vec<Segment>, Error> {
    let entries = entries(store, prefix, track, archive, numbers).await?;
    vouch(store, prefix, track, &entries);
    Ok(entries.into_iter().map(|entry| entry.segment).collect())
}

/// Tells the store what the content of segment `number` of a track has to be, and with it what that of its whole chapter has
/// to be. False if neither the record nor a chapter has it: what may lie under its name is nothing that was ever recorded.
///
/// # Errors
/// When its chapter cannot be read or is no use: then nobody knows.
pub async fn know(
    store: &Store,
    prefix: &str,
    track: &str,
    archive: &Archive,
    number: i64,
) -> Result<bool, Error> {
    if archive.tail.contains_key(&number) {
        vouch(store, prefix, track, archive.tail.values());
        return Ok(true);
    }
    let chapter = chapter_of(number);
    if !archive.names(chapter) {
        return Ok(false);
    }
    let path = path_in(prefix, track, chapter);
    let chapter = Chapter::read(&path, &store.object(&path).await?.body, chapter)?;
    let entries: Vec<Entry> = chapter.into_entries().collect();
    vouch(store, prefix, track, &entries);
    Ok(entries.iter().any(|entry| entry.segment.number == number))
}

/// The same as [`stretch`] with what their content is, of which the store is not told.
pub(in crate::channel) async fn entries(
    store: &Store,
    prefix: &str,
    track: &str,
    archive: &Archive,
    numbers: RangeInclusive<i64>,
) -> Result<Vec<Entry>, Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let chapters = chapter_of(*numbers.start())..=chapter_of(*numbers.end());
    let chapters: Vec<i64> = archive.chapters.within(chapters).collect();
    let read = |chapter| async move { read_one(store, path_in(prefix, track, chapter), chapter).await };
    let chapters: Vec<Option<Chapter>> =
        stream::iter(chapters).map(read).buffered(AT_ONCE).try_collect().await?;
    let mut entries: Vec<Entry> = chapters.into_iter().flatten().flat_map(Chapter::into_entries).collect();
    entries.retain(|entry| numbers.contains(&entry.segment.number));
    entries.extend(archive.tail.range(numbers).map(|(_, entry)| entry.clone()));
    Ok(entries)
}

/// A chapter. One that is not what was written is none: it does not get better, and what else is kept is not to suffer.
async fn read_one(store: &Store, path: String, chapter: i64) -> Result<Option<Chapter>, Error> {
    // A chapter that is named never changes, so the cache may have it.
    let read = match store.object(&path).await {
        Ok(object) => Chapter::read(&path, &object.body, chapter),
        Err(error @ (store::Error::NotFound { .. } | store::Error::Damaged { .. })) => Err(error.into()),
        Err(error) => return Err(error.into()),
    };
    Ok(read
        .map_err(|error| tracing::warn!(%error, path, "what a chapter lists is a hole, as it is no use"))
        .ok())
}
