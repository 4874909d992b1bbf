//! H.264: the decoder configuration record (ISO/IEC 14496-15 5.3.3) and sequence parameter sets (ITU-T H.264 7.3.2.1).

use super::{
    Error,
    bits::{Bits, raw_payload},
    picture_size, take_units, vui,
};
use crate::track::Video;

const RECORD: &str = "AVCDecoderConfigurationRecord";

/// AVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// profile_idc.
    pub profile: u8,
    /// The constraint_set flags, as one byte.
    pub compatibility: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub length_size: u8,
    /// Sequence parameter sets, with NAL unit headers; at least one.
    pub sps: Vec<&'a [u8]>,
    /// Picture parameter sets, with NAL unit headers.
    pub pps: Vec<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Parses a record.
    ///
    /// # Errors
    /// If it is truncated or not what the standard says.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let &[version, profile, compatibility, level, length_size, sps_count, ref rest @ ..] = data else {
            return Err(Error::Truncated { structure: RECORD, length: data.len() });
        };
        if version != 1 {
            return Err(Error::Version { structure: RECORD, version });
        }
        let (sps, rest) = take_units(rest, usize::from(sps_count & 0x1f), RECORD)?;
        let (&pps_count, rest) =
            rest.split_first().ok_or(Error::Truncated { structure: RECORD, length: data.len() })?;
        let (pps, _) = take_units(rest, usize::from(pps_count), RECORD)?;
        if sps.is_empty() {
            return Err(Error::NoParameterSet(RECORD));
        }
        Ok(Self { profile, compatibility, level, length_size: (length_size & 3) + 1, sps, pps })
    }
}

/// What a sequence parameter set says about the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// profile_idc.
    pub profile: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub bit_depth: u8,
    /// True if pictures may be fields.
    pub interlaced: bool,
    /// Size after cropping, aspect, colour and nominal frame rate.
    pub video: Video,
}

impl Sps {
    /// Parses a sequence parameter set NAL unit.
    ///
    /// # Errors
    /// If it is truncated or its values are out of range.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        let raw = raw_payload(nal, 1);
        let bits = &mut Bits::new(&raw, "H.264 sequence parameter set");
        let profile = bits.take(8)? as u8;
        bits.skip(8)?; // constraint_set flags
        let level = bits.take(8)? as u8;
        bits.unsigned()?; // seq_parameter_set_id
        let (chroma_format, bit_depth) = if has_chroma(profile) { chroma(bits)? } else { (1, 8) };
        bits.unsigned()?; // log2_max_frame_num_minus4
        picture_order(bits)?;
        bits.unsigned()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let width_in_mbs = u64::from(bits.unsigned()?) + 1;
        let height_in_units = u64::from(bits.unsigned()?) + 1;
        let interlaced = !bits.flag()?;
        let fields = if interlaced { 2 } else { 1 };
        if interlaced {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
        }
        bits.skip(1)?; // direct_8x8_inference_flag
        let crop = if bits.flag()? { cropping(bits)? } else { [0; 4] };
        let (crop_across, crop_down) = match chroma_format {
            1 => (2, 2 * fields),
            2 => (2, fields),
            _ => (1, fields),
        };
        let (width, height) = picture_size(
            (width_in_mbs * 16, height_in_units * 16 * fields),
            ((crop[0] + crop[1]) * crop_across, (crop[2] + crop[3]) * crop_down),
        )?;
        let (display, frame_rate) = if bits.flag()? {
            let display = vui::display(bits)?;
            // A tick is a field's duration, for progressive pictures too (E.2.1).
            (display, if bits.flag()? { vui::frame_rate(bits, 2)? } else { None })
        } else {
            (vui::Display::default(), None)
        };
        let vui::Display { sample_aspect, colour } = display;
        let video = Video { width, height, sample_aspect, frame_rate, colour };
        Ok(Self { profile, level, chroma_format, bit_depth, interlaced, video })
    }
}

/// The profiles whose parameter sets name the chroma format (7.3.2.1.1).
fn has_chroma(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

fn chroma(bits: &mut Bits<'_>) -> Result<(u8, u8), Error> {
    let format = bits.unsigned_up_to(3, "chroma_format_idc")?;
    if format == 3 {
        bits.skip(1)?; // separate_colour_plane_flag
    }
    let depth = 8 + bits.unsigned_up_to(6, "bit_depth_luma_minus8")?;
    bits.unsigned()?; // bit_depth_chroma_minus8
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    if bits.flag()? {
        let lists = if format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok((format as u8, depth as u8))
}

/// 7.3.2.1.1.1.
fn scaling_list(bits: &mut Bits<'_>, size: usize) -> Result<(), Error> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Ok(())
}

fn picture_order(bits: &mut Bits<'_>) -> Result<(), Error> {
    match bits.unsigned_up_to(2, "pic_order_cnt_type")? {
        0 => bits.unsigned().map(drop),
        1 => {
            bits.skip(1)?;
            bits.signed()?;
            bits.signed()?;
            let cycle = bits.unsigned_up_to(255, "num_ref_frames_in_pic_order_cnt_cycle")?;
            (0..cycle).try_for_each(|_| bits.signed().map(drop))
        }
        _ => Ok(()),
    }
}

fn cropping(bits: &mut Bits<'_>) -> Result<[u64; 4], Error> {
    let mut offset = || bits.unsigned().map(u64::from);
    Ok([offset()?, offset()?, offset()?, offset()?])
}
