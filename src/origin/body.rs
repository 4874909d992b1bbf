//! Response bodies: shared bytes, handed to the connection piece by piece and never copied.

mod growing;
mod stored;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use http_body::{Frame, SizeHint};

pub use self::growing::{Aborted, growing};
use self::stored::Reading;
use crate::{channel::edge, store::Blocks};

/// A body on its way.
#[derive(Debug)]
pub struct Body(Source);

enum Source {
    /// Its length is known before it is sent.
    Known(Known),
    /// It is read from the store while it is sent.
    Stored(Reading),
    /// It ends when it ends.
    Growing(BoxStream<'static, Result<Bytes, Aborted>>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(f),
            Self::Stored(reading) => reading.fmt(f),
            Self::Growing(_) => f.write_str("Growing"),
        }
    }
}

#[derive(Debug)]
struct Known {
    pieces: Pieces,
    /// Index of the next piece.
    next: usize,
    /// Bytes to pass over first.
    skip: u64,
    /// Bytes still to be sent.
    remaining: u64,
}

#[derive(Debug)]
enum Pieces {
    One(Bytes),
    Chunks(Arc<edge::Body>),
    /// A list that is too long to be copied together.
    Long(Arc<edge::Document>),
}

impl Pieces {
    fn get(&self, index: usize) -> Option<&Bytes> {
        match self {
            Self::One(bytes) => (index == 0).then_some(bytes),
            Self::Chunks(body) => body.chunks.get(index),
            Self::Long(document) => document.piece(index),
        }
    }
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// A body that is made while it is sent.
    pub fn growing(pieces: BoxStream<'static, Result<Bytes, Aborted>>) -> Self {
        Self(Source::Growing(pieces))
    }

    fn known(pieces: Pieces, length: u64) -> Self {
        Self(Source::Known(Known { pieces, next: 0, skip: 0, remaining: length }))
    }

    /// Length in bytes of what is still to be sent, where it is known.
    pub fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Source::Known(known) => Some(known.remaining),
            Source::Stored(reading) => Some(reading.remaining),
            Source::Growing(_) => None,
        }
    }

    /// `length` bytes from the byte at `first`, both of which lie within the body. One that grows stays as it is.
    pub fn slice(self, first: u64, length: u64) -> Self {
        match self.0 {
            Source::Known(known) => Self(Source::Known(Known {
                skip: known.skip + first,
                remaining: length.min(known.remaining.saturating_sub(first)),
                ..known
            })),
            Source::Stored(reading) => Self(Source::Stored(reading.slice(first, length))),
            growing @ Source::Growing(_) => Self(growing),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self::known(Pieces::One(bytes), length)
    }
}

impl From<Box<Blocks>> for Body {
    fn from(blocks: Box<Blocks>) -> Self {
        Self(Source::Stored(Reading::new(blocks)))
    }
}

impl From<Arc<edge::Body>> for Body {
    fn from(body: Arc<edge::Body>) -> Self {
        let length = body.length;
        Self::known(Pieces::Chunks(body), length)
    }
}

impl From<Arc<edge::Document>> for Body {
    fn from(document: Arc<edge::Document>) -> Self {
        match (document.piece(0), document.piece(1)) {
            (Some(whole), None) => Self::from(whole.clone()),
            _ => {
                let length = document.length() as u64;
                Self::known(Pieces::Long(document), length)
            }
        }
    }
}

impl Iterator for Known {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.remaining > 0 {
            let piece = self.pieces.get(self.next)?;
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
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut self.0 {
            Source::Known(known) => Poll::Ready(known.next().map(|piece| Ok(Frame::data(piece)))),
            Source::Stored(reading) => {
                reading.poll(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
            Source::Growing(pieces) => {
                pieces.poll_next_unpin(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_packager::{
        hls,
        time::Timescale,
        window::{Era, Segment, Window},
    };

    use super::*;

    fn known(body: Body) -> Known {
        let Source::Known(known) = body.0 else { panic!("its length is known") };
        known
    }

    #[test]
    fn every_slice_of_a_chunked_body_is_that_slice() {
        let chunks: Vec<Bytes> = ["ab", "", "cdef", "g"].map(Bytes::from).to_vec();
        let whole = b"abcdefg";
        let shared = Arc::new(edge::Body::new(chunks));
        for first in 0..=7 {
            for length in 0..=(7 - first) {
                let body = Body::from(shared.clone()).slice(first as u64, length as u64);
                let sent: Vec<u8> = known(body).flatten().collect();
                assert_eq!(sent, whole[first..first + length]);
            }
        }
    }

    /// A media playlist of two thousand segments.
    fn long_list() -> Arc<edge::Document> {
        let era = Arc::new(Era { first: 1, init: "init-a.mp4".into(), sequence: 0 });
        let mut window = Window::new(Duration::from_secs(4000), Timescale::new(1000).unwrap());
        for number in 1..2000 {
            let (start, duration, parts) = (number * 2000, 2000, Vec::new());
            window.push(Segment {
                number,
                start,
                duration,
                size: 1,
                parts,
                era: era.clone(),
                captured_at: 0,
            });
        }
        let kind = hls::Kind::Live;
        let media = hls::Media { window: &window, target_duration: 2, kind, low_latency: None };
        Arc::new(edge::Document::list(&hls::list(&media, None), None))
    }

    #[test]
    fn every_range_of_a_long_list_is_that_range() {
        let document = long_list();
        let whole = document.body();
        assert!(document.piece(1).is_some() && whole.ends_with(b"1999.m4s\n"));
        for first in (0..whole.len()).step_by(4999) {
            for length in [0, 1, 5000, 60_000].map(|length: usize| length.min(whole.len() - first)) {
                let body = Body::from(document.clone()).slice(first as u64, length as u64);
                let sent: Vec<u8> = known(body).flatten().collect();
                assert!(sent == whole[first..first + length], "{length} from {first}");
            }
        }
        let body = known(Body::from(document.clone()));
        assert!(body.remaining == whole.len() as u64 && body.flatten().eq(whole));
    }

    #[test]
    fn pieces_are_shared_and_not_copied() {
        let shared = Arc::new(edge::Body::new(vec![Bytes::from(vec![7; 100])]));
        let sent = known(Body::from(shared.clone()).slice(10, 20)).next().unwrap();
        assert_eq!(sent.as_ptr(), shared.chunks[0][10..].as_ptr());
    }
}
