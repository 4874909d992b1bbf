//! A server is killed and started again on a machine that remembers what it has told viewers.

use tempfile::TempDir;

use super::*;
use crate::channel::{journal::Journal, standby::Backlog};

const TRACKS: [&str; 2] = ["180p", "audio-und"];

/// Takes over in `epoch`, from what is kept of the one before.
fn starts(room: &TempDir, epoch: u64, kept: Option<(Record, Vec<Message>)>, now: i128) -> Rig {
    takes_over(room, epoch, kept, Backlog::new(Duration::from_secs(6), Vec::new()), now)
}

/// The same of one whose encoder has said this.
fn takes_over(
    room: &TempDir,
    epoch: u64,
    kept: Option<(Record, Vec<Message>)>,
    backlog: Backlog,
    now: i128,
) -> Rig {
    let stamp = Stamp { epoch, ..Stamp::default() };
    let recorded = kept.as_ref().map(|_| Stamp { epoch: epoch - 1, ..Stamp::default() });
    let inherited = Journal::take_over(room.path(), &stamp, recorded.as_ref()).unwrap();
    let mut presentation = Presentation::new("live/a".into(), &config());
    presentation.take_over(&config(), kept, Some(inherited), stamp, backlog, now);
    let mut rig = Rig { presentation, now, next: 0, store_hangs: false, record: None };
    rig.settle();
    rig
}

/// Kills it, and starts it again so much later.
fn restarts(room: &TempDir, before: &Rig, epoch: u64, after: Duration) -> Rig {
    starts(room, epoch, Some(kept(before)), before.now + after.as_nanos() as i128)
}

/// What lies in the store.
fn kept(before: &Rig) -> (Record, Vec<Message>) {
    let record = before.record.as_ref().expect("a record in the store");
    let mut opening = vec![Message::Catalog(Catalog { tracks: tracks(30) })];
    opening.extend((0..5).map(|index| Message::Media(media(0, true, index, index == 0))));
    opening.push(Message::Media(media(1, true, 0, true)));
    (record::decode("state.json", record).unwrap(), opening)
}

/// One that has played for four seconds and some samples, while the store takes nothing for the last of them, if it hangs.
fn first(room: &TempDir, samples: i64, hangs: bool) -> Rig {
    let mut rig = starts(room, 1, None, i128::from(START) * NANOS);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = hangs;
    rig.plays_samples(samples);
    rig
}

/// What `after` does not have of the parts and segments that `before` had, or has otherwise.
fn lacks(before: &Rig, after: &Rig) -> Vec<String> {
    let differs = |track: &'static str| {
        let now = after.bodies(track);
        let had = before.bodies(track).into_iter();
        had.filter(move |(name, body)| now.get(name) != Some(body))
            .map(move |(name, _)| format!("{track}/{name}"))
    };
    TRACKS.into_iter().flat_map(differs).collect()
}

#[test]
fn all_that_was_told_is_there_with_the_same_bodies_whenever_it_is_killed_and_parts_go_on() {
    for (samples, hangs, millis) in (0..35).flat_map(|samples| {
        [(samples, false, 0), (samples, true, 0), (samples, false, 700), (samples, true, 2_900)]
    }) {
        let room = TempDir::new().unwrap();
        let before = first(&room, samples, hangs);
        let after = Duration::from_millis(millis);
        let mut rig = restarts(&room, &before, 2, after);
        let when = format!("killed after {samples}, hangs: {hangs}, {millis} ms");
        assert_eq!(lacks(&before, &rig), [] as [&str; 0], "{when}");
        for track in TRACKS {
            let (listed, lists) = (before.parts(track), rig.parts(track));
            let kept: Vec<_> = listed.iter().filter(|part| !lists.contains(part)).collect();
            assert!(millis > 0 || kept.is_empty(), "{when}: {kept:?} of {lists:?}");
            let at = |rig: &Rig| rig.track(track).head.map(|head| (head.last, head.parts));
            assert!(at(&before) <= at(&rig), "{when}");
        }
        let next = (rig.now + NANOS - 1).div_euclid(NANOS);
        rig.passes(i64::try_from(next).unwrap());
        rig.encoder_begins(30);
        rig.plays(i64::try_from(next).unwrap(), i64::try_from(next).unwrap() + 3);
        for track in TRACKS {
            let parts = rig.parts(track);
            // Those of the last two segments.
            assert!(parts.len() >= 4, "{when}: {parts:?}");
            let numbers = rig.numbers(track);
            assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{when}: {numbers:?}");
            assert!(!rig.playlist(track).contains("DISCONTINUITY"));
        }
        let twice = lacks(&before, &rig);
        let oldest =
            |name: &String| name.contains(&format!("{START}")) || name.contains(&format!("{}", START + 1));
        assert!(twice.iter().all(oldest), "{when}: {twice:?}");
    }
}

