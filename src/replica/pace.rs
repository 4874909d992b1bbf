//! When to look at a record that is written anew with each segment: shortly before the next one is due, often until it is
//! there and complete, and less and less often when nothing comes. Pure.

use std::time::{Duration, Instant};

/// How often in a segment it is looked while something is expected, and what that may come to.
const STEPS: u32 = 16;
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(250);
/// Nobody waits longer than this to see a channel come back, however long its segments are.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a look has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A record that has more; `level` if all tracks have come equally far.
    More {
        /// Nothing else is due before the next segment.
        level: bool,
    },
    /// Nothing.
    Nothing,
    /// The store did not answer.
    Failure,
}

/// Learns when records come.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    segment: Duration,
    step: Duration,
    /// When the first record of the newest segment was seen.
    began: Instant,
    /// The tracks that are late have followed.
    level: bool,
    /// How many segments in a row have come, up to two. The first may have been there for long.
    seen: u32,
    /// Looks in vain since then.
    vain: u32,
}

impl Pace {
    /// For segments that are so long.
    pub(super) fn new(segment: Duration, now: Instant) -> Self {
        let step = (segment / STEPS).clamp(SHORTEST, LONGEST);
        Self { segment, step, began: now, level: true, seen: 0, vain: 0 }
    }

    /// How long to wait before the next look.
    pub(super) fn next(&mut self, heard: Heard, now: Instant) -> Duration {
        match heard {
            Heard::More { level } => {
                if self.level || now - self.began > self.segment / 2 {
                    self.seen = if self.is_overdue(now) { 1 } else { (self.seen + 1).min(2) };
                    self.began = now;
                }
                (self.level, self.vain) = (level, 0);
            }
            Heard::Nothing | Heard::Failure => self.vain += 1,
        }
        let since = now - self.began;
        // A track that is half a segment late comes with the next one.
        self.level |= since > self.segment / 2;
        // A little early: so the moment that is learnt follows one that moves forward.
        let due = self.segment.saturating_sub(self.step / 2);
        match heard {
            Heard::Failure => self.later(),
            _ if !self.level => self.step,
            _ if since < due && self.seen == 2 => (due - since).max(self.step),
            _ if self.is_overdue(now) => self.later(),
            _ => self.step,
        }
    }

    /// True if the next record should have been there for long.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now - self.began > self.segment * 2
    }

    fn later(&self) -> Duration {
        let longest = self.segment.min(LONGEST_PAUSE).max(self.step);
        self.step.saturating_mul(1 << self.vain.min(8)).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const SEGMENT: Duration = Duration::from_secs(2);
    const MILLI: Duration = Duration::from_millis(1);

    /// Looks for a while at a record that comes in two pieces with each segment, `late` behind it, and gives how many looks
    /// a segment took and how long after the second piece it was seen on average.
    fn follow(late: Duration, segments: u32) -> (f64, Duration) {
        let began = clock::now();
        let mut pace = Pace::new(SEGMENT, began);
        let (mut now, mut seen, mut looks, mut waited) = (began, 0, 0, Duration::ZERO);
        while now < began + SEGMENT * segments {
            looks += 1;
            let elapsed = now - began;
            let pieces = |offset: Duration| match elapsed.checked_sub(late + offset) {
                Some(since) => since.as_millis() / SEGMENT.as_millis() + 1,
                None => 0,
            };
            let (first, second) = (pieces(Duration::ZERO), pieces(80 * MILLI));
            let heard =
                if first + second > seen { Heard::More { level: first == second } } else { Heard::Nothing };
            if first == second && first + second > seen {
                waited += (elapsed - late - 80 * MILLI) - SEGMENT * (second as u32 - 1);
            }
            seen = first + second;
            now += pace.next(heard, now);
        }
        (f64::from(looks) / f64::from(segments), waited / segments)
    }

    #[test]
    fn records_are_seen_soon_after_they_come_and_a_segment_costs_few_looks() {
        for late in [0, 130, 700, 1900] {
            let (looks, waited) = follow(late * MILLI, 100);
            assert!(looks < 6.0 && waited < 150 * MILLI, "{late}: {looks} looks, seen {waited:?} late");
        }
    }

    #[test]
    fn what_does_not_come_is_looked_for_less_and_less_often_but_never_seldom() {
        let began = clock::now();
        let mut pace = Pace::new(SEGMENT, began);
        pace.next(Heard::More { level: true }, began);
        let mut now = began + SEGMENT;
        let pauses: Vec<Duration> = (0..100)
            .map(|_| {
                let pause = pace.next(Heard::Nothing, now);
                now += pause;
                pause
            })
            .collect();
        assert!(pauses.first() < pauses.last() && pauses.last() == Some(&SEGMENT));
        assert!(pace.is_overdue(now));
        assert!(
            pace.next(Heard::More { level: true }, now) < SEGMENT / 2,
            "it may have been there for a while"
        );
        now += SEGMENT;
        assert!(pace.next(Heard::More { level: true }, now) > SEGMENT / 2, "it is as before again");
    }

    #[test]
    fn a_store_that_fails_is_not_pressed() {
        let began = clock::now();
        let mut pace = Pace::new(SEGMENT, began);
        let pauses: Vec<Duration> = (0..8).map(|_| pace.next(Heard::Failure, began)).collect();
        assert!(pauses.windows(2).all(|two| two[0] <= two[1]) && pauses[7] == SEGMENT, "{pauses:?}");
    }
}
