//! Sample entries: `avc1`, `hvc1` and `mp4a` with what a decoder and a display need.

use bytes::BufMut;

use super::write::{write_box, write_descriptor, write_full_box};
use crate::{
    codec::CodecConfig,
    track::{Audio, Media, Track, Video},
};

/// Appends the entry of the track's `stsd`.
pub(super) fn sample_entry(out: &mut Vec<u8>, track: &Track) {
    let (kind, record_kind, record) = match &track.codec {
        CodecConfig::Avc(record) => (*b"avc1", *b"avcC", record),
        CodecConfig::Hevc(record) => (*b"hvc1", *b"hvcC", record),
        CodecConfig::Aac(config) => (*b"mp4a", *b"esds", config),
    };
    write_box(out, kind, |out| {
        out.put_bytes(0, 6);
        out.put_u16(1); // data reference index
        match &track.media {
            Media::Video(video) => {
                visual(out, video);
                write_box(out, record_kind, |out| out.put_slice(record));
                colour(out, video);
                pixel_aspect(out, video);
            }
            Media::Audio(audio) => {
                sound(out, audio);
                write_full_box(out, record_kind, 0, 0, |out| elementary_stream(out, track.bitrate, record));
            }
        }
        bit_rate(out, track.bitrate);
    });
}

/// VisualSampleEntry, ISO/IEC 14496-12 12.1.3.
fn visual(out: &mut Vec<u8>, video: &Video) {
    const DOTS_PER_INCH: u32 = 72 << 16;
    out.put_bytes(0, 16);
    out.put_u16(video.width as u16);
    out.put_u16(video.height as u16);
    out.put_u32(DOTS_PER_INCH);
    out.put_u32(DOTS_PER_INCH);
    out.put_u32(0);
    out.put_u16(1); // frames per sample
    out.put_bytes(0, 32); // compressor name
    out.put_u16(24); // depth: colour without alpha
    out.put_i16(-1);
}

fn colour(out: &mut Vec<u8>, video: &Video) {
    let Some(colour) = video.colour else { return };
    write_box(out, *b"colr", |out| {
        out.put_slice(b"nclx");
        out.put_u16(colour.primaries);
        out.put_u16(colour.transfer);
        out.put_u16(colour.matrix);
        out.put_u8(if colour.full_range { 0x80 } else { 0 });
    });
}

/// Written for square pixels too, so that no reader has to guess.
fn pixel_aspect(out: &mut Vec<u8>, video: &Video) {
    write_box(out, *b"pasp", |out| {
        out.put_u32(video.sample_aspect.0);
        out.put_u32(video.sample_aspect.1);
    });
}

/// AudioSampleEntry, ISO/IEC 14496-12 12.2.3.
fn sound(out: &mut Vec<u8>, audio: &Audio) {
    out.put_bytes(0, 8);
    out.put_u16(audio.channels);
    out.put_u16(16); // bits per sample of the decoded sound: a template value
    out.put_u32(0);
    // 16.16 fixed point; a rate that does not fit is left to the AudioSpecificConfig.
    out.put_u32(if audio.sample_rate <= 0xffff { audio.sample_rate << 16 } else { 0 });
}

/// ES_Descriptor with the AudioSpecificConfig (ISO/IEC 14496-1 7.2.6.5, ISO/IEC 14496-14 3.1.2).
fn elementary_stream(out: &mut Vec<u8>, bitrate: u32, config: &[u8]) {
    const MPEG4_AUDIO: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5 << 2 | 1;
    write_descriptor(out, 3, |out| {
        out.put_u16(0); // ES_ID: zero in files
        out.put_u8(0);
        write_descriptor(out, 4, |out| {
            out.put_u8(MPEG4_AUDIO);
            out.put_u8(AUDIO_STREAM);
            out.put_bytes(0, 3); // decoder buffer size
            out.put_u32(bitrate);
            out.put_u32(bitrate);
            write_descriptor(out, 5, |out| out.put_slice(config));
        });
        write_descriptor(out, 6, |out| out.put_u8(2)); // SL: as in MP4 files
    });
}

fn bit_rate(out: &mut Vec<u8>, bitrate: u32) {
    if bitrate == 0 {
        return;
    }
    write_box(out, *b"btrt", |out| {
        out.put_u32(0); // decoder buffer size
        out.put_u32(bitrate);
        out.put_u32(bitrate);
    });
}
