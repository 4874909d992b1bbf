//! How long parts become: EXT-X-PART-INF:PART-TARGET (rfc8216bis 4.4.3.7).

use std::time::Duration;

use thiserror::Error;

use crate::time::{Grid, Ticks, Timescale};

const NANOS: i128 = 1_000_000_000;
/// All parts but the last of a segment are at least as many hundredths of the part target (rfc8216bis 4.4.4.9).
const LEAST_PERCENT: i128 = 85;

/// Why there can be no parts of a duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartError {
    /// A part is a whole number of frames, and with these frames that makes too much of a difference.
    #[error(
        "parts of {} would be from {} to {} long, as each is a whole number of frames, and players want all but \
         the last of a segment to be at least {LEAST_PERCENT} % of the longest: {} would do",
        millis(.part), millis(.shortest), millis(.longest), choice(*.below, *.above)
    )]
    Uneven {
        /// What was asked for.
        part: Duration,
        /// The shortest part that is not the last of its segment, in any track.
        shortest: Duration,
        /// The longest part in any track.
        longest: Duration,
        /// The next shorter duration, in whole milliseconds, that is right.
        below: Option<Duration>,
        /// The next longer duration, in whole milliseconds, that is right.
        above: Option<Duration>,
    },
}

/// The longest a part can be in any track, rounded up to the nanosecond, where part `k` of segment `n` begins with the
/// first sample at or behind `n * grid.segment + k * grid.part` and samples are laid without gaps from zero. `steps` are
/// the tracks' timescales and the durations of their samples.
///
/// The last part of a segment is shorter where the segment is not a whole number of parts, and may be missing where
/// what remains is shorter than a sample.
///
/// # Errors
/// When a part that is not the last of its segment could be shorter than 85 % of that, in any track.
pub fn part_target(
    grid: &Grid,
    steps: impl Iterator<Item = (Timescale, Ticks)>,
) -> Result<Duration, PartError> {
    let steps: Vec<_> = steps.collect();
    let spread = Spread::of(grid, &steps);
    if spread.is_even() {
        return Ok(duration(spread.longest));
    }
    let asked = grid.part.as_millis() as u64;
    let is_right =
        |&millis: &u64| Spread::of(&Grid { part: Duration::from_millis(millis), ..*grid }, &steps).is_even();
    Err(PartError::Uneven {
        part: grid.part,
        shortest: duration(spread.shortest.unwrap_or(0)),
        longest: duration(spread.longest),
        below: (1..asked).rev().find(is_right).map(Duration::from_millis),
        above: (asked + 1..=grid.segment.as_millis() as u64).find(is_right).map(Duration::from_millis),
    })
}

/// Durations of parts in nanoseconds.
struct Spread {
    /// Of the shortest that is not the last of its segment, rounded down; none if a segment is one part.
    shortest: Option<i128>,
    /// Of the longest, rounded up.
    longest: i128,
}

impl Spread {
    fn of(grid: &Grid, steps: &[(Timescale, Ticks)]) -> Self {
        let all = steps.iter().map(|&(timescale, step)| Self::of_track(grid, timescale, step.max(1)));
        let nothing = Self { shortest: None, longest: 0 };
        all.fold(nothing, |all, each| Self {
            shortest: all.shortest.into_iter().chain(each.shortest).min(),
            longest: all.longest.max(each.longest),
        })
    }

    fn of_track(grid: &Grid, timescale: Timescale, step: Ticks) -> Self {
        // All in units in which ticks and nanoseconds are whole numbers.
        let hz = i128::from(timescale.hz());
        let units = |duration: Duration| (duration.as_nanos() as i128).max(1) * hz;
        let (segment, part, step) = (units(grid.segment), units(grid.part), i128::from(step) * NANOS);
        let in_nanos = |count: i128| (count * step).div_euclid(hz);
        if part < step {
            // Some parts would have no sample, and there may be more lines than one can look at.
            return Self { shortest: Some(0), longest: -(-step).div_euclid(hz) };
        }
        // From one segment to the next, a line moves between the samples around it by a multiple of this.
        let shift = gcd(segment, step);
        let samples = |line: i128| {
            // Distance of the line from the sample boundary before it, the least that occurs, which is not zero but a
            // whole step at best: how many boundaries there are from it up to but without the next line.
            let phase = line.rem_euclid(shift);
            let least = if phase == 0 { shift } else { phase };
            -(-(least + part)).div_euclid(step) - 1
        };
        let lines = std::iter::successors(Some(0), |line| Some(line + part));
        let fewest = lines.take_while(|line| line + part < segment).map(samples).min();
        // From a line that is a boundary itself, as there is in some segment: the first.
        let most = -(-part.min(segment)).div_euclid(step);
        Self { shortest: fewest.map(in_nanos), longest: -(-most * step).div_euclid(hz) }
    }

    fn is_even(&self) -> bool {
        self.shortest.is_none_or(|shortest| shortest * 100 >= self.longest * LEAST_PERCENT)
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(nanos as u64)
}

fn millis(duration: &Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64() * 1000.0);
    format!("{} ms", text.trim_end_matches('0').trim_end_matches('.'))
}

fn choice(below: Option<Duration>, above: Option<Duration>) -> String {
    let all: Vec<_> = below.iter().chain(&above).map(millis).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(" or ") }
}
