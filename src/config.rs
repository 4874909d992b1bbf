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
mod tests {
    use super::*;

    const SOCKET: &str = "encoder_socket = \"/run/headwater/a.sock\"\n";

    fn refusal(text: &str) -> String {
        Config::parse(Path::new("h.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn five_lines_make_a_channel() {
        let text = "[channel.a]\nsource = \"test:\"\n[[channel.a.video]]\nheight = 360\nbitrate = \"700k\"\n";
        let config = Config::parse(Path::new("h.toml"), text).unwrap();
        assert_eq!(config.channels["a"].ladder.video[0].bitrate, 700_000);
        assert_eq!(config.channels["a"].grid, Config::default().channels["demo"].grid);
    }

    #[test]
    fn a_server_that_packages_nothing_takes_the_file_of_one_that_does_and_needs_no_source() {
        let role =
            |text: &str, role| Config::parse_as(Path::new("h.toml"), text, role).map(|it| it.server.role);
        let full = "[channel.a]\nsource = \"test:\"\n";
        assert_eq!(role(full, None).unwrap(), Role::All);
        assert_eq!(role(full, Some(Role::Origin)).unwrap(), Role::Origin);
        let bare = "[server]\nrole = \"origin\"\n[channel.a]\n";
        assert_eq!(role(bare, None).unwrap(), Role::Origin);
        assert!(role(bare, Some(Role::All)).unwrap_err().to_string().contains("channel.a.source"));
    }

    #[test]
    fn the_edge_comes_from_one_packager_or_from_several_and_only_to_who_has_the_secret() {
        let edge = |lines: &str, role| {
            let text = format!("[server]\n{lines}[channel.a]\nsource = \"test:\"\n");
            Config::parse_as(Path::new("h.toml"), &text, Some(role))
                .map(|config| config.server.edge)
                .map_err(|error| error.to_string())
        };
        let one = "edge_from = \"http://a:8080\"\nedge_secret_file = \"s\"\n";
        let two = "edge_from = [\"http://a:8080/\", \"https://b\"]\nedge_secret_file = \"s\"\n";
        let from = |lines: &str, role| edge(lines, role).unwrap().unwrap().from;
        assert_eq!(from(one, Role::Origin), ["http://a:8080"]);
        assert_eq!(from(two, Role::Origin), ["http://a:8080/", "https://b"]);
        assert!(from(two, Role::All).is_empty(), "a packager may have the file of its nodes");
        assert_eq!(edge("", Role::All), Ok(None));
        for (lines, role, expected) in [
            ("edge_from = \"http://a:8080\"\n", Role::Origin, "server.edge_secret_file: is missing"),
            ("edge_secret_file = \"s\"\n", Role::Origin, "server.edge_from: is missing"),
            (&one.replace("http://", ""), Role::Origin, "no URL of a media listener"),
            (&one.replace("8080", "8080/live"), Role::Origin, "no URL of a media listener"),
            (&one.replace("\"http://a:8080\"", "7"), Role::Origin, "has to be a URL"),
            (&one.replace("a:8080", "me:hunter2@a:8080"), Role::Origin, "\"http://***@a:8080\" is no URL"),
            (&one.replace("http://a:8080", "me:hunter2@a:8080"), Role::Origin, "\"***@a:8080\" is no URL"),
            (&one.replace("a:8080", "hunter2@a b:80800"), Role::Origin, "\"http://***@a b:80800\" is no URL"),
            (&one.replace("a:8080", "a:80/?token=hunter2"), Role::Origin, "\"http://a:80/?***\" is no URL"),
            (
                &format!("{one}edge_key_file = \"k\"\n"),
                Role::Origin,
                "server.edge_certificate_file: is missing",
            ),
            (&format!("{one}edge_certificate_file = \"c\"\n"), Role::All, "server.edge_key_file: is missing"),
        ] {
            let error = edge(lines, role).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_stretch_is_as_long_as_is_configured_and_neither_nothing_nor_a_year() {
        let stretch = |lines: &str| {
            let text = format!("[channel.a]\nsource = \"test:\"\n[server.limits]\n{lines}");
            Config::parse(Path::new("h.toml"), &text)
                .map(|config| config.server.limits.stretch)
                .map_err(|error| error.to_string())
        };
        assert_eq!(stretch(""), Ok(Duration::from_secs(86_400)));
        assert_eq!(stretch("stretch = \"3h\"\n"), Ok(Duration::from_secs(10_800)));
        for wrong in ["0s", "9s", "800h"] {
            let error = stretch(&format!("stretch = {wrong:?}\n")).unwrap_err();
            let told =
                error.contains("server.limits.stretch") && error.contains("10s to 2678400s are possible");
            assert!(told, "{error}");
        }
    }

    #[test]
    fn a_store_may_be_a_bucket_anywhere() {
        let text = "[channel.a]\nsource = \"test:\"\n[store]\nurl = \"s3://bucket/a/b\"\n\
                    endpoint = \"http://127.0.0.1:9000\"\naddressing = \"virtual-host\"\nencryption = \"kms\"\n\
                    access_key_id_file = \"id\"\nsecret_access_key_file = \"secret\"\nstorage_class = \"STANDARD_IA\"\n\
                    tags = { keep = \"week\" }\nspool_memory = \"16M\"\nspool_directory = \"spool\"\nspool_disk = \"2G\"\nmanifests = false\nfence = \"required\"\n";
        let store = Config::parse(Path::new("h.toml"), text).unwrap().store;
        let Store { bucket, spool, .. } = &store;
        assert_eq!(bucket.key_files, Some(("id".into(), "secret".into())));
        assert!(bucket.virtual_host && bucket.allow_http, "this machine needs no TLS to itself");
        assert_eq!(bucket.encryption, Some(Encryption::Kms { key: None }));
        assert_eq!((spool.memory, &spool.disk), (16_000_000, &Some(("spool".into(), 2_000_000_000))));
        assert!(!store.manifests && Store::at("data").manifests);
        assert_eq!((store.fence, Store::at("data").fence), (Fence::Required, Fence::Auto));
    }

    #[test]
    fn a_channel_may_leave_its_encoder_to_others() {
        let text = format!("[channel.a]\nsource = \"test:\"\n{SOCKET}");
        let config = Config::parse(Path::new("h.toml"), &text).unwrap();
        assert_eq!(config.channels["a"].encoder_socket.as_deref(), Some(Path::new("/run/headwater/a.sock")));
    }

    #[test]
    fn the_archive_is_the_window_unless_more_is_to_be_kept() {
        let archive = |lines: &str| {
            let text = format!("[channel.a]\nsource = \"test:\"\nwindow = \"4h\"\n{lines}");
            let channel = Config::parse(Path::new("h.toml"), &text).unwrap().channels["a"].clone();
            (channel.archive.as_secs() / 3600, channel.archive_bytes)
        };
        assert_eq!(archive(""), (4, None));
        assert_eq!(archive("archive = \"7d\"\narchive_bytes = \"500G\"\n"), (168, Some(500_000_000_000)));
        let refused = refusal("[channel.a]\nsource = \"test:\"\narchive = \"30s\"\n");
        assert!(
            refused.starts_with("h.toml: channel.a.archive: 30s is shorter than the window of 60s"),
            "{refused}"
        );
    }

    #[test]
    fn media_is_placed_by_the_clock_unless_it_is_to_be_by_the_source() {
        let timing = |lines: &str| {
            let text = format!("[channel.a]\nsource = \"udp://127.0.0.1:5000\"\n{lines}");
            Config::parse(Path::new("h.toml"), &text).unwrap().channels["a"].timing
        };
        assert_eq!(timing(""), Timing::Clock);
        assert_eq!(timing("timing = \"clock\"\n"), Timing::Clock);
        assert_eq!(timing("timing = \"source\"\n"), Timing::Source);
    }

    #[test]
    fn a_channel_may_be_an_error_earlier_or_later_or_never() {
        let unfit = |lines: &str| {
            let text = format!("[channel.a]\nsource = \"test:\"\n{lines}");
            Config::parse(Path::new("h.toml"), &text).unwrap().channels["a"].unfit
        };
        assert_eq!(unfit(""), Unfit::default());
        let seconds = Duration::from_secs;
        let written = "stale_after = 0\nincomplete_after = 4\nslate_after = \"30s\"\nready_after = \"1m\"\n";
        let (stale_after, incomplete_after, slate_after) = (0, 4, Some(seconds(30)));
        assert_eq!(
            unfit(written),
            Unfit { stale_after, incomplete_after, slate_after, ready_after: seconds(60) }
        );
    }

    #[test]
    fn every_refusal_names_file_key_and_what_would_be_right() {
        let channel = |lines: &str| format!("[channel.a]\nsource = \"test:\"\n{lines}");
        let rung = |lines: &str| channel(&format!("[[channel.a.video]]\n{lines}"));
        insta::assert_snapshot!(
            [
                refusal("[server]\nmedai = \"0.0.0.0:80\"\n"),
                refusal("[server]\nrole = \"edge\"\n"),
                refusal("[channel.a]\nsegment = \"2s\"\n"),
                refusal("[server]\nmedia = \"80\"\n"),
                refusal("[server\n"),
                refusal("[server]\norigins = [\"example.com\"]\n"),
                refusal("[server.tls]\ncertificate = \"a.pem\"\n"),
                refusal("[server.cdn]\naddresses = [\"10.0.0.0/33\"]\n"),
                refusal("[server.cdn]\nsecret_header = \"x-secret\"\n"),
                refusal("[server.cdn]\nsecret_header = \"x secret\"\nsecret_file = \"secret\"\n"),
                refusal("[server.limits]\nconnections = 0\n"),
                refusal("[server.limits]\nheader_bytes = 100\n"),
                refusal("[server.limits]\nhead_timeout = \"10ms\"\n"),
                refusal(&channel("colour = \"red\"\n")),
                refusal("[server]\ncontrol = \"0.0.0.0:8080\"\n[channel.a]\nsource = \"test:\"\n"),
                refusal(""),
                refusal("[channel.\"a/b\"]\nsource = \"test:\"\n"),
                refusal(&channel("segment = \"2 parsecs\"\n")),
                refusal(&channel("segment = \"30s\"\n")),
                refusal(&channel("part = \"3s\"\n")),
                refusal(&channel("part = \"200ms\"\nframe_rate = 1\n")),
                refusal(&channel("segment = \"0s\"\n")),
                refusal(&channel("part = \"100ms\"\nframe_rate = 30\n")),
                refusal(&channel("part = \"120ms\"\nframe_rate = 24\n")),
                refusal(&channel("window = \"4s\"\n")),
                refusal(&channel("low_latency = \"yes\"\n")),
                refusal(&rung("height = 360\nbitrate = \"1M\"\nb_frames = 2\n")),
                refusal(&channel("frame_rate = \"1000\"\n")),
                refusal(&rung("height = 0\nbitrate = \"700k\"\n")),
                refusal(&rung("height = 361\nbitrate = \"700k\"\n")),
                refusal(&rung("height = 360\nbitrate = 0\n")),
                refusal(&rung("height = 360\n")),
                refusal(&rung("height = 360\nbitrate = 1\n")),
                refusal(&rung("height = 360\nbitrate = \"1M\"\npreset = \"quick\"\n")),
                refusal(&channel("[[channel.a.audio]]\nbitrate = \"5M\"\n")),
                refusal(&rung("height = 360\nbitrate = 1\ncodec = \"vp9\"\n")),
                refusal(&channel("ladder = \"auto\"\n[[channel.a.video]]\nheight = 360\nbitrate = 1\n")),
                refusal(&channel("encoder_socket = \"run/a.sock\"\n")),
                refusal(&channel("encoder_socket = \"/run/headwater/\"\n")),
                refusal(&channel(&format!("encoder_socket = \"/run/{}\"\n", "a".repeat(103)))),
                refusal(&channel("stale_after = 1\n")),
                refusal(&channel("incomplete_after = 1\n")),
                refusal(&channel("stale_after = \"3s\"\n")),
                refusal(&channel("slate_after = \"0s\"\n")),
                refusal(&channel("window = \"1h\"\nready_after = \"2h\"\n")),
                refusal(&channel("timing = \"ntp\"\n")),
                refusal(&channel("timing = \"source\"\n")),
                refusal(&(channel(SOCKET) + "[channel.b]\nsource = \"test:\"\n" + SOCKET)),
                refusal(&channel("access = \"secret\"\n")),
            ]
            .join("\n")
        );
    }

    #[test]
    fn every_refusal_of_a_store_or_of_access_names_file_key_and_what_would_be_right() {
        let channel = |lines: &str| format!("[channel.a]\nsource = \"test:\"\n{lines}");
        let store = |lines: &str| channel("") + &format!("[store]\n{lines}\n");
        let bucket = |lines: &str| store(&format!("url = \"s3://bucket/prefix\"\n{lines}"));
        insta::assert_snapshot!(
            [
                refusal(&store("url = \"s3:///live\"")),
                refusal(&store("region = \"eu-central-1\"")),
                refusal(&store("tags = { expire = \"soon\" }")),
                refusal(&bucket("bucket = \"b\"")),
                refusal(&bucket("credentials_file = \"key.json\"")),
                refusal(&bucket("endpoint = \"http://s3.example.com\"")),
                refusal(&bucket("endpoint = \"s3.example.com\"")),
                refusal(&bucket("access_key_id_file = \"id\"")),
                refusal(&bucket("secret_access_key_file = \"secret\"")),
                refusal(&bucket("addressing = \"host\"")),
                refusal(&bucket("kms_key = \"arn:aws:kms:x\"")),
                refusal(&bucket("encryption = \"aes\"")),
                refusal(&bucket("tags = { \"\" = \"soon\" }")),
                refusal(&bucket("spool_memory = \"64 pages\"")),
                refusal(&bucket("spool_disk = \"1G\"")),
                refusal(&bucket("cache_disk = \"20G\"")),
                refusal(&bucket("cache_memory = \"much\"")),
                refusal(&channel("access = \"signed\"\n")),
                refusal(&(channel("") + "[access]\nvod = \"signed\"\n")),
                refusal(&(channel("") + "[access]\nsecret = \"hunter2\"\n")),
                refusal(&(channel("") + "[access]\njwks = \"http://example.com/jwks.json\"\n")),
                refusal(&(channel("") + "[access]\njwks = \"ftp://example.com/jwks.json\"\n")),
                refusal(&(channel("") + "[access.key.\"a b\"]\nsecret_file = \"a\"\n")),
                refusal(&(channel("") + "[access.key.a]\n")),
                refusal(
                    &(channel("") + "[access.key.a]\nsecret_file = \"a\"\npublic_key_file = \"a.pem\"\n")
                ),
            ]
            .join("\n")
        );
    }
}
