//! Sources: one abstraction over whatever GStreamer opens, delivered on the grid.
//!
//! A source yields raw media at an exact constant rate: I420 pictures with consecutive frame indices and blocks of
//! 1024 samples with consecutive block indices, whatever the input's timestamps do. [`uri`] says what can be opened,
//! [`conform`] puts timestamps on the grid, [`epoch`] where several packagers place
//! the same sender's, [`pattern`] draws the built-in test source.

pub mod conform;
pub mod epoch;
mod error;
pub mod pattern;
pub mod transport;
pub mod uri;

#[cfg(feature = "encoder")]
mod lane;
#[cfg(feature = "encoder")]
mod media;
#[cfg(feature = "encoder")]
mod pipeline;
#[cfg(feature = "encoder")]
mod session;
#[cfg(feature = "encoder")]
mod stream;
#[cfg(feature = "encoder")]
mod test_source;
#[cfg(feature = "encoder")]
mod wake;

pub use self::error::Error;
#[cfg(feature = "encoder")]
pub use self::media::{AudioFormat, Item, Media, Pace, Request, Source, VideoFormat, open};

/// Samples per second of all audio.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples per block, the length of an AAC frame.
pub const BLOCK: i64 = 1024;
/// Channels of all audio: what has more is mixed down, what has one is doubled.
pub const CHANNELS: u16 = 2;
/// Bytes of one sample of all channels: 32-bit floating point, little endian, interleaved.
pub const FRAME_BYTES: usize = 4 * CHANNELS as usize;
