//! MPDs: what may change, and whether their times are those of the media (I-12).

use std::collections::HashMap;

use crate::check::{
    dash::{Entry, Mpd, ReferenceTime, Representation, Segments},
    exact::{NANOS, in_seconds, ticks_to_nanos},
    finding::{Check, Place},
    judge::Judge,
};

use super::media::Piece;

/// How far ProducerReferenceTime and prft may be from each other: capturing jitters.
const REFERENCE: i64 = NANOS / 2;

/// Judges what a live MPD says for itself.
pub(in crate::check) fn alone(judge: &mut Judge, mpd: &Mpd) {
    if !mpd.is_dynamic {
        return;
    }
    judge.holds(Check::ClockAbsent, Place::WHOLE, !mpd.clocks.is_empty(), || "there is no UTCTiming".into());
    if mpd.representations.iter().any(|each| each.early > 0 && !each.complete) {
        judge.holds(Check::ServiceDescriptionAbsent, Place::WHOLE, mpd.has_service_description, || {
            "there is no ServiceDescription".into()
        });
        let resync = mpd.representations.iter().all(|each| each.has_resync);
        judge.holds(Check::ResyncAbsent, Place::WHOLE, resync, || "there is no Resync".into());
    }
}

/// Judges an MPD that was asked for when `before` was here.
pub(in crate::check) fn succession(judge: &mut Judge, before: &Mpd, now: &Mpd) {
    judge.holds(Check::StartChanged, Place::WHOLE, before.start == now.start, || {
        format!("availabilityStartTime moved by {:+.3} s", in_seconds(now.start - before.start))
    });
    if let (Some(was), Some(is)) = (before.published, now.published) {
        let moved = is.nanos() - was.nanos();
        judge.holds(Check::PublishedBack, Place::WHOLE, moved >= 0, || {
            format!("publishTime went back by {:.3} s", in_seconds(-moved))
        });
    }
    for new in &now.representations {
        let same = |old: &&Representation| (&old.period, &old.id) == (&new.period, &new.id);
        if let Some(old) = before.representations.iter().find(same) {
            same_times(judge, old, new);
        }
    }
}

fn same_times(judge: &mut Judge, old: &Representation, new: &Representation) {
    let (Some(before), Some(now)) = (&old.template, &new.template) else { return };
    let what = |each: &Representation, entry: &Entry| {
        (entry.number, entry.duration, each.media_url(entry).map(String::from).unwrap_or_default())
    };
    match (&before.segments, &now.segments) {
        (Segments::Timeline(was), Segments::Timeline(is)) => {
            let known: HashMap<i64, &Entry> = was.iter().map(|entry| (entry.time, entry)).collect();
            for entry in is {
                let Some(was) = known.get(&entry.time) else { continue };
                let (was, is) = (what(old, was), what(new, entry));
                judge.holds(Check::TimeRenamed, Place::segment(entry.number), was == is, || {
                    format!("S@t={} of {} was {was:?} and is {is:?}", entry.time, new.id)
                });
            }
        }
        (Segments::Every(_), Segments::Every(_)) => {
            // The same number has to be the same time, whatever is said to begin the count.
            let number = before.first_number.max(now.first_number);
            let of = |each: &Representation| {
                let template = each.template.as_ref()?;
                let entry = template.numbered(number)?;
                Some(each.period_start + template.nanos(entry.time - template.offset))
            };
            judge.holds(Check::TimeRenamed, Place::segment(number), of(old) == of(new), || {
                format!("number {number} of {} is at another time than it was", new.id)
            });
        }
        _ => {}
    }
}

