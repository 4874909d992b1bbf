//! Lets a thread sleep until media or a message comes.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// A doorbell: rung by GStreamer's threads, waited for by the session's.
#[derive(Clone, Debug, Default)]
pub(super) struct Wake(Arc<(Mutex<bool>, Condvar)>);

impl Wake {
    /// Wakes the waiter, or the next one to wait.
    pub(super) fn ring(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_one();
    }

    /// Waits for a ring for at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) {
        let rung = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(rung, timeout, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
