//! The body of a segment that is still being made: what there is at once, and the rest as it comes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::HeaderValue;
use thiserror::Error;
use tokio::{sync::watch, time::timeout};

use crate::{
    channel::edge::{Segment, TrackEdge},
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
    /// Entity tags of the chunks that were sent.
    sent: Vec<HeaderValue>,
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
    let progress = Progress { track, number, sent: Vec::new(), patience, first_byte, _waiter: waiter };
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
            if !self.is_of(segment) {
                return Err(Aborted);
            }
            if let Some(chunk) = segment.chunks.get(self.sent.len()) {
                self.sent.push(chunk.etag.clone());
                if let Some(published_at) = track.published_at.filter(|_| waited) {
                    Held { published_at, first_byte: self.first_byte.clone() }.sent(clock::now());
                }
                return Ok(chunk.chunks.first().cloned());
            }
            if segment.settled {
                // What was told without chunks is not what was begun, and no empty body is all of it.
                return if self.sent.is_empty() { Err(Aborted) } else { Ok(None) };
            }
            drop(track);
            waited = true;
            match timeout(self.patience, self.track.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Aborted),
            }
        }
    }

    /// True if all that was sent is the beginning of `segment`. On a node another packager may have gone on with the channel, or
    /// the same one after a restart, and has made another segment of the name. All chunks count, and not the last alone: that may
    /// be the filler in both.
    fn is_of(&self, segment: &Segment) -> bool {
        let chunks = segment.chunks.iter().map(|chunk| &chunk.etag);
        chunks.take(self.sent.len()).eq(&self.sent)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::{
        channel::edge::Body,
        metrics,
        origin::waiters::{Limits, Waiters, Waiting},
    };

    const NUMBER: i64 = 7;

    /// A segment of these chunks, that is open, complete, or complete and durable.
    fn picture(chunks: &[&'static str], is_complete: bool, settled: bool) -> Arc<TrackEdge> {
        let body = |chunks: &[&'static str]| {
            Arc::new(Body::new(chunks.iter().map(|chunk| Bytes::from_static(chunk.as_bytes())).collect()))
        };
        let whole = is_complete.then(|| body(chunks));
        let chunks = chunks.iter().map(|chunk| body(&[chunk])).collect();
        let segment = Segment { chunks, has_parts: false, whole, settled };
        let segments = [(NUMBER, Arc::new(segment))].into();
        Arc::new(TrackEdge { segments, ..TrackEdge::default() })
    }

    /// What is sent to who reads while one picture follows the other, and how that ends; `None` if it goes on.
    fn read(pictures: &[Arc<TrackEdge>]) -> (String, Option<Result<(), Aborted>>) {
        let (publish, track) = watch::channel(pictures[0].clone());
        let waiters = Waiters::new(Limits { all: 1, of_connection: 1 }, metrics::Waiting::default());
        let waiter = waiters.enter(&Waiting::default()).unwrap();
        let first_byte = waiters.metrics().first_byte("demo", "720p", "segment");
        let mut body = growing(track, NUMBER, Duration::from_secs(6), first_byte, waiter);
        let mut sent = String::new();
        for picture in pictures {
            publish.send_replace(picture.clone());
            while let Some(piece) = body.next().now_or_never() {
                match piece {
                    Some(Ok(piece)) => sent.push_str(std::str::from_utf8(&piece).unwrap()),
                    Some(Err(aborted)) => return (sent, Some(Err(aborted))),
                    None => return (sent, Some(Ok(()))),
                }
            }
        }
        (sent, None)
    }

    #[tokio::test]
    async fn a_segment_is_sent_chunk_by_chunk_and_its_end_when_it_is_durable() {
        let open = picture(&["ab", "c"], false, false);
        assert_eq!(read(std::slice::from_ref(&open)), ("abc".into(), None));
        let closed = picture(&["ab", "c", "de"], true, false);
        assert_eq!(read(&[open.clone(), closed.clone()]), ("abcde".into(), None));
        let settled = picture(&["ab", "c", "de"], true, true);
        assert_eq!(read(&[open, closed, settled]), ("abcde".into(), Some(Ok(()))), "told by whomever");
    }

    #[tokio::test]
    async fn a_segment_that_another_has_made_under_the_same_name_does_not_go_on_with_it() {
        let open = picture(&["ab", "slate"], false, false);
        let broken_off = ("abslate".to_owned(), Some(Err(Aborted)));
        for chunks in [&["xy", "black", "z"][..], &["xy", "slate", "z"], &["xy"], &[]] {
            for settled in [false, true] {
                let other = picture(chunks, settled, settled);
                assert_eq!(read(&[open.clone(), other]), broken_off, "in the middle: {chunks:?}");
            }
        }
        let closed = picture(&["ab", "slate"], true, false);
        for chunks in [&["xy", "black"][..], &["xy", "slate"], &[]] {
            let other = picture(chunks, true, true);
            assert_eq!(read(&[closed.clone(), other]), broken_off, "at the end: {chunks:?}");
        }
    }

    #[tokio::test]
    async fn a_segment_of_which_nothing_is_sent_yet_may_become_another_but_never_an_empty_one() {
        let (none, other) = (picture(&[], false, false), picture(&["xy", "z"], true, true));
        assert_eq!(read(&[none.clone(), other]), ("xyz".into(), Some(Ok(()))));
        let without_chunks = picture(&[], true, true);
        assert_eq!(read(&[none, without_chunks]), (String::new(), Some(Err(Aborted))));
    }
}
