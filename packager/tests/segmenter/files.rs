//! Files: cut at sync samples.

use headwater_packager::{
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::Ticks,
};
use proptest::prelude::*;

use crate::made::{Made, TWO_SECONDS, audio, video};

const CUT: Cut = Cut::Sync(TWO_SECONDS);

/// Frames of varying duration, the first and about one in twelve of the others a sync sample, from `start`.
fn variable(start: Ticks) -> impl Strategy<Value = Vec<Sample>> {
    let made = video(360, 25, 1);
    prop::collection::vec((1u32..4000, 0u8..12), 1..400).prop_map(move |frames| {
        let mut next = start;
        let sample = |(index, (duration, dice)): (usize, (u32, u8))| {
            let sample = Sample { duration, ..made.sample(next, index == 0 || dice == 0) };
            next = sample.end();
            sample
        };
        frames.into_iter().enumerate().map(sample).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn segments_begin_at_the_first_sync_sample_behind_a_line(samples in variable(0)) {
        let made = video(360, 25, 1);
        let mut rest = &samples[..];
        let (mut expected, mut next) = (1, 0);
        let mut parts: Ticks = 0;
        for output in made.cut(CUT, samples.clone()) {
            match output {
                Output::Chunk { number, chunk, .. } => {
                    prop_assert_eq!((number, chunk.start), (expected, next));
                    let (own, others) = rest.split_at(chunk.samples);
                    // No chunk is longer than the target, and none could have had one sample more.
                    prop_assert!(chunk.duration <= 10_000 || chunk.samples == 1);
                    prop_assert_eq!(own.iter().map(|sample| Ticks::from(sample.duration)).sum::<Ticks>(), chunk.duration);
                    rest = others;
                    next += chunk.duration;
                    parts += chunk.duration;
                }
                Output::Segment { number, start, duration } => {
                    prop_assert_eq!((number, start + duration, duration), (expected, next, parts));
                    let line = (start / 50_000 + 1) * 50_000;
                    let due = samples.iter().find(|sample| sample.sync && sample.dts >= line);
                    prop_assert_eq!(rest.first().map(|sample| sample.dts), due.map(|sample| sample.dts));
                    expected += 1;
                    parts = 0;
                }
            }
        }
        prop_assert!(rest.is_empty());
    }
}

fn brands(output: &Output) -> Option<bool> {
    let Output::Chunk { part: 0, chunk, .. } = output else { return None };
    Some(chunk.header.windows(4).take(48).any(|brand| brand == b"lmsg"))
}

fn in_one_piece(made: &Made, cut: Cut, samples: &[Sample]) -> Vec<Output> {
    let mut segmenter = Segmenter::marking_last(made.track.clone(), cut);
    let mut outputs: Vec<_> =
        samples.iter().flat_map(|sample| segmenter.push(sample.clone()).unwrap()).collect();
    outputs.extend(segmenter.finish());
    outputs
}

#[test]
fn the_last_segment_of_a_file_says_so() {
    // Ended on a line, in a first chunk, in a later one.
    for count in [100, 103, 127] {
        let made = video(360, 25, 1);
        let samples: Vec<_> = (0..count).map(|frame| made.sample(frame * 1000, frame % 50 == 0)).collect();
        for cut in [CUT, Cut::Grid(TWO_SECONDS)] {
            let marked = in_one_piece(&made, cut, &samples);
            let plain = made.cut(cut, samples.clone());
            assert_eq!(marked.len(), plain.len());
            let marks: Vec<_> = marked.iter().filter_map(brands).collect();
            let last = marks.len() - 1;
            assert!(marks.iter().enumerate().all(|(index, &mark)| mark == (index == last)), "{marks:?}");
            assert!(plain.iter().filter_map(brands).all(|mark| !mark));
        }
    }
}

#[test]
fn sound_is_cut_beside_the_pictures() {
    let made = audio("en", 44_100);
    let samples: Vec<_> = (0..300).map(|block| made.sample(block * 1024, true)).collect();
    let starts: Vec<_> = made
        .cut(CUT, samples)
        .iter()
        .filter_map(|output| match output {
            Output::Segment { number, start, .. } => Some((*number, *start)),
            Output::Chunk { .. } => None,
        })
        .collect();
    assert_eq!(starts, [(1, 0), (2, 87 * 1024), (3, 173 * 1024), (4, 259 * 1024)]);
}
