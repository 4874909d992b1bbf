//! Segments that are in the store and in no record, as their packager was killed between the two. Who goes on with the
//! channel takes up those right behind the end of its record, if they are whole: viewers have had parts of them, and slate
//! would come in their place.
//!
//! They are looked at by name, once the epoch is ours, and named by the very record that claims it, which is written over the
//! one that they lie behind. So nobody is shown one that no record names, and nobody names one and goes on without it.

use std::time::Instant;

use futures_util::future::join_all;
use headwater_packager::{
    bmff::{self, reader},
    segmenter::sequence_of,
    time::{Grid, Timescale},
    window::Segment,
};
use thiserror::Error;
use tokio::time::timeout_at;

use super::{
    archive::Entry,
    record::{Record, TrackRecord},
};
use crate::{
    clock,
    ladder::wire::Message,
    store::{self, Store},
};

/// How many numbers behind its end are looked at in each track, one after another as long as there is something. Mostly it
/// is one; there are more where segments came through and records did not.
const MOST: usize = 8;

/// Why something that lies behind the record's end is none of its segments.
#[derive(Debug, Error)]
enum Unfit {
    /// It is not whole, or nothing of ours.
    #[error(transparent)]
    Damaged(#[from] reader::Error),
    /// Of another track, or of an encoder of another configuration.
    #[error("it needs another init segment than {init}, with which the record ends")]
    Init {
        /// The last one's.
        init: String,
    },
    /// It is from somewhere else in time.
    #[error("it begins at tick {found} as fragment {sequence}, where tick {due} was due")]
    Place {
        /// Where it begins.
        found: i64,
        /// What it says its first fragment is.
        sequence: u32,
        /// Where the last one ends.
        due: i64,
    },
    /// Chunks are missing, or there are too many.
    #[error("it ends at tick {end}, which is not where a segment of its number does")]
    End {
        /// Where it ends.
        end: i64,
    },
}

/// Counts those in that lie behind the ends of the tracks that `opening` describes, and gives the names of tracks that have
/// more now. Takes no longer than one write may, however slow the store is.
pub(super) async fn adopt(
    store: &Store,
    prefix: &str,
    grid: &Grid,
    record: &mut Record,
    opening: &[Message],
) -> Vec<String> {
    let until = clock::now() + store.effort().budget;
    let kept = ends(record, opening).unwrap_or_default();
    let looks = kept.into_iter().map(|end| async move {
        let entries = end.look_behind(store, prefix, grid, until).await;
        (end.track, entries)
    });
    let mut more = Vec::new();
    for (track, entries) in join_all(looks).await.into_iter().filter(|(_, entries)| !entries.is_empty()) {
        tracing::info!(track, count = entries.len(), "takes up segments that no record had named yet");
        if let Some(record) = record.tracks.get_mut(&track) {
            entries.into_iter().for_each(|entry| record.archive.add(entry));
        }
        more.push(track);
    }
    more
}

/// Where what is recorded of a track ends.
struct End {
    track: String,
    timescale: Timescale,
    last: Segment,
    /// From this number on it is of another era.
    before: i64,
}

/// The ends of all tracks that go on. `None` if nothing may be added to any: a discontinuity is one for all tracks
/// (rfc8216bis 6.2.4), and behind which number it comes is only known once it is recorded.
fn ends(record: &Record, opening: &[Message]) -> Option<Vec<End>> {
    let Some(Message::Catalog(catalog)) = opening.first() else { return None };
    if record.ended {
        return None;
    }
    let newest_era =
        record.tracks.values().filter_map(TrackRecord::newest).map(|entry| entry.segment.era.first);
    let newest_era = newest_era.max()?;
    let mut ends = Vec::new();
    for track in &catalog.tracks {
        let Some(kept) = record.tracks.get(&track.name) else { continue };
        let Some(entry) = kept.newest() else { continue };
        let last = entry.segment.clone();
        if last.era.init != bmff::init_name(&bmff::init_segment(track)) {
            return None;
        }
        let before = if newest_era > last.number { newest_era } else { i64::MAX };
        ends.push(End { track: track.name.clone(), timescale: kept.archive.timescale(), last, before });
    }
    Some(ends)
}

impl End {
    /// Those behind it, in order, up to the first that is not there, is not whole, or does not come in time.
    async fn look_behind(&self, store: &Store, prefix: &str, grid: &Grid, until: Instant) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        while entries.len() < MOST {
            let last = entries.last().map_or(&self.last, |entry| &entry.segment);
            if last.number + 1 >= self.before {
                break;
            }
            let path = format!("{prefix}/{}/{}.m4s", self.track, last.number + 1);
            let seen = match timeout_at(until.into(), store.look(&path)).await {
                Ok(Ok(seen)) => seen,
                Ok(Err(store::Error::NotFound { .. })) => break,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "what may lie behind the record's end is not taken up");
                    break;
                }
                Err(_) => {
                    tracing::warn!(path, "what may lie behind the record's end did not come in time");
                    break;
                }
            };
            match fit(&seen.body, last, grid, self.timescale) {
                Ok(entry) => entries.push(entry),
                Err(why) => {
                    tracing::warn!(%why, path, "what lies behind the record's end is not taken up");
                    break;
                }
            }
        }
        entries
    }
}

/// How `body` is listed, if it is the segment behind `last`.
fn fit(body: &[u8], last: &Segment, grid: &Grid, timescale: Timescale) -> Result<Entry, Unfit> {
    let read = reader::MediaSegment::read(body)?;
    if !last.era.init.starts_with(&format!("init-{:08x}", read.mark)) {
        return Err(Unfit::Init { init: last.era.init.clone() });
    }
    let (number, due, end) = (last.number + 1, last.end(), read.start + read.duration);
    if read.start != due
        || grid.segment_of(due, timescale) != number
        || read.sequence != sequence_of(number, 0)
    {
        return Err(Unfit::Place { found: read.start, sequence: read.sequence, due });
    }
    if grid.segment_of(end, timescale) != number + 1 {
        return Err(Unfit::End { end });
    }
    let segment = Segment {
        number,
        start: due,
        duration: read.duration,
        size: body.len() as u64,
        parts: Vec::new(),
        era: last.era.clone(),
        captured_at: read.captured_at,
    };
    Ok(Entry { segment, etag: store::etag([body]) })
}
