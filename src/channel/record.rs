//! The state record: what a channel must know to go on where it was.
//!
//! Beside it lies the opening: the catalog and the filler of the last encoder, as they came over the wire.

use std::{collections::BTreeMap, time::Duration};

use bytes::{Bytes, BytesMut};
use headwater_packager::{
    time::Grid,
    window::{Segment, Window},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    archive::{self, Archive, Entry, Gone},
    fence::Stamp,
    seal,
};
use crate::{
    config,
    ladder::wire::{self, Message},
    store::{self, Store},
};

const VERSION: u32 = 2;
/// A list of fewer segments is hardly one: players stay behind three (rfc8216bis 6.3.3).
const FEWEST: usize = 3;

/// What is known of a channel when its process is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// What was on air; another source or ladder is a new beginning for tracks that it does not have.
    pub(super) source: String,
    pub(super) ladder: config::Ladder,
    /// True once the source has come to its end.
    pub(super) ended: bool,
    /// True once all of it is in the store and counted in here: then, and not before, those who read this say so too.
    #[serde(default)]
    pub(super) complete: bool,
    /// How many bytes are kept at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) archive_bytes: Option<u64>,
    /// Who has written it.
    #[serde(default)]
    pub(super) fence: Stamp,
    /// Entity tag of the opening that describes its tracks. What lies beside it may be of an encoder that has begun since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) opening: Option<String>,
    /// Tracks by name.
    pub(super) tracks: BTreeMap<String, TrackRecord>,
    /// What is left of tracks that there are no more, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) gone: BTreeMap<String, Gone>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What is known of a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TrackRecord {
    /// How much of the past is to be listed.
    pub(super) length: Duration,
    /// Number of the first segment that is listed.
    pub(super) first: i64,
    /// How many discontinuities lie before it.
    pub(super) discontinuity_sequence: u64,
    /// The highest bit rate of a segment that was ever listed.
    pub(super) peak: u64,
    /// All complete segments that are kept.
    pub(super) archive: Archive,
    /// Those that are listed and lie in chapters, once these are read.
    #[serde(skip)]
    pub(super) bound: Vec<Entry>,
}

