//! What has to be done so that the archive is in chapters, and no more of it is kept than is to be.

use std::sync::Arc;

use bytes::Bytes;
use headwater_packager::time::Timescale;

use super::{Archive, Chapter, Doom, Entry, LENGTH, Weight, chapter_of};

/// Something to be done with a chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::channel) enum Errand {
    /// It is complete, and this is to lie there. What is in it has been in a record, so a server that was killed before
    /// a record named it has left the same or nothing.
    Write(Bytes),
    /// It is the oldest, and may have to go.
    Weigh,
    /// Nobody may ask for it or its segments any more.
    Delete,
    /// The same, of a track that there is no more: its list goes too, as it names what is deleted.
    Clear,
}

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::channel) enum Fate {
    /// It is durable.
    Written,
    /// It weighs so much.
    Weighed(Weight),
    /// It is damaged or gone, and what it weighs nobody knows.
    Unreadable,
    /// It is gone, and its segments are.
    Deleted,
    /// Nothing has, and it is to be tried again.
    Failed,
}

/// Keeps the archive of a track. Errands are given once; after a restart the record tells what there is to do.
#[derive(Debug)]
pub(in crate::channel) struct Keeping {
    archive: Arc<Archive>,
    /// The chapter that is being written.
    writing: Option<(i64, Weight)>,
    /// The oldest chapter, and what it weighs once that is known.
    oldest: Option<(i64, Option<Weight>)>,
    /// The chapter that is being deleted: one after another, so that the rest of the store does not wait for them.
    deleting: Option<i64>,
}

impl Keeping {
    pub(in crate::channel) fn new(timescale: Timescale) -> Self {
        Self::of(Archive::new(timescale))
    }

    /// Goes on from what is kept.
    pub(in crate::channel) fn of(archive: Archive) -> Self {
        let archive = Arc::new(archive);
        Self { archive, writing: None, oldest: None, deleting: None }
    }

    /// What the next record says.
    pub(in crate::channel) fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// Counts in a segment.
    pub(in crate::channel) fn add(&mut self, entry: Entry) {
        Arc::make_mut(&mut self.archive).add(entry);
    }

    /// Number of the first segment that can be fetched.
    pub(in crate::channel) fn first(&self) -> Option<i64> {
        let waits = |doom: &&Doom| self.deleting != Some(doom.chapter);
        let doomed = self.archive.doomed.iter().find(waits).map(|doom| doom.chapter * LENGTH);
        doomed.or_else(|| self.archive.numbers().map(|numbers| *numbers.start()))
    }

    /// The chapter to be written next, if it is complete: something behind it is recorded, and nothing of it is `open`,
    /// which is the first number that may yet be.
    pub(in crate::channel) fn write(&mut self, open: Option<i64>) -> Option<(i64, Errand)> {
        let archive = &self.archive;
        let chapter = chapter_of(*archive.tail.first_key_value()?.0);
        let next = (chapter + 1) * LENGTH;
        let complete = archive.newest()? >= next && open.is_none_or(|open| open >= next);
        if !complete || self.writing.is_some() {
            return None;
        }
        let entries = archive.tail.range(..next).map(|(number, entry)| (*number, entry.clone())).collect();
        let written = Chapter::new(chapter, archive.timescale, entries);
        self.writing = Some((chapter, written.weight()));
        Some((chapter, Errand::Write(written.to_bytes())))
    }

    /// Asks what the oldest chapter weighs, once.
    pub(in crate::channel) fn weigh(&mut self) -> Option<(i64, Errand)> {
        let first = self.archive.chapters.first()?;
        if self.oldest.is_some_and(|(chapter, _)| chapter == first) {
            return None;
        }
        self.oldest = Some((first, None));
        Some((first, Errand::Weigh))
    }

    /// The oldest chapter if no number from `listed` on is in it: it may go.
    pub(in crate::channel) fn spare(&self, listed: i64) -> Option<i64> {
        self.archive.chapters.first().filter(|chapter| (chapter + 1) * LENGTH <= listed)
    }

    /// The oldest chapter goes, if it is known what it weighs.
    pub(in crate::channel) fn doom(&mut self) -> bool {
        let (Some(first), Some((chapter, Some(weight)))) = (self.archive.chapters.first(), self.oldest)
        else {
            return false;
        };
        if first != chapter {
            return false;
        }
        let at = self.archive.newest().unwrap_or_default();
        let archive = Arc::make_mut(&mut self.archive);
        archive.chapters.pop();
        archive.weight = archive.weight.without(weight);
        archive.doomed.push(Doom { chapter, at });
        true
    }

    /// The next doomed chapter to be deleted, as the newest segment has come `grace` numbers further since. A record that does
    /// not name them is durable then.
    pub(in crate::channel) fn delete(&mut self, grace: i64) -> Option<(i64, Errand)> {
        let (newest, doom) = (self.archive.newest()?, self.archive.doomed.first()?);
        if self.deleting.is_some() || doom.at + grace >= newest {
            return None;
        }
        self.deleting = Some(doom.chapter);
        Some((doom.chapter, Errand::Delete))
    }

    /// What has become of an errand.
    pub(in crate::channel) fn hear(&mut self, chapter: i64, fate: Fate) {
        match fate {
            Fate::Written => self.bind(chapter),
            Fate::Weighed(weight) => self.oldest = Some((chapter, Some(weight))),
            // As much as the others: else what it weighed would count for ever.
            Fate::Unreadable => {
                let weight = self.archive.weight.shared_by(self.archive.chapters.count());
                self.oldest = Some((chapter, Some(weight)));
            }
            Fate::Deleted => {
                self.deleting = None;
                Arc::make_mut(&mut self.archive).doomed.retain(|doom| doom.chapter != chapter);
            }
            Fate::Failed => {
                self.writing.take_if(|(writing, _)| *writing == chapter);
                self.oldest.take_if(|(oldest, weight)| *oldest == chapter && weight.is_none());
                self.deleting.take_if(|deleting| *deleting == chapter);
            }
        }
    }

    /// A chapter is durable: only now do records name it instead of its segments.
    fn bind(&mut self, chapter: i64) {
        let Some((_, weight)) = self.writing.take_if(|(writing, _)| *writing == chapter) else { return };
        let archive = Arc::make_mut(&mut self.archive);
        archive.tail = archive.tail.split_off(&((chapter + 1) * LENGTH));
        archive.chapters.push(chapter);
        archive.weight = archive.weight.with(weight);
    }
}
