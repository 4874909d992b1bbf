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
    try_some(20_000, strategy, body);
}

fn try_some(cases: u32, strategy: &impl Strategy<Value = Vec<u8>>, body: fn(&[u8])) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
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

/// Some of `words` in any order, and now and then bytes that are none.
fn sentences(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let word = Union::new(words.iter().map(|word| Just(word.as_bytes().to_vec())));
    vec(prop_oneof![12 => word, 1 => vec(any::<u8>(), 1..3)], 1..10).prop_map(|words| words.concat())
}

const TARGETS: &[&str] = &[
    "/live/demo/720p/",
    "/live/",
    "/vod/clip/",
    "demo",
    "720p",
    "/",
    "index.m3u8",
    "manifest.mpd",
    "1.m4s",
    "933000000.3.m4s",
    "init-0af3.mp4",
    "/time",
    "/channels.json",
    "/assets/",
    "/index.html",
    "ws",
    "?",
    "_HLS_msn=5",
    "&_HLS_part=1",
    "&_HLS_skip=YES",
    "&",
    "=",
    "..",
    "//",
    "%2e",
    "%00",
    "\0",
    "01",
    "-1",
    ".",
];

const RANGES: &[&str] = &[
    "\u{1}",
    "\u{c}",
    "bytes=",
    "bytes",
    "=",
    "-",
    "0",
    "5",
    "4095",
    "18446744073709551615",
    "99999999999999999999999",
    ",",
    " ",
    "\t",
    "+",
    "0x1",
];

/// Heads of requests in pieces, and what HTTP/2 begins with.
const REQUESTS: &[&str] = &[
    "GET /time HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /live/demo/720p/1.m4s HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5\r\n\r\n",
    "GET /live/demo/720p/index.m3u8?_HLS_msn=10 HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /vod/clip/360p/1.m4s HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    "GET /live/demo/",
    "index.m3u8",
    "../state/demo/1.m4s",
    "OPTIONS * ",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "Host: a\r\n",
    "\r\n",
    "\n",
    "\r\n\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Accept-Encoding: zstd, gzip;q=0\r\n",
    "Accept: application/json\r\n",
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Range: bytes=",
    "If-Range: \"a\"\r\n",
    "Expect: 100-continue\r\n",
    "GET /live/demo/ws?video=720p",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
    "\0\0\u{36}\u{1}\u{5}\0\0\0\u{1}\0\u{7}:method\u{3}GET\0\u{7}:scheme\u{4}http\0\u{5}:path\u{5}/time\0\u{a}:authority\u{1}a",
    "\0\0\u{4}\u{3}\0\0\0\0\u{1}\0\0\0\u{8}",
    "\0\0\u{8}\u{6}\0\0\0\0\0headwate",
    "\0\0\u{4}\u{8}\0\0\0\0\0\u{7f}\0\0\0",
];

#[test]
fn hostile_targets_do_no_harm() {
    try_all(&sentences(TARGETS), bodies::route);
}

#[test]
fn hostile_ranges_select_nothing_that_is_not_there() {
    try_all(&sentences(RANGES), bodies::range);
}

#[test]
fn hostile_bytes_on_a_connection_do_no_harm() {
    try_some(3000, &sentences(REQUESTS), bodies::service);
}
