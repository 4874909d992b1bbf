//! The CMAF chunk (ISO/IEC 23000-19 7.3.2.3), which HLS calls a partial segment.

use bytes::{Bytes, BytesMut};

use crate::time::Ticks;

/// One chunk: `[styp] [prft] moof mdat`, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Decode time of its first sample, its `tfdt`.
    pub start: Ticks,
    /// Sum of its samples' durations.
    pub duration: Ticks,
    /// True if it begins with a sync sample.
    pub independent: bool,
    /// When its first sample was captured: microseconds since the Unix epoch, 0 if unknown.
    pub captured_at: i64,
    /// Number of samples.
    pub samples: usize,
    /// All boxes up to and with the header of the `mdat`.
    pub header: Bytes,
    /// The samples' data, in order: the `mdat`'s payload, never copied.
    pub payload: Vec<Bytes>,
}

impl Chunk {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        (self.header.len() + self.payload.iter().map(Bytes::len).sum::<usize>()) as u64
    }

    /// All of it in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.size() as usize);
        out.extend_from_slice(&self.header);
        self.payload.iter().for_each(|data| out.extend_from_slice(data));
        out.freeze()
    }
}
