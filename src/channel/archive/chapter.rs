//! A chapter: the listing of the segments of 64 numbers.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_packager::time::Timescale;
use serde::{Deserialize, Serialize};

use super::{Entry, Error, LENGTH, Weight, listing};
use crate::channel::seal;

const VERSION: u32 = 1;

/// Segments of one chapter, as far as the store has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::channel) struct Chapter {
    version: u32,
    chapter: i64,
    timescale: Timescale,
    #[serde(with = "listing")]
    segments: BTreeMap<i64, Entry>,
}

impl Chapter {
    pub(super) fn new(chapter: i64, timescale: Timescale, segments: BTreeMap<i64, Entry>) -> Self {
        Self { version: VERSION, chapter, timescale, segments }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        // Serialising it cannot fail: its impls return no errors.
        seal::seal(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Chapter `chapter`, as it was read from `path`.
    pub(in crate::channel) fn read(path: &str, bytes: &[u8], chapter: i64) -> Result<Self, Error> {
        let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
        let read: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if read.version != VERSION {
            return Err(damaged(format!("version {} instead of {VERSION}", read.version)));
        }
        if !seal::is_whole(bytes) {
            return Err(damaged("its content is not what was written".into()));
        }
        let numbers = chapter * LENGTH..(chapter + 1) * LENGTH;
        if read.chapter != chapter || read.segments.keys().any(|number| !numbers.contains(number)) {
            return Err(damaged(format!("it is not chapter {chapter}")));
        }
        Ok(read)
    }

    pub(in crate::channel) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.segments.into_values()
    }

    /// How much its segments are.
    pub(in crate::channel) fn weight(&self) -> Weight {
        self.segments.values().fold(Weight::default(), |sum, entry| sum.with(Weight::of(entry)))
    }
}
