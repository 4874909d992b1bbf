//! Reads stretches of the archive.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use headwater_packager::window::Segment;
use tokio::time::sleep;

use super::{Archive, Chapter, Entry, Error, chapter_of, path_in, vouch};
use crate::store::{self, Store};

/// How many chapters are read at once.
const AT_ONCE: usize = 16;

/// How often chapters are read of which a list is made for as long as the server runs, and after which pauses: longer than it is
/// believed of a name that it is not there.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(1100);

/// What is listed in chapters and in the record.
#[derive(Debug)]
pub struct Listed<T> {
    /// As much as could be had.
    pub entries: Vec<T>,
    /// Why chapters that have to be there were not to be had, by their numbers. It may be over in a moment.
    pub missing: BTreeMap<i64, Error>,
}

/// How segments `numbers` of a track are listed, oldest first and without parts, as far as they are kept: some may be
/// lost, and those that are doomed or not recorded yet are not among them. `archive` is that of the track, from its
/// [`TrackEdge`](crate::channel::edge::TrackEdge) or its record; chapters are read through the cache, and the store is told
/// what the content of each segment has to be.
///
/// # Errors
/// When the store does not answer. A chapter that it has damaged or not at all is missing.
pub async fn stretch(
    store: &Store,
    prefix: &str,
    track: &str,
    archive: &Archive,
    numbers: RangeInclusive<i64>,
) -> Result<Listed<Segment>, Error> {
    let Listed { entries, mut missing } = entries(store, prefix, track, archive, numbers).await;
    vouch(store, prefix, track, &entries);
    let failed = missing.iter().find(|(_, why)| !why.is_of_chapter()).map(|(chapter, _)| *chapter);
    match failed.and_then(|chapter| missing.remove(&chapter)) {
        Some(why) => Err(why),
        None => Ok(Listed { entries: entries.into_iter().map(|entry| entry.segment).collect(), missing }),
    }
}

/// The same for a list that is made once. What is missing is read again before that is believed.
pub(in crate::channel) async fn entries_of_list(
    store: &Store,
    prefix: &str,
    track: &str,
    archive: &Archive,
    numbers: RangeInclusive<i64>,
) -> Listed<Entry> {
    for _ in 1..TRIES {
        let listed = entries(store, prefix, track, archive, numbers.clone()).await;
        if listed.missing.is_empty() {
            return listed;
        }
        sleep(PAUSE).await;
    }
    let listed = entries(store, prefix, track, archive, numbers).await;
    for (chapter, error) in &listed.missing {
        tracing::warn!(%error, track, chapter, "what a chapter lists is not listed, as it cannot be read");
    }
    listed
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
    let chapter = read_one(store, path_in(prefix, track, chapter), chapter).await?;
    let entries: Vec<Entry> = chapter.into_entries().collect();
    vouch(store, prefix, track, &entries);
    Ok(entries.iter().any(|entry| entry.segment.number == number))
}

/// The same as [`stretch`] with what their content is, of which the store is not told.
async fn entries(
    store: &Store,
    prefix: &str,
    track: &str,
    archive: &Archive,
    numbers: RangeInclusive<i64>,
) -> Listed<Entry> {
    let mut listed = Listed { entries: Vec::new(), missing: BTreeMap::new() };
    if numbers.is_empty() {
        return listed;
    }
    let chapters = chapter_of(*numbers.start())..=chapter_of(*numbers.end());
    let mut chapters: Vec<i64> = archive.chapters.within(chapters).collect();
    // The newest first: a store that has failed once is not waited for again, and the newest count most.
    chapters.reverse();
    let failed = &AtomicBool::new(false);
    let read = |chapter| async move {
        let path = path_in(prefix, track, chapter);
        if failed.load(Ordering::Relaxed) {
            return (chapter, Err(not_asked(path)));
        }
        let read = read_one(store, path, chapter).await;
        failed.fetch_or(read.as_ref().is_err_and(|error| !error.is_of_chapter()), Ordering::Relaxed);
        (chapter, read)
    };
    let mut read = stream::iter(chapters).map(read).buffered(AT_ONCE);
    let mut found = Vec::new();
    while let Some((chapter, read)) = read.next().await {
        match read {
            Ok(read) => found.push(read),
            Err(why) => drop(listed.missing.insert(chapter, why)),
        }
    }
    listed.entries = found.into_iter().rev().flat_map(Chapter::into_entries).collect();
    listed.entries.retain(|entry| numbers.contains(&entry.segment.number));
    listed.entries.extend(archive.tail.range(numbers).map(|(_, entry)| entry.clone()));
    listed
}

fn not_asked(path: String) -> Error {
    Error::Store(store::Error::Unavailable { path, reason: "the store does not give others".into() })
}

/// A chapter. One that is named has to be there and never changes, so the cache may have it.
async fn read_one(store: &Store, path: String, chapter: i64) -> Result<Chapter, Error> {
    let read = Chapter::read(&path, &store.object(&path).await?.body, chapter);
    if read.is_err() {
        // It may have been damaged on its way, or be restored.
        store.reread(&path).await;
    }
    read
}
