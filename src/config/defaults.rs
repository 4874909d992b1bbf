//! What applies where the configuration says nothing.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use headwater_packager::time::Grid;

use super::{Access, Channel, Config, Ladder, Rung, Server, Store, VideoCodec, Who};

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
pub(super) const SEGMENT: Duration = Duration::from_secs(2);
pub(super) const PART: Duration = Duration::from_millis(400);
pub(super) const WINDOW: Duration = Duration::from_secs(60);
pub(super) const LOW_LATENCY: bool = true;
pub(super) const PRESET: &str = "veryfast";
pub(super) const AUDIO_BITRATE: u32 = 128_000;
pub(super) const AUDIO_CHANNELS: u16 = 2;

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
            grid: Grid { segment: SEGMENT, part: PART },
            window: WINDOW,
            low_latency: LOW_LATENCY,
            ladder: Ladder { video, ..Ladder::default() },
            encoder_socket: None,
        };
        Self {
            server: Server {
                media: MEDIA,
                control: CONTROL,
                file_root: None,
                max_waiters: MAX_WAITERS,
                max_waiters_per_connection: MAX_WAITERS_PER_CONNECTION,
                max_viewers: MAX_VIEWERS,
                max_viewers_per_channel: MAX_VIEWERS_PER_CHANNEL,
                origins: Vec::new(),
            },
            store: Store { url: STORE.into() },
            access: Access::default(),
            channels: [("demo".to_owned(), channel)].into(),
        }
    }
}
