//! One encoded access unit.

use bytes::Bytes;

use crate::time::Ticks;

/// An encoded access unit in decode order, in ticks of its track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Decode time. The first sample of a closed GOP has `dts` equal to its presentation time, so that the
    /// first frame presented is at `tfdt` and no edit list is needed.
    pub dts: Ticks,
    /// Presentation time minus decode time; negative with reordered frames (trun version 1).
    pub cts: i32,
    /// Time until the next sample's decode time.
    pub duration: u32,
    /// True for a sync sample (IDR; every AAC frame).
    pub sync: bool,
    /// When the picture or sound was captured: microseconds since the Unix epoch, 0 if unknown.
    pub captured_at: i64,
    /// The access unit: length-prefixed NAL units (4-byte lengths) or one raw AAC frame.
    pub data: Bytes,
}

impl Sample {
    /// Decode time of the sample after this one.
    pub fn end(&self) -> Ticks {
        self.dts + Ticks::from(self.duration)
    }

    /// Presentation time.
    pub fn pts(&self) -> Ticks {
        self.dts + Ticks::from(self.cts)
    }
}
