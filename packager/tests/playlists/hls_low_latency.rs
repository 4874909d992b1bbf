//! Parts, hints, reports and delta updates, clause by clause.

use std::{collections::HashMap, sync::Arc, time::Duration};

use headwater_packager::{
    hls::{self, Kind, LowLatency, Media, Report},
    time::{Ticks, Timescale},
    window::{Era, Open, Part, Segment, Window},
};
use proptest::prelude::*;

use super::presentations::{self, all};
use crate::made::{self, NOW, TWO_SECONDS, audio, video};

/// Ticks are milliseconds, the target duration is two seconds.
const HZ: u32 = 1000;
const TARGET: u32 = 2;
const PART_TARGET: Duration = Duration::from_millis(400);

fn era(first: i64, init: &str) -> Arc<Era> {
    Arc::new(Era { first, init: init.into(), sequence: 0 })
}

fn parts(count: usize) -> Vec<Part> {
    (0..count).map(|index| Part { duration: 400, size: 1000, independent: index == 0 }).collect()
}

fn segment(number: i64) -> Segment {
    let era = era(0, "a.mp4");
    Segment { number, start: number * 2000, duration: 2000, size: 5000, parts: parts(5), era, captured_at: 0 }
}

fn open(number: i64, count: usize) -> Open {
    Open { number, start: number * 2000, parts: parts(count), era: era(0, "a.mp4") }
}

fn window(segments: impl IntoIterator<Item = Segment>) -> Window {
    let mut window = Window::new(Duration::from_secs(3600), Timescale::new(HZ).unwrap());
    segments.into_iter().for_each(|segment| drop(window.push(segment)));
    window
}

fn live<'a>(window: &'a Window, open: Option<&'a Open>, hint: Option<(i64, u32)>) -> Media<'a> {
    let low_latency = LowLatency { part_target: PART_TARGET, open, hint, reports: &[] };
    Media { window, target_duration: TARGET, kind: Kind::Live, low_latency: Some(low_latency) }
}

/// Numbers of the segments of which parts are listed, in order, each once.
fn with_parts(text: &str) -> Vec<i64> {
    let uris = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:")?.split('"').nth(1));
    let mut numbers: Vec<i64> = uris.map(|uri| uri.split('.').next().unwrap().parse().unwrap()).collect();
    numbers.dedup();
    numbers
}

fn lines<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(tag)).collect()
}

/// All but the last URI's lines of the entry that ends with `uri`.
fn before<'a>(text: &'a str, uri: &str) -> Vec<&'a str> {
    let lines: Vec<_> = text.lines().collect();
    let end = lines.iter().position(|line| line.contains(uri)).unwrap();
    let start = lines[..end].iter().rposition(|line| !line.starts_with('#')).map_or(0, |uri| uri + 1);
    lines[start..end].to_vec()
}

#[test]
fn the_server_says_what_it_can_do() {
    let window = window((10..13).map(segment));
    let text = hls::media(&live(&window, None, None));
    assert_eq!(
        lines(&text, "#EXT-X-SERVER-CONTROL"),
        [
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000,PART-HOLD-BACK=1.200"
        ]
    );
    assert_eq!(lines(&text, "#EXT-X-PART-INF"), ["#EXT-X-PART-INF:PART-TARGET=0.400"]);
    assert_eq!(lines(&text, "#EXT-X-VERSION"), ["#EXT-X-VERSION:9"]);
    let whole = hls::media(&Media { low_latency: None, ..live(&window, None, None) });
    assert_eq!(
        lines(&whole, "#EXT-X-SERVER-CONTROL"),
        ["#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000"]
    );
    assert!(!whole.contains("PART"));
}

#[test]
fn players_hold_back_three_part_targets_rounded_up_to_the_millisecond() {
    let window = window((10..13).map(segment));
    for (nanos, target, hold_back) in [
        (400_000_000, "0.400", "1.200"),
        (405_333_334, "0.405333334", "1.217"),
        (416_666_667, "0.416666667", "1.251"),
        (333_333_333, "0.333333333", "1.000"),
        (333_333_334, "0.333333334", "1.001"),
        (1_000_000_000, "1.000", "3.000"),
    ] {
        let part_target = Duration::from_nanos(nanos);
        let low_latency = LowLatency { part_target, open: None, hint: None, reports: &[] };
        let text = hls::media(&Media { low_latency: Some(low_latency), ..live(&window, None, None) });
        assert!(text.contains(&format!(",PART-HOLD-BACK={hold_back}\n")), "{text}");
        assert!(text.contains(&format!("#EXT-X-PART-INF:PART-TARGET={target}\n")), "{text}");
    }
}

