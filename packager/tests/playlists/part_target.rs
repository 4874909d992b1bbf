//! How long parts become, and which durations are refused.

use std::time::Duration;

use headwater_packager::{
    hls::{PartError, part_target},
    segmenter::{Cut, Output},
    time::Grid,
};
use proptest::prelude::*;

use crate::made::{Made, audio, video};

const RATES: [(u32, u32); 8] =
    [(24, 1), (24000, 1001), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1)];

fn grid(segment: u64, part: u64) -> Grid {
    Grid { segment: Duration::from_millis(segment), part: Duration::from_millis(part) }
}

fn target(grid: &Grid, tracks: &[Made]) -> Result<Duration, PartError> {
    part_target(grid, tracks.iter().map(|made| (made.track.timescale, made.step.into())))
}

fn nanos(duration: Result<Duration, PartError>) -> u128 {
    duration.unwrap().as_nanos()
}

#[test]
fn parts_of_400_ms_are_right_at_every_common_frame_rate() {
    for (num, den) in RATES {
        for segment in [1920, 2000, 2002, 4000, 6000] {
            for sound in [48_000, 44_100] {
                target(&grid(segment, 400), &[video(720, num, den), audio("en", sound)]).unwrap();
            }
        }
    }
}

#[test]
fn the_longest_part_is_known_to_the_nanosecond() {
    let two_seconds = grid(2000, 400);
    let of = |made: Made| nanos(target(&two_seconds, &[made]));
    assert_eq!(of(video(720, 25, 1)), 400_000_000);
    // 10 frames, 10 frames, 12 frames, 24 frames, 19 frames of sound.
    assert_eq!(of(video(720, 24, 1)), 416_666_667);
    assert_eq!(of(video(720, 24000, 1001)), 417_083_334);
    assert_eq!(of(video(720, 30000, 1001)), 400_400_000);
    assert_eq!(of(video(720, 60000, 1001)), 400_400_000);
    assert_eq!(of(audio("en", 48_000)), 405_333_334);
    let both = [video(720, 24, 1), audio("en", 48_000)];
    assert_eq!(nanos(target(&two_seconds, &both)), 416_666_667);
}

#[test]
fn parts_that_differ_too_much_are_refused_with_what_would_do() {
    let tracks = [video(720, 24, 1), audio("en", 48_000)];
    let refused = target(&grid(2000, 200), &tracks).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "parts of 200 ms would be from 166.667 ms to 213.333 ms long, as each is a whole number of frames, and \
         players want all but the last of a segment to be at least 85 % of the longest: 166 ms or 204 ms would do"
    );
    let PartError::Uneven { below, above, .. } = refused;
    for part in [below, above] {
        target(&Grid { part: part.unwrap(), ..grid(2000, 0) }, &tracks).unwrap();
    }
}

#[test]
fn a_part_without_a_frame_is_refused() {
    let PartError::Uneven { shortest, below, .. } =
        target(&grid(2000, 30), &[video(720, 25, 1)]).unwrap_err();
    assert_eq!((shortest, below), (Duration::ZERO, None));
    assert_eq!(nanos(target(&grid(2000, 40), &[video(720, 25, 1)])), 40_000_000);
}

#[test]
fn a_short_last_part_is_allowed_and_so_is_none() {
    // The seventh part is 40 ms long, a frame, or there is none for sound now and then: 1920 ms + 80 ms.
    assert_eq!(nanos(target(&grid(2000, 320), &[video(720, 25, 1)])), 320_000_000);
    // The tail of 2 ms has no frame at all.
    assert_eq!(nanos(target(&grid(2000, 333), &[video(720, 25, 1)])), 360_000_000);
    assert_eq!(nanos(target(&grid(2000, 2000), &[video(720, 25, 1)])), 2_000_000_000);
    assert_eq!(nanos(target(&grid(2000, 3000), &[video(720, 25, 1)])), 2_000_000_000);
}

fn tracks() -> impl Strategy<Value = Made> {
    let all: Vec<_> = RATES.map(|(num, den)| video(720, num, den)).into();
    prop::sample::select([all, vec![audio("en", 48_000), audio("en", 44_100)]].concat())
}

/// Durations in nanoseconds, rounded down and up, of the parts that the segmenter makes: of those that are not the last
/// of their segment, and of all.
fn cut(made: &Made, grid: Grid, from: i64, to: i64) -> (Vec<u128>, Vec<u128>) {
    let (mut inner, mut all) = (Vec::new(), Vec::new());
    let mut pending: Option<(i64, u128)> = None;
    for output in made.cut(Cut::Grid(grid), made.samples(grid, from, to)) {
        let Output::Chunk { number, chunk, .. } = output else { continue };
        let (ticks, hz) = (chunk.duration as u128 * 1_000_000_000, u128::from(made.track.timescale.hz()));
        inner.extend(pending.filter(|(before, _)| *before == number).map(|(_, floor)| floor));
        pending = Some((number, ticks / hz));
        all.push(ticks.div_ceil(hz));
    }
    (inner, all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_part_is_longer_and_all_but_the_last_are_almost_as_long(
        made in tracks(), segment in 500u64..4000, part in 50u64..1000, from in 0i64..(1 << 31),
    ) {
        let grid = grid(segment, part);
        let (inner, all) = cut(&made, grid, from, from + 20);
        if let Ok(target) = target(&grid, std::slice::from_ref(&made)) {
            let target = target.as_nanos();
            prop_assert!(all.iter().all(|&nanos| nanos <= target), "{all:?} above {target}");
            prop_assert!(inner.iter().all(|nanos| nanos * 100 >= target * 85), "{inner:?} below 85 % of {target}");
        }
    }
}

/// What is computed is not only a bound: it occurs, and so does the shortest part of a refusal.
#[test]
fn the_longest_and_the_shortest_part_occur() {
    for (made, segment, part) in [
        (video(720, 24, 1), 2000, 400),
        (video(720, 24, 1), 2000, 200),
        (video(720, 30000, 1001), 2000, 400),
        (video(720, 30000, 1001), 2000, 150),
        (video(720, 25, 1), 2000, 90),
        (audio("en", 48_000), 2000, 100),
        (audio("en", 44_100), 1920, 400),
    ] {
        let grid = grid(segment, part);
        // After 3003 segments every phase has occurred: 1001 with 29.97 fps, 32 or 441 with sound.
        let (inner, all) = cut(&made, grid, 849_000_000, 849_000_000 + 3003);
        let (shortest, longest) = (*inner.iter().min().unwrap(), *all.iter().max().unwrap());
        match target(&grid, std::slice::from_ref(&made)) {
            Ok(target) => assert_eq!(longest, target.as_nanos(), "{part} ms"),
            Err(PartError::Uneven { shortest: told, longest: target, .. }) => {
                assert_eq!((shortest, longest), (told.as_nanos(), target.as_nanos()), "{part} ms");
            }
        }
    }
}
