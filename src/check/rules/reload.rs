//! Blocking reloads (rfc8216bis 6.2.5.2).

use std::time::Duration;

use crate::check::{
    finding::{Check, Place},
    hls::{Edge, Playlist},
    judge::Judge,
};

/// What arrives this long after a deadline was on its way before it.
const WAY: Duration = Duration::from_secs(1);

/// `_HLS_msn` and `_HLS_part`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct Wanted {
    pub(in crate::check) number: u64,
    pub(in crate::check) part: Option<usize>,
}

/// How a request for it ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) enum Outcome<'a> {
    Listed(&'a Playlist),
    Refused(u16),
    Silent,
}

impl Wanted {
    /// What comes after `list`: its next part, or its next segment where there are no parts.
    pub(in crate::check) fn after(list: &Playlist) -> Self {
        let Edge { number, parts } = list.edge();
        Self { number, part: list.has_parts().then_some(parts) }
    }

    pub(in crate::check) fn place(self) -> Place {
        Place { segment: Some(self.number), part: self.part }
    }

    /// True if it is in a list.
    fn is_in(self, list: &Playlist) -> bool {
        let edge = list.edge();
        let Some(part) = self.part else { return edge.number > self.number };
        if edge.number <= self.number {
            return edge.number == self.number && edge.parts > part;
        }
        // A part behind the last is the first one of the next segment.
        let ends = list.segment(self.number).map_or(0, |segment| segment.parts.len());
        let rolls_over = ends > 0 && part >= ends;
        !rolls_over || edge >= Edge { number: self.number + 1, parts: 1 }
    }
}

/// The longest that any request may be held: three target durations (6.2.5.2), and its way.
pub(in crate::check) fn deadline(target: u64) -> Duration {
    3 * Duration::from_secs(target) + WAY
}

/// Judges the reply to a reload for what comes next, which took `waited`.
pub(in crate::check) fn next(
    judge: &mut Judge,
    wanted: Wanted,
    outcome: Outcome<'_>,
    waited: Duration,
    target: u64,
) {
    held(judge, wanted, outcome, waited, target, Check::ReplyRefused);
}

/// Judges the reply to a request for the part behind the last one of a segment.
pub(in crate::check) fn rollover(
    judge: &mut Judge,
    wanted: Wanted,
    outcome: Outcome<'_>,
    waited: Duration,
    target: u64,
) {
    held(judge, wanted, outcome, waited, target, Check::RolloverRefused);
}

fn held(
    judge: &mut Judge,
    wanted: Wanted,
    outcome: Outcome<'_>,
    waited: Duration,
    target: u64,
    refused: Check,
) {
    let place = wanted.place();
    judge.holds(Check::ReplyLate, place, !matches!(outcome, Outcome::Silent), || {
        format!("no answer after {:.1} s", waited.as_secs_f64())
    });
    match outcome {
        // Where nothing follows, what was asked for never comes.
        Outcome::Listed(list) => {
            judge.holds(Check::ReplyLacks, place, wanted.is_in(list) || !list.is_live(), || {
                let edge = list.edge();
                format!(
                    "after {:.2} s came a list that ends before segment {} part {}",
                    waited.as_secs_f64(),
                    edge.number,
                    edge.parts
                )
            })
        }
        // A server may give up when it held the request for long enough, or has no room to hold it.
        Outcome::Refused(status) => {
            let excused = status >= 500 || waited >= 2 * Duration::from_secs(target);
            judge.holds(refused, place, excused, || {
                format!("status {status} after {:.2} s", waited.as_secs_f64())
            });
        }
        Outcome::Silent => {}
    }
}

/// Judges the reply to a request for what is there already: it comes within `at_once`, and whole.
pub(in crate::check) fn old(
    judge: &mut Judge,
    wanted: Wanted,
    outcome: Outcome<'_>,
    waited: Duration,
    at_once: Duration,
) {
    let good = match outcome {
        Outcome::Listed(list) => waited <= at_once && list.skipped.is_none() && wanted.is_in(list),
        _ => false,
    };
    judge.holds(Check::OldNotAtOnce, wanted.place(), good, || match outcome {
        Outcome::Listed(list) if list.skipped.is_some() => "a delta update came, unasked".into(),
        Outcome::Listed(_) => format!("it took {:.2} s", waited.as_secs_f64()),
        Outcome::Refused(status) => format!("status {status}"),
        Outcome::Silent => format!("no answer after {:.1} s", waited.as_secs_f64()),
    });
}

