//! A presentation that another server makes: what it has recorded is shown, and nothing is made here.

use std::{sync::Arc, time::Duration};

use headwater_packager::track::Track;

use super::{Ending, Message, Presentation, Record, Writer, descriptions};
use crate::channel::record::TrackRecord;

impl Presentation {
    /// Goes on to `record`, which comes after the one that was followed last, in all tracks in which that is to be had from
    /// what is new in it, and names the others: [`Self::follow`] needs all that these list.
    pub(in crate::channel) fn advance(&mut self, record: &Record, opening: &[Message]) -> Vec<String> {
        let tracks = descriptions(opening).into_iter().map(|description| description.track);
        let stays = |track: &Arc<Track>| {
            let shown = self.writers.iter_mut().find(|writer| writer.track() == track);
            shown.zip(record.tracks.get(&track.name)).is_some_and(|(writer, record)| writer.advance(record))
        };
        let (_, others) = tracks.partition::<Vec<_>, _>(stays);
        others.into_iter().map(|track| track.name.clone()).collect()
    }

    /// Shows what `record` says of the tracks that `opening` describes, `anew` of those that could not be gone on with.
    /// All that is shown follows from these, so that it is the same on all who do so; `now` only says how old it is when it
    /// comes `first`.
    pub(in crate::channel) fn follow(
        &mut self,
        record: &Record,
        (opening, anew): (&[Message], &[String]),
        first: bool,
        now: i128,
    ) {
        let mut shown = std::mem::take(&mut self.writers);
        for description in descriptions(opening) {
            let name = &description.track.name;
            let Some(kept) = record.tracks.get(name) else { continue };
            let same = |writer: &Writer| *writer.track() == description.track;
            let writer = match shown.iter().position(same).filter(|_| !anew.contains(name)) {
                Some(index) => shown.swap_remove(index),
                None => Writer::follow(description, self.grid, kept),
            };
            self.writers.push(writer);
        }
        self.age = if first { age(record, now) } else { Duration::ZERO };
        self.stamp.epoch = record.fence.epoch;
        self.retention.bytes = record.archive_bytes;
        // A channel that has ended may be given another source.
        self.ending = if record.complete { Ending::Published } else { Ending::No };
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
