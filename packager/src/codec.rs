//! Codecs: decoder configuration records and RFC 6381 codec strings.

pub mod aac;
pub mod avc;
mod bits;
pub mod hevc;
mod vui;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::track::Video;

/// A codec together with its decoder configuration record, as the sample entry carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "codec", content = "config", rename_all = "lowercase")]
pub enum CodecConfig {
    /// H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1), sample entry `avc1`.
    Avc(#[serde(with = "hex")] Bytes),
    /// H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1), sample entry `hvc1`.
    Hevc(#[serde(with = "hex")] Bytes),
    /// AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), sample entry `mp4a`.
    Aac(#[serde(with = "hex")] Bytes),
}

/// Why a decoder configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It ends too early.
    #[error("the {structure} of {length} bytes ends in the middle of a field")]
    Truncated {
        /// What was read.
        structure: &'static str,
        /// Bytes.
        length: usize,
    },
    /// It is of another version.
    #[error("the {structure} has version {version}; only version 1 is defined")]
    Version {
        /// What was read.
        structure: &'static str,
        /// configurationVersion.
        version: u8,
    },
    /// It lacks a sequence parameter set.
    #[error(
        "the {0} has no sequence parameter set; streams with in-band parameter sets (avc3, hev1) are not supported"
    )]
    NoParameterSet(&'static str),
    /// An Exp-Golomb code is longer than 32 bits.
    #[error("the {0} has a code that is longer than 32 bits")]
    Golomb(&'static str),
    /// A value is above what the standard allows.
    #[error("{field} in the {structure} is {value}; at most {most} is allowed")]
    Range {
        /// What was read.
        structure: &'static str,
        /// The field's name in the standard.
        field: &'static str,
        /// What it is.
        value: u32,
        /// What it may be at most.
        most: u32,
    },
    /// The pictures have no size, or one that no sample entry can carry.
    #[error(
        "the sequence parameter set gives a picture of {width}x{height}; 1x1 to 16384x16384 can be carried"
    )]
    PictureSize {
        /// Pixels.
        width: i128,
        /// Pixels.
        height: i128,
    },
    /// A reserved samplingFrequencyIndex, or a rate of zero.
    #[error("the AudioSpecificConfig has the reserved sampling frequency index {0}")]
    SampleRate(u32),
    /// A reserved channelConfiguration.
    #[error("the AudioSpecificConfig has the reserved channel configuration {0}")]
    Channels(u32),
}

impl CodecConfig {
    /// True for a video codec.
    pub fn is_video(&self) -> bool {
        matches!(self, Self::Avc(_) | Self::Hevc(_))
    }

    /// The codec string of RFC 6381, as playlists and manifests name it: `avc1.64001f`, `hvc1.1.6.L93.B0`, `mp4a.40.2`.
    /// Of a configuration that [`Self::check`] refuses it is the sample entry's name alone.
    pub fn rfc6381(&self) -> String {
        match self {
            Self::Avc(record) => match record[..] {
                [_, profile, compatibility, level, ..] => {
                    format!("avc1.{profile:02x}{compatibility:02x}{level:02x}")
                }
                _ => "avc1".into(),
            },
            Self::Hevc(record) => {
                hevc::Record::parse(record).map_or("hvc1".into(), |record| record.rfc6381())
            }
            Self::Aac(config) => aac::AudioSpecificConfig::parse(config)
                .map_or("mp4a".into(), |config| format!("mp4a.40.{}", config.object_type)),
        }
    }

    /// Parses the configuration as far as a packager depends on it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Avc(_) | Self::Hevc(_) => self.video().map(drop),
            Self::Aac(config) => aac::AudioSpecificConfig::parse(config).map(drop),
        }
    }

    /// Size, aspect, colour and nominal frame rate by the first sequence parameter set; `None` for audio.
    ///
    /// # Errors
    /// If the record or the parameter set is malformed.
    pub fn video(&self) -> Result<Option<Video>, Error> {
        Ok(match self {
            Self::Avc(record) => match avc::Record::parse(record)?.sps[..] {
                [sps, ..] => Some(avc::Sps::parse(sps)?.video),
                [] => None,
            },
            Self::Hevc(record) => Some(hevc::Sps::parse(hevc::Record::parse(record)?.sps()?)?.video),
            Self::Aac(_) => None,
        })
    }
}

/// Takes `count` NAL units with 16-bit lengths from the front of `data`, and returns what is behind them too.
fn take_units<'a>(
    mut data: &'a [u8],
    count: usize,
    structure: &'static str,
) -> Result<(Vec<&'a [u8]>, &'a [u8]), Error> {
    let truncated = Error::Truncated { structure, length: data.len() };
    let mut units = Vec::new();
    for _ in 0..count {
        let (length, rest) = data.split_first_chunk::<2>().ok_or_else(|| truncated.clone())?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (unit, rest) = rest.split_at_checked(length).ok_or_else(|| truncated.clone())?;
        units.push(unit);
        data = rest;
    }
    Ok((units, data))
}

/// The size of the picture that remains of `coded` when `cropped` pixels are taken off.
fn picture_size(coded: (u64, u64), cropped: (u64, u64)) -> Result<(u32, u32), Error> {
    const LARGEST: i128 = 16_384;
    let width = i128::from(coded.0) - i128::from(cropped.0);
    let height = i128::from(coded.1) - i128::from(cropped.1);
    let possible = 1..=LARGEST;
    if possible.contains(&width) && possible.contains(&height) {
        Ok((width as u32, height as u32))
    } else {
        Err(Error::PictureSize { width, height })
    }
}

mod hex {
    //! Lower-case hexadecimal in JSON: short, and readable in a recorded wire file.
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        text.as_bytes()
            .chunks(2)
            .map(|pair| match *pair {
                [high, low] => Some(digit(high)? << 4 | digit(low)?),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
            .map(Bytes::from)
            .ok_or_else(|| D::Error::custom("a codec configuration is an even number of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests;
