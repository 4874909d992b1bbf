//! Chapters and retention of one track, and reading them back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use headwater_packager::window::{Era, Part, Window};
use headwater_test_support::fault::{Fault, FaultStore, Odds};
use tokio::time::sleep;

use super::*;
use crate::channel::record::TrackRecord;

/// A multiple of the length of a chapter.
const START: i64 = 64 * 1000;
const C: i64 = 1000;

fn era(first: i64) -> Arc<Era> {
    Arc::new(Era { first, init: format!("init-{first}.mp4"), sequence: 0 })
}

fn entry(number: i64, era: &Arc<Era>) -> Entry {
    let part = Part { duration: 50, size: 500, independent: true };
    let segment = Segment {
        number,
        start: number * 100,
        duration: 100,
        size: 1000,
        parts: vec![part; 2],
        era: era.clone(),
        captured_at: number * 7,
    };
    Entry { segment, etag: format!("\"{number:032x}\"") }
}

fn keeping(numbers: impl IntoIterator<Item = i64>) -> Keeping {
    let mut keeping = Keeping::new(Timescale::new(100).unwrap());
    let era = era(1);
    numbers.into_iter().for_each(|number| keeping.add(entry(number, &era)));
    keeping
}

/// Writes all chapters that are complete into `store`.
async fn write(keeping: &mut Keeping, store: &Store) {
    while let Some((chapter, Errand::Write(text))) = keeping.write(None) {
        store.create(&path_in("live/a", "v", chapter), vec![text]).await.unwrap();
        keeping.hear(chapter, Fate::Written);
    }
}

fn written(archive: &Archive) -> Archive {
    serde_json::from_slice(&serde_json::to_vec(archive).unwrap()).unwrap()
}

#[test]
fn a_chapter_is_written_once_nothing_of_it_is_open_and_named_once_it_is_durable() {
    let mut keeping = keeping(START..START + 64);
    assert_eq!(keeping.write(None), None, "nothing behind it is recorded");
    keeping.add(entry(START + 64, &era(1)));
    assert_eq!(keeping.write(Some(START + 63)), None, "one of it waits for the store");
    let (chapter, errand) = keeping.write(Some(START + 65)).unwrap();
    assert!(chapter == C && matches!(errand, Errand::Write(_)));
    assert_eq!(keeping.write(None), None, "it is on its way");
    keeping.hear(C, Fate::Failed);
    assert_eq!(keeping.write(None), Some((chapter, errand)), "and again if the store did not take it");
    assert_eq!(keeping.archive().tail().len(), 65, "until it is durable, records have its segments");
    let weight = keeping.archive().weight();
    keeping.hear(C, Fate::Written);
    assert_eq!(keeping.archive().tail().keys().collect::<Vec<_>>(), [&(START + 64)]);
    assert_eq!(keeping.archive().chapters(), [C]);
    assert_eq!((keeping.archive().weight(), weight.bytes), (weight, 65_000));
}

#[test]
fn it_is_known_where_a_track_began_when_that_is_long_gone() {
    let mut keeping = keeping(START + 5..START + 200);
    while let Some((chapter, Errand::Write(_))) = keeping.write(None) {
        keeping.hear(chapter, Fate::Written);
        keeping.weigh();
        keeping.hear(chapter, Fate::Weighed(Weight::default()));
        assert!(keeping.doom());
    }
    let archive = written(keeping.archive());
    assert!(archive.numbers().unwrap().start() > &(START + 100));
    assert_eq!(archive.began(), Some(START + 5));
    let mut earlier = serde_json::to_value(&archive).unwrap();
    earlier.as_object_mut().unwrap().remove("began").unwrap();
    let mut earlier = Keeping::of(serde_json::from_value(earlier).unwrap());
    earlier.add(entry(START + 200, &era(1)));
    assert_eq!(earlier.archive().began(), None, "an earlier version did not say");
}

#[test]
fn the_same_chapter_is_written_whether_or_not_a_server_was_killed_over_it() {
    let mut first = keeping((START..START + 70).filter(|number| number % 7 != 0));
    let mut again = Keeping::of(written(first.archive()));
    again.add(entry(START + 71, &era(START + 71)));
    assert_eq!(first.write(None), again.write(None));
}

