//! Media playlists in pieces: what has come to rest is rendered once, and shared from one version of a list to the next.

mod block;

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use self::block::{BLOCK, Block, block_of};
use super::media::{Media, entries, head, tail};

/// A media playlist in pieces.
#[derive(Clone, Debug)]
pub struct List {
    /// Its beginning: the same object as in the version before, if nothing of it has changed.
    pub past: Arc<Past>,
    /// What changes with every part.
    pub rest: Bytes,
}

/// The beginning of a list, up to the first segment that is listed with parts. Where it is cut follows from the numbers of
/// its segments alone.
#[derive(Debug)]
pub struct Past {
    opening: Bytes,
    blocks: VecDeque<Arc<Block>>,
    closing: Bytes,
    of: Extent,
}

/// What a beginning says, besides the lines of its segments.
#[derive(Debug, PartialEq, Eq)]
struct Extent {
    head: String,
    /// Number of its first segment, and of the first that it does not list.
    first: i64,
    end: i64,
}

/// A media playlist as [`media`](super::media()) has it, in pieces. Of `before`, the version of the same list that was made
/// last, all that still holds is taken over.
pub fn list(media: &Media<'_>, before: Option<&Arc<Past>>) -> List {
    let count = media.past();
    let named = (count == 0).then_some(0);
    let mut rest = String::with_capacity(2048);
    entries(&mut rest, media, count..media.window.segments().len(), named);
    tail(&mut rest, media);
    List { past: Past::after(before, media, count), rest: rest.into() }
}

impl Past {
    /// That of a list whose first `count` segments have come to rest.
    fn after(before: Option<&Arc<Self>>, media: &Media<'_>, count: usize) -> Arc<Self> {
        let first = media.window.media_sequence();
        let mut text = String::new();
        head(&mut text, media);
        let of = Extent { head: text, first, end: first + count as i64 };
        if let Some(same) = before.filter(|before| before.of == of) {
            return same.clone();
        }
        let blocks = before.map(|before| before.blocks.clone()).unwrap_or_default();
        Arc::new(Self::new(media, blocks, of))
    }

    fn new(media: &Media<'_>, blocks: VecDeque<Arc<Block>>, of: Extent) -> Self {
        // What the first segment says, it says as the first only.
        let lined = of.first + 1..of.end;
        let blocks = block::reaching(blocks, media, lined.clone());
        // Where the first block begins that is listed as a whole, and where the last of them ends.
        let border = (block_of(of.first) + 1) * BLOCK;
        let last = block_of(of.end) * BLOCK;
        let mut opening = of.head.clone();
        entries(&mut opening, media, 0..usize::from(of.first < of.end), Some(0));
        let mut opening = opening.into_bytes();
        let lines = |block: i64, numbers| {
            let block = blocks.iter().find(|each| each.number == block)?;
            Some(block.lines(numbers))
        };
        opening.extend(lines(border - BLOCK, of.first + 1..of.end.min(border)).unwrap_or_default());
        let ragged = (last >= border).then(|| lines(last, last..of.end)).flatten();
        let closing = ragged.unwrap_or_default();
        Self { opening: opening.into(), blocks, closing, of }
    }

    /// Its pieces, in order. Those in the middle are blocks, which stay as long as all their segments are listed.
    pub fn pieces(&self) -> impl Iterator<Item = Bytes> {
        let (first, end) = (self.of.first, self.of.end);
        let is_whole = move |block: &&Arc<Block>| block.number > first && block.number + BLOCK <= end;
        let blocks = self.blocks.iter().filter(is_whole).map(|block| block.text().clone());
        [self.opening.clone()].into_iter().chain(blocks).chain([self.closing.clone()])
    }
}

impl List {
    /// All its pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Bytes> {
        self.past.pieces().chain([self.rest.clone()])
    }

    /// All its text in one.
    pub fn joined(&self) -> Bytes {
        self.pieces().collect::<Vec<_>>().concat().into()
    }
}
