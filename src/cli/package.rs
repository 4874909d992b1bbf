//! `headwater package`.

use std::{io::Write, path::PathBuf, str::FromStr};

use anyhow::{Context, anyhow};
use clap::Args;
use headwater_packager::time::Grid;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use crate::{
    config::{
        self, AudioRung, Ladder, Rung, VideoCodec,
        unit::{BitRate, Rate, Span},
    },
    package::{self, Mode, Request},
};

#[derive(Debug, Args)]
pub(super) struct Package {
    /// A media file to encode, or with --copy any number of MP4 files that become the renditions.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// An empty or new directory for the presentation. Below the vod directory of a server's data, it is served.
    #[arg(long, value_name = "DIR")]
    out: String,
    /// Repackage H.264, H.265 and AAC from MP4 as they are, without encoding.
    #[arg(long, conflicts_with_all = ["video", "audio", "preset", "b_frames", "frame_rate"])]
    copy: bool,
    /// How long segments are; with --copy, they reach to the next key frame behind that.
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    segment: Span,
    /// How long the chunks in a segment are.
    #[arg(long, value_name = "DURATION", default_value = "400ms")]
    part: Span,
    /// A video rendition, such as 720:2500k; can be repeated. Without any, what suits the input.
    #[arg(long, value_name = "HEIGHT:BITRATE")]
    video: Vec<Size>,
    /// Bit rate of the sound, such as 128k.
    #[arg(long, value_name = "BITRATE")]
    audio: Option<BitRate>,
    /// Speed of the encoder, from ultrafast to veryslow.
    #[arg(long, requires = "video")]
    preset: Option<String>,
    /// B-frames in a row.
    #[arg(long, value_name = "COUNT", requires = "video")]
    b_frames: Option<u32>,
    /// Frames per second of all renditions, such as 25 or 30000/1001; without it, the input's.
    #[arg(long, value_name = "RATE")]
    frame_rate: Option<Rate>,
}

/// Height and bit rate of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    height: u32,
    bitrate: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no rendition; write its height and bit rate, for example 720:2500k");
        let (height, bitrate) = text.split_once(':').ok_or_else(wrong)?;
        let height = height.parse().map_err(|_| wrong())?;
        Ok(Self { height, bitrate: bitrate.parse::<BitRate>()?.0 })
    }
}

impl Package {
    fn ladder(&self) -> Ladder {
        let rung = |size: &Size| Rung {
            height: size.height,
            width: None,
            bitrate: size.bitrate,
            codec: VideoCodec::H264,
            preset: self.preset.clone().unwrap_or_else(|| "veryfast".into()),
            profile: None,
            b_frames: self.b_frames.unwrap_or(2),
            tune: None,
        };
        let sound = |bitrate: BitRate| AudioRung { bitrate: bitrate.0, language: None, channels: 2 };
        Ladder {
            video: self.video.iter().map(rung).collect(),
            audio: self.audio.map(sound).into_iter().collect(),
            frame_rate: self.frame_rate.map(|rate| rate.0),
            encoder: None,
        }
    }

    fn request(self) -> anyhow::Result<Request> {
        let grid = Grid { segment: self.segment.0, part: self.part.0 };
        config::grid::check(&grid, self.frame_rate.map(|rate| rate.0))
            .map_err(|error| anyhow!("--{} {error}", error.key()))?;
        let mode = if self.copy {
            Mode::Copy
        } else {
            let program =
                std::env::current_exe().context("cannot find this program, to start the encoder with it")?;
            Mode::Encode { ladder: self.ladder(), program }
        };
        Ok(Request { inputs: self.inputs, out: self.out, mode, grid })
    }
}

/// Packages, and prints what was made.
pub(super) fn run(arguments: Package) -> anyhow::Result<()> {
    let request = arguments.request()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen for signals")?;
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let watcher = tokio::spawn(async move {
            signals.next().await;
            asked.cancel();
        });
        let result = package::run(request, &stop).await;
        watcher.abort();
        anyhow::Ok(result?)
    })?;
    let mut out = std::io::stdout().lock();
    write!(out, "{summary}").and_then(|()| out.flush()).context("cannot write to the standard output")
}
