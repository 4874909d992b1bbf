//! A presentation that another server makes: what it has recorded is shown, and nothing is made here.

use std::time::Duration;

use super::{Ending, Message, Presentation, Record, Writer, descriptions};
use crate::channel::record::TrackRecord;

impl Presentation {
    /// Shows what `record` says, which comes after `before`, of the tracks that `opening` describes. All that is shown
    /// follows from these, so that it is the same on all who do so; `now` only says how old it is when it comes first.
    pub(in crate::channel) fn follow(
        &mut self,
        record: &Record,
        before: Option<&Record>,
        opening: &[Message],
        now: i128,
    ) {
        let mut shown = std::mem::take(&mut self.writers);
        for description in descriptions(opening) {
            let name = &description.track.name;
            let Some(kept) = record.tracks.get(name) else { continue };
            let is_same = before.and_then(|before| before.tracks.get(name)) == Some(kept);
            let same = |writer: &Writer| writer.name() == name && *writer.track() == description.track;
            let writer = match shown.iter().position(same).filter(|_| is_same) {
                Some(index) => shown.swap_remove(index),
                None => Writer::follow(description, self.grid, kept),
            };
            self.writers.push(writer);
        }
        self.age = if before.is_none() { age(record, now) } else { Duration::ZERO };
        if record.complete {
            self.ending = Ending::Published;
        }
    }

    /// True if all tracks that are shown have come equally far, so that nothing more is to be expected for a while.
    pub(in crate::channel) fn is_level(&self) -> bool {
        let mut ends = self.writers.iter().map(|writer| writer.shelf().head().map(|head| head.last));
        let first = ends.next().flatten();
        ends.all(|end| end == first)
    }
}

/// How long ago the newest segment of a record has ended.
fn age(record: &Record, now: i128) -> Duration {
    let end = |track: &TrackRecord| Some(track.archive.timescale().nanos(track.newest()?.segment.end()));
    let newest = record.tracks.values().filter_map(end).max().unwrap_or(now);
    Duration::from_nanos(u64::try_from(now - newest).unwrap_or_default())
}
