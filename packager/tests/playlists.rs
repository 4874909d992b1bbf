//! The documents that we write, as they are and as independent readers see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "support/made.rs"]
mod made;

mod playlists {
    mod configurations;
    mod dash;
    mod dash_low_latency;
    mod hls;
    mod hls_low_latency;
    mod part_target;
    mod pieces;
    mod presentations;
    mod windows;
}
