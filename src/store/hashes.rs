//! What is known of the content of objects: a disk or a bucket that gives something else is not believed.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Entity tags by path. Cloning is cheap and gives the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashes(Arc<RwLock<HashMap<String, Box<str>>>>);

impl Hashes {
    pub(super) fn expect(&self, path: &str, etag: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), etag.into());
    }

    pub(super) fn forget(&self, path: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    /// The tag that the object has to have, if that is known.
    pub(super) fn of(&self, path: &str) -> Option<Box<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}
