//! Live and ladder output: cut on the lines.

use std::time::Duration;

use headwater_packager::{
    chunk::Chunk,
    sample::Sample,
    segmenter::{Cut, Error, Output, Segmenter},
    time::{Grid, Ticks, Timescale},
};
use mp4_atom::{Any, ReadFrom};
use proptest::prelude::*;

use crate::made::{Made, NOW, TWO_SECONDS, audio, video};

fn tracks() -> Vec<Made> {
    let mut tracks: Vec<_> = [(24000, 1001), (25, 1), (30000, 1001), (30, 1), (60000, 1001), (60, 1)]
        .map(|(num, den)| video(720, num, den))
        .into();
    tracks.extend([audio("en", 48_000), audio("en", 44_100)]);
    tracks
}

fn grids() -> impl Strategy<Value = Grid> {
    (
        prop::sample::select(vec![1000, 1920, 2000, 2002, 6000]),
        prop::sample::select(vec![200, 333, 400, 1000]),
    )
        .prop_map(|(segment, part)| Grid {
            segment: Duration::from_millis(segment),
            part: Duration::from_millis(part),
        })
}

/// All boxes that an independent parser finds in front of a chunk's data.
fn boxes(chunk: &Chunk) -> Vec<Any> {
    // Without the header of the mdat, whose data says nothing.
    let mut rest = &chunk.header[..chunk.header.len() - 8];
    let mut boxes = Vec::new();
    while let Some(any) = Option::<Any>::read_from(&mut rest).unwrap() {
        boxes.push(any);
    }
    boxes
}

/// `tfdt` and number of samples by an independent parser, and whether there is a `styp`.
fn parsed(chunk: &Chunk) -> (u64, usize, bool) {
    let boxes = boxes(chunk);
    let styp = matches!(boxes[0], Any::Styp(_));
    let moof =
        boxes.iter().find_map(|any| if let Any::Moof(moof) = any { Some(moof) } else { None }).unwrap();
    let traf = &moof.traf[0];
    let count = traf.trun.iter().map(|trun| trun.samples.len()).sum();
    (traf.tfdt.as_ref().unwrap().base_media_decode_time, count, styp)
}

