//! What a track is: everything that its init segment and its line in a playlist need.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    codec::CodecConfig,
    time::{FrameRate, Ticks, Timescale},
    window::Bandwidth,
};

/// One rendition: a video rung or an audio language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Name in URLs, `[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}`, for example `720p` or `audio-en`.
    pub name: String,
    /// Ticks per second of all its times.
    pub timescale: Timescale,
    /// Codec and its decoder configuration.
    pub codec: CodecConfig,
    /// What is specific to video or audio.
    pub media: Media,
    /// Nominal bits per second that the encoder was asked for; 0 if unknown.
    pub bitrate: u32,
    /// Media time that is presented at zero: priming that a decoder has to discard (edit list, audio of
    /// repackaged files only). Zero everywhere else.
    #[serde(default)]
    pub edit_start: Ticks,
}

/// What a track is in some of its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The track.
    pub track: Arc<Track>,
    /// Its bit rates.
    pub bandwidth: Bandwidth,
}

/// What a track is, by the names of the init segments that its segments need.
pub type Configurations = BTreeMap<String, Configuration>;

/// Of a track that is what it is in all its segments.
pub static UNCHANGED: Configurations = BTreeMap::new();

/// The part of a [`Track`] that depends on its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    /// Pictures.
    Video(Video),
    /// Sound.
    Audio(Audio),
}

/// Properties of a video track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    /// Coded width in pixels after cropping.
    pub width: u32,
    /// Coded height in pixels after cropping.
    pub height: u32,
    /// Sample (pixel) aspect ratio, width and height; (1, 1) for square.
    pub sample_aspect: (u32, u32),
    /// Frame rate; `None` for variable.
    pub frame_rate: Option<FrameRate>,
    /// Colour description, where known.
    pub colour: Option<Colour>,
}

/// Colour code points of ISO/IEC 23091-2, as in the `colr` box of type `nclx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour {
    /// ColourPrimaries.
    pub primaries: u16,
    /// TransferCharacteristics.
    pub transfer: u16,
    /// MatrixCoefficients.
    pub matrix: u16,
    /// VideoFullRangeFlag.
    pub full_range: bool,
}

/// Properties of an audio track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u16,
    /// RFC 5646 language tag; `und` if unknown.
    pub language: String,
}

impl Video {
    /// Width in square pixels at the coded height.
    pub fn display_width(&self) -> u32 {
        let (horizontal, vertical) =
            (u64::from(self.sample_aspect.0), u64::from(self.sample_aspect.1.max(1)));
        ((u64::from(self.width) * horizontal + vertical / 2) / vertical) as u32
    }
}

impl Audio {
    /// The language tag, if it says something and is one (RFC 5646 2.1): a source may call its language anything.
    pub fn language_tag(&self) -> Option<&str> {
        let mut subtags = self.language.split('-');
        let word =
            |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let first =
            subtags.next().is_some_and(|tag| word(tag) && tag.bytes().all(|byte| byte.is_ascii_alphabetic()));
        (first && subtags.all(word) && self.language != "und").then_some(&self.language)
    }
}

impl Track {
    /// The video properties, if this is video.
    pub fn video(&self) -> Option<&Video> {
        match &self.media {
            Media::Video(video) => Some(video),
            Media::Audio(_) => None,
        }
    }

    /// The audio properties, if this is audio.
    pub fn audio(&self) -> Option<&Audio> {
        match &self.media {
            Media::Audio(audio) => Some(audio),
            Media::Video(_) => None,
        }
    }
}
