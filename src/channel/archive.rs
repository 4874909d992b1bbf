//! What of a track lies in the store. Segments are listed in *chapters*, objects of 64 numbers each that never change
//! once the record names them, and those that are in no chapter yet in the *tail*, which is in the record itself. So a
//! record is small, however long the archive is.

mod chapter;
mod gone;
mod keeping;
mod listing;
mod reading;
mod runs;

use std::{collections::BTreeMap, ops::RangeInclusive};

use headwater_packager::{time::Timescale, window::Segment};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::reading::{Listed, know, stretch};
use self::runs::Runs;
pub(super) use self::{
    chapter::Chapter,
    gone::Gone,
    keeping::{Errand, Fate, Keeping},
    reading::entries_of_list,
};
use crate::store::{self, Store};

/// How many numbers a chapter has: chapter `c` those from `c * LENGTH` on.
pub const LENGTH: i64 = 64;

/// Why a stretch of the archive cannot be listed.
#[derive(Debug, Error)]
pub enum Error {
    /// A chapter could not be read.
    #[error("cannot read a chapter of the archive: {0}")]
    Store(#[from] store::Error),
    /// It is not what this version writes.
    #[error(
        "{path} is damaged or from another version ({reason}); restore it, or move the channel's directory away"
    )]
    Damaged {
        /// The object.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// True if the store has answered, and this chapter is what is the matter.
    pub fn is_of_chapter(&self) -> bool {
        match self {
            Self::Store(error) => {
                matches!(error, store::Error::NotFound { .. } | store::Error::Damaged { .. })
            }
            Self::Damaged { .. } => true,
        }
    }
}

/// A segment that is in the store: how it is listed, without its parts, and what its content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How it is listed.
    pub segment: Segment,
    /// Strong entity tag of its body, quoted; empty if it is not known.
    pub etag: String,
}

/// How much something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Bytes of segments.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
}

/// A chapter that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Doom {
    chapter: i64,
    /// Number of the newest segment when that was decided.
    at: i64,
}

/// What is kept of a track, as its record says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Archive {
    timescale: Timescale,
    /// Number of the first segment that was ever kept. What an earlier version has begun does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<i64>,
    /// Chapters that are kept.
    chapters: Runs,
    /// What they weigh.
    weight: Weight,
    /// Chapters that no list may name any more, and that are still there for those who read old lists.
    doomed: Vec<Doom>,
    /// Segments that are in no chapter.
    #[serde(with = "listing")]
    tail: BTreeMap<i64, Entry>,
}

impl Archive {
    /// An empty one.
    pub(super) fn new(timescale: Timescale) -> Self {
        Self {
            timescale,
            began: None,
            chapters: Runs::default(),
            weight: Weight::default(),
            doomed: Vec::new(),
            tail: BTreeMap::new(),
        }
    }

    /// Ticks per second of its segments' times.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Numbers from the first to the last segment that may be listed: some between them may be lost.
    pub fn numbers(&self) -> Option<RangeInclusive<i64>> {
        let first = self.chapters.first().map(|chapter| chapter * LENGTH);
        let first = first.or_else(|| self.tail.first_key_value().map(|(number, _)| *number))?;
        Some(first..=self.newest()?)
    }

    /// Number of the first segment that was ever kept, if that is known.
    pub fn began(&self) -> Option<i64> {
        self.began
    }

    /// True if a chapter is named, if only as one that is to go.
    fn names(&self, chapter: i64) -> bool {
        self.chapters.within(chapter..=chapter).next().is_some()
            || self.doomed.iter().any(|doom| doom.chapter == chapter)
    }

    /// Chapters that are kept and named, oldest first.
    #[cfg(test)]
    pub(super) fn chapters(&self) -> Vec<i64> {
        self.chapters.within(i64::MIN..=i64::MAX).collect()
    }

    /// Number of the last segment.
    fn newest(&self) -> Option<i64> {
        let tail = self.tail.last_key_value().map(|(number, _)| *number);
        tail.or_else(|| self.chapters.last().map(|chapter| (chapter + 1) * LENGTH - 1))
    }

    /// Segments that are in no chapter, by their numbers.
    pub fn tail(&self) -> &BTreeMap<i64, Entry> {
        &self.tail
    }

    /// What all that may be listed weighs.
    pub fn weight(&self) -> Weight {
        self.tail.values().fold(self.weight, |sum, entry| sum.with(Weight::of(entry)))
    }

    /// Counts in a segment that is in the store.
    pub(super) fn add(&mut self, mut entry: Entry) {
        entry.segment.parts = Vec::new();
        if self.numbers().is_none() {
            self.began.get_or_insert(entry.segment.number);
        }
        self.tail.insert(entry.segment.number, entry);
    }
}

impl Weight {
    fn of(entry: &Entry) -> Self {
        Self { bytes: entry.segment.size, segments: 1 }
    }

    fn with(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, segments: self.segments + other.segments }
    }

    /// One of `count` equal parts.
    fn shared_by(self, count: u64) -> Self {
        let count = count.max(1);
        Self { bytes: self.bytes / count, segments: self.segments / count }
    }

    /// Less than nothing is nothing: what a damaged chapter weighs nobody knows.
    fn without(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            segments: self.segments.saturating_sub(other.segments),
        }
    }
}

/// The chapter that a segment belongs to.
fn chapter_of(number: i64) -> i64 {
    number.div_euclid(LENGTH)
}

/// Where chapter `chapter` of a track lies.
pub(super) fn path_in(prefix: &str, track: &str, chapter: i64) -> String {
    format!("{prefix}/{track}/chapter-{chapter}.json")
}

/// Tells the store what segments have to be.
pub(super) fn vouch<'a>(
    store: &Store,
    prefix: &str,
    track: &str,
    entries: impl IntoIterator<Item = &'a Entry>,
) {
    for Entry { segment, etag } in entries {
        if !etag.is_empty() {
            store.expect(&format!("{prefix}/{track}/{}.m4s", segment.number), etag);
        }
    }
}

#[cfg(test)]
mod tests;
