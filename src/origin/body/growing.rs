//! The body of a segment that is still being made: what there is at once, and the rest as it comes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use thiserror::Error;
use tokio::{sync::watch, time::timeout};

use crate::{channel::edge::TrackEdge, origin::waiters::Waiter};

/// The body could not be completed; the connection, or the stream of an HTTP/2 connection, ends for it, so that nobody
/// takes what was sent for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the segment was not completed")]
pub struct Aborted;

struct Progress {
    track: watch::Receiver<Arc<TrackEdge>>,
    number: i64,
    next: usize,
    patience: Duration,
    _waiter: Waiter,
}

/// Segment `number` of `track`, chunk by chunk, until it is complete and durable. `patience` is how long one chunk is
/// waited for.
pub fn growing(
    track: watch::Receiver<Arc<TrackEdge>>,
    number: i64,
    patience: Duration,
    waiter: Waiter,
) -> BoxStream<'static, Result<Bytes, Aborted>> {
    let progress = Progress { track, number, next: 0, patience, _waiter: waiter };
    let pieces = stream::unfold(Some(progress), |progress| async {
        let mut progress = progress?;
        match progress.advance().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(progress))),
            Ok(None) => None,
            Err(aborted) => Some((Err(aborted), None)),
        }
    });
    pieces.boxed()
}

impl Progress {
    /// The next chunk; `None` when that was all.
    async fn advance(&mut self) -> Result<Option<Bytes>, Aborted> {
        loop {
            let segment = self.track.borrow_and_update().segments.get(&self.number).cloned();
            let segment = segment.ok_or(Aborted)?;
            if let Some(chunk) = segment.chunks.get(self.next) {
                self.next += 1;
                return Ok(chunk.chunks.first().cloned());
            }
            if segment.settled {
                return Ok(None);
            }
            match timeout(self.patience, self.track.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Aborted),
            }
        }
    }
}
