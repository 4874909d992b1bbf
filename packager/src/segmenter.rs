//! Cuts a track into chunks and segments.
