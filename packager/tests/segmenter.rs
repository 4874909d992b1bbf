//! How tracks are cut, over years of odd frame rates and whatever else may come.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "support/made.rs"]
mod made;

mod segmenter {
    mod anything;
    mod files;
    mod grid;
}
