//! Response bodies: shared bytes, handed to the connection piece by piece and never copied.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::channel::edge;

/// A body whose length is known before it is sent.
#[derive(Debug)]
pub struct Body {
    source: Source,
    /// Index of the next piece of the source.
    next: usize,
    /// Bytes of the source to pass over first.
    skip: u64,
    /// Bytes still to be sent.
    remaining: u64,
}

#[derive(Debug)]
enum Source {
    One(Bytes),
    Chunks(Arc<edge::Body>),
}

impl Source {
    fn piece(&self, index: usize) -> Option<&Bytes> {
        match self {
            Self::One(bytes) => (index == 0).then_some(bytes),
            Self::Chunks(body) => body.chunks.get(index),
        }
    }
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// Length in bytes of what is still to be sent.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// `length` bytes from the byte at `first`, both of which lie within the body.
    pub fn slice(self, first: u64, length: u64) -> Self {
        Self { skip: self.skip + first, remaining: length.min(self.remaining.saturating_sub(first)), ..self }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { remaining: bytes.len() as u64, source: Source::One(bytes), next: 0, skip: 0 }
    }
}

impl From<Arc<edge::Body>> for Body {
    fn from(body: Arc<edge::Body>) -> Self {
        Self { remaining: body.length, source: Source::Chunks(body), next: 0, skip: 0 }
    }
}

impl Iterator for Body {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.remaining > 0 {
            let piece = self.source.piece(self.next)?;
            self.next += 1;
            let length = piece.len() as u64;
            if self.skip >= length {
                self.skip -= length;
                continue;
            }
            let start = std::mem::take(&mut self.skip);
            let end = length.min(start + self.remaining);
            self.remaining -= end - start;
            return Some(piece.slice(start as usize..end as usize));
        }
        None
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slice_of_a_chunked_body_is_that_slice() {
        let chunks: Vec<Bytes> = ["ab", "", "cdef", "g"].map(Bytes::from).to_vec();
        let whole = b"abcdefg";
        let shared = Arc::new(edge::Body::new(chunks));
        for first in 0..=7 {
            for length in 0..=(7 - first) {
                let body = Body::from(shared.clone()).slice(first as u64, length as u64);
                let sent: Vec<u8> = body.flatten().collect();
                assert_eq!(sent, whole[first..first + length]);
            }
        }
    }

    #[test]
    fn pieces_are_shared_and_not_copied() {
        let shared = Arc::new(edge::Body::new(vec![Bytes::from(vec![7; 100])]));
        let sent = Body::from(shared.clone()).slice(10, 20).next().unwrap();
        assert_eq!(sent.as_ptr(), shared.chunks[0][10..].as_ptr());
    }
}
