//! How long the filler's runs have to be.

use std::collections::BTreeSet;

use headwater_packager::time::{FrameRate, Grid};

const NANOS: u128 = 1_000_000_000;

/// All numbers of frames that a part of a segment can have, the shorter last part of a segment included: whole
/// frames seldom divide a part, so that it has sometimes one more and sometimes one less.
pub(super) fn run_lengths(grid: &Grid, rate: FrameRate) -> BTreeSet<u32> {
    let segment = grid.segment.as_nanos();
    let part = grid.part.as_nanos().clamp(1, segment.max(1));
    let last = segment - part * (segment.div_ceil(part) - 1);
    [part, last].into_iter().flat_map(|nanos| frames(nanos, rate)).filter(|&frames| frames > 0).collect()
}

fn frames(nanos: u128, rate: FrameRate) -> [u32; 2] {
    let (num, den) = (nanos * u128::from(rate.num.get()), NANOS * u128::from(rate.den.get()));
    [(num / den) as u32, num.div_ceil(den) as u32]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_part_of_a_day_has_a_run_of_its_length() {
        for (segment, part) in [(2000, 400), (2000, 333), (1920, 500), (6000, 6000), (4000, 1001), (1000, 40)]
        {
            let grid = Grid { segment: Duration::from_millis(segment), part: Duration::from_millis(part) };
            for (num, den) in [(30, 1), (30000, 1001), (25, 1), (24000, 1001), (60000, 1001), (12, 1)] {
                let rate = FrameRate::new(num, den).unwrap();
                let (timescale, frame) = rate.timescale();
                let lengths = run_lengths(&grid, rate);
                assert!(lengths.len() <= 4);
                let start = 1_800_000_000_000 / i64::try_from(segment).unwrap();
                for number in start..start + 86_400_000 / i64::try_from(segment).unwrap() / 16 {
                    for index in 0..grid.parts_per_segment() {
                        let line = |index| -(-grid.part_start(number, index, timescale)).div_euclid(frame);
                        let frames = line(index + 1) - line(index);
                        let known = frames == 0 || lengths.contains(&u32::try_from(frames).unwrap());
                        assert!(known, "{frames} of {lengths:?} at {rate}, {segment}/{part}");
                    }
                }
            }
        }
    }
}