/// Judges the reply to a request for a number far above the last.
pub(in crate::check) fn far_ahead(
    judge: &mut Judge,
    wanted: Wanted,
    outcome: Outcome<'_>,
    waited: Duration,
    at_once: Duration,
) {
    let refused = matches!(outcome, Outcome::Refused(400..500)) && waited <= at_once;
    let words = |outcome: Outcome<'_>| match outcome {
        Outcome::Listed(_) => format!("a list came after {:.2} s", waited.as_secs_f64()),
        Outcome::Refused(status) => format!("status {status} after {:.2} s", waited.as_secs_f64()),
        Outcome::Silent => format!("no answer after {:.1} s", waited.as_secs_f64()),
    };
    judge.holds(Check::FarAheadAccepted, wanted.place(), refused, || words(outcome));
    if refused {
        let exact = matches!(outcome, Outcome::Refused(400));
        judge.holds(Check::FarAheadStatus, wanted.place(), exact, || words(outcome));
    }
}

/// Judges the reply to `_HLS_part` without `_HLS_msn`.
pub(in crate::check) fn part_alone(judge: &mut Judge, outcome: Outcome<'_>) {
    let status = match outcome {
        Outcome::Refused(status) => status,
        _ => 200,
    };
    judge.holds(Check::PartAloneAccepted, Place::WHOLE, status == 400, || format!("status {status}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, NEXT, judge, playlist};

    const QUICK: Duration = Duration::from_millis(10);

    fn wanted(number: u64, part: Option<usize>) -> Wanted {
        Wanted { number, part }
    }

    #[test]
    fn a_reply_has_what_was_asked_for() {
        let list = playlist(LIST);
        assert_eq!(Wanted::after(&list), wanted(10, Some(1)));
        for (asked, has) in [
            (wanted(9, None), true),
            (wanted(10, None), false),
            (wanted(10, Some(0)), true),
            (wanted(10, Some(1)), false),
            (wanted(9, Some(1)), true),
            (wanted(9, Some(2)), true),
            (wanted(9, Some(9)), true),
            (wanted(7, Some(9)), true),
            (wanted(11, Some(0)), false),
        ] {
            let mut judge = judge();
            next(&mut judge, asked, Outcome::Listed(&list), QUICK, 2);
            let expected: &[Check] = if has { &[] } else { &[Check::ReplyLacks] };
            assert_eq!(judge.found(), expected, "{asked:?}");
        }
    }

    #[test]
    fn behind_the_last_part_is_the_next_segment() {
        let next = playlist(NEXT);
        let mut judge = judge();
        rollover(&mut judge, wanted(10, Some(2)), Outcome::Listed(&next), QUICK, 2);
        assert_eq!(judge.found(), [Check::ReplyLacks], "segment 11 has no part yet");
        rollover(&mut judge, wanted(10, Some(1)), Outcome::Listed(&next), QUICK, 2);
        rollover(&mut judge, wanted(10, Some(2)), Outcome::Refused(400), QUICK, 2);
        assert_eq!(judge.found(), [Check::ReplyLacks, Check::RolloverRefused]);
    }

    #[test]
    fn a_refusal_is_excused_at_the_deadline_only() {
        for (outcome, millis, expected) in [
            (Outcome::Refused(404), 10, &[Check::ReplyRefused][..]),
            (Outcome::Refused(400), 1000, &[Check::ReplyRefused]),
            (Outcome::Refused(503), 10, &[]),
            (Outcome::Refused(404), 6000, &[]),
            (Outcome::Silent, 7000, &[Check::ReplyLate]),
        ] {
            let mut judge = judge();
            next(&mut judge, wanted(10, Some(1)), outcome, Duration::from_millis(millis), 2);
            assert_eq!(judge.found(), expected, "{outcome:?} {millis}");
        }
    }

    #[test]
    fn what_is_old_comes_at_once_and_what_is_far_ahead_never() {
        let list = playlist(LIST);
        let limit = Duration::from_secs(1);
        for (outcome, millis, as_old, as_far) in [
            (Outcome::Listed(&list), 10, true, false),
            (Outcome::Listed(&list), 1100, false, false),
            (Outcome::Refused(400), 10, false, true),
            (Outcome::Refused(400), 6000, false, false),
            (Outcome::Refused(503), 10, false, false),
            (Outcome::Silent, 7000, false, false),
        ] {
            let (mut a, mut b, waited) = (judge(), judge(), Duration::from_millis(millis));
            old(&mut a, wanted(8, None), outcome, waited, limit);
            far_ahead(&mut b, wanted(30, None), outcome, waited, limit);
            assert_eq!(
                (a.found().is_empty(), b.found().is_empty()),
                (as_old, as_far),
                "{outcome:?} {millis}"
            );
        }
        let mut judge = judge();
        far_ahead(&mut judge, wanted(30, None), Outcome::Refused(404), QUICK, limit);
        part_alone(&mut judge, Outcome::Listed(&list));
        part_alone(&mut judge, Outcome::Refused(400));
        assert_eq!(judge.found(), [Check::FarAheadStatus, Check::PartAloneAccepted]);
    }
}
