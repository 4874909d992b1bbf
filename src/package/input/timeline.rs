//! When a track's samples are presented: the edit list (ISO/IEC 14496-12 8.6.6) applied.

use std::path::Path;

use headwater_packager::{
    bmff::reader::MovieTrack,
    time::{Ticks, Timescale},
};

use super::{Entry, Tables};
use crate::package::Error;

/// No presentation waits longer for a track.
const LONGEST_DELAY_SECONDS: u64 = 86_400;

/// When a track's samples are presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::package) struct Timeline {
    /// So many samples in front are left out: sound that is priming only, and what cannot be decoded.
    pub(in crate::package) skip: u32,
    /// Decode time of the first sample that is kept, by the tables.
    pub(in crate::package) first_dts: Ticks,
    /// Its composition offset. It is subtracted from all, so that the first frame is presented at its decode time.
    pub(in crate::package) first_cts: i32,
    /// When it is presented, by the edit list. Negative if the edit begins in the middle of what it needs.
    pub(in crate::package) start: Ticks,
    /// End of the last sample, by the tables.
    pub(in crate::package) end: Ticks,
    /// Bytes of all samples that are kept.
    pub(in crate::package) bytes: u64,
}

impl Timeline {
    pub(super) fn new(
        path: &Path,
        track: &MovieTrack,
        movie_timescale: u32,
        tables: &Tables,
    ) -> Result<Self, Error> {
        let wrong =
            |what: &str| Error::Tables { path: path.to_owned(), track: track.id, what: what.to_owned() };
        let (delay, media_time) = edit(path, track, movie_timescale)?;
        let is_sound = &track.handler.0 == b"soun";
        let is_left_out = |entry: &Entry| {
            let end = entry.dts + Ticks::from(entry.duration);
            !entry.sync || is_sound && end <= media_time
        };
        let mut kept = tables.cursor().skip_while(is_left_out);
        let first = kept.next().ok_or_else(|| wrong("has no sample that could be presented"))?;
        let (end, bytes) = kept
            .fold((first.dts + Ticks::from(first.duration), u64::from(first.size)), |(_, bytes), entry| {
                (entry.dts + Ticks::from(entry.duration), bytes + u64::from(entry.size))
            });
        let presented = first.dts + Ticks::from(first.cts);
        if media_time > end {
            return Err(wrong("begins, by its edit list, behind its end"));
        }
        if end <= first.dts {
            return Err(wrong("has a duration of zero"));
        }
        let skip = tables.cursor().take_while(is_left_out).count() as u32;
        let start = presented - media_time + delay;
        Ok(Self { skip, first_dts: first.dts, first_cts: first.cts, start, end, bytes })
    }
}

/// Ticks that the presentation waits for the track, and the composition time that is presented then.
fn edit(path: &Path, track: &MovieTrack, movie_timescale: u32) -> Result<(Ticks, Ticks), Error> {
    const NOTHING: i64 = -1;
    let pieces: Vec<_> = track.edits.iter().filter(|edit| edit.media_time != NOTHING).collect();
    if pieces.len() > 1 {
        return Err(Error::Edits { path: path.to_owned(), track: track.id, pieces: pieces.len() });
    }
    let wrong = |what: &str| Error::Tables { path: path.to_owned(), track: track.id, what: what.to_owned() };
    let media_time = pieces.first().map_or(0, |edit| edit.media_time);
    if media_time < 0 {
        return Err(wrong("has an edit list with a negative time"));
    }
    let empty = track.edits.iter().take_while(|edit| edit.media_time == NOTHING);
    let delay = empty.fold(0_u64, |sum, edit| sum.saturating_add(edit.duration));
    if delay / u64::from(movie_timescale.max(1)) > LONGEST_DELAY_SECONDS {
        return Err(wrong("begins, by its edit list, more than a day late"));
    }
    let (Some(from), Some(to)) = (Timescale::new(movie_timescale), Timescale::new(track.timescale)) else {
        return Err(wrong("has a timescale of zero"));
    };
    Ok((from.rescale(delay as Ticks, to), media_time))
}
