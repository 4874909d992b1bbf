//! The `moov` of a CMAF header (ISO/IEC 23000-19): everything about a track but its samples.

use bytes::BufMut;

use super::{
    language,
    sample_entry::sample_entry,
    write::{write_box, write_full_box},
};
use crate::track::{Media, Track, Video};

/// The only track of a CMAF file.
pub(super) const TRACK_ID: u32 = 1;

const UNITY_MATRIX: [u32; 9] = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000];

/// Appends the `moov`.
pub(super) fn movie(out: &mut Vec<u8>, track: &Track) {
    movie_of(out, &[track], None);
}

/// Appends the `moov` of several tracks, whose IDs count from that of an only one, and how many nanoseconds their fragments
/// last, if that is known.
pub(super) fn movie_of(out: &mut Vec<u8>, tracks: &[&Track], length: Option<i128>) {
    let Some(first) = tracks.first() else { return };
    write_box(out, *b"moov", |out| {
        movie_header(out, first, TRACK_ID + tracks.len() as u32);
        for (id, track) in (TRACK_ID..).zip(tracks) {
            write_box(out, *b"trak", |out| {
                track_header(out, track, id);
                edit_list(out, track);
                write_box(out, *b"mdia", |out| media(out, track));
            });
        }
        write_box(out, *b"mvex", |out| {
            if let Some(length) = length {
                let ticks = first.timescale.ceil(length);
                write_full_box(out, *b"mehd", 1, 0, |out| out.put_i64(ticks));
            }
            (TRACK_ID..).zip(tracks).for_each(|(id, _)| track_extends(out, id));
        });
    });
}

fn movie_header(out: &mut Vec<u8>, track: &Track, next: u32) {
    write_full_box(out, *b"mvhd", 0, 0, |out| {
        out.put_bytes(0, 8); // creation and modification time: not known to a pure function
        out.put_u32(track.timescale.hz());
        out.put_u32(0); // duration: that of the fragments
        out.put_u32(0x10000); // rate
        out.put_u16(0x100); // volume
        out.put_bytes(0, 10);
        UNITY_MATRIX.iter().for_each(|&value| out.put_u32(value));
        out.put_bytes(0, 24);
        out.put_u32(next);
    });
}

fn track_header(out: &mut Vec<u8>, track: &Track, id: u32) {
    const ENABLED_IN_MOVIE: u32 = 3;
    write_full_box(out, *b"tkhd", 0, ENABLED_IN_MOVIE, |out| {
        out.put_bytes(0, 8);
        out.put_u32(id);
        out.put_bytes(0, 4 + 4 + 8); // reserved, duration, reserved
        out.put_u32(0); // layer, alternate group
        out.put_u16(if track.audio().is_some() { 0x100 } else { 0 });
        out.put_u16(0);
        UNITY_MATRIX.iter().for_each(|&value| out.put_u32(value));
        let (width, height) = track.video().map_or((0, 0), presentation_size);
        out.put_u32(width);
        out.put_u32(height);
    });
}

/// Size on a screen with square pixels, 16.16 fixed point: `pasp` widens the width (ISO/IEC 14496-12 8.3.2.3).
fn presentation_size(video: &Video) -> (u32, u32) {
    let (across, down) = video.sample_aspect;
    let width = (u64::from(video.width) << 16) * u64::from(across) / u64::from(down.max(1));
    (u32::try_from(width).unwrap_or(u32::MAX), video.height << 16)
}

fn edit_list(out: &mut Vec<u8>, track: &Track) {
    if track.edit_start == 0 {
        return;
    }
    write_box(out, *b"edts", |out| {
        write_full_box(out, *b"elst", 1, 0, |out| {
            out.put_u32(1);
            out.put_u64(0); // segment duration: to the end, as fragments come (8.6.6.1)
            out.put_i64(track.edit_start);
            out.put_u32(0x10000);
        });
    });
}

fn media(out: &mut Vec<u8>, track: &Track) {
    let tag = track.audio().map_or("und", |audio| audio.language.as_str());
    let code = language::iso639(tag);
    write_full_box(out, *b"mdhd", 0, 0, |out| {
        out.put_bytes(0, 8);
        out.put_u32(track.timescale.hz());
        out.put_u32(0);
        out.put_u16(language::packed(code));
        out.put_u16(0);
    });
    let (handler, name) = match track.media {
        Media::Video(_) => (*b"vide", "Headwater video\0"),
        Media::Audio(_) => (*b"soun", "Headwater audio\0"),
    };
    write_full_box(out, *b"hdlr", 0, 0, |out| {
        out.put_u32(0);
        out.put_slice(&handler);
        out.put_bytes(0, 12);
        out.put_slice(name.as_bytes());
    });
    if tag.contains('-') {
        // mdhd has room for the language alone, not for its region or script.
        write_full_box(out, *b"elng", 0, 0, |out| {
            out.put_slice(tag.as_bytes());
            out.put_u8(0);
        });
    }
    write_box(out, *b"minf", |out| media_information(out, track));
}

fn media_information(out: &mut Vec<u8>, track: &Track) {
    match track.media {
        Media::Video(_) => write_full_box(out, *b"vmhd", 0, 1, |out| out.put_bytes(0, 8)),
        Media::Audio(_) => write_full_box(out, *b"smhd", 0, 0, |out| out.put_bytes(0, 4)),
    }
    write_box(out, *b"dinf", |out| {
        write_full_box(out, *b"dref", 0, 0, |out| {
            const IN_THIS_FILE: u32 = 1;
            out.put_u32(1);
            write_full_box(out, *b"url ", 0, IN_THIS_FILE, |_| {});
        });
    });
    write_box(out, *b"stbl", |out| {
        write_full_box(out, *b"stsd", 0, 0, |out| {
            out.put_u32(1);
            sample_entry(out, track);
        });
        // The samples are in fragments, so these tables are empty; the format wants them all the same.
        [*b"stts", *b"stsc"]
            .into_iter()
            .for_each(|kind| write_full_box(out, kind, 0, 0, |out| out.put_u32(0)));
        write_full_box(out, *b"stsz", 0, 0, |out| out.put_u64(0));
        write_full_box(out, *b"stco", 0, 0, |out| out.put_u32(0));
    });
}

fn track_extends(out: &mut Vec<u8>, id: u32) {
    write_full_box(out, *b"trex", 0, 0, |out| {
        out.put_u32(id);
        out.put_u32(1); // sample description index
        out.put_bytes(0, 12); // duration, size and flags: every fragment carries its own
    });
}