/// Judges whether a segment's media begins where the MPD says.
pub(in crate::check) fn time(judge: &mut Judge, each: &Representation, entry: &Entry, piece: Piece<'_>) {
    let (Some(template), Some(first)) = (&each.template, piece.chunks.first()) else { return };
    let said = template.nanos(entry.time);
    let read = |ticks| ticks_to_nanos(ticks, piece.init.timescale);
    let edit = piece.init.edit_start;
    // The earliest presentation time, where an edit list has been applied (7.2.1), is what is meant; some write tfdt.
    let candidates = [first.earliest, first.start, first.earliest - edit, first.start - edit].map(read);
    let off = candidates.into_iter().map(|media| media - said).min_by_key(|off| off.abs()).unwrap_or(0);
    // With @duration, a segment may be off by half its duration (5.3.9.5.3); a timeline is exact, to the coarser of two
    // timescales.
    let coarser = template.timescale.min(piece.init.timescale);
    let slack = match template.segments {
        Segments::Every(duration) => template.nanos(duration) / 2,
        Segments::Timeline(_) if template.timescale == piece.init.timescale => 0,
        Segments::Timeline(_) => NANOS / i64::from(coarser.max(1)),
    };
    judge.holds(Check::TimeNotMedia, piece.place, off.abs() <= slack, || {
        format!("its media begins {:+.6} s from where the MPD says", in_seconds(off))
    });
}

/// How many segments of a representation said when they were made, and how many did not.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct Referenced {
    with: u32,
    without: u32,
}

/// So many segments tell that there is nothing in any.
const ENOUGH: u32 = 3;

