//! The boxes that we write, as independent readers see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod boxes {
    mod fixture;
    mod media;
    mod oracles;
    mod parameters;
    mod properties;
    mod repackaged;
    mod trees;
}
