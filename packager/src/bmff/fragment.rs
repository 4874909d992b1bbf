//! The boxes of one movie fragment: `prft`, `moof` and the header of its `mdat`.

use bytes::BufMut;

use super::{
    Fragment,
    init::TRACK_ID,
    write::{write_box, write_full_box},
};
use crate::sample::Sample;

/// Appends a ProducerReferenceTimeBox (ISO/IEC 14496-12 8.16.5) if the first sample knows when it was captured.
pub(super) fn reference_time(out: &mut Vec<u8>, samples: &[Sample]) {
    const CAPTURED: u32 = 24;
    let Some(first) = samples.first().filter(|sample| sample.captured_at != 0) else { return };
    write_full_box(out, *b"prft", 1, CAPTURED, |out| {
        out.put_u32(TRACK_ID);
        out.put_u64(ntp(first.captured_at));
        out.put_i64(first.pts());
    });
}

/// An NTP timestamp (RFC 5905 6): seconds since 1900 in the upper half, which wraps in 2036, fraction in the lower.
fn ntp(unix_micros: i64) -> u64 {
    const UNIX_EPOCH: i64 = 2_208_988_800;
    let seconds = unix_micros.div_euclid(1_000_000) + UNIX_EPOCH;
    let micros = unix_micros.rem_euclid(1_000_000).unsigned_abs();
    (seconds.cast_unsigned() << 32) | ((micros << 32) / 1_000_000)
}

/// Appends the `moof` and the header of the `mdat` behind it.
pub(super) fn movie_fragment(out: &mut Vec<u8>, fragment: &Fragment<'_>) {
    let start = out.len();
    let mut data_offset_at = start;
    write_box(out, *b"moof", |out| {
        write_full_box(out, *b"mfhd", 0, 0, |out| out.put_u32(fragment.sequence));
        write_box(out, *b"traf", |out| data_offset_at = track_fragment(out, fragment.samples));
    });
    let size = fragment.samples.iter().map(|sample| sample.data.len() as u64).sum();
    media_data_header(out, size);
    // Data offsets count from the start of the moof (default-base-is-moof).
    let data_offset = (out.len() - start) as u32;
    out[data_offset_at..data_offset_at + 4].copy_from_slice(&data_offset.to_be_bytes());
}

/// Header of an `mdat` with `size` bytes in it: 8 bytes, or 16 where 32 bits do not hold the whole.
fn media_data_header(out: &mut Vec<u8>, size: u64) {
    match u32::try_from(size + 8) {
        Ok(size) => {
            out.put_u32(size);
            out.put_slice(b"mdat");
        }
        Err(_) => {
            out.put_u32(1);
            out.put_slice(b"mdat");
            out.put_u64(size + 16);
        }
    }
}

/// Appends the boxes in a `traf` and returns the position of the data offset, which is not known yet.
fn track_fragment(out: &mut Vec<u8>, samples: &[Sample]) -> usize {
    const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
    const SAMPLE_DESCRIPTION_INDEX: u32 = 0x02;
    const DEFAULT_DURATION: u32 = 0x08;
    const DEFAULT_FLAGS: u32 = 0x20;
    let run = Run::new(samples);
    let flags = DEFAULT_BASE_IS_MOOF
        | SAMPLE_DESCRIPTION_INDEX
        | if run.duration.is_some() { DEFAULT_DURATION } else { 0 }
        | if run.flags.is_some() { DEFAULT_FLAGS } else { 0 };
    write_full_box(out, *b"tfhd", 0, flags, |out| {
        out.put_u32(TRACK_ID);
        out.put_u32(1);
        run.duration.into_iter().chain(run.flags).for_each(|value| out.put_u32(value));
    });
    write_full_box(out, *b"tfdt", 1, 0, |out| {
        out.put_i64(samples.first().map_or(0, |sample| sample.dts));
    });
    track_run(out, samples, &run)
}

/// What is equal for all samples of a run, and so need not be said for each.
struct Run {
    /// The duration of all samples.
    duration: Option<u32>,
    /// The flags of all samples but the first.
    flags: Option<u32>,
    /// The flags of the first sample, where it alone differs.
    first_flags: Option<u32>,
    /// True if presentation and decode time differ somewhere.
    offsets: bool,
}

impl Run {
    fn new(samples: &[Sample]) -> Self {
        let first_flags = samples.first().map_or(0, sample_flags);
        let flags =
            uniform(samples.iter().skip(1).map(sample_flags)).or((samples.len() < 2).then_some(first_flags));
        Self {
            duration: uniform(samples.iter().map(|sample| sample.duration)),
            flags,
            first_flags: flags.filter(|&flags| flags != first_flags).map(|_| first_flags),
            offsets: samples.iter().any(|sample| sample.cts != 0),
        }
    }
}

/// The value that all items share.
fn uniform(mut values: impl Iterator<Item = u32>) -> Option<u32> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// Sample flags (ISO/IEC 14496-12 8.8.3.1): whether it depends on others, and whether decoding can start with it.
fn sample_flags(sample: &Sample) -> u32 {
    const DEPENDS_ON_OTHERS: u32 = 1 << 24;
    const DEPENDS_ON_NONE: u32 = 2 << 24;
    const NOT_SYNC: u32 = 1 << 16;
    if sample.sync { DEPENDS_ON_NONE } else { DEPENDS_ON_OTHERS | NOT_SYNC }
}

/// Appends the `trun` and returns the position of its data offset.
fn track_run(out: &mut Vec<u8>, samples: &[Sample], run: &Run) -> usize {
    const DATA_OFFSET: u32 = 0x01;
    const FIRST_FLAGS: u32 = 0x04;
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    const FLAGS: u32 = 0x400;
    const OFFSET: u32 = 0x800;
    let flags = DATA_OFFSET
        | SIZE
        | if run.first_flags.is_some() { FIRST_FLAGS } else { 0 }
        | if run.duration.is_none() { DURATION } else { 0 }
        | if run.flags.is_none() { FLAGS } else { 0 }
        | if run.offsets { OFFSET } else { 0 };
    let mut data_offset_at = 0;
    // Version 1: composition offsets have a sign.
    write_full_box(out, *b"trun", 1, flags, |out| {
        out.put_u32(samples.len() as u32);
        data_offset_at = out.len();
        out.put_u32(0);
        run.first_flags.into_iter().for_each(|value| out.put_u32(value));
        for sample in samples {
            if run.duration.is_none() {
                out.put_u32(sample.duration);
            }
            out.put_u32(sample.data.len() as u32);
            if run.flags.is_none() {
                out.put_u32(sample_flags(sample));
            }
            if run.offsets {
                out.put_i32(sample.cts);
            }
        }
    });
    data_offset_at
}
