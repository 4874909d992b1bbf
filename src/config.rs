//! What to serve: the values that the rest of the program works with, already checked.

mod access;
mod check;
mod defaults;
mod file;
pub mod grid;
mod mistake;
pub mod rung;
mod server;
mod store;
pub mod unit;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use headwater_packager::time::{FrameRate, Grid};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::server::{Cdn, EdgeFeed, Limits, Pair, Secret, Server, Tls};

/// Why a configuration was refused. Nothing was started.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not TOML, or has a key or a type that does not belong there.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The key, what is wrong with it, and what would be right.
        reason: String,
    },
    /// The listeners are in each other's way, as given on the command line.
    #[error("--media and --control: {0}")]
    Listeners(String),
    /// A value is impossible.
    #[error("{}: {key}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, from the root.
        key: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl Config {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// Whatever is wrong with it, by file, key and what would be right.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_as(path, None)
    }

    /// The same for a server in this role, whatever the file says.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_as(path: &Path, role: Option<Role>) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Unreadable { path: path.into(), source })?;
        Self::parse_as(path, &text, role)
    }

    #[cfg(test)]
    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        Self::parse_as(path, text, None)
    }

    fn parse_as(path: &Path, text: &str, role: Option<Role>) -> Result<Self, Error> {
        let mut file: file::File = toml::from_str(text).map_err(|error| {
            let mistake::Mistake { line, column, reason } = mistake::locate(text, &error);
            Error::Syntax { path: path.into(), line, column, reason }
        })?;
        file.server.role = role.or(file.server.role);
        check::check(file).map_err(|(key, reason)| Error::Value { path: path.into(), key, reason })
    }
}

/// Everything `headwater serve` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Listeners.
    pub server: Server,
    /// Where segments, playlists and state records are kept.
    pub store: Store,
    /// Who may watch what is signed.
    pub access: Access,
    /// Channels by name.
    pub channels: BTreeMap<String, Channel>,
}

/// What a server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It packages the channels and serves them.
    #[default]
    All,
    /// It serves what others package into the same store.
    Origin,
}

/// Whose tokens are believed, and where they are asked for besides channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Keys by their `kid`.
    pub keys: BTreeMap<String, KeyFile>,
    /// More keys, which others keep.
    pub jwks: Option<KeySet>,
    /// Who may watch packaged files.
    pub vod: Who,
    /// What a token has to name as its audience; `None` for tokens that name none.
    pub audience: Option<String>,
    /// Who has to have issued a token; `None` for anyone who has a key.
    pub issuer: Option<String>,
}

/// Who may watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Everyone.
    #[default]
    Open,
    /// Who has a token that is signed by a key of [`Access`].
    Signed,
}

/// A key, by the file that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// A secret that is shared with who signs: HS256.
    Secret(PathBuf),
    /// A public key in PEM: ES256 or EdDSA.
    Public(PathBuf),
}

/// Where a JSON Web Key Set (RFC 7517) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySet {
    /// A file, which is read again when it has changed.
    File(PathBuf),
    /// A URL, which is asked again and again.
    Url(String),
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// A directory, or a `file://`, `memory://`, `s3://`, `gs://` or `az://` URL.
    pub url: String,
    /// What a bucket needs besides.
    pub bucket: Bucket,
    /// What waits while the store is slower than the channel.
    pub spool: Spool,
    /// What was read from it.
    pub cache: Cache,
    /// True if playlists and MPDs are written too, for servers that only have files.
    pub manifests: bool,
    /// Whether a bucket has to keep packagers apart.
    pub fence: Fence,
}

/// What becomes of a bucket that does what is asked of it whatever the condition is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fence {
    /// It is tried, and told if packagers cannot be kept apart there; one that is alone needs no fence.
    #[default]
    Auto,
    /// Nothing is published to a bucket in which packagers cannot be kept apart.
    Required,
    /// It is not tried.
    Off,
}

/// How much of what was read from the store is kept, so that it is not read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Bytes in memory.
    pub memory: u64,
    /// A directory on a disk of this machine, and how many bytes may lie there.
    pub disk: Option<(PathBuf, u64)>,
}

