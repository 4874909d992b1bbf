//! Holding a request until what it asks for is there.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::{
    ahead::Outlook,
    error::HttpError,
    refusal::Refusal,
    waiters::{Waiters, Waiting},
};
use crate::{channel::edge::TrackEdge, metrics::Held};

/// A request is held for this many target durations at most (rfc8216bis 6.2.5.2).
pub(super) const HOLD: u32 = 3;

/// A track's snapshots.
pub type Track = watch::Receiver<Arc<TrackEdge>>;

/// What it needs to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience<'a> {
    /// Where it is counted.
    pub waiters: &'a Waiters,
    /// The connection that it came on.
    pub connection: &'a Waiting,
    /// How long is waited at most.
    pub duration: Duration,
    /// What waits, for who measures it: channel, track and kind of response.
    pub what: (&'a str, &'a str, &'static str),
}

/// Something that was found, and, if it was waited for, since when it is there.
#[derive(Debug)]
pub struct Found<T> {
    /// What was found.
    pub found: T,
    /// Set if it was waited for.
    pub held: Option<Held>,
}

impl<T> Found<T> {
    fn at_once(found: T) -> Self {
        Self { found, held: None }
    }

    fn after(found: T, track: &TrackEdge, patience: &Patience<'_>) -> Self {
        let (channel, name, response) = patience.what;
        let held = track.published_at.map(|published_at| Held {
            published_at,
            first_byte: patience.waiters.metrics().first_byte(channel, name, response),
        });
        Self { found, held }
    }
}

/// Asks `outlook` of every snapshot until it is decided. No lock is held meanwhile, and dropping the future leaves nothing
/// behind.
///
/// # Errors
/// Those of `outlook`; [`Refusal::TooManyWaiters`]; [`Refusal::WaitedTooLong`] when time is over or the track ceases to be.
pub async fn hold<T>(
    track: &mut Track,
    patience: Patience<'_>,
    outlook: impl Fn(&TrackEdge) -> Outlook<T>,
) -> Result<Found<T>, HttpError> {
    if let Some(decided) = decided(outlook(&track.borrow_and_update())) {
        return decided.map(Found::at_once);
    }
    let _waiter = patience.waiters.enter(patience.connection)?;
    let comes = async {
        while track.changed().await.is_ok() {
            let snapshot = track.borrow_and_update().clone();
            if let Some(decided) = decided(outlook(&snapshot)) {
                return decided.map(|found| Found::after(found, &snapshot, &patience));
            }
        }
        Err(Refusal::WaitedTooLong.into())
    };
    timeout(patience.duration, comes).await.unwrap_or_else(|_| Err(Refusal::WaitedTooLong.into()))
}

fn decided<T>(outlook: Outlook<T>) -> Option<Result<T, HttpError>> {
    match outlook {
        Outlook::Now(found) => Some(Ok(found)),
        Outlook::No(refused) => Some(Err(refused)),
        Outlook::Soon => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics, origin::waiters::Limits};

    fn outlook(track: &TrackEdge) -> Outlook<i64> {
        match track.stored.as_ref().map(|stored| *stored.end()) {
            Some(9) => Outlook::No(Refusal::UnknownSegment.into()),
            Some(number) => Outlook::Now(number),
            None => Outlook::Soon,
        }
    }

    fn edge(number: i64) -> Arc<TrackEdge> {
        Arc::new(TrackEdge { stored: Some(0..=number), ..TrackEdge::default() })
    }

    async fn held(mut track: Track, waiters: &Waiters) -> Result<i64, Refusal> {
        let patience = Patience {
            waiters,
            connection: &Waiting::default(),
            duration: Duration::from_secs(6),
            what: ("demo", "720p", "part"),
        };
        hold(&mut track, patience, outlook).await.map(|found| found.found).map_err(|error| error.cause)
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_request_is_answered_by_the_snapshot_that_decides_it() {
        let waiters = Waiters::new(Limits { all: 10, of_connection: 10 }, metrics::Waiting::default());
        for (number, answer) in [(7, Ok(7)), (9, Err(Refusal::UnknownSegment))] {
            let (publish, track) = watch::channel(Arc::new(TrackEdge::default()));
            let request = held(track, &waiters);
            let publisher = async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                assert_eq!(waiters.count(), 1);
                publish.send_replace(Arc::new(TrackEdge::default()));
                tokio::task::yield_now().await;
                publish.send_replace(edge(number));
            };
            assert_eq!(tokio::join!(request, publisher).0, answer);
            assert_eq!(waiters.count(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_held_for_three_target_durations_and_not_longer() {
        let waiters = Waiters::new(Limits { all: 10, of_connection: 10 }, metrics::Waiting::default());
        let (publish, track) = watch::channel(Arc::new(TrackEdge::default()));
        let began = tokio::time::Instant::now();
        let request = held(track, &waiters);
        let publisher = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                publish.send_replace(Arc::new(TrackEdge::default()));
            }
        };
        tokio::pin!(publisher);
        tokio::select! {
            answer = request => assert_eq!(answer, Err(Refusal::WaitedTooLong)),
            () = &mut publisher => panic!("it is held for too long"),
        }
        assert_eq!(began.elapsed(), Duration::from_secs(6));
        assert_eq!(waiters.count(), 0);
    }

    #[tokio::test]
    async fn a_request_that_need_not_wait_takes_no_place_and_one_that_must_finds_none() {
        let waiters = Waiters::new(Limits { all: 0, of_connection: 0 }, metrics::Waiting::default());
        assert_eq!(held(watch::channel(edge(3)).1, &waiters).await, Ok(3));
        let (_publish, track) = watch::channel(Arc::new(TrackEdge::default()));
        assert_eq!(held(track, &waiters).await, Err(Refusal::TooManyWaiters));
    }

    #[tokio::test]
    async fn a_track_that_ceases_to_be_sends_its_waiters_away() {
        let waiters = Waiters::new(Limits { all: 1, of_connection: 1 }, metrics::Waiting::default());
        let (publish, track) = watch::channel(Arc::new(TrackEdge::default()));
        drop(publish);
        assert_eq!(held(track, &waiters).await, Err(Refusal::WaitedTooLong));
    }
}
