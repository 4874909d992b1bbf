//! The body of a large object, which is read from the store block by block while it is sent.

use std::{
    fmt,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};

use super::Aborted;
use crate::store::{Blocks, Error};

/// What is still to be sent of it.
pub(super) struct Reading {
    blocks: Option<Box<Blocks>>,
    first: u64,
    pub(super) remaining: u64,
    /// From when it is first wanted: of what answers HEAD or 304 nothing is read.
    pieces: Option<BoxStream<'static, Result<Bytes, Error>>>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({} from {})", self.remaining, self.first)
    }
}

impl Reading {
    pub(super) fn new(blocks: Box<Blocks>) -> Self {
        let remaining = blocks.length();
        Self { blocks: Some(blocks), first: 0, remaining, pieces: None }
    }

    pub(super) fn slice(self, first: u64, length: u64) -> Self {
        let remaining = length.min(self.remaining.saturating_sub(first));
        Self { first: self.first + first, remaining, ..self }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        if let Some(blocks) = self.blocks.take() {
            self.pieces = Some(blocks.read(self.first, self.remaining));
        }
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        let piece = ready!(pieces.poll_next_unpin(cx));
        Poll::Ready(match piece {
            Some(Ok(piece)) => {
                self.remaining = self.remaining.saturating_sub(piece.len() as u64);
                Some(Ok(piece))
            }
            Some(Err(reason)) => {
                tracing::info!(%reason, missing = self.remaining, "an answer is cut off");
                self.pieces = None;
                Some(Err(Aborted))
            }
            None => None,
        })
    }
}
