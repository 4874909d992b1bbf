//! H.265: the decoder configuration record (ISO/IEC 14496-15 8.3.3) and sequence parameter sets (ITU-T H.265 7.3.2.2).

mod reference;

use super::{
    Error,
    bits::{Bits, raw_payload},
    picture_size, take_units, vui,
};
use crate::{time::FrameRate, track::Video};

const RECORD: &str = "HEVCDecoderConfigurationRecord";
const SPS_TYPE: u8 = 33;

/// HEVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// general_profile_space, 0 to 3.
    pub profile_space: u8,
    /// general_tier_flag.
    pub high_tier: bool,
    /// general_profile_idc.
    pub profile: u8,
    /// general_profile_compatibility_flags, flag 0 in the most significant bit.
    pub compatibility: u32,
    /// general_constraint_indicator_flags.
    pub constraints: [u8; 6],
    /// general_level_idc: thirty times the level.
    pub level: u8,
    /// Bits per luma sample.
    pub bit_depth: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub length_size: u8,
    /// Parameter sets and SEI messages: NAL unit type and NAL unit.
    pub units: Vec<(u8, &'a [u8])>,
}

impl<'a> Record<'a> {
    /// Parses a record.
    ///
    /// # Errors
    /// If it is truncated or not what the standard says.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let truncated = || Error::Truncated { structure: RECORD, length: data.len() };
        let (head, mut rest) = data.split_first_chunk::<23>().ok_or_else(truncated)?;
        if head[0] != 1 {
            return Err(Error::Version { structure: RECORD, version: head[0] });
        }
        let mut units = Vec::new();
        for _ in 0..head[22] {
            let &[kind, count_high, count_low, ref behind @ ..] = rest else { return Err(truncated()) };
            let count = usize::from(u16::from_be_bytes([count_high, count_low]));
            let (found, behind) = take_units(behind, count, RECORD)?;
            units.extend(found.into_iter().map(|unit| (kind & 0x3f, unit)));
            rest = behind;
        }
        Ok(Self {
            profile_space: head[1] >> 6,
            high_tier: head[1] & 0x20 != 0,
            profile: head[1] & 0x1f,
            compatibility: u32::from_be_bytes([head[2], head[3], head[4], head[5]]),
            constraints: [head[6], head[7], head[8], head[9], head[10], head[11]],
            level: head[12],
            bit_depth: 8 + (head[17] & 7),
            length_size: (head[21] & 3) + 1,
            units,
        })
    }

    /// The first sequence parameter set, with its NAL unit header.
    ///
    /// # Errors
    /// If the record has none.
    pub fn sps(&self) -> Result<&'a [u8], Error> {
        let mut sets = self.units.iter().filter(|(kind, _)| *kind == SPS_TYPE);
        sets.next().map(|&(_, unit)| unit).ok_or(Error::NoParameterSet(RECORD))
    }

    /// The codec string (ISO/IEC 14496-15 E.3).
    pub(super) fn rfc6381(&self) -> String {
        let space = ["", "A", "B", "C"][usize::from(self.profile_space & 3)];
        let tier = if self.high_tier { 'H' } else { 'L' };
        let (profile, level) = (self.profile, self.level);
        // The flags are written in reverse bit order, and the constraint bytes without trailing zeros.
        let mut text = format!("hvc1.{space}{profile}.{:X}.{tier}{level}", self.compatibility.reverse_bits());
        let used = self.constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        self.constraints[..used].iter().for_each(|byte| text.push_str(&format!(".{byte:X}")));
        text
    }
}

/// What a sequence parameter set says about the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub bit_depth: u8,
    /// Size after cropping, aspect, colour and nominal frame rate.
    pub video: Video,
}

impl Sps {
    /// Parses a sequence parameter set NAL unit.
    ///
    /// # Errors
    /// If it is truncated or its values are out of range.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        let raw = raw_payload(nal, 2);
        let bits = &mut Bits::new(&raw, "H.265 sequence parameter set");
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.take(3)?;
        bits.skip(1)?; // sps_temporal_id_nesting_flag
        profile_tier_level(bits, sub_layers)?;
        bits.unsigned()?; // sps_seq_parameter_set_id
        let chroma_format = bits.unsigned_up_to(3, "chroma_format_idc")?;
        if chroma_format == 3 {
            bits.skip(1)?; // separate_colour_plane_flag
        }
        let coded = (u64::from(bits.unsigned()?), u64::from(bits.unsigned()?));
        let (across, down) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let crop = if bits.flag()? { window(bits)? } else { (0, 0) };
        let (width, height) = picture_size(coded, (crop.0 * across, crop.1 * down))?;
        let bit_depth = 8 + bits.unsigned_up_to(8, "bit_depth_luma_minus8")?;
        bits.unsigned()?; // bit_depth_chroma_minus8
        coding_tools(bits, sub_layers)?;
        let (display, frame_rate) =
            if bits.flag()? { usability(bits)? } else { (vui::Display::default(), None) };
        let vui::Display { sample_aspect, colour } = display;
        let video = Video { width, height, sample_aspect, frame_rate, colour };
        Ok(Self { chroma_format: chroma_format as u8, bit_depth: bit_depth as u8, video })
    }
}

/// 7.3.3, whose values the record repeats.
fn profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Result<(), Error> {
    bits.skip(88 + 8)?;
    let present =
        (0..sub_layers).map(|_| Ok((bits.flag()?, bits.flag()?))).collect::<Result<Vec<_>, Error>>()?;
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    present
        .iter()
        .try_for_each(|&(profile, level)| bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 }))
}

/// The offsets of a cropping window: left and right together, top and bottom together.
fn window(bits: &mut Bits<'_>) -> Result<(u64, u64), Error> {
    let mut offset = || bits.unsigned().map(u64::from);
    Ok((offset()? + offset()?, offset()? + offset()?))
}

/// From `log2_max_pic_order_cnt_lsb_minus4` to `strong_intra_smoothing_enabled_flag`.
fn coding_tools(bits: &mut Bits<'_>, sub_layers: u32) -> Result<(), Error> {
    let order_bits = 4 + bits.unsigned_up_to(12, "log2_max_pic_order_cnt_lsb_minus4")?;
    let layers = if bits.flag()? { sub_layers + 1 } else { 1 };
    for _ in 0..3 * layers + 6 {
        bits.unsigned()?; // buffering by sub-layer, then sizes of blocks and depths of transform trees
    }
    if bits.flag()? && bits.flag()? {
        reference::scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.skip(8)?; // bit depths of PCM
        bits.unsigned()?;
        bits.unsigned()?;
        bits.skip(1)?;
    }
    reference::short_term_sets(bits)?;
    if bits.flag()? {
        let pictures = bits.unsigned_up_to(32, "num_long_term_ref_pics_sps")?;
        bits.skip(pictures as usize * (order_bits as usize + 1))?;
    }
    bits.skip(2) // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
}

/// E.2.1.
fn usability(bits: &mut Bits<'_>) -> Result<(vui::Display, Option<FrameRate>), Error> {
    let display = vui::display(bits)?;
    bits.skip(3)?; // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if bits.flag()? {
        window(bits)?; // default display window
    }
    let frame_rate = if bits.flag()? { vui::frame_rate(bits, 1)? } else { None };
    Ok((display, frame_rate))
}
