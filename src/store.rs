//! The store: segments, playlists and state records in a directory or in memory, through object_store.

use bytes::Bytes;

/// A whole object, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Its strong entity tag, quoted: a hash of the content.
    pub etag: String,
}
