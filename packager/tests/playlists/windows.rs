//! What a window lists, while it slides.

use std::{collections::HashMap, sync::Arc, time::Duration};

use headwater_packager::{
    time::Timescale,
    window::{Era, SHORTEST, Segment, Window},
};
use proptest::prelude::*;

use crate::made::{NOW, TWO_SECONDS, audio, era, video};

const HZ: u32 = 1000;

fn segment(number: i64, duration: i64, size: u64, first: i64) -> Segment {
    let era = Arc::new(Era { first, init: format!("init-{}.mp4", first % 3), sequence: 0 });
    Segment { number, start: number * 2000, duration, size, parts: Vec::new(), era, captured_at: 0 }
}

fn window(seconds: u64) -> Window {
    Window::new(Duration::from_secs(seconds), Timescale::new(HZ).unwrap())
}

/// Each listed segment with its discontinuity sequence number, as a player counts it (rfc8216bis 6.2.2).
fn counted(window: &Window) -> Vec<(i64, u64)> {
    let mut count = window.discontinuity_sequence();
    let mut before: Option<&Segment> = None;
    let mut counted = Vec::new();
    for segment in window.segments() {
        count += u64::from(before.is_some_and(|before| before.era != segment.era));
        counted.push((segment.number, count));
        before = Some(segment);
    }
    counted
}

proptest! {
    /// Numbers go on, now and then skip some or go back; eras change.
    #[test]
    fn numbers_never_go_back_and_discontinuities_are_never_lost(
        length in 0u64..20,
        steps in prop::collection::vec((prop_oneof![8 => Just(1i64), 1 => 2i64..9, 1 => -5i64..=0], any::<bool>()), 1..80),
    ) {
        let mut window = window(length);
        let (mut number, mut era, mut sequence) = (100, 100, i64::MIN);
        let mut known: HashMap<i64, u64> = HashMap::new();
        let mut published = vec![number];
        let mut gone = Vec::new();
        window.push(segment(number, 2000, 1, era));
        for (step, changes) in steps {
            let next = number + step;
            era = if changes { next } else { era };
            let left = window.push(segment(next, 2000, 1, era));
            if step < 1 {
                prop_assert_eq!(left.len(), 1);
                prop_assert_eq!(left[0].number, next);
                era = window.segments().back().map_or(era, |last| last.era.first);
                continue;
            }
            number = next;
            published.push(next);
            gone.extend(left.iter().map(|segment| segment.number));
            prop_assert!(window.media_sequence() >= sequence);
            sequence = window.media_sequence();
            for (number, count) in counted(&window) {
                prop_assert_eq!(*known.entry(number).or_insert(count), count, "segment {}", number);
            }
            let listed: Vec<_> = window.segments().iter().map(|segment| segment.number).collect();
            prop_assert!(listed.windows(2).all(|pair| pair[1] == pair[0] + 1), "{:?}", listed);
            prop_assert_eq!([gone.clone(), listed].concat(), published.clone());
        }
    }

    #[test]
    fn it_lists_its_length_and_less_than_a_segment_more(length in 0u64..30, count in 1i64..60) {
        let mut window = window(length);
        (0..count).for_each(|number| drop(window.push(segment(number, 2000, 1, 0))));
        let listed = window.segments().len();
        prop_assert!(listed >= SHORTEST.min(count as usize));
        let seconds = 2 * listed as u64;
        prop_assert!(seconds < length + 2 || listed <= SHORTEST);
        prop_assert!(seconds >= length || listed as i64 == count);
    }
}

#[test]
fn tracks_that_differ_by_a_frame_list_the_same_numbers() {
    let tracks = [video(720, 30000, 1001), video(720, 24000, 1001), audio("en", 48_000), audio("de", 44_100)];
    for seconds in [6, 7, 60] {
        let windows = tracks.clone().map(|made| {
            let all = made.segments(TWO_SECONDS, NOW, NOW + 33, &era(0, "a"));
            (1..=all.len())
                .map(|count| {
                    let window = made.window(Duration::from_secs(seconds), all[..count].iter().cloned());
                    (window.media_sequence(), window.segments().len())
                })
                .collect::<Vec<_>>()
        });
        assert!(windows.iter().all(|window| *window == windows[0]), "{seconds} s");
    }
}

#[test]
fn the_peak_stays_when_its_segment_has_left() {
    let mut window = window(4);
    window.push(segment(0, 2000, 1_000_001, 0));
    (1..9).for_each(|number| drop(window.push(segment(number, 2000, 250_000, 0))));
    let bandwidth = window.bandwidth();
    assert_eq!((bandwidth.peak, bandwidth.average), (4_000_004, 1_000_000));
}

#[test]
fn a_rate_is_rounded_up() {
    let mut window = window(4);
    window.push(segment(0, 3000, 1, 0));
    assert_eq!(window.bandwidth().peak, 3);
    assert_eq!(self::window(4).bandwidth().average, 0);
}

#[test]
fn a_window_survives_its_record() {
    let mut window = window(4);
    (0..9).for_each(|number| drop(window.push(segment(number, 2000, 77, number / 2))));
    let record = serde_json::to_vec(&window).unwrap();
    assert_eq!(serde_json::from_slice::<Window>(&record).unwrap(), window);
}

#[test]
fn a_record_of_before_captures_were_noted_is_read() {
    let mut record = serde_json::to_value(segment(7, 2000, 77, 0)).unwrap();
    record.as_object_mut().unwrap().remove("captured_at").unwrap();
    assert_eq!(serde_json::from_value::<Segment>(record).unwrap(), segment(7, 2000, 77, 0));
}

proptest! {
    /// What is kept up as segments come and go is what a walk over the list finds.
    #[test]
    fn what_is_told_of_all_segments_is_true_of_those_that_are_listed(
        length in 0u64..20,
        steps in prop::collection::vec(
            (prop_oneof![8 => Just(1i64), 1 => 2i64..9], 1i64..4, 0u64..5, any::<bool>(), any::<bool>()), 1..80,
        ),
    ) {
        let mut window = window(length);
        let (mut number, mut era) = (100, 100);
        for (step, duration, size, changes, captured) in steps {
            number += step;
            era = if changes { number } else { era };
            let captured_at = i64::from(captured);
            window.push(Segment { captured_at, ..segment(number, duration * 1000, size, era) });
            let all = || window.segments().iter();
            let (bytes, ticks): (u64, i64) = all().fold((0, 0), |(bytes, ticks), each| {
                (bytes + each.size, ticks + each.duration)
            });
            prop_assert_eq!(window.bandwidth().average, (bytes * 8 * u64::from(HZ)).div_ceil(ticks as u64));
            prop_assert_eq!(window.longest(), all().map(|each| each.duration).max().unwrap());
            prop_assert_eq!(window.is_captured(), all().any(|each| each.captured_at != 0));
            let mut eras: Vec<_> = all().map(|each| (*each.era).clone()).collect();
            eras.dedup();
            prop_assert_eq!(window.eras().cloned().collect::<Vec<_>>(), eras);
            for range in [number - 5..number - 2, number..number + 7, 0..i64::MAX, number + 1..number] {
                let found: Vec<_> = window.numbered(range.clone()).map(|each| each.number).collect();
                let expected: Vec<_> = all().map(|each| each.number).filter(|each| range.contains(each)).collect();
                prop_assert_eq!(found, expected);
            }
            let kept = serde_json::to_vec(&window).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Window>(&kept).unwrap(), &window);
        }
    }
}
