//! What a channel has published: immutable, rendered once by the channel's task, shared by all readers.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::watch;

use super::status::Status;
use crate::store::etag;

/// A rendered playlist or manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// As it is.
    pub body: Bytes,
    /// Compressed with gzip.
    pub gzip: Bytes,
    /// Strong entity tag of `body`, quoted. That of `gzip` is another one: see [`Document::gzip_etag`].
    pub etag: String,
}

impl Document {
    /// Compresses and hashes `body`.
    pub fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into a Vec cannot fail.
        let gzip = gzip.write_all(&body).and_then(|()| gzip.finish()).unwrap_or_default();
        Self { etag: etag([&body[..]]), gzip: gzip.into(), body }
    }

    /// Strong entity tag of `gzip`, quoted (RFC 9110 8.8.3.3: each content coding has its own).
    pub fn gzip_etag(&self) -> String {
        format!("{}-gz\"", self.etag.trim_end_matches('"'))
    }
}

/// The body of an init segment or of a whole segment, in chunks that are shared and never copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The bytes, in order.
    pub chunks: Vec<Bytes>,
    /// Sum of the chunks' lengths.
    pub length: u64,
    /// Strong entity tag of the whole, quoted.
    pub etag: String,
}

impl Body {
    /// Hashes `chunks`.
    pub fn new(chunks: Vec<Bytes>) -> Self {
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { length, etag: etag(chunks.iter().map(|chunk| &chunk[..])), chunks }
    }
}

/// A channel at one moment.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Multivariant playlist, once every track has a segment.
    pub multivariant: Option<Arc<Document>>,
    /// MPD, likewise.
    pub mpd: Option<Arc<Document>>,
    /// Tracks by name.
    pub tracks: HashMap<String, Arc<TrackEdge>>,
    /// EXT-X-TARGETDURATION, from which the cache lifetimes of the documents follow.
    pub target_duration: Duration,
    /// True when the presentation is complete and will not change.
    pub ended: bool,
}

/// A track at one moment.
#[derive(Clone, Debug, Default)]
pub struct TrackEdge {
    /// Media playlist, once there is a segment.
    pub playlist: Option<Arc<Document>>,
    /// Init segments by file name, `init-{hash}.mp4`.
    pub inits: BTreeMap<String, Arc<Body>>,
    /// Complete segments in memory, by number.
    pub segments: BTreeMap<i64, Arc<Body>>,
    /// Numbers of complete segments that are in the store, whether or not they are in memory too.
    pub stored: Option<RangeInclusive<i64>>,
}

/// Reads a channel. Cloning is cheap; no lock is taken.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Snapshots of what is published.
    pub edge: watch::Receiver<Arc<Edge>>,
    /// How it is doing.
    pub status: watch::Receiver<Status>,
}
