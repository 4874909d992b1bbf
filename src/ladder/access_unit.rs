//! Access units as they come out of an encoder: which frame, sync or not, and only the NAL units that belong into a
//! sample.

use bytes::{BufMut, Bytes, BytesMut};
use gstreamer as gst;
use headwater_packager::{codec::CodecConfig, time::FrameRate};
use thiserror::Error;

use super::encoder::timing;
use crate::config::VideoCodec;

/// What an encoder must not do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// A buffer without data, time or segment.
    #[error("the encoder gave a buffer without {0}")]
    Incomplete(&'static str),
    /// Lengths that do not add up.
    #[error("the encoder gave an access unit whose NAL units do not fill it")]
    Broken,
    /// The first access unit is not an IDR.
    #[error("the encoder began with something else than a key frame")]
    NoKeyFrame,
    /// A key frame too early or too late.
    #[error("the encoder lost or doubled a frame: a key frame for frame {is} came where frame {due} was due")]
    Discontinuous {
        /// Frame of the key frame.
        is: i64,
        /// Frame that comes next in decode order.
        due: i64,
    },
}

/// One access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccessUnit {
    /// Index of the picture, counted from the encoder's first one.
    pub(super) frame: i64,
    /// True for an IDR picture.
    pub(super) sync: bool,
    /// Length-prefixed NAL units.
    pub(super) data: Bytes,
}

/// Takes an access unit out of what an appsink gives.
pub(super) fn access_unit(
    sample: &gst::Sample,
    codec: VideoCodec,
    rate: FrameRate,
) -> Result<AccessUnit, Error> {
    let buffer = sample.buffer().ok_or(Error::Incomplete("data"))?;
    // An encoder may shift its timestamps and its segment with them: running time is unmoved.
    let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    let segment = segment.ok_or(Error::Incomplete("segment"))?;
    let time = segment.to_running_time(buffer.pts()).ok_or(Error::Incomplete("presentation time"))?;
    let frame = timing::frame(time, rate);
    let data = bytes(buffer)?;
    let (sync, clean) = scan(&data, codec)?;
    let data = if clean { data } else { without_unwanted(&data, codec) };
    Ok(AccessUnit { frame, sync, data })
}

/// The buffer's memory, not copied.
pub(super) fn bytes(buffer: &gst::BufferRef) -> Result<Bytes, Error> {
    let mapped = buffer.to_owned().into_mapped_buffer_readable().map_err(|_| Error::Incomplete("data"))?;
    Ok(Bytes::from_owner(mapped))
}

/// The decoder configuration that an encoder's caps tell.
pub(super) fn codec_data(sample: &gst::Sample) -> Option<Bytes> {
    let structure = sample.caps()?.structure(0)?;
    let buffer = structure.get::<gst::Buffer>("codec_data").ok()?;
    Some(Bytes::copy_from_slice(&buffer.map_readable().ok()?))
}

/// The video codec configuration that an encoder's caps tell.
pub(super) fn video_config(sample: &gst::Sample, codec: VideoCodec) -> Option<CodecConfig> {
    let data = codec_data(sample)?;
    Some(match codec {
        VideoCodec::H264 => CodecConfig::Avc(whole_avc_record(data)),
        VideoCodec::H265 => CodecConfig::Hevc(data),
    })
}

/// Adds what x264enc leaves out: a record of a High profile ends with the format of its pictures (ISO/IEC 14496-15
/// 5.3.3.1.2), which here is always 4:2:0 in 8 bits, without extensions of the parameter sets.
fn whole_avc_record(record: Bytes) -> Bytes {
    let basic = matches!(record.get(1), None | Some(66 | 77 | 88));
    if basic || parameter_sets_end(&record) != Some(record.len()) {
        return record;
    }
    [&record[..], &[0xfd, 0xf8, 0xf8, 0]].concat().into()
}

/// Where the parameter sets of an AVCDecoderConfigurationRecord end.
fn parameter_sets_end(record: &[u8]) -> Option<usize> {
    let skip = |at: usize, mask: u8| {
        (0..record.get(at)? & mask).try_fold(at + 1, |at, _| {
            let length = record.get(at..at + 2)?;
            Some(at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])))
        })
    };
    skip(skip(5, 0x1f)?, 0xff)
}

/// The NAL units of an access unit; `None` in place of one whose length is wrong.
fn nal_units(data: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, after) = match rest.split_first_chunk::<4>() {
            Some((length, after)) => (u32::from_be_bytes(*length) as usize, after),
            None if rest.is_empty() => return None,
            None => (usize::MAX, rest),
        };
        let unit = after.get(..length).filter(|unit| !unit.is_empty());
        rest = if unit.is_some() { &after[length..] } else { &[] };
        Some(unit)
    })
}

