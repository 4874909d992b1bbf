//! As much of ISO/IEC 14496-12 as the invariants need, read with this module's own eyes: where media begins and ends,
//! what its first sample is, and when it was captured.

mod fields;
mod fragment;
mod init;
mod nal;

use thiserror::Error;

pub(super) use self::{fragment::chunks, init::init};

/// Why boxes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Error {
    #[error("box {kind} at byte {at} says it has {size} bytes, but {left} follow")]
    Size { kind: String, at: usize, size: u64, left: usize },
    #[error("{0} ends in the middle of a field")]
    Short(&'static str),
    #[error("{within} has no {kind}")]
    Missing { within: &'static str, kind: &'static str },
    #[error("it is no MP4: it begins with {0:02x?}")]
    Foreign(Vec<u8>),
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Audio,
    Other,
}

/// How pictures are laid into samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pictures {
    /// Lengths in so many bytes, H.264.
    Avc(u8),
    /// Lengths in so many bytes, H.265.
    Hevc(u8),
}

/// What an init segment says of its first picture track, or else of its first track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Init {
    pub(super) track: u32,
    pub(super) kind: Kind,
    /// Ticks a second.
    pub(super) timescale: u32,
    pub(super) pictures: Option<Pictures>,
    /// Media time at which presentation begins (edit list).
    pub(super) edit_start: i64,
    /// Of `trex`.
    pub(super) defaults: Defaults,
}

/// What samples are unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// One movie fragment of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// `tfdt`.
    pub(super) start: i64,
    /// Sum of its samples' durations.
    pub(super) duration: i64,
    /// The earliest presentation time in it.
    pub(super) earliest: i64,
    /// True if the flags of the first sample say that it is a sync sample.
    pub(super) sync: bool,
    /// True if the first picture of the first sample is an IDR; `None` where this cannot be told.
    pub(super) idr: Option<bool>,
    pub(super) reference: Option<Reference>,
    /// Bytes up to and with its media data.
    pub(super) end: usize,
}

/// `prft`: when the first sample was captured or encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Nanoseconds since the Unix epoch.
    pub(super) wall_clock: i64,
    pub(super) media_time: i64,
}

impl Chunk {
    pub(super) fn end_time(&self) -> i64 {
        self.start + self.duration
    }
}

#[cfg(test)]
mod tests;