/// Why a channel cannot go on where it was.
#[derive(Debug, Error)]
pub enum Error {
    /// The store could not be read.
    #[error("cannot read what is kept of the channel: {0}")]
    Store(#[from] store::Error),
    /// The segments that are listed could not be read.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// Something has deleted what everything else needs.
    #[error(
        "{path} is not there, and the channel cannot go on without it: does a rule of the bucket delete by age? Move the \
         channel's directory away to start afresh"
    )]
    Incomplete {
        /// The object.
        path: String,
    },
    /// Its numbers are of another grid.
    #[error(
        "{path} counts segments of {kept:?}, and segment is {segment:?}: their numbers would mean other times. Write \
         segment = \"{kept:?}\", or move the channel's directory away to start afresh"
    )]
    OtherGrid {
        /// The record.
        path: String,
        /// How long the segments are that are kept.
        kept: Duration,
        /// How long they would be.
        segment: Duration,
    },
    /// It is not what this version writes.
    #[error(
        "{path} is damaged or from another version ({reason}); move the channel's directory away to start afresh"
    )]
    Damaged {
        /// The object.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Record {
    pub(super) fn new(
        source: &str,
        ladder: &config::Ladder,
        ended: bool,
        tracks: BTreeMap<String, TrackRecord>,
    ) -> Self {
        let (source, ladder, fence) = (source.to_owned(), ladder.clone(), Stamp::default());
        let gone = BTreeMap::new();
        let (complete, archive_bytes, opening) = (false, None, None);
        Self {
            version: VERSION,
            source,
            ladder,
            ended,
            complete,
            archive_bytes,
            fence,
            opening,
            tracks,
            gone,
        }
    }

    /// The same with the entity tag of the opening that describes its tracks.
    #[must_use]
    pub(super) fn opened_by(self, opening: Option<String>) -> Self {
        Self { opening, ..self }
    }

    /// The same that says whether nothing is missing.
    #[must_use]
    pub(super) fn completed(self, complete: bool) -> Self {
        Self { complete, ..self }
    }

    /// The same of a channel of which so many bytes are kept at most.
    #[must_use]
    pub(super) fn within(self, archive_bytes: Option<u64>) -> Self {
        Self { archive_bytes, ..self }
    }

    /// The same that knows what is left of other tracks.
    #[must_use]
    pub(super) fn beside(self, gone: BTreeMap<String, Gone>) -> Self {
        Self { gone, ..self }
    }

    /// The same, of this writer.
    pub(super) fn stamped(self, fence: Stamp) -> Self {
        Self { fence, ..self }
    }

    /// True if `other` has the same segments last. It may say otherwise who wrote it, that they are still there, and where
    /// the list begins now that this record is known to be durable.
    pub(super) fn is_as_far_as(&self, other: &Self) -> bool {
        let newest = |record: &TrackRecord| record.archive.numbers().map(|numbers| *numbers.end());
        let reached = |record: &Self| {
            record
                .tracks
                .iter()
                .map(|(name, track)| (name.clone(), newest(track)))
                .collect::<BTreeMap<_, _>>()
        };
        (self.ended, self.complete, reached(self)) == (other.ended, other.complete, reached(other))
    }

    /// Makes sure that its segments are counted on `grid`.
    ///
    /// # Errors
    /// [`Error::OtherGrid`].
    pub(super) fn fits(&self, grid: &Grid, path: &str) -> Result<(), Error> {
        for track in self.tracks.values() {
            let Some(Segment { number, start, .. }) = track.newest().map(|entry| &entry.segment) else {
                continue;
            };
            let timescale = track.archive.timescale();
            // By one it may be beside: what a source gives is cut at the pictures that there are.
            if *number > 0 && grid.segment_of(*start, timescale).abs_diff(*number) > 1 {
                let millis = timescale.nanos(*start) / i128::from(*number) / 1_000_000;
                let kept = Duration::from_millis(millis.try_into().unwrap_or_default());
                return Err(Error::OtherGrid { path: path.to_owned(), kept, segment: grid.segment });
            }
        }
        Ok(())
    }

    /// Tells the store what its segments have to be.
    pub(super) fn vouch(&self, store: &Store, prefix: &str) {
        for (track, record) in &self.tracks {
            let entries = record.bound.iter().chain(record.archive.tail().values());
            archive::vouch(store, prefix, track, entries);
        }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        // Serialising it cannot fail: its maps have string keys and its impls return no errors.
        seal::seal(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl TrackRecord {
    /// The newest of its segments, of those that are listed.
    pub(super) fn newest(&self) -> Option<&Entry> {
        self.archive.tail().values().next_back().or(self.bound.last())
    }

    /// Segment `number`, if it is listed.
    pub(super) fn entry(&self, number: i64) -> Option<&Entry> {
        let bound = || self.bound.iter().find(|entry| entry.segment.number == number);
        self.archive.tail().get(&number).or_else(bound)
    }

    /// All complete segments that are or will be listed.
    pub(super) fn window(&self) -> Window {
        let mut window =
            Window::new(self.length, self.archive.timescale()).behind(self.discontinuity_sequence, self.peak);
        let tail = self.archive.tail().range(self.first..).map(|(_, entry)| entry);
        for entry in self.bound.iter().chain(tail) {
            window.push(entry.segment.clone());
        }
        window
    }

    /// Reads the chapters that are listed. What lies in one that cannot be read, and before it, is not listed.
    ///
    /// # Errors
    /// When the store gives so few of them that there would be hardly a list.
    pub(super) async fn read_bound(
        &mut self,
        store: &Store,
        prefix: &str,
        track: &str,
    ) -> Result<(), archive::Error> {
        let tail = self.archive.tail().first_key_value().map_or(i64::MAX, |(number, _)| *number);
        let numbers = self.first..=tail.saturating_sub(1);
        let read = archive::entries_of_list(store, prefix, track, &self.archive, numbers).await;
        self.bound = read.entries;
        self.begin_behind_holes(tail);
        let listed = self.bound.len() + self.archive.tail().len();
        match read.missing.into_values().find(|why| !why.is_of_chapter()) {
            // It may give them the next time.
            Some(why) if listed < FEWEST => Err(why),
            _ => Ok(()),
        }
    }

    /// What is listed has no holes: one that a damaged chapter leaves is where the list begins anew. `tail` is the first
    /// number that lies in no chapter.
    fn begin_behind_holes(&mut self, tail: i64) {
        let follows = |pair: &[Entry]| pair[0].segment.number + 1 == pair[1].segment.number;
        let ends = |last: &Entry| tail == i64::MAX || last.segment.number + 1 == tail;
        let from = match self.bound.last() {
            Some(last) if ends(last) => {
                self.bound.windows(2).rposition(|pair| !follows(pair)).map_or(0, |at| at + 1)
            }
            _ => self.bound.len(),
        };
        let begins = self.bound.get(from).map_or(tail, |entry| entry.segment.number);
        if begins == i64::MAX || begins <= self.first {
            return;
        }
        let kept = self.bound.get(from).or_else(|| self.archive.tail().values().next());
        let eras = self.bound[..from].iter().chain(kept).map(|entry| &entry.segment.era);
        let changes = eras.clone().zip(eras.skip(1)).filter(|(before, behind)| before != behind).count();
        self.discontinuity_sequence += changes as u64;
        self.bound.drain(..from);
        self.first = begins;
    }
}

/// Where the record of the channel that is kept under `prefix` lies.
pub(super) fn path_in(prefix: &str) -> String {
    format!("{prefix}/state.json")
}

/// Where its opening lies.
pub(super) fn opening_path_in(prefix: &str) -> String {
    format!("{prefix}/opening.wire")
}

/// Reads record and opening, if there are any, and the chapters that are listed.
///
/// # Errors
/// When they are there and cannot be used.
pub(super) async fn read(store: &Store, prefix: &str) -> Result<Option<(Record, Vec<Message>)>, Error> {
    match read_one(store, &path_in(prefix)).await? {
        Some(bytes) => complete(store, prefix, &bytes).await,
        None => Ok(None),
    }
}

/// The same where the record is known to be `bytes`.
///
/// # Errors
/// When what it needs cannot be used.
pub(super) async fn complete(
    store: &Store,
    prefix: &str,
    bytes: &[u8],
) -> Result<Option<(Record, Vec<Message>)>, Error> {
    let mut record = decode(&path_in(prefix), bytes)?;
    for (track, record) in &mut record.tracks {
        record.read_bound(store, prefix, track).await?;
    }
    let path = opening_path_in(prefix);
    match read_one(store, &path).await {
        Ok(Some(bytes)) if record.opening.is_none() || is_opening_whole(&record, &bytes) => {
            // Who goes on from it goes on with what lies there, whichever it names.
            record.opening = Some(store::etag([&bytes[..]]));
            Ok(Some((record, decode_opening(&path, &bytes)?)))
        }
        // The next encoder says the same, and it is written anew. After the end there is none.
        Ok(Some(_)) | Err(Error::Store(store::Error::Damaged { .. })) if !record.ended => {
            tracing::warn!(path, "damaged: the channel goes on when an encoder has said what it was");
            Ok(Some((record, Vec::new())))
        }
        Ok(Some(_)) => Err(opening_damaged(path)),
        Err(error) => Err(error),
        // It is written before the first record that has any.
        Ok(None) if record.tracks.is_empty() => Ok(None),
        Ok(None) => Err(Error::Incomplete { path }),
    }
}

/// True if nobody can say from it what its tracks are: its opening is damaged.
pub(super) fn lacks_opening((record, opening): &(Record, Vec<Message>)) -> bool {
    opening.is_empty() && !record.tracks.is_empty()
}

pub(super) fn opening_damaged(path: String) -> Error {
    Error::Damaged { path, reason: "its content is not what was written".into() }
}

/// The record that lies at `path`, without what lies in chapters.
pub(super) fn decode(path: &str, bytes: &[u8]) -> Result<Record, Error> {
    let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
    // Looked at first, so that another version is told by its number and not by what it lacks.
    let Version { version } = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if version != VERSION {
        return Err(damaged(format!("version {version} instead of {VERSION}")));
    }
    if !seal::is_whole(bytes) {
        return Err(damaged("its content is not what was written".into()));
    }
    serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))
}

/// A frame of a kind that nobody reads, behind all others of an opening: it has the hash of these.
const SEAL: u8 = b'#';
/// How long such a frame is: a byte, the length of the rest, and the hash.
const SEALED: usize = 1 + 4 + 32;

/// What an encoder has said, as it is written.
pub(super) fn seal_opening(mut said: Vec<Bytes>) -> Vec<Bytes> {
    said.push(seal_of(said.iter().map(|message| &message[..])));
    said
}

fn seal_of<'a>(said: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let hash = store::etag(said);
    [&[SEAL, 0, 0, 0, 32][..], hash.trim_matches('"').as_bytes()].concat().into()
}