#[test]
fn one_that_stood_by_on_the_same_machine_goes_on_with_its_own_pictures_behind_what_was_told() {
    for samples in 0..25 {
        let room = TempDir::new().unwrap();
        let before = first(&room, samples, samples % 2 == 1);
        let end = before.next + 13;
        let own = takeover::backlog((START + 1) * 10..end);
        let now = i128::from(end) * NANOS / 10;
        let mut rig = takes_over(&room, 2, Some(kept(&before)), own, now);
        rig.next = end;
        assert_eq!(lacks(&before, &rig), [] as [&str; 0], "after {samples}");
        // What is left of the segment that was being made, in two tracks.
        assert!(rig.presentation.filler_parts() <= 2, "after {samples}: {}", rig.presentation.filler_parts());
        rig.plays_samples(20);
        for track in TRACKS {
            assert!(rig.parts(track).len() >= 4, "after {samples}: {:?}", rig.parts(track));
        }
    }
}

#[test]
fn after_one_that_stopped_in_good_order_parts_go_on_elsewhere_from_the_first_that_it_has_hinted() {
    for samples in 0..25 {
        let mut before = first(&TempDir::new().unwrap(), samples, false);
        before.presentation.stop_behind_the_open();
        while !before.presentation.is_complete() {
            before.plays_samples(1);
        }
        let last = *before.numbers("180p").last().unwrap();
        before.presentation.release_record();
        before.records();
        let mut rig = restarts(&TempDir::new().unwrap(), &before, 2, Duration::from_millis(200));
        for track in TRACKS {
            let hint = format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}.0.m4s\"", last + 1);
            assert!(
                before.playlist(track).contains(&hint) && rig.playlist(track).contains(&hint),
                "after {samples}"
            );
        }
        before.plays_samples(13);
        let numbers = before.numbers("180p");
        assert_eq!(numbers.last(), Some(&last), "after {samples}: nothing is made behind it");
        rig.passes(last + 4);
        for track in TRACKS {
            assert!(rig.bodies(track).contains_key(&format!("{}.0", last + 1)), "after {samples}");
        }
    }
}

#[test]
fn who_is_killed_again_and_again_goes_on_all_the_same() {
    let room = TempDir::new().unwrap();
    let mut rig = first(&room, 3, true);
    for epoch in 2..12 {
        let next = restarts(&room, &rig, epoch, Duration::from_millis(150));
        assert_eq!(lacks(&rig, &next), [] as [&str; 0], "epoch {epoch}");
        rig = Rig { record: next.record.clone().or(rig.record), ..next };
    }
    assert!(!rig.parts("180p").is_empty());
}

#[test]
fn one_that_stops_at_once_knows_no_more_of_what_was_told_than_it_knew() {
    let before = first(&TempDir::new().unwrap(), 7, false);
    // Somewhere else, where nobody knows of the parts of the segment of the moment.
    let mut next = restarts(&TempDir::new().unwrap(), &before, 2, Duration::ZERO);
    next.presentation.stop_behind_the_open();
    assert!(next.presentation.is_complete());
    next.presentation.release_record();
    next.records();
    let last = restarts(&TempDir::new().unwrap(), &next, 3, Duration::ZERO);
    assert!(!last.playlist("180p").contains(&format!("{}.0.m4s", START + 4)));
}