/// How a bucket is reached, and how its objects are kept there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The server, if it is not that of Amazon, Google or Microsoft.
    pub endpoint: Option<String>,
    /// Region; `None` for that of the environment.
    pub region: Option<String>,
    /// The bucket is named in the host and not in the path.
    pub virtual_host: bool,
    /// Files with the id and the secret of an access key; `None` for those of the environment or the machine.
    pub key_files: Option<store::KeyFiles>,
    /// File with what Google or Azure know us by; likewise.
    pub credentials_file: Option<PathBuf>,
    /// Azure's storage account; `None` for that of the environment.
    pub account: Option<String>,
    /// The way there may be without TLS.
    pub allow_http: bool,
    /// Encryption by the server, where the bucket's own setting is not to apply.
    pub encryption: Option<Encryption>,
    /// Storage class of segments.
    pub storage_class: Option<String>,
    /// Tags of segments, for lifecycle rules.
    pub tags: BTreeMap<String, String>,
}

/// Who has the keys that S3 encrypts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// S3 itself: SSE-S3.
    S3,
    /// The key management service: SSE-KMS.
    Kms {
        /// Id or ARN; `None` for the account's default key.
        key: Option<String>,
    },
}

/// How much of a channel may wait for its store. What comes beyond is lost to the store, and to nobody who watches live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Bytes in memory.
    pub memory: u64,
    /// A directory, and how many bytes may wait there.
    pub disk: Option<(PathBuf, u64)>,
}

/// One live channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// What to encode; empty where others do.
    pub source: String,
    /// Who may watch.
    pub access: Who,
    /// What places media in time.
    pub timing: Timing,
    /// Segment and part durations.
    pub grid: Grid,
    /// How much of the past a playlist lists.
    pub window: Duration,
    /// How long segments are kept in the store.
    pub archive: Duration,
    /// How many bytes of all tracks are kept there at most, unless the window has more; `None` for any number.
    pub archive_bytes: Option<u64>,
    /// Parts are published one by one, and encoders hold nothing back. Otherwise whole segments only.
    pub low_latency: bool,
    /// What to encode it to.
    pub ladder: Ladder,
    /// Where to wait for encoders that somebody else starts; `None` to start them.
    pub encoder_socket: Option<PathBuf>,
    /// When its playlists and its MPD are an error.
    pub unfit: Unfit,
}

/// What places live media in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timing {
    /// When it arrives, by this machine's clock.
    #[default]
    Clock,
    /// The timestamps of the transport stream, so that all who receive it make the same segments of it.
    Source,
}

/// When a live channel is answered with an error, so that caches and players turn to another origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// After how many target durations in which nothing moves; 0 for never.
    pub stale_after: u32,
    /// After how many target durations in which one track does not move and others do; 0 for never.
    pub incomplete_after: u32,
    /// How long it may be of slate and silence; `None` for as long as it takes.
    pub slate_after: Option<Duration>,
    /// How long after its end its playlists and MPD are still answered; `None` for as long as they are kept.
    pub gone_after: Option<Duration>,
    /// How much of its window its playlists list before viewers are sent here; zero for whatever there is.
    pub ready_after: Duration,
}

/// The renditions of a presentation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// The video rungs, best first; empty for the automatic ladder, which has rungs up to the source's height.
    pub video: Vec<Rung>,
    /// The audio renditions; empty for one of 128 kbit/s per language of the source.
    pub audio: Vec<AudioRung>,
    /// Frame rate of all rungs; `None` for the source's, snapped to the nearest usual one.
    pub frame_rate: Option<FrameRate>,
    /// `Some(x264)` and the like to insist on an encoder element; `None` for the first that works.
    pub encoder: Option<String>,
}

/// A video codec that the ladder can encode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 / AVC.
    #[default]
    H264,
    /// H.265 / HEVC.
    H265,
}

/// One video rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Height in pixels. The width follows from the source's aspect.
    pub height: u32,
    /// Width in pixels, to insist on a size; the picture is then letter-boxed into it.
    pub width: Option<u32>,
    /// Bits per second on average.
    pub bitrate: u32,
    /// Codec.
    pub codec: VideoCodec,
    /// x264/x265 speed preset, for example `veryfast`.
    pub preset: String,
    /// Profile, for example `high`; `None` for a sensible one.
    pub profile: Option<String>,
    /// Consecutive B-frames.
    pub b_frames: u32,
    /// x264/x265 tune, for example `zerolatency`.
    pub tune: Option<String>,
}

/// One audio rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRung {
    /// Bits per second.
    pub bitrate: u32,
    /// RFC 5646 tag of the source's language to take; `None` for every language that the source has.
    pub language: Option<String>,
    /// Channels to mix to.
    pub channels: u16,
}

#[cfg(test)]
mod tests;
