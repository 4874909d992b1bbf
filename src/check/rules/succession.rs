//! A list and the one that came after it: what may change and what may not.

use crate::check::{
    exact::in_seconds,
    finding::{Check, Place},
    hls::{Part, Playlist, Segment},
    judge::Judge,
};

/// Judges `now`, which was asked for when `before` was here.
pub(in crate::check) fn succession(judge: &mut Judge, before: &Playlist, now: &Playlist) {
    let forward = now.sequence >= before.sequence;
    judge.holds(Check::SequenceBack, Place::WHOLE, forward, || {
        format!("EXT-X-MEDIA-SEQUENCE was {} and is {}", before.sequence, now.sequence)
    });
    judge.holds(Check::TargetChanged, Place::WHOLE, now.target == before.target, || {
        format!("EXT-X-TARGETDURATION was {} and is {}", before.target, now.target)
    });
    let whole = now.terminated || !before.terminated;
    judge.holds(Check::Torn, Place::WHOLE, whole, || {
        "its last line ends without a line feed, as it did not before".into()
    });
    // One that starts again with lower numbers is told as that.
    if forward && now.skipped.is_none() {
        let (old, new) = (before.edge(), now.edge());
        judge.holds(Check::EdgeBack, Place::WHOLE, new >= old, || {
            format!(
                "it ends before segment {} part {}, and did before segment {} part {}",
                new.number, new.parts, old.number, old.parts
            )
        });
    }
    same_numbers(judge, before, now);
}

fn same_numbers(judge: &mut Judge, before: &Playlist, now: &Playlist) {
    let both = || before.segments.iter().filter_map(|old| Some((old, now.segment(old.number)?)));
    for (old, new) in both() {
        let place = Place::segment(old.number);
        judge.holds(Check::NumberRenamed, place, old.resource == new.resource, || {
            format!("it was {} and is {}", old.resource.uri, new.resource.uri)
        });
        let (was, is) = (old.duration, new.duration);
        judge.holds(Check::NumberRedefined, place, was.nanos() == is.nanos(), || {
            format!("it was {} s long and is {} s", was.seconds(), is.seconds())
        });
        same_parts(judge, old.number, &old.parts, &new.parts);
        same_date(judge, old, new);
    }
    // What was open may be whole by now.
    let edge = before.edge();
    let grown = now.segment(edge.number).map(|segment| &segment.parts);
    let grown = grown.or_else(|| (now.next_number() == edge.number).then_some(&now.open));
    same_parts(judge, edge.number, &before.open, grown.map_or(&[], Vec::as_slice));
    let counted = |list: &Playlist| {
        list.discontinuity_sequence > 0 || list.segments.last().is_some_and(|last| last.discontinuities > 0)
    };
    if counted(before) || counted(now) {
        let changed = both().find(|(old, new)| old.discontinuities != new.discontinuities);
        let place = changed.map_or(Place::WHOLE, |(old, _)| Place::segment(old.number));
        judge.holds(Check::DiscontinuityNumber, place, changed.is_none(), || {
            let numbers = changed.map(|(old, new)| (old.discontinuities, new.discontinuities));
            let (was, is) = numbers.unwrap_or_default();
            format!("its discontinuity number was {was} and is {is}")
        });
    }
}

fn same_parts(judge: &mut Judge, number: u64, old: &[Part], new: &[Part]) {
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        let same = old.resource == new.resource && old.duration.nanos() == new.duration.nanos();
        judge.holds(Check::NumberRedefined, Place::part(number, index), same, || {
            let tell = |part: &Part| format!("{} of {} s", part.resource.uri, part.duration.seconds());
            format!("it was {} and is {}", tell(old), tell(new))
        });
    }
}

fn same_date(judge: &mut Judge, old: &Segment, new: &Segment) {
    if let (Some(was), Some(is)) = (old.date, new.date) {
        let moved = is.nanos() - was.nanos();
        judge.holds(
            Check::DateRewritten,
            Place::segment(old.number),
            moved.abs() <= was.slack().max(is.slack()),
            || format!("its date moved by {:+.6} s", in_seconds(moved)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, NEXT, judge, playlist};

    #[track_caller]
    fn assert_found(before: &str, now: &str, expected: &[Check]) {
        let mut judge = judge();
        succession(&mut judge, &playlist(before), &playlist(now));
        assert_eq!(judge.found(), expected);
    }

    #[test]
    fn a_list_may_slide_and_grow() {
        assert_found(LIST, NEXT, &[]);
        assert_found(LIST, LIST, &[]);
    }

    #[test]
    fn numbers_keep_what_they_name() {
        for (from, to, expected) in [
            (
                "EXT-X-MEDIA-SEQUENCE:8",
                "EXT-X-MEDIA-SEQUENCE:6",
                &[Check::SequenceBack, Check::NumberRenamed, Check::NumberRenamed][..],
            ),
            ("EXT-X-TARGETDURATION:2", "EXT-X-TARGETDURATION:3", &[Check::TargetChanged]),
            ("\n8.m4s", "\n8b.m4s", &[Check::NumberRenamed]),
            ("#EXTINF:2.000,\n8.m4s", "#EXTINF:1.999,\n8.m4s", &[Check::NumberRedefined]),
            ("URI=\"10.0.m4s\"", "URI=\"10.0b.m4s\"", &[Check::NumberRedefined]),
            ("T00:00:16.000Z", "T00:00:16.050Z", &[Check::DateRewritten]),
        ] {
            assert!(NEXT.contains(from), "{from}");
            let now = NEXT.replacen(from, to, 1);
            let mut judge = judge();
            succession(&mut judge, &playlist(LIST), &playlist(&now));
            let mut found = judge.found();
            found.retain(|check| *check != Check::DateRewritten || expected.contains(check));
            found.retain(|check| *check != Check::NumberRedefined || expected.contains(check));
            assert_eq!(found, expected, "{to}");
        }
    }

    #[test]
    fn a_list_that_lost_its_end_is_told() {
        assert_found(NEXT, LIST, &[Check::SequenceBack]);
        let cut = LIST.split("#EXT-X-PART:DURATION=1.000,URI=\"10.0").next().unwrap();
        assert_found(LIST, cut, &[Check::EdgeBack]);
        assert_found(LIST, LIST.trim_end(), &[Check::Torn]);
    }

    #[test]
    fn a_discontinuity_that_leaves_is_counted() {
        let list = |head: &str| {
            let text = head.split_once('|').unwrap();
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}\n{}", text.0, text.1)
        };
        let before = list(
            "#EXT-X-MEDIA-SEQUENCE:1|#EXTINF:2,\n1\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\n2\n#EXTINF:2,\n3\n",
        );
        for (now, expected) in [
            // The tag stays in front of the first segment, or goes and is counted.
            ("#EXT-X-MEDIA-SEQUENCE:2|#EXT-X-DISCONTINUITY\n#EXTINF:2,\n2\n#EXTINF:2,\n3\n", &[][..]),
            ("#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-DISCONTINUITY-SEQUENCE:1|#EXTINF:2,\n2\n#EXTINF:2,\n3\n", &[]),
            ("#EXT-X-MEDIA-SEQUENCE:2|#EXTINF:2,\n2\n#EXTINF:2,\n3\n", &[Check::DiscontinuityNumber]),
            (
                "#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-DISCONTINUITY-SEQUENCE:1|#EXT-X-DISCONTINUITY\n#EXTINF:2,\n2\n#EXTINF:2,\n3\n",
                &[Check::DiscontinuityNumber],
            ),
        ] {
            assert_found(&before, &list(now), expected);
        }
    }
}
