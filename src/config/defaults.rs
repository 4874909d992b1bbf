//! What applies where the configuration says nothing.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use headwater_packager::time::Grid;
use ipnet::IpNet;

use super::{
    Access, Cdn, Channel, Config, Ladder, Limits, Role, Rung, Server, Store, Timing, Unfit, VideoCodec, Who,
};

pub(super) const MEDIA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
pub(super) const CONTROL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);
/// At some 20 KB each: 400 MB.
pub(super) const MAX_WAITERS: usize = 20_000;
/// A player waits for a playlist and a part of each of its renditions; a cache asks for the same thing once.
pub(super) const MAX_WAITERS_PER_CONNECTION: usize = 100;
/// What a core carries of a stream of 2 Mbit/s, and of all channels what two do (docs/performance.md).
pub(super) const MAX_VIEWERS: usize = 2_000;
pub(super) const MAX_VIEWERS_PER_CHANNEL: usize = 1_000;
pub(super) const STORE: &str = "data";
/// A ladder of 6 Mbit/s for a minute and a half.
pub(super) const SPOOL_MEMORY: u64 = 64_000_000;
/// The same for twenty minutes.
pub(super) const SPOOL_DISK: u64 = 1_000_000_000;
/// What many viewers of one channel ask for is some megabytes; of files it is what a machine can spare.
pub(super) const CACHE_MEMORY: u64 = 256_000_000;
pub(super) const CACHE_DISK: u64 = 10_000_000_000;
pub(super) const SEGMENT: Duration = Duration::from_secs(2);
pub(super) const PART: Duration = Duration::from_millis(400);
pub(super) const WINDOW: Duration = Duration::from_secs(60);
pub(super) const LOW_LATENCY: bool = true;
pub(super) const PRESET: &str = "veryfast";
pub(super) const AUDIO_BITRATE: u32 = 128_000;
pub(super) const AUDIO_CHANNELS: u16 = 2;

impl Default for Cdn {
    /// A proxy on this machine, and nobody else.
    fn default() -> Self {
        let here =
            [IpNet::new_assert(Ipv4Addr::LOCALHOST.into(), 8), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))];
        Self { addresses: here.into(), secret: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // At up to 20 KB each over TLS, 320 MB; and systems often allow a program 20,000 open files.
            connections: 16_000,
            // Behind the address of a mobile network there may be a hundred viewers with six connections each.
            connections_per_address: 1_000,
            // A player with low latency asks a dozen times a second.
            requests_per_second: 2_000,
            // Above what a browser opens, below what would let one client starve others.
            http2_streams: 250,
            header_bytes: 16 << 10,
            // A signed URL has a token of a kilobyte or so.
            url_bytes: 4 << 10,
            handshake_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            // Longer than the minute for which most proxies keep theirs.
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(10),
            // A list of a day is four megabytes.
            stretch: Duration::from_secs(86_400),
            // Less than the smallest sound with the smallest picture needs.
            slowest: 32 << 10,
        }
    }
}

impl Default for Unfit {
    fn default() -> Self {
        // One for the segment that is due, one for the encoder that dies over it, one for a slow machine. Players can do
        // without a track, and a slate is better than nothing unless there is another origin.
        Self {
            stale_after: 3,
            incomplete_after: 0,
            slate_after: None,
            gone_after: None,
            ready_after: Duration::ZERO,
        }
    }
}

impl Default for Config {
    /// One demo channel that two cores carry.
    fn default() -> Self {
        let rung = |height, bitrate| Rung {
            height,
            width: None,
            bitrate,
            codec: VideoCodec::H264,
            preset: "superfast".into(),
            profile: None,
            b_frames: 0,
            tune: None,
        };
        let video = vec![rung(720, 2_500_000), rung(480, 1_200_000), rung(360, 700_000)];
        let channel = Channel {
            source: "test:".into(),
            access: Who::Open,
            timing: Timing::Clock,
            grid: Grid { segment: SEGMENT, part: PART },
            window: WINDOW,
            archive: WINDOW,
            archive_bytes: None,
            low_latency: LOW_LATENCY,
            ladder: Ladder { video, ..Ladder::default() },
            encoder_socket: None,
            unfit: Unfit::default(),
        };
        Self {
            server: Server {
                edge: None,
                role: Role::All,
                media: MEDIA,
                control: CONTROL,
                file_root: None,
                runtime_directory: None,
                max_waiters: MAX_WAITERS,
                max_waiters_per_connection: MAX_WAITERS_PER_CONNECTION,
                max_viewers: MAX_VIEWERS,
                max_viewers_per_channel: MAX_VIEWERS_PER_CHANNEL,
                origins: Vec::new(),
                tls: None,
                cdn: Cdn::default(),
                limits: Limits::default(),
            },
            store: Store::at(STORE),
            access: Access::default(),
            channels: [("demo".to_owned(), channel)].into(),
        }
    }
}
