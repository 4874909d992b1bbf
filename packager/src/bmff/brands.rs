//! Brands: what a CMAF track promises in its `ftyp` and `styp` (ISO/IEC 23000-19 7.2, annexes A, B and G).

use bytes::BufMut;

use super::write::write_box;
use crate::{
    codec::CodecConfig,
    track::{Audio, Media, Track, Video},
};

type Brand = [u8; 4];

/// Appends the `ftyp` of a track's header.
pub(super) fn file_type(out: &mut Vec<u8>, track: &Track) {
    write_box(out, *b"ftyp", |out| brands(out, structural(track).into_iter().chain(media_profile(track))));
}

/// Appends the `styp` of a segment.
pub(super) fn segment_type(out: &mut Vec<u8>, track: &Track, last: bool) {
    let segment = [*b"msdh", *b"cmfs"].into_iter().chain(structural(track)).chain(media_profile(track));
    // ISO/IEC 23009-1 6.3.4.2: `lmsg` says that no segment follows.
    write_box(out, *b"styp", |out| brands(out, segment.chain(last.then_some(*b"lmsg"))));
}

fn brands(out: &mut Vec<u8>, mut compatible: impl Iterator<Item = Brand> + Clone) {
    let major = compatible.clone().next().unwrap_or(*b"iso6");
    out.put_slice(&major);
    out.put_u32(0);
    compatible.by_ref().for_each(|brand| out.put_slice(&brand));
}

/// `cmf2` promises negative composition offsets in place of edit lists, so a track with one is only `cmfc`.
fn structural(track: &Track) -> Vec<Brand> {
    if track.edit_start == 0 { vec![*b"cmf2", *b"cmfc", *b"iso6"] } else { vec![*b"cmfc", *b"iso6"] }
}

/// The media profile that the track fits into, the narrowest one first in the tables; `None` above all of them.
fn media_profile(track: &Track) -> Option<Brand> {
    match (&track.codec, &track.media) {
        (CodecConfig::Avc(record), Media::Video(video)) => avc(video, record),
        (CodecConfig::Hevc(record), Media::Video(video)) => hevc(video, record),
        (CodecConfig::Aac(_), Media::Audio(audio)) => Some(aac(audio)),
        _ => None,
    }
}

/// ISO/IEC 23000-19 table A.1: width, height, frames per second, level_idc.
fn avc(video: &Video, record: &[u8]) -> Option<Brand> {
    const PROFILES: [(Brand, u32, u32, f64, u8); 3] =
        [(*b"cfsd", 864, 576, 60.0, 31), (*b"cfhd", 1920, 1080, 60.0, 40), (*b"chdf", 1920, 1080, 60.0, 42)];
    let level = *record.get(3)?;
    PROFILES
        .into_iter()
        .find(|&(_, width, height, fps, highest)| fits(video, width, height, fps) && level <= highest)
        .map(|(brand, ..)| brand)
}

/// ISO/IEC 23000-19 table B.1: bit depth, transfer characteristics, width, height, frames per second, level_idc.
fn hevc(video: &Video, record: &[u8]) -> Option<Brand> {
    const PQ: u16 = 16;
    const HLG: u16 = 18;
    let (level, depth) = (*record.get(12)?, 8 + (record.get(17)? & 7));
    let transfer = video.colour.map_or(1, |colour| colour.transfer);
    let hd = fits(video, 1920, 1080, 60.0) && level <= 123;
    let uhd = fits(video, 3840, 2160, 60.0) && level <= 153;
    match (depth, transfer) {
        (10, PQ) if uhd => Some(*b"chd1"),
        (10, HLG) if uhd => Some(*b"clg1"),
        (8, _) if hd => Some(*b"chhd"),
        (8, _) if uhd => Some(*b"cud8"),
        (10, _) if hd => Some(*b"chh1"),
        (10, _) if uhd => Some(*b"cud1"),
        _ => None,
    }
}

/// ISO/IEC 23000-19 10.3: AAC core up to stereo, AAC multichannel above.
fn aac(audio: &Audio) -> Brand {
    if audio.channels <= 2 && audio.sample_rate <= 48_000 { *b"caac" } else { *b"camc" }
}

fn fits(video: &Video, width: u32, height: u32, fps: f64) -> bool {
    let fast = video.frame_rate.is_some_and(|rate| rate.fps() > fps);
    video.width <= width && video.height <= height && !fast
}
