//! Why nothing was cut out.

use std::{io, ops::RangeInclusive, path::PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use headwater_packager::bmff::reader;
use thiserror::Error;

use super::Request;
use crate::{
    channel::{self, archive},
    store,
};

/// Why nothing was cut out. Each tells what, where, and what would be right.
#[derive(Debug, Error)]
pub enum Error {
    /// The store knows nothing of it.
    #[error("nothing is kept of channel {channel} in {store}; name a channel that has been on air")]
    UnknownChannel {
        /// Its name.
        channel: String,
        /// The store.
        store: String,
    },
    /// There is something, but not there.
    #[error("nothing of channel {channel} is kept from {from} to {to}; {instead}")]
    Nothing {
        /// Its name.
        channel: String,
        /// As it was asked.
        from: String,
        /// As it was asked.
        to: String,
        /// What is kept.
        instead: String,
    },
    /// No such video track.
    #[error("there is no video track {rung}; --rung takes one of {names}")]
    UnknownRung {
        /// What was named.
        rung: String,
        /// What there is.
        names: String,
    },
    /// One file has one set of settings.
    #[error(
        "the encoder's settings of {track} change within the stretch, which one file cannot hold; \
         give a shorter stretch, or a directory as --out"
    )]
    Settings {
        /// Name of the track.
        track: String,
    },
    /// Something is there already.
    #[error("{0} is there already; give a name that is not taken as --out")]
    Taken(String),
    /// A file is appended to, which objects of a bucket are not.
    #[error(
        "{0} is not of this machine; give a path for one file, or a name without .mp4 for a presentation"
    )]
    FileElsewhere(String),
    /// Somebody has stopped it.
    #[error("interrupted; nothing is left of what was written")]
    Interrupted,
    /// The system refuses.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A segment that is no such thing.
    #[error("segment {number} of {track} is damaged: {source}")]
    Damaged {
        /// Its number.
        number: i64,
        /// Name of its track.
        track: String,
        /// Where and how.
        source: reader::Error,
    },
    /// What is kept cannot be read.
    #[error(transparent)]
    Channel(#[from] channel::Error),
    /// A chapter cannot be read.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// Media cannot be read, or a presentation not be written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    pub(super) fn nothing(request: &Request, kept: Option<RangeInclusive<i64>>) -> Self {
        let segment = request.segment.as_nanos() as i64;
        let instead = kept.map_or("nothing else is, either".into(), |kept| {
            let from = date(kept.start().saturating_mul(segment));
            format!("what is kept lies between {from} and {}", date((kept.end() + 1).saturating_mul(segment)))
        });
        let (from, to) = (date(request.from), date(request.to));
        Self::Nothing { channel: request.channel.clone(), from, to, instead }
    }
}

fn date(nanos: i64) -> String {
    DateTime::<Utc>::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
