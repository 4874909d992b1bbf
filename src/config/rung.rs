//! Which video rungs are possible, whatever the source.

use std::ops::RangeInclusive;

use thiserror::Error;

use super::{Rung, VideoCodec};

/// Largest width and height, that of level 6.2 in landscape.
pub(crate) const MAX_SIDE: u32 = 8192;
/// Smallest width and height: one macroblock.
pub(crate) const MIN_SIDE: u32 = 16;
/// Bits per second.
pub(crate) const BITRATES: RangeInclusive<u32> = 16_000..=400_000_000;
const MAX_B_FRAMES: u32 = 16;
const PRESETS: &[&str] = &[
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];
const AVC_TUNES: &[&str] =
    &["film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"];
const HEVC_TUNES: &[&str] = &["animation", "grain", "psnr", "ssim", "fastdecode", "zerolatency"];
const AVC_PROFILES: &[&str] = &["baseline", "constrained-baseline", "main", "high"];
const HEVC_PROFILES: &[&str] = &["main"];

/// A rung that cannot be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// A width or height out of range.
    #[error("rung {rung}: a {what} of {pixels} pixels is impossible; {MIN_SIDE} to {MAX_SIDE} are possible")]
    Side {
        /// The rung, as configured.
        rung: String,
        /// `width` or `height`.
        what: &'static str,
        /// As configured.
        pixels: u32,
    },
    /// An odd width or height.
    #[error("rung {rung}: a {what} of {pixels} pixels is odd; 4:2:0 pictures need an even one, such as {}", pixels - 1)]
    Odd {
        /// The rung, as configured.
        rung: String,
        /// `width` or `height`.
        what: &'static str,
        /// As configured.
        pixels: u32,
    },
    /// A bitrate out of range.
    #[error("rung {rung}: {bitrate} bit/s is impossible; \"16k\" to \"400M\" are possible")]
    Bitrate {
        /// The rung, as configured.
        rung: String,
        /// As configured.
        bitrate: u32,
    },
    /// More consecutive B-frames than an encoder takes.
    #[error("rung {rung}: {b_frames} B-frames in a row are impossible; 0 to {MAX_B_FRAMES} are possible")]
    BFrames {
        /// The rung, as configured.
        rung: String,
        /// As configured.
        b_frames: u32,
    },
    /// A word that no encoder knows.
    #[error("rung {rung}: there is no {what} {word:?}; {known} are known", known = known.join(", "))]
    Word {
        /// The rung, as configured.
        rung: String,
        /// `preset`, `tune` or `profile`.
        what: &'static str,
        /// As configured.
        word: String,
        /// What would be right.
        known: &'static [&'static str],
    },
}

impl Rung {
    /// What people call it: `720p`, or `1280x720` where the width is configured too.
    pub fn label(&self) -> String {
        match self.width {
            Some(width) => format!("{width}x{}", self.height),
            None => format!("{}p", self.height),
        }
    }

    /// Whether an encoder could make it of some source.
    ///
    /// # Errors
    /// What is impossible and what would be possible.
    pub fn check(&self) -> Result<(), Error> {
        self.check_side("height", self.height)?;
        self.width.map_or(Ok(()), |width| self.check_side("width", width))?;
        if !BITRATES.contains(&self.bitrate) {
            return Err(Error::Bitrate { rung: self.label(), bitrate: self.bitrate });
        }
        if self.b_frames > MAX_B_FRAMES {
            return Err(Error::BFrames { rung: self.label(), b_frames: self.b_frames });
        }
        let (tunes, profiles) = match self.codec {
            VideoCodec::H264 => (AVC_TUNES, AVC_PROFILES),
            VideoCodec::H265 => (HEVC_TUNES, HEVC_PROFILES),
        };
        self.check_word("preset", Some(&self.preset), PRESETS)?;
        self.check_word("tune", self.tune.as_deref(), tunes)?;
        self.check_word("profile", self.profile.as_deref(), profiles)
    }

    fn check_side(&self, what: &'static str, pixels: u32) -> Result<(), Error> {
        if !(MIN_SIDE..=MAX_SIDE).contains(&pixels) {
            return Err(Error::Side { rung: self.label(), what, pixels });
        }
        if pixels % 2 == 1 {
            return Err(Error::Odd { rung: self.label(), what, pixels });
        }
        Ok(())
    }

    fn check_word(
        &self,
        what: &'static str,
        word: Option<&str>,
        known: &'static [&'static str],
    ) -> Result<(), Error> {
        match word {
            Some(word) if !known.contains(&word) => {
                Err(Error::Word { rung: self.label(), what, word: word.to_owned(), known })
            }
            _ => Ok(()),
        }
    }
}
