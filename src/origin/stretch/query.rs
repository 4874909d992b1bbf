//! `start` and `end` of a request: which stretch of a channel is meant. Pure.

use std::{fmt, ops::RangeInclusive, time::Duration};

use chrono::DateTime;

use crate::origin::refusal::Refusal;

const NANOS: i64 = 1_000_000_000;
/// Digits of a fraction of a second that mean something.
const DECIMALS: usize = 9;

/// A stretch of a channel, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// Where it begins.
    pub start: i64,
    /// Where it ends; `None` if it goes on.
    pub end: Option<i64>,
}

/// The query that asks for a stretch: one spelling for all stretches of the same segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Canonical(pub Stretch);

impl Stretch {
    /// What a query asks for; nothing if it has neither parameter.
    ///
    /// # Errors
    /// [`Refusal::StretchTimes`].
    pub fn parse(query: &str) -> Result<Option<Self>, Refusal> {
        let (mut start, mut end) = (None, None);
        for (key, value) in query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            let slot = match key {
                "start" => &mut start,
                "end" => &mut end,
                _ => continue,
            };
            // Twice would be two stretches.
            if slot.replace(time(value).ok_or(Refusal::StretchTimes)?).is_some() {
                return Err(Refusal::StretchTimes);
            }
        }
        match (start, end) {
            (None, None) => Ok(None),
            (Some(start), end) if end.is_none_or(|end| end > start) => Ok(Some(Self { start, end })),
            _ => Err(Refusal::StretchTimes),
        }
    }

    /// Numbers of the segments of which any is in it, where they are so long. One without an end has `longest`.
    pub fn numbers(self, segment: Duration, longest: Duration) -> RangeInclusive<i64> {
        let length = nanos(segment).max(1);
        let end = self.end.unwrap_or_else(|| self.start.saturating_add(nanos(longest)));
        self.start.div_euclid(length)..=(end - 1).div_euclid(length)
    }

    /// True if it is longer than `longest`, as far as it has an end.
    pub fn exceeds(self, longest: Duration) -> bool {
        self.end.is_some_and(|end| end - self.start > nanos(longest))
    }

    /// Rounded outwards to whole segments.
    #[must_use]
    pub fn rounded(self, segment: Duration) -> Canonical {
        let length = nanos(segment).max(1);
        let end = self.end.map(|end| ((end - 1).div_euclid(length) + 1).saturating_mul(length));
        Canonical(Self { start: self.start.div_euclid(length).saturating_mul(length), end })
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// `2026-11-26T03:00:00.5Z` or `1795662000.5` in nanoseconds since the epoch, none of them before it.
pub fn time(text: &str) -> Option<i64> {
    let starts_date = text.as_bytes().get(4) == Some(&b'-');
    if starts_date { date(text) } else { unix(text) }
}

/// RFC 3339 in UTC. Libraries that put URLs together encode the colons, which they need not (RFC 3986 3.4).
fn date(text: &str) -> Option<i64> {
    let text = text.replace("%3A", ":").replace("%3a", ":");
    let utc = text.ends_with('Z').then(|| DateTime::parse_from_rfc3339(&text).ok())??;
    utc.timestamp_nanos_opt().filter(|nanos| *nanos >= 0)
}

fn unix(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(NANOS)?.checked_add(fraction)
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stretch { start, end } = self.0;
        write!(f, "?start={}", Seconds(start))?;
        end.map_or(Ok(()), |end| write!(f, "&end={}", Seconds(end)))
    }
}

/// Nanoseconds as seconds, exact and as short as can be.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 / NANOS)?;
        match self.0 % NANOS {
            0 => Ok(()),
            fraction => write!(f, ".{}", format!("{fraction:0>DECIMALS$}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const TWO: Duration = Duration::from_secs(2);

    #[test]
    fn times_are_dates_or_seconds_and_mean_the_same() {
        let at = 1_795_662_000 * NANOS;
        for (query, start, end) in [
            ("start=2026-11-26T03:00:00Z", at, None),
            ("start=2026-11-26T03%3A00%3a00Z", at, None),
            ("start=1795662000", at, None),
            ("start=1795662000.25&x=1", at + NANOS / 4, None),
            ("_HLS_msn=7&start=2026-11-26T03:00:00.250Z", at + NANOS / 4, None),
            ("end=1795662002&start=1795662000.000000001", at + 1, Some(at + 2 * NANOS)),
            ("start=0&end=0.5", 0, Some(NANOS / 2)),
        ] {
            assert_eq!(Stretch::parse(query), Ok(Some(Stretch { start, end })), "{query}");
        }
        for query in ["", "x=1", "_HLS_msn=1", "starts=1&ending=2", "Start=1"] {
            assert_eq!(Stretch::parse(query), Ok(None), "{query}");
        }
    }

    #[test]
    fn what_is_no_time_or_no_stretch_is_refused() {
        for query in [
            "start",
            "start=",
            "start=now",
            "start=-1",
            "start=+1",
            "start=1.",
            "start=.5",
            "start=1.1234567891",
            "start=1e3",
            "start=99999999999",
            "start=2026-11-26",
            "start=2026-11-26T03:00:00",
            "start=2026-11-26T03:00:00+01:00",
            "start=2026-13-26T03:00:00Z",
            "start=1066-10-14T09:00:00Z",
            "start=1&start=1",
            "start=1&end=2&end=2",
            "end=5",
            "start=5&end=5",
            "start=5&end=4",
            "start=5&end=x",
        ] {
            assert_eq!(Stretch::parse(query), Err(Refusal::StretchTimes), "{query}");
        }
    }

    #[test]
    fn a_stretch_is_rounded_outwards_to_segments_and_has_one_spelling() {
        let of = |query: &str| Stretch::parse(query).unwrap().unwrap();
        for (query, segment, numbers, canonical) in [
            ("start=10&end=20", TWO, 5..=9, "?start=10&end=20"),
            ("start=11.9&end=18.1", TWO, 5..=9, "?start=10&end=20"),
            ("start=10", TWO, 5..=43_204, "?start=10"),
            ("start=3&end=3.1", Duration::from_millis(1920), 1..=1, "?start=1.92&end=3.84"),
        ] {
            let stretch = of(query);
            assert_eq!(stretch.numbers(segment, DAY), numbers, "{query}");
            let rounded = stretch.rounded(segment);
            assert_eq!(rounded.to_string(), canonical, "{query}");
            let again = of(canonical.trim_start_matches('?'));
            assert_eq!(again.rounded(segment), rounded, "{query}");
            assert_eq!(again.numbers(segment, DAY), numbers, "{query}");
        }
        assert!(of("start=0&end=86400.1").exceeds(DAY));
        assert!(!of("start=0&end=86400").exceeds(DAY) && !of("start=0").exceeds(DAY));
    }
}
