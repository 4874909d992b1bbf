//! Brands: what a CMAF track promises in its `ftyp` and `styp` (ISO/IEC 23000-19).

use bytes::BufMut;

use super::{init_mark, init_segment, write::write_box};
use crate::{
    codec::{CodecConfig, aac::AudioSpecificConfig},
    track::{Audio, Media, Track, Video},
};

type Brand = [u8; 4];

/// Appends the `ftyp` of a track's header.
pub(super) fn file_type(out: &mut Vec<u8>, track: &Track) {
    write_box(out, *b"ftyp", |out| brands(out, 0, structural(track).into_iter().chain(media_profile(track))));
}

/// Appends the `styp` of a segment. Nothing else in it tells which init segment it needs; the minor version of a brand is
/// informative (ISO/IEC 14496-12 4.3), and `msdh` has none.
pub(super) fn segment_type(out: &mut Vec<u8>, track: &Track, last: bool) {
    let segment = [*b"msdh", *b"cmfs"].into_iter().chain(structural(track)).chain(media_profile(track));
    // `lmsg` (ISO/IEC 23009-1) says that no segment follows.
    let mark = init_mark(&init_segment(track));
    write_box(out, *b"styp", |out| brands(out, mark, segment.chain(last.then_some(*b"lmsg"))));
}

fn brands(out: &mut Vec<u8>, minor: u32, mut compatible: impl Iterator<Item = Brand> + Clone) {
    let major = compatible.clone().next().unwrap_or(*b"iso6");
    out.put_slice(&major);
    out.put_u32(minor);
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
        (CodecConfig::Aac(config), Media::Audio(audio)) => aac(audio, config),
        _ => None,
    }
}

/// ISO/IEC 23000-19 annex A: width, height, frames per second, level_idc; standard dynamic range and gamut.
fn avc(video: &Video, record: &[u8]) -> Option<Brand> {
    const PROFILES: [(Brand, u32, u32, f64, u8); 3] =
        [(*b"cfsd", 864, 576, 60.0, 31), (*b"cfhd", 1920, 1080, 60.0, 40), (*b"chdf", 1920, 1080, 60.0, 42)];
    const WIDE_GAMUT: u16 = 9;
    let level = *record.get(3)?;
    if video.colour.is_some_and(|colour| colour.primaries == WIDE_GAMUT) {
        return None;
    }
    PROFILES
        .into_iter()
        .find(|&(_, width, height, fps, highest)| fits(video, width, height, fps) && level <= highest)
        .map(|(brand, ..)| brand)
}

/// ISO/IEC 23000-19 annex B: bit depth, transfer characteristics, width, height, frames per second, level_idc.
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

/// ISO/IEC 23000-19 clause 10: AAC LC, HE-AAC and HE-AAC v2, core up to stereo and multichannel above.
fn aac(audio: &Audio, config: &[u8]) -> Option<Brand> {
    let config = AudioSpecificConfig::parse(config).ok()?;
    let stereo = audio.channels <= 2 && audio.sample_rate <= 48_000;
    matches!(config.object_type, 2 | 5 | 29).then_some(if stereo { *b"caac" } else { *b"camc" })
}

fn fits(video: &Video, width: u32, height: u32, fps: f64) -> bool {
    let fast = video.frame_rate.is_some_and(|rate| rate.fps() > fps);
    video.width <= width && video.height <= height && !fast
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        time::{FrameRate, Timescale},
        track::Colour,
    };

    fn video(codec: CodecConfig, size: (u32, u32), fps: u32, colour: Option<Colour>) -> Track {
        Track {
            name: "v".into(),
            timescale: Timescale::new(1000).unwrap(),
            codec,
            media: Media::Video(Video {
                width: size.0,
                height: size.1,
                sample_aspect: (1, 1),
                frame_rate: FrameRate::new(fps, 1),
                colour,
            }),
            bitrate: 0,
            edit_start: 0,
        }
    }

    fn avc_at(level: u8) -> CodecConfig {
        CodecConfig::Avc(Bytes::copy_from_slice(&[1, 100, 0, level]))
    }

    fn hevc_at(level: u8, depth: u8) -> CodecConfig {
        let mut record = [0; 23];
        (record[12], record[17]) = (level, 0xf8 | (depth - 8));
        CodecConfig::Hevc(Bytes::copy_from_slice(&record))
    }

    #[test]
    fn a_track_promises_the_narrowest_profile_that_it_fits_into() {
        let colour = |primaries, transfer| Some(Colour { primaries, transfer, matrix: 1, full_range: false });
        let cases = [
            (video(avc_at(30), (640, 360), 30, None), Some(b"cfsd")),
            (video(avc_at(31), (1280, 720), 30, colour(1, 1)), Some(b"cfhd")),
            (video(avc_at(42), (1920, 1080), 60, None), Some(b"chdf")),
            (video(avc_at(42), (1920, 1080), 120, None), None),
            (video(avc_at(51), (3840, 2160), 30, None), None),
            (video(avc_at(40), (1920, 1080), 30, colour(9, 16)), None),
            (video(hevc_at(123, 8), (1920, 1080), 30, None), Some(b"chhd")),
            (video(hevc_at(123, 10), (1920, 1080), 30, None), Some(b"chh1")),
            (video(hevc_at(150, 8), (3840, 2160), 30, None), Some(b"cud8")),
            (video(hevc_at(153, 10), (3840, 2160), 60, None), Some(b"cud1")),
            (video(hevc_at(153, 10), (3840, 2160), 60, colour(9, 16)), Some(b"chd1")),
            (video(hevc_at(153, 10), (3840, 2160), 60, colour(9, 18)), Some(b"clg1")),
        ];
        for (track, brand) in cases {
            assert_eq!(media_profile(&track).as_ref(), brand, "{track:?}");
        }
    }
}