#[test]
fn a_chapter_goes_in_this_order_weighed_out_of_the_record_then_deleted() {
    let mut keeping = keeping(START..START + 70);
    let (chapter, _) = keeping.write(None).unwrap();
    keeping.hear(chapter, Fate::Written);
    assert_eq!(keeping.spare(START + 63), None, "it is listed");
    assert_eq!(keeping.spare(START + 64), Some(C));
    assert!(!keeping.doom(), "nobody knows what it weighs");
    assert_eq!(keeping.weigh(), Some((C, Errand::Weigh)));
    assert_eq!(keeping.weigh(), None, "it was asked");
    keeping.hear(C, Fate::Weighed(Weight { bytes: 64_000, segments: 64 }));
    assert!(keeping.doom());
    assert_eq!(keeping.archive().chapters(), [0; 0]);
    assert_eq!(keeping.archive().weight(), Weight { bytes: 6_000, segments: 6 });
    assert_eq!(keeping.first(), Some(START), "those who read old lists can fetch it");
    assert_eq!(keeping.delete(3), None);
    (START + 70..START + 74).for_each(|number| keeping.add(entry(number, &era(1))));

    let mut again = Keeping::of(written(keeping.archive()));
    for keeping in [&mut keeping, &mut again] {
        assert_eq!(keeping.delete(3), Some((C, Errand::Delete)));
        assert_eq!(keeping.delete(3), None, "once");
        keeping.hear(C, Fate::Failed);
        assert_eq!(keeping.delete(3), Some((C, Errand::Delete)), "and again if the store did not");
        assert_eq!(keeping.first(), Some(START + 64), "it is gone for readers before it is gone");
        keeping.hear(C, Fate::Deleted);
        assert!(keeping.archive().doomed.is_empty());
    }
}

#[tokio::test]
async fn any_stretch_is_read_back_as_it_was_listed_over_chapters_tail_and_holes() {
    let store = Store::open("memory://").unwrap();
    let mut keeping = Keeping::new(Timescale::new(100).unwrap());
    let (before, behind) = (era(1), era(START + 100));
    let numbers: Vec<i64> =
        (START + 10..START + 400).filter(|number| !(130..260).contains(&(number - START))).collect();
    for number in &numbers {
        keeping.add(entry(*number, if *number < START + 100 { &before } else { &behind }));
    }
    write(&mut keeping, &store).await;
    let archive = written(keeping.archive());
    assert_eq!(archive.chapters(), [C, C + 1, C + 2, C + 4, C + 5], "where nothing is, there is no chapter");
    assert_eq!(archive.numbers(), Some(START..=START + 399));
    for (from, to) in [(0, 399), (10, 10), (60, 70), (100, 300), (140, 200), (383, 390), (390, 900), (-70, 5)]
    {
        let read = stretch(&store, "live/a", "v", &archive, START + from..=START + to).await.unwrap();
        assert!(read.missing.is_empty());
        let expected: Vec<Segment> = numbers
            .iter()
            .filter(|number| (START + from..=START + to).contains(*number))
            .map(|number| entry(*number, if *number < START + 100 { &before } else { &behind }).segment)
            .map(|segment| Segment { parts: Vec::new(), ..segment })
            .collect();
        assert_eq!(read.entries, expected, "{from} to {to}");
    }
    // The store knows what they have to be.
    store
        .put_document("live/a/v/64010.m4s", Bytes::from("x"), crate::policy::CachePolicy::Immutable)
        .await
        .unwrap();
    stretch(&store, "live/a", "v", &archive, START + 10..=START + 10).await.unwrap();
    let error = store.get("live/a/v/64010.m4s").await.unwrap_err();
    assert!(matches!(error, store::Error::Damaged { .. }), "{error}");
}