#[test]
fn the_end_of_a_source_that_was_told_and_not_stored_is_not_lost() {
    let room = TempDir::new().unwrap();
    let mut before = first(&room, 7, true);
    before.presentation.end();
    before.settle();
    before.presentation.beat();
    before.records();
    let rig = restarts(&room, &before, 2, Duration::from_secs(1));
    for track in TRACKS {
        assert_eq!(rig.numbers(track).last(), Some(&(START + 4)));
        let list = rig.playlist(track);
        assert!(list.contains("#EXTINF:0.700,") && list.contains("#EXT-X-ENDLIST"), "{list}");
    }
    assert_eq!(lacks(&before, &rig), [] as [&str; 0]);
}

#[test]
fn parts_that_others_may_have_told_are_not_listed_and_not_by_the_one_after_that_either() {
    let room = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    let before = first(&elsewhere, 7, false);
    // On another machine nothing is known of it.
    let next = restarts(&room, &before, 2, Duration::from_millis(300));
    let next = Rig { record: next.record.clone().or(before.record.clone()), ..next };
    assert_eq!(next.parts("180p"), [] as [String; 0]);
    let last = restarts(&room, &next, 3, Duration::ZERO);
    assert_eq!(last.parts("180p"), [] as [String; 0]);
    let segment = format!("{}.0", START + 4);
    assert!(before.bodies("180p").contains_key(&segment) && !last.bodies("180p").contains_key(&segment));
}

#[test]
fn parts_of_another_length_than_is_configured_now_are_not_gone_on_with() {
    for (samples, millis) in (0..12).flat_map(|samples| [(samples, 100), (samples, 200), (samples, 1000)]) {
        let room = TempDir::new().unwrap();
        let before = first(&room, samples, samples % 2 == 1);
        let mut config = config();
        config.grid.part = Duration::from_millis(millis);
        let stamp = |epoch| Stamp { epoch, ..Stamp::default() };
        let inherited = Journal::take_over(room.path(), &stamp(2), Some(&stamp(1))).unwrap();
        let mut presentation = Presentation::new("live/a".into(), &config);
        let nothing = Backlog::new(Duration::from_secs(6), Vec::new());
        let kept = Some(kept(&before));
        presentation.take_over(&config, kept, Some(inherited), stamp(2), nothing, before.now);
        let mut rig = Rig { presentation, now: before.now, next: 0, store_hangs: false, record: None };
        rig.passes(START + 8);
        let target = format!("PART-TARGET={:.3}", f64::from(millis as u32) / 1000.0);
        for track in TRACKS {
            let list = rig.playlist(track);
            assert!(list.contains(&target), "{samples}, {target}: {list}");
            let told = before.bodies(track).keys().map(|name| format!("\"{name}.m4s\"")).collect::<Vec<_>>();
            let again = told.iter().find(|name| list.contains(&format!("PART:DURATION=0.50000,URI={name}")));
            assert_eq!(again, None, "{samples}, {target}: {list}");
        }
    }
}

#[test]
fn who_has_lost_its_last_segment_does_not_say_that_all_is_recorded() {
    for loses in [false, true] {
        let mut before = first(&TempDir::new().unwrap(), 10, true);
        for work in before.presentation.commits() {
            let Work::Segment { track, number, .. } = work else { panic!("{work:?}") };
            if loses {
                before.presentation.lose_segment(&track, number);
            } else {
                before.presentation.stored(&track, number);
                before.records();
            }
        }
        before.presentation.release_record();
        before.records();
        let record = record::decode("state.json", before.record.as_ref().unwrap()).unwrap();
        assert_eq!((record.fence.released, record.fence.settled), (true, !loses));
    }
}

#[test]
fn what_does_not_follow_the_record_is_not_gone_on_with() {
    let room = TempDir::new().unwrap();
    let before = first(&room, 17, false);
    let record = before.record.as_ref().unwrap();
    let mut record = record::decode("state.json", record).unwrap();
    // As if somebody else had made its last segment.
    for track in record.tracks.values_mut() {
        let mut last = track.newest().unwrap().clone();
        last.segment.duration += 1;
        track.archive.add(last);
    }
    let rig = starts(&room, 2, Some((record, before.presentation.opening.clone())), before.now);
    assert_eq!(rig.parts("180p"), [] as [String; 0]);
}
