//! Which segments of a template can be asked for when (ISO/IEC 23009-1 5.3.9.5.3, annex A.3).

use crate::check::dash::{Entry, Mpd, Representation, Segments, Template};

/// When a segment exists, in nanoseconds since the Unix epoch on the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct Times {
    /// It can be asked for.
    pub(in crate::check) due: i64,
    /// Its last sample is over.
    pub(in crate::check) end: i64,
    /// It may be gone.
    pub(in crate::check) gone: i64,
}

/// When a segment of a representation exists.
pub(in crate::check) fn times(mpd: &Mpd, each: &Representation, template: &Template, entry: &Entry) -> Times {
    let end = mpd.start + each.period_start + template.end_in_period(entry);
    let early = if each.early == i64::MAX { 0 } else { each.early };
    let kept = mpd.time_shift.unwrap_or(i64::MAX / 4).saturating_add(template.nanos(entry.duration));
    Times { due: end - early, end, gone: end.saturating_add(kept) }
}

/// The numbers that can be asked for at `now` on the server's clock, where they follow from it: the oldest and the
/// newest.
pub(in crate::check) fn numbers(
    mpd: &Mpd,
    each: &Representation,
    template: &Template,
    now: i64,
) -> Option<(u64, u64)> {
    let Segments::Every(duration) = template.segments else { return None };
    let span = template.nanos(duration).max(1);
    let begin = mpd.start + each.period_start;
    let early = if each.early == i64::MAX { 0 } else { each.early };
    // Segment i ends at begin + (i + 1) * span, and is due so much earlier.
    let newest = (now + early - begin).div_euclid(span) - 1;
    let in_period = each.period_duration.map_or(i64::MAX, |period| (period + span - 1) / span - 1);
    let newest = u64::try_from(newest.min(in_period)).ok()?;
    let depth = mpd.time_shift.map_or(0, |shift| (now - shift - begin).div_euclid(span));
    let oldest = u64::try_from(depth).unwrap_or(0).min(newest);
    Some((template.first_number + oldest, template.first_number + newest))
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::check::{dash, exact::NANOS};

    fn mpd(offset: &str, period: &str) -> Mpd {
        let text = format!(
            r#"<MPD type="dynamic" availabilityStartTime="1970-01-01T00:16:40Z" timeShiftBufferDepth="PT10S">
            <Period start="PT100S"{period}><AdaptationSet><Representation id="a">
            <SegmentTemplate timescale="1000" media="$Number$" startNumber="50" duration="2000"{offset}/>
            </Representation></AdaptationSet></Period></MPD>"#
        );
        dash::read(&text, &Url::parse("http://host/a.mpd").unwrap()).unwrap()
    }

    #[test]
    fn a_number_is_due_at_its_end_or_earlier_by_the_offset() {
        let early = " availabilityTimeOffset=\"1.5\"";
        // Seconds since AST and Period@start, in tenths; what is the oldest and newest then.
        for (offset, tenths, expected) in [
            ("", 19, None),
            ("", 20, Some((50, 50))),
            ("", 39, Some((50, 50))),
            ("", 40, Some((50, 51))),
            ("", 200, Some((55, 59))),
            (early, 4, None),
            (early, 5, Some((50, 50))),
            (early, 25, Some((50, 51))),
            (early, 205, Some((55, 60))),
        ] {
            let mpd = mpd(offset, "");
            let each = &mpd.representations[0];
            let now = 1100 * NANOS + tenths * NANOS / 10;
            assert_eq!(
                numbers(&mpd, each, each.template.as_ref().unwrap(), now),
                expected,
                "{offset} {tenths}"
            );
        }
    }

    #[test]
    fn times_agree_with_numbers() {
        let mpd = mpd(" availabilityTimeOffset=\"1.5\"", "");
        let each = &mpd.representations[0];
        let template = each.template.as_ref().unwrap();
        let times = times(&mpd, each, template, &template.numbered(52).unwrap());
        assert_eq!((times.due, times.end, times.gone), (1_104_500_000_000, 1106 * NANOS, 1118 * NANOS));
    }

    #[test]
    fn a_period_that_ends_has_no_more_numbers() {
        let mpd = mpd("", " duration=\"PT5S\"");
        let each = &mpd.representations[0];
        assert_eq!(numbers(&mpd, each, each.template.as_ref().unwrap(), 1120 * NANOS), Some((52, 52)));
    }
}
