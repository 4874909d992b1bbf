//! What a channel has published: immutable, rendered once by the channel's task, shared by all readers.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_packager::{track::Track, window::Bandwidth};
use http::HeaderValue;
use tokio::sync::watch;

pub use super::document::{Coded, Coding, Document};
use super::{
    archive::Archive,
    document::tag,
    fitness::{Filling, Limits, Unfit, filling, of_channel},
    frames::{KeyFrames, Lineup},
    listing::Listing,
    status::Status,
};
use crate::{clock, store::etag};

/// The body of an init segment or of a whole segment, in chunks that are shared and never copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The bytes, in order.
    pub chunks: Vec<Bytes>,
    /// Sum of the chunks' lengths.
    pub length: u64,
    /// Strong entity tag of the whole, quoted.
    pub etag: HeaderValue,
    /// CMSD-Static, where it is known what it is.
    pub cmsd: Option<HeaderValue>,
}

impl Body {
    /// Hashes `chunks`.
    pub fn new(chunks: Vec<Bytes>) -> Self {
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { length, etag: tag(etag(chunks.iter().map(|chunk| &chunk[..]))), cmsd: None, chunks }
    }

    /// The same, of which CMSD-Static says what it is.
    #[must_use]
    pub fn described(self, cmsd: HeaderValue) -> Self {
        Self { cmsd: Some(cmsd), ..self }
    }
}

/// A media playlist in the forms that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist {
    /// All of it.
    pub whole: Arc<Document>,
    /// The delta update (rfc8216bis 6.2.5.1), where it would leave something out.
    pub delta: Option<Arc<Document>>,
}

/// A segment in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its chunks so far, in order.
    pub chunks: Vec<Arc<Body>>,
    /// True if each chunk can be asked for by itself, as a partial segment.
    pub has_parts: bool,
    /// All of it, once it is complete.
    pub whole: Option<Arc<Body>>,
    /// True once it is durable, or the store has failed to take it. Nobody is told that they have all of it before:
    /// after a crash the filler would take its place under its name.
    pub settled: bool,
}

impl Segment {
    /// One that is complete and durable.
    pub fn settled(whole: Arc<Body>) -> Self {
        Self { chunks: Vec::new(), has_parts: false, whole: Some(whole), settled: true }
    }
}

/// How far a track's playlist has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last segment that is listed whole.
    pub last: i64,
    /// How many parts of the one after it are listed.
    pub parts: u32,
}

/// A channel at one moment.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Multivariant playlist, once every track has a list.
    pub multivariant: Option<Arc<Document>>,
    /// MPD, likewise.
    pub mpd: Option<Arc<Document>>,
    /// The tracks in the order in which documents have them.
    pub renditions: Arc<[Rendition]>,
    /// How long a segment is on the grid; zero before there is one.
    pub segment: Duration,
    /// Tracks by name: each goes on by itself, so that who waits for one is not woken by another.
    pub tracks: HashMap<String, watch::Receiver<Arc<TrackEdge>>>,
    /// EXT-X-TARGETDURATION, from which the cache lifetimes of the documents follow.
    pub target_duration: Duration,
    /// True when the presentation is complete and will not change.
    pub ended: bool,
    /// From when on it is not fit to be shown.
    pub limits: Limits,
    /// What is kept goes by its bytes too: heavy hours push out many light ones.
    pub by_bytes: bool,
    /// Counts those who have published the channel, up to who has made this; 0 where nobody counts.
    pub epoch: u64,
}

/// What documents of a stretch say of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// The track.
    pub track: Arc<Track>,
    /// Its bit rates as they are configured: those of what is on air differ from moment to moment, and last night is the same
    /// for all who tell of it.
    pub bandwidth: Bandwidth,
}

impl Rendition {
    /// Of a track that an encoder was asked for.
    pub fn of(track: Arc<Track>) -> Self {
        Self { bandwidth: nominal(track.bitrate.into()), track }
    }
}

/// Rate control makes some segments larger than others, by about so much at most.
pub(super) fn nominal(average: u64) -> Bandwidth {
    Bandwidth { peak: average + average / 4, average }
}

/// A track at one moment.
#[derive(Clone, Debug, Default)]
pub struct TrackEdge {
    /// Media playlist, once there is enough to list.
    pub playlist: Option<Arc<Playlist>>,
    /// Number of the first segment that it lists.
    pub first: Option<i64>,
    /// What it lists last.
    pub head: Option<Head>,
    /// Its complete segments, for documents of another stretch.
    pub listing: Arc<Listing>,
    /// True when nothing will be added.
    pub ended: bool,
    /// Set where parts are published one by one.
    pub low_latency: Option<LowLatency>,
    /// Init segments by file name, `init-{hash}.mp4`.
    pub inits: BTreeMap<String, Arc<Body>>,
    /// Segments in memory by number, the open one too if the channel is in low latency.
    pub segments: BTreeMap<i64, Arc<Segment>>,
    /// Segments whose parts may still be asked for although who told of them is gone.
    pub left: BTreeMap<i64, Arc<Segment>>,
    /// Numbers of complete segments that are in the store, whether or not they are in memory too.
    pub stored: Option<RangeInclusive<i64>>,
    /// How segments that are recorded are listed, however long ago they left the playlist.
    pub archive: Option<Arc<Archive>>,
    /// CMSD-Static of media of it of which no more is known.
    pub cmsd: Option<HeaderValue>,
    /// When the playlist last came to list more.
    pub moved_at: Option<Instant>,
    /// Since when it has been made of the filler, if it is.
    pub slate_since: Option<Instant>,
    /// When this was published.
    pub published_at: Option<Instant>,
}

/// How parts are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowLatency {
    /// EXT-X-PART-INF:PART-TARGET.
    pub part_target: Duration,
    /// How many parts a segment has.
    pub parts_per_segment: u32,
}

/// Reads a channel. Cloning is cheap; no lock is taken.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Snapshots of what is published.
    pub edge: watch::Receiver<Arc<Edge>>,
    /// How it is doing.
    pub status: watch::Receiver<Status>,
    /// The tracks and their newest frames.
    pub lineup: watch::Receiver<Arc<Lineup>>,
    /// Asks its encoder for key frames.
    pub key_frames: KeyFrames,
}

impl Reader {
    /// Why the channel is not fit to be shown now, if it is not.
    pub fn unfit(&self) -> Option<Unfit> {
        of_channel(&self.edge.borrow(), clock::now())
    }

    /// What its playlists lack before viewers from elsewhere are sent here, if they lack anything.
    pub fn filling(&self) -> Option<Filling> {
        filling(&self.edge.borrow(), self.status.borrow().has_pictures())
    }
}
