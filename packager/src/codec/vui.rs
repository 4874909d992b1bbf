//! Video usability information: the part that H.264 (annex E.1.1) and H.265 (annex E.2.1) have in common.

use super::{Error, bits::Bits};
use crate::{time::FrameRate, track::Colour};

/// Sample aspect ratios by aspect_ratio_idc 1 to 16 (ISO/IEC 23091-2 table 11).
const SAMPLE_ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// What a display needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Display {
    /// Sample aspect ratio.
    pub(super) sample_aspect: (u32, u32),
    /// Colour, where it is described.
    pub(super) colour: Option<Colour>,
}

impl Default for Display {
    fn default() -> Self {
        Self { sample_aspect: (1, 1), colour: None }
    }
}

/// Reads from `aspect_ratio_info_present_flag` to `chroma_sample_loc_type_bottom_field`.
pub(super) fn display(bits: &mut Bits<'_>) -> Result<Display, Error> {
    let sample_aspect = if bits.flag()? { sample_aspect(bits)? } else { (1, 1) };
    if bits.flag()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    let colour = if bits.flag()? { colour(bits)? } else { None };
    if bits.flag()? {
        bits.unsigned()?;
        bits.unsigned()?;
    }
    Ok(Display { sample_aspect, colour })
}

fn sample_aspect(bits: &mut Bits<'_>) -> Result<(u32, u32), Error> {
    const EXTENDED: u32 = 255;
    let (across, down) = match bits.take(8)? {
        EXTENDED => (bits.take(16)?, bits.take(16)?),
        code => {
            (code as usize).checked_sub(1).and_then(|at| SAMPLE_ASPECTS.get(at)).copied().unwrap_or((1, 1))
        }
    };
    // Zero means unspecified (E.2.1): square, as everybody shows it.
    Ok(if across == 0 || down == 0 { (1, 1) } else { (across, down) })
}

fn colour(bits: &mut Bits<'_>) -> Result<Option<Colour>, Error> {
    bits.skip(3)?; // video_format
    let full_range = bits.flag()?;
    if !bits.flag()? {
        return Ok(None);
    }
    let mut code = || bits.take(8).map(|code| code as u16);
    let (primaries, transfer, matrix) = (code()?, code()?, code()?);
    Ok(Some(Colour { primaries, transfer, matrix, full_range }))
}

/// Reads `num_units_in_tick` and `time_scale`, where a frame is `ticks` ticks long.
pub(super) fn frame_rate(bits: &mut Bits<'_>, ticks: u32) -> Result<Option<FrameRate>, Error> {
    let (units, scale) = (bits.take(32)?, bits.take(32)?);
    Ok(units.checked_mul(ticks).and_then(|units| FrameRate::new(scale, units)))
}
