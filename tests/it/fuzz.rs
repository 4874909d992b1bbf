//! The fuzz targets of `tests/fuzz` as a plain test: frames that are right, and what chance makes of them.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use bytes::Bytes;
use headwater::ladder::wire::{self, Control, Event, Media, Message};
use headwater_packager::sample::Sample;
use proptest::{
    collection::vec,
    prelude::{Just, any, prop_oneof},
    strategy::{Strategy, Union},
    test_runner::{Config, TestRunner},
};

fn frames() -> Vec<Vec<u8>> {
    let sample = |sync, length| Sample {
        dts: 1 << 50,
        cts: -1000,
        duration: 1000,
        sync,
        captured_at: 7,
        data: Bytes::from(vec![0x65; length]),
    };
    let media = |video, sync, length| {
        Message::Media(Media { track: 1, filler: false, video, sample: sample(sync, length) })
    };
    let messages = [
        media(true, true, 40),
        media(true, false, 0),
        media(false, true, 9),
        Message::Ping,
        Message::Pong,
        Message::Event(Event::Stalled { why: "nothing comes".into() }),
        Message::Control(Control::ForceKey { track: 2 }),
        Message::Control(Control::Quit),
    ];
    let viewers = [&br#"{"control":"select","video":1,"audio":null}"#[..], br#"{"control":"resume"}"#];
    let control = |json: &[u8]| [&[8, 0, 0, 0, json.len() as u8][..], json].concat();
    let known = messages.iter().map(|message| wire::encode(message).to_vec());
    known.chain(viewers.map(control)).chain([vec![99, 0, 0, 0, 2, 1, 2], vec![9, 0, 0, 0, 1, 0]]).collect()
}

/// Several frames one after another, some of whose bytes are others.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let frame = Union::new(frames().into_iter().map(Just));
    let stream =
        (any::<u8>(), vec(frame, 1..5)).prop_map(|(cut, frames)| [vec![cut], frames.concat()].concat());
    let damage = vec((any::<usize>(), any::<u8>()), 0..4);
    let damaged = (stream, damage).prop_map(|(mut stream, damage)| {
        for (at, byte) in damage {
            let at = at % stream.len();
            stream[at] = byte;
        }
        stream
    });
    prop_oneof![4 => damaged, 1 => vec(any::<u8>(), 0..200)]
}

fn run(body: fn(&[u8])) {
    try_all(&streams(), body);
}

fn try_all(strategy: &impl Strategy<Value = Vec<u8>>, body: fn(&[u8])) {
    let mut runner =
        TestRunner::new(Config { cases: 20_000, failure_persistence: None, ..Config::default() });
    let tried = runner.run(strategy, |bytes| {
        body(&bytes);
        body(bytes.get(1..).unwrap_or_default());
        Ok(())
    });
    tried.unwrap();
}

/// Tokens and targets, some of whose bytes are others.
fn tokens() -> impl Strategy<Value = Vec<u8>> {
    let pieces = bodies::GOOD.split('.').map(str::to_owned);
    let words =
        ["t/", "/", ".", "?token=", "&token=", "live/demo/index.m3u8", "?", "&", "=", "%2F", bodies::GOOD];
    let piece = Union::new(pieces.chain(words.map(str::to_owned)).map(Just));
    let joined = vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    let damage = (any::<usize>(), prop_oneof![Just(b'A'), Just(b'='), any::<u8>()]);
    let damaged = (Just(bodies::GOOD), vec(damage, 0..3)).prop_map(|(good, damage)| {
        let mut token = good.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at % token.len();
            token[at] = byte;
        }
        token
    });
    prop_oneof![damaged, joined.prop_map(String::into_bytes)]
}

#[test]
fn hostile_tokens_do_no_harm() {
    try_all(&tokens(), bodies::token);
}

#[test]
fn hostile_frames_do_no_harm() {
    run(bodies::wire);
}

#[test]
fn hostile_messages_of_viewers_do_no_harm() {
    run(bodies::viewer);
}
