//! Times as they are printed: exact decimals, never floating point, as invariants hold to the tick.

use chrono::{DateTime, FixedOffset, NaiveDateTime};

pub(super) const NANOS: i64 = 1_000_000_000;

/// A span of time in seconds, as a decimal that was printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds {
    nanos: i64,
    unit: i64,
}

impl Seconds {
    /// Reads `2`, `1.96` or `0.333333`; `None` for anything else, as for a sign or an exponent
    /// (rfc8216bis 4.2: decimal-floating-point).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return None;
        }
        let shown = fraction.get(..9).unwrap_or(fraction);
        let unit = 10_i64.pow(9 - shown.len() as u32);
        let part = if shown.is_empty() { 0 } else { shown.parse::<i64>().ok()? };
        let nanos = whole.parse::<i64>().ok()?.checked_mul(NANOS)?.checked_add(part * unit)?;
        Some(Self { nanos, unit })
    }

    /// Nanoseconds.
    pub(super) fn nanos(self) -> i64 {
        self.nanos
    }

    /// How far the printed value may be from what it stands for, in nanoseconds: half of the last printed digit.
    pub(super) fn slack(self) -> i64 {
        (self.unit + 1) / 2
    }

    /// For display and for thresholds that are not sharp.
    pub(super) fn seconds(self) -> f64 {
        in_seconds(self.nanos)
    }
}

/// Nanoseconds as seconds, for display.
pub(super) fn in_seconds(nanos: i64) -> f64 {
    nanos as f64 / NANOS as f64
}

/// `ticks` of a timescale in nanoseconds, rounded to the nearest; saturates far beyond any clock.
pub(super) fn ticks_to_nanos(ticks: i64, timescale: u32) -> i64 {
    let hz = i128::from(timescale.max(1));
    let nanos = (i128::from(ticks) * i128::from(NANOS) + hz / 2).div_euclid(hz);
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// A date that was printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    nanos: i64,
    unit: i64,
}

impl Date {
    /// Reads an ISO 8601 date with a time. One without a time zone is taken for UTC, as an xs:dateTime in an MPD
    /// mostly means it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let moment = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::<FixedOffset>::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
            .map(|date| date.to_utc())
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|date| date.and_utc())
            })
            .ok()?;
        let decimals = text
            .split_once('.')
            .map_or(0, |(_, behind)| behind.bytes().take_while(u8::is_ascii_digit).count().min(9));
        Some(Self { nanos: moment.timestamp_nanos_opt()?, unit: 10_i64.pow(9 - decimals as u32) })
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn nanos(self) -> i64 {
        self.nanos
    }

    /// How far the printed date may be from what it stands for: a unit, as dates are cut as often as rounded.
    pub(super) fn slack(self) -> i64 {
        self.unit
    }
}

/// Reads an xs:duration such as `PT1.5S` or `P1DT2H`, in nanoseconds. Years and months have no fixed length; they
/// are taken for 365 and 30 days, as players do.
pub(super) fn duration(text: &str) -> Option<i64> {
    let rest = text.trim().strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    const DAY: i64 = 86_400;
    let days = components(days, &[('Y', 365 * DAY), ('M', 30 * DAY), ('D', DAY)])?;
    let time = components(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    days.checked_add(time)
}

fn components(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum = 0_i64;
    for (letter, seconds) in units {
        if let Some((number, rest)) = text.split_once(*letter) {
            sum = sum.checked_add(Seconds::parse(number)?.nanos.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_to_the_nanosecond_and_know_how_exactly_they_were_said() {
        for (text, nanos, slack) in [
            ("2", 2_000_000_000, 500_000_000),
            ("1.96", 1_960_000_000, 5_000_000),
            ("0.333333333", 333_333_333, 1),
            ("0.3333333333", 333_333_333, 1),
            ("6.00600", 6_006_000_000, 5_000),
        ] {
            let read = Seconds::parse(text).unwrap();
            assert_eq!((read.nanos(), read.slack()), (nanos, slack), "{text}");
        }
        for text in ["", "-1", "+1", "1e3", "a", "1.x", ".5", "99999999999"] {
            assert!(Seconds::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn dates_are_read_in_all_their_forms() {
        for (text, nanos) in [
            ("1970-01-01T00:00:01.5Z", 1_500_000_000),
            ("1970-01-01T01:00:01+01:00", NANOS),
            ("1970-01-01T01:00:01.250+0100", 1_250_000_000),
            ("1970-01-01T00:00:01", NANOS),
        ] {
            assert_eq!(Date::parse(text).map(Date::nanos), Some(nanos), "{text}");
        }
        assert_eq!(Date::parse("1970-01-01T00:00:01.250Z").unwrap().slack(), 1_000_000);
        assert!(Date::parse("yesterday").is_none());
    }

    #[test]
    fn durations_are_read_in_all_their_forms() {
        for (text, nanos) in [
            ("PT2S", Some(2 * NANOS)),
            ("PT0.4S", Some(400_000_000)),
            ("PT1H2M3.5S", Some(3_723_500_000_000)),
            ("P1DT1S", Some(86_401 * NANOS)),
            // A Period on the epoch grid.
            ("PT1795529108S", Some(1_795_529_108 * NANOS)),
            ("PT99999999999S", None),
            ("2S", None),
            ("PT2X", None),
        ] {
            assert_eq!(duration(text), nanos, "{text}");
        }
    }

    #[test]
    fn ticks_are_rounded_to_the_nearest_nanosecond() {
        assert_eq!(ticks_to_nanos(1, 3), 333_333_333);
        assert_eq!(ticks_to_nanos(2, 3), 666_666_667);
        assert_eq!(ticks_to_nanos(54_000_000_000_000, 30_000), 1_800_000_000 * NANOS);
        assert_eq!(ticks_to_nanos(i64::MAX, 1), i64::MAX);
    }
}
