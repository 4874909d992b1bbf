//! Network sources, each fed by a real sender.

mod http;
mod rtsp;

use std::{
    net::UdpSocket,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use headwater::source::{self, Pace, Source};
use headwater_test_support::ports;

use super::record::{
    FLASH_AND_BEEP, Last, PATIENCE, Recording, Running, failure, ffmpeg, make, open, request,
};

/// Low delay, so that a test is short: a key frame every half second, no reordering.
const LIVE: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 12 -c:a aac";

const FRAME: Duration = Duration::from_millis(40);
/// So late may sound be (EBU R37). For its first seconds a network source places it by when packets come, and on a busy
/// machine they come when they can.
const TOGETHER: Duration = Duration::from_millis(60);

/// Sends flash and beep as MPEG-TS in real time until it is dropped.
fn send(to: &str) -> Running {
    send_as(LIVE, to)
}

fn send_as(codecs: &str, to: &str) -> Running {
    Running::start(&mut ffmpeg(&format!(
        "{} {codecs} -f mpegts {to}",
        FLASH_AND_BEEP.replace("-f lavfi", "-re -f lavfi")
    )))
}

/// Opens a source that waits for its sender.
fn listen(uri: &str, sender: impl FnOnce() -> Running) -> (Source, Running) {
    let (opened, source) = mpsc::sync_channel(1);
    let (told, waits) = mpsc::sync_channel(1);
    let wanted = request(uri, Pace::Live);
    thread::spawn(move || {
        let source = source::open(wanted, &mut |why| told.send(why).unwrap());
        opened.send(source).unwrap();
    });
    let why = waits.recv_timeout(PATIENCE).expect("it tells that it waits");
    assert_eq!(why, format!("{uri} waits for a sender"));
    let sender = sender();
    (source.recv_timeout(PATIENCE).expect("it opens").unwrap(), sender)
}

/// Asserts that the beep is no more than `apart` from the flash.
fn assert_together(recording: &Recording, apart: Duration) {
    let (flashes, onsets) = (recording.flashes(), recording.onsets(0));
    assert!(flashes.len() >= 2 && onsets.len() >= 2, "{flashes:?} {onsets:?}");
    for flash in &flashes[..2] {
        let off = onsets.iter().map(|onset| (onset - flash * 1920).abs()).min().unwrap();
        assert!(off < apart.as_millis() as i64 * 48, "the beep is {off} samples off: {flashes:?} {onsets:?}");
    }
}

/// Takes the sender away after 75 frames and puts another in its place once the source has stalled; records until 50
/// frames have come after that.
fn interrupt(source: Source, sender: Running, again: impl Fn() -> Running) -> Recording {
    let (mut sender, mut gone) = (Some(sender), false);
    Recording::of(source, |recording| {
        if recording.frames.len() >= 75 && !gone {
            gone = true;
            sender.take().unwrap().hang_up();
        }
        if gone && sender.is_none() && !recording.stalls.is_empty() {
            sender = Some(again());
        }
        recording.lives.get(1).is_some_and(|resumed| recording.frames.len() >= resumed + 50)
    })
}

fn assert_resumed(recording: &Recording, why: &str) {
    assert!(matches!(recording.last, Last::Enough), "{:?}", recording.last);
    let resumed = recording.lives[1];
    assert_eq!(recording.stalls.len(), 1, "{:?}", recording.stalls);
    assert!(recording.stalls[0].1.contains(why), "{:?}", recording.stalls);
    for frames in [&recording.frames[..resumed], &recording.frames[resumed..]] {
        assert!(frames.is_sorted_by(|one, other| one + 1 == *other), "{frames:?}");
        assert_eq!(frames[0] % 50, 0, "begins on a segment line");
    }
    assert!(recording.frames[resumed] > recording.frames[resumed - 1]);
}

#[test]
fn a_transport_stream_over_udp_is_taken_and_taken_again_after_a_pause() {
    let port = ports::udp().unwrap();
    let to = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    let (source, sender) = listen(&format!("udp://127.0.0.1:{port}"), || send(&to));
    let video = source.video.clone().unwrap();
    assert_eq!((video.width, video.height, video.frame_rate.fps()), (320, 180, 25.0));
    let recording = interrupt(source, sender, || send(&to));
    assert_resumed(&recording, "gives nothing");
    recording.assert_captured();
    assert_together(&recording, TOGETHER);
}

#[test]
fn a_picture_is_captured_when_it_comes_in_and_not_when_it_is_decoded() {
    let port = ports::udp().unwrap();
    let reordered =
        "-c:v libx264 -preset ultrafast -x264-params bframes=2:b-adapt=0:rc-lookahead=0 -g 12 -c:a aac";
    let to = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    let (source, _sender) = listen(&format!("udp://127.0.0.1:{port}"), || send_as(reordered, &to));
    let recording = Recording::of(source, |recording| recording.frames.len() >= 100);
    recording.assert_gapless();
    recording.assert_captured();
    // What is shown behind two B-frames was sent, and came, before them.
    let earlier = |pair: &[[i64; 2]]| pair[1][0] < pair[0][0];
    let turns = recording.captured.windows(2).filter(|pair| earlier(pair)).count();
    assert!(turns >= 10, "{:?}", recording.captured);
}

#[test]
fn an_srt_listener_takes_one_caller_after_another() {
    let port = ports::udp().unwrap();
    let to = format!("srt://127.0.0.1:{port}");
    let (source, sender) = listen(&format!("srt://127.0.0.1:{port}?mode=listener&latency=80"), || send(&to));
    let recording = interrupt(source, sender, || send(&to));
    assert_resumed(&recording, "hung up");
    recording.assert_captured();
    assert_together(&recording, TOGETHER);
}

#[test]
fn an_srt_server_is_called_and_its_loss_reported() {
    let port = ports::udp().unwrap();
    let mut sender = Some(send(&format!("srt://127.0.0.1:{port}?mode=listener")));
    let uri = format!("srt://127.0.0.1:{port}?latency=80");
    let recording = Recording::of(open(&uri, Pace::Live), |recording| {
        if recording.frames.len() > 60 {
            sender = None;
        }
        false
    });
    // The server is killed without a word: SRT notices after 5 s, we after one.
    assert_eq!(recording.stalls.len(), 1);
    assert_eq!(recording.stalls[0].1, format!("{uri} gives nothing"));
    assert_together(&recording, TOGETHER);
    let Last::Failed(error) = recording.last else { panic!("{:?}", recording.last) };
    assert!(error.to_string().starts_with(&format!("{uri} was lost")), "{error}");
}

#[test]
fn an_rtsp_camera_is_played() {
    let camera = rtsp::Camera::start();
    let recording = Recording::of(open(&camera.uri(), Pace::Live), |recording| recording.frames.len() >= 75);
    recording.assert_gapless();
    recording.assert_captured();
    assert_eq!(recording.frames[0] % 50, 0);
    // The two RTP senders of ffmpeg have no clock in common: they start one after the other.
    assert_together(&recording, 3 * FRAME);
}

#[test]
fn a_file_is_played_over_http_and_a_missing_one_named() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), "a.mp4", &format!("{FLASH_AND_BEEP} -t 2 -c:v libx264 -preset ultrafast -c:a aac"));
    let base = http::serve(dir.path().into());
    let recording = Recording::of(open(&format!("{base}/a.mp4"), Pace::Asap), |_| false);
    recording.assert_gapless();
    assert!(matches!(recording.last, Last::Ended));
    assert_eq!(recording.frames, (0..50).collect::<Vec<_>>());
    let uri = format!("{base}/b.mp4");
    assert_eq!(failure(&uri), Some(format!("{uri} answers HTTP 404 (Not Found)")));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test measures how long things take")]
fn a_source_stops_when_nobody_listens() {
    let port = ports::udp().unwrap();
    let to = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    let (source, sender) = listen(&format!("udp://127.0.0.1:{port}"), || send(&to));
    drop((source, sender));
    let since = Instant::now();
    // While the source has the port, nobody else can bind it without sharing.
    while UdpSocket::bind(("127.0.0.1", port)).is_err() {
        assert!(since.elapsed() < PATIENCE, "the port is still taken");
        thread::sleep(Duration::from_millis(50));
    }
}
