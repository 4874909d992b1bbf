//! The same transport stream, received twice.

use std::{collections::BTreeMap, sync::mpsc, thread, time::Duration};

use headwater::source::{self, Pace};

use super::record::{PATIENCE, Recording, request};
use crate::twins::sender::{Sender, free_port, udp};

/// Frames that each receiver takes down.
const FRAMES: usize = 300;
const LATER: Duration = Duration::from_secs(3);

/// Receives on a thread of its own; gives what was recorded.
fn receive(uri: String) -> mpsc::Receiver<Recording> {
    let (sender, recording) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let source = source::open(request(&uri, Pace::Source), &mut |_| {}).unwrap();
        let _ = sender.send(Recording::of(source, |recording| recording.frames.len() >= FRAMES));
    });
    recording
}

/// What each picture shows, by its index.
fn pictures(recording: &Recording) -> BTreeMap<i64, u64> {
    recording.frames.iter().copied().zip(recording.prints.iter().copied()).collect()
}

/// The samples of each block, by its index.
fn sounds(recording: &Recording) -> BTreeMap<i64, Vec<f32>> {
    recording.blocks[0].iter().copied().zip(recording.samples[0].chunks(1024).map(<[f32]>::to_vec)).collect()
}

#[test]
fn a_picture_and_a_sound_have_the_same_place_whoever_receives_them_since_when_and_over_what() {
    let ports = [free_port(), free_port()];
    let over_srt = receive(format!("srt://127.0.0.1:{}?mode=listener&latency=80", ports[0]));
    thread::sleep(Duration::from_secs(1));
    let _sender = Sender::start(&[format!("srt://127.0.0.1:{}?pkt_size=1316", ports[0]), udp(ports[1])]);
    thread::sleep(LATER);
    let over_udp = receive(format!("udp://127.0.0.1:{}", ports[1]));
    let [one, other] = [over_srt, over_udp].map(|it| it.recv_timeout(PATIENCE).expect("it is received"));

    let (seen, seen_later) = (pictures(&one), pictures(&other));
    let both: Vec<_> = seen.iter().filter(|(frame, _)| seen_later.contains_key(frame)).collect();
    let differ = both.iter().filter(|(frame, print)| seen_later[frame] != **print).count();
    assert!(both.len() > 100, "{:?} {:?}", seen.keys().next(), seen_later.keys().next());
    assert_eq!(differ, 0, "of {} pictures", both.len());

    let (heard, heard_later) = (sounds(&one), sounds(&other));
    let common = heard.iter().filter_map(|(block, samples)| Some((samples, heard_later.get(block)?)));
    let near = |(one, other): (&f32, &f32)| (one - other).abs() < 0.01;
    // The decoder that began later settles in its first blocks.
    let apart = common.clone().skip(10).filter(|(one, other)| !one.iter().zip(*other).all(near)).count();
    assert!(common.clone().count() > 100);
    assert_eq!(apart, 0, "of {} blocks", common.count());
}
