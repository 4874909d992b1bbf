//! Lines of segments, rendered once, in blocks.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use bytes::Bytes;

use crate::{
    hls::media::{Media, entries},
    time::Ticks,
    window::Window,
};

/// Segments in a block. Blocks are counted from number 0, so that any two origins have the same ones. They are this short
/// because what lies in no whole block is looked at with every segment, and this long because it is one piece of a body.
pub(super) const BLOCK: i64 = 64;

/// In which block a segment is.
pub(super) fn block_of(number: i64) -> i64 {
    number.div_euclid(BLOCK)
}

/// The lines of segments that follow each other, as they are behind the first of a list.
#[derive(Debug)]
pub(super) struct Block {
    /// Number of the first segment that it has room for.
    pub(super) number: i64,
    /// Number of the first that it has.
    from: i64,
    text: Bytes,
    /// Where the lines of each segment end.
    ends: Vec<usize>,
    /// Where the last of them ends in time: another window is recognised by it.
    until: Ticks,
}

impl Block {
    /// `begun`, or one that begins here, with the segments of these numbers too.
    fn extended(begun: Option<Arc<Self>>, media: &Media<'_>, numbers: Range<i64>) -> Self {
        let (from, mut text, mut ends) = match &begun {
            Some(begun) => (begun.from, text_of(&begun.text), begun.ends.clone()),
            None => (numbers.start, String::with_capacity(96 * BLOCK as usize), Vec::new()),
        };
        let first = media.window.media_sequence();
        for number in numbers.clone() {
            let position = (number - first) as usize;
            entries(&mut text, media, position..position + 1, None);
            ends.push(text.len());
        }
        let last = media.window.numbered(numbers.end - 1..numbers.end).next();
        let until = last.map_or(0, |last| last.end());
        Self { number: block_of(from) * BLOCK, from, text: text.into(), ends, until }
    }

    /// Number of the segment that comes next.
    fn end(&self) -> i64 {
        self.from + self.ends.len() as i64
    }

    /// True if its last segment is one of `window`.
    fn is_of(&self, window: &Window) -> bool {
        let last = window.numbered(self.end() - 1..self.end()).next();
        last.is_some_and(|last| last.end() == self.until)
    }

    /// All its lines.
    pub(super) fn text(&self) -> &Bytes {
        &self.text
    }

    /// The lines of the segments of these numbers.
    pub(super) fn lines(&self, numbers: Range<i64>) -> Bytes {
        let begin = self.before(numbers.start);
        self.text.slice(begin..self.before(numbers.end).max(begin))
    }

    /// Where the lines begin that are not of segments before `number`.
    fn before(&self, number: i64) -> usize {
        let count = usize::try_from(number - self.from).unwrap_or(0).min(self.ends.len());
        count.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

fn text_of(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `blocks` of an earlier version of a list, without those that left it and with the segments of these numbers.
pub(super) fn reaching(
    mut blocks: VecDeque<Arc<Block>>,
    media: &Media<'_>,
    numbers: Range<i64>,
) -> VecDeque<Arc<Block>> {
    blocks.retain(|block| block.number + BLOCK > numbers.start);
    let has_gap = blocks.front().is_some_and(|first| first.from > numbers.start);
    if has_gap || blocks.back().is_some_and(|last| !last.is_of(media.window)) {
        blocks.clear();
    }
    let mut next = blocks.back().map_or(numbers.start, |last| last.end());
    while next < numbers.end {
        let number = block_of(next) * BLOCK;
        let end = numbers.end.min(number + BLOCK);
        let has_begun = blocks.back().is_some_and(|last| last.number == number);
        let begun = if has_begun { blocks.pop_back() } else { None };
        blocks.push_back(Arc::new(Block::extended(begun, media, next..end)));
        next = end;
    }
    blocks
}
