//! Another packager goes on where one has stopped, with what its own encoder has made in the meantime.

use super::*;
use crate::channel::standby::Backlog;

/// Goes on with what lies in the store, on a machine that remembers nothing.
pub(super) fn goes_on(
    presentation: &mut Presentation,
    config: &config::Channel,
    kept: (Record, Vec<Message>),
    now: i128,
) {
    let nothing = Backlog::new(Duration::from_secs(6), Vec::new());
    presentation.take_over(config, Some(kept), None, Stamp::default(), nothing, now);
}

/// What an encoder of the same settings has said up to now, whose frames have bytes of their own: those with these indices.
pub(super) fn backlog(indices: std::ops::Range<i64>) -> Backlog {
    let mut backlog = Backlog::new(Duration::from_secs(60), Vec::new());
    backlog.open(Message::Catalog(Catalog { tracks: tracks(30) }));
    (0..5).for_each(|index| backlog.take(media(0, true, index, index == 0), 0));
    backlog.take(media(1, true, 0, true), 0);
    backlog.begin();
    for index in indices {
        let came = i128::from(index + 1) * NANOS / 10;
        for track in [0, 1] {
            let mut frame = media(track, false, index, track == 1 || index % 10 == 0);
            frame.sample.data = Bytes::from(vec![7, index as u8]);
            backlog.take(frame, came);
        }
    }
    backlog
}

/// A packager that takes over what `first` has in the store, at the end of its backlog.
fn follows(first: &Rig, backlog: Backlog, at: i128) -> Rig {
    let record = first.record.as_ref().expect("a record in the store");
    let kept = (serde_json::from_slice(record).unwrap(), first.presentation.opening.clone());
    let stamp = Stamp { epoch: 2, ..Stamp::default() };
    let presentation = Presentation::new("live/a".into(), &config());
    let mut rig = Rig { presentation, now: at, next: 0, store_hangs: false, record: None };
    let work = rig.presentation.take_over(&config(), Some(kept), None, stamp, backlog, at);
    assert!(matches!(work, Some(Work::Foundation { .. })), "{work:?}");
    rig.settle();
    rig
}

/// One that has played for four and a half seconds.
fn first() -> Rig {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.plays_samples(5);
    rig
}

#[test]
fn it_goes_on_behind_the_record_with_its_own_encoders_pictures_and_parts_from_the_next_segment_on() {
    let before = first();
    let now = i128::from(START * 10 + 75) * NANOS / 10;
    let mut rig = follows(&before, backlog((START + 1) * 10 + 3..START * 10 + 75), now);
    for track in ["180p", "audio-und"] {
        assert_eq!(rig.numbers(track), (START..START + 7).collect::<Vec<_>>());
        assert!(!rig.playlist(track).contains("DISCONTINUITY"));
        assert_eq!(rig.parts(track), Vec::<String>::new());
    }
    assert_eq!(rig.presentation.filler_parts(), 0, "nobody sees the slate");
    let record: Record = serde_json::from_slice(rig.record.as_ref().unwrap()).unwrap();
    assert_eq!((record.fence.epoch, rig.presentation.edge().epoch), (2, 2));

    rig.next = START * 10 + 75;
    rig.plays_samples(11);
    assert_eq!(rig.numbers("180p"), (START..START + 8).collect::<Vec<_>>());
    assert_eq!(rig.parts("180p"), [format!("{}.0", START + 8)]);
}

#[test]
fn what_neither_has_is_filled() {
    let before = first();
    let now = i128::from(START + 8) * NANOS;
    let rig = follows(&before, backlog((START + 5) * 10 + 3..(START + 8) * 10), now);
    assert_eq!(rig.numbers("180p"), (START..START + 8).collect::<Vec<_>>());
    assert_eq!(rig.presentation.filler_parts(), 2 * 2 * 2, "the fifth and the sixth segment of two tracks");
}

#[test]
fn no_name_has_two_bodies_whenever_the_first_stops() {
    for samples in 0..40 {
        let mut before = Rig::new(None, START);
        before.encoder_begins(30);
        before.plays(START, START + 4);
        before.store_hangs = samples % 3 == 0;
        before.plays_samples(samples);
        let end = START * 10 + 40 + samples;
        let mut after = follows(&before, backlog(START * 10 + 17..end), i128::from(end) * NANOS / 10);
        after.next = end;
        for _ in 0..30 {
            for track in ["180p", "audio-und"] {
                let published = before.bodies(track);
                for (name, body) in after.bodies(track) {
                    assert!(
                        published.get(&name).is_none_or(|it| *it == body),
                        "{track}/{name} after {samples}"
                    );
                }
            }
            after.plays_samples(1);
        }
    }
}

#[test]
fn who_steps_back_shows_nothing_and_keeps_what_its_encoder_said_first() {
    let mut rig = first();
    let opening = rig.presentation.step_back(&config());
    assert_eq!(opening.len(), 7, "catalog and filler");
    rig.passes(START + 8);
    assert!(rig.presentation.edge().tracks.is_empty() && rig.presentation.lineup().borrow().lanes.is_empty());
}
