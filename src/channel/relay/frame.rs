//! Frames: two lengths (big-endian, 32 bits), what is said (JSON), and the bytes that it speaks of, one behind the other.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What both sides have to speak.
pub const VERSION: u32 = 2;
const PREFIX: usize = 8;
/// Of what is said. A list of a day has some thousand pieces.
pub(super) const LONGEST_WORDS: usize = 1 << 20;
/// Of the bytes that go with it. Who joins is told some segments at once.
const LONGEST_BYTES: usize = 256 << 20;

/// Why what came cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It speaks another version.
    #[error(
        "the packager speaks version {0} of the feed, and this server {VERSION}; run the same version of Headwater"
    )]
    Version(u32),
    /// It is no frame of ours.
    #[error("what comes is no feed of a packager: {0}")]
    Unsound(String),
}

/// One thing that is said. Lengths are those of bytes that follow, in the order in which they are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(super) enum Told {
    Hello { version: u32 },
    Channel(Channel),
    Track(Box<Track>),
    Beat,
}

/// What all tracks have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) ended: bool,
    /// Of who publishes it.
    pub(super) epoch: u64,
    pub(super) segment_us: u64,
    pub(super) target_s: u64,
    /// All that there are; others are gone.
    pub(super) tracks: Vec<String>,
    pub(super) multivariant: Option<u32>,
    pub(super) mpd: Option<u32>,
}

/// What is new of a track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Track {
    pub(super) name: String,
    pub(super) ended: bool,
    /// The first segment that is listed.
    pub(super) first: Option<i64>,
    /// The last one, and how many parts of the next.
    pub(super) head: Option<(i64, u32)>,
    /// Part target in microseconds, and parts in a segment.
    pub(super) low_latency: Option<(u64, u32)>,
    pub(super) cmsd: Option<String>,
    /// First and last number of the segments that the store has.
    pub(super) stored: Option<(i64, i64)>,
    pub(super) moved_ms: Option<u64>,
    pub(super) slate_ms: Option<u64>,
    pub(super) playlist: Option<List>,
    pub(super) delta: Option<u32>,
    pub(super) inits: Vec<Init>,
    pub(super) segments: Vec<Segment>,
    /// Numbers of segments that are in memory no longer.
    pub(super) gone: Vec<i64>,
}

/// A media playlist in pieces, most of which are those of the version before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    pub(super) pieces: Vec<Piece>,
    pub(super) rest: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Piece {
    /// The one with this index in the version before.
    Kept(usize),
    New {
        length: u32,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Init {
    pub(super) name: String,
    pub(super) object: Object,
}

/// Bytes, and the CMSD-Static that they have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) length: u32,
    pub(super) cmsd: Option<String>,
}

/// What is new of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) number: i64,
    pub(super) has_parts: bool,
    pub(super) settled: bool,
    /// Chunks behind those that were told before.
    pub(super) chunks: Vec<Object>,
    pub(super) whole: Option<Whole>,
}

/// A segment is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whole {
    pub(super) cmsd: Option<String>,
    /// Of its bytes, if it is not the sum of its chunks and was not told before.
    pub(super) length: Option<u32>,
}

impl Told {
    /// The frame that says so, with `bytes` behind it.
    pub(super) fn framed(&self, bytes: Vec<Bytes>) -> Vec<Bytes> {
        // Nothing in it can fail to be written.
        let words = serde_json::to_vec(self).unwrap_or_default();
        let length: usize = bytes.iter().map(Bytes::len).sum();
        let mut head = BytesMut::with_capacity(PREFIX + words.len());
        head.put_u32(u32::try_from(words.len()).unwrap_or(u32::MAX));
        head.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        head.put_slice(&words);
        std::iter::once(head.freeze()).chain(bytes).filter(|piece| !piece.is_empty()).collect()
    }
}

/// Takes bytes as they come apart into frames.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    buffer: BytesMut,
}

impl Deframer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if all of it is there.
    pub(super) fn next(&mut self) -> Result<Option<(Told, Bytes)>, Error> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>() else { return Ok(None) };
        let [words, bytes] = [&prefix[..4], &prefix[4..]].map(|mut length| length.get_u32() as usize);
        if words > LONGEST_WORDS || bytes > LONGEST_BYTES {
            return Err(Error::Unsound(format!("a frame of {words} and {bytes} bytes")));
        }
        if self.buffer.len() < PREFIX + words + bytes {
            self.buffer.reserve(PREFIX + words + bytes - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        let told = self.buffer.split_to(words);
        let bytes = self.buffer.split_to(bytes).freeze();
        let told = serde_json::from_slice(&told).map_err(|error| Error::Unsound(error.to_string()))?;
        Ok(Some((told, bytes)))
    }
}
