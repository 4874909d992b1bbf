//! Tracks and samples to write.

use bytes::Bytes;
use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::{FrameRate, Timescale},
    track::{Audio, Colour, Media, Track, Video},
};

/// The record of a High profile, level 3.1, 1280x720 stream by x264.
pub const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05,
    0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c,
    0x18, 0xcb, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

pub fn avc_track() -> Track {
    let rate = FrameRate::new(30, 1).unwrap();
    Track {
        name: "720p".into(),
        timescale: rate.timescale().0,
        codec: CodecConfig::Avc(Bytes::from_static(AVC_RECORD)),
        media: Media::Video(Video {
            width: 960,
            height: 720,
            sample_aspect: (4, 3),
            frame_rate: Some(rate),
            colour: Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false }),
        }),
        bitrate: 2_500_000,
        edit_start: 0,
    }
}

pub fn aac_track() -> Track {
    Track {
        name: "audio-en".into(),
        timescale: Timescale::new(48_000).unwrap(),
        codec: CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
        media: Media::Audio(Audio { sample_rate: 48_000, channels: 2, language: "en-GB".into() }),
        bitrate: 128_000,
        edit_start: 0,
    }
}

/// `I P B B` in decode order, starting at frame `start`: composition offsets are negative.
pub fn reordered(start: i64) -> Vec<Sample> {
    [(0, true), (2000, false), (-1000, false), (-1000, false)]
        .iter()
        .zip(start..)
        .map(|(&(cts, sync), frame)| Sample {
            dts: frame * 1000,
            cts,
            duration: 1000,
            sync,
            captured_at: 1_700_000_000_500_000,
            data: Bytes::from(vec![0; 10 + frame as usize % 100]),
        })
        .collect()
}

/// The record of a Main profile, level 3.1 stream, without its parameter sets.
pub const HEVC_RECORD: &[u8] =
    &[1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 0];