/// Holds the outputs of consecutive segments to what they promise.
fn check(made: &Made, grid: Grid, from: i64, to: i64, outputs: &[Output]) {
    let timescale = made.track.timescale;
    let (mut next, mut number, mut parts) = (made.start(grid, from), from, Vec::new());
    for output in outputs {
        match output {
            Output::Chunk { number: of, part, chunk } => {
                assert_eq!((*of, *part as usize, chunk.start), (number, parts.len(), next));
                assert_eq!(parsed(chunk), (chunk.start as u64, chunk.samples, *part == 0));
                assert_eq!(chunk.duration, chunk.samples as i64 * i64::from(made.step));
                assert!(chunk.independent || *part > 0);
                let longest = timescale.ceil(grid.part.as_nanos() as i128) + i64::from(made.step);
                assert!(chunk.duration < longest.max(i64::from(made.step) + 1), "{}", chunk.duration);
                next += chunk.duration;
                parts.push(chunk.duration);
            }
            Output::Segment { number: of, start, duration } => {
                assert_eq!((*of, *start), (number, made.start(grid, number)));
                assert_eq!(*duration, parts.drain(..).sum::<Ticks>());
                assert_eq!(next, start + duration);
                number += 1;
            }
        }
    }
    assert_eq!((number, next, parts.len()), (to, made.start(grid, to), 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Starts are where the grid says, wherever one looks: so `tfdt` is contiguous for as long as one likes.
    #[test]
    fn every_tick_is_in_one_chunk_of_one_segment(
        made in prop::sample::select(tracks()), grid in grids(), from in 0i64..(1 << 31),
    ) {
        let outputs = made.cut(Cut::Grid(grid), made.samples(grid, from, from + 3));
        check(&made, grid, from, from + 3, &outputs);
    }
}

#[test]
fn twenty_minutes_of_odd_rates_have_no_gap_and_no_overlap() {
    for made in [video(720, 30000, 1001), audio("en", 44_100)] {
        let outputs = made.cut(Cut::Grid(TWO_SECONDS), made.samples(TWO_SECONDS, NOW, NOW + 600));
        check(&made, TWO_SECONDS, NOW, NOW + 600, &outputs);
    }
}

#[test]
fn the_32nd_and_33rd_bit_are_like_any_other() {
    let mut at_90_khz = video(720, 30000, 1001);
    std::sync::Arc::make_mut(&mut at_90_khz.track).timescale = Timescale::new(90_000).unwrap();
    at_90_khz.step = 3003;
    for (made, boundary) in [(&at_90_khz, 1 << 32), (&at_90_khz, 1 << 33), (&audio("en", 48_000), 1 << 32)] {
        let number = TWO_SECONDS.segment_of(boundary, made.track.timescale);
        let outputs = made.cut(Cut::Grid(TWO_SECONDS), made.samples(TWO_SECONDS, number - 1, number + 2));
        check(made, TWO_SECONDS, number - 1, number + 2, &outputs);
    }
}

#[test]
fn what_is_complete_comes_with_its_last_sample() {
    let made = video(720, 25, 1);
    let mut segmenter = Segmenter::new(made.track.clone(), Cut::Grid(TWO_SECONDS));
    let mut at = Vec::new();
    for (index, sample) in made.samples(TWO_SECONDS, NOW, NOW + 1).into_iter().enumerate() {
        let outputs = segmenter.push(sample).unwrap();
        at.extend(outputs.iter().map(|output| (index + 1, matches!(output, Output::Segment { .. }))));
    }
    assert_eq!(at, [(10, false), (20, false), (30, false), (40, false), (50, false), (50, true)]);
    assert!(segmenter.finish().is_empty());
}

#[test]
fn a_chunk_was_captured_when_its_first_sample_was() {
    let made = video(720, 25, 1);
    let samples = made.samples(TWO_SECONDS, NOW, NOW + 1).into_iter().zip(1000..);
    let samples = samples.map(|(sample, captured_at)| Sample { captured_at, ..sample });
    let outputs = made.cut(Cut::Grid(TWO_SECONDS), samples);
    let captured = |output: &Output| match output {
        Output::Chunk { chunk, .. } => Some(chunk.captured_at),
        Output::Segment { .. } => None,
    };
    let captured: Vec<_> = outputs.iter().filter_map(captured).collect();
    assert_eq!(captured, [1000, 1010, 1020, 1030, 1040]);
}

#[test]
fn a_refused_sample_changes_nothing() {
    let made = video(720, 25, 1);
    let samples = made.samples(TWO_SECONDS, NOW, NOW + 2);
    let mut segmenter = Segmenter::new(made.track.clone(), Cut::Grid(TWO_SECONDS));
    samples[..50].iter().for_each(|sample| drop(segmenter.push(sample.clone()).unwrap()));
    let before = format!("{segmenter:?}");
    let due = samples[50].dts;
    let hole = segmenter.push(samples[51].clone()).unwrap_err();
    assert_eq!(hole, Error::Discontiguous { expected: due, found: due + 1000 });
    assert_eq!(hole.to_string(), format!("a sample at tick {} where the one at {due} was due", due + 1000));
    let not_sync = segmenter.push(made.sample(due, false)).unwrap_err();
    assert_eq!(not_sync, Error::NotSync { number: NOW + 1, at: due });
    assert_eq!(format!("{segmenter:?}"), before);
    assert_eq!(segmenter.next(), Some(due));
    segmenter.push(samples[50].clone()).unwrap();
}

#[test]
fn after_an_open_chunk_is_dropped_the_segment_goes_on_from_there() {
    let made = video(720, 25, 1);
    let samples = made.samples(TWO_SECONDS, NOW, NOW + 1);
    let mut segmenter = Segmenter::new(made.track.clone(), Cut::Grid(TWO_SECONDS));
    let mut outputs = Vec::new();
    samples[..27].iter().for_each(|sample| outputs.extend(segmenter.push(sample.clone()).unwrap()));
    assert_eq!(segmenter.discard_open_chunk(), Some(samples[20].dts));
    assert_eq!(segmenter.position(), Some((NOW, 2)));
    samples[20..].iter().for_each(|sample| outputs.extend(segmenter.push(sample.clone()).unwrap()));
    check(&made, TWO_SECONDS, NOW, NOW + 1, &outputs);
}

#[test]
fn after_the_first_chunk_is_dropped_the_segment_begins_anew() {
    let made = video(720, 25, 1);
    let samples = made.samples(TWO_SECONDS, NOW, NOW + 1);
    let mut segmenter = Segmenter::new(made.track.clone(), Cut::Grid(TWO_SECONDS));
    samples[..5].iter().for_each(|sample| drop(segmenter.push(sample.clone()).unwrap()));
    assert_eq!(segmenter.discard_open_chunk(), Some(samples[0].dts));
    let outputs: Vec<_> = samples.into_iter().flat_map(|sample| segmenter.push(sample).unwrap()).collect();
    check(&made, TWO_SECONDS, NOW, NOW + 1, &outputs);
}

#[test]
fn after_a_restart_it_goes_on_where_it_is_told() {
    let made = audio("en", 44_100);
    let mut segmenter = Segmenter::new(made.track.clone(), Cut::Grid(TWO_SECONDS));
    let start = made.start(TWO_SECONDS, NOW);
    segmenter.resume_at(start);
    assert_eq!((segmenter.next(), segmenter.position()), (Some(start), Some((NOW, 0))));
    assert!(segmenter.push(made.sample(start + 1024, true)).is_err());
    let samples = made.samples(TWO_SECONDS, NOW, NOW + 1);
    let outputs: Vec<_> = samples.into_iter().flat_map(|sample| segmenter.push(sample).unwrap()).collect();
    check(&made, TWO_SECONDS, NOW, NOW + 1, &outputs);
}
