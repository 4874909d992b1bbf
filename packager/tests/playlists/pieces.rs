//! Lists in pieces: always the same text as when they are rendered whole, and mostly the same pieces as before.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use headwater_packager::{
    hls::{self, Kind, LowLatency, Media, Past, Report},
    time::Timescale,
    window::{Era, Open, Part, Segment, Window},
};
use proptest::prelude::*;

/// Ticks are milliseconds, the target duration is two seconds.
const HZ: u32 = 1000;

fn window(seconds: u64) -> Window {
    Window::new(Duration::from_secs(seconds), Timescale::new(HZ).unwrap())
}

fn parts(count: usize) -> Vec<Part> {
    (0..count).map(|index| Part { duration: 400, size: 1000, independent: index == 0 }).collect()
}

fn segment(number: i64, era: &Arc<Era>) -> Segment {
    let (start, era) = (number * 2000, era.clone());
    Segment { number, start, duration: 2000, size: 5000, parts: parts(5), era, captured_at: 0 }
}

fn open(number: i64, count: usize, era: &Arc<Era>) -> Open {
    Open { number, start: number * 2000, parts: parts(count), era: era.clone() }
}

fn era(first: i64) -> Arc<Era> {
    Arc::new(Era { first, init: format!("init-{}.mp4", first % 3), sequence: 0 })
}

const REPORTS: [Report<'static>; 1] = [Report { track: "other", msn: 7, part: Some(1) }];

fn low_latency(open: Option<&Open>) -> Option<LowLatency<'_>> {
    let hint = open.map(|open| (open.number, open.parts.len() as u32));
    Some(LowLatency { part_target: Duration::from_millis(400), open, hint, reports: &REPORTS })
}

fn media<'a>(window: &'a Window, kind: Kind, low_latency: Option<LowLatency<'a>>) -> Media<'a> {
    Media { window, target_duration: 2, kind, low_latency }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Holds the pieces to the whole.
fn check(media: &Media<'_>, past: &mut Option<Arc<Past>>) -> Result<(), TestCaseError> {
    let list = hls::list(media, past.as_ref());
    let joined = list.joined();
    prop_assert_eq!(text(&joined), hls::media(media));
    // Who begins anew, as another origin does, has the same pieces.
    let anew = hls::list(media, None);
    prop_assert_eq!(list.pieces().collect::<Vec<_>>(), anew.pieces().collect::<Vec<_>>());
    *past = Some(list.past);
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many parts of the next segment are published.
    Parts(usize),
    /// The open segment is given up.
    Abandon,
    /// So many segments are closed, the first of them in another era.
    Segments(i64, bool),
    /// Numbers are left out, so that the list begins anew.
    Skip(i64),
    /// A restart: the same window, nothing rendered.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..=5).prop_map(Step::Parts),
        1 => Just(Step::Abandon),
        6 => (1i64..40, prop::bool::weighted(0.3)).prop_map(|(count, changes)| Step::Segments(count, changes)),
        1 => (2i64..200).prop_map(Step::Skip),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn pieces_together_are_the_list_whatever_happens_to_it(
        first in 0i64..200,
        seconds in prop_oneof![Just(6u64), 60u64..600],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut window = window(seconds);
        let mut current = era(first);
        let (mut next, mut published) = (first, 0);
        let (mut live, mut plain, mut stored) = (None, None, None);
        for step in steps {
            match step {
                Step::Parts(count) => published = count,
                Step::Abandon => published = 0,
                Step::Segments(count, changes) => {
                    if changes {
                        current = era(next);
                    }
                    (next..next + count).for_each(|number| drop(window.push(segment(number, &current))));
                    (next, published) = (next + count, 0);
                }
                Step::Skip(count) => (next, published) = (next + count, 0),
                Step::Forget => live = None,
            }
            let open = open(next, published, &current);
            check(&media(&window, Kind::Live, low_latency(Some(&open))), &mut live)?;
            check(&media(&window, Kind::Live, None), &mut plain)?;
            check(&media(&window, Kind::LiveStored, None), &mut stored)?;
        }
        check(&media(&window, Kind::LiveEnded, None), &mut live)?;
    }
}

#[test]
fn a_part_changes_the_rest_only_and_a_segment_no_block() {
    let (mut window, era) = (window(3600), era(0));
    (0..1500).for_each(|number| drop(window.push(segment(number, &era))));
    let pointers = |past: &Past| past.pieces().map(|piece| piece.as_ptr()).collect::<Vec<_>>();
    let of_parts = |window: &Window, past: Option<&Arc<Past>>, count| {
        let open = open(window.segments().back().unwrap().number + 1, count, &era);
        hls::list(&media(window, Kind::Live, low_latency(Some(&open))), past).past
    };
    let past = of_parts(&window, None, 1);
    assert!(Arc::ptr_eq(&past, &of_parts(&window, Some(&past), 2)));
    window.push(segment(1500, &era));
    let later = of_parts(&window, Some(&past), 1);
    let (before, after) = (pointers(&past), pointers(&later));
    // 1800 segments of two seconds are an hour: all were listed, and no block was left yet.
    assert_eq!(before.len(), after.len());
    let blocks = 1..before.len() - 1;
    assert!(blocks.len() > 20 && before[blocks.clone()] == after[blocks]);
}

#[test]
fn another_window_of_the_same_numbers_is_not_taken_for_this_one() {
    let (mut these, mut others, era) = (window(600), window(600), era(0));
    for number in 0..200 {
        these.push(segment(number, &era));
        others.push(Segment { start: number * 2000 + 7, ..segment(number, &era) });
    }
    let past = hls::list(&media(&these, Kind::LiveStored, None), None).past;
    others.push(segment(200, &era));
    let other = media(&others, Kind::LiveStored, None);
    assert_eq!(text(&hls::list(&other, Some(&past)).joined()), hls::media(&other));
}
