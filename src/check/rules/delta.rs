//! Delta updates against the full playlist of the same moment (rfc8216bis 6.2.5.1).

use crate::check::{
    exact::in_seconds,
    finding::{Check, Place},
    hls::{Part, Playlist, merge},
    judge::Judge,
};

/// Judges a delta update that was asked for when `before` was here, and came with `full`. They can be compared only if
/// both are of one moment.
pub(in crate::check) fn delta(judge: &mut Judge, before: &Playlist, delta: &Playlist, full: &Playlist) {
    let Some(until) = full.control.as_ref().and_then(|control| control.can_skip_until) else { return };
    if delta.skipped.is_none() {
        // What is one segment behind the boundary may be skipped, and need not be on the dot.
        let worth = until.nanos() + 2 * i64::try_from(full.target).unwrap_or(0) * 1_000_000_000;
        let duration = full.duration();
        judge.holds(Check::DeltaIgnored, Place::WHOLE, duration <= worth, || {
            format!(
                "the whole list of {:.1} s came, and CAN-SKIP-UNTIL is {} s",
                in_seconds(duration),
                until.seconds()
            )
        });
        return;
    }
    let shown = delta.duration();
    judge.holds(Check::DeltaSkipsLate, Place::WHOLE, shown >= until.nanos(), || {
        format!("it shows {:.3} s and CAN-SKIP-UNTIL is {} s", in_seconds(shown), until.seconds())
    });
    if !of_one_moment(delta, full) {
        return;
    }
    let difference = merge(before, delta).and_then(|merged| difference(&merged, full, delta));
    let place = Place::WHOLE;
    judge.holds(Check::DeltaDiffers, place, difference.is_ok(), || difference.err().unwrap_or_default());
}

/// True if both end with the same things: numbers may be counted wrongly.
fn of_one_moment(delta: &Playlist, full: &Playlist) -> bool {
    let last = |list: &Playlist| list.segments.last().map(|segment| segment.resource.clone());
    last(delta) == last(full) && delta.open.len() == full.open.len() && delta.sequence == full.sequence
}

/// Whether what is shown is the same, and under the same numbers. What was skipped is that of the list before, which
/// is judged by itself.
fn difference(merged: &Playlist, full: &Playlist, delta: &Playlist) -> Result<(), String> {
    if merged.edge() != full.edge() {
        let (ours, theirs) = (merged.edge().number, full.edge().number);
        return Err(format!(
            "with what it skips, its last segment is {}, and {} in the full list",
            ours - 1,
            theirs - 1
        ));
    }
    for pair in merged.segments.windows(2).zip(full.segments.windows(2)) {
        let ([before, ours], [their_before, theirs]) = pair else { continue };
        let number = theirs.number;
        let differ = |what: &str| Err(format!("segment {number} has another {what} than in the full list"));
        if delta.segment(number).is_none() {
            continue;
        }
        if ours.resource != theirs.resource {
            return differ("URI");
        }
        if ours.duration.nanos() != theirs.duration.nanos() {
            return differ("EXTINF");
        }
        let steps = (
            ours.discontinuities - before.discontinuities,
            theirs.discontinuities - their_before.discontinuities,
        );
        if steps.0 != steps.1 {
            return differ("EXT-X-DISCONTINUITY");
        }
        if ours.map != theirs.map {
            return differ("EXT-X-MAP");
        }
        if !same_parts(&ours.parts, &theirs.parts) {
            return differ("list of parts");
        }
    }
    if !same_parts(&merged.open, &full.open) {
        return Err("the parts at its end are others than in the full list".into());
    }
    if merged.hints != full.hints {
        return Err("its EXT-X-PRELOAD-HINT is another than in the full list".into());
    }
    Ok(())
}

fn same_parts(ours: &[Part], theirs: &[Part]) -> bool {
    let same = |(a, b): (&Part, &Part)| a.resource == b.resource && a.duration.nanos() == b.duration.nanos();
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{judge, playlist};

    /// Segments of a second each, the first `skip` of them left out.
    fn text(from: u64, to: u64, skip: u64) -> String {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=6\n#EXT-X-MEDIA-SEQUENCE:{from}\n"
        );
        if skip > 0 {
            text += &format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skip}\n");
        }
        (from + skip..to).for_each(|number| text += &format!("#EXTINF:1,\n{number}.m4s\n"));
        text
    }

    #[track_caller]
    fn assert_found(delta_text: &str, full: &str, expected: &[Check]) {
        let mut judge = judge();
        delta(&mut judge, &playlist(&text(1, 13, 0)), &playlist(delta_text), &playlist(full));
        assert_eq!(judge.found(), expected);
    }

    #[test]
    fn a_delta_update_gives_the_full_list() {
        let full = text(2, 14, 0);
        assert_found(&text(2, 14, 6), &full, &[]);
        assert_found(&text(2, 14, 7), &full, &[Check::DeltaSkipsLate]);
        assert_found(&full, &full, &[Check::DeltaIgnored]);
        assert_found(&text(2, 14, 6).replace("12.m4s", "12b.m4s"), &full, &[Check::DeltaDiffers]);
        assert_found(&text(2, 14, 6).replace("SEGMENTS=6", "SEGMENTS=5"), &full, &[Check::DeltaDiffers]);
        assert_found(&text(2, 15, 6), &full, &[]);
        let short = text(7, 14, 0);
        assert_found(&short, &short, &[]);
    }
}