/// Judges what a segment says of when it was made against what the MPD says.
pub(in crate::check) fn reference_times(
    judge: &mut Judge,
    seen: &mut Referenced,
    times: &[ReferenceTime],
    timescale: u32,
    piece: Piece<'_>,
) {
    let Some(chunk) = piece.chunks.first().filter(|_| !times.is_empty()) else { return };
    let inband = chunk.reference;
    *(if inband.is_some() { &mut seen.with } else { &mut seen.without }) += 1;
    if times.iter().any(|each| each.inband) {
        // What nobody captured, as a slate, has nothing to say; where nothing ever has, the MPD is wrong.
        if seen.with > 0 {
            judge.holds(Check::ReferenceTimeGap, piece.place, inband.is_some(), || {
                "there is no prft in it".into()
            });
        }
        if seen.with > 0 || seen.without >= ENOUGH {
            judge.holds(Check::ReferenceTimeAbsent, piece.place, seen.with > 0, || {
                format!("there is no prft in any of {} segments", seen.without)
            });
        }
    }
    let Some(inband) = inband else { return };
    for each in times {
        // How far the wall clock is ahead of media time, by each of them.
        let by_mpd = each.wall_clock - ticks_to_nanos(each.presentation_time, timescale);
        let by_media = inband.wall_clock - ticks_to_nanos(inband.media_time, piece.init.timescale);
        let off = by_media - by_mpd;
        judge.holds(Check::ReferenceTimeOff, piece.place, off.abs() <= REFERENCE, || {
            format!("by its prft, it was made {:+.3} s from when ProducerReferenceTime says", in_seconds(off))
        });
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::check::{
        boxes::{Chunk, Defaults, Init, Kind, Reference},
        dash,
        rules::made::judge,
    };

    const TIMELINE: &str = r#"<SegmentTemplate timescale="1000" media="$Number$" startNumber="5"><SegmentTimeline><S t="10000" d="2000" r="2"/></SegmentTimeline></SegmentTemplate>"#;
    const NUMBERS: &str = r#"<SegmentTemplate timescale="1000" media="$Number$" startNumber="5" duration="2000" presentationTimeOffset="10000" availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>"#;

    fn mpd(template: &str) -> Mpd {
        let text = format!(
            r#"<MPD type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-01-01T00:00:10Z"><Period start="PT10S">
            <AdaptationSet><Representation id="a">{template}</Representation></AdaptationSet></Period></MPD>"#
        );
        dash::read(&text, &Url::parse("http://host/a.mpd").unwrap()).unwrap()
    }

    #[track_caller]
    fn assert_found(before: &Mpd, now: &Mpd, expected: &[Check]) {
        let mut judge = judge();
        succession(&mut judge, before, now);
        assert_eq!(judge.found(), expected);
    }

    #[test]
    fn times_keep_their_names() {
        let before = mpd(TIMELINE);
        for (from, to, expected) in [
            (
                "startNumber=\"5\"><SegmentTimeline><S t=\"10000\"",
                "startNumber=\"6\"><SegmentTimeline><S t=\"12000\"",
                &[][..],
            ),
            ("startNumber=\"5\"", "startNumber=\"6\"", &[Check::TimeRenamed; 3]),
            ("$Number$", "x$Number$", &[Check::TimeRenamed; 3]),
            ("d=\"2000\"", "d=\"1999\"", &[Check::TimeRenamed]),
        ] {
            assert_found(&before, &mpd(&TIMELINE.replace(from, to)), expected);
        }
        let before = mpd(NUMBERS);
        assert_found(&before, &before, &[]);
        let moved = NUMBERS.replace("startNumber=\"5\"", "startNumber=\"6\"");
        assert_found(&before, &mpd(&moved), &[Check::TimeRenamed]);
        let moved = moved.replace("Offset=\"10000\"", "Offset=\"12000\"");
        let mut later = mpd(&moved);
        assert_found(&before, &later, &[Check::TimeRenamed]);
        later.representations[0].period_start += 2 * NANOS;
        assert_found(&before, &later, &[]);
    }

    #[test]
    fn start_stays_and_publication_goes_on() {
        let before = mpd(NUMBERS);
        let mut now = before.clone();
        now.start += 1;
        assert_found(&before, &now, &[Check::StartChanged]);
        let back = crate::check::exact::Date::parse("2026-01-01T00:00:09Z");
        assert_found(&before, &Mpd { published: back, ..before.clone() }, &[Check::PublishedBack]);
        let mut judge = judge();
        alone(&mut judge, &before);
        assert_eq!(judge.found(), [Check::ClockAbsent, Check::ServiceDescriptionAbsent, Check::ResyncAbsent]);
    }

    const INIT: Init = Init {
        track: 1,
        kind: Kind::Video,
        timescale: 1000,
        pictures: None,
        edit_start: 0,
        defaults: Defaults { duration: 0, size: 0, flags: 0 },
    };

    fn chunk(start: i64) -> Chunk {
        Chunk { start, duration: 2000, earliest: start, sync: true, idr: None, reference: None, end: 0 }
    }

    #[test]
    fn a_time_is_where_the_media_begins() {
        let entry = Entry { number: 6, time: 12_000, duration: 2000 };
        for (template, start, good) in [
            (TIMELINE, 12_000, true),
            (TIMELINE, 12_001, false),
            (NUMBERS, 12_020, true),
            (NUMBERS, 12_980, true),
            (NUMBERS, 14_000, false),
        ] {
            let (mut judge, mpd, chunks) = (judge(), mpd(template), [chunk(start)]);
            let piece = Piece { place: Place::WHOLE, init: &INIT, chunks: &chunks };
            time(&mut judge, &mpd.representations[0], &entry, piece);
            assert_eq!(judge.found().is_empty(), good, "{start}");
        }
    }

    const TIMES: [ReferenceTime; 1] =
        [ReferenceTime { inband: true, wall_clock: 100 * NANOS, presentation_time: 99_000 }];

    /// What is found of segments whose `prft` gives these milliseconds for media time 102 s.
    fn found(wall_clocks: &[Option<i64>]) -> Vec<Check> {
        let (mut judge, mut seen) = (judge(), Referenced::default());
        for wall_clock in wall_clocks {
            let reference =
                wall_clock.map(|millis| Reference { wall_clock: millis * 1_000_000, media_time: 102_000 });
            let chunks = [Chunk { reference, ..chunk(102_000) }];
            let piece = Piece { place: Place::WHOLE, init: &INIT, chunks: &chunks };
            reference_times(&mut judge, &mut seen, &TIMES, 1000, piece);
        }
        judge.found()
    }

    #[test]
    fn both_reference_times_agree() {
        assert_eq!(found(&[Some(103_000), Some(103_400)]), []);
        assert_eq!(found(&[Some(104_000)]), [Check::ReferenceTimeOff]);
    }

    #[test]
    fn a_segment_that_nobody_captured_is_a_gap_and_if_there_are_only_such_the_mpd_is_wrong() {
        assert_eq!(found(&[None, None]), []);
        assert_eq!(found(&[None, None, None]), [Check::ReferenceTimeAbsent]);
        assert_eq!(found(&[None, None, Some(103_000), None]), [Check::ReferenceTimeGap]);
    }
}
