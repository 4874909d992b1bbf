//! What is kept of a track that its channel has no more. Nobody lists it, so it is known by the numbers of its chapters
//! alone, and goes as it becomes old or too much.

use serde::{Deserialize, Serialize};

use super::{Archive, Doom, LENGTH, Runs, Weight, chapter_of};

/// Chapters of such a track. The newest may never have been written: its segments are there all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::channel) struct Gone {
    chapters: Runs,
    weight: Weight,
    doomed: Vec<Doom>,
    /// How many segments its list had: so long somebody may read it.
    grace: i64,
    /// The chapter that is being deleted.
    #[serde(skip)]
    deleting: Option<i64>,
}

impl Gone {
    /// What is left of a track whose list had `grace` segments, and of which the segments `waiting` may yet come into the
    /// store.
    pub(in crate::channel) fn of(archive: &Archive, waiting: impl Iterator<Item = i64>, grace: i64) -> Self {
        let mut chapters = archive.chapters.clone();
        archive.tail.keys().copied().chain(waiting).for_each(|number| chapters.push(chapter_of(number)));
        Self { chapters, weight: archive.weight(), doomed: archive.doomed.clone(), grace, deleting: None }
    }

    /// Counts in what is left of the same track once more, after it was back for a while.
    pub(in crate::channel) fn join(&mut self, later: Self) {
        later.chapters.within(i64::MIN..=i64::MAX).for_each(|chapter| self.chapters.push(chapter));
        self.weight = self.weight.with(later.weight);
        self.doomed.extend(later.doomed);
        self.grace = self.grace.max(later.grace);
    }

    /// True once the record need not know of it any more.
    pub(in crate::channel) fn is_over(&self) -> bool {
        self.chapters.first().is_none() && self.doomed.is_empty()
    }

    /// What may not go yet weighs so much.
    pub(in crate::channel) fn weight(&self) -> Weight {
        self.weight
    }

    /// The oldest chapter, if all of it lies before number `before`.
    pub(in crate::channel) fn spare(&self, before: i64) -> Option<i64> {
        self.chapters.first().filter(|chapter| (chapter + 1) * LENGTH <= before)
    }

    /// The oldest chapter goes, when the channel's newest segment is `at`. It counts as heavy as the others: nobody lists
    /// them, so none is read for what it weighs.
    pub(in crate::channel) fn doom(&mut self, at: i64) {
        let count = self.chapters.count();
        let Some(chapter) = self.chapters.pop() else { return };
        self.weight = self.weight.without(self.weight.shared_by(count));
        self.doomed.push(Doom { chapter, at });
    }

    /// The next chapter to be deleted, once the channel's newest segment has come as far as an old list is long, and at
    /// least `grace` numbers.
    pub(in crate::channel) fn delete(&mut self, newest: i64, grace: i64) -> Option<i64> {
        let doom = self.doomed.first()?;
        if self.deleting.is_some() || doom.at + grace.max(self.grace) >= newest {
            return None;
        }
        self.deleting = Some(doom.chapter);
        self.deleting
    }

    /// A chapter is deleted, or could not be.
    pub(in crate::channel) fn hear(&mut self, chapter: i64, deleted: bool) {
        if self.deleting.take_if(|deleting| *deleting == chapter).is_some() && deleted {
            self.doomed.retain(|doom| doom.chapter != chapter);
        }
    }
}
