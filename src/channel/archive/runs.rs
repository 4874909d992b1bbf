//! A set of numbers that mostly follow one another.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// First and last of each run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Runs(Vec<(i64, i64)>);

impl Runs {
    /// Adds one that lies behind all others.
    pub(super) fn push(&mut self, number: i64) {
        match self.0.last_mut() {
            Some((_, last)) if number <= *last => {}
            Some((_, last)) if number == *last + 1 => *last = number,
            _ => self.0.push((number, number)),
        }
    }

    /// Removes the first.
    pub(super) fn pop(&mut self) -> Option<i64> {
        let (first, last) = self.0.first_mut()?;
        let popped = *first;
        *first += 1;
        if *first > *last {
            self.0.remove(0);
        }
        Some(popped)
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last.abs_diff(*first) + 1).sum()
    }

    pub(super) fn first(&self) -> Option<i64> {
        self.0.first().map(|(first, _)| *first)
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.0.last().map(|(_, last)| *last)
    }

    /// Those within a range, in order.
    pub(super) fn within(&self, range: RangeInclusive<i64>) -> impl Iterator<Item = i64> {
        let (from, to) = range.into_inner();
        self.0.iter().flat_map(move |(first, last)| from.max(*first)..=to.min(*last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_one_run_and_goes_from_the_front() {
        let mut runs = Runs::default();
        [3, 4, 5, 9, 9].into_iter().for_each(|number| runs.push(number));
        assert_eq!(runs, Runs(vec![(3, 5), (9, 9)]));
        assert_eq!(runs.within(4..=20).collect::<Vec<_>>(), [4, 5, 9]);
        assert_eq!(runs.within(6..=8).count(), 0);
        assert_eq!((runs.first(), runs.last(), runs.count()), (Some(3), Some(9), 4));
        let popped: Vec<i64> = std::iter::from_fn(|| runs.pop()).collect();
        assert_eq!(popped, [3, 4, 5, 9]);
    }
}
