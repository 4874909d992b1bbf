//! The state record: what a channel must know to go on where it was.
//!
//! Beside it lies the opening: the catalog and the filler of the last encoder, as they came over the wire.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use headwater_packager::window::Window;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::fence::Stamp;
use crate::{
    config,
    ladder::wire::{self, Message},
    store::{self, Store},
};

const VERSION: u32 = 1;

/// What is known of a channel when its process is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// What was on air; another source or ladder is a new beginning for tracks that it does not have.
    pub(super) source: String,
    pub(super) ladder: config::Ladder,
    /// True once the source has come to its end.
    pub(super) ended: bool,
    /// Who has written it.
    #[serde(default)]
    pub(super) fence: Stamp,
    /// Tracks by name.
    pub(super) tracks: BTreeMap<String, TrackRecord>,
}

/// What is known of a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TrackRecord {
    /// All complete segments that are or will be listed.
    pub(super) window: Window,
    /// Numbers of all segments that are kept: those that left the window stay a while for those who read old lists.
    pub(super) kept: BTreeSet<i64>,
    /// Entity tags of those, as far as they are known: what is read and has another is damaged.
    #[serde(default)]
    pub(super) etags: BTreeMap<i64, String>,
}

/// Why a channel cannot go on where it was.
#[derive(Debug, Error)]
pub enum Error {
    /// The store could not be read.
    #[error("cannot read what is kept of the channel: {0}")]
    Store(#[from] store::Error),
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
        Self { version: VERSION, source, ladder, ended, fence, tracks }
    }

    /// The same, of this writer.
    pub(super) fn stamped(self, fence: Stamp) -> Self {
        Self { fence, ..self }
    }

    /// Tells the store what its segments have to be.
    pub(super) fn vouch(&self, store: &Store, prefix: &str) {
        for (track, record) in &self.tracks {
            record
                .etags
                .iter()
                .for_each(|(number, etag)| store.expect(&format!("{prefix}/{track}/{number}.m4s"), etag));
        }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        // Serialising it cannot fail: its maps have string keys and its impls return no errors.
        serde_json::to_vec(self).unwrap_or_default().into()
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

/// Reads record and opening, if there are any.
///
/// # Errors
/// When they are there and cannot be used.
pub(super) async fn read(store: &Store, prefix: &str) -> Result<Option<(Record, Vec<Message>)>, Error> {
    let path = path_in(prefix);
    let Some(bytes) = read_one(store, &path).await? else { return Ok(None) };
    let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if record.version != VERSION {
        return Err(damaged(format!("version {} instead of {VERSION}", record.version)));
    }
    let path = opening_path_in(prefix);
    let Some(bytes) = read_one(store, &path).await? else { return Ok(None) };
    let mut opening = Vec::new();
    let mut rest = BytesMut::from(&bytes[..]);
    while let Some(message) = wire::decode(&mut rest)
        .map_err(|error| Error::Damaged { path: path.clone(), reason: error.to_string() })?
    {
        opening.push(message);
    }
    Ok(Some((record, opening)))
}

async fn read_one(store: &Store, path: &str) -> Result<Option<Bytes>, Error> {
    match store.get(path).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
