//! AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1).

use super::{Error, bits::Bits};

/// samplingFrequencyIndex 0 to 12 (table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

const SBR: u8 = 5;
const PS: u8 = 29;

/// AudioSpecificConfig, as far as a packager needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// Audio object type of the whole: 2 AAC LC, 5 HE-AAC, 29 HE-AAC v2, 42 xHE-AAC, ...
    pub object_type: u8,
    /// Samples per second of the AAC core.
    pub core_rate: u32,
    /// Samples per second of the decoded sound: twice the core's with SBR.
    pub sample_rate: u32,
    /// Channels of the decoded sound; 0 if only the access units tell.
    pub channels: u16,
    /// Samples of the core per access unit; `None` where the configuration of the object type is not parsed.
    pub frame_length: Option<u16>,
}

impl AudioSpecificConfig {
    /// Parses a configuration.
    ///
    /// # Errors
    /// If it is truncated or its values are reserved.
    pub fn parse(data: &[u8]) -> Result<Self, Error> {
        let bits = &mut Bits::new(data, "AudioSpecificConfig");
        let mut object_type = object_type(bits)?;
        let core_rate = rate(bits)?;
        let configuration = bits.take(4)?;
        let mut extension = None;
        if object_type == SBR || object_type == PS {
            extension = Some((object_type, rate(bits)?));
            object_type = self::object_type(bits)?;
        }
        let mut channels = channels(configuration)?;
        let frame_length = match object_type {
            1..=4 | 6 | 7 | 17 | 19..=23 => {
                let (length, elements) = general(bits, object_type, configuration)?;
                channels = elements.unwrap_or(channels);
                Some(length)
            }
            _ => None,
        };
        if extension.is_none() && frame_length.is_some() {
            extension = sync_extension(bits)?;
        }
        let (object_type, sample_rate) = extension.unwrap_or((object_type, core_rate));
        let channels = if object_type == PS { 2 } else { channels };
        Ok(Self { object_type, core_rate, sample_rate, channels, frame_length })
    }
}

/// GetAudioObjectType(): five bits, or an escape and six more.
fn object_type(bits: &mut Bits<'_>) -> Result<u8, Error> {
    const ESCAPE: u32 = 31;
    Ok(match bits.take(5)? {
        ESCAPE => 32 + bits.take(6)? as u8,
        object_type => object_type as u8,
    })
}

fn rate(bits: &mut Bits<'_>) -> Result<u32, Error> {
    const EXPLICIT: u32 = 15;
    match bits.take(4)? {
        EXPLICIT => match bits.take(24)? {
            0 => Err(Error::SampleRate(0)),
            rate => Ok(rate),
        },
        index => RATES.get(index as usize).copied().ok_or(Error::SampleRate(index)),
    }
}

/// channelConfiguration (table 1.19); 0 says that a program_config_element follows.
fn channels(configuration: u32) -> Result<u16, Error> {
    match configuration {
        0..=6 => Ok(configuration as u16),
        7 | 12 | 14 => Ok(8),
        11 => Ok(7),
        13 => Ok(24),
        _ => Err(Error::Channels(configuration)),
    }
}

/// GASpecificConfig (4.4.1): samples per access unit, and the channels where a program_config_element lists them.
fn general(bits: &mut Bits<'_>, object_type: u8, configuration: u32) -> Result<(u16, Option<u16>), Error> {
    let short = bits.flag()?;
    if bits.flag()? {
        bits.skip(14)?; // coreCoderDelay
    }
    let extended = bits.flag()?;
    let channels = if configuration == 0 { Some(program_config(bits)?) } else { None };
    if object_type == 6 || object_type == 20 {
        bits.skip(3)?; // layerNr
    }
    if extended {
        match object_type {
            22 => bits.skip(16)?,
            17 | 19 | 20 | 23 => bits.skip(3)?,
            _ => {}
        }
        bits.skip(1)?; // extensionFlag3
    }
    const LOW_DELAY: u8 = 23;
    let length = match (object_type, short) {
        (LOW_DELAY, false) => 512,
        (LOW_DELAY, true) => 480,
        (_, false) => 1024,
        (_, true) => 960,
    };
    Ok((length, channels))
}

/// program_config_element (4.4.1.1): how many channels it lists.
fn program_config(bits: &mut Bits<'_>) -> Result<u16, Error> {
    bits.skip(4 + 2 + 4)?;
    let mut count = |width| bits.take(width);
    let (front, side, back) = (count(4)?, count(4)?, count(4)?);
    let (lfe, data, coupling) = (count(2)?, count(3)?, count(4)?);
    for width in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(width)?; // mix-downs to mono and stereo, matrix mix-down
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += if bits.flag()? { 2 } else { 1 };
        bits.skip(4)?;
    }
    bits.skip((4 * lfe + 4 * data + 5 * coupling) as usize)?;
    bits.align();
    let comment = bits.take(8)?;
    bits.skip(8 * comment as usize)?;
    Ok(channels as u16)
}

/// The extension behind a configuration that decoders without SBR can read too.
fn sync_extension(bits: &mut Bits<'_>) -> Result<Option<(u8, u32)>, Error> {
    const SBR_SYNC: u32 = 0x2b7;
    const PS_SYNC: u32 = 0x548;
    if bits.left() < 16 || bits.take(11)? != SBR_SYNC {
        return Ok(None);
    }
    if object_type(bits)? != SBR || !bits.flag()? {
        return Ok(None);
    }
    let rate = rate(bits)?;
    let stereo = bits.left() >= 12 && bits.take(11)? == PS_SYNC && bits.flag()?;
    Ok(Some((if stereo { PS } else { SBR }, rate)))
}
