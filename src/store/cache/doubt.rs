//! Large objects that were found to be damaged when most of them had been sent: that happens once.

use std::sync::Arc;

use moka::sync;

use crate::store::large::Large;

/// So many are remembered.
const MOST: u64 = 1000;

/// What is not given to anybody as long as it is the same. Cloning is cheap and gives the same.
#[derive(Clone, Debug)]
pub(super) struct Doubts(sync::Cache<String, Arc<Large>>);

impl Default for Doubts {
    fn default() -> Self {
        Self(sync::Cache::new(MOST))
    }
}

impl Doubts {
    /// What was found damaged at `path`.
    pub(super) fn of(&self, path: &str) -> Option<Arc<Large>> {
        self.0.get(path)
    }

    /// False if that was known.
    pub(super) fn raise(&self, large: &Arc<Large>) -> bool {
        self.0.entry_by_ref(&large.path).or_insert(large.clone()).is_fresh()
    }

    /// It was none, or something else lies there.
    pub(super) fn lift(&self, large: &Arc<Large>) {
        if self.of(&large.path).is_some_and(|doubted| Arc::ptr_eq(&doubted, large)) {
            self.forget(&large.path);
        }
    }

    pub(super) fn forget(&self, path: &str) {
        self.0.invalidate(path);
    }
}