/// Whether it is an IDR, and whether nothing has to be taken out of it.
fn scan(data: &[u8], codec: VideoCodec) -> Result<(bool, bool), Error> {
    let (mut sync, mut clean) = (false, true);
    for unit in nal_units(data) {
        let unit = unit.ok_or(Error::Broken)?;
        sync |= is_idr(unit, codec);
        clean &= belongs(unit, codec);
    }
    Ok((sync, clean))
}

fn is_idr(unit: &[u8], codec: VideoCodec) -> bool {
    match codec {
        VideoCodec::H264 => unit[0] & 0x1f == 5,
        // IDR_W_RADL and IDR_N_LP.
        VideoCodec::H265 => matches!(unit[0] >> 1 & 0x3f, 19 | 20),
    }
}

/// False for parameter sets, which are in the sample entry (ISO/IEC 14496-15 5.3.2, 8.3.2), for access unit
/// delimiters and fillers, and for the encoder's note about itself: two kilobytes of settings, in every filler too.
fn belongs(unit: &[u8], codec: VideoCodec) -> bool {
    const USER_DATA_UNREGISTERED: u8 = 5;
    match codec {
        VideoCodec::H264 => match unit[0] & 0x1f {
            7 | 8 | 9 | 12 => false,
            6 => unit.get(1) != Some(&USER_DATA_UNREGISTERED),
            _ => true,
        },
        VideoCodec::H265 => match unit[0] >> 1 & 0x3f {
            32..=35 | 38 => false,
            39 => unit.get(2) != Some(&USER_DATA_UNREGISTERED),
            _ => true,
        },
    }
}

fn without_unwanted(data: &[u8], codec: VideoCodec) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len());
    for unit in nal_units(data).flatten().filter(|unit| belongs(unit, codec)) {
        out.put_u32(unit.len() as u32);
        out.put_slice(unit);
    }
    out.freeze()
}

/// Decode times: the n-th access unit in decode order after the IDR of frame k is decoded at frame k + n. So an IDR
/// is decoded when it is shown, and no edit list is needed.
#[derive(Debug, Default)]
pub(super) struct DecodeOrder {
    due: Option<i64>,
}

impl DecodeOrder {
    /// The frame at whose time `unit` is decoded.
    pub(super) fn place(&mut self, unit: &AccessUnit) -> Result<i64, Error> {
        let at = match self.due {
            None if unit.sync => unit.frame,
            None => return Err(Error::NoKeyFrame),
            Some(due) if unit.sync && unit.frame != due => {
                return Err(Error::Discontinuous { is: unit.frame, due });
            }
            Some(due) => due,
        };
        self.due = Some(at + 1);
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_and_notes_are_taken_out_of_an_access_unit() {
        let unit =
            [&[0, 0, 0, 2, 0x67, 1][..], &[0, 0, 0, 3, 6, 5, 9], &[0, 0, 0, 2, 6, 4], &[0, 0, 0, 2, 0x65, 7]]
                .concat();
        assert_eq!(scan(&unit, VideoCodec::H264), Ok((true, false)));
        let kept = without_unwanted(&unit, VideoCodec::H264);
        assert_eq!(kept[..], [0, 0, 0, 2, 6, 4, 0, 0, 0, 2, 0x65, 7]);
        assert_eq!(scan(&kept, VideoCodec::H264), Ok((true, true)));
    }

    #[test]
    fn lengths_that_lie_are_seen() {
        for broken in [&[0, 0, 0, 9, 0x65][..], &[0, 0], &[0, 0, 0, 0], &[255, 255, 255, 255, 1]] {
            assert_eq!(scan(broken, VideoCodec::H264), Err(Error::Broken));
        }
    }

    #[test]
    fn a_record_of_a_high_profile_tells_the_format_of_the_pictures() {
        let record =
            |profile: u8| Bytes::from(vec![1, profile, 0, 31, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68]);
        assert_eq!(whole_avc_record(record(77)), record(77));
        let whole = whole_avc_record(record(100));
        assert_eq!(whole[13..], [0xfd, 0xf8, 0xf8, 0]);
        assert_eq!(whole_avc_record(whole.clone()), whole);
        assert_eq!(whole_avc_record(Bytes::from_static(&[1, 100, 0])).len(), 3);
    }

    #[test]
    fn decode_times_count_from_the_key_frame() {
        let unit = |frame, sync| AccessUnit { frame, sync, data: Bytes::new() };
        let mut order = DecodeOrder::default();
        assert_eq!(order.place(&unit(7, false)), Err(Error::NoKeyFrame));
        let placed: Vec<i64> = [(10, true), (13, false), (11, false), (12, false), (14, true)]
            .map(|(frame, sync)| order.place(&unit(frame, sync)).unwrap())
            .into();
        assert_eq!(placed, [10, 11, 12, 13, 14]);
        assert_eq!(order.place(&unit(16, true)), Err(Error::Discontinuous { is: 16, due: 15 }));
    }
}
