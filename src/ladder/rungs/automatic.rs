//! The ladder for who does not want to think about one.

use super::Picture;
use crate::config::{Rung, VideoCodec};

const HEIGHTS: [u32; 7] = [2160, 1440, 1080, 720, 480, 360, 240];

/// Rungs from the source's size downwards. A step of less than a fifth is not worth an encoder.
pub(super) fn rungs(picture: &Picture) -> Vec<Rung> {
    // "720p" means the shorter side, also of a picture taken with an upright phone.
    let short = picture.height.min(picture.width);
    let top = (short / 2 * 2).min(HEIGHTS[0]);
    let below = HEIGHTS.into_iter().filter(|height| height * 6 / 5 <= top);
    [top].into_iter().chain(below).map(|side| rung(side, short, picture)).collect()
}

fn rung(side: u32, short: u32, picture: &Picture) -> Rung {
    let height = (u64::from(side) * u64::from(picture.height) / u64::from(short) / 2 * 2) as u32;
    let (width, _) = super::aspect::width(height, picture);
    Rung {
        height,
        width: None,
        bitrate: bitrate(f64::from(width) * f64::from(height), picture.frame_rate.fps()),
        codec: VideoCodec::H264,
        // A ladder with the next slower preset does not keep up with 1080p30 on two cores.
        preset: "superfast".into(),
        profile: None,
        b_frames: 2,
        tune: None,
    }
}

/// 5 Mbit/s at 1080p30, and less than in proportion elsewhere: large pictures and short frames differ less.
/// This gives 14.1 Mbit/s at 2160p30, 2.7 at 720p30, 0.52 at 240p30, and half as much again for twice the frames.
fn bitrate(pixels: f64, frame_rate: f64) -> u32 {
    let bits = 5e6 * (pixels / (1920.0 * 1080.0)).powf(0.75) * (frame_rate / 30.0).powf(0.6);
    ((bits / 10e3).round() as u32 * 10_000).max(60_000)
}
