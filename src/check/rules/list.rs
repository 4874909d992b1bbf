//! What one media playlist says for itself.

use crate::check::{
    exact::{NANOS, Seconds, in_seconds},
    finding::{Check, Place},
    hls::{Control, Part, Playlist, Segment},
    judge::Judge,
};

/// A live list is never shorter (rfc8216bis 6.2.2: three target durations).
const SHORTEST: usize = 3;
/// Of PART-TARGET, for all parts but the last of a segment (rfc8216bis 4.4.4.9).
const SHORTEST_PART: (i64, i64) = (85, 100);

/// Judges a list. What was in the list `before` has been judged with that, and is passed over.
pub(in crate::check) fn list(judge: &mut Judge, before: Option<&Playlist>, now: &Playlist) {
    let known = before.map_or(0, Playlist::next_number);
    for segment in now.segments.iter().filter(|segment| segment.number >= known) {
        lengths(judge, now, segment);
    }
    dates(judge, now, known);
    if now.is_live() && !now.keeps_all && now.skipped.is_none() {
        let count = now.segments.len();
        judge.holds(Check::ListShort, Place::WHOLE, count >= SHORTEST, || {
            format!("{count} segments are listed")
        });
    }
    if before.is_none() {
        control(judge, now);
    }
    if now.is_live() && now.has_parts() {
        let hinted = now.hints.iter().any(|hint| hint.is_part);
        judge.holds(Check::HintAbsent, Place::WHOLE, hinted, || {
            "there is no EXT-X-PRELOAD-HINT of a part".into()
        });
    }
}

fn lengths(judge: &mut Judge, list: &Playlist, segment: &Segment) {
    let place = Place::segment(segment.number);
    let rounded = (segment.duration.nanos() + NANOS / 2) / NANOS;
    judge.holds(Check::SegmentLong, place, rounded <= i64::try_from(list.target).unwrap_or(i64::MAX), || {
        format!("EXTINF is {} s and EXT-X-TARGETDURATION {} s", segment.duration.seconds(), list.target)
    });
    let Some(target) = list.part_target.filter(|_| !segment.parts.is_empty()) else { return };
    let last = segment.parts.len() - 1;
    for (index, part) in segment.parts.iter().enumerate() {
        part_length(judge, Place::part(segment.number, index), target, part, index == last);
    }
    let sum: i64 = segment.parts.iter().map(|part| part.duration.nanos()).sum();
    let slack =
        2 * (segment.duration.slack() + segment.parts.iter().map(|part| part.duration.slack()).sum::<i64>());
    judge.holds(Check::PartsNotDuration, place, (sum - segment.duration.nanos()).abs() <= slack, || {
        format!("parts of {} s together in a segment of {} s", in_seconds(sum), segment.duration.seconds())
    });
}

fn part_length(judge: &mut Judge, place: Place, target: Seconds, part: &Part, is_last: bool) {
    let (length, limit) = (part.duration.nanos(), target.nanos());
    let tell =
        || format!("a part of {} s with a PART-TARGET of {} s", part.duration.seconds(), target.seconds());
    judge.holds(Check::PartLong, place, length <= limit, tell);
    if !is_last && !part.gap {
        let long_enough = length * SHORTEST_PART.1 >= limit * SHORTEST_PART.0;
        judge.holds(Check::PartShort, place, long_enough, tell);
    }
}

/// Each date is that of the segment before and its duration, unless there is a discontinuity between.
fn dates(judge: &mut Judge, list: &Playlist, known: u64) {
    let live = list.is_live() && !list.segments.is_empty();
    // A date need not be repeated, but there has to be one.
    if live && list.segments.last().is_some_and(|last| last.number >= known) {
        let dated = list.segments.iter().any(|segment| segment.date.is_some()) || list.skipped.is_some();
        judge.holds(Check::DateAbsent, Place::WHOLE, dated, || "no segment has a date".into());
    }
    for pair in list.segments.windows(2) {
        let [before, after] = pair else { continue };
        let (Some(from), Some(to)) = (before.date, after.date) else { continue };
        if after.number < known || before.discontinuities != after.discontinuities {
            continue;
        }
        let gap = to.nanos() - from.nanos() - before.duration.nanos();
        let slack = to.slack() + from.slack() + 2 * before.duration.slack().min(NANOS / 1000);
        judge.holds(Check::DateJumps, Place::segment(after.number), gap.abs() <= slack, || {
            format!("its date is {:+.6} s from the end of the segment before", in_seconds(gap))
        });
    }
}

