//! Which renditions a source gets: from the configuration and from what the source is. Pure arithmetic.

use std::collections::HashSet;

use headwater_packager::{time::FrameRate, track::Colour};
use thiserror::Error;

use crate::config::{
    Ladder, Rung, VideoCodec,
    rung::{self, MIN_SIDE},
};

mod aspect;
mod audio;
mod automatic;
mod level;

pub use audio::{PlannedAudio, Sound, plan_audio};
pub use level::Level;

/// A rung at least this tall, in hundredths of the source's height, stands in for one as tall as the source.
const NEARLY: u64 = 85;

/// A rung that cannot be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Whatever the source.
    #[error(transparent)]
    Impossible(#[from] rung::Error),
    /// No level allows it.
    #[error(
        "rung {rung}: no H.264 level allows {width}x{height} at {frame_rate} frames per second and {bitrate} bit/s"
    )]
    Level {
        /// The rung, as configured.
        rung: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Frames per second.
        frame_rate: FrameRate,
        /// Bits per second.
        bitrate: u32,
    },
    /// A source too small to be encoded.
    #[error(
        "the source's pictures of {width}x{height} are too small; {MIN_SIDE}x{MIN_SIDE} is the smallest that can be encoded"
    )]
    TinySource {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// The pictures of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Width to height of a pixel.
    pub sample_aspect: (u32, u32),
    /// Constant.
    pub frame_rate: FrameRate,
    /// Colour description, where known.
    pub colour: Option<Colour>,
}

/// A video rung with everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRung {
    /// Track name.
    pub name: String,
    /// Codec.
    pub codec: VideoCodec,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Width to height of a pixel, such that the display aspect is exactly the source's; fits H.264's 16 bits.
    pub sample_aspect: (u32, u32),
    /// Frames per second.
    pub frame_rate: FrameRate,
    /// As the source's.
    pub colour: Option<Colour>,
    /// Bits per second, on average and, over the VBV buffer of one second, at most.
    pub bitrate: u32,
    /// x264/x265 speed preset.
    pub preset: String,
    /// x264/x265 tune.
    pub tune: Option<String>,
    /// `baseline`, `main`, `high` and the like.
    pub profile: String,
    /// H.264 level that allows it; `None` for H.265, whose encoders choose.
    pub level: Option<Level>,
    /// Consecutive B-frames.
    pub b_frames: u32,
    /// Most frames for reference: as the preset wants, as the level allows.
    pub references: u32,
    /// The encoder gives each frame before it takes the next one.
    pub low_latency: bool,
}

/// The video rungs, best first, and what an operator should know about those that are not as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// At least one.
    pub rungs: Vec<PlannedRung>,
    /// One line each.
    pub notes: Vec<String>,
}

impl Plan {
    /// The same without whatever makes an encoder wait for later pictures.
    #[must_use]
    pub fn without_delay(mut self) -> Self {
        for rung in &mut self.rungs {
            rung.low_latency = true;
            rung.b_frames = 0;
        }
        self
    }
}

/// Plans the video rungs.
///
/// # Errors
/// What makes a configured rung impossible, whether or not this source would need it.
pub fn plan(ladder: &Ladder, picture: &Picture) -> Result<Plan, Error> {
    let Picture { width, height, .. } = *picture;
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(Error::TinySource { width, height });
    }
    ladder.video.iter().try_for_each(Rung::check)?;
    let mut notes = Vec::new();
    let wanted = match ladder.video.as_slice() {
        [] => automatic::rungs(picture),
        configured => without_upscaling(configured, picture, &mut notes),
    };
    let mut names = Names::default();
    let rungs = wanted.iter().map(|rung| planned(rung, picture, &mut names)).collect::<Result<_, _>>()?;
    Ok(Plan { rungs, notes })
}

/// Names that are unique within a catalog.
#[derive(Debug, Default)]
struct Names(HashSet<String>);

impl Names {
    fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut copy = 1;
        while !self.0.insert(name.clone()) {
            copy += 1;
            name = format!("{wanted}-{copy}");
        }
        name
    }
}

/// Leaves out the rungs that would upscale. The smallest of them is made as large as the source instead, if
/// otherwise nothing nearly as good as the source would remain.
fn without_upscaling(configured: &[Rung], picture: &Picture, notes: &mut Vec<String>) -> Vec<Rung> {
    let (mut kept, above): (Vec<Rung>, Vec<Rung>) =
        configured.iter().cloned().partition(|rung| !aspect::upscales(rung, picture));
    let good_enough = |rung: &Rung| u64::from(rung.height) * 100 >= u64::from(picture.height) * NEARLY;
    let smallest = above.iter().enumerate().min_by_key(|(_, rung)| rung.height);
    let clamped = smallest.filter(|_| !kept.iter().any(good_enough)).map(|(index, _)| index);
    for (index, rung) in above.iter().enumerate() {
        let source = format!("the source is only {}x{}", picture.width, picture.height);
        if Some(index) == clamped {
            let fitted = aspect::shrunk(rung, picture);
            notes.push(format!("rung {} becomes {}: {source}", rung.label(), fitted.label()));
            kept.insert(0, fitted);
        } else {
            notes.push(format!("rung {} is left out: {source}", rung.label()));
        }
    }
    kept
}

fn planned(rung: &Rung, picture: &Picture, names: &mut Names) -> Result<PlannedRung, Error> {
    let (width, sample_aspect) = match rung.width {
        Some(width) => (width, (1, 1)),
        None => aspect::width(rung.height, picture),
    };
    let suffix = if rung.codec == VideoCodec::H265 { "-hevc" } else { "" };
    let mut planned = PlannedRung {
        name: names.unique(&format!("{}p{suffix}", rung.height)),
        codec: rung.codec,
        width,
        height: rung.height,
        sample_aspect,
        frame_rate: picture.frame_rate,
        colour: picture.colour,
        bitrate: rung.bitrate,
        preset: rung.preset.clone(),
        tune: rung.tune.clone(),
        profile: rung.profile.clone().unwrap_or_else(|| profile(rung)),
        level: None,
        b_frames: rung.b_frames,
        references: level::references(&rung.preset),
        low_latency: false,
    };
    if planned.profile.contains("baseline") {
        // ISO/IEC 14496-10 A.2.1: no B slices.
        planned.b_frames = 0;
    }
    if rung.codec == VideoCodec::H264 {
        let level = Level::of(&planned).ok_or_else(|| Error::Level {
            rung: rung.label(),
            width,
            height: rung.height,
            frame_rate: picture.frame_rate,
            bitrate: rung.bitrate,
        })?;
        planned.references = planned.references.min(level.frames_held(width, rung.height));
        planned.level = Some(level);
    }
    Ok(planned)
}

/// As is customary: the smallest rung for what decodes only baseline, High from 720p on.
fn profile(rung: &Rung) -> String {
    match (rung.codec, rung.height) {
        (VideoCodec::H265, _) => "main",
        (_, ..=240) => "baseline",
        (_, ..=576) => "main",
        _ => "high",
    }
    .into()
}

#[cfg(test)]
mod tests;
