//! ISO base media file format boxes (ISO/IEC 14496-12) in the shape of CMAF (ISO/IEC 23000-19).

mod brands;
mod described;
mod fragment;
mod init;
mod joined;
mod language;
pub mod reader;
mod sample_entry;
mod write;

pub use self::{
    described::described,
    joined::{Joiner, movie},
};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{sample::Sample, track::Track};

/// What goes into one movie fragment besides its samples.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// `mfhd.sequence_number`.
    pub sequence: u32,
    /// The samples, at least one, contiguous in decode time, which is not negative: `tfdt` has no sign.
    pub samples: &'a [Sample],
    /// True for the first chunk of a segment: a `styp` goes in front.
    pub segment_start: bool,
    /// True for the first chunk of the presentation's last segment: its `styp` carries `lmsg`.
    pub last_segment: bool,
}

/// The CMAF header of a track: `ftyp` and `moov`.
pub fn init_segment(track: &Track) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    brands::file_type(&mut out, track);
    init::movie(&mut out, track);
    out.into()
}

/// The file name of an init segment, which changes with its content: `init-{16 hexadecimal digits of SHA-256}.mp4`.
pub fn init_name(init: &Bytes) -> String {
    let hash: String = Sha256::digest(init)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("init-{hash}.mp4")
}

/// A number by which segments say that they need this init segment: the first half of the hash that is in its name.
pub fn init_mark(init: &Bytes) -> u32 {
    let hash = Sha256::digest(init);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// The boxes in front of a fragment's media data: `[styp] [prft] moof` and the header of the `mdat`. The data of the
/// samples follow it in order. `prft` is written where the first sample says when it was captured.
pub fn fragment_header(track: &Track, fragment: &Fragment<'_>) -> Bytes {
    let mut out = Vec::with_capacity(256 + 16 * fragment.samples.len());
    if fragment.segment_start {
        brands::segment_type(&mut out, track, fragment.last_segment);
    }
    fragment::reference_time(&mut out, fragment.samples);
    fragment::movie_fragment(&mut out, fragment);
    out.into()
}
