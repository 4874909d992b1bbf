//! One track from its tables to its rendition.

use std::iter::Skip;

use bytes::Bytes;
use headwater_packager::{sample::Sample, time::Ticks};

use super::plan::Planned;
use crate::package::{
    Error,
    input::{Cursor, Entry},
    output::Rendition,
};

/// A track being copied.
pub(super) struct Feed {
    cursor: Skip<Cursor>,
    next: Option<Entry>,
    /// Added to all decode times.
    shift: Ticks,
    /// Subtracted from all composition offsets.
    first_cts: i32,
    rendition: Rendition,
}

impl Feed {
    pub(super) fn new(planned: Planned, rendition: Rendition) -> Self {
        let Planned { tables, timeline, shift, .. } = planned;
        let mut cursor = tables.cursor().skip(timeline.skip as usize);
        let next = cursor.next();
        Self { cursor, next, shift, first_cts: timeline.first_cts, rendition }
    }

    /// Where the data of the next sample begins.
    pub(super) fn next(&self) -> Option<u64> {
        self.next.map(|entry| entry.offset)
    }

    /// The next sample.
    pub(super) fn take(&mut self) -> Option<Entry> {
        std::mem::replace(&mut self.next, self.cursor.next())
    }

    /// Packages a sample.
    pub(super) fn push(&mut self, entry: Entry, data: Bytes) -> Result<(), Error> {
        self.rendition.push(Sample {
            dts: entry.dts + self.shift,
            cts: entry.cts.saturating_sub(self.first_cts),
            duration: entry.duration,
            sync: entry.sync,
            captured_at: 0,
            data,
        })
    }

    /// All samples have been packaged.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.rendition.finish()
    }

    pub(super) fn into_rendition(self) -> Rendition {
        self.rendition
    }
}
