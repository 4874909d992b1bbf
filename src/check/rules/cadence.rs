//! How often there is something new (I-11).

use std::time::Duration;

use crate::check::{
    finding::{Check, Place},
    judge::Judge,
};

/// When a rendition had its last new segment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct Cadence {
    next_number: Option<u64>,
    /// `None` before the first change: how old the list was at first is not known.
    changed: Option<Duration>,
    told: bool,
}

impl Cadence {
    /// Judges a list that was here at `now`, with segments up to but without `next_number`. It may have been
    /// there for `unseen` already.
    pub(in crate::check) fn look(
        &mut self,
        judge: &mut Judge,
        now: Duration,
        next_number: u64,
        target: Duration,
        unseen: Duration,
    ) {
        let is_new = self.next_number.is_some_and(|known| next_number > known);
        if let Some(changed) = self.changed.filter(|_| is_new || !self.told) {
            let (gap, limit) = (now.saturating_sub(changed), target * 3 / 2 + unseen);
            if is_new || gap > limit {
                judge.holds(
                    Check::SegmentLate,
                    Place::segment(next_number),
                    gap <= limit || self.told,
                    || {
                        format!(
                            "no new segment for {:.2} s with a target duration of {} s",
                            gap.as_secs_f64(),
                            target.as_secs()
                        )
                    },
                );
                self.told = gap > limit;
            }
        }
        if is_new {
            (self.changed, self.told) = (Some(now), false);
        }
        self.next_number = self.next_number.max(Some(next_number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_may_be_late_by_half_a_target_duration() {
        let target = Duration::from_secs(2);
        // Milliseconds, the number behind the last segment, and how many findings there are by then.
        let looks = [
            (0, 5, 0),
            (1900, 6, 0),
            (3900, 7, 0),
            (6800, 8, 0),
            (10_000, 9, 1),
            (13_200, 9, 2),
            (14_000, 9, 2),
            (15_000, 10, 2),
            (17_000, 11, 2),
        ];
        let (mut cadence, mut found) = (Cadence::default(), 0);
        for (millis, next, expected) in looks {
            let mut judge = Judge::new("a", Duration::ZERO);
            cadence.look(&mut judge, Duration::from_millis(millis), next, target, Duration::from_millis(100));
            found += judge.found().len();
            assert_eq!(found, expected, "at {millis} ms");
        }
    }
}
