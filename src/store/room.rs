//! How much is read from the store at once for those who ask through the cache. What is on its way lies in no cache yet, so
//! with a store that is slow there would be no end of it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{AcquireError, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{Error, large::BLOCK};

/// So many objects are asked for at once, and so many more wait for their turn.
const READS: usize = 256;
const WAITING: usize = 1024;
/// So long, and then as long for room.
const PATIENCE: Duration = Duration::from_secs(6);
/// Bytes are counted in these.
const UNIT: u64 = 64 << 10;

/// Room for reads. Cloning is cheap and gives the same.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reads: Semaphore,
    waiting: Semaphore,
    units: Semaphore,
}

impl Room {
    /// Beside a cache of so many bytes: a quarter of them, and some blocks at least.
    pub(super) fn beside(cache: u64) -> Self {
        let units = (cache / 4).max(8 * BLOCK) / UNIT;
        let units = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            reads: Semaphore::new(READS),
            waiting: Semaphore::new(WAITING),
            units: Semaphore::new(units),
        }))
    }

    /// A turn to ask for the object at `path`.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many wait for one, or if it does not come.
    pub(super) async fn turn(&self, path: &str) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(turn) = self.0.reads.try_acquire() {
            return Ok(turn);
        }
        let _waiting = self.0.waiting.try_acquire().map_err(|_| busy(path))?;
        soon(path, self.0.reads.acquire()).await
    }

    /// Room for so many bytes of it, which are about to be read.
    ///
    /// # Errors
    /// [`Error::Busy`] if there is none for too long.
    pub(super) async fn bytes(&self, path: &str, bytes: u64) -> Result<SemaphorePermit<'_>, Error> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        soon(path, self.0.units.acquire_many(units)).await
    }
}

async fn soon<'a>(
    path: &str,
    turn: impl Future<Output = Result<SemaphorePermit<'a>, AcquireError>>,
) -> Result<SemaphorePermit<'a>, Error> {
    // None is ever closed.
    timeout(PATIENCE, turn).await.ok().and_then(Result::ok).ok_or_else(|| busy(path))
}

fn busy(path: &str) -> Error {
    Error::Busy { path: path.to_owned() }
}