fn control(judge: &mut Judge, list: &Playlist) {
    let target = i64::try_from(list.target).unwrap_or(0).saturating_mul(NANOS);
    let Some(control) = &list.control else {
        if list.is_live() && list.has_parts() {
            judge.holds(Check::BlockReloadAbsent, Place::WHOLE, false, || {
                "there is no EXT-X-SERVER-CONTROL".into()
            });
        }
        return;
    };
    let mut at_least = |check: Check, name: &str, value: Seconds, least: i64| {
        judge.holds(check, Place::WHOLE, value.nanos() >= least, || {
            format!("{name} is {} s and should be at least {} s", value.seconds(), in_seconds(least))
        });
    };
    if let Some(hold_back) = control.hold_back {
        at_least(Check::HoldBackShort, "HOLD-BACK", hold_back, 3 * target);
    }
    if let Some(skip) = control.can_skip_until {
        at_least(Check::SkipUntilShort, "CAN-SKIP-UNTIL", skip, 6 * target);
    }
    if let Some(part_target) = list.part_target {
        parts_control(judge, list, control, part_target.nanos());
    }
}

fn parts_control(judge: &mut Judge, list: &Playlist, control: &Control, target: i64) {
    let hold_back = control.part_hold_back.map(Seconds::nanos);
    let tell = || match hold_back {
        Some(nanos) => format!(
            "PART-HOLD-BACK is {} s with a PART-TARGET of {} s",
            in_seconds(nanos),
            in_seconds(target)
        ),
        None => "PART-HOLD-BACK is missing".into(),
    };
    let nanos = hold_back.unwrap_or(0);
    judge.holds(Check::PartHoldBackShort, Place::WHOLE, nanos >= 2 * target, tell);
    judge.holds(Check::PartHoldBackTight, Place::WHOLE, nanos >= 3 * target || nanos < 2 * target, tell);
    if list.is_live() {
        judge.holds(Check::BlockReloadAbsent, Place::WHOLE, control.can_block_reload, || {
            "CAN-BLOCK-RELOAD=YES is missing".into()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, judge, playlist};

    #[track_caller]
    fn assert_found(text: &str, expected: &[Check]) {
        let mut judge = judge();
        list(&mut judge, None, &playlist(text));
        assert_eq!(judge.found(), expected, "{text}");
    }

    #[test]
    fn a_right_list_is_right_in_all_it_says() {
        assert_found(LIST, &[]);
        let mut judge = judge();
        list(&mut judge, None, &playlist(LIST));
        for check in
            [Check::SegmentLong, Check::PartLong, Check::PartShort, Check::DateJumps, Check::ListShort]
        {
            assert!(judge.looked(check) > 0, "{check:?}");
        }
    }

    #[test]
    fn each_change_of_it_is_found() {
        for (from, to, expected) in [
            ("#EXTINF:2.000,\n7.m4s", "#EXTINF:2.500,\n7.m4s", &[Check::SegmentLong, Check::DateJumps][..]),
            ("#EXTINF:2.000,\n7.m4s", "#EXTINF:2.004,\n7.m4s", &[Check::DateJumps]),
            ("DURATION=1.000,URI=\"9.0.m4s\"", "DURATION=1.001,URI=\"9.0.m4s\"", &[Check::PartLong]),
            (
                "DURATION=1.000,URI=\"9.0.m4s\"",
                "DURATION=0.800,URI=\"9.0.m4s\"",
                &[Check::PartShort, Check::PartsNotDuration],
            ),
            ("DURATION=1.000,URI=\"9.1.m4s\"", "DURATION=0.990,URI=\"9.1.m4s\"", &[Check::PartsNotDuration]),
            ("T00:00:16.000Z", "T00:00:16.100Z", &[Check::DateJumps, Check::DateJumps]),
            (",HOLD-BACK=6", ",HOLD-BACK=5.9", &[Check::HoldBackShort]),
            ("PART-HOLD-BACK=3", "PART-HOLD-BACK=2.5", &[Check::PartHoldBackTight]),
            ("PART-HOLD-BACK=3", "PART-HOLD-BACK=1.9", &[Check::PartHoldBackShort]),
            ("CAN-SKIP-UNTIL=12", "CAN-SKIP-UNTIL=11", &[Check::SkipUntilShort]),
            ("CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO", &[Check::BlockReloadAbsent]),
            ("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"10.1.m4s\"\n", "", &[Check::HintAbsent]),
        ] {
            assert!(LIST.contains(from), "{from}");
            assert_found(&LIST.replacen(from, to, 1), expected);
        }
    }

    #[test]
    fn two_segments_are_too_few_unless_the_list_has_ended() {
        let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00Z\n#EXTINF:2,\na\n#EXTINF:2,\nb\n";
        assert_found(head, &[Check::ListShort]);
        assert_found(&format!("{head}#EXT-X-ENDLIST\n"), &[]);
    }

    #[test]
    fn what_was_judged_with_the_list_before_is_not_judged_again() {
        let text = LIST.replacen("#EXTINF:2.000,\n7.m4s", "#EXTINF:2.500,\n7.m4s", 1);
        let mut judge = judge();
        list(&mut judge, Some(&playlist(&text)), &playlist(&text));
        assert_eq!(judge.found(), []);
    }

    #[test]
    fn a_date_may_jump_at_a_discontinuity() {
        let text = LIST
            .replacen(
                "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:16.000Z",
                "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:17.000Z",
                1,
            )
            .replacen("T00:00:18.000Z", "T00:00:19.000Z", 1);
        assert_found(&text, &[]);
    }
}