/// False if what was read as the opening of `record` is not what was written: neither what the record names, nor what somebody
/// else has written since.
pub(super) fn is_opening_whole(record: &Record, bytes: &[u8]) -> bool {
    let sealed = bytes.split_at_checked(bytes.len().saturating_sub(SEALED));
    record.opening == Some(store::etag([bytes]))
        || sealed.is_some_and(|(said, seal)| seal == &seal_of([said].into_iter())[..])
}

/// What is said in an opening that lies at `path`.
pub(super) fn decode_opening(path: &str, bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let mut opening = Vec::new();
    let mut rest = BytesMut::from(bytes);
    while let Some(message) = wire::decode(&mut rest)
        .map_err(|error| Error::Damaged { path: path.to_owned(), reason: error.to_string() })?
    {
        opening.push(message);
    }
    Ok(opening)
}

async fn read_one(store: &Store, path: &str) -> Result<Option<Bytes>, Error> {
    match store.get(path).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_packager::{time::Timescale, window::Era};

    use super::*;

    /// A record of a writer, whose list begins with segment `first` and ends with `last`.
    fn record(beat: u64, first: i64, last: i64) -> Record {
        let era = Arc::new(Era { first: 1, init: "init-ab.mp4".into(), sequence: 0 });
        let segment = |number| Segment {
            number,
            start: number * 2000,
            duration: 2000,
            size: 1,
            parts: Vec::new(),
            era: era.clone(),
            captured_at: 0,
        };
        let mut archive = Archive::new(Timescale::new(1000).unwrap());
        (1..=last).for_each(|number| archive.add(Entry { segment: segment(number), etag: String::new() }));
        let (length, bound) = (Duration::from_secs(20), Vec::new());
        let track = TrackRecord { length, first, discontinuity_sequence: 0, peak: 0, archive, bound };
        let tracks = BTreeMap::from([("180p".to_owned(), track)]);
        let record = Record::new("test:", &config::Ladder::default(), false, tracks);
        record.stamped(Stamp { beat, ..Stamp::default() })
    }

    #[test]
    fn a_record_that_has_no_other_segment_last_is_no_news() {
        let before = record(1, 3, 12);
        assert!(before.is_as_far_as(&record(2, 3, 12)), "a sign of life");
        assert!(before.is_as_far_as(&record(2, 4, 12)), "the list begins elsewhere");
        assert!(!before.is_as_far_as(&record(2, 4, 13)));
        assert!(!before.is_as_far_as(&record(2, 3, 12).completed(true)));
    }

    #[test]
    fn a_record_in_which_a_digit_is_another_is_damaged_and_one_without_a_hash_is_of_an_earlier_version() {
        let written = record(1, 3, 12);
        let text = String::from_utf8(written.to_bytes().to_vec()).unwrap();
        assert_eq!(decode("state.json", text.as_bytes()).unwrap(), written);
        let flipped = text.replacen("[12,24000,2000,1,", "[12,24000,2001,1,", 1);
        assert!(flipped != text && serde_json::from_str::<Record>(&flipped).is_ok());
        let refused = decode("state.json", flipped.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("not what was written"), "{refused}");
        let mut earlier: serde_json::Value = serde_json::from_str(&text).unwrap();
        earlier.as_object_mut().unwrap().remove("hash").unwrap();
        assert_eq!(decode("state.json", earlier.to_string().as_bytes()).unwrap(), written);
    }

    #[test]
    fn numbers_of_another_grid_are_not_gone_on_with() {
        let grid = |millis| Grid { segment: Duration::from_millis(millis), part: Duration::from_millis(200) };
        let record = record(1, 3, 12);
        assert!(record.fits(&grid(2000), "state.json").is_ok());
        for other in [1000, 4000] {
            let refused = record.fits(&grid(other), "state.json").unwrap_err().to_string();
            assert!(refused.contains("segments of 2s") && refused.contains("segment = \"2s\""), "{refused}");
        }
    }
}
