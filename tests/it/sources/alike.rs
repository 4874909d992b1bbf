//! The same transport stream, received twice.

use std::{collections::BTreeMap, sync::mpsc, thread, time::Duration};

use headwater::{
    clock,
    source::{self, Pace},
};
use headwater_test_support::ports;

use super::record::{PATIENCE, Recording, request};
use crate::twins::sender::{Sender, udp};

/// Frames that each receiver takes down.
const FRAMES: usize = 300;
const LATER: Duration = Duration::from_secs(3);

/// Receives on a thread of its own until there is enough; gives what was recorded.
fn receive(uri: String, enough: fn(&Recording) -> bool) -> mpsc::Receiver<Recording> {
    let (sender, recording) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let source = source::open(request(&uri, Pace::Source), &mut |_| {}).unwrap();
        let _ = sender.send(Recording::of(source, enough));
    });
    recording
}

fn has_frames(recording: &Recording) -> bool {
    recording.frames.len() >= FRAMES
}

/// What each picture shows, by its index.
fn pictures(recording: &Recording) -> BTreeMap<i64, u64> {
    recording.frames.iter().copied().zip(recording.prints.iter().copied()).collect()
}

/// How many pictures both have, and how many of them are not the same.
fn compare(one: &BTreeMap<i64, u64>, other: &BTreeMap<i64, u64>) -> (usize, usize) {
    let both: Vec<_> = one.iter().filter_map(|(frame, print)| Some((print, other.get(frame)?))).collect();
    (both.len(), both.iter().filter(|(one, other)| one != other).count())
}

/// The samples of each block, by its index.
fn sounds(recording: &Recording) -> BTreeMap<i64, Vec<f32>> {
    recording.blocks[0].iter().copied().zip(recording.samples[0].chunks(1024).map(<[f32]>::to_vec)).collect()
}

#[test]
fn a_picture_and_a_sound_have_the_same_place_whoever_receives_them_since_when_and_over_what() {
    let ports = [(); 2].map(|()| ports::udp().unwrap());
    let over_srt = receive(format!("srt://127.0.0.1:{}?mode=listener&latency=80", ports[0]), has_frames);
    thread::sleep(Duration::from_secs(1));
    let _sender = Sender::start(&[format!("srt://127.0.0.1:{}?pkt_size=1316", ports[0]), udp(ports[1])]);
    thread::sleep(LATER);
    let over_udp = receive(format!("udp://127.0.0.1:{}", ports[1]), has_frames);
    let [one, other] = [over_srt, over_udp].map(|it| it.recv_timeout(PATIENCE).expect("it is received"));

    let (both, differ) = compare(&pictures(&one), &pictures(&other));
    assert!(both > 100 && differ == 0, "{differ} of {both} pictures");

    let (heard, heard_later) = (sounds(&one), sounds(&other));
    let common = heard.iter().filter_map(|(block, samples)| Some((samples, heard_later.get(block)?)));
    let near = |(one, other): (&f32, &f32)| (one - other).abs() < 0.01;
    // The decoder that began later settles in its first blocks.
    let apart = common.clone().skip(10).filter(|(one, other)| !one.iter().zip(*other).all(near)).count();
    assert!(common.clone().count() > 100);
    assert_eq!(apart, 0, "of {} blocks", common.count());
}

#[test]
fn an_encoder_that_starts_anew_is_found_in_the_same_place_by_all_receivers() {
    let ports = [(); 2].map(|()| ports::udp().unwrap());
    let again = |recording: &Recording| {
        recording.lives.get(1).is_some_and(|resumed| recording.frames.len() >= resumed + 150)
    };
    let receivers = ports.map(|port| receive(format!("udp://127.0.0.1:{port}"), again));
    let to = ports.map(udp);
    let first = Sender::start(&to);
    thread::sleep(Duration::from_secs(8));
    drop(first);
    let _second = Sender::stamping(&to, clock::wall_seconds() + 5_000);
    let [one, other] = receivers.map(|it| it.recv_timeout(PATIENCE).expect("it is received"));
    for recording in [&one, &other] {
        assert_eq!(recording.stalls.len(), 1, "{:?}", recording.stalls);
        let resumed = recording.frames[recording.lives[1]];
        assert!(resumed > recording.frames[recording.lives[1] - 1]);
        assert_eq!(resumed, first_of_segment(resumed), "begins on a segment line");
    }
    let resumed = one.frames[one.lives[1]].max(other.frames[other.lives[1]]);
    let (before, behind): (Vec<_>, Vec<_>) =
        [&one, &other].map(|it| (pictures(it), pictures(it).split_off(&resumed))).into_iter().unzip();
    let (both, differ) = compare(&behind[0], &behind[1]);
    assert!(both > 50 && differ == 0, "{differ} of {both} pictures of the second encoder");
    assert!(compare(&before[0], &before[1]).0 > both, "and some of the first");
}

/// The first frame that begins in the segment of `frame`, at 29.97 frames a second and 2 s.
fn first_of_segment(frame: i64) -> i64 {
    let segment = (frame * 1001).div_euclid(60_000);
    (segment * 60_000 + 1000).div_euclid(1001)
}
