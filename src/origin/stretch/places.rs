//! How many lists are made: whoever asks for stretches, live viewers have processors and memory left.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::origin::refusal::Refusal;

/// So many are made at a time: one of a day takes a tenth of a second, and ten megabytes while it is made.
const AT_ONCE: usize = 4;
/// So many may wait for that, of different ones. Who waits for the same as another is not among them.
const WAITING: usize = 60;

/// Where lists are made.
#[derive(Debug)]
pub(super) struct Places {
    /// Of all who wait or make.
    queue: Semaphore,
    making: Semaphore,
}

/// Somebody may make one, as long as this lives.
#[derive(Debug)]
pub(super) struct Place<'a> {
    _queue: SemaphorePermit<'a>,
    _making: SemaphorePermit<'a>,
}

impl Default for Places {
    fn default() -> Self {
        Self { queue: Semaphore::new(AT_ONCE + WAITING), making: Semaphore::new(AT_ONCE) }
    }
}

impl Places {
    /// Waits for a place.
    ///
    /// # Errors
    /// [`Refusal::TooManyWaiters`] if too many wait for one.
    pub(super) async fn take(&self) -> Result<Place<'_>, Refusal> {
        let full = |_| Refusal::TooManyWaiters;
        let queue = self.queue.try_acquire().map_err(full)?;
        // It is never closed.
        let making = self.making.acquire().await.map_err(|_| Refusal::TooManyWaiters)?;
        Ok(Place { _queue: queue, _making: making })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, stream::FuturesUnordered};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_wait_their_turn_and_more_are_refused() {
        let places = Places::default();
        let mut making = Vec::new();
        for _ in 0..AT_ONCE {
            making.push(places.take().await.unwrap());
        }
        let mut waiting: FuturesUnordered<_> = (0..WAITING).map(|_| places.take()).collect();
        let nobody = timeout(Duration::from_secs(1), waiting.next()).await;
        assert!(nobody.is_err(), "{nobody:?}");
        assert_eq!(places.take().await.unwrap_err(), Refusal::TooManyWaiters);
        making.pop();
        let next = timeout(Duration::from_secs(1), waiting.next()).await.expect("one is next");
        assert!(next.unwrap().is_ok());
        drop(waiting);
        assert!(places.take().await.is_ok(), "who goes away makes room");
    }
}
