//! What a track has listed, for readers who want another stretch of it than its playlist has.

use std::{ops::RangeInclusive, sync::Arc};

use headwater_packager::window::{Segment, Window};

/// So many segments are shared by all listings that have them.
const BLOCK: usize = 64;

/// The complete segments that a track lists, oldest first. One follows from the one before: what stays is shared, so that
/// a long list costs no more for each segment than a short one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Full ones.
    blocks: Vec<Arc<[Segment]>>,
    /// What is not a full block yet.
    newest: Vec<Segment>,
    /// Number of the oldest that is still listed: blocks go when none of theirs is.
    first: i64,
}

impl Listing {
    /// What is listed after `self`, when the track has come as far as `window`.
    #[must_use]
    pub fn followed_by(&self, window: &Window) -> Self {
        let Some(first) = window.segments().front().map(|first| first.number) else { return Self::default() };
        let mut next =
            if self.last().is_some_and(|last| last >= first) { self.clone() } else { Self::default() };
        next.first = first;
        let last = next.last();
        let is_new = |segment: &&Segment| last.is_none_or(|last| segment.number > last);
        let fresh = window.segments().iter().rev().take_while(is_new).count();
        let known = window.segments().len() - fresh;
        window.segments().range(known..).for_each(|segment| next.push(segment));
        let is_gone = |block: &Arc<[Segment]>| block.last().is_none_or(|last| last.number < first);
        let gone = next.blocks.iter().take_while(|block| is_gone(block)).count();
        next.blocks.drain(..gone);
        next
    }

    fn push(&mut self, segment: &Segment) {
        // Parts are not asked for: a stretch is listed in whole segments.
        self.newest.push(Segment { parts: Vec::new(), ..segment.clone() });
        if self.newest.len() == BLOCK {
            self.blocks.push(std::mem::take(&mut self.newest).into());
        }
    }

    /// Number of the oldest segment.
    pub fn first(&self) -> Option<i64> {
        self.last().map(|_| self.first)
    }

    /// Number of the newest segment.
    pub fn last(&self) -> Option<i64> {
        let in_block = || self.blocks.last()?.last();
        self.newest.last().or_else(in_block).map(|last| last.number)
    }

    /// The segments with these numbers.
    pub fn segments(&self, numbers: RangeInclusive<i64>) -> impl Iterator<Item = &Segment> {
        let first = self.first.max(*numbers.start());
        let last = *numbers.end();
        let behind = self.blocks.partition_point(|block| block.last().is_none_or(|last| last.number < first));
        self.blocks[behind..]
            .iter()
            .flat_map(|block| block.iter())
            .chain(&self.newest)
            .skip_while(move |segment| segment.number < first)
            .take_while(move |segment| segment.number <= last)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_packager::{time::Timescale, window::Era};

    use super::*;

    fn segment(number: i64) -> Segment {
        let era = Arc::new(Era { first: 1, init: "init-ab.mp4".into(), sequence: 0 });
        Segment {
            number,
            start: number * 2000,
            duration: 2000,
            size: 1,
            parts: Vec::new(),
            era,
            captured_at: 0,
        }
    }

    fn numbers(listing: &Listing, range: RangeInclusive<i64>) -> Vec<i64> {
        listing.segments(range).map(|segment| segment.number).collect()
    }

    #[test]
    fn it_lists_what_the_window_lists_however_that_slides() {
        let mut window = Window::new(Duration::from_secs(400), Timescale::new(1000).unwrap());
        let mut listing = Listing::default();
        for number in 1000..2000 {
            window.push(segment(number));
            // Now and then it is not looked at.
            if number % 7 == 0 {
                continue;
            }
            listing = listing.followed_by(&window);
            let listed: Vec<i64> = window.segments().iter().map(|segment| segment.number).collect();
            assert_eq!(numbers(&listing, 0..=i64::MAX), listed);
            assert_eq!((listing.first(), listing.last()), (listed.first().copied(), Some(number)));
        }
        assert_eq!(numbers(&listing, 1900..=1902), [1900, 1901, 1902]);
        assert_eq!(numbers(&listing, 0..=1799), [] as [i64; 0]);
        assert_eq!(numbers(&listing, 2000..=3000), [] as [i64; 0]);
        assert!(listing.blocks.len() <= 5, "{} blocks", listing.blocks.len());
    }

    #[test]
    fn a_window_that_begins_anew_behind_a_hole_leaves_nothing_of_the_old_one() {
        let mut window = Window::new(Duration::from_secs(400), Timescale::new(1000).unwrap());
        (1..=100).for_each(|number| drop(window.push(segment(number))));
        let listing = Listing::default().followed_by(&window);
        window.push(segment(200));
        let listing = listing.followed_by(&window);
        assert_eq!(numbers(&listing, 0..=i64::MAX), [200]);
        assert_eq!(
            Listing::default().followed_by(&Window::new(Duration::ZERO, window.timescale())).first(),
            None
        );
    }
}
