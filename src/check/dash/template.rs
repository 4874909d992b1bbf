//! Template identifiers (ISO/IEC 23009-1 5.3.9.4.4), and what follows from a template.

use reqwest::Url;

use super::{Entry, Representation, Segments, Template};
use crate::check::exact::ticks_to_nanos;

/// What the identifiers in a template stand for.
struct Values<'a> {
    id: &'a str,
    bandwidth: u64,
    number: u64,
    time: i64,
}

impl Representation {
    pub(in crate::check) fn init_url(&self) -> Option<Url> {
        let template = self.template.as_ref()?;
        let values = Values { id: &self.id, bandwidth: self.bandwidth, number: 0, time: 0 };
        self.base.join(&fill(template.init.as_ref()?, &values)).ok()
    }

    /// Its template, if numbers follow from the clock.
    pub(in crate::check) fn numbered_template(&self) -> Option<&Template> {
        self.template.as_ref().filter(|template| matches!(template.segments, Segments::Every(_)))
    }

    pub(in crate::check) fn media_url(&self, entry: &Entry) -> Option<Url> {
        let template = self.template.as_ref()?;
        let values =
            Values { id: &self.id, bandwidth: self.bandwidth, number: entry.number, time: entry.time };
        self.base.join(&fill(&template.media, &values)).ok()
    }
}

impl Template {
    /// The segment with a number, where they follow from the clock: its media time and duration.
    pub(in crate::check) fn numbered(&self, number: u64) -> Option<Entry> {
        let Segments::Every(duration) = self.segments else { return None };
        let index = i64::try_from(number.checked_sub(self.first_number)?).ok()?;
        Some(Entry { number, time: index.checked_mul(duration)?.checked_add(self.offset)?, duration })
    }

    /// The number of the first segment that begins after a media time in nanoseconds, where numbers follow from the
    /// clock.
    pub(in crate::check) fn number_after(&self, media: i64) -> Option<u64> {
        let Segments::Every(duration) = self.segments else { return None };
        let index = (media - self.nanos(self.offset)).div_euclid(self.nanos(duration).max(1)) + 1;
        self.first_number.checked_add(u64::try_from(index.max(0)).ok()?)
    }

    /// Nanoseconds of a span of media time.
    pub(in crate::check) fn nanos(&self, ticks: i64) -> i64 {
        ticks_to_nanos(ticks, self.timescale)
    }

    /// Nanoseconds from the start of the Period to the end of a segment.
    pub(in crate::check) fn end_in_period(&self, entry: &Entry) -> i64 {
        self.nanos(entry.time + entry.duration - self.offset)
    }
}

fn fill(template: &str, values: &Values<'_>) -> String {
    // Between dollar signs are identifiers; two of them are one.
    let mut out = String::new();
    for (index, piece) in template.split('$').enumerate() {
        if index % 2 == 0 {
            out.push_str(piece);
            continue;
        }
        let (name, format) = piece.split_once('%').unwrap_or((piece, ""));
        let value = match name {
            "RepresentationID" => values.id.to_owned(),
            "Bandwidth" => values.bandwidth.to_string(),
            "Number" => values.number.to_string(),
            "Time" => values.time.to_string(),
            _ => "$".to_owned(),
        };
        let width = format.trim_start_matches('0').trim_end_matches('d').parse().unwrap_or(0).min(32);
        out.push_str(&format!("{value:0>width$}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_filled_in() {
        let values = Values { id: "720p", bandwidth: 5, number: 42, time: 900 };
        for (template, filled) in [
            ("$RepresentationID$/$Number$.m4s", "720p/42.m4s"),
            ("$Number%05d$-$Time$.mp4", "00042-900.mp4"),
            ("$Bandwidth$/$$/a", "5/$/a"),
            ("plain", "plain"),
        ] {
            assert_eq!(fill(template, &values), filled);
        }
    }

    #[test]
    fn numbers_count_from_the_start_of_the_period() {
        let template = Template {
            timescale: 1000,
            offset: 10_000,
            first_number: 5,
            init: None,
            media: String::new(),
            segments: Segments::Every(2000),
        };
        let entry = template.numbered(7).unwrap();
        assert_eq!((entry.time, entry.duration), (14_000, 2000));
        assert_eq!(template.end_in_period(&entry), 6_000_000_000);
        assert_eq!(template.numbered(4), None);
        let after = |media: i64| template.number_after(media * 1_000_000);
        assert_eq!([0, 9_999, 10_000, 14_999, 15_000].map(after), [5, 5, 6, 8, 8].map(Some));
    }
}
