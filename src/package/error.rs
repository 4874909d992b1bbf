//! Why nothing was packaged.

use std::{io, path::PathBuf};

use headwater_packager::{bmff::reader, codec, segmenter};
use thiserror::Error;

use super::copy::{Instant, LongestMoov};
use crate::ladder::process;

/// Why nothing was packaged. Each tells what, where, and what would be right.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing to package.
    #[error("there is no input; name at least one media file")]
    NoInput,
    /// An encoder takes one source.
    #[error(
        "{0} inputs cannot be encoded into one presentation; give one, or --copy to make each a rendition as it is"
    )]
    SeveralInputs(usize),
    /// The input is not there.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A directory or device.
    #[error("{} is not a file; name a media file", .0.display())]
    NotAFile(PathBuf),
    /// No bytes.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// The system refuses.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The input.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not a file of boxes.
    #[error("{} is not MP4, which is all that --copy repackages; leave --copy out to encode it", .0.display())]
    NotMp4(PathBuf),
    /// MP4 without a movie header.
    #[error(
        "{} has no `moov` box, so nothing says what its media is: it is cut short, or was never finished", .0.display()
    )]
    NoMoov(PathBuf),
    /// A movie header that would fill the memory.
    #[error("{}: its `moov` box of {size} bytes is above the limit of {LongestMoov}; that is no real file", path.display())]
    LongMoov {
        /// The input.
        path: PathBuf,
        /// Bytes.
        size: u64,
    },
    /// Boxes that do not hold together.
    #[error("{} is damaged: {source}", path.display())]
    Damaged {
        /// The input.
        path: PathBuf,
        /// Where and how.
        source: reader::Error,
    },
    /// Tables that contradict each other or the file.
    #[error("{} is damaged: track {track} {what}", path.display())]
    Tables {
        /// The input.
        path: PathBuf,
        /// Track ID.
        track: u32,
        /// How.
        what: String,
    },
    /// Samples in fragments.
    #[error(
        "{} is fragmented MP4, which --copy does not read; `ffmpeg -i INPUT -c copy OUTPUT.mp4` makes it plain, or leave --copy out to encode it",
        .0.display()
    )]
    Fragmented(PathBuf),
    /// Encrypted samples.
    #[error("{}: track {track} is encrypted (`{entry}`); decrypt the file first", path.display())]
    Encrypted {
        /// The input.
        path: PathBuf,
        /// Track ID.
        track: u32,
        /// Type of its sample entry.
        entry: String,
    },
    /// A codec that is not carried.
    #[error(
        "{}: track {track} is `{entry}`; --copy carries H.264, H.265 and AAC. Leave --copy out to encode it",
        path.display()
    )]
    Codec {
        /// The input.
        path: PathBuf,
        /// Track ID.
        track: u32,
        /// Type of its sample entry.
        entry: String,
    },
    /// A decoder configuration that is no such thing.
    #[error("{}: the decoder configuration of track {track} is damaged: {source}", path.display())]
    Configuration {
        /// The input.
        path: PathBuf,
        /// Track ID.
        track: u32,
        /// How.
        source: codec::Error,
    },
    /// A track that is put together from pieces.
    #[error(
        "{}: the edit list of track {track} joins {pieces} pieces of it, which --copy cannot; leave --copy out to encode it",
        path.display()
    )]
    Edits {
        /// The input.
        path: PathBuf,
        /// Track ID.
        track: u32,
        /// How many.
        pieces: usize,
    },
    /// Nothing of use.
    #[error("{} has neither video nor audio to package", .0.display())]
    NoMedia(PathBuf),
    /// Rungs between which a player cannot switch.
    #[error(
        "segment {number} would begin at {one} but at {other}: players switch between renditions only where all have a key frame. Encode them with one fixed key frame interval, or leave --copy out"
    )]
    Unaligned {
        /// Segment number.
        number: usize,
        /// One rung's instant.
        one: Box<Instant>,
        /// The other rung's.
        other: Box<Instant>,
    },
    /// Rungs of different length.
    #[error("the video ends at {one} but at {other}: these are not renditions of the same")]
    Lengths {
        /// One rung's instant.
        one: Box<Instant>,
        /// The other rung's.
        other: Box<Instant>,
    },
    /// A place that this build cannot write to.
    #[error("--out {0}: this build writes to directories only; give a path, and copy the result from there")]
    OutScheme(String),
    /// Something is there already.
    #[error("--out {}: the directory is not empty; give a new one, or empty it", .0.display())]
    OutNotEmpty(PathBuf),
    /// A file or an unreadable directory.
    #[error("--out {}: {source}; give a directory that this user may write to", path.display())]
    OutUnusable {
        /// As given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk is full, and the like.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A path that cannot be handed to the encoder.
    #[error("{} has a name that is not UTF-8; rename it", .0.display())]
    Name(PathBuf),
    /// The encoder says why not.
    #[error("{0}")]
    Refused(String),
    /// The encoder crashed, or was killed.
    #[error("the encoding was cut short: {0}; RUST_LOG=info shows what it logged")]
    Encoder(#[from] process::Error),
    /// The encoder hangs.
    #[error("the encoder has given nothing for {0} s and was stopped; RUST_LOG=info shows what it logged")]
    Silent(u64),
    /// The encoder broke its promises.
    #[error("track {track}: {source}; this is a bug in the encoder")]
    Segment {
        /// Track name.
        track: String,
        /// How.
        source: segmenter::Error,
    },
    /// No pictures, no sound.
    #[error("{} gave neither pictures nor sound", .0.display())]
    NothingEncoded(PathBuf),
    /// Ctrl-C.
    #[error("interrupted; what was written so far is deleted")]
    Interrupted,
}
