//! What a channel says of itself in the store, and what it shows without one.

use super::*;
use crate::channel::commit;

fn named(record: &Bytes, track: &str) -> Vec<i64> {
    let record = record::decode("state.json", record).unwrap();
    let tail = record.tracks[track].archive.tail();
    assert!(tail.values().all(|entry| entry.etag.len() == 34), "each has its hash");
    tail.keys().copied().collect()
}

#[test]
fn a_record_names_what_is_durable_and_nothing_that_is_on_its_way() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(30);
    assert_eq!(rig.presentation.commits().len(), 6);
    assert!(rig.presentation.record_due().is_none(), "nothing is durable");
    rig.presentation.stored("180p", START + 4);
    rig.records();
    let record = rig.record.clone().unwrap();
    assert_eq!(named(&record, "180p"), (START..START + 5).collect::<Vec<_>>());
    assert_eq!(named(&record, "audio-und"), (START..START + 4).collect::<Vec<_>>());
}

#[test]
fn one_record_is_written_at_a_time_and_the_next_counts_in_what_came_meanwhile() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(20);
    rig.presentation.commits();
    rig.presentation.stored("180p", START + 4);
    assert!(rig.presentation.record_due().is_some());
    rig.presentation.stored("audio-und", START + 4);
    assert!(rig.presentation.record_due().is_none(), "one is on its way");
    rig.presentation.recorded(rig.now);
    rig.records();
    assert_eq!(named(rig.record.as_ref().unwrap(), "audio-und").last(), Some(&(START + 4)));
}

#[test]
fn a_store_that_takes_no_manifests_is_given_none_to_the_end_nor_after_a_takeover() {
    let mut rig = Rig::new(None, START);
    let before = Presentation::new("live/a".into(), &config()).storing_manifests(false);
    rig.presentation = before;
    rig.presentation.step_back(&config());
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(20);
    rig.presentation.commits();
    rig.presentation.stored("180p", START + 4);
    rig.presentation.stored("audio-und", START + 4);
    let works = rig.records();
    assert!(!works.iter().any(|work| matches!(work, Work::Documents(_))), "{works:?}");
    assert_eq!(named(rig.record.as_ref().unwrap(), "180p").last(), Some(&(START + 4)));
    rig.presentation.end();
    let Work::Documents(papers) = rig.presentation.conclude(true, rig.now) else { unreachable!() };
    assert!(papers.is_empty());
}

#[test]
fn without_a_store_all_is_shown_from_memory_and_what_is_lost_is_never_listed_in_it() {
    let config = config::Channel { low_latency: false, ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(40);
    rig.presentation.commits();
    rig.presentation.release();
    rig.presentation.publish(rig.now);
    assert_eq!(rig.numbers("180p"), (START..START + 8).collect::<Vec<_>>());
    assert!(rig.bodies("180p").contains_key(&(START + 7).to_string()));

    rig.presentation.lose_segment("180p", START + 4);
    (START + 5..START + 8).for_each(|number| rig.presentation.stored("180p", number));
    let papers = rig.records().into_iter().find_map(|work| match work {
        Work::Documents(papers) => Some(papers),
        _ => None,
    });
    let list = papers.unwrap().into_iter().find(|paper| paper.path == "live/a/180p/index.m3u8").unwrap();
    let list = String::from_utf8(list.text.concat()).unwrap();
    let listed: Vec<i64> = list.lines().filter_map(|line| line.strip_suffix(".m4s")?.parse().ok()).collect();
    assert_eq!(listed, (START + 5..START + 8).collect::<Vec<_>>(), "the list begins anew behind the hole");
    rig.presentation.publish(rig.now);
    assert_eq!(rig.numbers("180p"), (START..START + 8).collect::<Vec<_>>(), "who watches live has no hole");
}

#[test]
fn two_minutes_of_a_long_window_are_in_memory_and_the_rest_is_had_from_the_store() {
    let long = Duration::from_secs(400);
    let config = config::Channel { window: long, archive: long, ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 200);
    let track = rig.track("180p");
    assert_eq!(rig.numbers("180p"), (START..START + 200).collect::<Vec<_>>());
    assert_eq!(track.segments.keys().next(), Some(&(START + 199 - 121)));
    assert_eq!(track.stored.clone(), Some(START..=START + 199));
    let with_parts = rig.presentation.writers[0].shelf().window().segments().iter();
    let with_parts = with_parts.filter(|segment| !segment.parts.is_empty()).count();
    assert!((4..=9).contains(&with_parts), "{with_parts} segments have parts that nothing lists");
}

#[test]
fn what_is_lost_to_the_store_is_listed_while_it_is_in_memory_and_then_the_list_begins_behind_it() {
    let long = Duration::from_secs(400);
    let config = config::Channel { window: long, archive: long, ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(20);
    rig.presentation.commits();
    rig.presentation.lose_segment("180p", START + 4);
    rig.presentation.stored("180p", START + 5);
    rig.store_hangs = false;
    rig.plays(START + 6, START + 100);
    assert_eq!(rig.numbers("180p").first(), Some(&START));
    rig.plays(START + 100, START + 140);
    assert_eq!(rig.numbers("180p"), (START + 5..START + 140).collect::<Vec<_>>());
    let is_there = |rig: &Rig| rig.track("180p").segments.contains_key(&(START + 4));
    assert!(is_there(&rig), "who has the list can ask for it");
    rig.plays(START + 140, START + 260);
    assert!(!is_there(&rig));
}

#[test]
fn a_record_tells_others_that_what_is_kept_goes_by_its_bytes() {
    let config = config::Channel { archive_bytes: Some(1 << 30), ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    assert!(rig.presentation.edge().by_bytes);
    let record = record::decode("state.json", rig.record.as_ref().unwrap()).unwrap();
    let mut other = Presentation::new("live/a".into(), &super::config());
    other.follow(&record, (&rig.presentation.opening, &["180p".into(), "audio-und".into()]), true, rig.now);
    assert!(other.publish(rig.now).unwrap().by_bytes, "who serves it need not be configured so");
}

#[test]
fn the_lists_of_a_channel_that_goes_on_behind_its_end_say_so_with_the_first_record() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.presentation.end();
    rig.settle();
    let Some(Work::Record { record, .. }) = rig.presentation.conclusion() else { unreachable!() };
    let lists = |works: Vec<Work>| -> BTreeMap<String, String> {
        let papers = works.into_iter().filter_map(|work| match work {
            Work::Documents(papers) => Some(papers),
            _ => None,
        });
        let text = |paper: commit::Paper| (paper.path, String::from_utf8(paper.text.concat()).unwrap());
        papers.flatten().map(text).filter(|(path, _)| path.ends_with("/index.m3u8")).collect()
    };
    let ended = lists(vec![rig.presentation.conclude(true, rig.now)]);
    assert!(ended["live/a/180p/index.m3u8"].ends_with("#EXT-X-ENDLIST\n"));
    let kept = (record::decode("state.json", &record).unwrap(), rig.presentation.opening.clone());
    let other = config::Channel { source: "test:?size=64x64".into(), ..config() };
    rig.presentation = Presentation::new("live/a".into(), &other);
    takeover::goes_on(&mut rig.presentation, &other, kept, rig.now);
    assert!(rig.presentation.record_due().is_some(), "nothing new is to be waited for");
    let goes_on = lists(rig.presentation.recorded(rig.now));
    for track in ["180p", "audio-und"] {
        let list = &goes_on[&format!("live/a/{track}/index.m3u8")];
        assert!(list.contains("#EXTINF") && !list.contains("ENDLIST"), "{list}");
    }
}
