//! The configuration file: what may be written in it. What it means is in [`super::check`].

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use serde::Deserialize;

use super::{
    Role, Timing, VideoCodec, Who,
    store::{Addressing, Encrypted},
    unit::{Address, BitRate, Network, Rate, Size, Span, Targets, WebOrigin},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) server: Server,
    #[serde(default)]
    pub(super) store: Store,
    #[serde(default)]
    pub(super) access: Access,
    #[serde(default)]
    pub(super) channel: BTreeMap<String, Channel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) media: Option<Address>,
    pub(super) control: Option<Address>,
    pub(super) role: Option<Role>,
    pub(super) file_root: Option<PathBuf>,
    pub(super) runtime_directory: Option<PathBuf>,
    pub(super) max_waiters: Option<NonZeroUsize>,
    pub(super) max_waiters_per_connection: Option<NonZeroUsize>,
    /// Zero, to have no WebSockets.
    pub(super) max_viewers: Option<usize>,
    pub(super) max_viewers_per_channel: Option<NonZeroUsize>,
    #[serde(default)]
    pub(super) origins: Vec<WebOrigin>,
    pub(super) tls: Option<Tls>,
    #[serde(default)]
    pub(super) cdn: Cdn,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) edge_from: Option<OneOrMore>,
    pub(super) edge_secret_file: Option<PathBuf>,
    pub(super) edge_ca_file: Option<PathBuf>,
    pub(super) edge_certificate_file: Option<PathBuf>,
    pub(super) edge_key_file: Option<PathBuf>,
}

/// One value, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "has to be a URL such as \"http://packager:8080\", or a list of them")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Certificates for other names.
    #[serde(default)]
    pub(super) also: Vec<Pair>,
    pub(super) client_ca: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cdn {
    pub(super) addresses: Option<Vec<Network>>,
    pub(super) secret_header: Option<String>,
    pub(super) secret_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) connections: Option<NonZeroUsize>,
    pub(super) connections_per_address: Option<NonZeroUsize>,
    pub(super) requests_per_second: Option<NonZeroU32>,
    pub(super) http2_streams: Option<NonZeroU32>,
    pub(super) header_bytes: Option<usize>,
    pub(super) url_bytes: Option<usize>,
    pub(super) handshake_timeout: Option<Span>,
    pub(super) head_timeout: Option<Span>,
    pub(super) idle_timeout: Option<Span>,
    pub(super) stall_timeout: Option<Span>,
    pub(super) slowest_bytes_per_second: Option<u64>,
    pub(super) stretch: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) addressing: Option<Addressing>,
    pub(super) access_key_id_file: Option<PathBuf>,
    pub(super) secret_access_key_file: Option<PathBuf>,
    /// Of Google: a service account. Of Azure: the key of the storage account.
    pub(super) credentials_file: Option<PathBuf>,
    pub(super) account: Option<String>,
    #[serde(default)]
    pub(super) allow_http: bool,
    pub(super) encryption: Option<Encrypted>,
    pub(super) kms_key: Option<String>,
    pub(super) storage_class: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    pub(super) spool_memory: Option<Size>,
    pub(super) spool_directory: Option<PathBuf>,
    pub(super) spool_disk: Option<Size>,
    pub(super) cache_memory: Option<Size>,
    pub(super) cache_directory: Option<PathBuf>,
    pub(super) cache_disk: Option<Size>,
    pub(super) manifests: Option<bool>,
    #[serde(default)]
    pub(super) fence: super::Fence,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Access {
    #[serde(default)]
    pub(super) key: BTreeMap<String, Key>,
    pub(super) jwks: Option<String>,
    #[serde(default)]
    pub(super) vod: Who,
    pub(super) audience: Option<String>,
    pub(super) issuer: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) secret_file: Option<PathBuf>,
    pub(super) public_key_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Channel {
    /// Of a packager.
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) access: Who,
    #[serde(default)]
    pub(super) timing: Timing,
    pub(super) segment: Option<Span>,
    pub(super) part: Option<Span>,
    pub(super) window: Option<Span>,
    pub(super) archive: Option<Span>,
    pub(super) archive_bytes: Option<Size>,
    pub(super) low_latency: Option<bool>,
    pub(super) frame_rate: Option<Rate>,
    pub(super) encoder: Option<String>,
    pub(super) encoder_socket: Option<PathBuf>,
    pub(super) stale_after: Option<Targets>,
    pub(super) incomplete_after: Option<Targets>,
    pub(super) slate_after: Option<Span>,
    pub(super) gone_after: Option<Span>,
    pub(super) ready_after: Option<Span>,
    pub(super) ladder: Option<Automatic>,
    #[serde(default)]
    pub(super) video: Vec<Video>,
    #[serde(default)]
    pub(super) audio: Vec<Audio>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Automatic {
    Auto,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Video {
    pub(super) height: u32,
    pub(super) width: Option<u32>,
    pub(super) bitrate: BitRate,
    #[serde(default)]
    pub(super) codec: VideoCodec,
    pub(super) preset: Option<String>,
    pub(super) profile: Option<String>,
    #[serde(default)]
    pub(super) b_frames: u32,
    pub(super) tune: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audio {
    pub(super) bitrate: Option<BitRate>,
    pub(super) language: Option<String>,
    pub(super) channels: Option<u16>,
}