/// Does to a chapter what may happen to one.
async fn damage(store: &Store, path: &str, how: usize) {
    let written = store.get(path).await.unwrap();
    let mut flipped = written.to_vec();
    flipped[1] ^= 0x40;
    // Still a listing, of a segment that is a byte longer.
    let longer = String::from_utf8(written.to_vec()).unwrap().replacen(",100,1000,", ",100,1001,", 1);
    assert!(longer.as_bytes() != &written[..]);
    let short = written.slice(..written.len() / 2);
    let bodies = [short, flipped.into(), Bytes::from("{\"version\":3}"), longer.into()];
    store.delete(path).await.unwrap();
    if let Some(body) = bodies.get(how) {
        store.put(path, vec![body.clone()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_chapter_that_is_truncated_flipped_of_another_version_or_gone_is_missing_until_it_is_back() {
    for how in 0..5 {
        let store = Store::open("memory://").unwrap();
        let mut keeping = keeping(START..START + 200);
        write(&mut keeping, &store).await;
        let path = "live/a/v/chapter-1001.json";
        let written = store.get(path).await.unwrap();
        damage(&store, path, how).await;
        let all =
            async || stretch(&store, "live/a", "v", keeping.archive(), START..=START + 199).await.unwrap();
        let read = all().await;
        let numbers: Vec<i64> = read.entries.iter().map(|segment| segment.number).collect();
        let expected: Vec<i64> = (START..START + 64).chain(START + 128..START + 200).collect();
        assert_eq!(numbers, expected, "{how}");
        assert!(read.missing.len() == 1 && read.missing[&1001].is_of_chapter(), "{how}: {:?}", read.missing);
        store.put(path, vec![written]).await.unwrap();
        let read = all().await;
        assert_eq!((read.entries.len(), read.missing.len()), (200, 0), "{how}");
    }
}

#[tokio::test]
async fn a_chapter_that_an_earlier_version_has_written_without_a_hash_is_read() {
    let store = Store::open("memory://").unwrap();
    let mut keeping = keeping(START..START + 70);
    write(&mut keeping, &store).await;
    let path = "live/a/v/chapter-1000.json";
    let mut text: serde_json::Value = serde_json::from_slice(&store.get(path).await.unwrap()).unwrap();
    text.as_object_mut().unwrap().remove("hash").unwrap();
    store.put(path, vec![text.to_string().into()]).await.unwrap();
    let read = stretch(&store, "live/a", "v", keeping.archive(), START..=START + 69).await.unwrap();
    assert_eq!((read.entries.len(), read.missing.len()), (70, 0));
}

#[tokio::test]
async fn a_segment_in_a_directory_is_known_by_its_chapter_and_what_nobody_has_recorded_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(directory.path().to_str().unwrap()).unwrap();
    let mut keeping = keeping((START..START + 130).filter(|number| *number != START + 7));
    write(&mut keeping, &open()).await;
    let (store, archive) = (open(), written(keeping.archive()));
    let knows = |number: i64| store.knows(&format!("live/a/v/{number}.m4s"));
    let know = async |number| know(&store, "live/a", "v", &archive, number).await;
    assert!(!knows(START));
    assert!(know(START).await.unwrap());
    assert!(knows(START) && knows(START + 63), "all of the chapter at once");
    assert!(!knows(START + 64) && !knows(START + 128));
    assert!(know(START + 129).await.unwrap() && knows(START + 128), "and all that the record has");
    for number in [START + 7, START - 1, START + 130] {
        assert!(!know(number).await.unwrap() && !knows(number), "{number}");
    }
    damage(&store, "live/a/v/chapter-1001.json", 3).await;
    assert!(matches!(know(START + 64).await, Err(Error::Damaged { .. })));
    assert!(!knows(START + 64));
}

#[tokio::test]
async fn a_chapter_that_is_to_go_tells_what_its_segments_are_until_it_is_gone() {
    let store = Store::open("memory://").unwrap();
    let mut keeping = keeping(START..START + 70);
    write(&mut keeping, &store).await;
    keeping.weigh();
    keeping.hear(C, Fate::Weighed(Weight::default()));
    assert!(keeping.doom());
    assert!(know(&store, "live/a", "v", keeping.archive(), START).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_restart_lists_what_lies_behind_a_chapter_that_is_damaged() {
    let timescale = Timescale::new(100).unwrap();
    for (chapter, first, eras) in [(1001, START + 128, 1), (1002, START + 192, 1), (1000, START + 64, 0)] {
        let store = Store::open("memory://").unwrap();
        let (mut keeping, mut window) =
            (Keeping::new(timescale), Window::new(Duration::from_secs(200), timescale));
        for number in START..START + 200 {
            let era = era(if number < START + 70 { 1 } else { START + 70 });
            keeping.add(entry(number, &era));
            window.push(Segment { parts: Vec::new(), ..entry(number, &era).segment });
        }
        write(&mut keeping, &store).await;
        let mut read = record(keeping.archive(), &window);
        damage(&store, &format!("live/a/v/chapter-{chapter}.json"), 0).await;
        read.read_bound(&store, "live/a", "v").await.unwrap();
        let listed = read.window();
        assert_eq!((read.first, listed.media_sequence()), (first, first), "{chapter}");
        assert_eq!(listed.segments().len() as i64, START + 200 - first);
        assert_eq!(listed.discontinuity_sequence(), eras, "{chapter}");
    }
}

/// A list of 200 segments, and its record.
async fn listed(store: &Store) -> TrackRecord {
    let timescale = Timescale::new(100).unwrap();
    let (mut keeping, mut window) =
        (Keeping::new(timescale), Window::new(Duration::from_secs(200), timescale));
    for number in START..START + 200 {
        let entry = entry(number, &era(1));
        window.push(Segment { parts: Vec::new(), ..entry.segment.clone() });
        keeping.add(entry);
    }
    write(&mut keeping, store).await;
    record(keeping.archive(), &window)
}

#[tokio::test(start_paused = true)]
async fn a_chapter_that_is_not_there_once_costs_a_server_that_starts_nothing_of_its_list() {
    let store = Store::open("memory://").unwrap();
    let mut read = listed(&store).await;
    let path = "live/a/v/chapter-1001.json";
    let written = store.get(path).await.unwrap();
    store.delete(path).await.unwrap();
    let back = async {
        sleep(Duration::from_millis(100)).await;
        store.put(path, vec![written]).await.unwrap();
    };
    let (bound, ()) = tokio::join!(read.read_bound(&store, "live/a", "v"), back);
    bound.unwrap();
    assert_eq!((read.first, read.window().segments().len()), (START, 200));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_starts_lists_what_it_can_unless_that_is_hardly_anything() {
    let faults = FaultStore::new(1, Odds::default());
    let mut read = listed(&Store::over(Arc::new(faults.clone()))).await;
    let refusing = Odds(vec![(Fault::Refused, 1000)]);
    let store = Store::over(Arc::new(faults.for_another().meeting(refusing)));
    let mut few = read.clone();
    few.archive.tail.retain(|number, _| *number >= START + 198);
    let refused = few.read_bound(&store, "live/a", "v").await.unwrap_err();
    assert!(!refused.is_of_chapter(), "it is tried again: {refused}");
    read.read_bound(&store, "live/a", "v").await.unwrap();
    assert_eq!((read.first, read.window().segments().len()), (START + 192, 8));
}

#[test]
fn a_chapter_that_nobody_can_read_counts_as_heavy_as_the_others_when_it_goes() {
    let mut keeping = keeping(START..START + 200);
    while let Some((chapter, Errand::Write(_))) = keeping.write(None) {
        keeping.hear(chapter, Fate::Written);
    }
    let before = keeping.archive().weight().bytes;
    assert_eq!(keeping.weigh(), Some((C, Errand::Weigh)));
    keeping.hear(C, Fate::Unreadable);
    assert!(keeping.doom());
    assert_eq!(before - keeping.archive().weight().bytes, 64 * 1000);
}

/// What the record of a track says that lists `length`.
fn record(archive: &Archive, window: &Window) -> TrackRecord {
    TrackRecord {
        length: window.length(),
        first: window.media_sequence(),
        discontinuity_sequence: window.discontinuity_sequence(),
        peak: window.bandwidth().peak,
        archive: archive.clone(),
        bound: Vec::new(),
    }
}

#[tokio::test]
async fn a_window_of_hours_is_put_together_from_chapters_and_its_record_is_small() {
    let store = Store::open("memory://").unwrap();
    let timescale = Timescale::new(100).unwrap();
    let mut keeping = Keeping::new(timescale);
    let mut window = Window::new(Duration::from_secs(4 * 3600), timescale);
    for number in START..START + 20_000 {
        let era = era(1 + number / 9_000);
        keeping.add(entry(number, &era));
        window.push(Segment { parts: Vec::new(), ..entry(number, &era).segment });
        write(&mut keeping, &store).await;
    }
    assert!((14_400..14_402).contains(&window.segments().len()));
    let bytes = serde_json::to_vec(&record(keeping.archive(), &window)).unwrap();
    assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
    let mut read: TrackRecord = serde_json::from_slice(&bytes).unwrap();
    read.read_bound(&store, "live/a", "v").await.unwrap();
    assert_eq!(read.window(), window);
    assert_eq!(store.fills(), 225, "and no other chapters are read");
}
