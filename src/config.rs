//! What to serve: the values that the rest of the program works with, already checked.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use headwater_packager::time::{FrameRate, Grid};
use serde::{Deserialize, Serialize};

/// Everything `headwater serve` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Listeners.
    pub server: Server,
    /// Where segments, playlists and state records are kept.
    pub store: Store,
    /// Channels by name.
    pub channels: BTreeMap<String, Channel>,
}

/// The listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The media listener, safe to put behind a CDN.
    pub media: SocketAddr,
    /// The control listener, never public.
    pub control: SocketAddr,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// A directory, `file://` or `memory://` URL.
    pub url: String,
}

/// One live channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// What to encode.
    pub source: String,
    /// Segment and part durations.
    pub grid: Grid,
    /// How much of the past a playlist lists.
    pub window: Duration,
    /// What to encode it to.
    pub ladder: Ladder,
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
