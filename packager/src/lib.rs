//! CMAF packaging as a pure library: encoded samples in, bytes and documents out.
//!
//! There is no clock, no I/O and no thread in here; time is always an argument. The modules read in the order
//! data flows: [`time`] and [`sample`] are the vocabulary, [`codec`] and [`track`] describe what is carried,
//! [`segmenter`] cuts samples into [`chunk`]s and segments with the boxes of [`bmff`], [`window`] holds what is
//! published, and [`hls`] and [`dash`] render it.

pub mod bmff;
pub mod chunk;
pub mod codec;
pub mod dash;
pub mod hls;
pub mod sample;
pub mod segmenter;
pub mod time;
pub mod track;
pub mod window;
