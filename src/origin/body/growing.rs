//! The body of a segment that is still being made: what there is at once, and the rest as it comes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use thiserror::Error;
use tokio::{sync::watch, time::timeout};

use crate::{
    channel::edge::TrackEdge,
    clock,
    metrics::{Held, Histogram},
    origin::waiters::Waiter,
};

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
    /// Where it is counted how long chunks that are waited for take to be sent.
    first_byte: Histogram,
    _waiter: Waiter,
}

/// Segment `number` of `track`, chunk by chunk, until it is complete and durable. `patience` is how long one chunk is
/// waited for.
pub fn growing(
    track: watch::Receiver<Arc<TrackEdge>>,
    number: i64,
    patience: Duration,
    first_byte: Histogram,
    waiter: Waiter,
) -> BoxStream<'static, Result<Bytes, Aborted>> {
    let progress = Progress { track, number, next: 0, patience, first_byte, _waiter: waiter };
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
        let mut waited = false;
        loop {
            let track = self.track.borrow_and_update().clone();
            let segment = track.segments.get(&self.number).ok_or(Aborted)?;
            if let Some(chunk) = segment.chunks.get(self.next) {
                self.next += 1;
                if let Some(published_at) = track.published_at.filter(|_| waited) {
                    Held { published_at, first_byte: self.first_byte.clone() }.sent(clock::now());
                }
                return Ok(chunk.chunks.first().cloned());
            }
            if segment.settled {
                return Ok(None);
            }
            drop(track);
            waited = true;
            match timeout(self.patience, self.track.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Aborted),
            }
        }
    }
}
