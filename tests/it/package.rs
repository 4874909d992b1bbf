//! `headwater package` as a user runs it, judged by ffmpeg, GStreamer, m3u8-rs and the MPD schema.

mod copy;
#[cfg(feature = "encoder")]
mod encode;
mod players;
mod refusals;
mod tools;
