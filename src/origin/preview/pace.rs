//! What happens to a viewer whose line is slow: first fewer bits, then fewer frames, then nothing. Time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A frame that has waited this long is a reason for a lower track.
const LOWER: Duration = Duration::from_millis(350);
/// A frame that has waited this long is not worth sending any more.
const SKIP: Duration = Duration::from_secs(1);
/// Who lets no frame wait for longer than this keeps pace.
const STEADY: Duration = Duration::from_millis(150);
/// More than this many skips within [`SKIPS_WITHIN`] are no picture any more.
const SKIPS: usize = 3;
const SKIPS_WITHIN: Duration = Duration::from_secs(10);
/// How long a lower track is given to show that it is low enough.
const SETTLING: Duration = Duration::from_secs(1);
/// A viewer that has kept pace for this long is tried with a better track.
const CLIMB: Duration = Duration::from_secs(5);
const LONGEST_CLIMB: Duration = Duration::from_secs(60);
/// A track that was too much within this time after it was tried was tried too early.
const PROVEN: Duration = Duration::from_secs(10);

/// What to do with a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Lower,
    Skip,
    TooSlow,
    Higher,
}

/// What else there is for a viewer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    /// There is a lower track, and none is on its way.
    pub(super) lower: bool,
    /// There is a better one that it would like, and none is on its way.
    pub(super) higher: bool,
}

/// How a viewer has kept pace.
#[derive(Debug)]
pub(super) struct Pace {
    skips: VecDeque<Instant>,
    steady_since: Instant,
    climb: Duration,
    climbed: Option<Instant>,
    lowered: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { skips: VecDeque::new(), steady_since: now, climb: CLIMB, climbed: None, lowered: None }
    }

    /// What is on its way was sent before the last change; it takes a while until that shows.
    fn settles(&self, now: Instant) -> bool {
        self.lowered.is_some_and(|lowered| now.duration_since(lowered) < SETTLING)
    }

    /// Judges a viewer whose oldest unsent frame has `waited`, and to whom frames take `delay` longer than they have to.
    pub(super) fn judge(
        &mut self,
        waited: Duration,
        delay: Duration,
        choice: Choice,
        now: Instant,
    ) -> Verdict {
        if waited.max(delay) > STEADY {
            self.steady_since = now;
        }
        // What is on its way already is not brought forward by leaving something out here.
        if waited >= SKIP {
            return self.skip(now);
        }
        if waited.max(delay) >= LOWER && choice.lower && !self.settles(now) {
            self.stumble(now);
            self.lowered = Some(now);
            return Verdict::Lower;
        }
        if choice.higher && now.duration_since(self.steady_since) >= self.climb {
            (self.steady_since, self.climbed) = (now, Some(now));
            return Verdict::Higher;
        }
        if self.climbed.is_some_and(|climbed| now.duration_since(climbed) >= LONGEST_CLIMB) {
            (self.climb, self.climbed) = (CLIMB, None);
        }
        Verdict::Keep
    }

    fn skip(&mut self, now: Instant) -> Verdict {
        self.stumble(now);
        while self.skips.front().is_some_and(|first| now.duration_since(*first) >= SKIPS_WITHIN) {
            self.skips.pop_front();
        }
        self.skips.push_back(now);
        if self.skips.len() > SKIPS { Verdict::TooSlow } else { Verdict::Skip }
    }

    /// A better track was too much: the next attempt comes later.
    fn stumble(&mut self, now: Instant) {
        if self.climbed.take().is_some_and(|climbed| now.duration_since(climbed) < PROVEN) {
            self.climb = (self.climb * 2).min(LONGEST_CLIMB);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Choice = Choice { lower: true, higher: true };
    const NOTHING: Choice = Choice { lower: false, higher: false };

    /// What comes of waits in milliseconds, each at a time in milliseconds.
    fn course(steps: &[(u64, u64, Choice)]) -> Vec<Verdict> {
        let start = crate::clock::now();
        let mut pace = Pace::new(start);
        let judge = |&(at, waited, choice): &(u64, u64, Choice)| {
            pace.judge(
                Duration::from_millis(waited),
                Duration::ZERO,
                choice,
                start + Duration::from_millis(at),
            )
        };
        steps.iter().map(judge).collect()
    }

    #[test]
    fn a_lower_track_comes_first_then_skips_then_the_end() {
        use Verdict::*;
        let lower = Choice { lower: true, higher: false };
        let verdicts = course(&[
            (0, 349, lower),
            (100, 350, lower),
            (200, 450, NOTHING),
            (1000, 1000, NOTHING),
            (2000, 1000, NOTHING),
            (3000, 1000, NOTHING),
            (4000, 1000, NOTHING),
        ]);
        assert_eq!(verdicts, [Keep, Lower, Keep, Skip, Skip, Skip, TooSlow]);
    }

    #[test]
    fn skips_that_are_far_apart_are_forgiven() {
        let steps: Vec<_> = (0..20).map(|n| (n * 3_334, 1000, NOTHING)).collect();
        assert!(course(&steps).iter().all(|verdict| *verdict == Verdict::Skip));
    }

    #[test]
    fn who_keeps_pace_climbs_and_later_each_time_that_it_was_too_much() {
        use Verdict::*;
        let verdicts = course(&[
            (4_999, 33, BOTH),
            (5_000, 33, BOTH),
            (6_000, 400, BOTH),
            (10_999, 33, BOTH),
            (15_999, 33, BOTH),
            (16_000, 33, BOTH),
            (17_000, 400, BOTH),
            (36_999, 33, BOTH),
            (37_000, 33, BOTH),
        ]);
        assert_eq!(verdicts, [Keep, Higher, Lower, Keep, Keep, Higher, Lower, Keep, Higher]);
    }

    #[test]
    fn an_attempt_that_held_makes_the_next_one_early_again() {
        use Verdict::*;
        let higher = Choice { lower: false, higher: true };
        let verdicts = course(&[
            (5_000, 0, BOTH),
            (6_000, 400, BOTH),
            (16_000, 0, higher),
            (76_000, 0, NOTHING),
            (77_000, 400, BOTH),
            (82_000, 0, higher),
        ]);
        assert_eq!(verdicts, [Higher, Lower, Higher, Keep, Lower, Higher]);
    }

    #[test]
    fn frames_that_are_long_on_their_way_are_a_reason_for_a_lower_track_and_for_nothing_worse() {
        use Verdict::*;
        let start = crate::clock::now();
        let mut pace = Pace::new(start);
        let lower = Choice { lower: true, higher: false };
        let mut judge = |at, delay, choice| {
            pace.judge(
                Duration::ZERO,
                Duration::from_millis(delay),
                choice,
                start + Duration::from_millis(at),
            )
        };
        assert_eq!(judge(0, 350, lower), Lower);
        assert_eq!(judge(500, 2000, lower), Keep, "the change has not shown yet");
        assert_eq!(judge(1000, 2000, lower), Lower);
        assert_eq!(judge(5000, 20_000, NOTHING), Keep);
        assert_eq!(judge(9999, 200, BOTH), Keep, "and no better one as long as it lasts");
    }

    #[test]
    fn small_waits_put_a_climb_off() {
        let steps: Vec<_> = (0..200).map(|n| (n * 100, if n % 40 == 0 { 200 } else { 10 }, BOTH)).collect();
        assert!(course(&steps).iter().all(|verdict| *verdict == Verdict::Keep));
    }
}
