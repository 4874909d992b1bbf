//! ISO base media file format boxes (ISO/IEC 14496-12) in the shape of CMAF (ISO/IEC 23000-19).

use bytes::Bytes;

use crate::{sample::Sample, track::Track};

/// What goes into one movie fragment besides its samples.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// `mfhd.sequence_number`.
    pub sequence: u32,
    /// The samples, at least one, contiguous in decode time.
    pub samples: &'a [Sample],
    /// True for the first chunk of a segment: a `styp` goes in front.
    pub segment_start: bool,
    /// True for the first chunk of the presentation's last segment: its `styp` carries `lmsg`.
    pub last_segment: bool,
}

/// The CMAF header of a track: `ftyp` and `moov`.
pub fn init_segment(track: &Track) -> Bytes {
    let _ = track;
    Bytes::new()
}

/// The boxes in front of a fragment's media data: `[styp] [prft] moof` and the header of the `mdat`. The data of the
/// samples follow it in order. `prft` is written where the first sample says when it was captured.
pub fn fragment_header(track: &Track, fragment: &Fragment<'_>) -> Bytes {
    let _ = (track, fragment);
    Bytes::new()
}