#[test]
fn what_has_ended_has_neither_parts_nor_control() {
    let window = window((10..20).map(segment));
    let next = open(20, 2);
    for kind in [Kind::LiveEnded, Kind::OnDemand] {
        let media = Media { kind, ..live(&window, Some(&next), Some((20, 2))) };
        let text = hls::media(&media);
        assert_eq!(text, hls::media(&Media { low_latency: None, ..media }));
        for absent in ["PART", "SERVER-CONTROL", "PRELOAD-HINT", "\n20.", "RENDITION-REPORT"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
        assert!(text.contains("#EXT-X-VERSION:6\n") && text.ends_with("#EXT-X-ENDLIST\n"));
        assert_eq!(hls::delta(&media), None);
    }
}

/// Nobody answers directives where it lies.
#[test]
fn what_lies_in_a_store_goes_on_without_parts_and_control() {
    let window = window((10..20).map(segment));
    let next = open(20, 2);
    let media = Media { kind: Kind::LiveStored, ..live(&window, Some(&next), Some((20, 2))) };
    let text = hls::media(&media);
    for absent in ["PART", "SERVER-CONTROL", "PRELOAD-HINT", "\n20.", "ENDLIST"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    assert!(text.contains("#EXT-X-VERSION:6\n") && text.contains("#EXT-X-PROGRAM-DATE-TIME"));
    assert_eq!(hls::delta(&media), None);
}

#[test]
fn segments_that_begin_within_three_target_durations_of_the_end_list_their_parts() {
    let window = window((10..20).map(segment));
    // The end is at 40 s and so many parts.
    for (published, expected) in
        [(0, vec![18, 19]), (1, vec![18, 19, 20]), (4, vec![18, 19, 20]), (5, vec![19, 20])]
    {
        let open = open(20, published);
        let text = hls::media(&live(&window, Some(&open), Some((20, published as u32))));
        assert_eq!(with_parts(&text), expected, "{published} parts");
        assert_eq!(lines(&text, "#EXTINF").len(), 10);
    }
}

/// A tick more or less at the boundary, where segments are not as long as the target.
#[test]
fn the_boundary_of_parts_is_exact_to_the_tick() {
    for (last, expected) in [(1874, vec![17, 18, 19]), (1875, vec![18, 19]), (2000, vec![18, 19])] {
        let length = |number| if number == 19 { last } else { 2000 };
        let segments = (10..20).map(|number| Segment { duration: length(number), ..segment(number) });
        let window = window(segments);
        assert_eq!(with_parts(&hls::media(&live(&window, None, None))), expected, "{last} ms");
    }
}

/// Segments of sound are a frame longer or shorter than those of pictures, parts as well.
#[test]
fn all_tracks_list_parts_of_the_same_segments() {
    let tracks = [video(720, 30000, 1001), video(720, 24000, 1001), audio("en", 48_000), audio("de", 44_100)];
    for number in NOW + 3..NOW + 40 {
        for published in 0..=5 {
            let listed = tracks.clone().map(|made| {
                let segments = made.segments(TWO_SECONDS, number - 3, number, &made::era(0, "a"));
                let window = made.window(Duration::from_secs(60), segments);
                let open = presentations::open(&made, number, published, 0, "a");
                with_parts(&hls::media(&live(&window, Some(&open), None)))
            });
            assert!(listed.iter().all(|numbers| *numbers == listed[0]), "{published} parts: {listed:?}");
            assert!(listed[0].len() <= 3);
        }
    }
}

#[test]
fn a_segment_lists_all_its_parts_before_its_own_line() {
    let window = window((10..13).map(segment));
    let text = hls::media(&live(&window, None, None));
    assert_eq!(
        before(&text, "12.m4s"),
        [
            "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:24.000Z",
            "#EXT-X-PART:DURATION=0.400,URI=\"12.0.m4s\",INDEPENDENT=YES",
            "#EXT-X-PART:DURATION=0.400,URI=\"12.1.m4s\"",
            "#EXT-X-PART:DURATION=0.400,URI=\"12.2.m4s\"",
            "#EXT-X-PART:DURATION=0.400,URI=\"12.3.m4s\"",
            "#EXT-X-PART:DURATION=0.400,URI=\"12.4.m4s\"",
            "#EXTINF:2.000,",
        ]
    );
}

#[test]
fn segments_without_parts_are_listed_whole_wherever_they_are() {
    let whole = |number| Segment { parts: Vec::new(), ..segment(number) };
    let window = window((10..12).map(whole).chain([segment(12)]));
    let open = open(13, 1);
    let text = hls::media(&live(&window, Some(&open), Some((13, 1))));
    assert_eq!(with_parts(&text), [12, 13]);
    assert_eq!(lines(&text, "#EXTINF").len(), 3);
}

#[test]
fn the_open_segment_ends_the_list_with_its_time_and_its_parts() {
    let window = window((10..13).map(segment));
    let open = open(13, 2);
    let text = hls::media(&live(&window, Some(&open), Some((13, 2))));
    let (_, tail) = text.split_once("\n12.m4s\n").unwrap();
    assert_eq!(
        tail,
        "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:26.000Z\n\
         #EXT-X-PART:DURATION=0.400,URI=\"13.0.m4s\",INDEPENDENT=YES\n\
         #EXT-X-PART:DURATION=0.400,URI=\"13.1.m4s\"\n\
         #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"13.2.m4s\"\n"
    );
}

#[test]
fn what_the_open_segment_needs_stands_before_its_first_part() {
    let window = window((10..13).map(segment));
    for (init, map) in [("a.mp4", None), ("b.mp4", Some("#EXT-X-MAP:URI=\"b.mp4\""))] {
        let open = Open { era: era(13, init), ..open(13, 1) };
        let text = hls::media(&live(&window, Some(&open), Some((13, 1))));
        let mut expected = vec!["#EXT-X-DISCONTINUITY"];
        expected.extend(map);
        expected.push("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:26.000Z");
        assert_eq!(before(&text, "13.0.m4s"), expected);
        // As it will when the segment is complete.
        let mut closed = window.clone();
        closed.push(Segment { era: era(13, init), ..segment(13) });
        let closed = hls::media(&live(&closed, None, Some((14, 0))));
        assert_eq!(before(&closed, "13.0.m4s"), expected);
    }
}

#[test]
fn an_open_segment_without_parts_is_not_listed_but_its_first_part_is_hinted() {
    let window = window((10..13).map(segment));
    let open = Open { era: era(13, "b.mp4"), ..open(13, 0) };
    for open in [None, Some(&open)] {
        let text = hls::media(&live(&window, open, Some((13, 0))));
        assert!(text.ends_with("\n12.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"13.0.m4s\"\n"), "{text}");
    }
}

/// All parts of a segment are out, and the segment itself waits for the store.
#[test]
fn the_hint_may_be_in_the_segment_behind_the_open_one() {
    let window = window((10..13).map(segment));
    let open = open(13, 5);
    let text = hls::media(&live(&window, Some(&open), Some((14, 0))));
    assert!(text.contains(
        "\n#EXT-X-PART:DURATION=0.400,URI=\"13.4.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"14.0.m4s\"\n"
    ));
}

/// Entries are counted from EXT-X-MEDIA-SEQUENCE: one behind a hole would be taken for another.
#[test]
fn what_does_not_follow_the_last_segment_is_not_listed() {
    let window = window((10..13).map(segment));
    let without = hls::media(&live(&window, None, None));
    for number in [11, 12, 14, 15] {
        let open = open(number, 2);
        assert_eq!(hls::media(&live(&window, Some(&open), Some((number, 2)))), without, "{number}");
    }
    assert_eq!(hls::media(&live(&window, None, Some((14, 0)))), without);
}

#[test]
fn a_list_of_nothing_but_parts_counts_from_their_segment() {
    let nothing = window([]);
    let open = open(10, 1);
    let text = hls::media(&live(&nothing, Some(&open), None));
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:10\n"), "{text}");
    assert!(text.contains("#EXT-X-MAP:URI=\"a.mp4\"\n#EXT-X-PROGRAM-DATE-TIME"), "{text}");
    assert!(hls::media(&live(&nothing, None, Some((10, 0)))).contains("#EXT-X-MEDIA-SEQUENCE:10\n"));
}

#[test]
fn each_other_rendition_is_reported() {
    let window = window((10..13).map(segment));
    let reports =
        [Report { track: "360p", msn: 13, part: Some(1) }, Report { track: "audio-en", msn: 12, part: None }];
    let low_latency =
        LowLatency { part_target: PART_TARGET, open: None, hint: Some((13, 0)), reports: &reports };
    let text = hls::media(&Media { low_latency: Some(low_latency), ..live(&window, None, None) });
    assert!(text.ends_with(
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"13.0.m4s\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"../360p/index.m3u8\",LAST-MSN=13,LAST-PART=1\n\
         #EXT-X-RENDITION-REPORT:URI=\"../audio-en/index.m3u8\",LAST-MSN=12\n"
    ));
}

#[test]
fn a_delta_update_leaves_out_what_lies_whole_behind_the_skip_boundary() {
    // The end is at 40 s and so many parts, the boundary 12 s before.
    let window = window((10..20).map(segment));
    for (published, skipped) in [(0, 4), (1, 4), (4, 4), (5, 5)] {
        let open = open(20, published);
        let delta = hls::delta(&live(&window, Some(&open), Some((20, published as u32)))).unwrap();
        assert_eq!(lines(&delta, "#EXT-X-SKIP"), [format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")]);
        assert!(delta.contains("#EXT-X-MEDIA-SEQUENCE:10\n"));
        assert_eq!(lines(&delta, "#EXTINF").len(), 10 - skipped);
    }
    let whole = Media { low_latency: None, ..live(&window, None, None) };
    assert!(hls::delta(&whole).unwrap().contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n"));
}

#[test]
fn the_skip_boundary_is_exact_to_the_tick() {
    for (last, skipped) in [(1999, None), (2000, Some(1)), (2001, Some(1))] {
        let length = |number| if number == 16 { last } else { 2000 };
        let window = window((10..17).map(|number| Segment { duration: length(number), ..segment(number) }));
        let delta = hls::delta(&live(&window, None, None));
        let count = delta.as_deref().map(|delta| 7 - lines(delta, "#EXTINF").len());
        assert_eq!(count, skipped, "{last} ms");
    }
}

#[test]
fn a_delta_update_keeps_what_changes_at_its_first_segment() {
    let of = |number: i64| if number < 14 { era(0, "a.mp4") } else { era(14, "b.mp4") };
    let window = window((10..20).map(|number| Segment { era: of(number), ..segment(number) }));
    let delta = hls::delta(&live(&window, None, None)).unwrap();
    assert!(
        delta.contains("SKIPPED-SEGMENTS=4\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"b.mp4\"\n#EXT-X-PROGRAM")
    );
    assert_eq!(lines(&delta, "#EXT-X-MAP").len(), 1);
}

/// What is printed holds to what is printed (I-08).
#[test]
fn no_listed_part_is_longer_than_the_target_and_all_but_the_last_are_almost_as_long() {
    for presentation in all().into_iter().filter(|presentation| !presentation.open.is_empty()) {
        for track in 0..presentation.tracks.len() {
            let text = presentation.media(track);
            let target = nanos(lines(&text, "#EXT-X-PART-INF:PART-TARGET=")[0].split('=').nth(1).unwrap());
            let parts = lines(&text, "#EXT-X-PART:");
            let number = |line: &str| line.split('"').nth(1).unwrap().split('.').next().unwrap().to_owned();
            for (index, part) in parts.iter().enumerate() {
                let duration = nanos(part.split(['=', ',']).nth(1).unwrap());
                let is_last = parts.get(index + 1).is_some_and(|next| number(next) != number(part));
                assert!(duration <= target, "{part}");
                assert!(is_last || duration * 100 >= target * 85, "{part}");
            }
        }
    }
}

/// The entries of a list by number, the open one included, each with the init segment that is in force.
fn entries(text: &str) -> HashMap<i64, String> {
    let value = |tag: &str| lines(text, tag).first().map(|line| line[tag.len()..].parse::<i64>().unwrap());
    let mut number = value("#EXT-X-MEDIA-SEQUENCE:").unwrap();
    number += value("#EXT-X-SKIP:SKIPPED-SEGMENTS=").unwrap_or(0);
    let begins = |line: &str| line == "#EXT-X-DISCONTINUITY" || line.starts_with("#EXT-X-MAP");
    let mut entries = HashMap::new();
    let (mut map, mut entry) = ("", String::new());
    for line in text.lines().skip_while(|line| !begins(line)) {
        if line.starts_with("#EXT-X-MAP") {
            map = line;
            continue;
        }
        entry += line;
        if !line.starts_with('#') {
            entries.insert(number, format!("{map}{}", std::mem::take(&mut entry)));
            number += 1;
        }
    }
    entries.insert(number, format!("{map}{entry}"));
    entries
}

proptest! {
    /// Part by part, with lists that slide, and eras that change now and then: what a player knows is what it read of each
    /// segment last (rfc8216bis 6.3.7).
    #[test]
    fn a_player_that_follows_delta_updates_sees_what_a_whole_list_has(
        changes in prop::collection::vec(prop::bool::weighted(0.2), 12..40), seconds in 6u64..40,
    ) {
        let mut window = Window::new(Duration::from_secs(seconds), Timescale::new(HZ).unwrap());
        let (mut known, mut delisted, mut current): (HashMap<i64, String>, i64, _) = (HashMap::new(), 0, era(0, "a"));
        for (number, changes) in (100..).zip(changes) {
            if changes {
                current = era(number, if number % 2 == 0 { "a" } else { "b" });
            }
            for published in 0..=5 {
                let open = Open { era: current.clone(), ..open(number, published) };
                let media = live(&window, Some(&open), Some((number, published as u32)));
                let whole = hls::media(&media);
                let delta = hls::delta(&media).unwrap_or_else(|| whole.clone());
                known.extend(entries(&delta));
                for (number, entry) in entries(&whole) {
                    let seen = known.get(&number).map(|seen| lasting(seen));
                    prop_assert_eq!(seen, Some(lasting(&entry)), "segment {}", number);
                    let discontinuous = known[&number].contains("#EXT-X-DISCONTINUITY");
                    let is_first = number == window.media_sequence();
                    prop_assert!(is_first || discontinuous == entry.contains("#EXT-X-DISCONTINUITY"));
                }
                let first = with_parts(&whole).first().copied();
                prop_assert!(first.is_none_or(|first| first >= delisted), "parts of {:?} came back", first);
                delisted = first.unwrap_or(delisted);
            }
            window.push(Segment { era: current.clone(), ..segment(number) });
        }
    }

    /// In any timescale, parts of any length: what is printed adds up, and no part seems longer than it is by a nanosecond.
    #[test]
    fn printed_parts_add_up_to_the_printed_segment(
        hz in prop_oneof![Just(90_000u32), Just(44_100), Just(30_000), 1000u32..1_000_000_000],
        durations in prop::collection::vec(1i64..1_000_000_000, 1..40),
        number in 0i64..2_000_000_000,
    ) {
        let part = |&duration: &Ticks| Part { duration, size: 1, independent: true };
        let parts: Vec<_> = durations.iter().map(part).collect();
        let duration = durations.iter().sum();
        let timescale = Timescale::new(hz).unwrap();
        let mut window = Window::new(Duration::from_secs(1), timescale);
        window.push(Segment { number, start: 0, duration, size: 1, parts, era: era(0, "a"), captured_at: 0 });
        // A target so long that parts are listed however long the segment is.
        let text = hls::media(&Media { target_duration: 100_000_000, ..live(&window, None, None) });
        let printed: Vec<i128> = lines(&text, "#EXT-X-PART:").into_iter().map(|line| {
            nanos(line.split("DURATION=").nth(1).unwrap().split(',').next().unwrap())
        }).collect();
        prop_assert_eq!(printed.len(), durations.len());
        let whole = lines(&text, "#EXTINF:")[0].trim_start_matches("#EXTINF:").trim_end_matches(',');
        prop_assert_eq!(printed.iter().sum::<i128>(), nanos(whole));
        for (printed, ticks) in printed.iter().zip(&durations) {
            let exact = i128::from(*ticks) * 1_000_000_000;
            let hz = i128::from(hz);
            prop_assert!(*printed >= exact / hz && *printed <= -(-exact).div_euclid(hz));
        }
    }
}

/// What does not change while a segment is listed: its tags without its parts, which it loses at a distance from the end,
/// and without its discontinuity, which it loses as the first.
fn lasting(entry: &str) -> String {
    entry.split("#EXT-X-PART:").next().unwrap().replace("#EXT-X-DISCONTINUITY", "")
}

/// Seconds in a decimal number, in nanoseconds.
fn nanos(decimal: &str) -> i128 {
    let (seconds, fraction) = decimal.split_once('.').unwrap();
    format!("{seconds}{fraction:0<9}").parse().unwrap()
}
