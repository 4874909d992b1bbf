//! Where the timestamps of a transport stream lie in Unix time, found in the same way by whoever receives it.
//!
//! Two packagers that do not know of one another have to give a frame the same time. All that they have in common is
//! its timestamp, 33 bits at 90 kHz (ISO/IEC 13818-1 2.4.3.7), and clocks that agree to some milliseconds. So the
//! timestamp is first taken for the moment nearest to its arrival that is congruent to it; what then is between the two
//! is the same for both but for the network's jitter, and is rounded up to whole segments. Pure: time is an argument.

/// Ticks after which a timestamp is the same again: 26.5 hours.
const WRAP: i128 = 1 << 33;
/// A delay this near to where the rounding jumps may be rounded otherwise by another packager: nanoseconds.
const CLOSE: i128 = 50_000_000;
/// Stamps further than this from most others are mistakes.
const PLAUSIBLE: i128 = 5_000_000_000;

/// The moment nearest to `near` that is congruent to a timestamp of `ticks`; both in nanoseconds.
pub fn unwrap(ticks: u64, near: i128) -> i128 {
    let ticks = i128::from(ticks);
    let turns = (near * 9 / 100_000 - ticks + WRAP / 2).div_euclid(WRAP);
    (ticks + turns * WRAP) * 100_000 / 9
}

/// What is added to timestamps, so that media which arrives `delay` after them lies between a half of a segment and
/// one and a half ahead of the time of its arrival: that is what decoding and encoding may take. Ahead, because players that go by the clock may then ask for it
/// early, but never in vain; and a half more, because a good encoder's timestamps are the time and its delay is
/// small, so that the rounding must not jump there. `before` is what was added until now: it stays while that does.
pub fn offset(delay: i128, segment: i128, before: Option<i128>) -> i128 {
    let fresh = || -(-(delay + segment / 2)).div_euclid(segment) * segment;
    before.filter(|before| fits(before - delay, segment)).unwrap_or_else(fresh)
}

/// Whether media may lie so far ahead of the time. A little more is allowed than in the beginning, so that a sender whose
/// clock runs slow or fast is not placed anew all the time.
pub fn fits(ahead: i128, segment: i128) -> bool {
    (segment / 4..=segment * 7 / 4).contains(&ahead)
}

/// Whether another packager may come to another [`offset`] by chance.
pub fn is_ambiguous(delay: i128, segment: i128) -> bool {
    let over = (delay + segment / 2).rem_euclid(segment);
    over < CLOSE || segment - over < CLOSE
}

/// The shortest of `delays` but for those of stamps that are mistakes: the least of what networks and queues add.
pub fn shortest(delays: &[i128]) -> Option<i128> {
    let mut sorted = delays.to_vec();
    sorted.sort_unstable();
    let median = *sorted.get(sorted.len() / 2)?;
    sorted.into_iter().find(|delay| median - delay < PLAUSIBLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;
    const MILLI: i128 = 1_000_000;
    const SEGMENT: i128 = 2 * SECOND;
    const NOW: i128 = 1_800_000_000 * SECOND;

    #[test]
    fn a_wrap_is_no_jump_for_who_was_there_and_for_who_comes_later() {
        let last = (1 << 33) - 1;
        let near = unwrap(last, NOW);
        for moment in [near, near + 3600 * SECOND, near - 3600 * SECOND, near + 40_000 * SECOND] {
            assert_eq!((unwrap(last, moment), unwrap(0, moment)), (near, near + 11_111), "{moment}");
        }
    }

    #[test]
    fn any_two_packagers_find_the_same_offset_unless_it_is_said_to_be_ambiguous() {
        let mut ambiguous = 0;
        for step in -3000..3000 {
            let delay = step * 7 * MILLI;
            let one = offset(delay, SEGMENT, None);
            assert!((SEGMENT / 2..SEGMENT * 3 / 2).contains(&(one - delay)), "{delay}");
            assert_eq!(one % SEGMENT, 0);
            let differs = (-40..40).any(|jitter| offset(delay + jitter * MILLI, SEGMENT, None) != one);
            assert!(!differs || is_ambiguous(delay, SEGMENT), "{delay}");
            ambiguous += usize::from(is_ambiguous(delay, SEGMENT));
        }
        assert!((200..400).contains(&ambiguous), "one in twenty: {ambiguous}");
    }

    #[test]
    fn timestamps_that_are_the_time_are_never_ambiguous() {
        for delay in (-900..900).map(|delay| delay * MILLI) {
            assert_eq!((offset(delay, SEGMENT, None), is_ambiguous(delay, SEGMENT)), (SEGMENT, false));
        }
    }

    #[test]
    fn an_offset_stays_while_the_delay_moves_little_and_goes_with_it_otherwise() {
        assert_eq!(offset(1_400 * MILLI, SEGMENT, Some(SEGMENT)), SEGMENT);
        assert_eq!(offset(1_400 * MILLI, SEGMENT, None), 2 * SEGMENT);
        assert_eq!(offset(1_600 * MILLI, SEGMENT, Some(SEGMENT)), 2 * SEGMENT);
        assert_eq!(offset(50_000 * SECOND, SEGMENT, Some(SEGMENT)), 50_002 * SECOND, "the sender began anew");
    }

    #[test]
    fn the_shortest_delay_is_not_that_of_a_stamp_from_nowhere() {
        let delays = [90, 41, -37_600_000, 60, 44, 9_800_000, 55].map(|delay| delay * MILLI);
        assert_eq!(shortest(&delays), Some(41 * MILLI));
        assert_eq!(shortest(&[]), None);
    }
}
