//! Fences of epochs that are over: all but the newest two go, so that they do not become more and more.
//!
//! Once a record of an epoch lies in the store, every earlier epoch is over for good: who has taken one of those and
//! sleeps finds the record to be another when it wakes up, whether or not its fence is still there.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::store::{Error, Store};

/// At most so many in one go: a few at each takeover are to be expected, and those of years where they were never cleared.
const MOST: u64 = 10_000;

/// Where the fence of an epoch lies.
pub(super) fn path(prefix: &str, epoch: u64) -> String {
    format!("{prefix}/fence-{epoch}.json")
}

/// Clears them away beside the live edge, for who has written a record of this `epoch`.
pub(super) fn clear(store: Store, prefix: Arc<str>, epoch: u64) -> AbortOnDropHandle<()> {
    let cleared = async move {
        if let Err(error) = cleared(&store, &prefix, epoch).await {
            tracing::info!(%error, "fences that are over stay until the next takeover");
        }
    };
    AbortOnDropHandle::new(tokio::spawn(cleared.in_current_span()))
}

/// Epochs are counted without a gap, so the first name from above that is not there ends what there is. The lowest goes first:
/// whenever this is broken off, what is left has no gap either.
async fn cleared(store: &Store, prefix: &str, epoch: u64) -> Result<(), Error> {
    let newest = epoch.saturating_sub(2);
    let mut lowest = newest + 1;
    while lowest > 1 && newest - (lowest - 1) < MOST && is_there(store, prefix, lowest - 1).await? {
        lowest -= 1;
    }
    for over in lowest..=newest {
        store.delete(&path(prefix, over)).await?;
    }
    Ok(())
}

async fn is_there(store: &Store, prefix: &str, epoch: u64) -> Result<bool, Error> {
    match store.look(&path(prefix, epoch)).await {
        // One that was broken by a power cut is there as well.
        Ok(_) | Err(Error::Damaged { .. }) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use headwater_test_support::fault::{FaultStore, Odds};
    use tokio::time::{Duration, timeout};

    use super::*;

    async fn there(store: &Store, upto: u64) -> Vec<u64> {
        let mut there = Vec::new();
        for epoch in 1..=upto {
            if is_there(store, "live/a", epoch).await.unwrap() {
                there.push(epoch);
            }
        }
        there
    }

    async fn with_fences(store: &Store, upto: u64) {
        for epoch in 1..=upto {
            store.create(&path("live/a", epoch), vec!["{}".into()]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn of_all_fences_the_newest_two_stay() {
        let store = Store::open("memory://").unwrap();
        for epoch in 1..=2 {
            cleared(&store, "live/a", epoch).await.unwrap();
        }
        with_fences(&store, 30).await;
        cleared(&store, "live/a", 30).await.unwrap();
        assert_eq!(there(&store, 31).await, [29, 30]);
        cleared(&store, "live/a", 30).await.unwrap();
        assert_eq!(there(&store, 31).await, [29, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn whenever_it_is_broken_off_the_next_one_finds_what_is_left() {
        for requests in 0..30 {
            let faults = FaultStore::new(1, Odds::default());
            let store = Store::over(Arc::new(faults.clone()));
            with_fences(&store, 10).await;
            faults.crash_after(requests);
            let _ = timeout(Duration::from_secs(1), cleared(&store, "live/a", 10)).await;
            faults.crash_after(u64::MAX);
            store.create(&path("live/a", 11), vec!["{}".into()]).await.unwrap();
            cleared(&store, "live/a", 11).await.unwrap();
            assert_eq!(there(&store, 11).await, [10, 11], "after {requests} requests");
        }
    }
}
