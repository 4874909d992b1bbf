//! What is told of all listed segments together, kept up as they come and go: nobody walks a long list for it.

use std::collections::VecDeque;

use super::Segment;
use crate::time::Ticks;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Bytes.
    pub(super) size: u64,
    pub(super) duration: Ticks,
    /// Of how many it is known when they were captured.
    pub(super) captured: usize,
    /// Number and duration of each segment behind which all are shorter: the first is the longest there is.
    longest: VecDeque<(i64, Ticks)>,
}

impl Sums {
    /// With one more, behind all others.
    pub(super) fn with(mut self, segment: &Segment) -> Self {
        self.add(segment);
        self
    }

    /// Counts one in that comes behind all others.
    pub(super) fn add(&mut self, segment: &Segment) {
        self.size += segment.size;
        self.duration += segment.duration;
        self.captured += usize::from(segment.captured_at != 0);
        while self.longest.back().is_some_and(|&(_, duration)| duration <= segment.duration) {
            self.longest.pop_back();
        }
        self.longest.push_back((segment.number, segment.duration));
    }

    /// Leaves out the first that is counted.
    pub(super) fn remove(&mut self, segment: &Segment) {
        self.size -= segment.size;
        self.duration -= segment.duration;
        self.captured -= usize::from(segment.captured_at != 0);
        if self.longest.front().is_some_and(|&(number, _)| number == segment.number) {
            self.longest.pop_front();
        }
    }

    pub(super) fn longest(&self) -> Ticks {
        self.longest.front().map_or(0, |&(_, duration)| duration)
    }
}
